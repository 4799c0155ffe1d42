//! The access token: asked for once, renewed once, kept, and never a storm.

use posyandu_gateway::delivery::keeping::LedgerMemory;

use super::*;
use crate::ledger::Desk as LedgerDesk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_at_once_ask_for_one_token() {
    let server = serve(|_, _, _| accepted(&["Encounter", "Observation"])).await;
    let remote = remote(&server);
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.transaction(bundle()).await.class })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Class::Accepted);
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 1);
    assert_eq!((remote.calls().token, remote.calls().transaction), (1, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_renewed_once_for_all_calls() {
    let server = serve(|_, _, token| {
        if token == "Bearer token-0" {
            return fault(StatusCode::UNAUTHORIZED, "oauth.v2.InvalidAccessToken");
        }
        accepted(&["Encounter", "Observation"])
    })
    .await;
    let remote = remote(&server);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.transaction(bundle()).await.class })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Class::Accepted);
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_refused_twice_stops_the_client_without_a_storm() {
    let server = serve(|_, _, _| fault(StatusCode::UNAUTHORIZED, "keymanagement.service.access_token_expired")).await;
    let remote = remote(&server);
    for _ in 0..10 {
        assert_eq!(remote.transaction(bundle()).await.class, Class::Configuration);
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2);
}

/// A token works once and is then taken back, for five minutes of calls, with one daemon and with several that share
/// what is kept; each begins anew after seven calls.
#[tokio::test]
async fn a_server_that_takes_back_each_token_is_asked_for_five_in_five_minutes() {
    for (daemons, gap_seconds, requests) in [(1, 1, 5), (1, 5, 5), (2, 1, 5), (2, 59, 4), (3, 31, 5)] {
        let calls = AtomicUsize::new(0);
        let server = serve(move |_, _, _| match calls.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => accepted(&["Encounter", "Observation"]),
            _ => fault(StatusCode::UNAUTHORIZED, "keymanagement.service.access_token_expired"),
        })
        .await;
        let (clock, shelf) = (clock(), Arc::new(Shelf::default()));
        let mut remotes: Vec<Remote> = Vec::new();
        let mut asked = Vec::new();
        for round in 0..300 / gap_seconds {
            if round % 7 == 0 {
                remotes.clear();
                for _ in 0..daemons {
                    let remote = Remote::new(options(&server.address), clock.clone()).unwrap();
                    remote.remember_in(Arc::clone(&shelf) as Arc<dyn Memory>).await;
                    remotes.push(remote);
                }
            }
            for remote in &remotes {
                remote.transaction(bundle()).await;
            }
            let now = clock.now().as_second();
            asked.resize(server.tokens.load(Ordering::SeqCst), now);
            clock.advance(Duration::from_secs(gap_seconds));
        }
        assert_eq!(most_within(&asked, 60), 2, "one at once, when the first was taken back: {asked:?}");
        assert_eq!(asked.len(), requests, "{daemons} daemons, a call every {gap_seconds} s: {asked:?}");
    }
}

/// How many of these moments the fullest such time holds.
fn most_within(moments: &[i64], seconds: i64) -> usize {
    let within = |from: &i64| moments.iter().filter(|at| (0..seconds).contains(&(**at - from))).count();
    moments.iter().map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn a_failing_token_endpoint_is_asked_once_a_minute_and_nothing_is_sent() {
    let refusal = |_| {
        let body = json!({"ErrorCode": "invalid_client", "Error": "ClientId is Invalid"});
        (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()
    };
    let server = serve_with(refusal, |_, _, _| accepted(&[])).await;
    let clock = clock();
    let remote = Remote::new(options(&server.address), clock.clone()).unwrap();
    let secret = Arc::new(Mutex::new("very-secret"));
    let read = Arc::clone(&secret);
    remote.watch_secret(move || Some(Personal::new((*read.lock().unwrap()).into())));
    let shelf = Arc::new(Shelf::default());
    remote.remember_in(Arc::clone(&shelf) as Arc<dyn Memory>).await;
    for _ in 0..5 {
        assert_eq!(remote.transaction(bundle()).await.class, Class::Configuration);
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 1);
    clock.advance(Duration::from_secs(61));
    remote.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2);
    let again = Remote::new(options(&server.address), clock.clone()).unwrap();
    again.remember_in(shelf).await;
    again.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2, "a restart does not ask again");
    *secret.lock().unwrap() = "new";
    remote.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 3, "a new secret is tried at once");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_kept_token_is_used_until_shortly_before_its_end() {
    let server = serve(|_, _, _| accepted(&["Encounter", "Observation"])).await;
    let clock = clock();
    let remote = Remote::new(options(&server.address), clock.clone()).unwrap();
    let end = clock.now() + Duration::from_secs(3600);
    let shelf = Shelf::with(Token::new(Personal::new("kept".into()), end, clock.now()));
    remote.remember_in(Arc::clone(&shelf) as Arc<dyn Memory>).await;
    remote.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 0);
    clock.advance(Duration::from_secs(3400));
    remote.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 1);
    let kept = shelf.0.lock().unwrap().clone();
    assert_eq!(kept.token.unwrap().expires(), clock.now() + Duration::from_secs(3599));
    assert_eq!(kept.asked.last(), Some(clock.now()));
}

/// What stays over a restart.
struct Disk {
    ledger: Arc<posyandu_gateway::ledger::Ledger>,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Disk {
    async fn new() -> Self {
        let LedgerDesk { folder, ledger, clock, .. } = LedgerDesk::new().await;
        Self { ledger: Arc::new(ledger), clock, _folder: folder }
    }

    fn memory(&self) -> LedgerMemory {
        LedgerMemory::new(&self.ledger, &self.clock)
    }

    /// A client that knows nothing but what the ledger kept.
    async fn restarted(&self, server: &Server) -> Remote {
        let remote = Remote::new(options(&server.address), self.clock.clone()).unwrap();
        remote.remember_in(Arc::new(self.memory())).await;
        remote
    }
}

#[tokio::test]
async fn a_crash_loop_asks_for_two_tokens_in_a_minute_and_five_in_five() {
    for restart_seconds in [1, 3, 7, 31] {
        let refusal = |_| (StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream").into_response();
        let server = serve_with(refusal, |_, _, _| accepted(&[])).await;
        let disk = Disk::new().await;
        let mut asked = Vec::new();
        for _ in 0..600 / restart_seconds {
            let before = server.tokens.load(Ordering::SeqCst);
            disk.restarted(&server).await.transaction(bundle()).await;
            asked.extend((before < server.tokens.load(Ordering::SeqCst)).then(|| disk.clock.now().as_second()));
            disk.clock.advance(Duration::from_secs(restart_seconds));
        }
        for (most, seconds) in [(2, 60), (5, 300)] {
            let worst = most_within(&asked, seconds);
            assert!(worst <= most, "{worst} requests in {seconds} s, restarted every {restart_seconds} s: {asked:?}");
        }
        assert!(asked.len() >= 8, "a lane that waits still asks again: {asked:?}");
    }
}

#[tokio::test]
async fn a_kill_between_asking_and_keeping_costs_no_wait() {
    let server = serve(|_, _, _| accepted(&["Encounter", "Observation"])).await;
    let disk = Disk::new().await;
    assert!(disk.memory().asking("client", disk.clock.now()).await);
    disk.clock.advance(Duration::from_secs(1));
    assert_eq!(disk.restarted(&server).await.transaction(bundle()).await.class, Class::Accepted);
}
