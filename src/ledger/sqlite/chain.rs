//! What the chain covers, as statements: which rows a transaction touched, how each of them reads as text, and the
//! links themselves.
//!
//! The writer's connection notes touched rows by temporary triggers, so that no statement of the store has to
//! remember the chain. On a server with several writers the same notes stand in a temporary table of each connection,
//! and [`head`] is read under a lock taken last in the transaction. The text of a history kind never changes, or old
//! links could not be checked any more: what a table gains later becomes a kind of its own.

use sqlx::SqliteConnection;

use super::{hash, json};
use crate::ledger::LedgerError;

/// Something the chain covers.
#[derive(Debug)]
pub struct Kind {
    /// Its name in `covers`.
    pub name: &'static str,
    /// Append-only rows are hashed as they are; of everything else each new state is remembered by its code.
    pub is_history: bool,
    /// Table of its rows.
    pub table: &'static str,
    /// Key columns: id and running number.
    key: (&'static str, &'static str),
    /// Expression for the text of a row `t`.
    text: &'static str,
    /// When a row of it is touched, with the id and running number of the row.
    touched: &'static [(&'static str, &'static str, &'static str)],
}

/// Everything the chain covers. What it leaves out, and why, stands in README.md.
pub const KINDS: [Kind; 15] = [
    Kind {
        name: "event",
        is_history: true,
        table: "event",
        key: ("entry", "seq"),
        text: "json_array(t.entry, t.seq, t.event, t.state, t.at)",
        touched: &[("INSERT ON event", "NEW.entry", "NEW.seq")],
    },
    Kind {
        name: "attempt",
        is_history: true,
        table: "attempt",
        key: ("id", "0"),
        text: "json_array(t.id, t.entry, t.lease, hex(t.request_hash), t.begun_at)",
        touched: &[("INSERT ON attempt", "NEW.id", "0")],
    },
    Kind {
        name: "attempt_end",
        is_history: true,
        table: "attempt_end",
        key: ("attempt", "0"),
        text: "json_array(t.attempt, t.outcome, t.status, t.request_id, t.class, t.excerpt, t.rules, t.duration_ms,
            hex(t.issues_sealed), t.ended_at)",
        touched: &[("INSERT ON attempt_end", "NEW.attempt", "0")],
    },
    Kind {
        name: "decision",
        is_history: true,
        table: "decision",
        key: ("id", "0"),
        text: "json_array(t.id, t.entry, t.event, hex(t.reason_sealed), t.at)",
        touched: &[("INSERT ON decision", "NEW.id", "0")],
    },
    Kind {
        name: "plan",
        is_history: true,
        table: "mapping_plan",
        key: ("id", "0"),
        text: "json_array(t.id, t.new_version, t.made_at, t.added, t.changed, t.left_out, t.refused)",
        touched: &[("INSERT ON mapping_plan", "NEW.id", "0")],
    },
    Kind {
        name: "plan_visit",
        is_history: true,
        table: "mapping_plan_visit",
        key: ("plan", "visit"),
        text: "json_array(t.plan, t.visit, t.old_version)",
        touched: &[("INSERT ON mapping_plan_visit", "NEW.plan", "NEW.visit")],
    },
    Kind {
        name: "plan_approval",
        is_history: true,
        table: "mapping_plan_approval",
        key: ("plan", "0"),
        text: "json_array(t.plan, t.command, hex(t.reason_sealed), t.at)",
        touched: &[("INSERT ON mapping_plan_approval", "NEW.plan", "0")],
    },
    Kind {
        name: "restoration",
        is_history: true,
        table: "restoration",
        key: ("id", "0"),
        text: "json_array(t.id, t.at, t.last_day, t.reason)",
        touched: &[("INSERT ON restoration", "NEW.id", "0")],
    },
    Kind {
        name: "entry",
        is_history: false,
        table: "entry",
        key: ("id", "0"),
        text: "json_array(t.visit, t.version, t.predecessor, t.lane, t.day_ends_at, hex(t.content_hash),
            t.mapping_version, t.mapping_refused, t.created_at, t.look_first,
            (SELECT group_concat(json_array(r.position, r.resource_type, r.identifier_system, r.identifier_value,
                r.full_url, hex(r.content_hash)), char(10) ORDER BY r.position)
                FROM entry_resource AS r WHERE r.entry = t.id),
            (SELECT group_concat(json_array(i.id, i.severity, i.rule, hex(i.sealed)), char(10) ORDER BY i.id)
                FROM issue AS i WHERE i.entry = t.id AND i.entry IS NOT NULL))",
        touched: &[
            ("INSERT ON entry", "NEW.id", "0"),
            (
                "UPDATE OF visit, version, predecessor, lane, day_ends_at, content_hash, mapping_version,
                    mapping_refused, created_at, look_first ON entry",
                "NEW.id",
                "0",
            ),
            ("INSERT ON issue WHEN NEW.entry IS NOT NULL", "NEW.entry", "0"),
            (
                "UPDATE OF resource_type, identifier_system, identifier_value, full_url, content_hash ON entry_resource",
                "NEW.entry",
                "0",
            ),
        ],
    },
    Kind {
        name: "server",
        is_history: false,
        table: "entry",
        key: ("id", "0"),
        text: "coalesce((SELECT group_concat(json_array(r.position, r.server_id, r.server_version, hex(r.server_hash),
                r.server_mapping, r.verified, r.verified_at), char(10) ORDER BY r.position)
                FROM entry_resource AS r WHERE r.entry = t.id), '')",
        touched: &[
            ("INSERT ON entry", "NEW.id", "0"),
            (
                "UPDATE OF server_id, server_version, server_hash, server_mapping, verified, verified_at
                    ON entry_resource",
                "NEW.entry",
                "0",
            ),
        ],
    },
    Kind {
        name: "visit",
        is_history: false,
        table: "visit",
        key: ("id", "0"),
        text: "json_array(hex(t.key), t.puskesmas, t.posyandu, t.service_date, t.zone, t.day_ends_at, t.due_at,
            t.revision, t.entered_revision, t.emptied)",
        touched: &[("INSERT ON visit", "NEW.id", "0"), ("UPDATE ON visit", "NEW.id", "0")],
    },
    Kind {
        name: "row",
        is_history: false,
        table: "source_row",
        key: ("id", "0"),
        text: "json_array(t.source, t.file, hex(t.row_key), t.occurrence, hex(t.digest), hex(t.place_sealed),
            hex(t.place_mark), t.kind, t.standing, t.replaced, t.reason, t.visit, t.puskesmas, t.posyandu,
            t.counted_date, t.stamp, t.first_pass,
            (SELECT group_concat(json_array(r.id, r.visit, r.dataset, hex(r.record_key), hex(r.content_hash),
                hex(r.sealed), r.current), char(10) ORDER BY r.id) FROM record AS r WHERE r.source_row = t.id),
            (SELECT group_concat(json_array(i.id, i.severity, i.rule, hex(i.sealed)), char(10) ORDER BY i.id)
                FROM issue AS i WHERE i.source_row = t.id AND i.source_row IS NOT NULL))",
        touched: &[
            ("INSERT ON source_row", "NEW.id", "0"),
            // A reading that finds a row as it was only moves `last_pass`.
            ("UPDATE OF file ON source_row WHEN OLD.file <> NEW.file", "NEW.id", "0"),
            (
                "UPDATE OF digest, place_sealed, place_mark, kind, standing, replaced, reason, visit, puskesmas,
                    posyandu, counted_date, stamp ON source_row",
                "NEW.id",
                "0",
            ),
            ("INSERT ON record", "NEW.source_row", "0"),
            ("UPDATE ON record", "NEW.source_row", "0"),
            ("DELETE ON record", "OLD.source_row", "0"),
            ("INSERT ON issue WHEN NEW.source_row IS NOT NULL", "NEW.source_row", "0"),
            ("DELETE ON issue WHEN OLD.source_row IS NOT NULL", "OLD.source_row", "0"),
        ],
    },
    Kind {
        name: "pass",
        is_history: false,
        table: "pass",
        key: ("id", "0"),
        text: "json_array(t.source, t.file, t.day, t.started_at, t.finished_at, t.complete, t.read, t.new, t.changed,
            t.unchanged, t.issue, t.skipped, t.superseded, t.windowed)",
        touched: &[("INSERT ON pass", "NEW.id", "0"), ("UPDATE ON pass", "NEW.id", "0")],
    },
    Kind {
        name: "person",
        is_history: false,
        table: "person",
        key: ("id", "0"),
        text: "json_array(hex(t.identity), hex(t.sealed), (SELECT group_concat(a.kind || hex(a.key), char(10)
            ORDER BY a.kind, a.key) FROM person_alias AS a WHERE a.person = t.id))",
        touched: &[
            ("INSERT ON person", "NEW.id", "0"),
            ("UPDATE ON person", "NEW.id", "0"),
            ("INSERT ON person_alias", "NEW.person", "0"),
            ("DELETE ON person_alias", "OLD.person", "0"),
        ],
    },
    Kind {
        name: "taken",
        is_history: false,
        table: "taken_file",
        key: ("id", "0"),
        text: "json_array(t.source, hex(t.name_hash), hex(t.content_hash), hex(t.name_sealed), hex(t.stamp), t.seq,
            t.bytes, t.taken_at, t.version, t.day, t.outcome, hex(t.issue_sealed), t.lines, t.records, t.issue,
            t.skipped, t.accepted_at)",
        touched: &[("INSERT ON taken_file", "NEW.id", "0"), ("UPDATE ON taken_file", "NEW.id", "0")],
    },
];

