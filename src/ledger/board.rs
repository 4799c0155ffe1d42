//! What the dashboard reads: a day by place, the list of what waits for a person page by page, the parts of one visit,
//! and how the last answers were.
//!
//! It changes nothing, and no statement behind it reads the whole ledger: each goes along an index and stops early.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::account::Reach;
use super::attention::{CoverageLine, Subjects};
use super::entry::EntryId;
use super::reading::{Counts, Whereabouts, tallied};
use super::state::State;
use super::store::board::{self, StoredSeen};
use super::store::{count, date, time};
use super::{Ledger, LedgerError};

/// Who must act next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// The kader: a row must be corrected where it was written.
    Kader,
    /// The puskesmas: two sources contradict each other, a person is not known, or the content was refused.
    Puskesmas,
    /// Whoever keeps the mapping: it refused the visit.
    Mapping,
    /// Whoever keeps the gateway: no answer of the platform helped.
    Platform,
}

impl Actor {
    /// All, in the order of lists.
    pub const ALL: [Self; 4] = [Self::Kader, Self::Puskesmas, Self::Mapping, Self::Platform];

    /// The word in addresses and statements.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kader => "kader",
            Self::Puskesmas => "puskesmas",
            Self::Mapping => "mapping",
            Self::Platform => "platform",
        }
    }

    /// The actor for its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|actor| actor.word() == word)
    }
}

/// Which part of the work list is meant; `None` means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkFilter {
    /// Puskesmas and posyandu.
    pub place: Reach,
    /// First date.
    pub from: Option<Date>,
    /// Last date.
    pub to: Option<Date>,
    /// Who must act.
    pub actor: Option<Actor>,
    /// A rule, or the word a blocked visit waits for.
    pub rule: Option<String>,
}

/// Where a page of the work list ends: the last row and the last visit that stand on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Date and number of the last row.
    pub row: (Date, i64),
    /// End of the day, and number, of the last visit.
    pub entry: (Timestamp, i64),
}

impl Default for Mark {
    fn default() -> Self {
        Self { row: (Date::MAX, i64::MAX), entry: (Timestamp::MAX, i64::MAX) }
    }
}

/// A page of the work list, the newest day first.
#[derive(Clone, Debug, Default)]
pub struct WorkPage {
    /// Who stands on it, for [`Ledger::look_at`]: rows first, then visits.
    pub subjects: Subjects,
    /// Who must act on each of them, in the same order.
    pub actors: Vec<Actor>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Mark>,
}

/// A resource of an entry and what reading it back showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSeen {
    /// Position in the entry, from 0.
    pub position: u32,
    /// Resource type.
    pub resource_type: String,
    /// Value of its business identifier (a keyed hash).
    pub identifier: String,
    /// Id at the server.
    pub server_id: Option<String>,
    /// Version at the server.
    pub server_version: Option<String>,
    /// The mapping that made what the server holds.
    pub server_mapping: Option<String>,
    /// The server holds this very content, as far as is known.
    pub is_current: bool,
    /// The version before had it with this very content; `None` when the version before did not have it at all.
    pub is_as_before: Option<bool>,
    /// What reading back showed, as a word, and when.
    pub verified: Option<(String, Timestamp)>,
}

/// One version of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionLine {
    /// Its entry.
    pub entry: EntryId,
    /// Version of the visit, from 1.
    pub version: u32,
    /// Where it stands.
    pub state: State,
    /// The mapping that made it.
    pub mapping_version: String,
    /// When it was entered.
    pub created_at: Timestamp,
}

/// How one answer of the platform was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerSeen {
    /// Class of the answer.
    pub class: String,
    /// How long it took.
    pub duration: Duration,
    /// When it came.
    pub at: Timestamp,
}

