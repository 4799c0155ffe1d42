//! A child's weighing beside the earlier ones: what the card's letter should be.
//!
//! Earlier weighings are part of the visit's input. What is not known is not guessed: a child whom nobody weighed here
//! before is new only when the card says so. It must not compare a swollen child's weight, nor one beyond WHO's limits.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::assess::{Measured, days_between};
use super::compare::LETTER;
use super::gain::{Gain, Weighing};
use super::index::Index;
use super::{Sex, Standards};
use crate::record::date::months_between;
use crate::record::{Record, Value};

/// The dataset of the visits that are weighed against each other.
const DATASET: &str = "kunjungan_balita";
/// The weight, in kg.
const WEIGHT: &str = "bb";
/// Degree of the oedema of both feet.
const OEDEMA: &str = "pitting_edema";
/// Age from which the card of toddlers no longer judges, 5 years, in months (posyandu records, section 5.1).
const MONTHS_MAX: i64 = 60;

/// What is known of a child before a visit.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Weighings of the two calendar months before and of the own one, oldest first.
    pub weighings: Vec<Record>,
    /// Whether the child was weighed before those.
    pub reaches_back: bool,
}

/// What later weighings of the child are judged by; `None` when a record is no weighing.
#[must_use]
pub fn judged_by(record: &Record) -> Option<[String; 2]> {
    let weight = weight(record).filter(|_| record.schema.dataset == DATASET)?;
    Some([weight.normalize().to_string(), is_swollen(record).to_string()])
}

/// What the card should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The letter.
    pub gain: Gain,
    /// 2T: T twice running.
    pub is_twice_not_enough: bool,
}

/// What the card should say of a visit; `None` when that is not known.
#[must_use]
pub fn judge(standards: &Standards, sex: Sex, born: Date, visit: &Record, past: &Past) -> Option<Judged> {
    let day = visit.date("tanggal")?;
    judged_by(visit)?;
    if !(0..MONTHS_MAX).contains(&months_between(born, day)) {
        return None;
    }
    let mut weighings: Vec<Weighing> = Vec::with_capacity(past.weighings.len() + 1);
    for record in past.weighings.iter().chain([visit]) {
        let Some(next) = weighing(standards, sex, born, record) else { continue };
        match weighings.last_mut().filter(|last| last.day == next.day) {
            // Two weights of one day at two places: neither is known to be the right one.
            Some(last) if last.weight != next.weight => last.weight = None,
            Some(_) => {}
            None => weighings.push(next),
        }
    }
    let gain = match standards.minimum_gain.judge(sex, born, &weighings)? {
        Gain::First if past.reaches_back => Gain::MissedMonth,
        Gain::First if visit.text(LETTER) != Some(Gain::First.letter()) => return None,
        gain => gain,
    };
    Some(Judged { gain, is_twice_not_enough: standards.minimum_gain.is_twice_not_enough(sex, born, &weighings) })
}

fn weighing(standards: &Standards, sex: Sex, born: Date, record: &Record) -> Option<Weighing> {
    let (day, weight) = (record.date("tanggal")?, weight(record)?);
    let measured = Measured { weight: Some(weight), ..Measured::default() };
    let score = days_between(born, day).and_then(|days| standards.assess(sex, days, &measured));
    let score = score.as_ref().and_then(|found| found.score(Index::WeightForAge));
    let is_plausible = score.is_some_and(super::index::Score::is_plausible);
    Some(Weighing { day, weight: Some(weight).filter(|_| is_plausible && !is_swollen(record)) })
}

fn weight(record: &Record) -> Option<Decimal> {
    match record.get(WEIGHT) {
        Some(Value::Decimal(weight)) => Some(*weight),
        _ => None,
    }
}

/// Whether a child's feet are swollen, so that its weight says nothing about its nutrition.
#[must_use]
pub fn is_swollen(record: &Record) -> bool {
    matches!(record.get(OEDEMA), Some(Value::Integer(degree)) if *degree > 0)
}
