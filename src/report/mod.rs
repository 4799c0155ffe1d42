//! What the Dinkes and the puskesmas read at the end of a day or a month, as values and as text, JSON or CSV.
//!
//! It only reads the ledger. It must not show personal data: people are named by file and row, never by name or
//! number, and the sentences come from `words`.

pub mod alarm;
pub mod coverage;
pub mod csv;
pub mod discrepancy;
pub mod document;
pub mod forecast;
pub mod html;
pub mod json;
pub mod pdf;
pub mod question;
pub mod recap;
pub mod statement;
pub mod statement_page;
pub mod text;
pub mod worklist;
pub mod xlsx;

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::clock::Zone;
use crate::ledger::account::Reach;
use crate::ledger::attention::List;
use crate::ledger::discrepancy::Standings;
use crate::ledger::reading::{Counts, Filter, Verification};
use crate::ledger::state::State;
use crate::ledger::{Ledger, LedgerError};
use crate::reconciliation::read_back::Differing;
use coverage::{Coverage, Late, Place};
use worklist::{RuleTally, WorkItem};

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A list could not be written on the way.
    #[error("a list could not be written")]
    Write(#[source] io::Error),
}

/// The days a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// One service date.
    Day(Date),
    /// The month that a date lies in.
    Month(Date),
    /// Everything in the ledger.
    All,
}

impl Span {
    /// The part of the ledger it covers.
    #[must_use]
    pub fn filter(self) -> Filter {
        match self {
            Self::Day(date) => Filter::on(date),
            Self::Month(date) => {
                Filter { from: Some(date.first_of_month()), to: Some(date.last_of_month()), ..Filter::default() }
            }
            Self::All => Filter::default(),
        }
    }

    /// `2026-11-18`, `2026-11`, or nothing.
    #[must_use]
    pub fn name(self) -> Option<String> {
        match self {
            Self::Day(date) => Some(date.to_string()),
            Self::Month(date) => Some(date.strftime("%Y-%m").to_string()),
            Self::All => None,
        }
    }
}

/// The four parts a reader adds up: they sum to the rows read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Rows read.
    pub read: u64,
    /// Accepted by SATUSEHAT: delivered.
    pub accepted: u64,
    /// On their way: pending, blocked, in flight, unknown.
    pub waiting: u64,
    /// A person must act: issue, refused, exhausted.
    pub attention: u64,
    /// Not to be sent: waived, superseded, skipped.
    pub waived: u64,
}

impl Sum {
    /// The parts of some counts.
    #[must_use]
    pub fn of(counts: &Counts) -> Self {
        let states = |states: &[State]| states.iter().map(|state| counts.of(*state)).sum::<u64>();
        Self {
            read: counts.read,
            accepted: counts.of(State::Delivered),
            waiting: states(&[State::Pending, State::Blocked, State::InFlight, State::Unknown]),
            attention: counts.issue + states(&[State::Refused, State::Exhausted]),
            waived: counts.skipped_total() + states(&[State::Waived, State::Superseded]),
        }
    }
}

/// What a report is about and how it names things.
pub struct Request<'a> {
    /// Which days.
    pub span: Span,
    /// Zone of the time at the top.
    pub zone: Zone,
    /// When it is made.
    pub made_at: Timestamp,
    /// The mapping in use, if it matters.
    pub mapping_version: Option<String>,
    /// The name of a posyandu, by its code.
    pub names: &'a (dyn Fn(&str) -> Option<String> + Send + Sync),
    /// Whose rows and visits; nothing means everybody's.
    pub place: Reach,
    /// Most lines of each list that the report holds; `None` holds all.
    pub listed_max: Option<usize>,
}

/// Lines that were left out of the lists of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Late visits.
    pub late: u64,
    /// Things to do.
    pub work: u64,
    /// Warnings.
    pub warnings: u64,
}

