//! Children, immunization and the quality of the data, as tables with their formulas.
//!
//! It only lays out figures. A formula is printed with the table it belongs to.

use super::figures::{Digits, Figures, chi_square, rounded};
use super::page::{Sheets, known};
use crate::record::group::{GROUPS, Group};
use crate::report::document::{Cell, Table};

/// States of a NIK, in the order of the record schema.
const NIK: [&str; 6] = ["asli", "perlu_periksa", "sementara", "tidak_ada", "tersamar", "tidak_valid"];
fn of(part: u64, whole: Option<u64>) -> Cell {
    whole.map_or(Cell::Empty, |whole| Cell::share(part, whole))
}

impl Sheets<'_> {
    /// Persons who came, by life-cycle group; with how many there are where somebody counted them.
    pub fn groups(&self) -> Table {
        let has_targets = self.recap.lines.iter().any(|line| !line.figures.targets.persons.is_empty());
        let names: Vec<String> = GROUPS.iter().map(|group| format!("recap.siklus.{}", group.name)).collect();
        let came = |figures: &Figures, group: &Group| figures.persons.get(group.name).copied().unwrap_or(0);
        let cells = |figures: &Figures| -> Vec<Cell> {
            let cells = |group| {
                let (came, expected) = (came(figures, group), figures.targets.persons.get(group.name).copied());
                match has_targets {
                    true => vec![Cell::Number(came), known(expected), of(came, expected)],
                    false => vec![Cell::Number(came)],
                }
            };
            GROUPS.iter().flat_map(cells).collect()
        };
        let mut columns: Vec<&str> = Vec::new();
        for name in &names {
            columns.push(name);
            columns.extend(["recap.siklus.sasaran", "recap.siklus.persen"].iter().filter(|_| has_targets));
        }
        self.by_line("siklus", &["recap.note.siklus"], &columns, cells)
    }

    /// SKDN with its formulas.
    pub fn skdn(&self) -> Table {
        let names = ["s", "k", "d", "n", "t", "b", "o", "tanpa", "ds", "nd", "nd_bersih", "ks", "ns"];
        let columns: Vec<String> = names.iter().map(|name| format!("recap.skdn.{name}")).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let cells = |figures: &Figures| {
            let skdn = &figures.skdn;
            let judged = skdn.d.saturating_sub(skdn.b + skdn.o);
            let (s, k) = (skdn.s, skdn.k);
            let mut cells = vec![known(s), known(k)];
            cells.extend([skdn.d, skdn.n, skdn.t, skdn.b, skdn.o, skdn.without_letter].map(Cell::Number));
            cells.extend([of(skdn.d, s), Cell::share(skdn.n, skdn.d), Cell::share(skdn.n, judged)]);
            cells.extend([k.map_or(Cell::Empty, |k| of(k, s)), of(skdn.n, s)]);
            cells
        };
        let notes = ["recap.note.skdn", "recap.note.skdn_n", "recap.note.skdn_unknown"];
        self.by_line("skdn", &notes, &columns, cells)
    }

    /// Doses given, boys and girls.
    pub fn doses(&self) -> Table {
        let mut rows = Vec::new();
        let lines = self.recap.lines.iter().map(|line| (self.name(line), &line.figures));
        for (name, figures) in lines.chain([(self.word("recap.total"), &self.recap.total)]) {
            for (dose, [boys, girls]) in &figures.doses {
                let cells = [Cell::Text(name.clone()), Cell::text(dose), Cell::Number(*boys), Cell::Number(*girls)];
                rows.push(cells.into_iter().chain([Cell::Number(boys + girls)]).collect());
            }
        }
        let columns = ["recap.imunisasi.dosis", "recap.imunisasi.l", "recap.imunisasi.p", "recap.imunisasi.jumlah"];
        self.table("imunisasi", &["recap.note.imunisasi"], &columns, rows)
    }

    /// Children of one year with complete immunization.
    pub fn complete(&self) -> Table {
        let names = ["datang", "kartu", "kartu_persen", "dosis", "dosis_persen"];
        let columns: Vec<String> = names.iter().map(|name| format!("recap.idl.{name}")).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let cells = |figures: &Figures| {
            let (all, card, doses) = (figures.one_year_olds, figures.complete_by_card, figures.complete_by_doses);
            vec![
                Cell::Number(all),
                Cell::Number(card),
                Cell::share(card, all),
                Cell::Number(doses),
                Cell::share(doses, all),
            ]
        };
        self.by_line("idl", &["recap.note.idl"], &columns, cells)
    }

    /// NIK, missing and implausible values, digit preference, duplicates.
    pub fn quality(&self) -> Table {
        let nik: Vec<String> = NIK.iter().map(|state| format!("recap.nik.{state}")).collect();
        let names = [
            "anak",
            "tanpa_bb",
            "tanpa_tb",
            "tidak_wajar",
            "di_luar",
            "bb_bulat",
            "bb_kuadrat",
            "tb_bulat",
            "tb_kuadrat",
            "ganda",
            "diganti",
        ];
        let names: Vec<String> = names.iter().map(|name| format!("recap.mutu.{name}")).collect();
        let columns: Vec<&str> = nik.iter().chain(&names).map(String::as_str).collect();
        let cells = |figures: &Figures| {
            let mut cells: Vec<Cell> =
                NIK.iter().map(|state| Cell::Number(figures.nik.get(*state).copied().unwrap_or(0))).collect();
            cells.extend([figures.child_visits, figures.without_weight, figures.without_height].map(Cell::Number));
            cells.push(Cell::Number(figures.rules_like(|rule| rule == "growth.implausible")));
            cells.push(Cell::Number(figures.rules_like(|rule| rule.ends_with(".out_of_range"))));
            cells.extend(digits(&figures.weight_digits));
            cells.extend(digits(&figures.height_digits));
            cells.push(Cell::Number(figures.at_several));
            cells.push(Cell::Number(figures.standing.rows.of(crate::ledger::standing::Part::Replaced)));
            cells
        };
        self.by_line("mutu", &["recap.note.nik", "recap.note.mutu", "recap.note.digit"], &columns, cells)
    }
}

fn digits(digits: &Digits) -> [Cell; 2] {
    let (round, all) = rounded(digits);
    [Cell::share(round, all), chi_square(digits).map_or(Cell::Empty, |chi| Cell::Decimal(chi, 1))]
}
