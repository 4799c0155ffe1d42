//! The shape of files: length, first line, name, and that each one is part of the build.

use super::token::tokens;
use super::tree::File;

/// Lines a file may have: what a person can hold in the head.
const LINES_MAX: usize = 400;

/// Folders of Rust code.
const FOLDERS: [&str; 4] = ["src/", "tests/", "benches/", "fhir-structure/src/"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 10] =
    ["util", "utils", "helpers", "common", "core", "types", "manager", "service", "processor", "data"];

fn rust(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| FOLDERS.iter().any(|folder| file.is_rust_in(folder)))
}

/// Files that are too long or do not open with why they exist.
pub fn lengths_and_openings(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in rust(files) {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            found.push(format!("{}: {lines} lines, {LINES_MAX} are allowed", file.path));
        }
        if !file.text.starts_with("//! ") {
            found.push(format!("{}: does not open with a //! comment saying why it exists", file.path));
        }
    }
    found
}

/// Files and folders whose name is a bucket.
pub fn names(files: &[File]) -> Vec<String> {
    let ours = files.iter().filter(|file| file.path.starts_with("src/") || file.path.starts_with("tests/"));
    let empty =
        |file: &&File| file.path.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part)));
    ours.filter(empty).map(|file| format!("{}: the name says nothing about what is inside", file.path)).collect()
}

/// Module files that no `mod` line takes into the build, so that nothing in them is compiled or run.
pub fn forgotten(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in rust(files) {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let (folder, module) = match name.trim_end_matches(".rs") {
            "mod" => folder.rsplit_once('/').unwrap_or(("", folder)),
            "main" | "lib" => continue,
            _ if ["tests", "benches"].contains(&folder) => continue,
            module => (folder, module),
        };
        let parents = ["/main.rs", "/lib.rs", "/mod.rs", ".rs"].map(|end| format!("{folder}{end}"));
        // A bench is a program of its own, and takes what it needs from the folder below.
        let takes = |parent: &File| {
            parents.contains(&parent.path) || (parent.path.starts_with("benches/") && folder.starts_with("benches"))
        };
        let declared = files.iter().filter(|parent| takes(parent)).any(|parent| {
            let tokens = tokens(&parent.text);
            tokens.windows(3).any(|next| next[0].name() == "mod" && next[1].name() == module && next[2].is(";"))
        });
        if !declared {
            found.push(format!("{}: no `mod {module};` takes it into the build", file.path));
        }
    }
    found
}

/// Dependencies without a comment saying why they are there.
pub fn dependencies(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| ["Cargo.toml", "fhir-structure/Cargo.toml"].contains(&file.path.as_str())) {
        let mut listed = false;
        for (at, line) in file.text.lines().enumerate() {
            if line.starts_with('[') {
                listed = line.trim_end().ends_with("dependencies]");
                continue;
            }
            let entry = line.starts_with(|first: char| first.is_ascii_alphanumeric()) && line.contains('=');
            let reason = line.rsplit_once(" # ").is_some_and(|(_, reason)| !reason.trim().is_empty());
            if listed && entry && !reason {
                found.push(format!("{}:{}: a dependency without a reason", file.path, at + 1));
            }
        }
    }
    found
}
