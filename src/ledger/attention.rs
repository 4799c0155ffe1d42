//! What people's lists show of rows and visits: who stands on them, and page by page what there is to say.
//!
//! A list is read in pages so that a report stays small however long it is. It changes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::attempt::AttemptId;
use super::delivery::attempt_context;
use super::entry::{EntryId, EntryLine};
use super::intake::{entry_context, issue_context};
use super::origin::Origin;
use super::reading::{Filter, line};
use super::registration::complaint_context;
use super::state::{Event, State};
use super::store::attention::{self, StoredRowIssue};
use super::store::settling::CONFLICT;
use super::store::{count, date, hash, hex, lists, registrations, time};
use super::{Ledger, LedgerError};
use crate::issue::{Code, Issue, Place};

/// A row with its issues.
#[derive(Clone, Debug)]
pub struct RowIssues {
    /// Where a person finds it.
    pub place: Place,
    /// Puskesmas, as far as known.
    pub puskesmas: Option<String>,
    /// Posyandu code, as far as known.
    pub posyandu: Option<String>,
    /// Service date, or the day of its first pass.
    pub date: Date,
    /// The row is not used until a person corrects it; without this it only has warnings.
    pub is_open: bool,
    /// Its issues.
    pub issues: Vec<Issue>,
}

/// Which list is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Rows and visits that need a person.
    Work,
    /// Rows that are used and have something worth a look, and visits whose mapping found something.
    Warnings,
}

/// Who stands on a list, in the order of puskesmas, posyandu, file and reading. Eight bytes each.
#[derive(Clone, Debug, Default)]
pub struct Subjects(Vec<i64>);

impl Subjects {
    pub(super) fn of(numbers: Vec<i64>) -> Self {
        Self(numbers)
    }

    /// Parts of at most `number`, in order.
    pub fn pages(&self, number: usize) -> impl Iterator<Item = Page<'_>> {
        self.0.chunks(number.max(1)).map(Page)
    }
}

/// A part of [`Subjects`].
#[derive(Clone, Copy, Debug)]
pub struct Page<'a>(&'a [i64]);

/// A visit that needs a person, with everything that may say why.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Its entry.
    pub line: EntryLine,
    /// The rows that feed it, in the order they were read.
    pub origins: Vec<Origin>,
    /// The mapping's complaints.
    pub issues: Vec<Issue>,
    /// What happened last; `None` when nothing did since it was entered.
    pub last_event: Option<Event>,
    /// Complaints of the last answer that had some.
    pub answered: Vec<Issue>,
    /// Why it is blocked, as far as more is known than the word, and since when that is known.
    pub complained: Option<(Timestamp, Vec<Issue>)>,
}

/// Visits of one posyandu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageLine {
    /// The puskesmas.
    pub puskesmas: String,
    /// Code of the posyandu.
    pub posyandu: String,
    /// Visits that are to be sent.
    pub visits: u64,
    /// Accepted.
    pub accepted: u64,
    /// Accepted before their service date ended.
    pub same_day: u64,
}

impl CoverageLine {
    pub(super) fn from_stored(line: (String, String, i64, i64, i64)) -> Result<Self, LedgerError> {
        let (puskesmas, posyandu, visits, accepted, same_day) = line;
        let (visits, accepted, same_day) = (count(visits)?, count(accepted)?, count(same_day)?);
        Ok(Self { puskesmas, posyandu, visits, accepted, same_day })
    }
}

