//! The visits of the other five groups: one mechanism, each group's own fields and ranges.

use super::*;

/// Tables of the profile below.
pub const TABLES: usize = 5;

const PROFILE: &str = r#"
title: Register enam kelompok
kind: file
decimal: comma
dates: [day-first, iso, serial]
tables:
  - name: bumil
    records:
      sasaran: &sasaran
        nik: {columns: [NIK], format: nik}
        nama: {columns: [Nama], format: name}
        jenis_kelamin: {columns: [JK], format: words, words: {L: [Lk], P: [Pr]}}
        tanggal_lahir: {columns: [Tgl Lahir], format: date}
        posyandu: {constant: Melati}
      kunjungan_ibu_hamil:
        tanggal: &tanggal {columns: [Tanggal], format: date}
        usia_kehamilan: {columns: [UK], format: number}
        hamil_ke: {columns: [Hamil ke], format: count}
        jarak_anak: {columns: [Jarak]}
        bb: {columns: [BB], format: number}
        lila: {columns: [LiLA], format: number}
        lila_hasil: {columns: [Hasil LiLA], format: words, words: {merah: [KEK]}}
        sistole: {columns: [Tensi], format: blood_pressure}
        diastole: {columns: [Tensi], format: blood_pressure}
        hb: {columns: [Hb], format: number}
        kelas_ibu_hamil: {columns: [Kelas], format: flag, words: {"true": [Ya], "false": [Tidak]}}
        rujuk_ke: {columns: [Rujuk], format: words, words: {rumah_sakit: [RS]}}
  - name: nifas
    records:
      sasaran: *sasaran
      kunjungan_ibu_nifas:
        tanggal: *tanggal
        tanggal_bersalin: {columns: [Tgl Bersalin], format: date}
        bb_bersalin: {columns: [BB Bersalin], format: number}
        lila: {columns: [LiLA], format: number}
  - name: remaja
    records:
      sasaran: *sasaran
      kunjungan_remaja:
        tanggal: *tanggal
        bb: {columns: [BB], format: number}
        tb: {columns: [TB], format: number}
        lingkar_perut: {columns: [LP], format: number}
        sistole: {columns: [Sistole], format: number}
        diastole: {columns: [Diastole], format: number}
        gula_darah_sewaktu: {columns: [GDS], format: number}
        imt_kategori: {columns: [IMT], format: words}
        riwayat_keluarga: {columns: [Riwayat], format: list, words: {dm: [kencing manis]}}
  - name: dewasa
    records:
      sasaran: *sasaran
      kunjungan_dewasa:
        tanggal: *tanggal
        umur_tahun: {columns: [Umur], format: age}
        bb: {columns: [BB], format: number}
        tb: {columns: [TB], format: number}
        gula_darah_sewaktu: {columns: [GDS], format: number}
        mata_kanan: {columns: [Mata], format: words}
  - name: lansia
    group: lansia
    records:
      sasaran: *sasaran
      kunjungan_lansia:
        tanggal: *tanggal
        kolesterol: {columns: [Kolesterol], format: number}
        asam_urat: {columns: [Asam Urat], format: number}
        lila: {columns: [LiLA], format: number}
"#;

pub fn profile() -> Arc<Known> {
    static KNOWN: std::sync::OnceLock<Arc<Known>> = std::sync::OnceLock::new();
    Arc::clone(KNOWN.get_or_init(|| Arc::new(of_text(PROFILE))))
}

const WOMAN: [(&str, &str); 5] = [
    ("NIK", "1001015505950001"),
    ("Nama", "Ibu Contoh"),
    ("JK", "P"),
    ("Tgl Lahir", "15/05/1995"),
    ("Tanggal", "18/11/2026"),
];

