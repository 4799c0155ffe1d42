//! The figures as tables: delivery, reasons, what to mend; those of children and of the data's quality in `quality`.
//!
//! It only lays out; every word comes from `words`.

use super::figures::{Figures, median};
use super::{Line, Owner, Recap};
use crate::ledger::standing::{LATE, Part, SAME_DAY};
use crate::report::Span;
use crate::report::document::{Cell, Document, Table};
use crate::report::worklist::WorkItem;
use crate::words::{self, Language};

/// Minutes of an hour.
const HOUR: f64 = 60.0;

/// Lays a recapitulation out.
#[must_use]
pub fn document(recap: &Recap, language: Language) -> Document {
    let sheets = Sheets { recap, language };
    let title = match recap.span {
        Span::Day(_) => "recap.title_day",
        Span::Month(_) | Span::All => "recap.title_month",
    };
    let mut head = Vec::new();
    if let Some(name) = recap.span.name() {
        head.push(words::text(language, "recap.period", &[("period", name)]));
    }
    head.push(words::text(
        language,
        "recap.level",
        &[("level", sheets.word(&format!("recap.level.{}", recap.level.word())))],
    ));
    if let Some(puskesmas) = &recap.puskesmas {
        head.push(words::text(language, "report.puskesmas", &[("names", puskesmas.clone())]));
    }
    head.push(words::text(language, "report.made_at", &[("at", recap.zone.text_at(recap.made_at))]));
    let tables = vec![
        sheets.delivery(),
        sheets.rows(),
        sheets.reasons(),
        sheets.work(),
        sheets.groups(),
        sheets.skdn(),
        sheets.doses(),
        sheets.complete(),
        sheets.quality(),
    ];
    Document { title: sheets.word(title), head, tables, foot: vec![sheets.word("recap.foot")] }
}

/// A number, or nothing where it is not known.
pub(super) fn known(number: Option<u64>) -> Cell {
    number.map_or(Cell::Empty, Cell::Number)
}

/// Makes the tables of one recapitulation.
pub struct Sheets<'a> {
    /// The figures.
    pub recap: &'a Recap,
    /// Of the words.
    pub language: Language,
}

