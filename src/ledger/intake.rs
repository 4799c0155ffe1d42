//! Intake's side of the ledger: passes, rows, stale visits and new entries. Seals on the way in, opens on the way out.

use std::collections::HashMap;
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::entry::NewEntry;
use super::question::Doubts;
use super::row::{
    CurrentRecord, PassEnding, PassHistory, PassId, RowKind, RowSeen, RowTally, StoredRecord, TakenRow, VisitHead,
    VisitId, VisitRecords,
};
use super::series::Earlier;
use super::store::entering::SealedEntry;
use super::store::rows::{SealedIssue, SealedRecord, SealedRow, SealedVisit};
use super::store::visits::StaleRecord;
use super::store::{date, hash, hex, lists, time, visits};
use super::{Ledger, LedgerError};
use crate::clock::Zone;
use crate::crash;
use crate::issue::{Issue, Place, Severity};

/// Pause between two tries to read what another daemon reads.
const READING_PAUSE: Duration = Duration::from_secs(1);

/// What is sealed of a record: the rest stands in clear columns.
#[derive(Serialize, Deserialize)]
struct RecordContent {
    json: String,
    columns: Vec<(String, String)>,
}

impl Ledger {
    /// Starts reading a file or table of a source, alone: waits while another daemon on the same ledger reads it.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn begin_pass(&self, source: &str, file: &str) -> Result<PassId, LedgerError> {
        loop {
            match self.begin(source, file, true).await {
                Err(LedgerError::BeingRead) => self.clock.sleep(READING_PAUSE).await,
                result => return result,
            }
        }
    }

    /// Starts a pass that several daemons may have at once: its rows have keys that name them once and for all.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn begin_common_pass(&self, source: &str, file: &str) -> Result<PassId, LedgerError> {
        self.begin(source, file, false).await
    }

    async fn begin(&self, source: &str, file: &str, alone: bool) -> Result<PassId, LedgerError> {
        let day = self.zone.date_at(self.clock.now()).to_string();
        let (source, file) = (source.to_owned(), file.to_owned());
        let pass = crash::around(
            "ledger.begin_pass",
            self.writer()?.ask(|reply| Command::BeginPass { source, file, day, alone, reply }),
        )
        .await?;
        Ok(PassId(pass))
    }

    /// Sees the next rows of a pass, in the order of the file; some hundred to a thousand at once is best.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchPass`], [`LedgerError::NoRecords`], failures of the store. Nothing of the rows is kept.
    pub async fn see_rows(&self, pass: PassId, rows: Vec<RowSeen>) -> Result<RowTally, LedgerError> {
        self.see_rows_of(pass, &rows, &[], &Doubts::default()).await
    }

    /// Takes rows whose keys name them once and for all, and says what became of each: a key that comes again, in
    /// this batch or later in the pass, is the same row with newer content.
    ///
    /// # Errors
    /// As [`Ledger::see_rows`].
    pub async fn take_rows(&self, pass: PassId, rows: Vec<RowSeen>) -> Result<Vec<TakenRow>, LedgerError> {
        self.take_rows_of(pass, &rows, &[], &Doubts::default()).await
    }

    /// Ends a pass; `complete` says that every row of the file was seen, so that what is missing has left it.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchPass`], failures of the store.
    pub async fn finish_pass(&self, pass: PassId, complete: bool) -> Result<RowTally, LedgerError> {
        self.end_pass(pass, if complete { PassEnding::Complete } else { PassEnding::Stopped }).await
    }

    /// Ends a pass in one of its ways.
    ///
    /// # Errors
    /// As [`Ledger::finish_pass`].
    pub async fn end_pass(&self, pass: PassId, ending: PassEnding) -> Result<RowTally, LedgerError> {
        crash::around(
            "ledger.finish_pass",
            self.writer()?.ask(|reply| Command::FinishPass { pass: pass.0, ending, reply }),
        )
        .await
    }

    /// What earlier passes over a file or database came to; ask before a new one begins.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn pass_history(&self, source: &str, file: &str) -> Result<PassHistory, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        lists::pass_history(&mut reader, source, file).await
    }

    /// Visits whose records changed since their entry was made, with the records that count now.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn stale_visits(&self, limit: u32) -> Result<Vec<VisitRecords>, LedgerError> {
        self.stale_visits_after(VisitId::default(), limit).await
    }

    /// The same, of the visits after one: the next page while the entries of the last one are still being made.
    ///
    /// # Errors
    /// As [`Ledger::stale_visits`].
    pub async fn stale_visits_after(&self, after: VisitId, limit: u32) -> Result<Vec<VisitRecords>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = visits::stale(&mut reader, after.0, limit).await?;
        let earlier = self.earlier(&mut reader, &stored).await?;
        drop(reader);
        self.open_visits(stored, earlier)
    }

    /// Visits with their records, from records in the order of their visits, and with what stands before them.
    pub(super) fn open_visits(
        &self,
        stored: Vec<StaleRecord>,
        mut earlier: HashMap<i64, Earlier>,
    ) -> Result<Vec<VisitRecords>, LedgerError> {
        let mut all: Vec<VisitRecords> = Vec::new();
        for record in stored {
            let visit_key = hash(record.key.clone())?;
            if all.last().is_none_or(|last| last.visit_key != visit_key) {
                let visit = head(&record)?;
                all.push(VisitRecords {
                    visit_id: VisitId(record.visit),
                    visit_key,
                    visit,
                    revision: record.revision,
                    records: Vec::new(),
                    earlier: earlier.remove(&record.visit).unwrap_or_default(),
                });
            }
            let current = self.open_record(&record)?;
            if let Some(last) = all.last_mut() {
                last.records.push(current);
            }
        }
        Ok(all)
    }

    /// Makes entries, all in one transaction: one version per visit. Equal content makes none; an older entry is
    /// superseded, or, while the server may be working on it, makes the new one wait.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchVisit`] for an unknown visit or two entries of one visit; failures of the store.
    pub async fn enter(&self, entries: Vec<NewEntry>) -> Result<(), LedgerError> {
        let entries = entries.into_iter().map(|entry| self.seal_entry(entry)).collect::<Result<Vec<_>, _>>()?;
        crash::around("ledger.enter", self.writer()?.ask(|reply| Command::Enter { entries, reply })).await
    }

    /// Marks what another mapping made and nobody sent yet as stale; what is at the server stays as it is, unless a
    /// person approved a plan for this very mapping. Returns how many visits were marked.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn remap(&self, mapping_version: &str) -> Result<u64, LedgerError> {
        let mapping_version = mapping_version.to_owned();
        crash::around("ledger.remap", self.writer()?.ask(|reply| Command::Remap { mapping_version, reply })).await
    }

    pub(super) fn seal_rows(&self, rows: &[RowSeen]) -> Result<Vec<SealedRow>, LedgerError> {
        rows.iter().map(|row| self.seal_row(row)).collect()
    }

    fn seal_row(&self, row: &RowSeen) -> Result<SealedRow, LedgerError> {
        let key = hex(&row.row_key);
        let place = Place { column: None, ..row.place.clone() };
        let place = serde_json::to_vec(&place).map_err(|_| LedgerError::Spoiled("place"))?;
        let (kind, skip_reason) = match &row.outcome {
            RowKind::Records { records, .. } if records.is_empty() => return Err(LedgerError::NoRecords),
            RowKind::Records { .. } => ("records", None),
            RowKind::Issue => ("issue", None),
            RowKind::Skipped(reason) => ("skipped", Some(reason.clone())),
        };
        let visit = match &row.outcome {
            RowKind::Records { visit_key, visit, records } => Some(self.seal_visit(visit_key, visit, records)?),
            RowKind::Issue | RowKind::Skipped(_) => None,
        };
        Ok(SealedRow {
            row_key: row.row_key,
            digest: self.digest(row, kind, visit.as_ref()),
            place_sealed: self.keys.seal(&place_context(&row.place.source, &key), &place)?,
            place_mark: self.keys.hash("place", &[&row.place.file, &row.place.row]),
            kind,
            skip_reason,
            visit,
            puskesmas: row.puskesmas.clone(),
            posyandu: row.posyandu.clone(),
            service_date: row.service_date.map(|date| date.to_string()),
            issues: self.seal_issues(&issue_context(&key), &row.issues)?,
        })
    }

    fn seal_visit(
        &self,
        key: &[u8; 32],
        visit: &VisitHead,
        records: &[StoredRecord],
    ) -> Result<SealedVisit, LedgerError> {
        let seal = |record: &StoredRecord| {
            let content = RecordContent { json: record.json.clone(), columns: record.columns.clone() };
            let content = serde_json::to_vec(&content).map_err(|_| LedgerError::Spoiled("record"))?;
            Ok(SealedRecord {
                dataset: record.dataset.clone(),
                record_key: record.record_key,
                content_hash: self.keys.hash("record", &[&record.dataset, &record.json]),
                sealed: self.keys.seal(&record_context(key, &record.record_key), &content)?,
                series: record.series,
            })
        };
        let next_day = visit.service_date.checked_add(1.day()).unwrap_or(Date::MAX);
        Ok(SealedVisit {
            key: *key,
            puskesmas: visit.puskesmas.clone(),
            posyandu: visit.posyandu.clone(),
            service_date: visit.service_date.to_string(),
            zone: visit.zone,
            day_ends_at: visit.zone.instant(next_day, Time::midnight()),
            due: visit.due,
            records: records.iter().map(seal).collect::<Result<_, LedgerError>>()?,
        })
    }

    /// Everything of a row that matters, as one keyed hash: a row is unchanged when its meaning is, also when rules
    /// or registers changed around it. The place and the due time are not part of it.
    fn digest(&self, row: &RowSeen, kind: &str, visit: Option<&SealedVisit>) -> [u8; 32] {
        let mut parts = vec![hex(&row.hash), kind.to_owned()];
        let date = row.service_date.map(|date| date.to_string());
        parts.extend([&row.puskesmas, &row.posyandu, &date].map(|part| part.clone().unwrap_or_default()));
        if let RowKind::Skipped(reason) = &row.outcome {
            parts.push(reason.clone());
        }
        if let Some(visit) = visit {
            parts.extend([hex(&visit.key), visit.puskesmas.clone(), visit.posyandu.clone()]);
            parts.extend([visit.service_date.clone(), visit.zone.name().to_owned()]);
            parts.extend(visit.records.iter().flat_map(|record| [hex(&record.record_key), hex(&record.content_hash)]));
        }
        for issue in &row.issues {
            let column = issue.place.as_ref().and_then(|place| place.column.clone()).unwrap_or_default();
            parts.extend([issue.rule.to_string(), column, format!("{:?}{:?}", issue.severity, issue.arguments)]);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.keys.hash("row", &parts)
    }

    pub(super) fn seal_issues(&self, context: &str, issues: &[Issue]) -> Result<Vec<SealedIssue>, LedgerError> {
        let seal = |issue: &Issue| {
            let text = serde_json::to_vec(issue).map_err(|_| LedgerError::Spoiled("issue"))?;
            let severity = match issue.severity {
                Severity::Information => "information",
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            Ok(SealedIssue { severity, rule: issue.rule.to_string(), sealed: self.keys.seal(context, &text)? })
        };
        issues.iter().map(seal).collect()
    }

    fn seal_entry(&self, entry: NewEntry) -> Result<SealedEntry, LedgerError> {
        let context = entry_context(&entry.visit_key, &entry.content_hash);
        Ok(SealedEntry {
            waived: entry.is_waived(),
            person: self.keys.seal(&format!("person/{context}"), entry.person.reveal().as_bytes())?,
            bundle: self.keys.seal(&format!("bundle/{context}"), entry.bundle.reveal().as_bytes())?,
            issues: self.seal_issues(&format!("issue/{context}"), &entry.issues)?,
            visit_key: entry.visit_key,
            revision: entry.revision,
            content_hash: entry.content_hash,
            mapping_version: entry.mapping_version,
            due: entry.due,
            resources: entry.resources,
            refused: entry.refused,
        })
    }

    pub(super) fn open_record(&self, stored: &StaleRecord) -> Result<CurrentRecord, LedgerError> {
        let (key, record_key) = (hash(stored.key.clone())?, hash(stored.record_key.clone())?);
        let content = self.keys.open(&record_context(&key, &record_key), &stored.sealed)?;
        let content: RecordContent = serde_json::from_slice(&content).map_err(|_| LedgerError::Spoiled("record"))?;
        Ok(CurrentRecord {
            record: StoredRecord {
                dataset: stored.dataset.clone(),
                record_key,
                json: content.json,
                columns: content.columns,
                series: None,
            },
            place: self.open_place(&stored.source, &stored.row_key, &stored.place_sealed)?,
        })
    }

    /// What a record says, without where it came from.
    pub(super) fn open_json_of(
        &self,
        key: &[u8; 32],
        record_key: &[u8; 32],
        sealed: &[u8],
    ) -> Result<String, LedgerError> {
        let content = self.keys.open(&record_context(key, record_key), sealed)?;
        let content: RecordContent = serde_json::from_slice(&content).map_err(|_| LedgerError::Spoiled("record"))?;
        Ok(content.json)
    }

    pub(super) fn open_place(&self, source: &str, row_key: &[u8], sealed: &[u8]) -> Result<Place, LedgerError> {
        let place = self.keys.open(&place_context(source, &hex(row_key)), sealed)?;
        serde_json::from_slice(&place).map_err(|_| LedgerError::Spoiled("place"))
    }
}

/// Where a row's place belongs.
fn place_context(source: &str, row_key: &str) -> String {
    format!("place/{source}/{row_key}")
}

/// Where a row's issues belong.
pub(super) fn issue_context(row_key: &str) -> String {
    format!("issue/{row_key}")
}

/// Where a record belongs.
fn record_context(visit: &[u8; 32], record: &[u8; 32]) -> String {
    format!("record/{}/{}", hex(visit), hex(record))
}

/// Where an entry's content belongs.
pub(super) fn entry_context(visit: &[u8; 32], content: &[u8; 32]) -> String {
    format!("{}/{}", hex(visit), hex(content))
}

fn head(record: &StaleRecord) -> Result<VisitHead, LedgerError> {
    Ok(VisitHead {
        puskesmas: record.puskesmas.clone(),
        posyandu: record.posyandu.clone(),
        service_date: date(&record.service_date)?,
        zone: Zone::from_name(&record.zone).ok_or(LedgerError::Spoiled("zone"))?,
        due: time(record.due_at)?,
    })
}