/// Rows covered by one link, at most; a larger transaction gets several.
pub const LINK_MAX: i64 = 5_000;

impl Kind {
    /// The kind of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    fn on(&self) -> String {
        let (id, seq) = self.key;
        match seq {
            "0" => format!("t.{id} = j.value->>0"),
            seq => format!("t.{id} = j.value->>0 AND t.{seq} = j.value->>1"),
        }
    }
}

/// Texts made here of constants only; nothing from outside enters them.
fn own(text: String) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(text)
}

/// Lets a connection note what it touches from now on.
pub async fn watch(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    let mut text =
        "CREATE TEMP TABLE touched (kind TEXT NOT NULL, id INTEGER NOT NULL, seq INTEGER NOT NULL);".to_owned();
    for kind in &KINDS {
        for (number, (when, id, seq)) in kind.touched.iter().enumerate() {
            text.push_str(&format!(
                "CREATE TEMP TRIGGER touched_{}_{number} AFTER {when}
                 BEGIN INSERT INTO touched (kind, id, seq) VALUES ('{}', {id}, {seq}); END;",
                kind.name, kind.name
            ));
        }
    }
    sqlx::raw_sql(own(text)).execute(connection).await?;
    Ok(())
}

/// Whether everything that stands in the ledger is still to be chained.
pub async fn is_due(connection: &mut SqliteConnection) -> Result<bool, LedgerError> {
    let due: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE name = 'chain_due'").fetch_optional(connection).await?;
    Ok(due.is_some())
}

