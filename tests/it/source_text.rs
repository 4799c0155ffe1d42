//! Delimited text in any common encoding and with any common delimiter, and files that are no such thing.

use std::path::Path;
use std::sync::Arc;

use posyandu_gateway::source::delimited::FILE_BYTES_MAX;
use posyandu_gateway::source::problem::SourceError;
use posyandu_gateway::source::profile::Profile;
use posyandu_gateway::source::{self, Location, Reading};
use posyandu_gateway::words::{self, Language};
use proptest::prelude::*;

use crate::source_grid::{CARD, accounted, cell, line, profile, refusal, rows, told};

const LIST: &str = "
title: Daftar
kind: file
dates: [iso]
tables:
  - name: daftar
    records:
      sasaran:
        nama: {columns: [Nama]}
        alamat: {columns: [Alamat]}
        rt: {columns: [RT]}
";

fn location(path: &Path) -> Location {
    Location::file_at("uji", path.to_owned(), env!("CARGO_BIN_EXE_posyandu-gateway").into())
}

async fn file(profile: &Arc<Profile>, bytes: &[u8]) -> Result<Vec<Reading>, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("daftar.csv");
    std::fs::write(&path, bytes).unwrap();
    let mut open = source::open(profile, &location(&path)).await?;
    let mut readings = Vec::new();
    while let Some(reading) = open.next().await? {
        readings.push(reading);
    }
    Ok(readings)
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn encoding_and_delimiter_are_recognised_when_the_profile_leaves_them_open() {
    let list = profile(LIST);
    for delimiter in [",", ";", "\t", "|"] {
        let text =
            "Daftar, tahun 2026; semua\n\nNama,Alamat,RT\nSiti Zulaikhá – A,Jl. Contoh,5\n".replace(',', delimiter);
        let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
        let marked = format!("\u{feff}{text}");
        let files: [&[u8]; 7] = [
            text.as_bytes(),
            marked.as_bytes(),
            &windows,
            &utf16(&text, false),
            &utf16(&text, true),
            &utf16(&marked, false),
            &utf16(&marked, true),
        ];
        for (at, bytes) in files.into_iter().enumerate() {
            let readings = file(&list, bytes).await.unwrap();
            assert_eq!(told(&readings), ["row 4"], "{delimiter:?} {at}");
            let row = rows(&readings)[0].clone();
            assert_eq!((cell(&row, "nama").as_str(), cell(&row, "rt").as_str()), ("Siti Zulaikhá – A", "5"), "{at}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_in_two_encodings_keeps_its_bad_bytes_as_issues() {
    let list = profile(LIST);
    let mut bytes = b"Nama,Alamat,RT\n".to_vec();
    bytes.extend(std::iter::repeat_n(&b"Siti,Jalan,1\n"[..], 10_000).flatten());
    bytes.extend(b"Ren\xe9,Jalan,1\n");
    let windows = file(&list, &bytes).await.unwrap();
    assert_eq!(cell(rows(&windows)[10_000], "nama"), "René");
    bytes.extend("René,Jalan,1\nSi\0ti,Jalan,1\n".as_bytes());
    let both = file(&list, &bytes).await.unwrap();
    assert_eq!(told(&both)[10_000..], ["encoding.byte 10002", "row 10003", "encoding.byte 10004"]);
    let Reading::Broken(issue) = &both[10_000] else { panic!("{:?}", both[10_000]) };
    assert_eq!(issue.place.as_ref().unwrap().column.as_deref(), Some("Nama"));
    assert!(issue.arguments.contains(&("huruf".into(), "4".to_owned())));
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_beyond_its_ceiling_is_refused_by_name_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raksasa.csv");
    std::fs::File::create(&path).unwrap().set_len(10 * 1024 * 1024 * 1024).unwrap();
    let error = source::open(&profile(LIST), &location(&path)).await.map(|_| ()).unwrap_err();
    let issue = error.issue(&location(&path));
    assert!(words::of_issue(Language::Indonesian, &issue).contains("raksasa.csv"));
    assert_eq!((&*issue.rule, issue.arguments[1].1.as_str()), ("file.bytes_max", "512"));
    assert_eq!(FILE_BYTES_MAX, 512 << 20);
    let not_a_file = source::open(&profile(LIST), &location(folder.path())).await.map(|_| ()).unwrap_err();
    assert!(matches!(not_a_file, SourceError::Open { .. }));
    let wide = vec!["RT"; 300].join(",");
    let wide = file(&profile(LIST), format!("Nama,Alamat,{wide}\n").as_bytes()).await.unwrap_err();
    assert!(matches!(wide, SourceError::Limit { what: "columns", .. } | SourceError::Columns { .. }), "{wide}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_bytes_end_in_readings_or_in_a_refusal(lines in proptest::collection::vec(line(), 0..20), bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..400_usize) {
        let mut text = lines.join("\n").into_bytes();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(file(&profile(CARD), &text)) {
            Ok(readings) => accounted(&readings)?,
            Err(error) => { refusal(&error); }
        }
    }
}
