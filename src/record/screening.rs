//! The answers of one screening instrument at one visit.
//!
//! It must not refer or judge: the cards contradict themselves, so answers and written scores are kept as they are
//! and only differences are flagged (posyandu records, section 2.3).

use super::Value;
use super::draft::{Draft, Scene};
use super::occasion::{Told, day_of_service, require, set_group};
use crate::issue::{Code, Issue};

/// Instrument and the beginning of its items' names. KPSP has no items here: no official list was found.
const INSTRUMENTS: [(&str, &str); 6] = [
    ("tbc", "tbc_"),
    ("puma", "puma_"),
    ("srq20", "srq_"),
    ("aks", "aks_"),
    ("skilas", "skilas_"),
    ("heeadsss", "heeadsss_"),
];
/// Instruments whose score is the sum of their items.
const SUMMED: [&str; 3] = ["puma", "srq20", "aks"];
/// Fields that are derived or read by a rule of their own.
const APART: [&str; 4] = ["tanggal", "kelompok_sasaran", "skor", "tbc_jumlah_gejala"];
/// The signs of TB on every card.
const SIGNS_OF_TB: [&str; 4] = ["tbc_batuk", "tbc_demam", "tbc_bb_turun", "tbc_kontak"];
/// The six domains of SKILAS and the card's questions in each.
const DOMAINS: [(&str, &[&str]); 6] = [
    ("skilas_ranah_kognitif", &["skilas_orientasi", "skilas_ulang_kata"]),
    ("skilas_ranah_mobilisasi", &["skilas_berdiri"]),
    ("skilas_ranah_malnutrisi", &["skilas_bb_turun", "skilas_nafsu", "skilas_lila"]),
    ("skilas_ranah_penglihatan", &["skilas_mata", "skilas_tes_lihat"]),
    ("skilas_ranah_pendengaran", &["skilas_tes_bisik", "skilas_bisik_tidak_bisa"]),
    ("skilas_ranah_depresi", &["skilas_sedih", "skilas_minat"]),
];
/// The PUMA score that the card has no column for: it knows less than 6 and more than 6 (section 2.3).
const PUMA_UNDEFINED: i64 = 6;

/// Fills the fields of `skrining`.
pub fn read(draft: &mut Draft<'_>, told: &Told<'_>, scene: &mut Scene<'_>) {
    day_of_service(draft, told, scene);
    let domains = DOMAINS.map(|(domain, _)| domain);
    draft.read_all(&[APART.as_slice(), &domains].concat(), None, scene);
    set_group(draft, told, scene);
    if draft.record().date("tanggal").is_some() {
        require(draft, scene);
    }
    let Some(instrument) = draft.record().text("instrumen").map(str::to_owned) else { return };
    foreign_items(draft, &instrument, scene);
    derive(draft, &instrument);
    let Some(Value::Integer(score)) = draft.record().get("skor_tertulis").cloned() else { return };
    if instrument == "puma" && score == PUMA_UNDEFINED {
        draft.report(Issue::warning(Code::Value, "puma.undefined"), "skor_tertulis", scene);
    }
    if sum(draft, &instrument).is_some_and(|sum| sum != score) {
        draft.report(Issue::warning(Code::Conflict, "screening.score_differs"), "skor_tertulis", scene);
    }
}

/// What follows from the answers alone: the sum where all are there, else the written one; how many signs of TB; the
/// domains of SKILAS, each found as soon as one answer is Ya, and empty while it could still be.
fn derive(draft: &mut Draft<'_>, instrument: &str) {
    let written = match draft.record().get("skor_tertulis") {
        Some(Value::Integer(score)) => Some(*score),
        _ => None,
    };
    if let Some(score) = sum(draft, instrument).or(written) {
        draft.set("skor", Value::Integer(score), None);
    }
    let signs = answers(draft, &SIGNS_OF_TB);
    if signs.iter().any(Option::is_some) {
        let present = signs.iter().filter(|sign| **sign == Some(true)).count();
        draft.set("tbc_jumlah_gejala", Value::Integer(i64::try_from(present).unwrap_or_default()), None);
    }
    for (domain, questions) in DOMAINS {
        let given = answers(draft, questions);
        let found = given.contains(&Some(true));
        if found || given.iter().all(Option::is_some) {
            draft.set(domain, Value::Boolean(found), None);
        }
    }
}

fn answers(draft: &Draft<'_>, questions: &[&str]) -> Vec<Option<bool>> {
    let answer = |name: &&str| match draft.record().get(name) {
        Some(Value::Boolean(answer)) => Some(*answer),
        _ => None,
    };
    questions.iter().map(answer).collect()
}

/// Answers to another instrument's questions.
fn foreign_items(draft: &Draft<'_>, instrument: &str, scene: &mut Scene<'_>) {
    let foreign = INSTRUMENTS.iter().filter(|(name, _)| *name != instrument);
    for (_, prefix) in foreign {
        let fields = &draft.record().schema.fields;
        let answered = |name: &str| name.starts_with(prefix) && draft.record().get(name).is_some();
        let Some(name) = fields.iter().map(|field| field.name.clone()).find(|name| answered(name)) else { continue };
        let issue = Issue::error(Code::Invariant, "screening.other_instrument").with("instrumen", instrument);
        draft.report(issue, &name, scene);
    }
}

/// The sum of all items; `None` when one is not answered.
fn sum(draft: &Draft<'_>, instrument: &str) -> Option<i64> {
    let (_, prefix) = INSTRUMENTS.iter().find(|(name, _)| *name == instrument && SUMMED.contains(name))?;
    let fields = draft.record().schema.fields.iter();
    let items = fields.filter(|field| field.name.starts_with(prefix) && !field.judgement);
    let answers = items.map(|field| match draft.record().get(&field.name) {
        Some(Value::Integer(answer)) => Some(*answer),
        _ => None,
    });
    answers.sum()
}
