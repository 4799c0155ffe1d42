//! Counts persons, weighings, digits and doses from records as they pass by.
//!
//! What it remembers of a person is a number made from their NIK or name until the counting is over; none of it leaves
//! this file. It must not judge a record: reading and mapping did.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::figures::Figures;
use crate::ledger::recap::VisitOpened;
use crate::record::date::months_between;
use crate::record::group::Group;

/// Age in months below which a child belongs to SKDN (posyandu records, section 5.1).
const SKDN_UNTIL: i64 = 60;
/// Ages in months of the children whose immunization should be complete.
const COMPLETE_AT: std::ops::Range<i64> = 12..24;
/// Basic immunization by 12 months: antigen and doses (posyandu records, section 5.3).
const BASIC: [(&str, std::ops::RangeInclusive<i64>); 6] =
    [("HB0", 1..=1), ("BCG", 1..=1), ("OPV", 1..=4), ("DPT-HB-HIB", 1..=3), ("IPV", 1..=1), ("MR", 1..=1)];

#[derive(Deserialize)]
struct Sasaran<'a> {
    #[serde(borrow)]
    nik: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status_nik: Option<Cow<'a, str>>,
    #[serde(borrow)]
    nama: Option<Cow<'a, str>>,
    #[serde(borrow)]
    nama_ibu: Option<Cow<'a, str>>,
    #[serde(borrow)]
    jenis_kelamin: Option<Cow<'a, str>>,
    tanggal_lahir: Option<Date>,
}

impl Sasaran<'_> {
    fn person(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match &self.nik {
            Some(nik) => nik.hash(&mut hasher),
            None => (&self.nama, &self.nama_ibu, self.tanggal_lahir.map(|day| day.to_string())).hash(&mut hasher),
        }
        hasher.finish()
    }
}

#[derive(Deserialize)]
struct Child<'a> {
    bb: Option<Value>,
    pb_tb: Option<Value>,
    #[serde(borrow)]
    nt: Option<Cow<'a, str>>,
    imunisasi_lengkap: Option<bool>,
}

#[derive(Deserialize)]
struct Dose<'a> {
    #[serde(borrow)]
    antigen: Cow<'a, str>,
    dosis_ke: i64,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    kelompok_sasaran: Option<Cow<'a, str>>,
}

/// What is remembered of one person at one posyandu.
#[derive(Default)]
struct Seen {
    groups: BTreeSet<&'static str>,
    weighed_on: Option<Date>,
    letter: Option<char>,
    is_one_year_old: bool,
    complete_by_card: bool,
    doses: u32,
}

/// Counting under way.
#[derive(Default)]
pub struct Counting {
    figures: BTreeMap<String, Figures>,
    persons: HashMap<(u64, u32), Seen>,
    places: HashMap<String, u32>,
    days: BTreeSet<(u32, Date)>,
}

impl Counting {
    /// Counts one visit; `last` is the last day of the period.
    pub fn see(&mut self, visit: &VisitOpened, last: Date) {
        let next = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(visit.posyandu.clone()).or_insert(next);
        self.days.insert((place, visit.service_date));
        let figures = self.figures.entry(visit.posyandu.clone()).or_default();
        let of = |dataset: &str| visit.records.iter().find(|(name, _)| name == dataset).map(|(_, json)| json.as_str());
        let Some(sasaran) = of("sasaran").and_then(|json| serde_json::from_str::<Sasaran<'_>>(json).ok()) else {
            return;
        };
        let status = sasaran.status_nik.as_deref().unwrap_or("tidak_ada").to_owned();
        *figures.nik.entry(status).or_default() += 1;
        let months = sasaran.tanggal_lahir.map(|born| months_between(born, visit.service_date));
        let seen = self.persons.entry((sasaran.person(), place)).or_default();
        seen.groups.extend(group(visit, months));
        if let Some(child) = of("kunjungan_balita").and_then(|json| serde_json::from_str::<Child<'_>>(json).ok()) {
            see_child(figures, seen, &child, visit.service_date, months);
        }
        let at_end = sasaran.tanggal_lahir.map(|born| months_between(born, last));
        seen.is_one_year_old |= at_end.is_some_and(|months| COMPLETE_AT.contains(&months));
        let sex = usize::from(sasaran.jenis_kelamin.as_deref() == Some("P"));
        for (_, json) in visit.records.iter().filter(|(name, _)| name == "imunisasi") {
            let Ok(dose) = serde_json::from_str::<Dose<'_>>(json) else { continue };
            if dose.status == "diberikan" {
                figures.doses.entry(format!("{} {}", dose.antigen, dose.dosis_ke)).or_default()[sex] += 1;
                seen.doses |= basic(&dose.antigen, dose.dosis_ke);
            }
        }
    }

