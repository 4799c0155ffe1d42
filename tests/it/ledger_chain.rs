//! The books cannot be rewritten in silence: whatever is altered, removed, added or cut off is found by `verify`.

mod books;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::checkpoint::Checkpoint;
use posyandu_gateway::seal::Keys;
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

use super::ledger::options;
use super::proof::run::Run;
use books::{Books, city, fifty};

/// Columns that no code covers, and why; `*` is the whole table.
const FREE: [(&str, &str, &str); 33] = [
    ("source_row", "last_pass", "moves with every reading; the next reading sets it"),
    ("entry", "due_at", "a plan of when to look, until an event names a time; then it is compared"),
    ("entry", "lease", "ends with the process; compared once an attempt is under way"),
    ("entry", "lease_until", "prolonged without a word; every lease ends at the next start"),
    ("entry", "strikes", "how often the process died; only sets a visit aside for a person"),
    ("discrepancy", "last_seen_at", "moves with every look; the next look sets it"),
    ("visit_person", "visit", "a copy of a cache; a wrong one shows as a discrepancy"),
    ("visit_person", "server_id", "a copy of a cache; a wrong one shows as a discrepancy"),
    ("lane_note", "kind", "what delivery remembers of limits and stops; learnt anew"),
    ("lane_note", "name", "what delivery remembers of limits and stops; learnt anew"),
    ("lane_note", "value", "what delivery remembers of limits and stops; learnt anew"),
    ("identity", "missing", "a cache that may be emptied at any time"),
    ("identity", "kind", "a cache that may be emptied at any time"),
    ("identity", "key", "a cache that may be emptied at any time"),
    ("identity", "server_id", "a cache that may be emptied at any time"),
    ("identity", "expires_at", "a cache that may be emptied at any time"),
    ("token", "client", "a cache that may be emptied at any time"),
    ("token", "sealed", "a cache that may be emptied at any time; sealed"),
    ("token", "expires_at", "a cache that may be emptied at any time"),
    ("reading", "source", "who reads what just now; emptied at each start"),
    ("reading", "file", "who reads what just now; emptied at each start"),
    ("reading", "pass", "who reads what just now; emptied at each start"),
    ("reading", "holder", "who reads what just now; emptied at each start"),
    ("reading", "held_until", "who reads what just now; emptied at each start"),
    ("call_allowance", "client", "how fast calls may follow; daemons on a server only"),
    ("call_allowance", "free_at", "how fast calls may follow; daemons on a server only"),
    ("person_question", "*", "what rows ask; every reading asks anew"),
    ("person_carried", "*", "which rows rest on an answer; every reading tells it anew"),
    ("person_candidate", "*", "what rows ask; every reading asks anew"),
    ("alarm", "*", "what somebody should look at now; no book of visits"),
    ("alarm_message", "*", "what somebody should look at now; no book of visits"),
    ("login", "*", "who is logged in just now; ends by itself"),
    ("meta", "name", "without its row the keys are checked anew"),
];

/// Tables that only a delivery with trouble fills.
const DELIVERYS: [&str; 7] = [
    "registration",
    "registration_event",
    "event_complaint",
    "lane_note",
    "lane_release",
    "removal",
    "removal_decision",
];

/// Table, column, declared type and key of every column.
async fn columns(database: &mut SqliteConnection) -> Vec<(String, String, String, String)> {
    sqlx::query_as(
        "SELECT t.name, c.name, c.type, (SELECT group_concat(k.name) FROM pragma_table_info(t.name) AS k WHERE k.pk > 0)
         FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid",
    )
    .fetch_all(database)
    .await
    .unwrap()
}

async fn run(database: &mut SqliteConnection, text: String) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(AssertSqlSafe(text)).execute(database).await?.rows_affected())
}

/// Alters one field as somebody would who knows the database: guards off, and put back afterwards.
async fn alter(books: &Books, table: &str, column: &str, kind: &str, key: &str, row: i64) -> bool {
    let mut database = books.open().await;
    run(&mut database, "PRAGMA ignore_check_constraints = on".to_owned()).await.unwrap();
    let guards: Vec<(String, String)> = sqlx::query_as("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .fetch_all(&mut database)
        .await
        .unwrap();
    for (name, _) in &guards {
        run(&mut database, format!("DROP TRIGGER {name}")).await.unwrap();
    }
    let values: &[&str] = match kind {
        "INTEGER" => &["coalesce(%, 0) + 1", "coalesce(%, 0) + 1000000"],
        "TEXT" => &["coalesce(%, '') || 'x'"],
        _ => &["CASE WHEN % IS NULL THEN zeroblob(32) ELSE CAST(substr(%, 2) || x'5a' AS BLOB) END"],
    };
    let mut altered = false;
    for value in values {
        let value = value.replace('%', column);
        let text = format!(
            "UPDATE {table} SET {column} = {value} WHERE ({key}) = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1
                OFFSET {row} % max(1, (SELECT count(*) FROM {table})))"
        );
        if run(&mut database, text).await.is_ok_and(|rows| rows == 1) {
            altered = true;
            break;
        }
    }
    for (_, text) in guards {
        run(&mut database, text).await.unwrap();
    }
    database.close().await.unwrap();
    altered
}

