//! Invented visits for the benches, as plain values and as the records the mappings read: the same from run to run.
//!
//! It must not measure anything, and nobody in it is real: the NIKs begin with a province that does not exist.

#![allow(dead_code, reason = "each bench uses its own part")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time, date, time};
use posyandu_gateway::clock::Zone;
use posyandu_gateway::config::assets::Rules;
use posyandu_gateway::issue::Place;
use posyandu_gateway::mapping::visit::Visit;
use posyandu_gateway::record::schema::Schema;
use posyandu_gateway::record::{Record, Value};
use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};

/// Organization id of the invented puskesmas.
pub const ORGANIZATION: &str = "100025609";
/// Location id of the invented posyandu.
pub const LOCATION: &str = "ef011065-38c9-46f8-9c35-d1fe68966a3e";
/// The day of all visits.
pub const DAY: Date = date(2026, 11, 18);
/// When the posyandu opens and closes.
pub const HOURS: [Time; 2] = [time(8, 0, 0, 0), time(11, 0, 0, 0)];
/// Its zone.
pub const ZONE: Zone = Zone::Wib;
/// The guesses that are switched on.
const SWITCHES: [&str; 2] = ["diagnosis_balita_z00_1", "obat_cacing_sebagai_pernyataan"];

/// Who tells of a dose, which decides how it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Given by a health worker, with batch and expiry.
    Nakes,
    /// Reported by a kader.
    Kader,
    /// Remembered by the parents.
    Parents,
    /// Read in the child's book.
    Book,
    /// Not given, for a reason.
    NotGiven,
}

/// A dose as a program would hold it.
#[derive(Clone, Debug)]
pub struct Dose {
    /// Code of the antigen.
    pub antigen: &'static str,
    /// Number of the dose.
    pub number: i64,
    /// Who tells of it.
    pub told: Told,
    /// Product code, where it is known.
    pub product: Option<&'static str>,
    /// Batch of a dose given by a health worker.
    pub batch: String,
    /// Its expiry.
    pub expiry: Date,
    /// `ideal` or `kejar`, where it is told.
    pub schedule: Option<&'static str>,
    /// The kader, where noted.
    pub kader: Option<&'static str>,
}

/// A visit as a program would hold it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Age in months.
    pub months: i64,
    /// Weight in kg.
    pub weight: f64,
    /// Length or height in cm.
    pub length: f64,
    /// Measured standing instead of lying.
    pub standing: bool,
    /// Head circumference in cm.
    pub head: f64,
    /// Upper arm circumference in cm.
    pub arm: f64,
    /// Vitamin A was given.
    pub vitamin_a: bool,
    /// Deworming was given.
    pub deworming: bool,
    /// Doses.
    pub doses: Vec<Dose>,
}

/// A visit in both forms.
pub struct Made {
    /// As plain values.
    pub seen: Seen,
    /// The child.
    pub child: Record,
    /// The visit itself.
    pub head: Record,
    /// What was recorded.
    pub records: Vec<(Record, [u8; 32])>,
    /// What identifies the visit.
    pub key: [u8; 32],
}

impl Made {
    /// What was recorded, as the mappings want it.
    pub fn borrowed(&self) -> Vec<(&Record, [u8; 32])> {
        self.records.iter().map(|(record, key)| (record, *key)).collect()
    }

