//! The tables of an unknown database as tables of a profile: which hold services or persons, and which other tables
//! their references lead to.
//!
//! It must not connect: it is given the catalogue and how the columns look.

use std::collections::BTreeSet;

use super::guess::{self, Column, PERSONS};
use super::look::Look;
use super::{Ground, Proposal, Query, Table};
use crate::record::preview::has_long_number;
use crate::source::cells::Cells;
use crate::source::database::catalogue;
use crate::source::layout::plain_header;
use crate::source::profile::Kind;

/// Columns in which applications write when a row was last changed.
const CHANGED_AT: [&str; 4] = ["updated_at", "modified_at", "diubah_pada", "waktu_ubah"];
/// Column in which applications mark a row as deleted.
const DELETED_AT: &str = "deleted_at";
/// Endings of plural names that applications give to the table of a reference.
const PLURALS: [&str; 3] = ["", "s", "es"];

/// A table of the catalogue and its first rows.
pub struct Seen {
    /// What the catalogue says.
    pub table: catalogue::Table,
    /// Cells of the first rows.
    pub rows: Vec<Cells>,
}

/// A column of a query.
struct Selected<'a> {
    /// Short name of the table in the query.
    short: String,
    column: &'a str,
    /// Its name in the result.
    name: String,
    look: Look,
    known_as: Vec<String>,
}

impl Ground {
    /// A profile for a database; `None` when no table holds persons or services. `only` is the table that is meant.
    #[must_use]
    pub fn of_database(&self, seen: &[Seen], only: Option<&str>) -> Option<Proposal> {
        let mut tables: Vec<Table> = Vec::new();
        let wanted = |one: &&Seen| only.is_none_or(|only| one.table.name.eq_ignore_ascii_case(only));
        for one in seen.iter().filter(wanted) {
            tables.extend(self.of_table(one, seen));
        }
        // Services come before the bare lists of persons.
        tables.sort_by_key(|table| table.guess.main.is_none());
        (!tables.is_empty()).then_some(Proposal { kind: Kind::Database, tables, headless: 0 })
    }

    fn of_table(&self, one: &Seen, all: &[Seen]) -> Option<Table> {
        let table = &one.table;
        if table.key.is_empty() || has_long_number(&table.name) {
            return None;
        }
        let mut joins = String::new();
        let mut selected = self.columns_of(one, "t", "");
        for (own, other, there) in references(one, all) {
            let Some(joined) = all.iter().find(|other_one| other_one.table.name == other) else { continue };
            if !self.is_worth_joining(joined) || joined.table.name == table.name {
                continue;
            }
            let short = format!("j{}", joins.matches("LEFT JOIN").count() + 1);
            joins.push_str(&format!(" LEFT JOIN {} {short} ON {short}.{} = t.{}", sql(&other), sql(&there), sql(&own)));
            selected.extend(self.columns_of(joined, &short, &other));
            // A person's own posyandu stands one reference further.
            for (own, further, there) in references(joined, all) {
                let Some(last) = all.iter().find(|one| one.table.name == further) else { continue };
                if plain_header(&further).contains("posyandu") && further != table.name {
                    let behind = format!("{short}p");
                    let on = format!("{behind}.{} = {short}.{}", sql(&there), sql(&own));
                    joins.push_str(&format!(" LEFT JOIN {} {behind} ON {on}", sql(&further)));
                    selected.extend(self.columns_of(last, &behind, &further));
                }
            }
        }
        let mut names: BTreeSet<String> = BTreeSet::new();
        selected.retain(|column| names.insert(plain_header(&column.name)));
        self.assemble(one, selected, &joins)
    }

