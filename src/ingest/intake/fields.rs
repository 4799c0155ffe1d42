//! Which datasets and fields a sent record may have, and the profile that reads them like the cells of a file's row.
//!
//! There is no second rule set: everything follows from the record schemas, and the same reader reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::record::group::Group;
use crate::record::schema::{Field, Kind, Schema, Schemas};
use crate::source::profile::{Profile, ProfileError};

/// Name of the intake in places, instead of a file's.
pub const FILE: &str = "v1/records";
/// The person, whom every record must tell.
pub const PERSON: &str = "sasaran";
/// Elements of a list of one dataset that a record may have. One until a row may yield several records of a dataset.
pub const ELEMENTS_MAX: usize = 1;

/// Datasets that are never sent: the registers are files of the puskesmas, the others are derived.
const NOT_TAKEN: [&str; 5] = ["posyandu", "hari_buka", "kunjungan", "pendaftaran", "pertumbuhan"];
/// Fields that the gateway works out itself.
const DERIVED: [&str; 4] = ["status_nik", "cara_ukur_diturunkan", "vaksin_nama", "jadwal"];
/// Fields that are only compared with what the gateway works out.
const COMPARED: [&str; 1] = ["umur_bulan"];
/// Start of the names of datasets that stand for the visit itself: a record has one of each at most.
const VISIT: &str = "kunjungan";

/// One dataset as it may be sent.
#[derive(Debug)]
pub struct Dataset {
    /// Its schema.
    pub schema: Arc<Schema>,
    /// Each field's column.
    pub columns: BTreeMap<String, usize>,
    /// The field without which there is no record of this dataset; none for the person.
    pub marker: Option<String>,
}

impl Dataset {
    /// Whether a record may have a list of them.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.schema.dataset != PERSON && !self.schema.dataset.starts_with(VISIT)
    }
}

/// Everything that may be sent.
#[derive(Debug)]
pub struct Fields {
    /// The datasets by name.
    pub datasets: BTreeMap<String, Dataset>,
    /// The columns in order, named `dataset.field`.
    pub headers: Vec<String>,
}

impl Fields {
    /// What the schemas allow.
    #[must_use]
    pub fn of(schemas: &Schemas) -> Self {
        let mut headers = Vec::new();
        let mut datasets = BTreeMap::new();
        for schema in taken(schemas) {
            let mut columns = BTreeMap::new();
            for field in sent(schema) {
                columns.insert(field.name.clone(), headers.len());
                headers.push(header(&schema.dataset, &field.name));
            }
            let marker = marker(schema);
            datasets.insert(schema.dataset.clone(), Dataset { schema: Arc::clone(schema), columns, marker });
        }
        Self { datasets, headers }
    }
}

/// The datasets that may be sent.
fn taken(schemas: &Schemas) -> impl Iterator<Item = &Arc<Schema>> {
    schemas.0.values().filter(|schema| !NOT_TAKEN.contains(&schema.dataset.as_str()))
}

/// The fields of a dataset that may be sent.
fn sent(schema: &Schema) -> impl Iterator<Item = &Field> {
    schema.fields.iter().filter(|field| !is_derived(&field.name))
}

/// Whether the gateway fills a field itself.
#[must_use]
pub fn is_derived(field: &str) -> bool {
    DERIVED.contains(&field)
}

/// Whether the sender must fill a field that its schema requires.
#[must_use]
pub fn is_owed(field: &str) -> bool {
    !is_derived(field) && !COMPARED.contains(&field)
}

/// A field's column.
fn header(dataset: &str, field: &str) -> String {
    format!("{dataset}.{field}")
}

/// The field that shows that there is a record of this dataset: of a visit its day, else the first thing required.
fn marker(schema: &Schema) -> Option<String> {
    if schema.dataset == PERSON {
        return None;
    }
    let required = |field: &&Field| field.required && !is_derived(&field.name);
    let is_day = |field: &&Field| field.name == "tanggal";
    let day = || sent(schema).find(is_day);
    let other = || sent(schema).filter(required).find(|field| !is_day(field));
    let found = if schema.dataset.starts_with(VISIT) { day().or_else(other) } else { other().or_else(day) };
    found.map(|field| field.name.clone())
}

