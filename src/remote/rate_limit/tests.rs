//! The limiter on a clock that stands still until it is slept on.

#![allow(clippy::unwrap_used)]

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[tokio::test]
async fn no_minute_holds_more_calls_than_allowed() {
    for per_minute in [1, 6, 60, 300] {
        let clock = Clock::manual(at(0));
        let limiter = Limiter::new(per_minute, 1000, clock.clone());
        let mut times = Vec::new();
        for _ in 0..per_minute * 3 + 1 {
            limiter.acquire(Kind::Write).await.unwrap();
            times.push(clock.now());
        }
        for (index, first) in times.iter().enumerate() {
            let within = times[index..].iter().filter(|time| time.duration_since(*first).as_secs() < 60).count();
            assert!(within <= per_minute as usize, "{within} calls in a minute at {per_minute}");
        }
        let spent = times.last().unwrap().duration_since(at(0)).as_secs();
        assert!(spent <= 3 * 60 + 10, "{per_minute} a minute took {spent} s for three minutes' calls");
    }
}

#[tokio::test]
async fn retry_after_closes_the_lane_inside_the_clamp() {
    for (asked, seconds) in [(0, 1), (30, 30), (86_400, 900)] {
        let clock = Clock::manual(at(0));
        let limiter = Limiter::new(10_000, 4, clock.clone());
        limiter.close_for(Duration::from_secs(asked));
        limiter.acquire(Kind::LookUp).await.unwrap();
        assert_eq!(clock.now(), at(seconds));
    }
}

#[tokio::test]
async fn push_back_slows_the_calls_that_follow() {
    let clock = Clock::manual(at(0));
    let limiter = Limiter::new(600, 4, clock.clone());
    let permit = limiter.acquire(Kind::Write).await.unwrap();
    limiter.throttled(&permit);
    assert_eq!(limiter.per_minute(), 300.0);
    for _ in 0..300 {
        limiter.acquire(Kind::Write).await.unwrap();
    }
    assert!(clock.now() >= at(59), "300 calls took until {}", clock.now());
}

#[tokio::test]
async fn what_was_learnt_is_taken_up_again() {
    let clock = Clock::manual(at(0));
    let limiter = Limiter::new(600, 4, clock.clone());
    limiter.restore(Learnt { ceiling: Some(100.0) });
    assert_eq!(limiter.per_minute(), 98.0);
    assert_eq!(limiter.learnt(), Learnt { ceiling: Some(100.0) });
}

/// A backlog of writes waits; look-ups come one after the other and get their share at once.
#[tokio::test]
async fn look_ups_get_their_share_while_writes_wait() {
    let clock = Clock::manual(at(0));
    let limiter = Arc::new(Limiter::new(60, 50, clock.clone()));
    let writes = Arc::new(AtomicUsize::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (limiter, writes) = (Arc::clone(&limiter), Arc::clone(&writes));
        writers.spawn(async move {
            while limiter.acquire(Kind::Write).await.is_some() {
                writes.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let begun = clock.now();
    let mut longest = 0;
    for _ in 0..60 {
        let asked = clock.now();
        limiter.acquire(Kind::LookUp).await.unwrap();
        longest = longest.max(clock.now().duration_since(asked).as_secs());
    }
    limiter.hold();
    while writers.join_next().await.is_some() {}
    let minutes = clock.now().duration_since(begun).as_secs_f64() / 60.0;
    let (look_ups, writes) = (60.0 / minutes, writes.load(Ordering::Relaxed) as f64 / minutes);
    assert!(
        look_ups >= 15.0 && writes >= 39.0 && longest <= 10,
        "{writes:.1} writes and {look_ups:.1} look-ups a minute, {longest} s"
    );
}

/// Reading back has its tenth while writes wait, and everything once nobody else does.
#[tokio::test]
async fn reading_back_has_its_share_and_alone_all() {
    let clock = Clock::manual(at(0));
    let limiter = Arc::new(Limiter::new(60, 50, clock.clone()));
    let minutes_for_thirty = async || {
        let begun = clock.now();
        for _ in 0..30 {
            limiter.acquire(Kind::ReadBack).await.unwrap();
        }
        clock.now().duration_since(begun).as_secs_f64() / 60.0
    };
    let alone = minutes_for_thirty().await;
    assert!(alone <= 0.6, "{alone} minutes for 30 calls at 60 a minute");
    let writes = Arc::new(AtomicUsize::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (limiter, writes) = (Arc::clone(&limiter), Arc::clone(&writes));
        writers.spawn(async move {
            while limiter.acquire(Kind::Write).await.is_some() {
                writes.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let beside = minutes_for_thirty().await;
    limiter.hold();
    while writers.join_next().await.is_some() {}
    let (reads, writes) = (30.0 / beside, writes.load(Ordering::Relaxed) as f64 / beside);
    assert!((4.5..=6.5).contains(&reads) && writes >= 52.0, "{writes:.1} writes and {reads:.1} read back a minute");
}