/// A row of each table with everything in order.
pub fn row(table: usize) -> Vec<(&'static str, &'static str)> {
    let mut cells = WOMAN.to_vec();
    let own: &[(&str, &str)] = match table {
        0 => &[
            ("UK", "28 mgg"),
            ("Hamil ke", "2"),
            ("Jarak", "3 tahun"),
            ("BB", "58,5"),
            ("LiLA", "24"),
            ("Hasil LiLA", "hijau"),
            ("Tensi", "120/80"),
            ("Hb", "11,5"),
            ("Kelas", "Ya"),
            ("Rujuk", ""),
        ],
        1 => &[("Tgl Bersalin", "01/11/2026"), ("BB Bersalin", ""), ("LiLA", "23,5")],
        2 => {
            cells[0].1 = "1001015505100001";
            cells[3].1 = "15/05/2010";
            &[
                ("BB", "48"),
                ("TB", "155"),
                ("LP", "70"),
                ("Sistole", "110"),
                ("Diastole", "70"),
                ("GDS", "99"),
                ("IMT", "n"),
                ("Riwayat", "Kencing Manis, hipertensi"),
            ]
        }
        3 => &[("Umur", "31"), ("BB", "60"), ("TB", "160"), ("GDS", "110"), ("Mata", "Normal")],
        _ => {
            cells[0].1 = "1001015505550001";
            cells[3].1 = "15/05/1955";
            &[("Kolesterol", "190"), ("Asam Urat", "5,5"), ("LiLA", "25")]
        }
    };
    cells.extend(own);
    cells
}

fn read_row(table: usize, changes: &[(&str, &str)]) -> RowOutcome {
    let cells = row(table).into_iter().map(|(header, text)| {
        let changed = changes.iter().find(|(column, _)| *column == header).map_or(text, |(_, text)| text);
        (header, changed, CellKind::Text)
    });
    read_cells(&profile(), table, &cells.collect::<Vec<_>>())
}

#[test]
fn good_rows_of_all_groups() {
    let datasets =
        ["kunjungan_ibu_hamil", "kunjungan_ibu_nifas", "kunjungan_remaja", "kunjungan_dewasa", "kunjungan_lansia"];
    for (table, dataset) in datasets.into_iter().enumerate() {
        let outcome = read_row(table, &[]);
        assert!(!outcome.is_held(), "{dataset}: {:?}", found(&outcome));
        assert_eq!(record(&outcome, dataset).date("tanggal"), Some(TODAY));
    }
    let mother = read_row(0, &[]);
    expect(&mother, &[("number.unit_inside", INFORMATION)], "weeks with their unit");
    let visit = record(&mother, "kunjungan_ibu_hamil");
    for (field, value) in
        [("umur_tahun", 31), ("usia_kehamilan", 28), ("hamil_ke", 2), ("sistole", 120), ("diastole", 80)]
    {
        assert_eq!(visit.get(field), Some(&Value::Integer(value)), "{field}");
    }
    assert_eq!(visit.text("lila_hasil"), Some("hijau"));
    assert_eq!(visit.get("kelas_ibu_hamil"), Some(&Value::Boolean(true)));
    let teenager = read_row(2, &[]);
    let visit = record(&teenager, "kunjungan_remaja");
    assert_eq!((visit.text("riwayat_keluarga"), visit.text("imt_kategori")), (Some("hipertensi;dm"), Some("N")));
}

#[test]
fn rules_of_the_pregnancy_card() {
    const UNIT: (&str, Severity) = ("number.unit_inside", INFORMATION);
    let read = |changes: &[(&str, &str)]| read_row(0, changes);
    check(
        read,
        &[
            (&[("UK", "28")], &[]),
            (&[("UK", "43")], &[("number.unusual", WARNING)]),
            (&[("UK", "45")], &[("measure.out_of_range", ERROR)]),
            (&[("UK", "7 bulan")], &[("measure.out_of_range", ERROR)]),
            (&[("UK", "28,5")], &[("measure.not_whole", ERROR)]),
            (&[("UK", "hamil muda")], &[("measure.unreadable", ERROR)]),
            (&[("Hamil ke", "16")], &[UNIT, ("measure.out_of_range", ERROR)]),
            (&[("Hamil ke", "dua")], &[UNIT, ("count.unreadable", ERROR)]),
            (&[("Jarak", "3")], &[UNIT, ("spacing.no_unit", WARNING)]),
            (&[("BB", "585")], &[UNIT, ("measure.without_point", ERROR)]),
            (&[("BB", "58500")], &[UNIT, ("weight.grams", ERROR)]),
            (&[("BB", "58500 g")], &[UNIT, ("weight.grams", ERROR)]),
            (&[("BB", "15")], &[UNIT, ("weight.out_of_range", ERROR)]),
            (&[("LiLA", "23,5")], &[UNIT, ("lila.undefined", WARNING)]),
            (&[("LiLA", "245")], &[UNIT, ("measure.without_point", ERROR)]),
            (&[("LiLA", "27-Mar")], &[UNIT, ("lila.is_date", ERROR)]),
            (&[("Hasil LiLA", "kurang")], &[UNIT, ("judgement.unknown", WARNING)]),
            (&[("Tensi", "120 / 80 mmHg")], &[UNIT]),
            (&[("Tensi", "120-80")], &[UNIT]),
            (&[("Tensi", "80/120")], &[UNIT, ("blood_pressure.swapped", ERROR)]),
            (&[("Tensi", "120")], &[UNIT, ("blood_pressure.unreadable", ERROR)]),
            (&[("Tensi", "12/8")], &[UNIT, ("blood_pressure.is_date", ERROR)]),
            (&[("Tensi", "-")], &[UNIT, ("number.not_measured", INFORMATION)]),
            (&[("Tensi", "300/80")], &[UNIT, ("measure.out_of_range", ERROR)]),
            (&[("Hb", "11,5 mg/dL")], &[UNIT, ("hb.unit_printed", WARNING)]),
            (&[("Hb", "115")], &[UNIT, ("measure.without_point", ERROR)]),
            (&[("Hb", "2")], &[UNIT, ("measure.out_of_range", ERROR)]),
            (&[("Rujuk", "ke dukun")], &[UNIT, ("words.unknown", ERROR)]),
            (&[("JK", "Lk"), ("NIK", "1001011505950001")], &[("visit.group_of_women", ERROR), UNIT]),
        ],
    );
    check(|changes| read_row(1, changes), &[(&[], &[]), (&[("BB Bersalin", "3,1")], &[("weight.whose", INFORMATION)])]);
}

