//! What the reader adds to the visits and screenings of older people: it follows from the answers and nothing else.

use super::*;

const PROFILE: &str = r#"
title: Skrining
kind: file
decimal: comma
dates: [day-first]
tables:
  - name: lansia
    group: lansia
    records:
      sasaran:
        nik: {columns: [NIK], format: nik}
        nama: {columns: [Nama], format: name}
        jenis_kelamin: {columns: [JK], format: words, words: {L: [Lk], P: [Pr]}}
        tanggal_lahir: {columns: [Tgl Lahir], format: date}
        posyandu: {constant: Melati}
      kunjungan_lansia:
        tanggal: &tanggal {columns: [Tanggal], format: date}
        bb: {columns: [BB], format: number}
        tb: {columns: [TB], format: number}
      skrining:
        tanggal: *tanggal
        instrumen: {columns: [Instrumen], format: words}
        skor_tertulis: {columns: [Skor], format: count, optional: true}
        tbc_batuk: &ya {columns: [Batuk], format: flag, optional: true, words: {"true": [Ya], "false": [Tidak]}}
        tbc_demam: {<<: *ya, columns: [Demam]}
        skilas_sedih: {<<: *ya, columns: [Sedih]}
        skilas_minat: {<<: *ya, columns: [Minat]}
"#;

fn read_row(changes: &[(&str, &str)]) -> RowOutcome {
    let person = [
        ("NIK", "1001015505550001"),
        ("Nama", "Nenek Contoh"),
        ("JK", "Pr"),
        ("Tgl Lahir", "15/05/1955"),
        ("Tanggal", "18/11/2026"),
    ];
    let columns = ["BB", "TB", "Instrumen", "Skor", "Batuk", "Demam", "Sedih", "Minat"].map(|name| (name, ""));
    let cells: Vec<_> = person
        .into_iter()
        .chain(columns)
        .map(|(name, text)| {
            let changed = changes.iter().find(|(column, _)| *column == name).map_or(text, |(_, text)| text);
            (name, changed, CellKind::Text)
        })
        .collect();
    read_cells(&of_text(PROFILE), 0, &cells)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        other => panic!("{other:?} is not derived"),
    }
}

#[test]
fn body_mass_index_has_one_decimal_and_needs_both_measures() {
    let index = |weight: &str, height: &str| {
        let outcome = read_row(&[("BB", weight), ("TB", height)]);
        record(&outcome, "kunjungan_lansia").get("imt").map(shown)
    };
    // 40.8 / 1.55^2 = 16.98; 72.25 / 1.70^2 = 25 exactly; 45.05 / 1.60^2 = 17.598; 64 / 1.60^2 = 25.
    for (weight, height, expected) in [("40,8", "155", "17"), ("72,25", "170", "25"), ("45,05", "160", "17.6")] {
        assert_eq!(index(weight, height).as_deref(), Some(expected), "{weight} kg, {height} cm");
    }
    assert_eq!(index("60", ""), None);
    assert_eq!(index("", "160"), None);
}

#[test]
fn screenings_are_counted_only_from_what_was_answered() {
    let field = |name: &str, changes: &[(&str, &str)]| record(&read_row(changes), "skrining").get(name).map(shown);
    let signs = |changes: &[(&str, &str)]| field("tbc_jumlah_gejala", &[&[("Instrumen", "tbc")], changes].concat());
    assert_eq!(signs(&[("Batuk", "Ya"), ("Demam", "Ya")]).as_deref(), Some("2"));
    assert_eq!(signs(&[("Batuk", "Tidak")]).as_deref(), Some("0"));
    assert_eq!(signs(&[]), None);
    let mood =
        |changes: &[(&str, &str)]| field("skilas_ranah_depresi", &[&[("Instrumen", "skilas")], changes].concat());
    assert_eq!(mood(&[("Minat", "Ya")]).as_deref(), Some("true"), "one Ya is enough");
    assert_eq!(mood(&[("Sedih", "Tidak"), ("Minat", "Tidak")]).as_deref(), Some("false"));
    assert_eq!(mood(&[("Sedih", "Tidak")]), None, "the other answer could be Ya");
    assert_eq!(field("skor", &[("Instrumen", "aks"), ("Skor", "18")]).as_deref(), Some("18"), "the written one");
}
