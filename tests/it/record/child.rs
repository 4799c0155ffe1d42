//! A child's visit and its doses, as register and export write them.

use super::*;

#[test]
fn day_rules() {
    check(
        register,
        &[
            (&[("Tgl Kunjungan", ""), ("Imunisasi", "")], &[("date.missing", ERROR)]),
            (&[("Tgl Kunjungan", "besok"), ("Imunisasi", "")], &[("date.unreadable", ERROR)]),
            (&[("Tgl Kunjungan", "18-11-26"), ("Imunisasi", "")], &[("date.ambiguous", ERROR)]),
            (&[("Tgl Kunjungan", "11/18/2026"), ("Imunisasi", "")], &[("date.ambiguous", ERROR)]),
            (&[("Tgl Kunjungan", "18 nopember 2026")], &[]),
            (&[("Tgl Kunjungan", "19-11-2026")], &[("date.future", ERROR)]),
            (&[("Tgl Kunjungan", "04-12-2024"), ("Imunisasi", "")], &[("date.before_birth", ERROR)]),
            (
                &[
                    ("Tanggal Lahir", "05-11-2020"),
                    ("NIK Anak", "1001014511200001"),
                    ("Cara Ukur", "Berdiri"),
                    ("Vit A", ""),
                ],
                &[("visit.age_out_of_group", ERROR)],
            ),
            (
                &[
                    ("Tgl Kunjungan", "02-06-2014"),
                    ("Tanggal Lahir", "05-12-2013"),
                    ("NIK Anak", "1001014512130001"),
                    ("Vit A", ""),
                ],
                &[],
            ),
        ],
    );
    let old = register(&[("Tanggal Lahir", "05-11-2020")]);
    let held = old.issues.iter().find(|issue| issue.rule == "visit.age_out_of_group").unwrap();
    assert_eq!(held.place.as_ref().unwrap().column.as_deref(), Some("Tanggal Lahir"));
    check(eppgbm, &[(&[("Usia Saat Ukur", "1 Tahun - 2 Bulan")], &[("age.mismatch", INFORMATION)])]);
}

#[test]
fn measurement_rules() {
    check(
        eppgbm,
        &[
            (&[("Berat", "8400")], &[("weight.grams", ERROR)]),
            (&[("Berat", "840")], &[("measure.without_point", ERROR)]),
            (&[("Berat", "104")], &[("measure.without_point", ERROR)]),
            (&[("Berat", "12.500")], &[("number.thousands", ERROR)]),
            (&[("Berat", "55")], &[("weight.out_of_range", ERROR)]),
            (&[("Berat", "27-Mar")], &[("weight.is_date", ERROR)]),
            (&[("Berat", "menangis")], &[("weight.unreadable", ERROR)]),
            (&[("Berat", "10,4 kg")], &[("number.unit_inside", INFORMATION)]),
            (&[("Berat", "12:5")], &[("number.colon", WARNING)]),
            (&[("Berat", "0")], &[("number.not_measured", INFORMATION)]),
            (&[("Berat", "-")], &[("number.not_measured", INFORMATION)]),
            (&[("Berat", "")], &[]),
            (&[("Berat", "32")], &[("number.unusual", WARNING)]),
            (&[("Tinggi", "185")], &[("height.out_of_range", ERROR)]),
            (&[("Tinggi", "0,85")], &[("height.metres", ERROR)]),
            (&[("Tinggi", "825")], &[("height.millimetres", ERROR)]),
            (&[("Tinggi", "82.Mei")], &[("height.unreadable", ERROR)]),
            (&[("Tinggi", "12.Mei")], &[("height.is_date", ERROR)]),
            (&[("LiLA", "45")], &[("lila.out_of_range", ERROR)]),
            (&[("LiLA", "14.Mei")], &[("lila.is_date", ERROR)]),
            (&[("LiLA", "kecil")], &[("lila.unreadable", ERROR)]),
            (&[("BB/TB", "Outlier"), ("ZS BB/U", "Outlier")], &[("z_score.unreadable", INFORMATION)]),
            (&[("Cara Ukur", "")], &[("position.derived", WARNING)]),
            (&[("Cara Ukur", "Berdiri")], &[("position.contradicts_age", WARNING)]),
            (&[("Cara Ukur", "duduk")], &[("words.unknown", ERROR)]),
            (&[("Naik Berat Badan", "X")], &[("nt.unknown", WARNING)]),
            (&[("Jml Vit A", "1")], &[("vitamin_a.color_derived", WARNING)]),
            (&[("Jml Vit A", "0")], &[]),
        ],
    );
    check(
        register,
        &[
            (&[("LK (cm)", "95")], &[("head.out_of_range", ERROR)]),
            (&[("LK (cm)", "12/3")], &[("head.is_date", ERROR)]),
            (&[("LK (cm)", "besar")], &[("head.unreadable", ERROR)]),
            (&[("Vit A", "biru")], &[("vitamin_a.colour_contradicts_age", ERROR)]),
            (&[("Vit A", "tdk")], &[]),
        ],
    );
    let grams = eppgbm(&[("Berat", "8400")]);
    assert!(words::of_issue(Language::Indonesian, &grams.issues[0]).contains("8.4 kg"));
    let derived = eppgbm(&[("Cara Ukur", "")]);
    let visit = record(&derived, "kunjungan_balita");
    assert_eq!(visit.text("cara_ukur"), Some("terlentang"));
    assert_eq!(visit.get("cara_ukur_diturunkan"), Some(&Value::Boolean(true)));
}

