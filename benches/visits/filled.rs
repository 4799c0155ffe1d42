//! Fills a ledger with as many invented visits as wanted, a million in some seconds: rows, visits, entries, history.
//!
//! Written past the gateway, so not in the chain and with nothing sealed in it: it is for benches of opening and reading.

#![allow(dead_code, reason = "each bench uses its own part")]

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// Posyandu of a city (posyandu records, section 7.2).
pub const POSYANDU: usize = 395;
/// Puskesmas that share them.
pub const PUSKESMAS: usize = 20;
/// Visits that are filled in have higher numbers than this one, the oldest the lowest; what the gateway made itself has
/// lower ones.
pub const FIRST: usize = 10_000_000;
/// Pages that SQLite keeps in memory meanwhile, in KiB: every index is filled at its leaves.
const CACHE_KIB: usize = 1_536 * 1_024;

/// What is filled in.
pub struct Filled<'a> {
    /// Visits.
    pub number: usize,
    /// The day of visit `x`, as SQL.
    pub day: &'a str,
    /// Resources of each visit.
    pub resources: usize,
    /// Where the entry of visit `x` stands, as SQL: `in_flight` with a send begun for even ones.
    pub state: &'a str,
    /// What else is filled in, as SQL.
    pub more: &'a str,
}

const FILL: &str = "
    CREATE TEMP TABLE n AS WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c WHERE x + 1 < {number})
        SELECT {first} + {number} - x AS id, x, {day} AS day,
            'Puskesmas ' || (x % {posyandu} % {puskesmas}) AS lane, 'P' || (x % {posyandu}) AS place, {state} AS state FROM c ORDER BY x DESC;
    INSERT INTO pass (id, source, file, day, started_at, finished_at, complete)
        VALUES ({first}, 's', 'f', '2026-11-18', 1, 2, 1);
    INSERT INTO visit (id, key, puskesmas, posyandu, service_date, zone, day_ends_at, due_at, revision, entered_revision)
        SELECT id, randomblob(32), lane, place, day, 'WIB', unixepoch(day) * 1000 + 61200000, 1, 1, 1 FROM n;
    INSERT INTO source_row (id, source, file, row_key, occurrence, digest, place_sealed, place_mark, kind, standing,
            visit, puskesmas, posyandu, counted_date, stamp, first_pass, last_pass)
        SELECT id, 's', 'f', randomblob(32), 1, randomblob(32), zeroblob(80), zeroblob(32), 'records', 'current', id, lane,
            place, day, x, {first}, {first} FROM n;
    INSERT INTO entry (id, visit, version, lane, day_ends_at, state, seq, due_at, lease, lease_until, blocked_on,
            content_hash, mapping_version, created_at, state_since, completed_at)
        SELECT id, id, 1, lane, unixepoch(day) * 1000 + 61200000, state, 1, 1, CASE WHEN state = 'in_flight' THEN 'lease' END,
            CASE WHEN state = 'in_flight' THEN 1 END, CASE WHEN state = 'blocked' THEN 'patient' END, zeroblob(32), '1', 1, 1,
            CASE WHEN state IN ('delivered', 'refused', 'exhausted', 'waived') THEN 1 END FROM n;
    WITH RECURSIVE p(position) AS (SELECT 0 UNION ALL SELECT position + 1 FROM p WHERE position + 1 < {resources})
        INSERT INTO entry_resource (entry, position, resource_type, identifier_system, identifier_value, full_url,
            content_hash, server_id, server_version, server_hash, verified, verified_at)
        SELECT id, position, 'Observation', 'http://sys-ids.kemkes.go.id/observation/100025609', hex(randomblob(16)),
            'urn:uuid:' || hex(randomblob(16)), zeroblob(32), CASE WHEN state = 'delivered' THEN hex(randomblob(16)) END,
            CASE WHEN state = 'delivered' THEN '1' END, CASE WHEN state = 'delivered' THEN zeroblob(32) END,
            CASE WHEN state = 'delivered' THEN 'equal' END, CASE WHEN state = 'delivered' THEN 1 END
        FROM n CROSS JOIN p WHERE {resources} > 0;
    INSERT INTO event SELECT id, 0, '\"entered\"', 'pending', 1 FROM n;
    INSERT INTO event SELECT id, 1, CASE state WHEN 'in_flight' THEN '\"claimed\"' WHEN 'waived' THEN '\"waived_by\"'
            WHEN 'delivered' THEN '\"accepted\"' ELSE '\"refused_content\"' END, state, 1 FROM n
        WHERE state IN ('in_flight', 'waived', 'delivered', 'refused', 'exhausted');
    INSERT INTO attempt (id, entry, lease, request_hash, begun_at) SELECT id, id, 'lease', zeroblob(32), 1 FROM n
        WHERE state NOT IN ('pending', 'blocked') AND (state <> 'in_flight' OR x % 2 = 0);
    INSERT INTO attempt_end (attempt, outcome, class, excerpt, rules, duration_ms, ended_at)
        SELECT id, 'accepted', 'accepted', '', '[]', 300, (unixepoch(day) + 10800) * 1000 - x % 3600 * 1000 FROM n
        WHERE state NOT IN ('pending', 'blocked', 'in_flight');";

/// Fills them into a ledger that nobody has open.
pub async fn fill(path: &Path, filled: &Filled<'_>) {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(false).pragma("synchronous", "off");
    let options = options.pragma("cache_size", format!("-{CACHE_KIB}")).journal_mode(SqliteJournalMode::Off);
    let mut database = options.connect().await.unwrap();
    let mut text =
        format!("BEGIN; {FILL} {} COMMIT;", filled.more).replace("{state}", filled.state).replace("{day}", filled.day);
    for (name, number) in [
        ("{number}", filled.number),
        ("{resources}", filled.resources),
        ("{first}", FIRST),
        ("{posyandu}", POSYANDU),
        ("{puskesmas}", PUSKESMAS),
    ] {
        text = text.replace(name, &number.to_string());
    }
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}
