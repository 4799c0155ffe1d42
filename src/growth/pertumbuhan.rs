//! The derived record `pertumbuhan`: what the standards say about one visit of a child, as a record beside it.
//!
//! It is never read from a file and never stored; it follows from the visit and the person each time. It must not
//! change the visit's record, nor report a value that WHO's limits call implausible.

use std::sync::Arc;

use super::assess::{Assessment, Measured, Position, Standard, days_between};
use super::compare;
use super::gain::Gain;
use super::index::Index;
use super::weighing::{self, Judged, Past, is_swollen};
use super::{Sex, Standards};
use crate::issue::{Code, Issue};
use crate::record::date::months_between;
use crate::record::schema::Schema;
use crate::record::{Record, Value};

/// Name of the derived dataset.
pub const DATASET: &str = "pertumbuhan";
/// First age that Permenkes 2/2020 no longer knows, 19 years, in completed months.
const ADULT_FROM: i64 = 19 * 12;

/// What the standards say about a visit.
#[derive(Debug, Default)]
pub struct Derived {
    /// The record; `None` when nothing can be said.
    pub record: Option<Record>,
    /// What is implausible, differs from the card or cannot be computed.
    pub issues: Vec<Issue>,
}

/// An index, its fields in the record, and the visit's fields it is measured by; the first that the visit has names
/// the cell.
struct Fields {
    index: Index,
    score: &'static str,
    class: Option<&'static str>,
    measured: &'static [&'static str],
}

const FIELDS: [Fields; 6] = [
    Fields { index: Index::WeightForAge, score: "zs_bbu", class: Some("bbu"), measured: &["bb"] },
    Fields { index: Index::HeightForAge, score: "zs_tbu", class: Some("tbu"), measured: &["pb_tb", "tb"] },
    Fields { index: Index::WeightForHeight, score: "zs_bbtb", class: Some("bbtb"), measured: &["bb"] },
    Fields { index: Index::BmiForAge, score: "zs_imtu", class: Some("imtu"), measured: &["bb"] },
    Fields { index: Index::HeadForAge, score: "zs_lku", class: Some("lku"), measured: &["lingkar_kepala"] },
    Fields { index: Index::ArmForAge, score: "zs_lilau", class: None, measured: &["lila"] },
];

/// Whether a dataset holds visits of children.
#[must_use]
pub fn is_of_children(dataset: &str) -> bool {
    matches!(dataset, "kunjungan_balita" | "kunjungan_remaja")
}

/// What the standards say about a visit of the person, beside its earlier weighings; nothing for visits of others than
/// children.
#[must_use]
pub fn derive(standards: &Standards, schema: &Arc<Schema>, sasaran: &Record, visit: &Record, past: &Past) -> Derived {
    let mut derived = Derived::default();
    if !is_of_children(&visit.schema.dataset) {
        return derived;
    }
    let measured = measured(visit);
    if measured.weight.is_none() && measured.height.is_none() && measured.head.is_none() && measured.arm.is_none() {
        return derived;
    }
    let sex = sasaran.text("jenis_kelamin").and_then(Sex::from_letter);
    let (Some(sex), Some(born), Some(day)) = (sex, sasaran.date("tanggal_lahir"), visit.date("tanggal")) else {
        return derived;
    };
    let months = months_between(born, day);
    if !(0..ADULT_FROM).contains(&months) {
        return derived;
    }
    if sasaran.text("ketelitian_tanggal").is_some_and(|precision| precision != "hari") {
        let issue = Issue::information(Code::Required, "growth.birth_inexact");
        derived.issues.push(issue.on("tanggal_lahir").at(sasaran.place_of("tanggal_lahir")));
        return derived;
    }
    let Some(assessment) = days_between(born, day).and_then(|days| standards.assess(sex, days, &measured)) else {
        return derived;
    };
    if measured.has_oedema {
        let issue = Issue::warning(Code::Suppressed, "growth.oedema");
        derived.issues.push(issue.on("pitting_edema").at(visit.place_of("pitting_edema")));
    }
    derived.issues.extend(implausible(&assessment, visit));
    derived.issues.extend(compare::with_card(&standards.categories, &assessment, visit));
    let judged = weighing::judge(standards, sex, born, visit, past);
    derived.issues.extend(judged.into_iter().flat_map(|judged| of_gain(judged, visit)));
    derived.record = record(standards, schema, visit, &assessment, months, judged);
    derived
}

