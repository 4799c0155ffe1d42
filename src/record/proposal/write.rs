//! A proposal as the YAML of a profile: each line says how sure it is, so that a person knows what to look at.
//!
//! It must not write a value of a cell; headers of columns are written, which are no data.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::guess::{Column, DOSES, PERSONS, Placed, Reason};
use super::known::Meaning;
use super::look;
use super::scalar::{one_line, quoted, scalar};
use super::{Ground, Proposal, Table};
use crate::record::schema::{Kind as FieldKind, Schema};
use crate::record::words::fold;
use crate::source::profile::Kind;
use crate::source::profile::field::{DateStyle, DecimalMark, FieldSpec, Format};
use crate::words::{self, Language};

/// Required fields that follow from others and need no column.
const DERIVED: [&str; 5] = ["status_nik", "umur_bulan", "umur_tahun", "status", "dosis_ke"];
/// Unknown words of a coded column that are shown, at most.
const UNKNOWN_WORDS_MAX: usize = 5;

/// A field of a record that is written.
struct Line {
    field: String,
    text: String,
    note: String,
}

/// The fields of one record of a row, by what makes it this record.
type Sets = BTreeMap<(String, Vec<(String, String)>), Vec<Line>>;

/// The YAML of a proposal.
#[must_use]
pub fn yaml(proposal: &Proposal, title: &str, ground: &Ground, language: Language) -> String {
    let say = |key: &str, values: &[(&str, String)]| one_line(&words::text(language, key, values));
    let mut out = String::new();
    for key in ["proposal.head_1", "proposal.head_2", "proposal.head_3"] {
        let _ = writeln!(out, "# {}", say(key, &[]));
    }
    if proposal.headless > 0 {
        let _ = writeln!(out, "# {}", say("proposal.headless", &[("lembar", proposal.headless.to_string())]));
    }
    let _ = writeln!(out, "title: {}", scalar(title));
    let kind = if proposal.kind == Kind::File { "file" } else { "database" };
    let _ = writeln!(out, "kind: {kind}");
    let (decimal, sure) = decimal(proposal);
    let word = if decimal == DecimalMark::Comma { "comma" } else { "point" };
    let _ = writeln!(out, "decimal: {word}{}", if sure { String::new() } else { say("proposal.decimal_guess", &[]) });
    let mut counted = BTreeMap::new();
    for table in &proposal.tables {
        for placed in table.guess.placed.iter().filter(|placed| is_date(placed)) {
            table.columns[placed.column].look.add_styles(&mut counted);
        }
    }
    let (styles, sure) = look::styles(&counted);
    let names: Vec<&str> = styles.into_iter().map(style_name).collect();
    let note = if sure { String::new() } else { say("proposal.dates_guess", &[]) };
    let _ = writeln!(out, "dates: [{}]{note}", names.join(", "));
    if proposal.kind == Kind::File {
        out.push_str("skipped_sheets: [Rekap*]\n");
    }
    out.push_str("tables:\n");
    for table in &proposal.tables {
        write_table(&mut out, table, proposal.kind, ground, language);
    }
    out
}

fn is_date(placed: &Placed) -> bool {
    placed.meanings.iter().any(|meaning| meaning.spec.format == Format::Date)
}

/// The decimal mark, and whether the values show it.
fn decimal(proposal: &Proposal) -> (DecimalMark, bool) {
    let (mut commas, mut points) = (0, 0);
    for table in &proposal.tables {
        for placed in &table.guess.placed {
            if placed.meanings.iter().any(|meaning| matches!(meaning.spec.format, Format::Number | Format::Computed)) {
                commas += table.columns[placed.column].look.commas;
                points += table.columns[placed.column].look.points;
            }
        }
    }
    let mark = if proposal.kind == Kind::Database || points > commas { DecimalMark::Point } else { DecimalMark::Comma };
    (mark, proposal.kind == Kind::Database || (commas == 0) != (points == 0))
}

