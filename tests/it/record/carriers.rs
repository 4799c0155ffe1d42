//! What carriers know about cells: numbers, dates, booleans and failed formulas of spreadsheets and databases.

use super::*;

use CellKind::{Date, Error, Number, Text};

fn typed(changes: &[(&str, &str, CellKind)]) -> RowOutcome {
    let mut cells: Vec<(&str, &str, CellKind)> =
        groups::row(0).into_iter().map(|(header, text)| (header, text, Text)).collect();
    for (header, text, kind) in changes {
        let at = cells.iter().position(|(column, _, _)| column == header).unwrap();
        cells[at] = (cells[at].0, text, *kind);
    }
    read_cells(&groups::profile(), 0, &cells)
}

#[test]
fn cells_that_are_no_text() {
    const WEEKS: (&str, &str, CellKind) = ("UK", "28", Number);
    for (change, expected) in [
        (("NIK", "1001015505950000", Number), &[("nik.last_digit", WARNING)][..]),
        (("NIK", "1001015505950001", Number), &[("nik.stored_as_number", WARNING)]),
        (("NIK", "1001015505950000", Text), &[]),
        (("NIK", "l001015505950001", Text), &[("nik.letters", ERROR)]),
        (("NIK", concat!("12345678", "90123456"), Text), &[("nik.placeholder", ERROR)]),
        (("NIK", "0000000000000000", Text), &[("nik.placeholder", ERROR)]),
        (("Tgl Lahir", "1995-05-15", Date), &[]),
        (("Tgl Lahir", "1995-05-15 00:00:00", Date), &[]),
        (("Tgl Lahir", "34834", Number), &[]),
        (("Tgl Lahir", "45", Number), &[("birth_date.is_age", ERROR)]),
        (("Tgl Lahir", "1995", Number), &[("birth_date.unreadable", ERROR)]),
        (("Tanggal", "2026-11-18T01:00:00Z", Text), &[("date.zone", ERROR)]),
        (("Tanggal", "2026-11-18T01:00:00+07:00", Text), &[]),
        (("BB", "58.5", Number), &[]),
        (("BB", "2026-05-27", Date), &[("weight.is_date", ERROR)]),
        (("LiLA", "2026-03-27 00:00:00", Date), &[("lila.is_date", ERROR)]),
        (("Tensi", "2026-08-12", Date), &[("blood_pressure.is_date", ERROR)]),
        (("Hb", "#REF!", Error), &[("cell.formula", ERROR)]),
        (("Tensi", "#VALUE!", Error), &[("cell.formula", ERROR)]),
        (("Kelas", "1", CellKind::Boolean), &[]),
    ] {
        expect(&typed(&[WEEKS, change]), expected, &format!("{change:?}"));
    }
    let weight = typed(&[("LiLA", "2026-03-27", Date)]);
    let issue = weight.issues.iter().find(|issue| issue.rule == "lila.is_date").unwrap();
    assert!(words::of_issue(Language::Indonesian, issue).contains("27.3"));
}

const PERSON: &str = r#"
title: Daftar sasaran
kind: file
dates: [day-first, month-first]
tables:
  - name: sasaran
    records:
      sasaran:
        nik: {columns: [NIK], format: nik}
        nama: {columns: [Nama], format: name}
        jenis_kelamin: {columns: [JK], format: words, words: {L: [Laki-laki, M, "1"], P: [Perempuan, F, "0"]}}
        tanggal_lahir: {columns: [Tgl Lahir], format: date}
        no_kk: {columns: [No KK], format: nik}
        no_hp: {columns: [HP], format: phone}
        no_bpjs: {columns: [BPJS], format: bpjs}
        status_bpjs: {columns: [Status BPJS], format: words}
        rt: {columns: [RT/RW], split: ["/"], part: 1}
        rw: {columns: [RT/RW], split: ["/"], part: 2}
        posyandu: {columns: [Posyandu]}
"#;

#[test]
fn persons_of_a_register() {
    let known = of_text(PERSON);
    let row = |changes: &[(&str, &str, CellKind)]| {
        let mut cells: Vec<(&str, &str, CellKind)> = [
            ("NIK", "1001015505950001"),
            ("Nama", "Ibu Contoh"),
            ("JK", "0"),
            ("Tgl Lahir", "15/05/1995"),
            ("No KK", "1001011505950003"),
            ("HP", "81234567890"),
            ("BPJS", "0001234567890"),
            ("Status BPJS", "Non PBI"),
            ("RT/RW", "01/02"),
            ("Posyandu", "Melati"),
        ]
        .map(|(header, text)| (header, text, Text))
        .to_vec();
        for (header, text, kind) in changes {
            let at = cells.iter().position(|(column, _, _)| column == header).unwrap();
            cells[at] = (cells[at].0, text, *kind);
        }
        read_cells(&known, 0, &cells)
    };
    let good = row(&[]);
    expect(&good, &[], "good");
    let person = record(&good, "sasaran");
    assert_eq!((person.text("jenis_kelamin"), person.text("no_hp")), (Some("P"), Some("081234567890")));
    assert_eq!((person.text("rt"), person.text("status_bpjs")), (Some("01"), Some("non_pbi")));
    for (change, expected) in [
        (("Tgl Lahir", "05/06/1995", Text), &[("date.ambiguous", ERROR)][..]),
        (("Tgl Lahir", "05/15/1995", Text), &[]),
        (("JK", "2", Text), &[("sex.unknown", ERROR)]),
        (("JK", "Laki-laki", Text), &[("sex.nik_contradiction", WARNING)]),
        (("No KK", "123", Text), &[("nik.related_unusable", WARNING)]),
        (("BPJS", "1234567890", Number), &[("bpjs.padded", INFORMATION)]),
        (("BPJS", "tidak punya", Text), &[("bpjs.digits", WARNING)]),
        (("RT/RW", "2026-02-01", Date), &[("text.is_date", WARNING)]),
    ] {
        expect(&row(&[change]), expected, &format!("{change:?}"));
    }
    let padded = row(&[("BPJS", "1234567890", Number)]);
    assert_eq!(record(&padded, "sasaran").text("no_bpjs"), Some("0001234567890"));
}

#[test]
fn a_database_keeps_all_digits_of_a_number() {
    let text = PERSON
        .replace("kind: file", "kind: database")
        .replace("  - name: sasaran\n", "  - name: sasaran\n    query: SELECT 1\n    key: [NIK]\n");
    let known = of_text(&text);
    let outcome = read_cells(
        &known,
        0,
        &[
            ("NIK", "1001015505950001", Number),
            ("Nama", "Ibu Contoh", Text),
            ("JK", "P", Text),
            ("Tgl Lahir", "1995-05-15", Date),
            ("Posyandu", "Melati", Text),
        ],
    );
    expect(&outcome, &[], "bigint");
    assert_eq!(record(&outcome, "sasaran").text("status_nik"), Some("asli"));
}
