//! Where rows and visits stand and why, by place and day: what statements and reports count.
//!
//! It only reads. A reason is a rule, a state or another word of the program's own; never what stands in a cell.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::reading::Filter;
use super::state::State;
use super::store::standing::{self, StoredStanding};
use super::store::{count, date};
use super::{Ledger, LedgerError};

/// The parts that rows, or visits, are counted in; each is in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// SATUSEHAT holds it; the reason is `same_day` or `late`.
    Accepted,
    /// On its way; the reason is the state, or what it waits for.
    Waiting,
    /// A person must act; the reason is the rule.
    Refused,
    /// Not to be sent; the reason is `person`, or the rule that left it out: `out_of_range`.
    Waived,
    /// Another row took its place.
    Replaced,
    /// No record; the reason says what else.
    Skipped,
}

impl Part {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Waiting, Self::Refused, Self::Waived, Self::Replaced, Self::Skipped];

    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Waived => "waived",
            Self::Replaced => "replaced",
            Self::Skipped => "skipped",
        }
    }
}

/// The reason of what was accepted before its day ended.
pub const SAME_DAY: &str = "same_day";
/// The reason of what was accepted afterwards.
pub const LATE: &str = "late";

/// Numbers by part and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(pub BTreeMap<Part, BTreeMap<String, u64>>);

impl Tally {
    /// Adds a number.
    pub fn add(&mut self, part: Part, reason: &str, number: u64) {
        *self.0.entry(part).or_default().entry(reason.to_owned()).or_default() += number;
    }

    /// Adds everything of another tally.
    pub fn join(&mut self, other: &Self) {
        for (part, reasons) in &other.0 {
            reasons.iter().for_each(|(reason, number)| self.add(*part, reason, *number));
        }
    }

    /// The number of a part.
    #[must_use]
    pub fn of(&self, part: Part) -> u64 {
        self.0.get(&part).map_or(0, |reasons| reasons.values().sum())
    }

    /// The number of a part with a reason.
    #[must_use]
    pub fn with(&self, part: Part, reason: &str) -> u64 {
        self.0.get(&part).and_then(|reasons| reasons.get(reason)).copied().unwrap_or(0)
    }

    /// Everything.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }
}

/// How the rows and visits of one posyandu stand that belong to one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Rows.
    pub rows: Tally,
    /// Visits.
    pub visits: Tally,
}

impl Standing {
    /// Adds another.
    pub fn join(&mut self, other: &Self) {
        self.rows.join(&other.rows);
        self.visits.join(&other.visits);
    }
}

/// Puskesmas, day, posyandu; a row may name neither place.
pub type Where = (Option<String>, Date, Option<String>);

impl Ledger {
    /// How rows and visits stand, by puskesmas, day and posyandu.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn standings(&self, filter: &Filter) -> Result<BTreeMap<Where, Standing>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let rows = standing::rows(&mut reader, filter).await?;
        let visits = standing::visits(&mut reader, filter).await?;
        drop(reader);
        let mut all: BTreeMap<Where, Standing> = BTreeMap::new();
        for (are_rows, lines) in [(true, rows), (false, visits)] {
            for line in lines {
                let (part, reason) = judged(&line)?;
                let number = count(line.number)?;
                let standing = all.entry((line.puskesmas, date(&line.day)?, line.posyandu)).or_default();
                let tally = if are_rows { &mut standing.rows } else { &mut standing.visits };
                tally.add(part, &reason, number);
            }
        }
        Ok(all)
    }
}

fn judged(line: &StoredStanding) -> Result<(Part, String), LedgerError> {
    let state = State::from_word(&line.standing);
    let part = match (state, line.standing.as_str()) {
        (Some(State::Delivered), _) => Part::Accepted,
        (Some(State::Pending | State::Blocked | State::InFlight | State::Unknown), _) => Part::Waiting,
        (Some(State::Refused | State::Exhausted), _) | (None, "issue") => Part::Refused,
        (Some(State::Waived), _) => Part::Waived,
        (Some(State::Superseded), _) => Part::Replaced,
        (None, "skipped") => Part::Skipped,
        (None, _) => return Err(LedgerError::Spoiled("standing")),
    };
    // What is in flight is counted as pending while its lease lives: a statement must not tell of milliseconds.
    let word = if state == Some(State::InFlight) { State::Pending.word() } else { &line.standing };
    Ok((part, line.reason.as_deref().map_or_else(|| word.to_owned(), first_rule)))
}

/// The first rule of a list of an answer; anything else as it is.
fn first_rule(reason: &str) -> String {
    match serde_json::from_str::<Vec<String>>(reason) {
        Ok(rules) => rules.into_iter().next().unwrap_or_default(),
        Err(_) => reason.to_owned(),
    }
}