    fn assemble(&self, one: &Seen, selected: Vec<Selected<'_>>, joins: &str) -> Option<Table> {
        let table = &one.table;
        let key: Vec<String> = table.key.clone();
        let changed_at = table.columns.iter().find(|column| CHANGED_AT.contains(&column.to_lowercase().as_str()));
        let kept = |column: &Selected<'_>| {
            let own = column.short == "t" && (key.contains(&column.name) || changed_at == Some(&column.name));
            !own && !column.name.ends_with(DELETED_AT)
        };
        let (selected, passed): (Vec<_>, Vec<_>) = selected.into_iter().partition(kept);
        drop(passed);
        let places: Vec<String> = selected
            .iter()
            .map(|column| format!("{}.{} AS {}", column.short, sql(column.column), sql(&column.name)))
            .collect();
        let columns: Vec<Column> = selected
            .into_iter()
            .map(|column| Column { name: column.name, known_as: column.known_as, look: column.look })
            .collect();
        let guess = guess::place(&columns, &table.name, &self.known, &self.antigens);
        let has =
            |field: &str| guess.placed.iter().flat_map(|placed| &placed.meanings).any(|meaning| meaning.field == field);
        let persons = has("nama") && (has("nik") || has("tanggal_lahir"));
        let services = guess.main.is_some() && has("tanggal");
        if !persons || (guess.main.is_some() && !services) && !self.is_register(one) {
            return None;
        }
        // Only what is read is asked for.
        let used = |at: usize| guess.placed.iter().any(|placed| placed.column == at);
        let asked = key.iter().chain(changed_at).map(|column| format!("t.{}", sql(column)));
        let read = places.into_iter().enumerate().filter(|(at, _)| used(*at)).map(|(_, place)| place);
        let asked: Vec<String> = asked.chain(read).collect();
        let mut text = format!("SELECT {} FROM {} t{joins}", asked.join(", "), sql(&table.name));
        if let Some(deleted) = table.columns.iter().find(|column| column.eq_ignore_ascii_case(DELETED_AT)) {
            text.push_str(&format!(" WHERE t.{} IS NULL", sql(deleted)));
        }
        let query = Query { text, key, changed_at: changed_at.cloned(), rows: table.rows };
        let (numbering, unnamed, titles) = (Vec::new(), Vec::new(), Vec::new());
        Some(Table { name: table.name.clone(), query: Some(query), columns, numbering, unnamed, titles, guess })
    }

    /// Whether a table by itself holds persons.
    fn is_register(&self, one: &Seen) -> bool {
        let columns: Vec<Column> = self
            .columns_of(one, "t", "")
            .into_iter()
            .map(|column| Column { name: column.name, known_as: column.known_as, look: column.look })
            .collect();
        let guess = guess::place(&columns, &one.table.name, &self.known, &self.antigens);
        let has = |field: &str| {
            guess
                .placed
                .iter()
                .flat_map(|placed| &placed.meanings)
                .any(|one| one.dataset == PERSONS && one.field == field)
        };
        has("nama") && (has("nik") || has("tanggal_lahir"))
    }

    fn is_worth_joining(&self, one: &Seen) -> bool {
        plain_header(&one.table.name).contains("posyandu") || self.is_register(one)
    }

    /// The columns of a table; those of a joined table get its name before theirs.
    fn columns_of<'a>(&self, one: &'a Seen, short: &str, joined: &str) -> Vec<Selected<'a>> {
        let is_post = plain_header(joined).contains("posyandu");
        let columns = one.table.columns.iter().enumerate().filter(|(_, name)| !has_long_number(name));
        // The number of another table's row is no value of a person.
        let columns = columns.filter(|(_, name)| joined.is_empty() || !one.table.key.contains(name));
        columns
            .map(|(at, column)| {
                let mut look = Look::default();
                let cells = one.rows.iter();
                cells.for_each(|row| look.count(row.get(at).unwrap_or_default(), row.kind(at), &self.antigens));
                let name = if joined.is_empty() { column.clone() } else { format!("{joined}_{column}") };
                // The name of a posyandu is no person's.
                let known_as = match (is_post, plain_header(column).as_str()) {
                    (false, _) => vec![plain_header(column)],
                    (true, "nama" | "nama posyandu") => vec!["posyandu".to_owned()],
                    (true, "puskesmas" | "kelurahan") => vec![plain_header(column)],
                    (true, _) => Vec::new(),
                };
                Selected { short: short.to_owned(), column, name, look, known_as }
            })
            .filter(|selected| !(is_post && selected.known_as.is_empty()))
            .collect()
    }
}

/// The references of a table: those it declares, and columns such as `balita_id` beside a table `balitas` or `balita`.
fn references(one: &Seen, all: &[Seen]) -> Vec<(String, String, String)> {
    let mut found = one.table.references.clone();
    for column in &one.table.columns {
        let Some(stem) = column.strip_suffix("_id").or_else(|| column.strip_prefix("id_")) else { continue };
        if found.iter().any(|(own, ..)| own == column) {
            continue;
        }
        let meant = all
            .iter()
            .map(|one| &one.table)
            .find(|table| PLURALS.iter().any(|ending| table.name.eq_ignore_ascii_case(&format!("{stem}{ending}"))));
        if let Some(table) = meant
            && let [key] = table.key.as_slice()
        {
            found.push((column.clone(), table.name.clone(), key.clone()));
        }
    }
    found
}

/// A name in quotation marks, as all three engines take it.
fn sql(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