fn style_name(style: DateStyle) -> &'static str {
    match style {
        DateStyle::Iso => "iso",
        DateStyle::DayFirst => "day-first",
        DateStyle::MonthFirst => "month-first",
        DateStyle::MonthName => "month-name",
        DateStyle::Serial => "serial",
    }
}

fn write_table(out: &mut String, table: &Table, kind: Kind, ground: &Ground, language: Language) {
    let say = |key: &str, values: &[(&str, String)]| one_line(&words::text(language, key, values));
    for (position, filled) in &table.unnamed {
        let values = [("kolom", position.to_string()), ("isi", filled.to_string())];
        let _ = writeln!(out, "  # {}", say("proposal.unnamed", &values));
    }
    let rows = table.query.as_ref().and_then(|query| query.rows);
    let rows = rows.map(|rows| say("proposal.rows", &[("baris", rows.to_string())])).unwrap_or_default();
    let _ = writeln!(out, "  - name: {}{rows}", scalar(&table.name));
    if let Some(query) = &table.query {
        let keys: Vec<String> = query.key.iter().map(|key| scalar(key)).collect();
        let _ = writeln!(out, "    key: [{}]", keys.join(", "));
        if let Some(changed_at) = &query.changed_at {
            let note = say("proposal.changed_at", &[]);
            let _ = writeln!(out, "    changed_at: {}{note}", scalar(changed_at));
        }
        let _ = writeln!(out, "    query: {}", quoted(&query.text));
    }
    if kind == Kind::File {
        if !table.numbering.is_empty() {
            let names: Vec<String> = table.numbering.iter().map(|name| scalar(name)).collect();
            let _ = writeln!(out, "    number_columns: [{}]", names.join(", "));
        }
        out.push_str("    footers: [Jumlah, Total, Rata-rata]\n");
    }
    let is_placed = |at: usize| table.guess.placed.iter().any(|placed| placed.column == at);
    let ignored: Vec<&Column> =
        table.columns.iter().enumerate().filter(|(at, _)| !is_placed(*at)).map(|(_, column)| column).collect();
    if !ignored.is_empty() {
        out.push_str("    ignored_columns:\n");
        for column in ignored {
            let kind = look_of(column).map(|key| say(key, &[])).unwrap_or_default();
            let note = say("proposal.unknown", &[("isi", column.look.filled.to_string()), ("rupa", kind)]);
            let _ = writeln!(out, "      - {}{note}", scalar(&column.name));
        }
    }
    write_records(out, table, ground, language);
}

/// What most values of a column are that no field took.
fn look_of(column: &Column) -> Option<&'static str> {
    let look = &column.look;
    if look.mostly(look.niks) {
        Some("proposal.looks_nik")
    } else if look.mostly(look.all_dates()) {
        Some("proposal.looks_date")
    } else if look.mostly(look.numbers) {
        Some("proposal.looks_number")
    } else if look.mostly(look.vaccines) {
        Some("proposal.looks_vaccine")
    } else {
        None
    }
}

fn write_records(out: &mut String, table: &Table, ground: &Ground, language: Language) {
    let sets = sets(table, ground, language);
    let (repeated, single): (Vec<_>, Vec<_>) = sets.iter().partition(|((_, constants), _)| !constants.is_empty());
    out.push_str("    records:\n");
    if single.is_empty() {
        out.truncate(out.len() - "    records:\n".len());
    }
    for ((dataset, _), lines) in single {
        let _ = writeln!(out, "      {dataset}:");
        write_lines(out, lines, "        ", "        ");
        write_missing(out, dataset, lines, &[], ground, "        ", language);
    }
    let mut before = "";
    for ((dataset, constants), lines) in repeated {
        if before.is_empty() {
            out.push_str("    repeated:\n");
        }
        if before != dataset {
            let _ = writeln!(out, "      {dataset}:");
        }
        before = dataset;
        write_lines(out, lines, "        - ", "          ");
        write_missing(out, dataset, lines, constants, ground, "          ", language);
    }
    let has = |lines: &Vec<Line>, field: &str| lines.iter().any(|line| line.field == field);
    let doses = || sets.iter().filter(|((dataset, _), _)| dataset == DOSES);
    if doses().any(|((_, constants), lines)| !constants.is_empty() && has(lines, "tanggal")) {
        let _ = writeln!(out, "    only_with: {{{DOSES}: tanggal}}");
    } else if table.guess.doses && doses().any(|(_, lines)| has(lines, "antigen")) {
        let _ = writeln!(out, "    only_with: {{{DOSES}: antigen}}");
    }
}