/// One report, ready to be written in any form.
#[derive(Clone, Debug)]
pub struct DayReport {
    /// Which days.
    pub span: Span,
    /// When it was made.
    pub made_at: Timestamp,
    /// Zone of that time.
    pub zone: Zone,
    /// The mapping in use.
    pub mapping_version: Option<String>,
    /// Rows by where they stand.
    pub counts: Counts,
    /// The same by puskesmas and posyandu.
    pub places: Vec<Place>,
    /// Visits and how many were accepted on their day.
    pub coverage: Coverage,
    /// Visits that were not accepted on their day, by place.
    pub late: Vec<Late>,
    /// What a person must do, by place.
    pub work: Vec<WorkItem>,
    /// What looked wrong and holds nothing up; what the mapping leaves out is told by its rule alone.
    pub warnings: Vec<WorkItem>,
    /// All warnings by rule, those left out too; the most frequent first.
    pub warning_rules: Vec<RuleTally>,
    /// What did not fit the lists.
    pub left_out: LeftOut,
    /// What reading back showed.
    pub verification: Verification,
    /// Open and waived discrepancies by class and owner.
    pub discrepancies: Vec<Standings>,
    /// Resources that a read-back just now found different or gone.
    pub differing: Vec<Differing>,
    /// Names of posyandu by code, as far as known.
    pub names: BTreeMap<String, String>,
}

impl DayReport {
    /// Reads everything the report shows from the ledger.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn gather(ledger: &Ledger, request: Request<'_>) -> Result<Self, ReportError> {
        Self::gather_and_show(ledger, request, &mut |_| Ok(())).await
    }

    /// The same; `each` is shown the whole work list and then all warnings part by part, whatever the report holds.
    ///
    /// # Errors
    /// As [`DayReport::gather`], and what `each` fails with.
    pub async fn gather_and_show(
        ledger: &Ledger,
        request: Request<'_>,
        each: &mut (dyn FnMut(&[WorkItem]) -> io::Result<()> + Send),
    ) -> Result<Self, ReportError> {
        let Reach { puskesmas, posyandu } = request.place.clone();
        let filter = Filter { puskesmas, posyandu, ..request.span.filter() };
        let by_posyandu = ledger.counts_by_posyandu(&filter).await?;
        let mut counts = Counts::default();
        by_posyandu.values().for_each(|part| counts.add(part));
        let visits = ledger.coverage(&filter).await?;
        let listed_max = request.listed_max.unwrap_or(usize::MAX);
        let mut left_out = LeftOut::default();
        let (mut work, mut warnings, mut warning_rules) = (Vec::new(), Vec::new(), Vec::new());
        worklist::walk(ledger, &filter, List::Work, request.made_at, listed_max, &mut |items| {
            each(&items)?;
            left_out.work += keep(&mut work, items, listed_max);
            Ok(())
        })
        .await?;
        worklist::walk(ledger, &filter, List::Warnings, request.made_at, listed_max, &mut |items| {
            each(&items)?;
            worklist::tally(&mut warning_rules, &items);
            // What the mapping leaves out is nobody's to mend at a cell, and stands in each visit: its rule tells it once.
            let to_look_at = items.into_iter().filter(|item| !item.is_left_out_by_mapping()).collect();
            left_out.warnings += keep(&mut warnings, to_look_at, listed_max);
            Ok(())
        })
        .await?;
        warning_rules
            .sort_by(|one: &RuleTally, other| other.number.cmp(&one.number).then_with(|| one.rule.cmp(&other.rule)));
        let (late_number, late) = coverage::late(ledger, &filter, request.made_at, listed_max).await?;
        left_out.late = late_number.saturating_sub(late.len() as u64);
        let codes = by_posyandu.keys().filter_map(|(_, code)| code.as_ref());
        let codes = codes.chain(visits.iter().map(|line| &line.posyandu));
        let names = codes.filter_map(|code| Some((code.clone(), (request.names)(code)?))).collect();
        Ok(Self {
            span: request.span,
            made_at: request.made_at,
            zone: request.zone,
            mapping_version: request.mapping_version,
            places: coverage::places(&by_posyandu, &visits),
            coverage: Coverage::of(&visits),
            late,
            counts,
            work,
            warnings,
            warning_rules,
            left_out,
            verification: ledger.verification(&filter).await?,
            discrepancies: ledger.discrepancy_standings(&filter).await?,
            differing: Vec::new(),
            names,
        })
    }

    /// Adds what a read-back just now found.
    #[must_use]
    pub fn with_differing(mut self, differing: Vec<Differing>) -> Self {
        self.differing = differing;
        self
    }

    /// Name of a posyandu, or its code.
    #[must_use]
    pub fn name_of<'a>(&'a self, code: &'a str) -> &'a str {
        self.names.get(code).map_or(code, String::as_str)
    }
}

/// Keeps what a list has room for; says how many it left out.
fn keep(list: &mut Vec<WorkItem>, items: Vec<WorkItem>, listed_max: usize) -> u64 {
    let room = listed_max.saturating_sub(list.len()).min(items.len());
    let left_out = items.len() - room;
    list.extend(items.into_iter().take(room));
    left_out as u64
}
