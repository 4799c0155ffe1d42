//! Who a row is about: numbers, names, birth dates, and what damages them.

use super::*;

#[test]
fn identity_rules() {
    check(
        register,
        &[
            (&[("NIK Anak", "100101451224001")], &[("nik.digits", ERROR)]),
            (&[("NIK Anak", "1.00101E+15")], &[("nik.scientific", ERROR)]),
            (&[("NIK Anak", "100101******0001")], &[("nik.masked", ERROR)]),
            (&[("NIK Anak", "9999014512240001")], &[("nik.placeholder", ERROR)]),
            (&[("NIK Anak", "1111111111111111")], &[("nik.placeholder", ERROR)]),
            (&[("NIK Anak", "-")], &[("nik.missing", ERROR)]),
            (&[("NIK Anak", "1001014612240001")], &[("nik.birth_mismatch", WARNING)]),
            (&[("NIK Anak", "1001013212240001")], &[("nik.not_a_date", WARNING)]),
            (&[("NIK Anak", "1001014512240000.0")], &[("nik.last_digit", WARNING)]),
            (&[("NIK Anak", "1001014512240001.0")], &[]),
            (&[("NIK Anak", "1001010512240001")], &[("sex.nik_contradiction", WARNING)]),
            (&[("NIK Ibu", "123")], &[("nik.related_unusable", WARNING)]),
            (&[("Nama Anak", "")], &[("name.missing", ERROR)]),
            (&[("Nama Anak", "By. Ny. Contoh")], &[("name.baby_of", WARNING)]),
            (&[("L/P", "")], &[("sex.unknown", ERROR)]),
            (&[("L/P", "X")], &[("sex.unknown", ERROR)]),
            (&[("L/P", "Pr")], &[]),
            (&[("Tanggal Lahir", "")], &[("birth_date.missing", ERROR)]),
            (&[("Tanggal Lahir", "lupa")], &[("birth_date.unreadable", ERROR)]),
            (&[("Tanggal Lahir", "05-12-24")], &[("date.ambiguous", ERROR)]),
            (&[("Nama Posyandu", "")], &[("posyandu.missing", ERROR)]),
            (&[("NIK Anak", ""), ("Nama Anak", " ")], &[("row.no_person", ERROR)]),
        ],
    );
    let future = register(&[("Tanggal Lahir", "05-12-2026"), ("NIK Anak", "1001014512260001")]);
    assert_eq!(found(&future), [("birth_date.future".to_owned(), ERROR)]);
    let doubtful = register(&[("NIK Anak", "1001014612240001")]);
    assert_eq!(record(&doubtful, "sasaran").text("status_nik"), Some("perlu_periksa"));
}
