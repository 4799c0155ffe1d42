//! Workbooks of every kind, made here, read through the process with limits; and files that mean harm.

mod containers;
mod files;
mod harm;
mod html;
mod process;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use posyandu_gateway::source::cells::CellKind;
use posyandu_gateway::source::problem::SourceError;
use posyandu_gateway::source::profile::{self, Profile};
use posyandu_gateway::source::{self, Location, Reading};
use posyandu_gateway::words::{self, Language};

/// The columns of the register of posyandu: its profile takes any text in them.
pub const COLUMNS: [&str; 16] = [
    "kode_posyandu",
    "nama",
    "alias",
    "kode_puskesmas",
    "puskesmas",
    "kode_kelurahan",
    "rw",
    "zona_waktu",
    "jam_buka",
    "jam_tutup",
    "id_organisasi_satusehat",
    "id_lokasi_satusehat",
    "nama_lokasi",
    "nik_nakes",
    "nama_nakes",
    "id_nakes_satusehat",
];

pub fn profile(name: &str) -> Arc<Profile> {
    let (file, text) = profile::built_in().into_iter().find(|(file, _)| *file == name).unwrap();
    Arc::new(Profile::parse(&file, &text).unwrap())
}

pub fn register() -> Arc<Profile> {
    profile("posyandu_register.yaml")
}

pub fn location(path: &Path) -> Location {
    Location::file_at("uji", path.to_owned(), env!("CARGO_BIN_EXE_posyandu-gateway").into())
}

/// All readings of a file.
pub async fn all(profile: &Arc<Profile>, path: &Path) -> Result<Vec<Reading>, SourceError> {
    let mut rows = source::open(profile, &location(path)).await?;
    let mut readings = Vec::new();
    while let Some(reading) = rows.next().await? {
        readings.push(reading);
    }
    Ok(readings)
}

/// A file with these bytes in a folder of its own.
pub fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

pub async fn read(bytes: &[u8]) -> Result<Vec<Reading>, SourceError> {
    let (_folder, path) = written("berkas.xls", bytes);
    all(&register(), &path).await
}

/// The rule of a file that is refused; its sentence must be complete in both languages and name the file.
#[track_caller]
pub fn rule(error: &SourceError) -> String {
    let issue = error.issue(&location(Path::new("berkas.xls")));
    for language in [Language::Indonesian, Language::English] {
        let sentence = words::of_issue(language, &issue);
        assert!(sentence.contains("berkas.xls") && !sentence.contains('{'), "{}: {sentence}", issue.rule);
    }
    issue.rule.to_string()
}

/// The rule by which these bytes are refused.
pub async fn refused(bytes: &[u8]) -> String {
    match read(bytes).await {
        Ok(readings) => panic!("read {} rows", readings.len()),
        Err(error) => rule(&error),
    }
}

/// What each reading is, and where.
pub fn summary(readings: &[Reading]) -> Vec<String> {
    let each = readings.iter().map(|reading| match reading {
        Reading::Row(row) => format!("row {}", row.place.row),
        Reading::Skipped { place, reason } => format!("{reason:?} {}", place.row),
        Reading::Broken(issue) => format!("{} {}", issue.rule, issue.place.as_ref().unwrap().row),
    });
    each.collect()
}

/// Text and kind of a column in a reading.
#[track_caller]
pub fn cell(reading: &Reading, column: &str) -> (String, CellKind) {
    let Reading::Row(row) = reading else { panic!("{reading:?}") };
    let cell = row.cell(&column.replace('_', " ")).unwrap_or_else(|| panic!("no {column}"));
    (cell.raw.to_owned(), cell.kind)
}