/// What is told about the gain: that the card says something else, and that a child did not gain twice running.
fn of_gain(judged: Judged, visit: &Record) -> Vec<Issue> {
    let twice = || {
        let issue = Issue::warning(Code::BusinessRule, "growth.twice_not_enough");
        issue.on("bb").at(visit.place_of("bb"))
    };
    let differs = compare::with_letter(judged.gain, visit);
    differs.into_iter().chain(judged.is_twice_not_enough.then(twice)).collect()
}

fn measured(visit: &Record) -> Measured {
    let number = |field: &str| match visit.get(field) {
        Some(Value::Decimal(number)) => Some(*number),
        _ => None,
    };
    let position = match visit.text("cara_ukur") {
        Some("terlentang") => Some(Position::Lying),
        Some("berdiri") => Some(Position::Standing),
        _ => None,
    };
    let standing = number("tb").map(|height| (height, Position::Standing));
    Measured {
        weight: number("bb"),
        height: number("pb_tb").zip(position).or(standing),
        head: number("lingkar_kepala"),
        arm: number("lila"),
        has_oedema: is_swollen(visit),
    }
}

fn implausible(assessment: &Assessment, visit: &Record) -> Vec<Issue> {
    let scores = FIELDS.iter().filter_map(|fields| Some((fields, assessment.score(fields.index)?)));
    scores
        .filter(|(_, score)| !score.is_plausible())
        .map(|(fields, score)| {
            let field = source(visit, fields);
            Issue::warning(Code::Value, "growth.implausible")
                .with("indeks", score.index.name())
                .with("dihitung", score.rounded)
                .on(field)
                .at(visit.place_of(field))
        })
        .collect()
}

/// The visit's field that an index is measured by.
fn source(visit: &Record, fields: &Fields) -> &'static str {
    let has = |field: &&&str| visit.get(field).is_some();
    fields.measured.iter().find(has).or(fields.measured.first()).copied().unwrap_or_default()
}

fn record(
    standards: &Standards,
    schema: &Arc<Schema>,
    visit: &Record,
    assessment: &Assessment,
    months: i64,
    judged: Option<Judged>,
) -> Option<Record> {
    let count = schema.fields.len();
    let place = visit.place.clone();
    let mut record =
        Record { values: vec![None; count], columns: vec![None; count], place, schema: Arc::clone(schema) };
    let mut set = |field: &str, value: Value, from: &str| {
        let Some(at) = schema.index(field) else { return };
        record.values[at] = Some(value);
        let column = visit.schema.index(from).and_then(|at| visit.columns.get(at)).cloned();
        record.columns[at] = column.flatten();
    };
    let mut has_score = false;
    for fields in &FIELDS {
        let Some(score) = assessment.score(fields.index).filter(|score| score.is_plausible()) else { continue };
        has_score = true;
        let from = source(visit, fields);
        set(fields.score, Value::Decimal(score.rounded), from);
        let class = standards.categories.of(score.index, assessment.standard, score.rounded);
        if let (Some(class), Some(field)) = (class, fields.class) {
            set(field, Value::Text(class.code.clone()), from);
        }
        if let (Index::BmiForAge, Some(bmi)) = (fields.index, assessment.bmi) {
            set("imt", Value::Decimal(bmi), from);
        }
    }
    let standard = match assessment.standard {
        Standard::Who2006 => "who_2006",
        Standard::Who2007 => "who_2007",
    };
    let compared_as = match assessment.compared_as {
        Position::Lying => "panjang",
        Position::Standing => "tinggi",
    };
    set("tanggal", visit.get("tanggal")?.clone(), "tanggal");
    set("umur_hari", Value::Integer(assessment.days), "");
    set("umur_bulan", Value::Integer(months), "");
    set("standar", Value::Text(standard.to_owned()), "");
    set("dibandingkan_sebagai", Value::Text(compared_as.to_owned()), "");
    if let Some(Judged { gain, is_twice_not_enough }) = judged {
        set("kenaikan_bb", Value::Text(gain.letter().to_owned()), "bb");
        if gain == Gain::NotEnough {
            set("dua_t", Value::Boolean(is_twice_not_enough), "bb");
        }
    }
    has_score.then_some(record)
}
