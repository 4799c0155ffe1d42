//! Discrepancies as statements: what a comparison opens and closes, what the ledger alone shows, and waivers.
//!
//! It must not judge: classes, causes and the table of owners are handed in. Each change of state leaves one event.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use super::json;
use super::link::Link;
use super::lists::narrowed;
use crate::ledger::LedgerError;
use crate::ledger::discrepancy::page::LiveFilter;
use crate::ledger::discrepancy::{Class, Owner};
use crate::ledger::entry::EntryId;
use crate::ledger::reading::Filter;

/// What changes.
#[derive(Debug)]
pub enum Change {
    /// What the ledger alone shows is opened and closed.
    Refresh { stuck_before: Timestamp, changed_before: Timestamp, rules: Vec<Rule> },
    /// Something was compared with the server.
    Compared(Compared),
    /// A person waives.
    Waive { numbers: Vec<i64>, command: String, reason_sealed: Vec<u8> },
}

/// Who must act, by class and cause.
#[derive(Debug, Serialize)]
pub struct Rule {
    pub class: &'static str,
    pub cause: &'static str,
    pub owner: &'static str,
}

/// What a comparison looked at and found.
#[derive(Debug, Default)]
pub struct Compared {
    pub looked: Vec<String>,
    pub classes: Vec<&'static str>,
    pub found: Vec<FoundRow>,
    pub closing: String,
    pub person: Option<String>,
}

/// One discrepancy that was found.
#[derive(Debug, Serialize)]
pub struct FoundRow {
    pub class: &'static str,
    pub thing: String,
    pub entry: Option<i64>,
    pub puskesmas: String,
    pub posyandu: String,
    pub date: String,
    pub cause: &'static str,
    pub owner: &'static str,
    pub evidence: String,
}

/// A discrepancy as it comes back.
#[derive(Debug, FromRow)]
pub struct StoredDiscrepancy {
    pub id: i64,
    pub class: String,
    pub thing: String,
    pub puskesmas: String,
    pub posyandu: String,
    pub service_date: String,
    pub cause: String,
    pub owner: String,
    pub evidence: String,
    pub state: String,
    pub first_seen_at: i64,
    pub last_seen_at: i64,
    pub changed_at: i64,
    pub command: Option<String>,
    pub reason_sealed: Option<Vec<u8>>,
    pub entry: Option<i64>,
}

/// Found again: seen last now. What was waived is open again once something else is seen.
macro_rules! or_again {
    ($statement:expr) => {
        concat!(
            $statement,
            " ON CONFLICT (thing, class) WHERE state <> 'closed' DO UPDATE SET last_seen_at = excluded.last_seen_at,
                cause = excluded.cause, owner = excluded.owner, evidence = excluded.evidence,
                seq = discrepancy.seq + CASE WHEN discrepancy.state = 'waived'
                    AND discrepancy.evidence <> excluded.evidence THEN 1 ELSE 0 END,
                changed_at = CASE WHEN discrepancy.state = 'waived' AND discrepancy.evidence <> excluded.evidence
                    THEN excluded.changed_at ELSE discrepancy.changed_at END,
                state = CASE WHEN discrepancy.state = 'waived' AND discrepancy.evidence <> excluded.evidence
                    THEN 'open' ELSE discrepancy.state END"
        )
    };
}

const OPEN: &str = or_again!(
    "INSERT INTO discrepancy (class, thing, visit, puskesmas, posyandu, service_date, cause, owner, evidence, state,
        seq, first_seen_at, last_seen_at, changed_at)
    SELECT j.class, j.thing, (SELECT entry.visit FROM entry WHERE entry.id = j.entry), j.puskesmas, j.posyandu, j.date,
        j.cause, j.owner, j.evidence, 'open', 1, ?2, ?2, ?2
    FROM {?1: class text, thing text, entry int, puskesmas text, posyandu text, date text, cause text, owner text,
        evidence text} AS j WHERE 1 = 1"
);

