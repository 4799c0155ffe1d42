//! Which field each column probably is: by its header, by a similar header, and by what its values look like.
//!
//! It must not place a column on its values alone where several fields hold such values. Each field is given once,
//! the surest column first.

use std::collections::BTreeSet;

use super::known::{Known, Meaning, loose};
use super::look::Look;
use crate::record::antigen::{Antigens, VaccineRead};
use crate::record::group::Group;
use crate::source::profile::field::{FieldSpec, Format};

/// The dataset of persons.
pub const PERSONS: &str = "sasaran";
/// The dataset of doses.
pub const DOSES: &str = "imunisasi";
/// Fields that any visit has and that say nothing about its kind.
const COMMON: [&str; 5] = ["tanggal", "petugas", "edukasi", "gejala_sakit", "rujuk_ke"];
/// Words in headers and names of tables that point to a kind of visit. A word counts as much as a column.
const HINTS: [(&str, &str); 14] = [
    ("hamil", "kunjungan_ibu_hamil"),
    ("kehamilan", "kunjungan_ibu_hamil"),
    ("bumil", "kunjungan_ibu_hamil"),
    ("nifas", "kunjungan_ibu_nifas"),
    ("bersalin", "kunjungan_ibu_nifas"),
    ("balita", "kunjungan_balita"),
    ("bayi", "kunjungan_balita"),
    ("anak", "kunjungan_balita"),
    ("penimbangan", "kunjungan_balita"),
    ("remaja", "kunjungan_remaja"),
    ("dewasa", "kunjungan_dewasa"),
    ("lansia", "kunjungan_lansia"),
    ("imunisasi", DOSES),
    ("vaksin", DOSES),
];

/// A column of an unknown table.
pub struct Column {
    /// Its header as a profile writes it.
    pub name: String,
    /// Texts by which it may be known: the whole header, and its lower row.
    pub known_as: Vec<String>,
    /// What its values look like.
    pub look: Look,
}

/// Why a column is taken for a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Its header stands in the lists.
    Listed,
    /// Its header stands in the lists, but for units and marks.
    Alike,
    /// Its header is like one in the lists, by so many percent.
    Similar(String, u32),
    /// Most of its values look so; a key of the words catalogue.
    Values(&'static str),
    /// Its header is the name of a vaccine and a dose.
    Vaccine,
}

/// A column that fills fields.
pub struct Placed {
    /// Its position.
    pub column: usize,
    /// The fields, one or several in one cell.
    pub meanings: Vec<Meaning>,
    /// Why.
    pub reason: Reason,
}

/// What the columns of a table probably are.
#[derive(Default)]
pub struct Guess {
    /// The dataset besides persons that the table is about.
    pub main: Option<String>,
    /// Whether it holds doses beside the visits.
    pub doses: bool,
    /// Columns with fields, in the order of certainty.
    pub placed: Vec<Placed>,
}

/// Places the columns of a table; `context` is what its name and titles say.
#[must_use]
pub fn place(columns: &[Column], context: &str, known: &Known, antigens: &Antigens) -> Guess {
    let main = main_dataset(columns, context, known);
    let is_vaccine = |column: &&Column| {
        let found = column.known_as.iter().find_map(|name| known.find(name)).map(|(found, _)| found);
        let mut meanings = found.into_iter().flatten().filter_map(|at| known.meanings.get(*at));
        meanings.any(|meaning| meaning.dataset == DOSES && meaning.field == "antigen")
    };
    let doses = main.as_deref() != Some(DOSES) && columns.iter().filter(is_vaccine).count() > 0;
    let mut guess = Guess { main, doses, placed: Vec::new() };
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut listed: Vec<(u32, usize, Vec<usize>, Reason)> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        if let Some((found, exact)) = column.known_as.iter().find_map(|name| known.find(name)) {
            let reason = if exact { Reason::Listed } else { Reason::Alike };
            listed.push((if exact { 0 } else { 1 }, at, found.to_vec(), reason));
        } else if let Some((name, score, found)) = column.known_as.last().and_then(|name| known.similar(name)) {
            let percent = percent(score);
            listed.push((200 - percent, at, found.to_vec(), Reason::Similar(name.to_owned(), percent)));
        }
    }
    listed.sort_by_key(|(rank, at, ..)| (*rank, *at));
    for (_, at, found, reason) in listed {
        let similar = matches!(reason, Reason::Similar(..));
        let fits = |meaning: &Meaning| !(similar && columns[at].look.contradicts(meaning.spec.format));
        let meanings = chosen(&found, &guess, known, &taken, &fits);
        add(&mut guess, &mut taken, at, meanings, reason);
    }
    for (at, column) in columns.iter().enumerate() {
        if guess.placed.iter().all(|placed| placed.column != at)
            && let Some((meaning, reason)) = by_values(column, guess.main.as_deref(), known, antigens)
        {
            add(&mut guess, &mut taken, at, vec![meaning], reason);
        }
    }
    guess
}

