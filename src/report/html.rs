//! A document as one HTML page that needs nothing else: for a browser, a phone or a printer.
//!
//! No script, nothing loaded; every text is escaped by the template. It must not format a figure: cells do.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::{Document, Table};
use crate::words::Language;

/// How it looks on screens of any width and on paper.
const STYLE: &str = include_str!("page.css");

/// Writes the page.
#[must_use]
pub fn page(document: &Document, language: Language) -> String {
    let code = if language == Language::Indonesian { "id" } else { "en" };
    let whole = html! {
        (DOCTYPE)
        html lang=(code) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (document.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (document.title) }
                    @for line in &document.head { p { (line) } }
                }
                nav { ul { @for table in &document.tables { li { a href={ "#" (table.name) } { (table.title) } } } } }
                main { @for one in &document.tables { (table(one, language)) } }
                footer { @for line in &document.foot { p { (line) } } }
            }
        }
    };
    whole.into_string()
}

fn table(table: &Table, language: Language) -> Markup {
    let numeric: Vec<bool> = (0..table.columns.len()).map(|at| table.is_numeric(at)).collect();
    let is_numeric = |at: usize| numeric.get(at).copied().unwrap_or(false);
    html! {
        section id=(table.name) {
            h2 { (table.title) }
            @for note in &table.notes { p.note { (note) } }
            div.wide tabindex="0" role="region" aria-label=(table.title) {
                table {
                    thead { tr {
                        @for (at, title) in table.columns.iter().enumerate() {
                            th scope="col" .number[is_numeric(at)] { (title) }
                        }
                    } }
                    tbody { @for row in &table.rows { tr {
                        @for (at, cell) in row.iter().enumerate() {
                            @if at == 0 { th scope="row" { (cell.shown(language)) } }
                            @else { td .number[is_numeric(at)] { (cell.shown(language)) } }
                        }
                    } } }
                }
            }
        }
    }
}
