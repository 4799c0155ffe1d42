//! What reports read from the ledger: counts that add up, lists and stories. It changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;

use super::attempt::{AttemptId, AttemptLine, EndedLine};
use super::delivery::attempt_context;
use super::entry::{EntryId, EntryLine, EventLine, Story};
use super::intake::entry_context;
use super::row::RowTally;
use super::state::State;
use super::store::attention;
use super::store::entering::ENTERED;
use super::store::lists::{self, CountLine, StoredAttempt, StoredLine};
use super::store::{count, date, hash, time};
use super::{Ledger, LedgerError};

/// Which part of the ledger is meant; `None` means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// First service date; a row without one counts on the day of its first pass.
    pub from: Option<Date>,
    /// Last service date.
    pub to: Option<Date>,
    /// Puskesmas.
    pub puskesmas: Option<String>,
    /// Code of the posyandu.
    pub posyandu: Option<String>,
}

impl Filter {
    /// One service date.
    #[must_use]
    pub fn on(date: Date) -> Self {
        Self { from: Some(date), to: Some(date), ..Self::default() }
    }
}

/// Rows by where they stand. `read` is the sum of all the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows ever read.
    pub read: u64,
    /// Rows that feed a visit, by the state of the visit's newest entry (pending before there is one), and rows that
    /// others replaced (superseded).
    pub states: BTreeMap<State, u64>,
    /// Rows that need a person.
    pub issue: u64,
    /// Rows that are no records, by reason.
    pub skipped: BTreeMap<String, u64>,
}

impl Counts {
    /// Rows in a state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.states.get(&state).copied().unwrap_or(0)
    }

    /// Rows that are no records, for any reason.
    #[must_use]
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Adds the rows of another part.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.issue += other.issue;
        for (state, number) in &other.states {
            *self.states.entry(*state).or_default() += number;
        }
        for (reason, number) in &other.skipped {
            *self.skipped.entry(reason.clone()).or_default() += number;
        }
    }

    /// The sum of everything but `read`, which it must equal.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.states.values().sum::<u64>() + self.issue + self.skipped_total()
    }
}

/// Puskesmas and posyandu code, as far as known.
pub type Whereabouts = (Option<String>, Option<String>);

/// Results of reading back, by puskesmas and service date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Resources of delivered entries.
    pub delivered: u64,
    /// Found equal.
    pub equal: u64,
    /// Found different.
    pub different: u64,
    /// Not found.
    pub missing: u64,
    /// Not read back yet.
    pub unverified: u64,
}

