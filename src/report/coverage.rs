//! Of what was recorded, how much arrived, and how much of it on its own day.
//!
//! A visit counts as "same day" when SATUSEHAT accepted it before 24:00 local time of its service date. Waived and
//! withdrawn visits are not counted: nobody promised to send them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Sum;
use super::worklist::row_order;
use crate::issue::Place as Cell;
use crate::ledger::attention::CoverageLine;
use crate::ledger::entry::EntryLine;
use crate::ledger::origin::Origin;
use crate::ledger::reading::{Counts, Filter, Whereabouts};
use crate::ledger::state::State;
use crate::ledger::{Ledger, LedgerError};

/// Visits, those accepted, and those accepted on their day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Visits that are to be sent.
    pub visits: u64,
    /// Accepted.
    pub accepted: u64,
    /// Accepted before their service date ended.
    pub same_day: u64,
}

impl Coverage {
    fn add(&mut self, line: &CoverageLine) {
        self.visits += line.visits;
        self.accepted += line.accepted;
        self.same_day += line.same_day;
    }

    /// All posyandu together.
    #[must_use]
    pub fn of(lines: &[CoverageLine]) -> Self {
        let mut coverage = Self::default();
        lines.iter().for_each(|line| coverage.add(line));
        coverage
    }

    /// Share of visits accepted on their day, in tenths of a percent; `None` without visits.
    #[must_use]
    pub fn same_day_permille(&self) -> Option<u64> {
        (self.same_day * 1_000).checked_div(self.visits)
    }
}

/// A puskesmas, or one of its posyandu, with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The puskesmas; `None` for rows that name none.
    pub puskesmas: Option<String>,
    /// Code of the posyandu; `None` for the puskesmas as a whole.
    pub posyandu: Option<String>,
    /// Whether this is the puskesmas as a whole.
    pub whole: bool,
    /// Rows.
    pub sum: Sum,
    /// Visits.
    pub coverage: Coverage,
}

/// Numbers by place: each puskesmas, then its posyandu.
#[must_use]
pub fn places(counts: &BTreeMap<Whereabouts, Counts>, lines: &[CoverageLine]) -> Vec<Place> {
    let mut visits: BTreeMap<(&str, Option<&str>), Coverage> = BTreeMap::new();
    for line in lines {
        for posyandu in [None, Some(line.posyandu.as_str())] {
            visits.entry((&line.puskesmas, posyandu)).or_default().add(line);
        }
    }
    let visits_of = |puskesmas: &Option<String>, posyandu: Option<&str>| {
        visits.get(&(puskesmas.as_deref().unwrap_or_default(), posyandu)).copied().unwrap_or_default()
    };
    let mut wholes: BTreeMap<&Option<String>, Counts> = BTreeMap::new();
    for ((puskesmas, _), part) in counts {
        wholes.entry(puskesmas).or_default().add(part);
    }
    let mut all = Vec::new();
    for (puskesmas, whole) in wholes {
        let coverage = visits_of(puskesmas, None);
        all.push(Place { puskesmas: puskesmas.clone(), posyandu: None, whole: true, sum: Sum::of(&whole), coverage });
        let parts =
            counts.iter().filter(|((own, posyandu), _)| own == puskesmas && (own.is_some() || posyandu.is_some()));
        for ((_, posyandu), part) in parts {
            let coverage = posyandu.as_deref().map(|code| visits_of(puskesmas, Some(code))).unwrap_or_default();
            let (puskesmas, posyandu) = (puskesmas.clone(), posyandu.clone());
            all.push(Place { puskesmas, posyandu, whole: false, sum: Sum::of(part), coverage });
        }
    }
    all
}

/// A visit whose day ended before SATUSEHAT accepted it.
#[derive(Clone, Debug)]
pub struct Late {
    /// The visit's entry.
    pub entry: EntryLine,
    /// Hours from the end of its day to its acceptance, or until now.
    pub hours: u64,
    /// Its rows: where a person finds it.
    pub rows: Vec<Cell>,
}

impl Late {
    /// Why it was not accepted on its day: what it waits for, what the last answer was, else its state's word.
    #[must_use]
    pub fn reason(&self) -> &str {
        let entry = &self.entry;
        match (entry.state, &entry.blocked_on, entry.last_class.as_deref()) {
            (State::Blocked, Some(on), _) => on,
            (State::Pending, _, Some(class @ ("outage" | "throttled" | "configuration"))) => class,
            (state, _, _) => state.word(),
        }
    }
}

/// How many visits are late, and those shown, by puskesmas and posyandu, the longest wait first.
///
/// # Errors
/// Failures of the store.
pub async fn late(
    ledger: &Ledger,
    filter: &Filter,
    now: Timestamp,
    shown_max: usize,
) -> Result<(u64, Vec<Late>), LedgerError> {
    let (number, lines) = ledger.late(filter, now, shown_max).await?;
    let late = |(entry, origins): (EntryLine, Vec<Origin>)| {
        let until = if entry.state == State::Delivered { entry.since } else { now };
        let hours = u64::try_from(until.duration_since(entry.day_ends_at).as_hours()).unwrap_or(0);
        let mut rows: Vec<Cell> = origins.into_iter().map(|origin| origin.place).collect();
        rows.dedup();
        Late { entry, hours, rows }
    };
    let mut all: Vec<Late> = lines.into_iter().map(late).collect();
    all.sort_by(|one, other| {
        let place = |late: &Late| (late.entry.puskesmas.clone(), late.entry.posyandu.clone(), late.entry.service_date);
        place(one).cmp(&place(other)).then_with(|| row_order(first_row(one), first_row(other)))
    });
    Ok((number, all))
}

fn first_row(late: &Late) -> &str {
    late.rows.first().map_or("", |row| row.row.as_str())
}