const CLOSE: &str = "UPDATE discrepancy SET state = 'closed', evidence = ?4, seq = seq + 1, changed_at = ?5
    WHERE state <> 'closed' AND thing IN (SELECT j.value FROM {?1: text} AS j)
        AND class IN (SELECT k.value FROM {?2: text} AS k)
        AND NOT EXISTS (SELECT 1 FROM {?3: class text, thing text} AS f
            WHERE f.class = discrepancy.class AND f.thing = discrepancy.thing)";

/// Every change of state of this moment that has no event yet.
const RECORD: &str = "INSERT INTO discrepancy_event (discrepancy, seq, state, evidence, at)
    SELECT id, seq, state, evidence, ?1 FROM discrepancy WHERE changed_at = ?1 AND state <> 'waived'
        AND NOT EXISTS (SELECT 1 FROM discrepancy_event AS known
            WHERE known.discrepancy = discrepancy.id AND known.seq = discrepancy.seq)";

const REMEMBER_PERSON: &str = "INSERT INTO visit_person (visit, server_id)
    SELECT entry.visit, ?2 FROM entry WHERE entry.id = ?1
    ON CONFLICT (visit) DO UPDATE SET server_id = excluded.server_id
    WHERE visit_person.server_id <> excluded.server_id";

/// The server holds something of the visit of this `entry`.
macro_rules! at_server {
    () => {
        "EXISTS (SELECT 1 FROM entry AS own CROSS JOIN entry_resource AS held ON held.entry = own.id
            WHERE own.visit = entry.visit AND held.server_id IS NOT NULL)"
    };
}

/// What the ledger alone shows. ?1: created before, for corrections; ?2: the same for what is stuck.
macro_rules! shown {
    () => {
        concat!(
            "SELECT CASE WHEN entry.version > 1 AND ", at_server!(), " THEN 'changed_in_source'
                    WHEN entry.state = 'blocked' THEN 'blocked' ELSE 'refused' END AS class,
                'visit/' || entry.visit AS thing, entry.visit AS visit,
                CASE WHEN entry.state = 'refused' AND entry.mapping_refused = 1 THEN 'data'
                    WHEN entry.state = 'refused' THEN 'server_refused'
                    WHEN entry.state = 'exhausted' THEN 'exhausted'
                    WHEN entry.state = 'blocked' AND entry.blocked_on NOT IN ('predecessor', 'resource') THEN 'person'
                    ELSE 'waits' END AS cause,
                'entry ' || entry.id || ' ' || entry.state AS evidence
            FROM entry JOIN visit AS whole ON whole.id = entry.visit AND whole.emptied = 0
            WHERE ((entry.version > 1 AND entry.created_at <= ?1
                    AND entry.state IN ('pending', 'blocked', 'in_flight', 'unknown', 'refused', 'exhausted')
                    AND ", at_server!(), ")
                OR (entry.created_at <= ?2 AND entry.state IN ('refused', 'exhausted', 'blocked')))
                AND NOT EXISTS (SELECT 1 FROM entry AS newer WHERE newer.visit = entry.visit
                    AND newer.version > entry.version AND newer.state <> 'superseded')
            UNION ALL SELECT 'gone_from_source', removal.resource_type || '/' || removal.server_id, removal.visit,
                CASE removal.state WHEN 'proposed' THEN 'decide' WHEN 'confirmed' THEN 'waits'
                    WHEN 'refused' THEN 'server_refused' ELSE 'rejected' END,
                'removal ' || removal.state
            FROM removal WHERE removal.state IN ('proposed', 'confirmed', 'refused', 'rejected')"
        )
    };
}

const OPEN_SHOWN: &str = or_again!(concat!(
    "INSERT INTO discrepancy (class, thing, visit, puskesmas, posyandu, service_date, cause, owner, evidence, state,
        seq, first_seen_at, last_seen_at, changed_at)
    SELECT shown.class, shown.thing, shown.visit, visit.puskesmas, visit.posyandu, visit.service_date, shown.cause,
        j.owner, shown.evidence, 'open', 1, ?4, ?4, ?4
    FROM (",
    shown!(),
    ") AS shown JOIN visit ON visit.id = shown.visit
    JOIN {?3: class text, cause text, owner text} AS j ON j.class = shown.class AND j.cause = shown.cause WHERE 1 = 1"
));