fn write_lines(out: &mut String, lines: &[Line], first: &str, others: &str) {
    for (at, line) in lines.iter().enumerate() {
        let indent = if at == 0 { first } else { others };
        let _ = writeln!(out, "{indent}{}: {{{}}}{}", line.field, line.text, line.note);
    }
}

/// Required fields without a column, as lines to be filled in.
fn write_missing(
    out: &mut String,
    dataset: &str,
    lines: &[Line],
    constants: &[(String, String)],
    ground: &Ground,
    indent: &str,
    language: Language,
) {
    let Some(schema) = ground.schemas.get(dataset) else { return };
    let has =
        |name: &str| lines.iter().any(|line| line.field == name) || constants.iter().any(|(field, _)| field == name);
    let required = |name: &str, required: bool| required || (dataset == PERSONS && name == "nik");
    for field in schema.fields.iter().filter(|field| required(&field.name, field.required)) {
        if !has(&field.name) && !DERIVED.contains(&field.name.as_str()) {
            let note = one_line(&words::text(language, "proposal.required", &[("kolom", field.title.clone())]));
            let _ = writeln!(out, "{indent}# {}: {{columns: []{}}}{note}", field.name, format_of_kind(&field.kind));
        }
    }
}

fn format_of_kind(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::Date => ", format: date",
        FieldKind::Decimal => ", format: number",
        FieldKind::Integer => ", format: count",
        FieldKind::Code(_) => ", format: words",
        FieldKind::Boolean => ", format: flag",
        _ => "",
    }
}

/// The records of a row with their lines.
fn sets(table: &Table, ground: &Ground, language: Language) -> Sets {
    let mut sets = Sets::new();
    let mut placed: Vec<&Placed> = table.guess.placed.iter().collect();
    placed.sort_by_key(|placed| placed.column);
    let mut day = None;
    for placed in placed {
        let column = &table.columns[placed.column];
        for meaning in &placed.meanings {
            let schema = ground.schemas.get(&meaning.dataset);
            let line = line(column, meaning, &placed.reason, schema.map(|schema| &**schema), language);
            if meaning.field == "tanggal" && meaning.constants.is_empty() {
                day = Some(line.text.clone());
            }
            sets.entry(key(meaning)).or_default().push(line);
        }
    }
    for (label, meaning) in &table.titles {
        let note = one_line(&words::plain(language, "proposal.listed"));
        let text = format!("titles: [{}], optional: true", scalar(label));
        sets.entry(key(meaning)).or_default().push(Line { field: meaning.field.clone(), text, note: pad(&note) });
    }
    for ((_, constants), lines) in &mut sets {
        for (field, text) in constants.iter().rev() {
            lines.insert(0, Line { field: field.clone(), text: text.clone(), note: String::new() });
        }
        if !constants.is_empty()
            && lines.iter().all(|line| line.field != "tanggal")
            && let Some(text) = &day
        {
            lines.push(Line { field: "tanggal".to_owned(), text: text.clone(), note: String::new() });
        }
    }
    sets
}

fn key(meaning: &Meaning) -> (String, Vec<(String, String)>) {
    let constants = meaning.constants.iter().map(|(field, spec)| {
        let text =
            format!("constant: {}{}", scalar(spec.constant.as_deref().unwrap_or_default()), format_of(spec.format));
        (field.clone(), text)
    });
    (meaning.dataset.clone(), constants.collect())
}

