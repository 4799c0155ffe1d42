//! The project's files as text, read once; no check touches the disk itself, so each can be tried on invented files.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Where code and its tests stand.
const CODE: [&str; 4] = ["src", "tests", "benches", "fhir-structure"];

/// Folders that hold what was built or run, never what was written.
const SKIPPED: [&str; 3] = ["target", ".git", "posyandu-data"];

/// One file of the project.
#[derive(Clone)]
pub struct File {
    /// Path from the project's root, with `/`.
    pub path: String,
    /// Its content; bytes that are no text are replaced.
    pub text: String,
    /// Whether it is a binary file: only its numbers are looked at.
    pub binary: bool,
}

impl File {
    /// An invented file.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), binary: false }
    }

    /// Whether this is a Rust file under `folder`, which ends in `/`.
    pub fn is_rust_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder) && self.path.ends_with(".rs")
    }
}

/// What git tracks; everything in the folder when this is no repository or git is absent.
pub fn tracked(root: &Path) -> Vec<File> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let names = match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => String::new(),
    };
    let files: Vec<File> =
        names.split('\0').filter(|name| !name.is_empty()).filter_map(|name| read(root, name)).collect();
    if files.is_empty() { walk(root, "") } else { files }
}

/// Code and manifests, tracked or not: a new file obeys before it is added.
pub fn code(root: &Path) -> Vec<File> {
    let manifest = read(root, "Cargo.toml").into_iter();
    CODE.iter().flat_map(|folder| walk(root, folder)).chain(manifest).collect()
}

fn walk(root: &Path, folder: &str) -> Vec<File> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            files.extend(walk(root, &path));
        } else if kind.is_file() && name != ".git" {
            files.extend(read(root, &path));
        }
    }
    files
}

/// A tracked file may be gone from the folder; then there is nothing to check.
fn read(root: &Path, path: &str) -> Option<File> {
    let bytes = fs::read(root.join(path)).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some(File { path: path.to_owned(), text, binary: bytes.contains(&0) })
}