    /// The figures of each posyandu; who was counted is forgotten.
    #[must_use]
    pub fn done(self) -> BTreeMap<String, Figures> {
        let Self { mut figures, persons, places, days } = self;
        let codes: HashMap<u32, String> = places.into_iter().map(|(code, place)| (place, code)).collect();
        let mut at: HashMap<u64, u32> = HashMap::with_capacity(persons.len());
        persons.keys().for_each(|(person, _)| *at.entry(*person).or_default() += 1);
        for (place, _) in days {
            if let Some(figures) = codes.get(&place).and_then(|code| figures.get_mut(code)) {
                figures.days_held += 1;
            }
        }
        for ((person, place), seen) in persons {
            let Some(figures) = codes.get(&place).and_then(|code| figures.get_mut(code)) else { continue };
            for group in &seen.groups {
                *figures.persons.entry((*group).to_owned()).or_default() += 1;
            }
            figures.at_several += u64::from(at.get(&person).is_some_and(|places| *places > 1));
            if seen.weighed_on.is_some() {
                let skdn = &mut figures.skdn;
                skdn.d += 1;
                *match seen.letter {
                    Some('N') => &mut skdn.n,
                    Some('T') => &mut skdn.t,
                    Some('B') => &mut skdn.b,
                    Some('O') => &mut skdn.o,
                    _ => &mut skdn.without_letter,
                } += 1;
            }
            if seen.is_one_year_old {
                figures.one_year_olds += 1;
                figures.complete_by_card += u64::from(seen.complete_by_card);
                figures.complete_by_doses += u64::from(seen.doses == all_basic());
            }
        }
        figures
    }
}

/// The group of a visit: its dataset tells, else what the service keeps, else the age.
fn group(visit: &VisitOpened, months: Option<i64>) -> Option<&'static str> {
    let by_dataset = visit.records.iter().find_map(|(dataset, _)| Group::by_dataset(dataset));
    let kept = || {
        visit.records.iter().find_map(|(dataset, json)| {
            let dose = (dataset == "imunisasi").then(|| serde_json::from_str::<Dose<'_>>(json).ok()).flatten()?;
            Group::by_name(&dose.kelompok_sasaran?)
        })
    };
    by_dataset.or_else(kept).or_else(|| Group::by_age(months?)).map(|group| group.name)
}

fn see_child(figures: &mut Figures, seen: &mut Seen, child: &Child<'_>, day: Date, months: Option<i64>) {
    figures.child_visits += 1;
    seen.complete_by_card |= child.imunisasi_lengkap == Some(true);
    match child.bb.as_ref().and_then(tenths) {
        None => figures.without_weight += 1,
        Some(digit) => {
            figures.weight_digits[digit] += 1;
            // Of several weighings the last one's letter counts.
            if months.is_some_and(|months| (0..SKDN_UNTIL).contains(&months)) && seen.weighed_on <= Some(day) {
                seen.weighed_on = Some(day);
                seen.letter = child.nt.as_deref().and_then(|letter| letter.chars().next());
            }
        }
    }
    match child.pb_tb.as_ref().and_then(tenths) {
        None => figures.without_height += 1,
        Some(digit) => figures.height_digits[digit] += 1,
    }
}

/// The digit of tenths of a number as it was written.
fn tenths(number: &Value) -> Option<usize> {
    let text = match number {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let digit = text.split_once('.').map_or('0', |(_, decimals)| decimals.chars().next().unwrap_or('0'));
    digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok())
}

/// The bit of a basic dose; none for any other.
fn basic(antigen: &str, dose: i64) -> u32 {
    let mut bit = 1;
    for (name, doses) in BASIC {
        for number in doses {
            if name == antigen && number == dose {
                return bit;
            }
            bit <<= 1;
        }
    }
    0
}

fn all_basic() -> u32 {
    BASIC.iter().flat_map(|(name, doses)| doses.clone().map(|dose| basic(name, dose))).fold(0, |all, bit| all | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(posyandu: &str, day: i8, letter: &str, weight: &str) -> VisitOpened {
        let person = r#"{"nik":"1001014512250001","status_nik":"asli","nama":"A","jenis_kelamin":"P",
            "tanggal_lahir":"2025-11-03","posyandu":"X"}"#;
        let child = format!(r#"{{"tanggal":"2026-11-03","umur_bulan":12,"bb":{weight},"nt":"{letter}"}}"#);
        let dose = r#"{"antigen":"BCG","dosis_ke":1,"status":"diberikan","tanggal":"2026-11-03","pelapor":"kader"}"#;
        VisitOpened {
            posyandu: posyandu.to_owned(),
            service_date: Date::constant(2026, 11, day),
            records: vec![
                ("sasaran".to_owned(), person.to_owned()),
                ("kunjungan_balita".to_owned(), child),
                ("imunisasi".to_owned(), dose.to_owned()),
            ],
        }
    }

    #[test]
    fn a_child_is_counted_once_with_the_letter_of_its_last_weighing() {
        let mut counting = Counting::default();
        let last = Date::constant(2026, 11, 30);
        for visit in [visit("A", 18, "N", "9.4"), visit("A", 3, "T", "9.05"), visit("B", 20, "O", "9")] {
            counting.see(&visit, last);
        }
        let done = counting.done();
        let a = &done["A"];
        assert_eq!((a.skdn.d, a.skdn.n, a.skdn.t, a.days_held, a.child_visits), (1, 1, 0, 2, 2));
        assert_eq!((a.at_several, done["B"].at_several), (1, 1));
        assert_eq!((a.weight_digits[4], a.weight_digits[0], done["B"].weight_digits[0]), (1, 1, 1));
        assert_eq!((a.without_height, a.doses["BCG 1"], a.persons["bayi_balita_apras"]), (2, [0, 2], 1));
        assert_eq!((a.one_year_olds, a.complete_by_doses, a.nik["asli"]), (1, 0, 2));
    }

    #[test]
    fn basic_doses_have_a_bit_each() {
        assert_eq!(all_basic().count_ones(), 11);
        assert_eq!((basic("OPV", 5), basic("Td", 1)), (0, 0));
    }
}
