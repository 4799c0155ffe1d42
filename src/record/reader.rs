//! Row → records and issues: which datasets a row yields, in which order they are read, and the last check.
//!
//! It must not know a source: the profile says where each field stands. It is pure; the day of reading is given.

use std::sync::Arc;

use jiff::civil::Date;

use super::antigen::{Antigens, AntigensError};
use super::draft::{DatasetPlan, Draft, Scene};
use super::group::Group;
use super::matching::Person;
use super::occasion::{self, Birth, Told};
use super::schema::Schemas;
use super::{Record, RowOutcome, fingerprint, immunization, person, place, screening, supplement, visit};
use crate::issue::{Code, Issue};
use crate::source::Row;
use crate::source::profile::{Profile, Table};

/// All datasets, in the order in which they are read: an age needs the person, a dose needs the visit.
/// `permohonan_spm` will follow here; `kunjungan` is derived and never read.
pub const ORDER: [&str; 15] = [
    "posyandu",
    "hari_buka",
    "sasaran",
    "kunjungan_ibu_hamil",
    "kunjungan_ibu_nifas",
    "kunjungan_balita",
    "kunjungan_remaja",
    "kunjungan_dewasa",
    "kunjungan_lansia",
    "imunisasi",
    "suplementasi",
    "skrining",
    "kunjungan_rumah",
    "kunjungan_neonatus",
    "rujukan",
];

/// Reads the rows of one profile.
#[derive(Debug)]
pub struct Reader {
    profile: Arc<Profile>,
    tables: Vec<TablePlan>,
    antigens: Antigens,
}

/// What the rows of one table yield.
#[derive(Debug)]
struct TablePlan {
    datasets: Vec<DatasetPlan>,
    group: Option<&'static Group>,
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
    /// A table's group is unknown, or another than its visits belong to.
    #[error("profile `{profile}`: the group `{group}` does not fit table `{table}`")]
    Group {
        /// Profile.
        profile: String,
        /// Table.
        table: String,
        /// The group as written.
        group: String,
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
        let tables =
            profile.tables.iter().map(|table| table_plan(&profile, table, schemas)).collect::<Result<_, _>>()?;
        Ok(Self { profile, tables, antigens })
    }

    /// Reads one row by itself. `today` is the local calendar day of reading.
    #[must_use]
    pub fn read(&self, row: &Row, today: Date) -> RowOutcome {
        self.read_of(row, today, None)
    }

    /// Reads one row that speaks of a known person, who completes what its file has no column for.
    #[must_use]
    pub fn read_of(&self, row: &Row, today: Date, known: Option<&Person>) -> RowOutcome {
        let mut scene = Scene { profile: &self.profile, row, today, issues: Vec::new() };
        let mut records: Vec<Record> = Vec::new();
        let Some(table) = self.tables.get(row.table) else { return RowOutcome::default() };
        let mut told = Told { group: table.group, known, ..Told::default() };
        for plan in &table.datasets {
            let mut draft = Draft::new(plan, row);
            if plan.only_with.as_deref().is_some_and(|field| draft.cell(field, row).is_none()) {
                continue;
            }
            if plan.schema.dataset == "sasaran" && person::names_nobody(&draft, &scene) {
                scene.issues.push(Issue::error(Code::Required, "row.no_person").at(row.place.clone()));
                return RowOutcome { records: Vec::new(), issues: scene.issues };
            }
            if self.fill(&mut draft, plan, &mut told, &mut scene) {
                records.push(draft.finish());
            }
        }
        let mut outcome = RowOutcome { records, issues: scene.issues };
        person::ease_register(&mut outcome);
        person::ease_newborn(&mut outcome);
        if !outcome.is_held() {
            let is_alone = outcome.records.len() == 1;
            let found = outcome.records.iter().flat_map(|record| check(record, is_alone));
            let found: Vec<Issue> = found.collect();
            outcome.issues.extend(found);
        }
        outcome.issues = told_once(outcome.issues);
        outcome
    }

