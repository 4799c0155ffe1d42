//! Resources that one plan makes by the same branches from values which no check can tell apart are one shape: what is
//! found out about one of them holds for all.
//!
//! The model decides by type and a rule by kind or by comparing times, so a shape is: the plan, which guards held,
//! the codes, the order of the times, and every other value unless it is a plain number, date or time. It must not
//! widen these classes by guessing: what fits none is taken literally and costs a look of its own.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hash as _, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use rust_decimal::Decimal;

use crate::clock::Zone;
use crate::mapping::compile::ResourcePlan;
use crate::mapping::plan::{Operation, Pointer, Records, Slot};
use crate::mapping::visit::DraftResource;
use crate::record::Value;

/// Shapes remembered, at most; a mapping yields some hundreds, so this is reached by free texts alone.
const SHAPES_MAX: usize = 4_096;
/// Largest whole number of the class: it fits every integer type of FHIR (32 bits).
const WHOLE_MAX: i64 = 999_999_999;
/// Largest mantissa of a decimal of the class: a binary64 holds 15 digits exactly.
const MANTISSA_MAX: i128 = 999_999_999_999_999;
/// Most digits behind the point of a decimal of the class.
const SCALE_MAX: u32 = 4;
/// Most different times in one resource; more are taken literally.
const MOMENTS_MAX: usize = 8;
/// Most letters of a batch number of the class, and the fewest digits of one without a letter (four are a year).
const BATCH_LETTERS: std::ops::RangeInclusive<usize> = 1..=64;
/// As above.
const BATCH_DIGITS_MIN: usize = 5;
/// Years whose dates the model and the rules read alike.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2099;

/// The name of a shape: it holds within this process only.
pub type Shape = u64;

/// Shapes that were found to be FHIR and within every rule.
#[derive(Debug, Default)]
pub struct Proven {
    shapes: Mutex<HashSet<Shape>>,
    /// Keyed at random, so that nobody can make two shapes meet.
    keys: RandomState,
}

impl Proven {
    /// Whether a shape was found fine.
    #[must_use]
    pub fn contains(&self, shape: Shape) -> bool {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner).contains(&shape)
    }

    /// Remembers a shape that was found fine.
    pub fn remember(&self, shape: Shape) {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        if shapes.len() >= SHAPES_MAX {
            shapes.clear();
        }
        shapes.insert(shape);
    }

    /// Names the shape of what a plan makes of these records, in a visit with these resources.
    #[must_use]
    pub fn name(
        &self,
        plan: &ResourcePlan,
        records: Records<'_>,
        zone: Zone,
        organization: &str,
        visit: &[DraftResource<'_>],
    ) -> Shape {
        let state = self.keys.build_hasher();
        let mut trace = Trace { records, zone, visit, state, pairs: Vec::new(), moments: Vec::new() };
        trace.state.write_u64(plan.serial);
        if organization.is_empty() || !organization.bytes().all(|byte| byte.is_ascii_digit()) {
            organization.hash(&mut trace.state);
        }
        trace.walk(&plan.operations);
        trace.order();
        trace.state.finish()
    }
}

/// A class, or a mark in front of something literal; distinct from each other.
#[repr(u8)]
enum Mark {
    Held = 1,
    NotHeld,
    Code,
    Moment,
    Clock,
    Batch,
    Whole,
    Decimal,
    PlainId,
    Literal,
    Gap,
}

/// A time that the resource holds: a date, or an instant and its date in UTC.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moment {
    day: Date,
    instant: Option<Timestamp>,
}

struct Trace<'a, State: Hasher> {
    records: Records<'a>,
    zone: Zone,
    visit: &'a [DraftResource<'a>],
    state: State,
    /// Instants already made, by the fields they come from.
    pairs: Vec<((Slot, Slot), usize)>,
    moments: Vec<Moment>,
}