/// The profile by which sent records are read.
///
/// # Errors
/// [`ProfileError`] when the schemas make none; the tests of this build would have told.
pub fn profile(schemas: &Schemas) -> Result<Profile, ProfileError> {
    let tables: Vec<Json> = tables(schemas).into_iter().map(|visit| table(schemas, visit)).collect();
    let written = json!({"title": "Aplikasi posyandu", "kind": "file", "dates": ["iso"], "tables": tables});
    // JSON is YAML too, so the profile passes the checks of every other one.
    Profile::parse("intake.yaml", &written.to_string())
}

/// The tables of the profile: one without a visit's own dataset, then one for each of them. A row is one visit of one
/// life-cycle group, so no table has two.
#[must_use]
pub fn tables(schemas: &Schemas) -> Vec<Option<&str>> {
    let visits = taken(schemas).map(|schema| schema.dataset.as_str()).filter(|name| Group::by_dataset(name).is_some());
    std::iter::once(None).chain(visits.map(Some)).collect()
}

fn table(schemas: &Schemas, visit: Option<&str>) -> Json {
    let (mut records, mut only_with) = (Map::new(), Map::new());
    let belongs =
        |schema: &&Arc<Schema>| Group::by_dataset(&schema.dataset).is_none() || visit == Some(schema.dataset.as_str());
    for schema in taken(schemas).filter(belongs) {
        let specs = sent(schema).map(|field| (field.name.clone(), spec(&schema.dataset, field))).collect();
        records.insert(schema.dataset.clone(), Json::Object(specs));
        if let Some(marker) = marker(schema) {
            only_with.insert(schema.dataset.clone(), json!(marker));
        }
    }
    json!({"name": FILE, "records": records, "only_with": only_with})
}

/// How a field's value is read once it is the text of a cell.
fn spec(dataset: &str, field: &Field) -> Json {
    let mut spec =
        json!({"columns": [header(dataset, &field.name)], "optional": true, "format": format(dataset, field)});
    let words = match &field.kind {
        Kind::Code(codes) => codes.iter().map(|code| (code.clone(), json!([]))).collect(),
        Kind::Boolean => ["true", "false"].map(|word| (word.to_owned(), json!([]))).into_iter().collect(),
        _ => Map::new(),
    };
    if !words.is_empty() {
        spec["words"] = Json::Object(words);
    }
    spec
}

fn format(dataset: &str, field: &Field) -> &'static str {
    let name = field.name.as_str();
    match &field.kind {
        Kind::Text if name.starts_with("nik") => "nik",
        Kind::Text if name == "no_hp" => "phone",
        Kind::Text if dataset == PERSON && name.starts_with("nama") => "name",
        Kind::Text => "text",
        Kind::Code(_) if name == "antigen" => "vaccine",
        Kind::Code(_) if name == "alasan_tidak" => "reason",
        Kind::Code(_) => "words",
        Kind::Boolean => "flag",
        Kind::Date => "date",
        Kind::Time => "time",
        Kind::Integer if name == "umur_bulan" => "age",
        Kind::Integer if name == "dosis_ke" => "dose",
        Kind::Decimal if name.starts_with("zs_") => "computed",
        Kind::Integer | Kind::Decimal => "number",
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::reader::Reader;

    #[test]
    fn the_schemas_make_a_profile_that_the_reader_takes() {
        let schemas = Schemas::built_in().unwrap();
        let profile = profile(&schemas).unwrap_or_else(|error| panic!("{error}"));
        assert!(profile.datasets.contains("kunjungan_balita") && !profile.posyandu);
        Reader::new(Arc::new(profile), &schemas).unwrap();
    }

    #[test]
    fn a_dataset_is_recognised_by_what_it_cannot_do_without() {
        let fields = Fields::of(&Schemas::built_in().unwrap());
        let marker = |dataset: &str| fields.datasets[dataset].marker.clone();
        assert_eq!(marker("sasaran"), None);
        assert_eq!(marker("kunjungan_balita").as_deref(), Some("tanggal"));
        assert_eq!(marker("imunisasi").as_deref(), Some("antigen"));
        assert!(fields.datasets["imunisasi"].is_list() && !fields.datasets["kunjungan_balita"].is_list());
        assert!(!fields.headers.iter().any(|header| header == "sasaran.status_nik"));
    }
}