fn line(column: &Column, meaning: &Meaning, reason: &Reason, schema: Option<&Schema>, language: Language) -> Line {
    let spec = &meaning.spec;
    let mut text = format!("columns: [{}]{}", scalar(&column.name), format_of(spec.format));
    if let Some(part) = spec.part {
        let split: Vec<String> = spec.split.iter().map(|mark| quoted(mark)).collect();
        let _ = write!(text, ", split: [{}], part: {part}", split.join(", "));
    }
    let say = |key: &str, values: &[(&str, String)]| one_line(&words::text(language, key, values));
    let mut note = match reason {
        Reason::Listed if column.look.contradicts(spec.format) => {
            let fitting = column.look.fitting(spec.format).unwrap_or(0);
            let values = [("cocok", fitting.to_string()), ("isi", column.look.filled.to_string())];
            say("proposal.contradicted", &values)
        }
        Reason::Listed => say("proposal.listed", &[]),
        Reason::Alike => say("proposal.alike", &[]),
        Reason::Similar(name, percent) => {
            say("proposal.similar", &[("nama", name.clone()), ("persen", percent.to_string())])
        }
        Reason::Values(key) => say(key, &[]),
        Reason::Vaccine => say("proposal.vaccine", &[]),
    };
    if matches!(spec.format, Format::Words | Format::Flag | Format::List | Format::Capsules) {
        let (words, unknown) = words_of(
            column,
            spec,
            schema.and_then(|schema| {
                schema.index(&meaning.field).and_then(|at| schema.fields.get(at)).map(|field| &field.kind)
            }),
        );
        text.push_str(&words);
        if !unknown.is_empty() {
            note.push_str(&say("proposal.words", &[("kata", unknown.join(", "))]));
        }
    }
    Line { field: meaning.field.clone(), text, note: pad(&note) }
}

/// The known words that were seen, all known ones where none was, and those that nobody knows with their counts.
fn words_of(column: &Column, spec: &FieldSpec, kind: Option<&FieldKind>) -> (String, Vec<String>) {
    let own: &[String] = if let Some(FieldKind::Code(codes)) = kind { codes } else { &[] };
    let listed = |word: &str| spec.words.values().flatten().chain(own).any(|known| fold(known) == word);
    let seen: Vec<&str> = column.look.words().map(|(word, _)| word).filter(|word| listed(word)).collect();
    let codes = spec.words.iter().filter_map(|(code, words)| {
        let mut kept: Vec<&String> = Vec::new();
        for word in words.iter().filter(|word| seen.is_empty() || seen.contains(&fold(word).as_str())) {
            // One spelling of each: case and marks make no difference.
            if kept.iter().all(|known| fold(known) != fold(word)) {
                kept.push(word);
            }
        }
        let kept: Vec<String> = kept.into_iter().map(|word| quoted(word)).collect();
        (!kept.is_empty()).then(|| format!("{}: [{}]", quoted(code), kept.join(", ")))
    });
    let codes: Vec<String> = codes.collect();
    let text = if codes.is_empty() { String::new() } else { format!(", words: {{{}}}", codes.join(", ")) };
    let mut unknown = column.look.unknown(listed);
    unknown.truncate(UNKNOWN_WORDS_MAX);
    (text, unknown.into_iter().map(|(word, count)| format!("\"{}\" {count}×", one_line(word))).collect())
}

fn format_of(format: Format) -> String {
    let name = match format {
        Format::Text => return String::new(),
        Format::Name => "name",
        Format::Nik => "nik",
        Format::Phone => "phone",
        Format::Bpjs => "bpjs",
        Format::Date => "date",
        Format::Time => "time",
        Format::Number => "number",
        Format::BloodPressure => "blood_pressure",
        Format::Count => "count",
        Format::Computed => "computed",
        Format::Words => "words",
        Format::Flag => "flag",
        Format::List => "list",
        Format::Capsules => "capsules",
        Format::Age => "age",
        Format::Vaccine => "vaccine",
        Format::Dose => "dose",
        Format::Reason => "reason",
    };
    format!(", format: {name}")
}

fn pad(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!("  # {}", note.trim_start().trim_start_matches("# ")) }
}
