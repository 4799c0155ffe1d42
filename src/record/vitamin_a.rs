//! Vitamin A: the colour of the capsule, which cards often leave out and the age decides.
//!
//! It must not give a capsule to an age that has none.

use super::Value;
use super::draft::{Draft, Scene};
use super::words::{says_nothing, shown};
use crate::issue::{Code, Issue};
use crate::source::profile::field::Format;

/// Ages of the blue and of the red vitamin A capsule, in months (satusehat profiles, section 12.3).
const BLUE_MONTHS: std::ops::RangeInclusive<i64> = 6..=11;
const RED_MONTHS: std::ops::RangeInclusive<i64> = 12..=59;

/// The colour for an age in completed months.
fn colour_at(months: i64) -> Option<&'static str> {
    if BLUE_MONTHS.contains(&months) { Some("biru") } else { RED_MONTHS.contains(&months).then_some("merah") }
}

/// Reads `vit_a` of a child's visit: a colour, `tidak`, or a count of capsules.
pub fn of_visit(draft: &mut Draft<'_>, months: Option<i64>, scene: &mut Scene<'_>) {
    let Some(spec) = draft.spec("vit_a") else { return };
    if spec.format == Format::Capsules {
        match capsules(draft, "vit_a", scene) {
            Some(0) => set(draft, "vit_a", "tidak", scene),
            Some(count) => derive(draft, "vit_a", "", count, months, scene),
            None => {}
        }
        return;
    }
    draft.read("vit_a", scene);
    check(draft, "vit_a", "", months, scene);
}

/// Reads `jenis` of a supplement given as a count of capsules; `false` when none was given.
pub fn of_supplement(draft: &mut Draft<'_>, months: Option<i64>, scene: &mut Scene<'_>) -> bool {
    let count = capsules(draft, "jenis", scene);
    if let Some(count) = count.filter(|count| *count > 0) {
        derive(draft, "jenis", "vit_a_", count, months, scene);
        draft.set("jumlah", Value::Integer(count), None);
    }
    count != Some(0)
}

/// Holds a colour that the age does not get. `prefix` stands before the colour in the field's codes.
pub fn check(draft: &Draft<'_>, field: &str, prefix: &str, months: Option<i64>, scene: &mut Scene<'_>) {
    let colour = draft.record().text(field).and_then(|code| code.strip_prefix(prefix)).unwrap_or_default().to_owned();
    let Some(months) = months.filter(|_| matches!(colour.as_str(), "biru" | "merah")) else { return };
    if colour_at(months) != Some(colour.as_str()) {
        let issue = Issue::error(Code::Invariant, "vitamin_a.colour_contradicts_age");
        draft.report(issue.with("nilai", colour).with("umur", months), field, scene);
    }
}

/// A count of capsules, or 1 and 0 for words that say whether one was given.
fn capsules(draft: &Draft<'_>, field: &str, scene: &mut Scene<'_>) -> Option<i64> {
    let cell = draft.written(field, scene.row).filter(|cell| !says_nothing(&cell.text))?;
    if draft.is_broken(field, &cell, scene) {
        return None;
    }
    let said = match draft.code_of(field, &cell.text) {
        Some("true") => Some(1),
        Some("false") => Some(0),
        _ => cell.text.strip_suffix(".0").unwrap_or(&cell.text).parse::<u8>().ok().map(i64::from),
    };
    if said.is_none() {
        draft.report(Issue::error(Code::Value, "words.unknown").with("nilai", shown(&cell.text)), field, scene);
    }
    said
}

/// A count of capsules says that one was given; which one follows from the age.
fn derive(draft: &mut Draft<'_>, field: &str, prefix: &str, count: i64, months: Option<i64>, scene: &mut Scene<'_>) {
    let Some(months) = months else { return };
    let Some(colour) = colour_at(months) else {
        let issue = Issue::error(Code::Invariant, "vitamin_a.colour_contradicts_age");
        return draft.report(issue.with("nilai", count).with("umur", months), field, scene);
    };
    draft.report(Issue::warning(Code::Required, "vitamin_a.color_derived").with("usul", colour), field, scene);
    set(draft, field, &format!("{prefix}{colour}"), scene);
}

fn set(draft: &mut Draft<'_>, field: &str, code: &str, scene: &Scene<'_>) {
    let column = draft.written(field, scene.row).and_then(|cell| cell.column);
    draft.set(field, Value::Text(code.to_owned()), column.as_ref());
}