    /// Fills one dataset by its rules; `false` when the row tells nothing of it.
    fn fill(&self, draft: &mut Draft<'_>, plan: &DatasetPlan, told: &mut Told<'_>, scene: &mut Scene<'_>) -> bool {
        let dataset = plan.schema.dataset.as_str();
        if let Some(group) = Group::by_dataset(dataset) {
            visit::read(draft, group, told, scene);
            let column = draft.place_of("tanggal").column.map(Arc::from);
            told.visit_day = draft.record().date("tanggal").map(|day| (day, column));
            told.group = told.group.or(Some(group));
            return true;
        }
        let beside =
            matches!(dataset, "suplementasi" | "skrining" | "kunjungan_rumah" | "kunjungan_neonatus" | "rujukan");
        if beside && plan.only_with.is_none() && occasion::is_silent(draft, scene) {
            return false;
        }
        match dataset {
            "posyandu" => place::read(draft, scene),
            "hari_buka" => place::read_opening_day(draft, scene),
            "sasaran" => {
                person::read(draft, told.known, scene);
                let place = draft.place_of("tanggal_lahir");
                told.birth = draft.record().date("tanggal_lahir").map(|date| Birth { date, place });
                told.sex = draft.record().text("jenis_kelamin").map(str::to_owned);
            }
            "imunisasi" => immunization::read(draft, told, &self.antigens, scene),
            "suplementasi" => return supplement::read(draft, told, scene),
            "skrining" => screening::read(draft, told, scene),
            _ => occasion::read(draft, told, scene),
        }
        true
    }
}

/// Ties the datasets of one table to their schemas, in reading order.
fn table_plan(profile: &Profile, table: &Table, schemas: &Schemas) -> Result<TablePlan, ReaderError> {
    let missing = |dataset: &str| ReaderError::Dataset { profile: profile.name.clone(), dataset: dataset.to_owned() };
    if let Some((dataset, _)) = table.datasets().find(|(dataset, _)| !ORDER.contains(dataset)) {
        return Err(missing(dataset));
    }
    let mut datasets = Vec::new();
    for dataset in ORDER {
        for (_, specs) in table.datasets().filter(|(name, _)| *name == dataset) {
            let schema = schemas.get(dataset).ok_or_else(|| missing(dataset))?;
            let only_with = table.only_with.get(dataset).filter(|field| specs.contains_key(*field)).cloned();
            let plan = DatasetPlan::new(schema, specs, only_with).map_err(|field| ReaderError::Field {
                profile: profile.name.clone(),
                dataset: dataset.to_owned(),
                field,
            })?;
            datasets.push(plan);
        }
    }
    let visits: Vec<&Group> = datasets.iter().filter_map(|plan| Group::by_dataset(&plan.schema.dataset)).collect();
    let group = table.group.as_deref().map(|name| Group::by_name(name).ok_or(name)).transpose();
    match group {
        Ok(group) if visits.len() < 2 && group.is_none_or(|group| visits.iter().all(|visit| *visit == group)) => {
            Ok(TablePlan { datasets, group })
        }
        _ => Err(ReaderError::Group {
            profile: profile.name.clone(),
            table: table.name.clone(),
            group: table.group.clone().unwrap_or_default(),
        }),
    }
}

/// The record against its JSON Schema: the last net under the typed reading. A person who stands alone in a row may
/// lack what is not written; without it nobody is served.
fn check(record: &Record, is_alone: bool) -> Vec<Issue> {
    let found = record.schema.violations(&fingerprint::canonical(record));
    let is_register = is_alone && record.schema.dataset == "sasaran";
    found
        .into_iter()
        .filter(|violation| !(is_register && violation.missing))
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

/// A cell that several records of a row share, such as the day, is told once: it is mended once.
fn told_once(issues: Vec<Issue>) -> Vec<Issue> {
    let mut once: Vec<Issue> = Vec::with_capacity(issues.len());
    for issue in issues {
        let same = |told: &Issue| {
            (&told.rule, told.severity, &told.arguments, &told.place)
                == (&issue.rule, issue.severity, &issue.arguments, &issue.place)
        };
        if issue.place.is_none() || !once.iter().any(same) {
            once.push(issue);
        }
    }
    once
}