    /// The visit, as the mappings want it.
    pub fn visit<'a>(&'a self, posyandu: &'a Record, records: &'a [(&'a Record, [u8; 32])]) -> Visit<'a> {
        let (organization, zone, key) = (ORGANIZATION, ZONE, self.key);
        Visit { organization, zone, posyandu, sasaran: &self.child, visit: &self.head, key, records }
    }
}

/// The switches that are on.
pub fn switches() -> BTreeSet<String> {
    SWITCHES.iter().map(|switch| (*switch).to_owned()).collect()
}

/// The posyandu.
pub fn posyandu(rules: &Rules) -> Record {
    posyandu_named(rules, ["P01", "Melati", "P3201", "Puskesmas A"])
}

/// Another one: its code and name, code and name of its puskesmas.
pub fn posyandu_named(rules: &Rules, [code, name, code_above, puskesmas]: [&str; 4]) -> Record {
    let values = [
        ("kode_posyandu", text(code)),
        ("nama", text(name)),
        ("kode_puskesmas", text(code_above)),
        ("puskesmas", text(puskesmas)),
        ("zona_waktu", text(ZONE.name())),
        ("jam_buka", Value::Time(HOURS[0])),
        ("jam_tutup", Value::Time(HOURS[1])),
        ("id_lokasi_satusehat", text(LOCATION)),
    ];
    record(rules.schemas.get("posyandu").unwrap(), 1, values)
}

/// Some of all visits: six to ten resources each. A third has no dose, a third one, a third two.
pub fn some(rules: &Rules, which: Range<usize>) -> Vec<Made> {
    which.map(|index| one(rules, index)).collect()
}

/// One of all visits.
pub fn one(rules: &Rules, index: usize) -> Made {
    let schema = |dataset: &str| rules.schemas.get(dataset).unwrap();
    let months = 6 + i64::try_from(index % 50).unwrap();
    let step = i64::try_from(index * 7919 % 61).unwrap();
    let doses: Vec<Dose> = (0..index % 3).map(|which| dose(index + 2 * which)).collect();
    // Measured in tenths, so that both forms hold the same number.
    let [weight, length, head, arm] = [60 + step, 620 + 3 * step, 400 + step, 120 + step / 2];
    let tenths = |number: i64| Value::Decimal(Decimal::new(number, 1));
    let float = |number: i64| f64::from(i32::try_from(number).unwrap()) / 10.0;
    let seen = Seen {
        months,
        weight: float(weight),
        length: float(length),
        standing: months >= 24,
        head: float(head),
        arm: float(arm),
        vitamin_a: index.is_multiple_of(6),
        deworming: index.is_multiple_of(12),
        doses,
    };
    let mut weighing = vec![
        ("tanggal", Value::Date(DAY)),
        ("bb", tenths(weight)),
        ("pb_tb", tenths(length)),
        ("cara_ukur", text(if seen.standing { "berdiri" } else { "terlentang" })),
        ("lingkar_kepala", tenths(head)),
        ("lila", tenths(arm)),
        ("umur_bulan", Value::Integer(months)),
        (
            "vit_a",
            text(if !seen.vitamin_a {
                "tidak"
            } else if months < 12 {
                "biru"
            } else {
                "merah"
            }),
        ),
    ];
    if seen.deworming {
        weighing.push(("obat_cacing", Value::Boolean(true)));
    }
    let row = index + 2;
    let weighing = record(schema("kunjungan_balita"), row, weighing);
    let mut records = vec![(weighing, key("weighing", index, 0))];
    for (which, dose) in seen.doses.iter().enumerate() {
        records.push((record(schema("imunisasi"), row, dose_values(dose)), key("dose", index, which)));
    }
    let reason = if seen.doses.is_empty() { "penimbangan" } else { "penimbangan_imunisasi" };
    let head =
        [("tanggal", Value::Date(DAY)), ("kelompok_sasaran", text("bayi_balita_apras")), ("alasan", text(reason))];
    let head = record(schema("kunjungan"), row, head);
    Made { seen, child: child(schema("sasaran"), index, months), head, records, key: key("visit", index, 0) }
}

fn child(schema: &Arc<Schema>, index: usize, months: i64) -> Record {
    let values = [
        ("nik", Value::Text(format!("1001014512{:06}", index % 1_000_000))),
        ("status_nik", text("asli")),
        ("nama", Value::Text(format!("Anak Contoh {index}"))),
        ("jenis_kelamin", text(if index.is_multiple_of(2) { "L" } else { "P" })),
        ("tanggal_lahir", Value::Date(DAY.checked_sub(months.months()).unwrap())),
        ("nama_ibu", Value::Text(format!("Ibu Contoh {index}"))),
        ("posyandu", text("Melati")),
    ];
    record(schema, index + 2, values)
}

fn dose(index: usize) -> Dose {
    const ANTIGENS: [(&str, i64); 8] =
        [("BCG", 1), ("OPV", 2), ("DPT-HB-HIB", 3), ("DPT-HB-HIB", 4), ("MR", 2), ("PCV", 1), ("IPV", 1), ("RV", 2)];
    let told = [Told::Nakes, Told::Kader, Told::Parents, Told::Book, Told::NotGiven][index % 5];
    let (antigen, number) = ANTIGENS[index % ANTIGENS.len()];
    Dose {
        antigen,
        number,
        told,
        product: (told == Told::Nakes && index.is_multiple_of(2)).then_some("93000000"),
        batch: format!("B{:05}", index % 100_000),
        expiry: date(2028, 6, 30),
        schedule: [None, Some("ideal"), Some("kejar")][index / 3 % 3],
        kader: (told == Told::Kader && index.is_multiple_of(2)).then_some("Kader Contoh"),
    }
}

fn dose_values(dose: &Dose) -> Vec<(&'static str, Value)> {
    let (status, teller) = match dose.told {
        Told::Nakes => ("diberikan", "nakes"),
        Told::Kader => ("diberikan", "kader"),
        Told::Parents => ("diberikan", "orang_tua"),
        Told::Book => ("diberikan", "buku_kia"),
        Told::NotGiven => ("tidak_diberikan", "kader"),
    };
    let mut values = vec![
        ("tanggal", Value::Date(DAY)),
        ("antigen", text(dose.antigen)),
        ("dosis_ke", Value::Integer(dose.number)),
        ("status", text(status)),
        ("pelapor", text(teller)),
    ];
    match dose.told {
        Told::Nakes => {
            values.extend([("nomor_batch", text(&dose.batch)), ("kedaluwarsa", Value::Date(dose.expiry))]);
        }
        Told::NotGiven => values.push(("alasan_tidak", text("tunda"))),
        Told::Kader | Told::Parents | Told::Book => {}
    }
    values.extend(dose.product.map(|code| ("kode_kfa", text(code))));
    values.extend(dose.schedule.map(|word| ("jadwal", text(word))));
    values.extend(dose.kader.map(|name| ("petugas", text(name))));
    values
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn key(kind: &str, index: usize, which: usize) -> [u8; 32] {
    Sha256::digest(format!("{kind}/{index}/{which}")).into()
}

fn record(schema: &Arc<Schema>, row: usize, filled: impl IntoIterator<Item = (&'static str, Value)>) -> Record {
    let fields = schema.fields.len();
    let place =
        Place { source: "eppgbm".into(), file: "2026-11-18.csv".into(), row: row.to_string(), ..Place::default() };
    let mut record =
        Record { schema: Arc::clone(schema), values: vec![None; fields], columns: vec![None; fields], place };
    for (field, value) in filled {
        let index = schema.index(field).unwrap();
        record.values[index] = Some(value);
        record.columns[index] = Some(Arc::from(schema.fields[index].title.as_str()));
    }
    record
}
