//! One row as read becomes what the ledger sees: records of a visit, an issue, or a counted skip.
//!
//! Gives every person, visit, record and row its keyed name. It must not write, and must not merge rows: which of
//! two rows counts is the ledger's decision.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use super::register::{Posyandu, Register};
use crate::growth::weighing;
use crate::issue::{Issue, Place};
use crate::ledger::row::{RowKind, RowSeen, StoredRecord, VisitHead};
use crate::ledger::series::InSeries;
use crate::record::group::Group;
use crate::record::{Record, RowOutcome, Value};
use crate::seal::Keys;
use crate::source::{Row, SkipReason};

/// The dataset of the person, which every row with a service tells along.
pub(super) const PERSON: &str = "sasaran";
/// The dataset of the days on which a posyandu opens.
const OPENING_DAY: &str = "hari_buka";

fn is_person(record: &Record) -> bool {
    record.schema.dataset == PERSON
}

/// Whether a dataset is something that was done for a person on a day.
fn is_service(record: &Record) -> bool {
    !matches!(record.schema.dataset.as_str(), PERSON | OPENING_DAY | "posyandu")
}

/// What is the same for all rows of a source.
pub struct Origin<'a> {
    /// Keys for the keyed names.
    pub keys: &'a Keys,
    /// The posyandu.
    pub register: &'a Register,
    /// The puskesmas of the source; empty when the register decides.
    pub puskesmas: &'a str,
    /// Whether the rows have keys of their own, as those of tables do and those of files do not.
    pub keyed: bool,
}

