//! A statement as a page: what a person signs off, prints and files.
//!
//! It only lays out what the statement says; it must not look at the ledger.

use super::document::{Cell, Document, Table};
use super::statement::{Content, Counted, Movement, OfPosyandu};
use crate::ledger::standing::{LATE, Part, SAME_DAY};
use crate::ledger::statement::{Kind, Statement};
use crate::words::{self, Language};

/// The words for a part and its reason; a rule without a word of its own is shown by its name.
#[must_use]
pub fn reason(language: Language, part: Part, reason: &str) -> String {
    let keys = match part {
        Part::Accepted => vec![format!("statement.accepted.{reason}")],
        Part::Waiting => vec![format!("report.state.{reason}"), format!("report.reason.{reason}")],
        Part::Waived => vec![format!("statement.waived.{reason}")],
        Part::Replaced => vec!["report.state.superseded".to_owned()],
        Part::Skipped => vec![format!("report.skipped.{reason}")],
        Part::Refused => Vec::new(),
    };
    let known = keys.iter().find(|key| words::knows(key));
    known.map_or_else(|| reason.to_owned(), |key| words::plain(language, key))
}

/// The word for a part.
#[must_use]
pub fn part(language: Language, part: Part) -> String {
    words::plain(language, &format!("statement.part.{}", part.word()))
}

/// Lays a statement out; `names` knows posyandu by their code.
#[must_use]
pub fn page(
    statement: &Statement,
    content: &Content,
    names: &dyn Fn(&str) -> Option<String>,
    language: Language,
) -> Document {
    let word = |key: &str| words::plain(language, key);
    let filled = |key: &str, arguments: &[(&str, String)]| words::text(language, key, arguments);
    let mut head = vec![
        filled("report.puskesmas", &[("names", statement.puskesmas.clone())]),
        filled("report.date", &[("date", statement.service_date.to_string())]),
        filled("statement.number", &[("number", statement.number.to_string())]),
        filled("report.made_at", &[("at", content.zone.text_at(statement.made_at))]),
    ];
    if content.made_late {
        head.push(word("statement.made_late"));
    }
    let mut tables = Vec::new();
    if let Some(difference) = &content.difference {
        head.push(filled("statement.amends", &[("number", difference.amends.to_string())]));
        tables.push(moved(language, &difference.rows, &difference.visits));
    }
    tables.push(whole(language, &content.total));
    tables.push(places(language, &content.posyandu, names));
    let title = match statement.kind {
        Kind::Seal => word("statement.title_seal"),
        Kind::Amendment => word("statement.title_amendment"),
    };
    let foot = vec![
        word("statement.how"),
        filled("statement.previous", &[("hash", Statement::shown(&statement.previous))]),
        filled("statement.hash", &[("hash", Statement::shown(&statement.hash()))]),
        filled("statement.code", &[("code", Statement::shown(&statement.code))]),
    ];
    Document { title, head, tables, foot }
}

fn columns(language: Language, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| words::plain(language, key)).collect()
}

const PARTS: [&str; 4] = ["statement.part", "statement.reason", "statement.rows", "statement.visits"];

fn whole(language: Language, total: &Counted) -> Table {
    let mut rows = Vec::new();
    for of in Part::ALL {
        let mut reasons: Vec<&String> = [&total.rows, &total.visits]
            .iter()
            .filter_map(|tally| tally.0.get(&of))
            .flat_map(|all| all.keys())
            .collect();
        reasons.sort();
        reasons.dedup();
        for why in reasons {
            rows.push(vec![
                Cell::Text(part(language, of)),
                Cell::Text(reason(language, of, why)),
                Cell::Number(total.rows.with(of, why)),
                Cell::Number(total.visits.with(of, why)),
            ]);
        }
    }
    let sum = [Cell::text(words::plain(language, "statement.sum")), Cell::text("")];
    rows.push(sum.into_iter().chain([Cell::Number(total.read), Cell::Number(total.visits_total)]).collect());
    Table {
        name: "jumlah",
        title: words::plain(language, "statement.total"),
        notes: vec![words::plain(language, "statement.total_note")],
        columns: columns(language, &PARTS),
        rows,
    }
}

fn moved(language: Language, of_rows: &Movement, of_visits: &Movement) -> Table {
    let mut rows = Vec::new();
    let number = |movement: &Movement, of: Part, why: &str| {
        movement.get(&of).and_then(|reasons| reasons.get(why)).copied().unwrap_or(0)
    };
    for of in Part::ALL {
        let mut reasons: Vec<&String> =
            [of_rows, of_visits].iter().filter_map(|movement| movement.get(&of)).flat_map(|all| all.keys()).collect();
        reasons.sort();
        reasons.dedup();
        for why in reasons {
            rows.push(vec![
                Cell::Text(part(language, of)),
                Cell::Text(reason(language, of, why)),
                Cell::Change(number(of_rows, of, why)),
                Cell::Change(number(of_visits, of, why)),
            ]);
        }
    }
    Table {
        name: "perubahan",
        title: words::plain(language, "statement.moved"),
        notes: vec![words::plain(language, "statement.moved_note")],
        columns: columns(language, &PARTS),
        rows,
    }
}

fn places(language: Language, all: &[OfPosyandu], names: &dyn Fn(&str) -> Option<String>) -> Table {
    let row = |one: &OfPosyandu| {
        let name = match &one.posyandu {
            Some(code) => names(code).unwrap_or_else(|| code.clone()),
            None => words::plain(language, "report.no_posyandu"),
        };
        let visits = &one.counted.visits;
        let mut cells = vec![Cell::Text(name), Cell::Number(one.counted.read), Cell::Number(one.counted.visits_total)];
        cells.push(Cell::Number(visits.with(Part::Accepted, SAME_DAY)));
        cells.push(Cell::Number(visits.with(Part::Accepted, LATE)));
        cells.push(Cell::Number(visits.of(Part::Waiting)));
        cells.push(Cell::Number(one.counted.rows.of(Part::Refused)));
        cells.push(Cell::Number(one.counted.rows.of(Part::Waived)));
        cells
    };
    let keys = ["statement.posyandu", "statement.rows", "statement.visits", "statement.accepted.same_day"];
    let more = ["statement.accepted.late", "statement.part.waiting", "statement.refused_rows", "statement.waived_rows"];
    Table {
        name: "posyandu",
        title: words::plain(language, "statement.places"),
        notes: Vec::new(),
        columns: columns(language, &[&keys[..], &more].concat()),
        rows: all.iter().map(row).collect(),
    }
}
