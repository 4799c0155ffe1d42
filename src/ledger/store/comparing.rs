//! The questions behind comparing with the server. They only read.

use jiff::Timestamp;

use super::link::Link;
use super::lists::narrowed;
use crate::ledger::LedgerError;
use crate::ledger::entry::EntryId;
use crate::ledger::reading::Filter;

/// Along the index of what was not read, so that a part costs what stands in it and not all that waits to be read.
const UNREAD: &str = "SELECT DISTINCT resource.entry FROM entry_resource AS resource
        CROSS JOIN entry ON entry.id = resource.entry
    WHERE resource.verified_at IS NULL AND resource.server_id IS NOT NULL AND resource.entry > ?3
        AND entry.state = 'delivered' AND entry.lane = ?1 AND entry.completed_at <= ?2
        AND NOT EXISTS (SELECT 1 FROM removal
            WHERE removal.visit = entry.visit AND removal.whole_visit = 1 AND removal.state = 'done')
    ORDER BY resource.entry LIMIT ?4";

/// Entries of a lane past one that were delivered before a moment and never read back, in the order they were entered.
pub async fn unread(
    link: &mut Link,
    lane: &str,
    before: Timestamp,
    after: i64,
    limit: u32,
) -> Result<Vec<i64>, LedgerError> {
    Ok(link.column(UNREAD, values![lane, before.as_millisecond(), after, i64::from(limit)]).await?)
}

/// Whether something of a lane waits to be sent whose day still runs.
pub async fn today_waits(link: &mut Link, lane: &str, now: Timestamp) -> Result<bool, LedgerError> {
    let statement = "SELECT id FROM entry WHERE lane = ?1 AND state = 'pending' AND day_ends_at > ?2 AND due_at <= ?2
        LIMIT 1";
    let waiting: Option<i64> = link.first(statement, values![lane, now.as_millisecond()]).await?;
    Ok(waiting.is_some())
}

/// The person a visit was read back about.
pub async fn person(link: &mut Link, entry: EntryId) -> Result<Option<String>, LedgerError> {
    let statement = "SELECT visit_person.server_id FROM visit_person JOIN entry ON entry.visit = visit_person.visit
        WHERE entry.id = ?1";
    Ok(link.first(statement, values![entry.0]).await?)
}

/// `Type/ID` of everything that versions of an entry's visit put at the server.
pub async fn held_of_visit(link: &mut Link, entry: EntryId) -> Result<Vec<String>, LedgerError> {
    let statement = "SELECT DISTINCT held.resource_type || '/' || held.server_id
        FROM entry AS own JOIN entry ON entry.visit = own.visit JOIN entry_resource AS held ON held.entry = entry.id
        WHERE own.id = ?1 AND held.server_id IS NOT NULL";
    Ok(link.column(statement, values![entry.0]).await?)
}

/// Ids at the server of all Encounters of some days.
pub async fn encounters(link: &mut Link, filter: &Filter) -> Result<Vec<String>, LedgerError> {
    let statement = "SELECT DISTINCT held.server_id FROM visit JOIN entry ON entry.visit = visit.id
        JOIN entry_resource AS held ON held.entry = entry.id
        WHERE (?1 IS NULL OR visit.service_date >= ?1) AND (?2 IS NULL OR visit.service_date <= ?2)
            AND (?3 IS NULL OR visit.puskesmas = ?3) AND (?4 IS NULL OR visit.posyandu = ?4)
            AND held.resource_type = 'Encounter' AND held.server_id IS NOT NULL";
    Ok(link.column(statement, narrowed(filter)).await?)
}

const FRAME: &str = "SELECT entry.id, visit.puskesmas, visit.service_date,
        (SELECT count(*) FROM entry_resource AS held WHERE held.entry = entry.id),
        (SELECT count(DISTINCT kind.resource_type) FROM entry_resource AS kind WHERE kind.entry = entry.id)
    FROM visit JOIN entry ON entry.visit = visit.id
    WHERE entry.state = 'delivered'
        AND (?1 IS NULL OR visit.service_date >= ?1) AND (?2 IS NULL OR visit.service_date <= ?2)
        AND (?3 IS NULL OR visit.puskesmas = ?3) AND (?4 IS NULL OR visit.posyandu = ?4)
        AND NOT EXISTS (SELECT 1 FROM removal
            WHERE removal.visit = visit.id AND removal.whole_visit = 1 AND removal.state = 'done')
    ORDER BY entry.id";

/// Delivered entries of some days: number, puskesmas, date, resources, and types of resources.
pub async fn frame(link: &mut Link, filter: &Filter) -> Result<Vec<(i64, String, String, i64, i64)>, LedgerError> {
    Ok(link.all(FRAME, narrowed(filter)).await?)
}