/// Notes everything that stands in the ledger as touched.
pub async fn touch_all(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM meta WHERE name = 'chain_due'").execute(&mut *connection).await?;
    for kind in &KINDS {
        let (id, seq) = kind.key;
        let text =
            format!("INSERT INTO touched (kind, id, seq) SELECT '{}', {id}, {seq} FROM {}", kind.name, kind.table);
        sqlx::query(own(text)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Kind, number of rows, and keys of the rows as a JSON list.
pub type Touched = (String, i64, String);

const TOUCHED: &str = "SELECT kind, count(*), json_group_array(json_array(id, seq) ORDER BY id, seq)
    FROM (SELECT DISTINCT kind, id, seq FROM touched WHERE (kind, id, seq) > (?1, ?2, ?3)
        ORDER BY kind, id, seq LIMIT ?4) GROUP BY kind ORDER BY kind";

/// What was touched, past a key: at most [`LINK_MAX`] rows.
pub async fn touched(
    connection: &mut SqliteConnection,
    (kind, id, seq): (&str, i64, i64),
) -> Result<Vec<Touched>, LedgerError> {
    let query = sqlx::query_as(TOUCHED).bind(kind).bind(id).bind(seq).bind(LINK_MAX);
    Ok(query.fetch_all(connection).await?)
}

/// Forgets what was touched.
pub async fn forget_touched(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM touched").execute(connection).await?;
    Ok(())
}

/// The text of history rows, and how many there are.
pub async fn history(connection: &mut SqliteConnection, kind: &Kind, keys: &str) -> Result<(String, i64), LedgerError> {
    let text = format!(
        "SELECT coalesce(group_concat({}, char(10) ORDER BY j.key), ''), count(*)
         FROM json_each(?1) AS j CROSS JOIN {} AS t ON {}",
        kind.text,
        kind.table,
        kind.on()
    );
    Ok(sqlx::query_as(own(text)).bind(keys).fetch_one(connection).await?)
}

/// The present state of things as text, in the order of the keys; what is gone is left out.
pub async fn states(
    connection: &mut SqliteConnection,
    kind: &Kind,
    keys: &str,
) -> Result<Vec<(i64, String)>, LedgerError> {
    let text = format!(
        "SELECT t.{}, {} FROM json_each(?1) AS j CROSS JOIN {} AS t ON {}",
        kind.key.0,
        kind.text,
        kind.table,
        kind.on()
    );
    Ok(sqlx::query_as(own(text)).bind(keys).fetch_all(connection).await?)
}

/// Ids past one, in order: a page of what a kind has.
pub async fn ids(
    connection: &mut SqliteConnection,
    kind: &Kind,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>, LedgerError> {
    let id = kind.key.0;
    let text = format!("SELECT {id} FROM {} WHERE {id} > ?1 ORDER BY {id} LIMIT ?2", kind.table);
    Ok(sqlx::query_scalar(own(text)).bind(after).bind(limit).fetch_all(connection).await?)
}

/// How many rows a kind has.
pub async fn number(connection: &mut SqliteConnection, kind: &Kind) -> Result<i64, LedgerError> {
    let text = format!("SELECT count(*) FROM {}", kind.table);
    Ok(sqlx::query_scalar(own(text)).fetch_one(connection).await?)
}

/// Keys as [`history`] and [`states`] take them.
pub fn keys_of(ids: &[i64]) -> Result<String, LedgerError> {
    json(&ids.iter().map(|id| (*id, 0)).collect::<Vec<_>>())
}

/// A link as it is stored.
#[derive(Debug, sqlx::FromRow)]
pub struct StoredLink {
    pub number: i64,
    pub at: i64,
    pub previous: Vec<u8>,
    pub size: i64,
    pub covers: String,
    pub code: Vec<u8>,
}

/// The end of the chain: its number and code.
pub async fn head(connection: &mut SqliteConnection) -> Result<Option<(i64, [u8; 32])>, LedgerError> {
    let head: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT number, code FROM chain ORDER BY number DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    head.map(|(number, code)| Ok((number, hash(code)?))).transpose()
}

/// The code of a link.
pub async fn code_of(connection: &mut SqliteConnection, number: i64) -> Result<Option<[u8; 32]>, LedgerError> {
    let code: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT code FROM chain WHERE number = ?1").bind(number).fetch_optional(connection).await?;
    code.map(hash).transpose()
}

/// Appends a link.
pub async fn append(connection: &mut SqliteConnection, link: &StoredLink) -> Result<(), LedgerError> {
    sqlx::query("INSERT INTO chain (number, at, previous, size, covers, code) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .bind(link.number)
        .bind(link.at)
        .bind(&link.previous)
        .bind(link.size)
        .bind(&link.covers)
        .bind(&link.code)
        .execute(connection)
        .await?;
    Ok(())
}

/// Links past a number, in order.
pub async fn links(connection: &mut SqliteConnection, after: i64, limit: i64) -> Result<Vec<StoredLink>, LedgerError> {
    Ok(sqlx::query_as(
        "SELECT number, at, previous, size, covers, code FROM chain WHERE number > ?1 ORDER BY number LIMIT ?2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}