impl Sheets<'_> {
    /// A word.
    pub fn word(&self, key: &str) -> String {
        words::plain(self.language, key)
    }

    /// The name of a line.
    pub fn name(&self, line: &Line) -> String {
        if line.name.is_empty() { self.word("recap.unknown_place") } else { line.name.clone() }
    }

    /// A table whose first column is the line.
    pub fn table(&self, name: &'static str, notes: &[&str], columns: &[&str], rows: Vec<Vec<Cell>>) -> Table {
        let first = self.word(&format!("recap.level.{}", self.recap.level.word()));
        Table {
            name,
            title: self.word(&format!("recap.table.{name}")),
            notes: notes.iter().map(|note| self.word(note)).collect(),
            columns: std::iter::once(first).chain(columns.iter().map(|key| self.word(key))).collect(),
            rows,
        }
    }

    /// A table with a row for each line and one for all.
    pub fn by_line(
        &self,
        name: &'static str,
        notes: &[&str],
        columns: &[&str],
        cells: impl Fn(&Figures) -> Vec<Cell>,
    ) -> Table {
        let row = |name: String, figures: &Figures| std::iter::once(Cell::Text(name)).chain(cells(figures)).collect();
        let mut rows: Vec<Vec<Cell>> =
            self.recap.lines.iter().map(|line| row(self.name(line), &line.figures)).collect();
        rows.push(row(self.word("recap.total"), &self.recap.total));
        self.table(name, notes, columns, rows)
    }

    fn delivery(&self) -> Table {
        let names = [
            "lapor",
            "dari",
            "hari_buka",
            "hari_rencana",
            "kunjungan",
            "hari_sama",
            "hari_sama_persen",
            "terlambat",
            "menunggu",
            "perbaiki",
            "dikecualikan",
            "median_jam",
            "median_hari",
        ];
        let columns: Vec<String> = names.iter().map(|name| format!("recap.kirim.{name}")).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let cells = |figures: &Figures| {
            let visits = &figures.standing.visits;
            let same_day = visits.with(Part::Accepted, SAME_DAY);
            // Nobody promised to send what was waived.
            let promised = visits.total() - visits.of(Part::Waived);
            let mut cells = [figures.reported, figures.posyandu, figures.days_held].map(Cell::Number).to_vec();
            cells.push(known(figures.targets.days));
            cells.extend([visits.total(), same_day].map(Cell::Number));
            cells.push(Cell::share(same_day, promised));
            cells.push(Cell::Number(visits.with(Part::Accepted, LATE)));
            cells.extend([Part::Waiting, Part::Refused, Part::Waived].map(|part| Cell::Number(visits.of(part))));
            let hours = median(&figures.delay_minutes);
            cells.push(hours.map_or(Cell::Empty, |minutes| Cell::Decimal(f64::from(minutes) / HOUR, 1)));
            cells.push(median(&figures.delay_days).map_or(Cell::Empty, |days| Cell::Number(u64::from(days))));
            cells
        };
        self.by_line("kirim", &["recap.note.kirim", "recap.note.median"], &columns, cells)
    }

    fn rows(&self) -> Table {
        let columns: Vec<String> = Part::ALL.iter().map(|part| format!("statement.part.{}", part.word())).collect();
        let columns: Vec<&str> =
            std::iter::once("recap.baris.dibaca").chain(columns.iter().map(String::as_str)).collect();
        let cells = |figures: &Figures| {
            let rows = &figures.standing.rows;
            let parts = Part::ALL.iter().map(|part| Cell::Number(rows.of(*part)));
            std::iter::once(Cell::Number(rows.total())).chain(parts).collect()
        };
        self.by_line("baris", &["recap.note.baris"], &columns, cells)
    }

    fn reasons(&self) -> Table {
        let mut rows = Vec::new();
        let lines = self.recap.lines.iter().map(|line| (self.name(line), &line.figures));
        for (name, figures) in lines.chain([(self.word("recap.total"), &self.recap.total)]) {
            let standing = &figures.standing;
            for part in [Part::Refused, Part::Waiting] {
                let mut reasons: Vec<&String> = [&standing.rows, &standing.visits]
                    .iter()
                    .filter_map(|tally| tally.0.get(&part))
                    .flat_map(|reasons| reasons.keys())
                    .collect();
                reasons.sort();
                reasons.dedup();
                for reason in reasons {
                    let owner = if part == Part::Refused { self.owner(Owner::of(reason)) } else { "-".to_owned() };
                    rows.push(vec![
                        Cell::Text(name.clone()),
                        Cell::Text(crate::report::statement_page::part(self.language, part)),
                        Cell::Text(crate::report::statement_page::reason(self.language, part, reason)),
                        Cell::Text(owner),
                        Cell::Number(standing.rows.with(part, reason)),
                        Cell::Number(standing.visits.with(part, reason)),
                    ]);
                }
            }
        }
        let columns = ["statement.part", "statement.reason", "recap.siapa", "statement.rows", "statement.visits"];
        self.table("alasan", &["recap.note.alasan"], &columns, rows)
    }

    fn owner(&self, owner: Owner) -> String {
        self.word(&format!("recap.owner.{}", owner.word()))
    }

    fn work(&self) -> Table {
        let keys = [
            "recap.kerja.puskesmas",
            "recap.kerja.posyandu",
            "recap.siapa",
            "recap.kerja.berkas",
            "recap.kerja.baris",
            "recap.kerja.kolom",
            "recap.kerja.aturan",
            "recap.kerja.perbuat",
        ];
        let mut notes = vec![self.word("recap.note.perbaikan")];
        if self.recap.left_out > 0 {
            notes.push(words::text(self.language, "report.more_work", &[("number", self.recap.left_out.to_string())]));
        }
        Table {
            name: "perbaikan",
            title: self.word("recap.table.perbaikan"),
            notes,
            columns: keys.iter().map(|key| self.word(key)).collect(),
            rows: self.recap.work.iter().map(|item| self.item(item)).collect(),
        }
    }

    fn item(&self, item: &WorkItem) -> Vec<Cell> {
        let posyandu = item.posyandu.as_deref().unwrap_or_default();
        let texts = [
            item.puskesmas.clone().unwrap_or_default(),
            self.recap.names.get(posyandu).cloned().unwrap_or_else(|| posyandu.to_owned()),
            self.owner(Owner::of(&item.issue.rule)),
            item.place.file.to_string(),
            item.place.row.clone(),
            item.place.column.clone().unwrap_or_default(),
            item.issue.rule.to_string(),
            words::of_issue(self.language, &item.issue),
        ];
        texts.into_iter().map(Cell::Text).collect()
    }
}