impl<State: Hasher> Trace<'_, State> {
    fn walk(&mut self, operations: &[Operation]) {
        for operation in operations {
            match operation {
                Operation::Text(_) | Operation::Comma | Operation::Organization | Operation::OwnIdentifier => {}
                Operation::Field(slot) => self.value(*slot),
                Operation::Instant(date, time) => self.instant(*date, *time),
                Operation::Reference(Pointer::Location(slot) | Pointer::Posyandu(slot)) => self.id(*slot),
                Operation::Reference(_) => {}
                Operation::Codings(slot, _) => self.literal(Mark::Code, *slot),
                Operation::Guard(checks, inner) => {
                    let held = self.records.hold(checks);
                    self.mark(if held { Mark::Held } else { Mark::NotHeld });
                    if held {
                        self.walk(inner);
                    }
                }
                Operation::Prune(inner) => self.walk(inner),
                Operation::Day(slot) => self.value(*slot),
                Operation::WherePresent(inner) => {
                    // A reference that is left out with its target is another shape.
                    self.visit.iter().for_each(|resource| self.state.write_u64(resource.plan.serial));
                    self.walk(inner);
                }
            }
        }
    }

    fn mark(&mut self, mark: Mark) {
        self.state.write_u8(mark as u8);
    }

    fn value(&mut self, slot: Slot) {
        match self.records.value(slot) {
            Some(Value::Integer(1..=WHOLE_MAX)) => self.mark(Mark::Whole),
            Some(Value::Decimal(number)) => match class_of_decimal(*number) {
                Some(mark) => self.mark(mark),
                None => self.literal(Mark::Literal, slot),
            },
            Some(Value::Date(day)) if YEARS.contains(&day.year()) => {
                let index = self.index(Moment { day: *day, instant: None });
                self.moment(index);
            }
            Some(Value::Time(_)) => self.mark(Mark::Clock),
            Some(Value::Text(text)) if is_batch(text) => {
                self.mark(Mark::Batch);
                self.state.write_usize(text.len());
            }
            _ => self.literal(Mark::Literal, slot),
        }
    }

    fn literal(&mut self, mark: Mark, slot: Slot) {
        self.mark(mark);
        match self.records.value(slot) {
            Some(Value::Text(text)) => text.hash(&mut self.state),
            Some(Value::Boolean(truth)) => self.state.write_u8(u8::from(*truth)),
            Some(other) => format!("{other:?}").hash(&mut self.state),
            None => self.mark(Mark::Gap),
        }
    }

    /// An id of the server's kind: letters, digits, `-` and `.`, 64 at most.
    fn id(&mut self, slot: Slot) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        match self.records.value(slot) {
            Some(Value::Text(id)) if (1..=64).contains(&id.len()) && id.bytes().all(is_plain) => {
                self.mark(Mark::PlainId);
            }
            _ => self.literal(Mark::Literal, slot),
        }
    }

    fn instant(&mut self, date: Slot, time: Slot) {
        if let Some((_, index)) = self.pairs.iter().find(|(pair, _)| *pair == (date, time)) {
            let index = *index;
            return self.moment(index);
        }
        match (self.records.value(date), self.records.value(time)) {
            (Some(Value::Date(day)), Some(Value::Time(hour))) if YEARS.contains(&day.year()) => {
                let instant = self.zone.instant(*day, *hour);
                let day = Offset::UTC.to_datetime(instant).date();
                let index = self.index(Moment { day, instant: Some(instant) });
                self.pairs.push(((date, time), index));
                self.moment(index);
            }
            _ => {
                self.literal(Mark::Literal, date);
                self.literal(Mark::Literal, time);
            }
        }
    }

    fn index(&mut self, moment: Moment) -> usize {
        let known = self.moments.iter().position(|known| *known == moment);
        known.unwrap_or_else(|| {
            self.moments.push(moment);
            self.moments.len() - 1
        })
    }

    fn moment(&mut self, index: usize) {
        self.mark(Mark::Moment);
        self.state.write_usize(index);
    }

    /// How the times stand to each other, which is all that a rule may ask.
    fn order(&mut self) {
        let many = self.moments.len() > MOMENTS_MAX;
        for (at, one) in self.moments.iter().enumerate() {
            if many {
                (one.day, one.instant).hash(&mut self.state);
                continue;
            }
            for other in &self.moments[..at] {
                self.state.write_i8(one.day.cmp(&other.day) as i8);
                if let (Some(one), Some(other)) = (one.instant, other.instant) {
                    self.state.write_i8(one.cmp(&other) as i8);
                }
            }
        }
    }
}

/// A batch or product number: capitals and digits, at least one digit. No list of R4 that binds an element of ours
/// holds such a word, no rule asks for one, and none is a date; the length still tells (base64).
fn is_batch(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.bytes().filter(u8::is_ascii_uppercase).count();
    BATCH_LETTERS.contains(&text.len())
        && digits + letters == text.len()
        && digits > 0
        && (letters > 0 || digits >= BATCH_DIGITS_MIN)
}

fn class_of_decimal(number: Decimal) -> Option<Mark> {
    let mantissa = number.mantissa();
    match number.scale() {
        0 => (1..=i128::from(WHOLE_MAX)).contains(&mantissa).then_some(Mark::Whole),
        1..=SCALE_MAX => (0..=MANTISSA_MAX).contains(&mantissa).then_some(Mark::Decimal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_told_from_words_and_years() {
        for batch in ["AB1234", "21004", "93001282", "B00012"] {
            assert!(is_batch(batch), "{batch}");
        }
        for other in ["", "2026", "AMB", "final", "AB-12", "2026-11-18", "a1", "T 1"] {
            assert!(!is_batch(other), "{other}");
        }
    }

    #[test]
    fn numbers_that_a_check_could_tell_apart_are_no_class() {
        assert!(matches!(class_of_decimal(Decimal::new(125, 1)), Some(Mark::Decimal)));
        assert!(matches!(class_of_decimal(Decimal::new(12, 0)), Some(Mark::Whole)));
        for other in [Decimal::new(-125, 1), Decimal::ZERO, Decimal::new(1, 5), Decimal::new(3_000_000_000, 0)] {
            assert!(class_of_decimal(other).is_none(), "{other}");
        }
    }

    #[test]
    fn shapes_are_remembered_within_bounds() {
        let proven = Proven::default();
        let last = SHAPES_MAX as Shape;
        (0..last).for_each(|shape| proven.remember(shape));
        assert!(proven.contains(0) && !proven.contains(last));
        proven.remember(last);
        assert!(!proven.contains(0) && proven.contains(last));
    }
}