/// Alters fields one at a time: of each column so many rows as the run has for its size.
async fn every_field(books: &Books, empty: &[&str], run: Run) -> u64 {
    assert_eq!(books.findings(None).await, Vec::<String>::new());
    let original = std::fs::read(books.path()).unwrap();
    let mut database = books.open().await;
    let columns = columns(&mut database).await;
    let mut counts = BTreeMap::new();
    for (table, ..) in &columns {
        let count = format!("SELECT count(*) FROM {table}");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut database).await.unwrap();
        counts.insert(table, rows);
    }
    database.close().await.unwrap();
    let mut number = 0;
    for (at, (table, column, kind, key)) in columns.iter().enumerate() {
        let rows = counts[table];
        assert!(rows > 0 || empty.contains(&table.as_str()), "nothing stands in {table}");
        if FREE.iter().any(|(free, own, _)| free == table && [column, "*"].contains(own)) {
            continue;
        }
        let begin = i64::try_from(run.seed).unwrap() + at as i64 * 7;
        for row in (0..rows.min(i64::try_from(run.size).unwrap())).map(|number| (begin + number) % rows) {
            if alter(books, table, column, kind, key, row).await {
                assert!(!books.findings(None).await.is_empty(), "{table}.{column} of row {row} was altered unseen");
                number += 1;
            }
            for beside in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{beside}", books.path().display()));
            }
            std::fs::write(books.path(), &original).unwrap();
        }
    }
    run.told(number, &json!({"columns": columns.len()}));
    number
}

#[tokio::test]
async fn every_altered_field_is_found() {
    let books = fifty().await;
    let empty = ["person", "person_alias", "taken_file", "restoration", "mapping_plan", "mapping_plan_visit", "series"];
    let others = ["mapping_plan_approval", "token", "reading", "call_allowance", "alarm", "alarm_message", "login"];
    let persons = ["person_candidate", "person_carried"];
    let number =
        every_field(&books, &[&empty[..], &others, &persons, &DELIVERYS].concat(), Run::of("mutations", 1, 0)).await;
    assert!(number > 90, "{number}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_altered_field_of_a_citys_day_is_found() {
    let books = city().await;
    let empty = [
        "taken_file",
        "restoration",
        "decision",
        "token",
        "reading",
        "call_allowance",
        "alarm",
        "alarm_message",
        "statement",
    ];
    let compared = ["discrepancy", "discrepancy_event", "visit_person"];
    let pages = ["account", "login", "audit", "decision_command"];
    let persons = ["person_question", "person_candidate", "person_carried", "person_decision"];
    let number = every_field(
        &books,
        &[&empty[..], &compared, &pages, &persons, &DELIVERYS].concat(),
        Run::of("mutations", 1, 0),
    )
    .await;
    assert!(number > 120, "{number}");
}

#[tokio::test]
async fn what_is_removed_added_or_cut_off_is_found() {
    let books = fifty().await;
    let original = std::fs::read(books.path()).unwrap();
    let checkpoint = checkpoint(&books).await;
    let cases = [
        ("DELETE FROM event WHERE entry = 3 AND seq = 1", "chain.altered"),
        ("DELETE FROM event WHERE entry = 3 AND seq = 1", "history.gone"),
        ("INSERT INTO event VALUES (3, 99, '\"waived_by\"', 'waived', 1)", "history.outside"),
        (
            "INSERT INTO attempt (entry, lease, request_hash, begun_at) VALUES (3, 'x', zeroblob(32), 1)",
            "history.outside",
        ),
        ("DELETE FROM decision", "history.gone"),
        ("DELETE FROM chain WHERE number = 2", "chain.gap"),
        ("DELETE FROM chain", "chain.missing"),
        ("DELETE FROM chain WHERE number = (SELECT max(number) FROM chain)", "checkpoint.lost"),
        ("DELETE FROM source_row WHERE id = 7", "state.gone"),
        ("DELETE FROM entry_resource WHERE entry = 1 AND position = 1", "state.altered"),
        ("UPDATE entry SET state = 'waived', completed_at = 5 WHERE id = 49", "replay.differs"),
        ("UPDATE entry_resource SET server_id = 'other' WHERE entry = 1 AND position = 0", "state.altered"),
        (
            "UPDATE entry_content SET bundle_sealed = (SELECT bundle_sealed FROM entry_content WHERE entry = 2) WHERE entry = 1",
            "content.sealed",
        ),
        ("DROP TRIGGER event_append_only_update", "database.schema"),
    ];
    for (text, expected) in cases {
        let mut database = books.open().await;
        let guards: Vec<(String, String)> =
            sqlx::query_as("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
                .fetch_all(&mut database)
                .await
                .unwrap();
        for (name, _) in &guards {
            run(&mut database, format!("DROP TRIGGER {name}")).await.unwrap();
        }
        if !text.starts_with("DROP") {
            run(&mut database, text.to_owned()).await.unwrap();
        }
        for (_, sql) in guards.iter().filter(|(name, _)| !text.ends_with(name)) {
            run(&mut database, sql.clone()).await.unwrap();
        }
        database.close().await.unwrap();
        let found = books.findings(Some(&checkpoint)).await;
        assert!(found.iter().any(|name| name == expected), "{text}: {found:?}");
        std::fs::write(books.path(), &original).unwrap();
    }
}

async fn checkpoint(books: &Books) -> Checkpoint {
    let options = options(books.folder.path());
    let ledger = Ledger::open_read_only(&options, Arc::clone(&books.keys), books.clock.clone()).await.unwrap();
    let verified = ledger.verify(None).await.unwrap();
    ledger.close().await.unwrap();
    Checkpoint::new(&books.keys, verified.links, &verified.code, books.clock.now(), verified.counts.read, 8)
}

#[tokio::test]
async fn another_history_under_another_key_is_found_and_a_checkpoint_cannot_be_altered() {
    let books = fifty().await;
    let seen = checkpoint(&books).await;
    assert!(books.findings(Some(&seen)).await.is_empty());
    let file = books.folder.path().join("checkpoint");
    let text = serde_json::to_string(&seen).unwrap();
    std::fs::write(&file, &text).unwrap();
    assert_eq!(Checkpoint::load(&file, &books.keys).unwrap(), seen);
    for (old, new) in
        [("\"read\":51", "\"read\":49"), ("\"number\":", "\"number\":1"), ("checkpoint 1", "checkpoint 2")]
    {
        assert!(text.contains(old), "{text}");
        std::fs::write(&file, text.replace(old, new)).unwrap();
        assert!(Checkpoint::load(&file, &books.keys).is_err(), "{old}");
    }
    std::fs::write(&file, &text).unwrap();
    assert!(Checkpoint::load(&file, &Keys::generate().unwrap()).is_err());
    let other = fifty().await;
    let mixed = Books { folder: other.folder, keys: other.keys, clock: other.clock };
    assert_eq!(mixed.findings(Some(&seen)).await, ["checkpoint.lost"]);
}

/// A ledger of the schema before the chain, with something in it.
async fn older(folder: &Path, steps: usize) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("ledger.sqlite"));
    let mut database = options.create_if_missing(true).connect().await.unwrap();
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/ledger/sqlite");
    let mut files: Vec<PathBuf> = std::fs::read_dir(schemas).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in &files[..steps] {
        run_all(&mut database, std::fs::read_to_string(file).unwrap()).await;
    }
    run_all(&mut database, format!("PRAGMA application_id = {}; PRAGMA user_version = {steps};", 0x5053_5947)).await;
    database
}

