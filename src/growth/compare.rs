//! What stands on the card beside what was computed: a difference beyond rounding is an issue for a person.
//!
//! It must not decide who is right, and words that mean no known class say nothing.

use rust_decimal::Decimal;

use super::assess::Assessment;
use super::category::Categories;
use super::gain::Gain;
use super::index::{Index, Score};
use crate::issue::{Code, Issue};
use crate::record::words::fold;
use crate::record::{Record, Value};

/// What a card may say about an index: the field, and the rule that is told when it differs.
const WRITTEN: [(&str, Index, &str); 8] = [
    ("zs_bbu", Index::WeightForAge, "growth.bbu_differs"),
    ("bbu", Index::WeightForAge, "growth.bbu_differs"),
    ("zs_tbu", Index::HeightForAge, "growth.tbu_differs"),
    ("tbu", Index::HeightForAge, "growth.tbu_differs"),
    ("zs_bbtb", Index::WeightForHeight, "growth.bbtb_differs"),
    ("bbtb", Index::WeightForHeight, "growth.bbtb_differs"),
    ("lk_hasil", Index::HeadForAge, "growth.lk_differs"),
    ("imt_kategori", Index::BmiForAge, "growth.imt_differs"),
];

/// The field of the card's letter.
pub const LETTER: &str = "nt";

/// The rounding of what is computed, in hundredths.
const ROUNDING: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// The differences between a visit's card and its assessment.
#[must_use]
pub fn with_card(categories: &Categories, assessment: &Assessment, visit: &Record) -> Vec<Issue> {
    let mut issues = Vec::new();
    for (field, index, rule) in WRITTEN {
        let Some(score) = assessment.score(index).filter(|score| score.is_plausible()) else { continue };
        let difference = match visit.get(field) {
            Some(Value::Decimal(written)) => score_differs(*written, score),
            Some(Value::Text(written)) => class_differs(categories, assessment, score, written),
            _ => None,
        };
        if let Some((written, computed)) = difference {
            let issue = Issue::warning(Code::Conflict, rule).with("tertulis", written).with("dihitung", computed);
            issues.push(issue.on(field).at(visit.place_of(field)));
        }
    }
    issues
}

/// The difference between the letter of the card and the gain between two weighings. Where one of them is not known
/// here the card may know it, so nothing is said.
#[must_use]
pub fn with_letter(gain: Gain, visit: &Record) -> Option<Issue> {
    let written = visit.text(LETTER)?;
    let is_known_better = match gain {
        Gain::Enough | Gain::NotEnough => written != gain.letter(),
        // Whoever came before is not new.
        Gain::MissedMonth => written == Gain::First.letter(),
        Gain::First => false,
    };
    let told = || {
        let issue = Issue::warning(Code::Conflict, "growth.nt_differs").with("tertulis", written);
        issue.with("dihitung", gain.letter()).on(LETTER).at(visit.place_of(LETTER))
    };
    is_known_better.then(told)
}

/// A written score may be rounded to its own last decimal, which a stored number keeps only as far as it matters.
fn score_differs(written: Decimal, score: &Score) -> Option<(String, String)> {
    let half_of_last = Decimal::new(5, written.normalize().scale().saturating_add(1).min(3));
    let differs = (written - score.rounded).abs() > half_of_last + ROUNDING;
    differs.then(|| (written.normalize().to_string(), score.rounded.to_string()))
}

fn class_differs(
    categories: &Categories,
    assessment: &Assessment,
    score: &Score,
    written: &str,
) -> Option<(String, String)> {
    let meant = categories.written(score.index, assessment.standard, &fold(written))?;
    let computed = categories.of(score.index, assessment.standard, score.rounded)?;
    let told = || (meant.category.clone(), format!("{} ({})", computed.category, score.rounded));
    (meant.code != computed.code).then(told)
}