fn percent(score: f64) -> u32 {
    (0..=100).rev().find(|percent| f64::from(*percent) <= score * 100.0).unwrap_or(0)
}

fn add(guess: &mut Guess, taken: &mut BTreeSet<String>, column: usize, meanings: Vec<Meaning>, reason: Reason) {
    if meanings.is_empty() || meanings.iter().any(|meaning| taken.contains(&slot(meaning))) {
        return;
    }
    taken.extend(meanings.iter().map(slot));
    guess.placed.push(Placed { column, meanings, reason });
}

/// A field of a record, told from the same field of another record of the row.
fn slot(meaning: &Meaning) -> String {
    let constants = meaning.constants.iter().filter_map(|(_, spec)| spec.constant.as_deref());
    format!("{}.{} {}", meaning.dataset, meaning.field, constants.collect::<Vec<_>>().join("/"))
}

/// The best meaning of a header that is still free, and those that share its cell.
fn chosen(
    found: &[usize],
    guess: &Guess,
    known: &Known,
    taken: &BTreeSet<String>,
    fits: &dyn Fn(&Meaning) -> bool,
) -> Vec<Meaning> {
    let main = guess.main.as_deref();
    let tier = |meaning: &Meaning| match () {
        () if meaning.dataset == PERSONS => Some(3),
        () if !meaning.constants.is_empty() => Some(0),
        () if Some(meaning.dataset.as_str()) == main => Some(2),
        () if guess.doses && meaning.dataset == DOSES => Some(1),
        () => None,
    };
    let free = |meaning: &&Meaning| !taken.contains(&slot(meaning)) && fits(meaning);
    let mut usable: Vec<&Meaning> = found.iter().filter_map(|at| known.meanings.get(*at)).filter(free).collect();
    usable.retain(|meaning| tier(meaning).is_some());
    let beside = |meaning: &Meaning| main.is_some_and(|main| meaning.beside.contains(main));
    usable.sort_by_key(|meaning| std::cmp::Reverse((tier(meaning), beside(meaning), meaning.count)));
    let Some(best) = usable.first() else { return Vec::new() };
    let shares = |other: &&&Meaning| {
        let parts = best.spec.part.is_some() && other.spec.part.is_some() && other.spec.split == best.spec.split;
        let pressure = best.spec.format == Format::BloodPressure && other.spec.format == Format::BloodPressure;
        other.dataset == best.dataset && (other.field == best.field || parts || pressure)
    };
    let mut meanings: Vec<Meaning> = Vec::new();
    for meaning in usable.iter().filter(shares) {
        let is_new = meanings.iter().all(|known| {
            known.field != meaning.field && (known.spec.part.is_none() || known.spec.part != meaning.spec.part)
        });
        if is_new && (meanings.is_empty() || meaning.spec.format == best.spec.format) {
            meanings.push((*meaning).clone());
        }
    }
    meanings
}

