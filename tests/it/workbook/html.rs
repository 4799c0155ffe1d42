//! The `.xls` that is HTML inside.

use super::{COLUMNS, cell, read, refused, summary};

fn page(rows: &str) -> String {
    let header: String = COLUMNS.into_iter().map(|name| format!("<th>{name}</th>")).collect();
    format!("<table border=1><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>")
}

#[tokio::test]
async fn cells_are_read_as_a_browser_shows_them() {
    let rows = "<tr><td>P01<td><b>Mawar&nbsp;&amp; </b>\n <i>Mel&#97;ti</i><br>II</td><td>1001014512240001</td></tr>\
        <tr><td><script>'<td>'</script><style>td{}</style>P02<td><p>a</p><p>b</p><!-- <td> --></td></tr><tr></tr>\
        <tr><td>&nbsp;</td></tr><tr><td>P05";
    let page = page(rows);
    let readings =
        read(format!("<html><head><title><td></title></head><body>{page}</body></html>").as_bytes()).await.unwrap();
    assert_eq!(summary(&readings), ["row 2", "row 3", "row 6"]);
    assert_eq!(cell(&readings[0], "nama").0, "Mawar & Melati II");
    assert_eq!(cell(&readings[0], "alias"), ("1001014512240001".to_owned(), Default::default()));
    assert_eq!(cell(&readings[1], "kode_posyandu").0, "P02");
    assert_eq!(cell(&readings[1], "nama").0, "a b");
}

#[tokio::test]
async fn spans_move_the_cells_beside_and_below() {
    let rows = "<tr><td rowspan=3>P01</td><td colspan=2>Mawar</td><td>PKM1</td></tr>\
        <tr><td>Melati</td><td rowspan=99>m</td></tr><tr><td>Kenanga</td><td>PKM3</td></tr>\
        <tr><td>P04</td><td colspan=60000>jauh</td></tr>";
    let readings = read(page(rows).as_bytes()).await.unwrap();
    assert_eq!(summary(&readings), ["row 2", "row 3", "row 4", "row 5"]);
    let texts =
        |at: usize| ["kode_posyandu", "nama", "alias", "kode_puskesmas"].map(|name| cell(&readings[at], name).0);
    assert_eq!(texts(0), ["P01", "Mawar", "", "PKM1"]);
    assert_eq!(texts(1), ["", "Melati", "m", ""]);
    assert_eq!(texts(2), ["", "Kenanga", "", "PKM3"]);
    assert_eq!(texts(3), ["P04", "jauh", "", ""]);
}

#[tokio::test]
async fn each_encoding_is_told_by_its_mark_its_page_or_its_bytes() {
    let page = page("<tr><td>P01</td><td>Mélati – 1</td></tr>");
    let declared = format!("<meta http-equiv=Content-Type content=\"text/html; charset=windows-1252\">{page}");
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(page.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let windows = |text: &str| encoding_rs::WINDOWS_1252.encode(text).0.into_owned();
    let cases = [
        page.clone().into_bytes(),
        windows(&declared),
        windows(&page),
        utf16,
        format!("\u{feff}\n{page}").into_bytes(),
    ];
    for bytes in cases {
        let readings = read(&bytes).await.unwrap();
        assert_eq!(cell(&readings[0], "nama").0, "Mélati – 1");
    }
}

#[tokio::test]
async fn a_table_in_a_layout_is_a_sheet_of_its_own() {
    let inner = page("<tr><td>P01</td></tr>");
    let readings = read(format!("<table><tr><td>{inner}</td></tr></table>").as_bytes()).await.unwrap();
    assert_eq!(summary(&readings), ["row 2"]);
}

#[tokio::test]
async fn what_is_cut_off_or_no_table_is_refused() {
    let whole = page("<tr><td>P01</td></tr>");
    let cut = whole.trim_end_matches("</table>");
    assert_eq!(refused(cut.as_bytes()).await, "file.damaged");
    assert_eq!(refused(&whole.as_bytes()[..whole.len() - 1]).await, "file.damaged");
    assert_eq!(refused(b"<html><body>Silakan masuk kembali</body></html>").await, "file.kind");
}

#[tokio::test]
async fn depth_has_an_end_and_tags_without_meaning_have_none() {
    let deep = format!("{}x", "<table><tr><td>".repeat(100_000));
    assert_eq!(refused(deep.as_bytes()).await, "file.too_heavy");
    let row = format!("<tr><td>P01</td><td>{}dalam{}</td></tr>", "<div>".repeat(100_000), "</div>".repeat(100_000));
    let readings = read(page(&row).as_bytes()).await.unwrap();
    assert_eq!(cell(&readings[0], "nama").0, "dalam");
    let laughs = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]>";
    let readings = read(format!("{laughs}{}", page("<tr><td>P01</td><td>&b;</td></tr>")).as_bytes()).await.unwrap();
    assert_eq!(cell(&readings[0], "nama").0, "&b;");
}