impl Origin<'_> {
    /// A row that was skipped.
    #[must_use]
    pub fn skipped(&self, place: Place, reason: SkipReason) -> RowSeen {
        let word = reason.name();
        let key = self.keys.hash("row.place", &[&place.source, &place.file, &place.row]);
        self.seen(place, key, [0; 32], RowKind::Skipped(word.to_owned()), Vec::new())
    }

    /// A row that could not be read at all.
    #[must_use]
    pub fn broken(&self, issue: Issue) -> RowSeen {
        let place = issue.place.clone().unwrap_or_default();
        let key = self.keys.hash("row.broken", &[&place.source, &place.file, &place.row, &issue.rule]);
        self.seen(place, key, key, RowKind::Issue, vec![issue])
    }

    /// A row with records or issues, by itself: its number names its person.
    #[must_use]
    pub fn row(&self, row: &Row, outcome: RowOutcome) -> RowSeen {
        self.row_of(row, outcome, None)
    }

    /// A row with records or issues of a person who may be known by another name than the row's number.
    #[must_use]
    pub fn row_of(&self, row: &Row, outcome: RowOutcome, identity: Option<&[u8; 32]>) -> RowSeen {
        let RowOutcome { records, mut issues } = outcome;
        let posyandu = self.posyandu(&records, &mut issues);
        let held = issues.iter().any(Issue::is_error);
        let tells = |posyandu: &Option<_>| posyandu.is_some() || records.iter().any(is_person);
        match (posyandu, self.visit_of(&records, identity)) {
            (Some(posyandu), Some(visit)) if !held => self.visit(row, &posyandu, &visit, &records, issues),
            (posyandu, None) if !held && !records.iter().any(is_service) && tells(&posyandu) => {
                self.without_service(row, posyandu.as_deref(), issues)
            }
            (posyandu, _) => self.issue(row, &records, posyandu, issues),
        }
    }

    /// A row of a register: it tells a person or an opening day but no service. It is counted as skipped; whoever
    /// keeps persons and opening days takes the records from here.
    fn without_service(&self, row: &Row, posyandu: Option<&Posyandu>, issues: Vec<Issue>) -> RowSeen {
        let mut seen = self.skipped(row.place.clone(), SkipReason::Register);
        seen.hash = self.keys.hash("row.content", &row.texts().collect::<Vec<_>>());
        seen.issues = issues;
        if let Some(posyandu) = posyandu {
            seen.puskesmas = Some(posyandu.puskesmas.clone());
            seen.posyandu = Some(posyandu.code.clone());
        }
        seen
    }

    /// Who came and when, as far as a row tells it.
    fn visit_of(&self, records: &[Record], identity: Option<&[u8; 32]>) -> Option<Visit> {
        let nik = records.iter().find(|record| is_person(record))?.text("nik")?;
        let person = identity.map_or_else(|| hex(&self.keys.hash("person", &[nik])), hex);
        Some(Visit { person, date: service_date(records)? })
    }

    fn posyandu(&self, records: &[Record], issues: &mut Vec<Issue>) -> Option<Arc<Posyandu>> {
        let names = |record: &&Record| matches!(record.schema.dataset.as_str(), PERSON | OPENING_DAY);
        let naming = records.iter().find(names)?;
        let written = naming.text("posyandu")?;
        match self.register.find(written, self.puskesmas) {
            Ok(posyandu) => Some(Arc::clone(posyandu)),
            Err(issue) => {
                issues.push(issue.on("posyandu").at(naming.place_of("posyandu")));
                None
            }
        }
    }

    fn visit(&self, row: &Row, posyandu: &Posyandu, visit: &Visit, records: &[Record], issues: Vec<Issue>) -> RowSeen {
        let date = visit.date.to_string();
        let person = visit.person.clone();
        let group = Group::of(records.iter()).name;
        // A home visit is another visit than the one at the posyandu on the same day.
        let home = records.iter().find(|record| record.schema.dataset == "kunjungan_rumah");
        let home = home.and_then(|record| record.text("jenis"));
        let visit_key = match home {
            Some(kind) => self.keys.hash("visit", &[&posyandu.code, &person, &date, group, kind]),
            None => self.keys.hash("visit", &[&posyandu.code, &person, &date, group]),
        };
        let visit_name = hex(&visit_key);
        let service_key = |record: &Record| self.record_key(record, &person, &visit_name);
        // The first service names the row: a weighing with an immunization is the row of the weighing.
        let service = records.iter().find(|record| is_service(record)).map(&service_key).unwrap_or_default();
        // A person is told with a service and replaced with it; another source may spell the address otherwise.
        let told = self.keys.hash("record.sasaran", &[&row.place.source, &visit_name, &hex(&service)]);
        let key_of = |record: &Record| if record.schema.dataset == PERSON { told } else { service_key(record) };
        let row_key = if self.keyed {
            self.keys.hash("row.key", &[&row.place.file, &row.place.row])
        } else {
            self.keys.hash("row.natural", &[&visit_name, &hex(&service)])
        };
        let stored = records.iter().map(|record| self.stored(record, key_of(record), &person)).collect();
        let head = VisitHead {
            puskesmas: posyandu.puskesmas.clone(),
            posyandu: posyandu.code.clone(),
            service_date: visit.date,
            zone: posyandu.zone,
            due: closing(posyandu, visit.date),
        };
        let kind = RowKind::Records { visit_key, visit: head, records: stored };
        let mut seen = self.seen(row.place.clone(), row_key, content_hash(records), kind, issues);
        seen.puskesmas = Some(posyandu.puskesmas.clone());
        seen.posyandu = Some(posyandu.code.clone());
        seen.service_date = Some(visit.date);
        seen
    }

    /// The natural key of one service (posyandu records, section 6.3): what is given once in a life or half-year
    /// belongs to the person, the rest to the visit.
    fn record_key(&self, record: &Record, person: &str, visit: &str) -> [u8; 32] {
        let text = |field: &str| record.text(field).unwrap_or_default();
        match record.schema.dataset.as_str() {
            "imunisasi" => {
                let dose = match record.get("dosis_ke") {
                    Some(Value::Integer(dose)) => dose.to_string(),
                    _ => String::new(),
                };
                self.keys.hash("record.imunisasi", &[person, text("antigen"), &dose])
            }
            "suplementasi" => match (text("jenis"), record.date("tanggal")) {
                (kind @ ("vit_a_biru" | "vit_a_merah" | "obat_cacing"), Some(day)) => {
                    let half = format!("{}-{}", day.year(), if day.month() <= 6 { 1 } else { 2 });
                    self.keys.hash("record.suplementasi", &[person, kind, &half])
                }
                (kind, _) => self.keys.hash("record.suplementasi", &[visit, kind]),
            },
            "skrining" => self.keys.hash("record.skrining", &[visit, text("instrumen")]),
            "rujukan" => self.keys.hash("record.rujukan", &[visit, text("ke")]),
            dataset => self.keys.hash("record.visit", &[visit, dataset]),
        }
    }

    fn stored(&self, record: &Record, record_key: [u8; 32], person: &str) -> StoredRecord {
        let named = record.schema.fields.iter().zip(&record.columns);
        let columns = named
            .filter_map(|(field, column)| column.as_ref().map(|column| (field.name.clone(), column.to_string())))
            .collect();
        // A child's weighings follow each other wherever in the installation they are held.
        let series = weighing::judged_by(record).map(|[weight, swollen]| InSeries {
            key: self.keys.hash("series.weighing", &[person]),
            content: self.keys.hash("series.weight", &[&weight, &swollen]),
        });
        StoredRecord { dataset: record.schema.dataset.clone(), record_key, json: record.to_json(), columns, series }
    }

    /// A row that waits for a person. It has no natural key to rely on, so its content names it; once corrected it
    /// is another row, and the ledger closes this one when the file no longer holds it.
    fn issue(&self, row: &Row, records: &[Record], posyandu: Option<Arc<Posyandu>>, issues: Vec<Issue>) -> RowSeen {
        let cells: Vec<&str> = row.texts().collect();
        let key = if self.keyed {
            self.keys.hash("row.key", &[&row.place.file, &row.place.row])
        } else {
            self.keys.hash("row.cells", &cells)
        };
        let hash = self.keys.hash("row.content", &cells);
        let mut seen = self.seen(row.place.clone(), key, hash, RowKind::Issue, issues);
        let configured = (!self.puskesmas.is_empty()).then(|| self.puskesmas.to_owned());
        seen.puskesmas = posyandu.as_ref().map(|posyandu| posyandu.puskesmas.clone()).or(configured);
        seen.posyandu = posyandu.map(|posyandu| posyandu.code.clone());
        seen.service_date = service_date(records);
        seen
    }

    fn seen(&self, place: Place, row_key: [u8; 32], hash: [u8; 32], outcome: RowKind, issues: Vec<Issue>) -> RowSeen {
        let puskesmas = (!self.puskesmas.is_empty()).then(|| self.puskesmas.to_owned());
        RowSeen { place, row_key, hash, outcome, issues, puskesmas, posyandu: None, service_date: None }
    }
}

/// Who came, by keyed name, and when.
struct Visit {
    person: String,
    date: Date,
}

/// The day of the visit: of its own dataset, else of the service that was read first.
pub(super) fn service_date(records: &[Record]) -> Option<Date> {
    let visit = records.iter().find(|record| Group::by_dataset(&record.schema.dataset).is_some());
    let of = |record: &Record| record.date("tanggal");
    visit.and_then(of).or_else(|| records.iter().filter(|record| is_service(record)).find_map(of))
}

/// A visit may be sent once the posyandu has closed: its Encounter ends then, and SATUSEHAT refuses the future.
fn closing(posyandu: &Posyandu, date: Date) -> Timestamp {
    let close = match posyandu.record.get("jam_tutup") {
        Some(Value::Time(time)) => *time,
        _ => Time::MAX,
    };
    posyandu.zone.instant(date, close)
}

fn content_hash(records: &[Record]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    records.iter().for_each(|record| hash.update(record.content_hash()));
    hash.finalize().into()
}

fn hex(key: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(key)
}
