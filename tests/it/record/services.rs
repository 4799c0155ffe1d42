//! What is given, asked and arranged beside a visit: several records of one dataset in one row.

use super::*;

const PROFILE: &str = r#"
title: Register layanan
kind: file
decimal: comma
dates: [day-first]
tables:
  - name: layanan
    records:
      sasaran: &sasaran
        nik: {columns: [NIK], format: nik}
        nama: {columns: [Nama], format: name}
        jenis_kelamin: {columns: [JK], format: words, words: {L: [L], P: [P]}}
        tanggal_lahir: {columns: [Tgl Lahir], format: date}
        posyandu: {columns: [Posyandu]}
      rujukan:
        tanggal: {columns: [Tanggal], format: date}
        ke: {columns: [Rujuk], format: words}
      kunjungan_rumah:
        tanggal: {columns: [Tanggal], format: date}
        jenis: {columns: [Kunjungan Rumah], format: words}
    repeated:
      suplementasi:
        - tanggal: &tanggal {columns: [Tanggal], format: date}
          jenis: {columns: [Vit A], format: capsules, words: {"true": [Ya], "false": [Tidak]}}
        - tanggal: *tanggal
          jenis: {constant: ttd, format: words}
          jumlah: {columns: [TTD], format: count}
          satuan: {constant: tablet, format: words}
        - tanggal: *tanggal
          jenis: {constant: obat_cacing, format: words}
          diberikan: {columns: [Obat Cacing], format: flag, words: {"true": [Ya], "false": [Tidak]}}
      skrining:
        - tanggal: *tanggal
          instrumen: {constant: tbc, format: words}
          tbc_batuk: {columns: [Batuk], format: flag, words: &ya {"true": [Ya], "false": [Tidak]}}
          tbc_demam: {columns: [Demam], format: flag, words: *ya}
        - tanggal: *tanggal
          instrumen: {constant: puma, format: words}
          puma_jk: {columns: [PUMA 1], format: count}
          skor_tertulis: {columns: [Skor PUMA], format: count}
        - tanggal: *tanggal
          instrumen: {columns: [Instrumen], format: words}
          srq_17: {columns: [SRQ 17], format: flag, words: *ya}
      imunisasi:
        - tanggal: {columns: [BCG], format: date}
          antigen: {constant: BCG, format: vaccine}
          pelapor: {constant: buku_kia, format: words}
        - tanggal: {columns: [Polio 1], format: date}
          antigen: {constant: Polio 1, format: vaccine}
          pelapor: {constant: buku_kia, format: words}
    only_with: {imunisasi: tanggal}
  - name: hari buka
    records:
      hari_buka:
        posyandu: {columns: [Posyandu]}
        tanggal: {columns: [Tanggal], format: date}
        jenis: {constant: hari_buka, format: words}
        status: {columns: [Status], format: words}
        kader_hadir: {columns: [Kader], format: count}
"#;

const CHILD: [(&str, &str); 18] = [
    ("NIK", "1001014512240001"),
    ("Nama", "Anak Contoh"),
    ("JK", "P"),
    ("Tgl Lahir", "05/12/2024"),
    ("Posyandu", "Melati"),
    ("Tanggal", "18/11/2026"),
    ("Vit A", ""),
    ("TTD", ""),
    ("Obat Cacing", ""),
    ("Batuk", ""),
    ("Demam", ""),
    ("PUMA 1", ""),
    ("Skor PUMA", ""),
    ("Instrumen", ""),
    ("SRQ 17", ""),
    ("BCG", ""),
    ("Polio 1", ""),
    ("Rujuk", ""),
];

pub fn read_row(changes: &[(&str, &str)]) -> RowOutcome {
    static KNOWN: std::sync::OnceLock<Known> = std::sync::OnceLock::new();
    let known = KNOWN.get_or_init(|| of_text(PROFILE));
    let cells = CHILD.iter().map(|(header, text)| {
        let changed = changes.iter().find(|(column, _)| column == header).map_or(*text, |(_, text)| text);
        (*header, changed, CellKind::Text)
    });
    read_cells(known, 0, &cells.collect::<Vec<_>>())
}