impl Ledger {
    /// Rows that need a person, oldest date first; with `warnings` also those that only have warnings.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn row_issues(&self, filter: &Filter, warnings: bool, limit: u32) -> Result<Vec<RowIssues>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = attention::open_rows(&mut reader, filter, warnings, limit).await?;
        drop(reader);
        self.open_rows(stored)
    }

    /// Who stands on a list.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn subjects(&self, filter: &Filter, list: List) -> Result<Subjects, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        Ok(Subjects(attention::subjects(&mut reader, filter, list == List::Work).await?))
    }

    /// What there is to say about a page: its rows, then its visits.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn look_at(&self, page: Page<'_>) -> Result<(Vec<RowIssues>, Vec<Trouble>), LedgerError> {
        let rows: Vec<i64> = page.0.iter().copied().filter(|subject| *subject > 0).collect();
        let entries: Vec<i64> = page.0.iter().filter(|subject| **subject < 0).map(|subject| -subject).collect();
        let mut reader = self.readers.acquire().await?;
        let stored = attention::rows(&mut reader, &rows).await?;
        drop(reader);
        Ok((self.open_rows(stored)?, self.troubles(&entries).await?))
    }

    /// Visits whose day ended before they were accepted: how many, and the first of them by place and date with the
    /// rows that feed them.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn late(
        &self,
        filter: &Filter,
        now: Timestamp,
        limit: usize,
    ) -> Result<(u64, Vec<(EntryLine, Vec<Origin>)>), LedgerError> {
        /// Visits looked up at once.
        const PAGE: usize = 500;
        let mut reader = self.readers.acquire().await?;
        let (number, ids) = attention::late(&mut reader, filter, now.as_millisecond(), limit).await?;
        drop(reader);
        let mut all = Vec::with_capacity(ids.len());
        for ids in ids.chunks(PAGE) {
            all.extend(self.lines_with_origins(ids).await?);
        }
        Ok((count(number)?, all))
    }

    /// Visits to be sent and those accepted, by posyandu.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn coverage(&self, filter: &Filter) -> Result<Vec<CoverageLine>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let lines = attention::coverage(&mut reader, filter).await?;
        lines.into_iter().map(CoverageLine::from_stored).collect()
    }

    fn open_rows(&self, stored: Vec<StoredRowIssue>) -> Result<Vec<RowIssues>, LedgerError> {
        let mut rows: Vec<(i64, RowIssues)> = Vec::new();
        for line in stored {
            if rows.last().is_none_or(|(id, _)| *id != line.id) {
                rows.push((line.id, self.open_row(&line)?));
            }
            let Some((_, row)) = rows.last_mut() else { continue };
            if let Some(sealed) = &line.issue_sealed {
                row.issues.push(self.open_row_issue(&line.row_key, sealed, &row.place)?);
            }
        }
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn open_row(&self, line: &StoredRowIssue) -> Result<RowIssues, LedgerError> {
        let place = self.open_place(&line.source, &line.row_key, &line.place_sealed)?;
        let mut issues = Vec::new();
        if line.standing == "conflict" {
            let issue = Issue::error(Code::Conflict, CONFLICT)
                .with("sumber_lain", line.other_source.as_deref().unwrap_or_default())
                .with("berkas_lain", line.other_file.as_deref().unwrap_or_default());
            issues.push(issue.at(place.clone()));
        }
        Ok(RowIssues {
            place,
            puskesmas: line.puskesmas.clone(),
            posyandu: line.posyandu.clone(),
            date: date(&line.counted_date)?,
            is_open: line.kind == "issue" || line.standing == "conflict",
            issues,
        })
    }

    /// An issue keeps its column, but stands wherever its row stands now.
    fn open_row_issue(&self, row_key: &[u8], sealed: &[u8], row: &Place) -> Result<Issue, LedgerError> {
        let mut issue: Issue = self.open_json(&issue_context(&hex(row_key)), sealed)?;
        let column = issue.place.take().and_then(|place| place.column);
        issue.place = Some(Place { column, ..row.clone() });
        Ok(issue)
    }

    fn open_json<T: serde::de::DeserializeOwned>(&self, context: &str, sealed: &[u8]) -> Result<T, LedgerError> {
        let plain = self.keys.open(context, sealed)?;
        serde_json::from_slice(&plain).map_err(|_| LedgerError::Spoiled("issue"))
    }

    async fn complaints(&self, ids: &[i64]) -> Result<BTreeMap<i64, (Timestamp, Vec<Issue>)>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = registrations::complaints(&mut reader, ids).await?;
        drop(reader);
        let open = |(id, at, sealed): (i64, i64, Vec<u8>)| {
            Ok((id, (time(at)?, self.open_json(&complaint_context(id), &sealed)?)))
        };
        stored.into_iter().map(open).collect()
    }

    /// Why blocked visits are blocked, as far as more is known than the word, and since when that is known.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn blocked_complaints(
        &self,
        filter: &Filter,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Vec<Issue>)>, LedgerError> {
        let lines = self.entries(filter, &[State::Blocked], limit).await?;
        let ids: Vec<i64> = lines.iter().map(|line| line.entry_id.0).collect();
        Ok(self.complaints(&ids).await?.into_values().collect())
    }

    async fn lines_with_origins(&self, ids: &[i64]) -> Result<Vec<(EntryLine, Vec<Origin>)>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = lists::lines(&mut reader, ids).await?;
        drop(reader);
        let entries: Vec<EntryId> = ids.iter().map(|id| EntryId(*id)).collect();
        let mut origins = self.rows_of_entries(&entries).await?;
        let with = |stored| {
            let line = line(stored)?;
            let own = origins.remove(&line.visit_key).unwrap_or_default();
            Ok((line, own))
        };
        stored.into_iter().map(with).collect()
    }

    async fn troubles(&self, ids: &[i64]) -> Result<Vec<Trouble>, LedgerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut reader = self.readers.acquire().await?;
        let contents: BTreeMap<i64, Vec<u8>> =
            lists::lines(&mut reader, ids).await?.into_iter().map(|line| (line.id, line.content_hash)).collect();
        let issues = attention::entry_issues(&mut reader, ids).await?;
        let events = attention::last_events(&mut reader, ids).await?;
        let answers = attention::answers(&mut reader, ids).await?;
        drop(reader);
        let mut complaints = self.complaints(ids).await?;
        let mut troubles: BTreeMap<i64, Trouble> = BTreeMap::new();
        for (line, origins) in self.lines_with_origins(ids).await? {
            let id = line.entry_id.0;
            let (issues, last_event, answered, complained) = (Vec::new(), None, Vec::new(), complaints.remove(&id));
            troubles.insert(id, Trouble { line, origins, issues, last_event, answered, complained });
        }
        for (id, sealed) in issues {
            let (Some(trouble), Some(content)) = (troubles.get_mut(&id), contents.get(&id)) else { continue };
            let context = format!("issue/{}", entry_context(&trouble.line.visit_key, &hash(content.clone())?));
            trouble.issues.push(self.open_json(&context, &sealed)?);
        }
        for (id, event) in events {
            // The entering itself is no event of the machine.
            let Some(trouble) = troubles.get_mut(&id) else { continue };
            trouble.last_event = serde_json::from_str(&event).ok();
        }
        for (id, attempt, sealed) in answers {
            let Some(trouble) = troubles.get_mut(&id).filter(|trouble| trouble.answered.is_empty()) else { continue };
            trouble.answered = self.open_json(&attempt_context(AttemptId(attempt)), &sealed)?;
        }
        Ok(ids.iter().filter_map(|id| troubles.remove(id)).collect())
    }
}