#[test]
fn rules_of_teenagers_and_adults() {
    check(
        |changes| read_row(2, changes),
        &[
            (&[], &[]),
            (&[("TB", "1,55")], &[("height.metres", ERROR)]),
            (&[("TB", "1550")], &[("height.millimetres", ERROR)]),
            (&[("GDS", "HI")], &[("glucose.beyond_meter", WARNING)]),
            (&[("GDS", "Low")], &[("glucose.beyond_meter", WARNING)]),
            (&[("GDS", "99 mg/dL")], &[("number.unit_inside", INFORMATION)]),
            (&[("Sistole", "70"), ("Diastole", "110")], &[("blood_pressure.swapped", ERROR)]),
            (&[("IMT", "kurus sekali")], &[("judgement.unknown", WARNING)]),
            (&[("Riwayat", "hipertensi, sakit gigi")], &[("words.unknown", ERROR)]),
            (
                &[("Tgl Lahir", "15/05/2016"), ("NIK", "1001015505160001"), ("LP", ""), ("GDS", "")],
                &[("measure.under_age", WARNING), ("measure.under_age", WARNING)],
            ),
            (&[("Tgl Lahir", "15/05/1995"), ("NIK", "1001015505950001")], &[("visit.age_of_other_group", WARNING)]),
        ],
    );
    let high = read_row(2, &[("GDS", "HI")]);
    let visit = record(&high, "kunjungan_remaja");
    assert_eq!((visit.get("gula_darah_sewaktu"), visit.text("gula_darah_di_luar_alat")), (None, Some("hi")));
    check(
        |changes| read_row(3, changes),
        &[
            (&[("Umur", "35 th")], &[("age.mismatch", INFORMATION)]),
            (&[("Tgl Lahir", "32 th")], &[("birth_date.is_age", ERROR)]),
            (&[("Mata", "kabur")], &[("judgement.unknown", WARNING)]),
            (
                &[("Tgl Lahir", "15/05/1901"), ("NIK", "1001015505010001"), ("Umur", "")],
                &[("birth_date.too_old", ERROR)],
            ),
        ],
    );
    check(
        |changes| read_row(4, changes),
        &[
            (&[], &[]),
            (&[("Kolesterol", "19")], &[("measure.out_of_range", ERROR)]),
            (&[("Asam Urat", "25")], &[("measure.out_of_range", ERROR)]),
            (&[("LiLA", "9")], &[("lila.out_of_range", ERROR)]),
        ],
    );
}

#[test]
fn a_group_that_does_not_fit_its_table_is_refused() {
    let schemas = Schemas::built_in().unwrap();
    for wrong in ["group: dewasa", "group: manula"] {
        let profile = Profile::parse("uji.yaml", &PROFILE.replace("group: lansia", wrong)).unwrap();
        let error = Reader::new(Arc::new(profile), &schemas).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("does not fit table `lansia`"), "{error}");
    }
}