async fn run_all(database: &mut SqliteConnection, text: String) {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(database).await.unwrap();
}

#[tokio::test]
async fn an_older_ledger_is_copied_before_its_schema_changes_and_its_history_chained() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = older(folder.path(), 5).await;
    let rows = "INSERT INTO pass (source, file, day, started_at, finished_at, complete, read, skipped)
        SELECT 's', 'f', '2026-11-18', 1, 2, 1, 0, 0 FROM json_each('[1,2,3]');
        INSERT INTO mapping_plan (new_version, made_at, added, changed, left_out, refused)
        WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 12000) SELECT 'v', x, 0, 0, 0, 0 FROM n;";
    run_all(&mut database, rows.to_owned()).await;
    database.close().await.unwrap();
    let keys = Arc::new(Keys::generate().unwrap());
    let clock = Clock::manual("2026-11-18T03:00:00Z".parse().unwrap());
    let ledger = Ledger::open(&options(folder.path()), Arc::clone(&keys), clock.clone()).await.unwrap();
    let verified = ledger.verify(None).await.unwrap();
    assert!(verified.is_sound(), "{:?}", verified.findings);
    assert_eq!((verified.history, verified.states, verified.links), (12_000, 3, 3), "pages of 5,000 rows");
    ledger.close().await.unwrap();
    let copy = folder.path().join("ledger.sqlite.schema-5.backup");
    let mut database = sqlx::sqlite::SqliteConnectOptions::new().filename(copy).connect().await.unwrap();
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut database).await.unwrap();
    assert_eq!(version, 5);
    let again = Ledger::open(&options(folder.path()), keys, clock).await.unwrap();
    again.close().await.unwrap();
    assert_eq!(
        std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|file| { file.as_ref().unwrap().file_name().to_string_lossy().contains("backup") })
            .count(),
        1,
        "copied once"
    );
}
