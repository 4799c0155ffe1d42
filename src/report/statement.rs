//! What a daily statement says: how the rows and visits of a day stood when it ended, and how that moved since.
//!
//! Counts and rule names only: nothing that leads to a person. It must not decide when a statement is made, nor keep
//! it: the daemon and the ledger do.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Zone;
use crate::ledger::standing::{Part, Standing, Tally, Where};
use crate::ledger::statement::{Kind, NewStatement, Statement};

/// Names the form of the content.
const FORMAT: &str = "posyandu-gateway statement 1";
/// A seal made within this after the end of its day counts as made in time: a round of the daemon may last some minutes.
pub const IN_TIME: Duration = Duration::from_secs(15 * 60);
/// Stands for a puskesmas where rows name none.
pub const NO_PUSKESMAS: &str = "-";

/// Rows and visits, each in exactly one part: `read` is the sum of `rows`, `visits_total` that of `visits`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Rows read.
    pub read: u64,
    /// Rows by part and reason.
    pub rows: Tally,
    /// Visits known.
    pub visits_total: u64,
    /// Visits by part and reason.
    pub visits: Tally,
}

impl Counted {
    fn of(standing: &Standing) -> Self {
        let (read, visits_total) = (standing.rows.total(), standing.visits.total());
        Self { read, rows: standing.rows.clone(), visits_total, visits: standing.visits.clone() }
    }
}

/// The counts of one posyandu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfPosyandu {
    /// Its code; none for rows that name none.
    pub posyandu: Option<String>,
    /// Its counts.
    #[serde(flatten)]
    pub counted: Counted,
}

/// More (or fewer) by part and reason.
pub type Movement = BTreeMap<Part, BTreeMap<String, i64>>;

/// How a day moved since the statement that is amended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Number of the statement that is amended.
    pub amends: u64,
    /// Rows.
    pub rows: Movement,
    /// Visits.
    pub visits: Movement,
    /// Posyandu whose counts moved.
    pub posyandu: Vec<Option<String>>,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The form.
    pub format: String,
    /// The puskesmas.
    pub puskesmas: String,
    /// The day.
    pub service_date: Date,
    /// The zone by which the day ended.
    pub zone: Zone,
    /// When it was made.
    pub made_at: Timestamp,
    /// It is a seal, and was made longer after the end of its day than [`IN_TIME`]: it tells how the day stood then.
    pub made_late: bool,
    /// The whole puskesmas.
    pub total: Counted,
    /// Each posyandu with rows or visits of that day.
    pub posyandu: Vec<OfPosyandu>,
    /// What moved; only in an amendment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub difference: Option<Difference>,
}

/// A statement cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("statement {number} of {puskesmas} cannot be read")]
pub struct Unreadable {
    /// The puskesmas.
    pub puskesmas: String,
    /// Its number.
    pub number: u64,
    #[source]
    source: serde_json::Error,
}

impl Content {
    /// Reads what a statement says.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn of(statement: &Statement) -> Result<Self, Unreadable> {
        let (puskesmas, number) = (statement.puskesmas.clone(), statement.number);
        serde_json::from_str(&statement.content).map_err(|source| Unreadable { puskesmas, number, source })
    }

    /// The statement and what it says, as a value.
    #[must_use]
    pub fn as_json(&self, statement: &Statement, is_sound: bool) -> Value {
        let mut object = statement_json(statement, is_sound);
        object["content"] = json!(self);
        object
    }
}

/// A statement without what it says, as a value.
#[must_use]
pub fn statement_json(statement: &Statement, is_sound: bool) -> Value {
    json!({
        "puskesmas": statement.puskesmas, "number": statement.number, "kind": statement.kind.word(),
        "service_date": statement.service_date.to_string(), "made_at": statement.made_at.to_string(),
        "content_hash": Statement::shown(&statement.content_hash), "previous": Statement::shown(&statement.previous),
        "hash": Statement::shown(&statement.hash()), "code": Statement::shown(&statement.code), "sound": is_sound,
    })
}

/// How the days of each puskesmas stand: day, then posyandu.
pub type Days = BTreeMap<Date, BTreeMap<Option<String>, Standing>>;

/// Sorts what stands in the ledger by puskesmas.
#[must_use]
pub fn by_puskesmas(standings: BTreeMap<Where, Standing>) -> BTreeMap<String, Days> {
    let mut all: BTreeMap<String, Days> = BTreeMap::new();
    for ((puskesmas, day, posyandu), standing) in standings {
        let puskesmas = puskesmas.unwrap_or_else(|| NO_PUSKESMAS.to_owned());
        all.entry(puskesmas).or_default().entry(day).or_default().insert(posyandu, standing);
    }
    all
}