#[test]
fn immunization_rules() {
    check(
        register,
        &[
            (&[("Imunisasi", "Vaksin X")], &[("immunization.unknown_antigen", ERROR)]),
            (&[("Imunisasi", "BCG, Polio 1")], &[("immunization.several", ERROR)]),
            (&[("Imunisasi", "Polio")], &[("immunization.dose_missing", ERROR)]),
            (&[("Imunisasi", "Polio"), ("Dosis", "9")], &[("immunization.dose_missing", ERROR)]),
            (&[("Imunisasi", "Campak")], &[("immunization.dose_missing", ERROR)]),
            (&[("Imunisasi", "Polio"), ("Dosis", "II")], &[]),
            (&[("Imunisasi", "HB0"), ("Dosis", "0")], &[]),
            (&[("Imunisasi", "Polio 2"), ("Dosis", "3")], &[("immunization.dose_conflict", ERROR)]),
            (&[("No Batch", "")], &[("immunization.lot_missing", ERROR)]),
            (&[("No Batch", ""), ("Kedaluwarsa", ""), ("Pelapor", "Kader")], &[]),
            (&[("Kedaluwarsa", "")], &[("immunization.expiry_missing", ERROR)]),
            (&[("Kedaluwarsa", "01-01-2026")], &[("immunization.expiry_before_dose", ERROR)]),
            (&[("Pelapor", "")], &[("immunization.reporter_missing", ERROR)]),
            (&[("Pelapor", "tetangga")], &[("words.unknown", ERROR)]),
            (&[("Pelapor", "Buku KIA")], &[("date.missing", ERROR)]),
            (&[("Tgl Imunisasi", "01-12-2024")], &[("immunization.before_birth", ERROR)]),
            (&[("Keterangan", "tidak diberikan")], &[("immunization.reason_missing", ERROR)]),
            (&[("Keterangan", "demam sesudahnya")], &[]),
        ],
    );
    for (changes, reason) in [
        ([("Imunisasi", "MR 2 (tunda: demam)"), ("Keterangan", "")], "tunda"),
        ([("Imunisasi", "MR 2"), ("Keterangan", "Ditolak ayah")], "ditolak"),
    ] {
        let outcome = register(&changes);
        assert_eq!(found(&outcome), []);
        let dose = record(&outcome, "imunisasi");
        assert_eq!((dose.text("status"), dose.text("alasan_tidak")), (Some("tidak_diberikan"), Some(reason)));
        assert_eq!((dose.text("antigen"), dose.get("dosis_ke")), (Some("MR"), Some(&Value::Integer(2))));
    }
}