fn kinds(outcome: &RowOutcome, dataset: &str, field: &str) -> Vec<String> {
    let of = outcome.records.iter().filter(|record| record.schema.dataset == dataset);
    of.map(|record| record.text(field).unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_row_yields_a_record_for_each_thing_that_was_done() {
    let nothing = read_row(&[]);
    expect(&nothing, &[], "nothing done");
    assert_eq!(nothing.records.len(), 1, "{nothing:?}");
    let much = read_row(&[
        ("Vit A", "Ya"),
        ("TTD", "30 tablet"),
        ("Obat Cacing", "Tidak"),
        ("Batuk", "Tidak"),
        ("Demam", "Ya"),
        ("BCG", "10/01/2025"),
        ("Rujuk", "Puskesmas"),
    ]);
    expect(&much, &[("vitamin_a.color_derived", WARNING)], "much done");
    assert_eq!(kinds(&much, "suplementasi", "jenis"), ["vit_a_merah", "ttd"]);
    assert_eq!(kinds(&much, "skrining", "instrumen"), ["tbc"]);
    assert_eq!(kinds(&much, "imunisasi", "antigen"), ["BCG"]);
    assert_eq!(kinds(&much, "rujukan", "ke"), ["puskesmas"]);
    for record in much.records.iter().filter(|record| record.schema.dataset != "sasaran") {
        assert_eq!(record.text("kelompok_sasaran"), Some("bayi_balita_apras"), "{}", record.schema.dataset);
    }
    let screening = record(&much, "skrining");
    assert_eq!(screening.get("tbc_demam"), Some(&Value::Boolean(true)));
    assert_eq!(screening.place_of("tbc_demam").column.as_deref(), Some("Demam"));
    assert_eq!(screening.place_of("instrumen").column, None, "a constant stands in no cell");
}

#[test]
fn rules_of_services() {
    check(
        read_row,
        &[
            (&[("TTD", "0")], &[]),
            (&[("TTD", "banyak")], &[("count.unreadable", ERROR)]),
            (&[("TTD", "30"), ("Tanggal", "")], &[("date.missing", ERROR)]),
            (&[("TTD", "30"), ("Tanggal", "19/11/2026")], &[("date.future", ERROR)]),
            (
                &[("Vit A", "1"), ("Tgl Lahir", "05/10/2026"), ("NIK", "1001014510260001")],
                &[("vitamin_a.colour_contradicts_age", ERROR)],
            ),
            (&[("Vit A", "entah")], &[("words.unknown", ERROR)]),
            (&[("Skor PUMA", "6")], &[("puma.undefined", WARNING)]),
            (&[("Instrumen", "srq20"), ("SRQ 17", "Ya")], &[]),
            (&[("Instrumen", "aks"), ("SRQ 17", "Ya")], &[("screening.other_instrument", ERROR)]),
            (&[("SRQ 17", "Ya")], &[("field.missing", ERROR)]),
            (&[("Rujuk", "dukun")], &[("words.unknown", ERROR)]),
        ],
    );
    let restricted = read_row(&[("Instrumen", "srq20"), ("SRQ 17", "Ya")]);
    assert_eq!(record(&restricted, "skrining").get("srq_17"), Some(&Value::Integer(1)));
}

#[test]
fn opening_days_may_be_planned_ahead() {
    let known = of_text(PROFILE);
    let read = |date: &str, status: &str| {
        let text = CellKind::Text;
        let cells =
            [("Posyandu", "Melati", text), ("Tanggal", date, text), ("Status", status, text), ("Kader", "5", text)];
        read_cells(&known, 1, &cells)
    };
    expect(&read("20/11/2026", "rencana"), &[], "planned");
    expect(&read("20/11/2026", "terlaksana"), &[("date.future", ERROR)], "held in the future");
    expect(&read("18/11/2026", ""), &[("field.missing", ERROR)], "no state");
    let held = read("18/11/2026", "Terlaksana");
    assert_eq!(record(&held, "hari_buka").get("kader_hadir"), Some(&Value::Integer(5)));
}