/// What is to be stated about a puskesmas.
#[derive(Debug)]
pub struct Due<'a> {
    /// The puskesmas.
    pub puskesmas: &'a str,
    /// Its zone.
    pub zone: Zone,
    /// The first day that gets a seal even if nothing happened; an earlier one gets one when there are rows of it.
    pub every_day_from: Date,
    /// The last day that has ended.
    pub ended: Date,
    /// The time.
    pub now: Timestamp,
}

impl Due<'_> {
    /// The statements that are due, by day: a seal for each day that has none, an amendment for each that moved since
    /// its last statement. At most `limit`; the next time goes on.
    ///
    /// # Errors
    /// An earlier statement that cannot be read.
    pub fn statements(
        &self,
        days: &Days,
        latest: &BTreeMap<Date, Statement>,
        limit: usize,
    ) -> Result<Vec<NewStatement>, Unreadable> {
        let mut dates: Vec<Date> = days.keys().chain(latest.keys()).copied().filter(|day| *day <= self.ended).collect();
        let mut day = self.every_day_from;
        while day <= self.ended {
            dates.push(day);
            let Ok(next) = day.checked_add(1.day()) else { break };
            day = next;
        }
        dates.sort_unstable();
        dates.dedup();
        let (none, mut due) = (BTreeMap::new(), Vec::new());
        for day in dates {
            let content = self.content(day, days.get(&day).unwrap_or(&none));
            due.extend(match latest.get(&day) {
                None => Some(self.statement(Kind::Seal, content)),
                Some(last) => {
                    let before = Content::of(last)?;
                    let difference = difference(last.number, &before, &content);
                    difference.map(|difference| {
                        let content = Content { made_late: false, difference: Some(difference), ..content };
                        self.statement(Kind::Amendment, content)
                    })
                }
            });
            if due.len() >= limit {
                break;
            }
        }
        Ok(due)
    }

    fn content(&self, day: Date, standings: &BTreeMap<Option<String>, Standing>) -> Content {
        let mut whole = Standing::default();
        standings.values().for_each(|standing| whole.join(standing));
        let of = |(posyandu, standing): (&Option<String>, &Standing)| OfPosyandu {
            posyandu: posyandu.clone(),
            counted: Counted::of(standing),
        };
        Content {
            format: FORMAT.to_owned(),
            puskesmas: self.puskesmas.to_owned(),
            service_date: day,
            zone: self.zone,
            made_at: self.now,
            made_late: self.now > ends(self.zone, day).saturating_add(IN_TIME).unwrap_or(Timestamp::MAX),
            total: Counted::of(&whole),
            posyandu: standings.iter().map(of).collect(),
            difference: None,
        }
    }

    fn statement(&self, kind: Kind, content: Content) -> NewStatement {
        let day = content.service_date;
        // A value of plain maps and numbers always becomes JSON.
        let content = serde_json::to_string(&content).unwrap_or_default();
        NewStatement { service_date: day, kind, made_at: self.now, content }
    }
}

/// When a day ends.
#[must_use]
pub fn ends(zone: Zone, day: Date) -> Timestamp {
    day.checked_add(1.day()).map_or(Timestamp::MAX, |next| zone.instant(next, Time::midnight()))
}

fn difference(amends: u64, before: &Content, now: &Content) -> Option<Difference> {
    let counts = |content: &Content| -> BTreeMap<Option<String>, Counted> {
        content.posyandu.iter().map(|one| (one.posyandu.clone(), one.counted.clone())).collect()
    };
    let (old, new) = (counts(before), counts(now));
    let mut posyandu: Vec<Option<String>> =
        old.keys().chain(new.keys()).filter(|code| old.get(*code) != new.get(*code)).cloned().collect();
    posyandu.sort();
    posyandu.dedup();
    (!posyandu.is_empty()).then(|| Difference {
        amends,
        rows: movement(&before.total.rows, &now.total.rows),
        visits: movement(&before.total.visits, &now.total.visits),
        posyandu,
    })
}

fn movement(before: &Tally, now: &Tally) -> Movement {
    let mut all = Movement::new();
    for (tally, sign) in [(before, -1), (now, 1)] {
        for (part, reasons) in &tally.0 {
            for (reason, number) in reasons {
                let number = i64::try_from(*number).unwrap_or(i64::MAX);
                *all.entry(*part).or_default().entry(reason.clone()).or_default() += sign * number;
            }
        }
    }
    all.retain(|_, reasons| {
        reasons.retain(|_, number| *number != 0);
        !reasons.is_empty()
    });
    all
}
