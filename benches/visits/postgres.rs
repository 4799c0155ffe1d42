//! One ledger on PostgreSQL, emptied by several daemons at once.
//!
//! Every run gets a copy of one prepared database, and every daemon is a process of its own.

use std::process::Stdio;

use posyandu_gateway::clock::Zone;
use posyandu_gateway::ledger::server::{Server, Time};
use posyandu_gateway::redact::Personal;
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

/// Prepares one ledger and lets several daemons empty copies of it.
pub async fn compare(url: &str, number: usize) {
    let mut options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    if let Ok(password) = std::env::var("PUSH_POSTGRES_PASSWORD") {
        options = options.password(&password);
    }
    let mut owner = PgConnection::connect_with(&options).await.unwrap();
    fresh(&mut owner, PREPARED, "").await;
    let folder = tempfile::tempdir().unwrap();
    super::ledger::prepare(folder.path(), Some(&server(&beside(url, PREPARED))), number).await;
    for latency in super::LATENCIES_MS {
        println!("PostgreSQL, answer after {latency} ms, {} at once in each daemon:", super::CONCURRENCY);
        for daemons in DAEMONS {
            let copy = format!("{PREPARED}_{daemons}");
            fresh(&mut owner, &copy, &format!("TEMPLATE {PREPARED}")).await;
            let (mut sink, address) = super::sink::start(latency);
            let start = || {
                let mut daemon = super::this_program();
                daemon.args(["daemon", &address]).arg(folder.path()).arg(beside(url, &copy));
                daemon.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
            };
            let running: Vec<_> = (0..daemons).map(|_| start()).collect();
            let told: Vec<_> = running.into_iter().map(|one| super::words(&one.wait_with_output().unwrap())).collect();
            sink.kill().unwrap();
            sink.wait().unwrap();
            let sum = |word: &str| told.iter().map(|one| one[word]).sum::<f64>();
            let seconds = told.iter().map(|one| one["seconds"]).fold(0.0, f64::max);
            assert!((sum("delivered") - number as f64).abs() < 0.5, "{} of {number} delivered", sum("delivered"));
            let commits = sum("commits") / number as f64;
            println!("  {daemons} daemons {:>14.0} visits/s {commits:>9.3} commits per visit", number as f64 / seconds);
            owner.execute(AssertSqlSafe(format!("DROP DATABASE {copy} WITH (FORCE)"))).await.unwrap();
        }
    }
    owner.execute(AssertSqlSafe(format!("DROP DATABASE {PREPARED} WITH (FORCE)"))).await.unwrap();
}

/// Makes a database anew; names are our own.
async fn fresh(owner: &mut PgConnection, name: &str, of: &str) {
    owner.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.unwrap();
    owner.execute(AssertSqlSafe(format!("CREATE DATABASE {name} {of}"))).await.unwrap();
}
