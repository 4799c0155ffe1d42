//! Reading only what changed lately: which rows, when everything is read instead, and what the ledger makes of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ingest::SourceOutcome;
use posyandu_gateway::ledger::row::RowTally;
use posyandu_gateway::source::profile::Profile;
use posyandu_gateway::source::{self, Location};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::{application, table, tables};
use crate::office::{Office, Setting};
use crate::servers::{self, PASSWORD};

async fn keys_since(profile: &Arc<Profile>, location: &Location, since: Option<&str>) -> Vec<String> {
    let since: Option<Timestamp> = since.map(|text| text.parse().unwrap());
    let mut rows = source::open_since(profile, location, since).await.unwrap();
    let mut keys = Vec::new();
    while let Some(reading) = rows.next().await.unwrap() {
        keys.push(super::keys(std::slice::from_ref(&reading))[0].to_owned());
    }
    keys
}

/// 1 long ago, 2 within the overlap, 3 without a time, 4 later.
const TIMES: [&str; 4] = ["'2026-11-01 08:00:00'", "'2026-11-18 00:00:00'", "NULL", "'2026-11-19 08:00:00'"];

#[tokio::test(flavor = "current_thread")]
async fn the_window_holds_what_changed_lately_and_what_does_not_say() {
    let rows: Vec<String> = TIMES.iter().enumerate().map(|(at, time)| format!("({}, 'x', {time})", at + 1)).collect();
    let insert = format!("INSERT INTO t VALUES {};", rows.join(", "));
    let table = |more| {
        let query = "SELECT id, nama, diubah FROM t";
        tables(&[table("t", &["id"], query, &["nama"], more)])
    };
    let window = table("    changed_at: diubah\n    overlap_hours: 24\n");
    let mut locations = Vec::new();
    for (server, types) in
        [(servers::postgres(), ["timestamptz", "timestamp"]), (servers::mariadb(), ["timestamp NULL", "datetime"])]
    {
        for kind in types {
            let create = format!("CREATE TABLE t(id int PRIMARY KEY, nama text, diubah {kind});");
            locations.push(server.database(&format!("{create}{insert}")).await.location());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aplikasi.sqlite");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut file = options.connect().await.unwrap();
    file.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, nama, diubah)").await.unwrap();
    file.execute(sqlx::AssertSqlSafe(insert)).await.unwrap();
    file.execute("INSERT INTO t VALUES (5, 'x', 1700000000), (6, 'x', '01/11/2026')").await.unwrap();
    file.close().await.unwrap();
    for location in &locations {
        assert_eq!(keys_since(&window, location, None).await, ["1", "2", "3", "4"]);
        assert_eq!(keys_since(&window, location, Some("2026-11-18T09:00:00Z")).await, ["2", "3", "4"]);
    }
    let file = Location::file_at("uji", path, std::path::PathBuf::new());
    assert_eq!(keys_since(&window, &file, Some("2026-11-18T09:00:00Z")).await, ["2", "3", "4", "5", "6"]);
}

/// The sample city whose third puskesmas keeps its records on a PostgreSQL server.
async fn office(url: &str) -> Office {
    let office = Office::open(Setting::default(), None).await;
    let file = office.folder.path().join("posyandu-gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("profile = \"posyandu_laravel\"", "profile = \"posyandu_postgres\"").replace(
        "path = \"puskesmas-timur-aplikasi.sqlite\"",
        &format!("url = \"{url}\"\npassword_file = \"rahasia-basis-data.txt\""),
    );
    std::fs::write(&file, text).unwrap();
    std::fs::write(office.folder.path().join("rahasia-basis-data.txt"), PASSWORD).unwrap();
    office
}

/// Reads all sources; gives what became of the database's rows and how many of another source were read.
async fn ingest(daemon: &Daemon) -> (SourceOutcome, RowTally) {
    let (round, _) = daemon.ingest(&mut |_, _| Ok(()), &|_| {}).await.unwrap();
    let mut sources = round.sources;
    let timur = sources.remove(sources.iter().position(|one| one.source == "timur").unwrap());
    (timur, sources.iter().find(|one| one.source == "tengah").unwrap().tally)
}

async fn read(daemon: &Daemon) -> RowTally {
    let (outcome, _) = ingest(daemon).await;
    assert!(outcome.problem.is_none(), "{:?}", outcome.problem);
    outcome.tally
}

#[tokio::test(flavor = "current_thread")]
async fn a_day_begins_with_everything_and_goes_on_with_what_changed() {
    let database = application::postgres().await;
    database.run("UPDATE measurements SET updated_at = '2026-11-01 08:00+09'; UPDATE immunizations SET updated_at = '2026-11-01 08:00+09'").await;
    let office = office(&database.url()).await;
    let daemon = office.daemon().await;
    let first = read(&daemon).await;
    assert_eq!((first.read, first.unchanged), (191, 0));
    assert_eq!(read(&daemon).await.read, 0, "nothing changed lately");
    // A row that was changed, one that came and one that was taken away.
    database
        .run(
            "UPDATE measurements SET weight_kg = weight_kg + 0.1, updated_at = '2026-11-18 17:31+09' WHERE id = 5;
             DELETE FROM measurements WHERE id = 2;
             UPDATE measurements SET updated_at = NULL WHERE id = 3",
        )
        .await;
    let second = read(&daemon).await;
    assert_eq!((second.read, second.changed, second.unchanged), (2, 1, 1));
    let counts = daemon.ledger.counts(&Default::default()).await.unwrap();
    assert_eq!(counts.sum(), counts.read);
    // Silently changed: the first reading of the next local day (00:30 WIT) finds it.
    database.run("UPDATE measurements SET weight_kg = weight_kg + 0.1 WHERE id = 6").await;
    assert_eq!(read(&daemon).await.changed, 0);
    office.clock.advance(Duration::from_secs(7 * 3_600));
    let next_day = read(&daemon).await;
    assert_eq!((next_day.read, next_day.changed), (190, 1));
    // The overlap still holds row 5, and row 3 has no time.
    assert_eq!(read(&daemon).await.read, 2);
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_that_stopped_stops_alone_and_is_then_read_whole() {
    let database = application::postgres().await;
    let office = office(&database.url()).await;
    let daemon = office.daemon().await;
    let (first, others) = ingest(&daemon).await;
    assert!(first.problem.is_none());
    database.run("ALTER TABLE immunizations RENAME COLUMN vaccine TO vaccine_name").await;
    let (stopped, others_then) = ingest(&daemon).await;
    assert_eq!(&*stopped.problem.unwrap().issue.rule, "file.query");
    assert_eq!((stopped.tally.read, others_then.read), (0, others.read), "no row of it, all of the others");
    database.run("ALTER TABLE immunizations RENAME COLUMN vaccine_name TO vaccine").await;
    let whole = read(&daemon).await;
    assert_eq!((whole.read, whole.unchanged), (191, 191));
    database
        .run("UPDATE measurements SET updated_at = '2026-11-01'; UPDATE immunizations SET updated_at = '2026-11-01'")
        .await;
    assert_eq!(read(&daemon).await.read, 0, "after a whole reading what changed is enough");
}

// The city's server must answer while the command runs.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_what_an_account_may_do_and_a_wrong_address_is_a_setting() {
    let database = application::postgres().await;
    let office = office(&database.url()).await;
    let doctor = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"));
        command.arg("--config").arg(office.folder.path().join("posyandu-gateway.toml"));
        let output = command.args(["doctor", "--format", "json"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let told = doctor();
    assert!(told.contains("timur: readable as") && !told.contains("can only read"), "{told}");
    database.run("GRANT INSERT ON measurements TO pembaca").await;
    assert!(doctor().contains("give it one that can only read"));
    let file = office.folder.path().join("posyandu-gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    for (url, said) in [("postgres://a:rahasia@h/d", "password_file"), ("oracle://a@h/d", "postgres://")] {
        std::fs::write(&file, text.replace(&database.url(), url)).unwrap();
        let told = doctor();
        assert!(told.contains(said) && !told.contains("a:rahasia"), "{told}");
    }
}