impl Ledger {
    /// Where the rows of one day stand, by place.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn day_counts(&self, day: Date, place: &Reach) -> Result<BTreeMap<Whereabouts, Counts>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        tallied(board::counts(&mut reader, day, place).await?)
    }

    /// Visits of one day that are to be sent and those accepted, by posyandu.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn day_coverage(&self, day: Date, place: &Reach) -> Result<Vec<CoverageLine>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        board::coverage(&mut reader, day, place).await?.into_iter().map(CoverageLine::from_stored).collect()
    }

    /// A page of what waits for a person, after the end of another page.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn work_page(&self, filter: &WorkFilter, after: Mark, number: u32) -> Result<WorkPage, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let asked = number.saturating_add(1);
        let rows = board::work_rows(&mut reader, filter, after.row, asked).await?;
        let entries = board::work_entries(&mut reader, filter, after.entry, asked).await?;
        drop(reader);
        let (mut page, mut mark) = (WorkPage::default(), after);
        let (mut rows, mut entries) = (rows.into_iter().peekable(), entries.into_iter().peekable());
        let (mut row_ids, mut entry_ids) = (Vec::new(), Vec::new());
        for _ in 0..number {
            let is_row = match (rows.peek(), entries.peek()) {
                (None, None) => break,
                (Some(row), Some(entry)) => row.day >= entry.day,
                (row, _) => row.is_some(),
            };
            let Some(next) = (if is_row { rows.next() } else { entries.next() }) else { break };
            let actor = Actor::from_word(&next.actor).ok_or(LedgerError::Spoiled("actor"))?;
            if is_row {
                mark.row = (date(&next.day)?, next.id);
                row_ids.push((next.id, actor));
            } else {
                mark.entry = (time(next.ends)?, next.id);
                entry_ids.push((-next.id, actor));
            }
        }
        page.next = (rows.peek().is_some() || entries.peek().is_some()).then_some(mark);
        let all = row_ids.into_iter().chain(entry_ids);
        let (ids, actors): (Vec<i64>, Vec<Actor>) = all.unzip();
        (page.subjects, page.actors) = (Subjects::of(ids), actors);
        Ok(page)
    }

    /// The resources of an entry as they stand at the server, as far as is known.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn resources_seen(&self, entry: EntryId) -> Result<Vec<ResourceSeen>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        board::resources(&mut reader, entry.0).await?.into_iter().map(seen).collect()
    }

    /// All versions of the visit of an entry, the oldest first.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn versions(&self, entry: EntryId) -> Result<Vec<VersionLine>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = board::versions(&mut reader, entry.0).await?.into_iter();
        let line = |(id, version, state, mapping_version, created_at): (i64, i64, String, String, i64)| {
            Ok(VersionLine {
                entry: EntryId(id),
                version: count(version)?,
                state: State::from_word(&state).ok_or(LedgerError::Spoiled("state"))?,
                mapping_version,
                created_at: time(created_at)?,
            })
        };
        stored.map(line).collect()
    }

    /// The last answers of the platform since an instant, at most `limit`, the newest first.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn answers_since(&self, since: Timestamp, limit: u32) -> Result<Vec<AnswerSeen>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = board::answers(&mut reader, since.as_millisecond(), limit).await?.into_iter();
        let one = |(class, duration, at): (String, i64, i64)| {
            Ok(AnswerSeen { class, duration: Duration::from_millis(count(duration)?), at: time(at)? })
        };
        stored.map(one).collect()
    }
}

fn seen(stored: StoredSeen) -> Result<ResourceSeen, LedgerError> {
    let verified = match (stored.verified, stored.verified_at) {
        (Some(word), Some(at)) => Some((word, time(at)?)),
        _ => None,
    };
    Ok(ResourceSeen {
        position: count(stored.position)?,
        resource_type: stored.resource_type,
        identifier: stored.identifier_value,
        server_id: stored.server_id,
        server_version: stored.server_version,
        server_mapping: stored.server_mapping,
        is_current: stored.is_current == 1,
        is_as_before: stored.as_before.map(|as_before| as_before == 1),
        verified,
    })
}
