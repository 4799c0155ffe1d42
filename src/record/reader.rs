//! Row → records and issues: which datasets a row yields, in which order they are read, and the last check.
//!
//! It must not know a source: the profile says where each field stands. It is pure; the day of reading is given.

use std::sync::Arc;

use jiff::civil::Date;

use super::antigen::{Antigens, AntigensError};
use super::draft::{DatasetPlan, Draft, Scene};
use super::schema::Schemas;
use super::visit::Birth;
use super::{Record, RowOutcome, Value, fingerprint, immunization, person, visit};
use crate::issue::{Code, Issue};
use crate::source::Row;
use crate::source::profile::Profile;

/// The order in which datasets are read: an age needs the person, a dose needs the visit.
const ORDER: [&str; 4] = ["posyandu", "sasaran", "kunjungan_balita", "imunisasi"];

/// Reads the rows of one profile.
#[derive(Debug)]
pub struct Reader {
    profile: Arc<Profile>,
    tables: Vec<Vec<DatasetPlan>>,
    antigens: Antigens,
}

/// Why a profile cannot be read with the schemas at hand.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// A dataset without a schema or without rules.
    #[error("profile `{profile}` yields dataset `{dataset}`, which has no schema")]
    Dataset {
        /// Profile.
        profile: String,
        /// Dataset.
        dataset: String,
    },
    /// A field that the dataset's schema does not have.
    #[error("profile `{profile}` fills {dataset}.{field}, which its schema does not have")]
    Field {
        /// Profile.
        profile: String,
        /// Dataset.
        dataset: String,
        /// Field.
        field: String,
    },
    /// The list of vaccine names is damaged.
    #[error("the list of vaccine names cannot be used")]
    Antigens(#[source] AntigensError),
}

impl Reader {
    /// Ties a profile to the schemas, once, before any row is read.
    ///
    /// # Errors
    /// [`ReaderError`] when the profile names a dataset or field that no schema has.
    pub fn new(profile: Arc<Profile>, schemas: &Schemas) -> Result<Self, ReaderError> {
        let antigens = Antigens::built_in().map_err(ReaderError::Antigens)?;
        let mut tables = Vec::with_capacity(profile.tables.len());
        for table in &profile.tables {
            let unknown = table.records.keys().find(|dataset| !ORDER.contains(&dataset.as_str()));
            if let Some(dataset) = unknown {
                return Err(ReaderError::Dataset { profile: profile.name.clone(), dataset: dataset.clone() });
            }
            let mut plans = Vec::new();
            for dataset in ORDER {
                let Some(specs) = table.records.get(dataset) else { continue };
                let missing = || ReaderError::Dataset { profile: profile.name.clone(), dataset: dataset.to_owned() };
                let schema = schemas.get(dataset).ok_or_else(missing)?;
                let only_with = table.only_with.get(dataset).cloned();
                let plan = DatasetPlan::new(schema, specs, only_with).map_err(|field| ReaderError::Field {
                    profile: profile.name.clone(),
                    dataset: dataset.to_owned(),
                    field,
                })?;
                plans.push(plan);
            }
            tables.push(plans);
        }
        Ok(Self { profile, tables, antigens })
    }

    /// Reads one row. `today` is the local calendar day of reading.
    #[must_use]
    pub fn read(&self, row: &Row, today: Date) -> RowOutcome {
        let mut scene = Scene { profile: &self.profile, row, today, issues: Vec::new() };
        let mut records: Vec<Record> = Vec::new();
        let mut birth = None;
        let mut visit_day = None;
        for plan in self.tables.get(row.table).into_iter().flatten() {
            let mut draft = Draft::new(plan, row);
            if plan.only_with.as_deref().is_some_and(|field| draft.cell(field, row).is_none()) {
                continue;
            }
            match plan.schema.dataset.as_str() {
                "posyandu" => place_of_service(&mut draft, &mut scene),
                "sasaran" => {
                    if person::names_nobody(&draft, &scene) {
                        scene.issues.push(Issue::error(Code::Required, "row.no_person").at(row.place.clone()));
                        return RowOutcome { records: Vec::new(), issues: scene.issues };
                    }
                    person::read(&mut draft, &mut scene);
                    let place = draft.place_of("tanggal_lahir");
                    birth = draft.record().date("tanggal_lahir").map(|date| Birth { date, place });
                }
                "kunjungan_balita" => {
                    visit::read(&mut draft, birth.as_ref(), &mut scene);
                    let column = draft.place_of("tanggal").column.map(Arc::from);
                    visit_day = draft.record().date("tanggal").map(|day| (day, column));
                }
                _ => immunization::read(&mut draft, birth.as_ref(), &visit_day, &self.antigens, &mut scene),
            }
            records.push(draft.finish());
        }
        if !scene.issues.iter().any(Issue::is_error) {
            scene.issues.extend(records.iter().flat_map(check));
        }
        RowOutcome { records, issues: scene.issues }
    }
}

/// The record against its JSON Schema: the last net under the typed reading.
fn check(record: &Record) -> Vec<Issue> {
    let found = record.schema.violations(&fingerprint::canonical(record));
    found
        .into_iter()
        .map(|violation| {
            let rule = if violation.missing { "schema.required" } else { "schema.value" };
            let code = if violation.missing { Code::Required } else { Code::Value };
            let field = record.schema.index(&violation.field).and_then(|at| record.schema.fields.get(at));
            let title = field.map_or(violation.field.as_str(), |field| &field.title);
            Issue::error(code, rule)
                .with("kolom", title)
                .on(format!("{}.{}", record.schema.dataset, violation.field))
                .at(record.place_of(&violation.field))
        })
        .collect()
}

/// Fills the fields of `posyandu`.
fn place_of_service(draft: &mut Draft<'_>, scene: &mut Scene<'_>) {
    let schema = Arc::clone(&draft.record().schema);
    for field in &schema.fields {
        draft.read(&field.name, scene);
        let unwritten = draft.cell(&field.name, scene.row).is_none();
        if field.required && unwritten {
            draft.report(Issue::error(Code::Required, "field.missing"), &field.name, scene);
        }
    }
    if let (Some(Value::Time(opens)), Some(Value::Time(closes))) =
        (draft.record().get("jam_buka"), draft.record().get("jam_tutup"))
        && closes <= opens
    {
        draft.report(Issue::error(Code::Invariant, "posyandu.hours"), "jam_tutup", scene);
    }
}