impl Ledger {
    /// Where the rows stand.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn counts(&self, filter: &Filter) -> Result<Counts, LedgerError> {
        let mut all = Counts::default();
        for counts in self.counts_by_posyandu(filter).await?.values() {
            all.add(counts);
        }
        Ok(all)
    }

    /// Where the rows stand, by puskesmas and posyandu code as far as a row names them.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn counts_by_posyandu(&self, filter: &Filter) -> Result<BTreeMap<Whereabouts, Counts>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        tallied(lists::counts(&mut reader, filter).await?)
    }

    /// Newest entries of visits in the given states (all when empty), the oldest service date first.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn entries(&self, filter: &Filter, states: &[State], limit: u32) -> Result<Vec<EntryLine>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        lists::entries(&mut reader, filter, states, limit).await?.into_iter().map(line).collect()
    }

    /// What blocked entries wait for, and how many.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn blocked_reasons(&self, filter: &Filter) -> Result<BTreeMap<String, u64>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let reasons = lists::blocked_reasons(&mut reader, filter).await?;
        reasons.into_iter().map(|(reason, number)| Ok((reason, count(number)?))).collect()
    }

    /// What reading back showed.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn verification(&self, filter: &Filter) -> Result<Verification, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let mut found = Verification::default();
        for (finding, number) in lists::verification(&mut reader, filter).await? {
            let number = count::<u64>(number)?;
            found.delivered += number;
            match finding.as_deref() {
                Some("equal") => found.equal += number,
                Some("different") => found.different += number,
                Some(_) => found.missing += number,
                None => found.unverified += number,
            }
        }
        Ok(found)
    }

    /// The last complete pass over each file of a source, or of all: source, file, tally.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn last_passes(&self) -> Result<Vec<(String, String, RowTally)>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        lists::last_passes(&mut reader).await
    }

    /// Everything that happened to an entry.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchEntry`], failures of the store, or content sealed with another key.
    pub async fn story(&self, entry: EntryId) -> Result<Story, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = lists::lines(&mut reader, &[entry.0]).await?.pop().ok_or(LedgerError::NoSuchEntry(entry))?;
        let context =
            format!("issue/{}", entry_context(&hash(stored.key.clone())?, &hash(stored.content_hash.clone())?));
        let mut issues = Vec::new();
        for (_, sealed) in attention::entry_issues(&mut reader, &[entry.0]).await? {
            let plain = self.keys.open(&context, &sealed)?;
            issues.push(serde_json::from_slice(&plain).map_err(|_| LedgerError::Spoiled("issue"))?);
        }
        let mut events = Vec::new();
        for (event, word, at) in lists::events(&mut reader, entry.0).await? {
            let event = match event.as_str() {
                ENTERED => None,
                text => Some(serde_json::from_str(text).map_err(|_| LedgerError::Spoiled("event"))?),
            };
            let state = State::from_word(&word).ok_or(LedgerError::Spoiled("state"))?;
            events.push(EventLine { event, state, at: time(at)? });
        }
        let attempts = lists::attempts(&mut reader, entry.0).await?;
        let attempts = attempts.into_iter().map(|attempt| self.open_attempt(attempt)).collect::<Result<_, _>>()?;
        Ok(Story { line: line(stored)?, events, attempts, issues })
    }

    fn open_attempt(&self, stored: StoredAttempt) -> Result<AttemptLine, LedgerError> {
        let attempt_id = AttemptId(stored.id);
        let begun_at = time(stored.begun_at)?;
        let (Some(outcome), Some(ended_at)) = (stored.outcome, stored.ended_at) else {
            return Ok(AttemptLine { attempt_id, begun_at, end: None });
        };
        let issues = match stored.issues_sealed {
            Some(sealed) => serde_json::from_slice(&self.keys.open(&attempt_context(attempt_id), &sealed)?)
                .map_err(|_| LedgerError::Spoiled("issue"))?,
            None => Vec::new(),
        };
        let end = EndedLine {
            outcome,
            status: stored.status.map(count).transpose()?,
            request_id: stored.request_id,
            class: stored.class.unwrap_or_default(),
            excerpt: stored.excerpt.unwrap_or_default(),
            rules: serde_json::from_str(&stored.rules.unwrap_or_default())
                .map_err(|_| LedgerError::Spoiled("rules"))?,
            duration: Duration::from_millis(count(stored.duration_ms.unwrap_or(0))?),
            issues,
            ended_at: time(ended_at)?,
        };
        Ok(AttemptLine { attempt_id, begun_at, end: Some(end) })
    }
}

/// Counts by place.
pub(super) fn tallied(lines: Vec<CountLine>) -> Result<BTreeMap<Whereabouts, Counts>, LedgerError> {
    let mut all: BTreeMap<Whereabouts, Counts> = BTreeMap::new();
    for (group, reason, puskesmas, posyandu, number) in lines {
        let number = count::<u64>(number)?;
        let counts = all.entry((puskesmas, posyandu)).or_default();
        counts.read += number;
        match (group.as_str(), State::from_word(&group)) {
            (_, Some(state)) => *counts.states.entry(state).or_default() += number,
            ("issue", None) => counts.issue += number,
            _ => *counts.skipped.entry(reason.unwrap_or_default()).or_default() += number,
        }
    }
    Ok(all)
}

pub(super) fn line(stored: StoredLine) -> Result<EntryLine, LedgerError> {
    Ok(EntryLine {
        entry_id: EntryId(stored.id),
        visit_key: hash(stored.key)?,
        version: count(stored.version)?,
        puskesmas: stored.puskesmas,
        posyandu: stored.posyandu,
        service_date: date(&stored.service_date)?,
        state: State::from_word(&stored.state).ok_or(LedgerError::Spoiled("state"))?,
        since: time(stored.state_since)?,
        day_ends_at: time(stored.day_ends_at)?,
        due: time(stored.due_at)?,
        blocked_on: stored.blocked_on,
        attempts: count(stored.spent)?,
        last_class: stored.last_class,
        emptied: stored.emptied == 1,
    })
}