/// The dataset that most columns belong to. Children come first where nothing tells.
fn main_dataset(columns: &[Column], context: &str, known: &Known) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    let headers: Vec<String> = columns
        .iter()
        .flat_map(|column| &column.known_as)
        .chain([&context.to_owned()])
        .map(|name| loose(name))
        .collect();
    let order = ["kunjungan_balita"].into_iter().chain(crate::record::reader::ORDER);
    for dataset in order.filter(|dataset| *dataset != PERSONS && *dataset != "posyandu") {
        let tells = |column: &&Column| {
            let found = column.known_as.iter().find_map(|name| known.find(name)).map(|(found, _)| found);
            found.into_iter().flatten().filter_map(|at| known.meanings.get(*at)).any(|meaning| {
                meaning.dataset == dataset && meaning.constants.is_empty() && !COMMON.contains(&meaning.field.as_str())
            })
        };
        let vaccines = dataset == DOSES && columns.iter().any(|column| column.look.mostly(column.look.vaccines));
        let mut points = columns.iter().filter(tells).count() + if vaccines { 3 } else { 0 };
        // A hint is only worth something beside columns of the dataset.
        if points > 0 {
            let hinted = |word: &str| headers.iter().any(|header| header.split(' ').any(|part| part.starts_with(word)));
            points += HINTS.iter().filter(|(word, to)| *to == dataset && hinted(word)).count();
        }
        let is_visit = Group::by_dataset(dataset).is_some() || dataset == DOSES;
        // Doses stand beside the visits of many registers: the visits come first.
        let beaten = |most: usize| if dataset == DOSES && most > 1 { false } else { points > most };
        if points > 0 && best.is_none_or(|(most, _)| beaten(most)) && (is_visit || points > 1) {
            best = Some((points, dataset));
        }
    }
    best.map(|(_, dataset)| dataset.to_owned())
}

/// What only one field looks like.
fn by_values(column: &Column, main: Option<&str>, known: &Known, antigens: &Antigens) -> Option<(Meaning, Reason)> {
    let look = &column.look;
    let header = column.known_as.iter().map(|name| loose(name)).collect::<Vec<_>>().join(" ");
    let says = |words: &[&str]| words.iter().any(|word| header.split(' ').any(|part| part.starts_with(word)));
    let of = |dataset: &str, field: &str, format: Format| {
        let listed = known.meanings.iter().filter(|meaning| meaning.constants.is_empty());
        let same = listed.filter(|meaning| (meaning.dataset.as_str(), meaning.field.as_str()) == (dataset, field));
        same.filter(|meaning| meaning.spec.format == format).max_by_key(|meaning| meaning.count).cloned()
    };
    if look.mostly(look.niks) && !says(&["kk", "kartu", "ibu", "ayah", "suami", "keluarga", "ortu"]) {
        return of(PERSONS, "nik", Format::Nik).map(|meaning| (meaning, Reason::Values("proposal.values_nik")));
    }
    if look.mostly(look.sexes) {
        let meaning = of(PERSONS, "jenis_kelamin", Format::Words);
        return meaning.map(|meaning| (meaning, Reason::Values("proposal.values_sex")));
    }
    if main == Some(DOSES) && look.mostly(look.vaccines) {
        return of(DOSES, "antigen", Format::Vaccine)
            .map(|meaning| (meaning, Reason::Values("proposal.values_vaccine")));
    }
    let dates = look.mostly(look.all_dates());
    if (dates || look.filled == 0)
        && let Some(VaccineRead::Known { antigen, dose: Some(dose) }) =
            column.known_as.iter().map(|name| antigens.read(name)).find(|read| *read != VaccineRead::Unknown)
    {
        let mut meaning = of(DOSES, "tanggal", Format::Date)?;
        meaning.constants = vec![
            ("antigen".to_owned(), constant(&antigen, Format::Vaccine)),
            ("dosis_ke".to_owned(), constant(&dose.to_string(), Format::Dose)),
        ];
        return Some((meaning, Reason::Vaccine));
    }
    if dates && says(&["lahir", "lhr"]) {
        return of(PERSONS, "tanggal_lahir", Format::Date).map(|one| (one, Reason::Values("proposal.values_birth")));
    }
    if dates && says(&["ukur", "timbang", "periksa", "pemeriksaan", "kunjungan", "pelayanan", "posyandu", "hadir"]) {
        return of(main?, "tanggal", Format::Date).map(|one| (one, Reason::Values("proposal.values_day")));
    }
    None
}

fn constant(text: &str, format: Format) -> FieldSpec {
    let mut spec = FieldSpec::default();
    spec.constant = Some(text.to_owned());
    spec.format = format;
    spec
}