const CLOSE_SHOWN: &str = concat!(
    "UPDATE discrepancy SET state = 'closed', seq = seq + 1, changed_at = ?3,
        evidence = coalesce(CASE class WHEN 'gone_from_source'
            THEN (SELECT 'removal ' || gone.state FROM removal AS gone WHERE gone.visit = discrepancy.visit
                AND gone.resource_type || '/' || gone.server_id = discrepancy.thing)
            ELSE (SELECT 'entry ' || last.id || ' ' || last.state FROM entry AS last
                WHERE last.visit = discrepancy.visit ORDER BY last.version DESC LIMIT 1) END, 'no longer so')
    WHERE state <> 'closed' AND class IN ('changed_in_source', 'gone_from_source', 'refused', 'blocked')
        AND NOT EXISTS (SELECT 1 FROM (",
    shown!(),
    ") AS shown WHERE shown.class = discrepancy.class AND shown.thing = discrepancy.thing)"
);

/// What the visit holds no more cannot be compared: a removal, if any, tells of it.
const CLOSE_LEFT: &str = "UPDATE discrepancy SET state = 'closed', seq = seq + 1, changed_at = ?1,
        evidence = 'the visit holds it no more'
    WHERE state <> 'closed' AND class IN ('missing_at_server', 'different_at_server', 'wrong_person')
        AND NOT EXISTS (SELECT 1 FROM entry JOIN entry_resource AS held ON held.entry = entry.id
            WHERE entry.visit = discrepancy.visit AND entry.state <> 'superseded'
                AND held.resource_type || '/' || held.server_id = discrepancy.thing)";

/// That a resource stays at the server was decided with the removal.
const WAIVE_REJECTED: &str = "UPDATE discrepancy SET state = 'waived', seq = seq + 1, changed_at = ?1
    WHERE state = 'open' AND class = 'gone_from_source' AND cause = 'rejected'";
const RECORD_REJECTED: &str = "INSERT INTO discrepancy_event (discrepancy, seq, state, evidence, command, at)
    SELECT discrepancy.id, discrepancy.seq, 'waived', discrepancy.evidence, coalesce(
            (SELECT decision.command FROM removal JOIN removal_decision AS decision ON decision.removal = removal.id
            WHERE removal.visit = discrepancy.visit
                AND removal.resource_type || '/' || removal.server_id = discrepancy.thing
            ORDER BY decision.id DESC LIMIT 1), 'removal'), ?1
    FROM discrepancy WHERE changed_at = ?1 AND state = 'waived' AND class = 'gone_from_source'
        AND NOT EXISTS (SELECT 1 FROM discrepancy_event AS known
            WHERE known.discrepancy = discrepancy.id AND known.seq = discrepancy.seq)";

/// Makes a change; gives how many discrepancies it touched.
pub async fn change(link: &mut Link, change: &Change, now: Timestamp) -> Result<i64, LedgerError> {
    match change {
        Change::Refresh { stuck_before, changed_before, rules } => {
            refresh(link, *stuck_before, *changed_before, rules, now).await
        }
        Change::Compared(compared) => settle(link, compared, now).await,
        Change::Waive { numbers, command, reason_sealed } => waive(link, numbers, command, reason_sealed, now).await,
    }
}

async fn refresh(
    link: &mut Link,
    stuck_before: Timestamp,
    changed_before: Timestamp,
    rules: &[Rule],
    now: Timestamp,
) -> Result<i64, LedgerError> {
    let moment = now.as_millisecond();
    let (changed, stuck) = (changed_before.as_millisecond(), stuck_before.as_millisecond());
    // Something found at an audit is not closed because it is still young.
    let mut done = link.execute(CLOSE_SHOWN, values![i64::MAX, i64::MAX, moment]).await?;
    done += link.execute(CLOSE_LEFT, values![moment]).await?;
    link.execute(RECORD, values![moment]).await?;
    done += link.execute(OPEN_SHOWN, values![changed, stuck, json(rules)?, moment]).await?;
    link.execute(RECORD, values![moment]).await?;
    link.execute(WAIVE_REJECTED, values![moment]).await?;
    link.execute(RECORD_REJECTED, values![moment]).await?;
    Ok(i64::try_from(done).unwrap_or(i64::MAX))
}

/// Stores what comparing a delivered entry showed.
pub async fn compared(link: &mut Link, entry: EntryId, compared: &Compared, now: Timestamp) -> Result<(), LedgerError> {
    if let Some(person) = &compared.person {
        link.execute(REMEMBER_PERSON, values![entry.0, person]).await?;
    }
    settle(link, compared, now).await.map(drop)
}

async fn settle(link: &mut Link, compared: &Compared, now: Timestamp) -> Result<i64, LedgerError> {
    if compared.looked.is_empty() && compared.found.is_empty() {
        return Ok(0);
    }
    let (moment, found) = (now.as_millisecond(), json(&compared.found)?);
    let lists = [json(&compared.looked)?, json(&compared.classes)?, found.clone()];
    let [looked, classes, but] = lists;
    let mut done = link.execute(CLOSE, values![looked, classes, but, &compared.closing, moment]).await?;
    if !compared.found.is_empty() {
        done += link.execute(OPEN, values![found, moment]).await?;
    }
    if done > 0 {
        link.execute(RECORD, values![moment]).await?;
    }
    Ok(i64::try_from(done).unwrap_or(i64::MAX))
}

async fn waive(
    link: &mut Link,
    numbers: &[i64],
    command: &str,
    reason_sealed: &[u8],
    now: Timestamp,
) -> Result<i64, LedgerError> {
    let statement = "SELECT discrepancy FROM discrepancy_event WHERE command = ?1 AND reason_sealed IS NOT NULL";
    let known: Vec<i64> = link.column(statement, values![command]).await?;
    if !known.is_empty() {
        // The same command again is the same decision; the same id for another one is a mistake.
        let is_same = known.iter().all(|number| numbers.contains(number));
        return if is_same { Ok(known.len() as i64) } else { Err(LedgerError::CommandUsed) };
    }
    let list = json(numbers)?;
    let insert = "INSERT INTO discrepancy_event (discrepancy, seq, state, evidence, command, reason_sealed, at)
        SELECT id, seq + 1, 'waived', evidence, ?2, ?3, ?4 FROM discrepancy
        WHERE state = 'open' AND id IN (SELECT j.value FROM {?1: int} AS j)";
    link.execute(insert, values![&list, command, reason_sealed, now.as_millisecond()]).await?;
    let update = "UPDATE discrepancy SET state = 'waived', seq = seq + 1, changed_at = ?2
        WHERE state = 'open' AND id IN (SELECT j.value FROM {?1: int} AS j)";
    let done = link.execute(update, values![list, now.as_millisecond()]).await?;
    Ok(i64::try_from(done).unwrap_or(i64::MAX))
}

/// Discrepancies with the waiver that holds, and the newest entry of the visit.
macro_rules! listed {
    ($rest:literal) => {
        concat!(
            "SELECT discrepancy.id, discrepancy.class, discrepancy.thing, discrepancy.puskesmas,
                discrepancy.posyandu, discrepancy.service_date, discrepancy.cause, discrepancy.owner,
                discrepancy.evidence, discrepancy.state, discrepancy.first_seen_at, discrepancy.last_seen_at,
                discrepancy.changed_at, last.command, last.reason_sealed,
                (SELECT max(entry.id) FROM entry WHERE entry.visit = discrepancy.visit) AS entry
            FROM discrepancy JOIN discrepancy_event AS last
                ON last.discrepancy = discrepancy.id AND last.seq = discrepancy.seq ",
            $rest
        )
    };
}

const LIST: &str = listed!(
    "WHERE (?1 IS NULL OR discrepancy.service_date >= ?1) AND (?2 IS NULL OR discrepancy.service_date <= ?2)
        AND (?3 IS NULL OR discrepancy.puskesmas = ?3) AND (?4 IS NULL OR discrepancy.posyandu = ?4)
        AND (discrepancy.state = 'open' OR ?5 = 1)
    ORDER BY discrepancy.owner, discrepancy.puskesmas, discrepancy.posyandu, discrepancy.first_seen_at, discrepancy.id
    LIMIT ?6"
);

/// Open or waived ones after a moment and number, the oldest first.
const LIVE: &str = listed!(
    "WHERE discrepancy.state <> 'closed' AND (?1 IS NULL OR discrepancy.puskesmas = ?1)
        AND (?2 IS NULL OR discrepancy.posyandu = ?2) AND (?3 IS NULL OR discrepancy.class = ?3)
        AND (?4 IS NULL OR discrepancy.owner = ?4) AND discrepancy.state = ?5
        AND discrepancy.first_seen_at <= ?6
        AND (discrepancy.first_seen_at, discrepancy.id) > (?7, ?8)
    ORDER BY discrepancy.first_seen_at, discrepancy.id LIMIT ?9"
);

/// A page of [`LIVE`].
pub async fn live(link: &mut Link, filter: &LiveFilter, limit: u32) -> Result<Vec<StoredDiscrepancy>, LedgerError> {
    let (class, owner) = (filter.class.map(Class::word), filter.owner.map(Owner::word));
    let (seen, number) = filter.after.map_or((i64::MIN, 0), |(seen, number)| (seen.as_millisecond(), number));
    let before = filter.seen_before.map_or(i64::MAX, Timestamp::as_millisecond);
    let place = &filter.place;
    let values = values![
        &place.puskesmas,
        &place.posyandu,
        class,
        owner,
        filter.standing.word(),
        before,
        seen,
        number,
        i64::from(limit)
    ];
    Ok(link.all(LIVE, values).await?)
}

/// The one of a number.
pub async fn one(link: &mut Link, number: i64) -> Result<Option<StoredDiscrepancy>, LedgerError> {
    Ok(link.all(listed!("WHERE discrepancy.id = ?1"), values![number]).await?.pop())
}

/// Those of the visit of an entry that are not settled.
pub async fn of_entry(link: &mut Link, entry: i64) -> Result<Vec<StoredDiscrepancy>, LedgerError> {
    let statement = listed!(
        "WHERE discrepancy.state <> 'closed' AND discrepancy.thing IN (SELECT 'visit/' || own.visit FROM entry AS own WHERE own.id = ?1
            UNION SELECT held.resource_type || '/' || held.server_id FROM entry AS own
            JOIN entry AS any_version ON any_version.visit = own.visit
            JOIN entry_resource AS held ON held.entry = any_version.id
            WHERE own.id = ?1 AND held.server_id IS NOT NULL)
        ORDER BY discrepancy.first_seen_at, discrepancy.id"
    );
    Ok(link.all(statement, values![entry]).await?)
}

/// Discrepancies sorted by who must act; the open ones, or with `settled` all.
pub async fn list(
    link: &mut Link,
    filter: &Filter,
    settled: bool,
    limit: u32,
) -> Result<Vec<StoredDiscrepancy>, LedgerError> {
    let mut values = narrowed(filter);
    values.extend(values![settled, i64::from(limit)]);
    Ok(link.all(LIST, values).await?)
}

const COUNTS: &str = "SELECT class, owner, state, count(*) FROM discrepancy
    WHERE state <> 'closed' AND (?1 IS NULL OR service_date >= ?1) AND (?2 IS NULL OR service_date <= ?2)
        AND (?3 IS NULL OR puskesmas = ?3) AND (?4 IS NULL OR posyandu = ?4)
    GROUP BY class, owner, state ORDER BY class, owner, state";

/// How many are open or waived, by class and owner.
pub async fn counts(link: &mut Link, filter: &Filter) -> Result<Vec<(String, String, String, i64)>, LedgerError> {
    Ok(link.all(COUNTS, narrowed(filter)).await?)
}
