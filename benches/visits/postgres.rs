//! One ledger on PostgreSQL, emptied by several daemons at once.
//!
//! Every run gets a copy of one prepared database, and every daemon is a process of its own.

use std::path::Path;
use std::process::Stdio;

use posyandu_gateway::clock::Zone;
use posyandu_gateway::ledger::server::{Server, Time};
use posyandu_gateway::redact::Personal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Daemons at once.
const DAEMONS: [usize; 3] = [1, 2, 4];
/// The prepared database; copies have a number behind it.
const PREPARED: &str = "posyandu_push";

/// The server at an address.
pub fn server(url: &str) -> Server {
    Server {
        url: url.to_owned(),
        password: std::env::var("PUSH_POSTGRES_PASSWORD").ok().map(Personal::new),
        label: "bench".to_owned(),
        lease_seconds: 300,
        zone: Zone::Wib,
        time: Time::Database,
    }
}

/// The address of another database on the same server.
fn beside(url: &str, name: &str) -> String {
    let (address, settings) = url.split_once('?').unwrap_or((url, ""));
    let (place, _) = address.rsplit_once('/').unwrap();
    format!("{place}/{name}{}{settings}", if settings.is_empty() { "" } else { "?" })
}

/// How to connect as the one who may make databases.
fn as_owner(url: &str) -> PgConnectOptions {
    let options: PgConnectOptions = url.parse().unwrap();
    match std::env::var("PUSH_POSTGRES_PASSWORD") {
        Ok(password) => options.password(&password),
        Err(_) => options,
    }
}

/// Prepares one ledger and lets several daemons empty copies of it.
pub async fn compare(url: &str, number: usize) {
    let mut owner = PgConnection::connect_with(&as_owner(url)).await.unwrap();
    fresh(&mut owner, PREPARED, "").await;
    let folder = tempfile::tempdir().unwrap();
    super::ledger::prepare(folder.path(), Some(&server(&beside(url, PREPARED))), number).await;
    for latency in super::LATENCIES_MS {
        println!("PostgreSQL, answer after {latency} ms, {} at once in each daemon:", super::CONCURRENCY);
        for daemons in DAEMONS {
            let run = Run { url, folder: folder.path(), number, latency, daemons };
            let (rate, commits) = run.emptied(&mut owner, false).await;
            println!("  {daemons} daemons {rate:>14.0} visits/s {commits:>9.3} commits per visit");
        }
    }
    // A query that looks on from before the start keeps every row that was changed since (faults.md, row 68).
    let run = Run { url, folder: folder.path(), number, latency: 0, daemons: 1 };
    let (rate, _) = run.emptied(&mut owner, false).await;
    let (beside_query, _) = run.emptied(&mut owner, true).await;
    println!("PostgreSQL beside a query that never ends: {beside_query:.0} visits/s, ratio {:.2}", beside_query / rate);
    owner.execute(AssertSqlSafe(format!("DROP DATABASE {PREPARED} WITH (FORCE)"))).await.unwrap();
}

/// One ledger to be emptied.
struct Run<'a> {
    url: &'a str,
    folder: &'a Path,
    number: usize,
    /// Answer time of the sink, in milliseconds.
    latency: u64,
    daemons: usize,
}

impl Run<'_> {
    /// Lets the daemons empty a copy of the prepared ledger, perhaps while somebody keeps a snapshot of it; gives visits
    /// a second and commits a visit.
    async fn emptied(&self, owner: &mut PgConnection, is_looked_at: bool) -> (f64, f64) {
        let copy = format!("{PREPARED}_{}", self.daemons);
        fresh(owner, &copy, &format!("TEMPLATE {PREPARED}")).await;
        let url = beside(self.url, &copy);
        let mut query = None;
        if is_looked_at {
            let connection = query.insert(PgConnection::connect_with(&as_owner(&url)).await.unwrap());
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM entry").await.unwrap();
        }
        let (mut sink, address) = super::sink::start(self.latency);
        let start = || {
            let mut daemon = super::this_program();
            daemon.args(["daemon", &address]).arg(self.folder).arg(&url);
            daemon.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
        };
        let running: Vec<_> = (0..self.daemons).map(|_| start()).collect();
        let told: Vec<_> = running.into_iter().map(|one| super::words(&one.wait_with_output().unwrap())).collect();
        sink.kill().unwrap();
        sink.wait().unwrap();
        drop(query);
        let number = self.number as f64;
        let sum = |word: &str| told.iter().map(|one| one[word]).sum::<f64>();
        let seconds = told.iter().map(|one| one["seconds"]).fold(0.0, f64::max);
        assert!((sum("delivered") - number).abs() < 0.5, "{} of {number} delivered", sum("delivered"));
        owner.execute(AssertSqlSafe(format!("DROP DATABASE {copy} WITH (FORCE)"))).await.unwrap();
        (number / seconds, sum("commits") / number)
    }
}

/// Makes a database anew; names are our own.
async fn fresh(owner: &mut PgConnection, name: &str, of: &str) {
    owner.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.unwrap();
    owner.execute(AssertSqlSafe(format!("CREATE DATABASE {name} {of}"))).await.unwrap();
}
