//! A puskesmas behind a satellite: answers come late, packets get lost, and some connections swallow what is said to them
//! (faults.md, row 30). Everything is delivered all the same, once.
//!
//! The link is a relay on this machine, ten times as fast as such a link is and with timeouts to match.

use std::time::Duration;

use posyandu_gateway::ledger::state::State;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::run::{Chance, Run};
use crate::office::{Books, Office, Setting, agree};

/// Time that each piece takes in one direction: a tenth of half of three seconds.
const ONE_WAY: Duration = Duration::from_millis(150);
/// Part of the pieces that get lost and are sent again, in percent.
const LOST_PERCENT: u64 = 30;
/// What that costs each time: a tenth of TCP's first time-out over such a link.
const SENT_AGAIN: Duration = Duration::from_millis(400);
/// Part of the pieces after which a direction swallows everything that follows, in percent: a path whose packets must be
/// smaller than anybody was told.
const SWALLOWED_PERCENT: u64 = 8;
/// Longest piece, in bytes.
const PIECE: usize = 16 * 1024;
/// Six seconds would be a tenth of the time that a call is given; half of it makes more of them end in doubt.
const DELIVERY: &str = "concurrency = 4
probe_after_seconds = [1, 30]
once_seconds = 0
connect_timeout_seconds = 2
request_timeout_seconds = 3";

/// Carries one direction until it ends; what is swallowed leaves the connection open, as nobody tells of it.
async fn carry(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf, mut chance: Chance) {
    let mut piece = vec![0_u8; PIECE];
    let mut swallows = false;
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return };
        swallows |= chance.percent(SWALLOWED_PERCENT);
        if swallows {
            continue;
        }
        let mut late = ONE_WAY;
        while chance.percent(LOST_PERCENT) {
            late += SENT_AGAIN;
        }
        tokio::time::sleep(late).await;
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

/// A link to a server; gives the address of its near end.
async fn link(far: String, seed: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut chance = Chance(seed);
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(&far).await else { continue };
            let ((read_near, write_near), (read_far, write_far)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(read_near, write_far, Chance(chance.next())));
            tokio::spawn(carry(read_far, write_near, Chance(chance.next())));
        }
    });
    near
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_link_delays_everything_and_loses_and_doubles_nothing() {
    let run = Run::of("satellite", 10, 1);
    let office = Office::open(Setting { delivery: DELIVERY, ..Setting::default() }, None).await;
    office.shorten(usize::try_from(run.size).unwrap()).await;
    let file = office.folder.path().join("posyandu-gateway.toml");
    let (_, far) = office.config().addresses();
    let far = far.split('/').nth(2).unwrap().to_owned();
    let near = link(far.clone(), run.seed).await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&far), "the server's address is not where it is looked for");
    std::fs::write(&file, text.replace(&far, &near)).unwrap();
    let daemon = office.daemon().await;
    daemon.once(&|_| {}).await.unwrap();
    let at_once = Books::read(&daemon.ledger).await.in_state(State::Delivered);
    let runs = office.settle(&daemon, usize::MAX).await;
    let books = Books::read(&daemon.ledger).await;
    agree(&office, &books);
    let stats = office.simulator.stats();
    assert_eq!((stats.creates, stats.updates), (office.held().len() as u64, 0), "sent again without need");
    assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0, "{:?}", books.counts);
    assert!(at_once > 0, "nothing got through at first");
    let figures = json!({"rows": run.size, "visits": books.delivered.len(), "at_once": at_once, "runs": runs});
    run.told(books.delivered.len() as u64, &figures);
}
