//! As many invented children as wanted, in the layout of a puskesmas' register: for benches and tests of size.
//!
//! Nobody in it can exist: the numbers begin with 10, which is no province. Given the same number of rows it is always
//! the same file, and it says what a reader must find in it.

use std::io::Write;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

/// The columns of `mappings/sources/register_csv.yaml`.
pub const HEADER: [&str; 27] = [
    "No",
    "Nama Posyandu",
    "Tgl Kunjungan",
    "NIK Anak",
    "Nama Anak",
    "L/P",
    "Tanggal Lahir",
    "Nama Ibu",
    "NIK Ibu",
    "Alamat",
    "RT/RW",
    "BB (kg)",
    "PB/TB (cm)",
    "Cara Ukur",
    "LK (cm)",
    "LiLA (cm)",
    "Vit A",
    "Obat Cacing",
    "ASI Eksklusif",
    "Imunisasi",
    "Dosis",
    "Tgl Imunisasi",
    "No Batch",
    "Kedaluwarsa",
    "Pelapor",
    "Keterangan",
    "Petugas",
];
/// The last day of service; the others lie before it.
pub const LAST_DAY: Date = date(2026, 11, 18);
/// Posyandu of Puskesmas Tengah in the sample city's register.
const POSYANDU: [&str; 3] = ["Anggrek 1", "Kenanga 2", "Dahlia"];
/// Rows of one day.
const ROWS_PER_DAY: usize = 4_000;
/// Days of service before they begin again.
const DAYS: usize = 240;
/// Ages in days before they begin again, and the youngest.
const AGES: usize = 1_500;
const AGE_MIN: usize = 200;
/// Days of a month, on average.
const DAYS_A_MONTH: f64 = 30.4;

/// What a reader must find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Rows.
    pub read: u64,
    /// Rows that yield a visit to be sent.
    pub ready: u64,
    /// Rows that need a person.
    pub issue: u64,
    /// Lines that sum up.
    pub skipped: u64,
    /// Rows that were written twice.
    pub superseded: u64,
}

/// What a row is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fine,
    NoPosyandu,
    ShortNumber,
    NoDay,
    HeavyChild,
    Again,
    Footer,
}

/// One in a hundred rows is bad, one in a thousand stands twice, and every ten thousand rows there is a sum.
fn kind(at: usize) -> Kind {
    match (at % 400, at % 1_000, at % 10_000) {
        (_, _, 9_999) => Kind::Footer,
        (_, 500, _) => Kind::Again,
        (57, _, _) => Kind::HeavyChild,
        (157, _, _) => Kind::NoPosyandu,
        (257, _, _) => Kind::ShortNumber,
        (357, _, _) => Kind::NoDay,
        _ => Kind::Fine,
    }
}

/// The cells of a row, from 0.
pub fn cells(at: usize) -> Vec<String> {
    let kind = kind(at);
    let mut cells = vec![String::new(); HEADER.len()];
    if kind == Kind::Footer {
        "Jumlah".clone_into(&mut cells[0]);
        return cells;
    }
    let child = if kind == Kind::Again { at - 1 } else { at };
    let days = |number: usize| i64::try_from(number).unwrap().days();
    let day = LAST_DAY.checked_sub(days(child / ROWS_PER_DAY % DAYS)).unwrap();
    let age = AGE_MIN + child % AGES;
    let born = day.checked_sub(days(age)).unwrap();
    let months = age as f64 / DAYS_A_MONTH;
    let is_girl = child % 2 == 1;
    let birthday = i32::from(born.day()) + if is_girl { 40 } else { 0 };
    let number = 1 + child / AGES % 9_998;
    let nik = format!("100202{birthday:02}{:02}{:02}{number:04}", born.month(), born.year() % 100);
    let written = |day: Date| day.strftime("%d-%m-%Y").to_string();
    let mut put = |column: &str, text: String| {
        let place = HEADER.iter().position(|name| *name == column).unwrap();
        cells[place] = text;
    };
    put("No", (at + 1).to_string());
    put("Nama Posyandu", if kind == Kind::NoPosyandu { "Tidak Terdaftar" } else { POSYANDU[child % 3] }.to_owned());
    put("Tgl Kunjungan", if kind == Kind::NoDay { "99-99-2026".to_owned() } else { written(day) });
    put("NIK Anak", if kind == Kind::ShortNumber { nik[..15].to_owned() } else { nik });
    put("Nama Anak", format!("Anak Contoh {}", letters(child)));
    put("L/P", if is_girl { "P" } else { "L" }.to_owned());
    put("Tanggal Lahir", written(born));
    put("Nama Ibu", format!("Ibu Contoh {}", letters(child)));
    put("Alamat", format!("Gang Contoh No. {}", child % 90 + 1));
    put("RT/RW", "003/003".to_owned());
    let weight = 6.5 + months * 0.16 + (child % 7) as f64 * 0.1;
    put("BB (kg)", if kind == Kind::HeavyChild { "999".to_owned() } else { format!("{weight:.1}") });
    put("PB/TB (cm)", format!("{:.1}", 63.0 + months * 0.75 + (child % 5) as f64 * 0.2));
    put("Cara Ukur", if months < 24.0 { "terlentang" } else { "berdiri" }.to_owned());
    put("LiLA (cm)", "14.5".to_owned());
    put("Obat Cacing", "tidak".to_owned());
    put("Petugas", "Kader Misalnya".to_owned());
    cells
}

/// A name of its own for each child and each mother, as in a city.
fn letters(mut number: usize) -> String {
    let mut name = String::new();
    for _ in 0..5 {
        name.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or_default()));
        number /= 26;
    }
    name
}

/// Writes the file; says what must be found in it.
pub fn write(out: &mut impl Write, rows: usize) -> Expected {
    let mut expected = Expected { read: rows as u64, ..Expected::default() };
    writeln!(out, "{}\r", HEADER.join(",")).unwrap();
    for at in 0..rows {
        match kind(at) {
            Kind::Fine => expected.ready += 1,
            Kind::Footer => expected.skipped += 1,
            Kind::Again => expected.superseded += 1,
            _ => expected.issue += 1,
        }
        writeln!(out, "{}\r", cells(at).join(",")).unwrap();
    }
    out.flush().unwrap();
    expected
}
