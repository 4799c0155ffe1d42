//! Each check catches what it is for: small invented files with one mistake, and the same without it.

use super::tree::File;
use super::{catalogue, edges, layers, people, shape};

fn found(check: fn(&[File]) -> Vec<String>, path: &str, text: &str) -> usize {
    check(&[File::new(path, text)]).len()
}

#[test]
fn a_table_that_points_down_is_caught() {
    assert_eq!(layers::order(&[("low", &["high"]), ("high", &["low", "high"])]).len(), 2);
}

#[test]
fn imports_against_the_layers_are_caught() {
    for (path, text, expected) in [
        ("src/mapping/tree.rs", "use crate::record::Record;", 0),
        ("src/mapping/tree.rs", "use crate::remote::Remote;", 1),
        ("src/mapping/tree.rs", "fn f() { let x = crate::delivery::run(1); }", 1),
        ("src/mapping/tree.rs", "use crate::{issue::{Code, Issue}, record::{self, remote::A}};", 0),
        ("src/mapping/tree.rs", "use crate::{issue::{Code, Issue}, remote::{answer::{A, B}}, record};", 2),
        ("src/mapping/tree.rs", "use super::remote::A;", 0),
        ("src/mapping/tree.rs", "use super::super::remote::A;", 1),
        ("src/mapping/tree.rs", "use super::{super::ledger, plan};", 1),
        ("src/mapping/mod.rs", "use super::remote;", 1),
        ("src/mapping/mod.rs", "use self::remote::A;", 0),
        ("src/redact.rs", "use super::issue::Issue;", 1),
        ("src/redact.rs", "mod tests { use super::*; fn f() { super::issue::g(); } }", 0),
        ("src/redact.rs", "mod tests { use super::super::issue::Issue; }", 1),
        ("src/redact.rs", "mod tests {} fn f() { super::issue::g(); }", 1),
        ("src/redact.rs", "#[cfg(test)] mod tests { use crate::clock::Clock; }", 1),
        ("src/redact.rs", "use crate::*;", 1),
        ("src/redact.rs", "use crate as whole;", 1),
        ("src/redact.rs", "pub(crate) fn f() {}", 0),
        ("src/redact.rs", "//! [`crate::cli`]\n/* /* crate::cli */ crate::cli */ const A: &str = \"crate::cli\";", 0),
        ("src/redact.rs", "const A: &str = r#\"\" crate::cli\"#; const B: char = '\"'; use crate::cli;", 1),
        ("src/redact.rs", "fn f<'a>(x: &'a str) -> &'a str { crate::cli::g(x, '\\'') }", 1),
        ("src/simulator/store.rs", "use crate::issue::Issue;", 1),
        ("src/config/mod.rs", "use crate::simulator::Options;", 1),
        ("src/junk.rs", "", 1),
        ("src/main.rs", "fn main() -> ExitCode { posyandu_gateway::cli::run() }", 0),
        ("src/main.rs", "use posyandu_gateway::{cli, config};", 1),
        ("src/main.rs", "mod cli;", 1),
    ] {
        assert_eq!(found(layers::imports, path, text), expected, "{path}: {text}");
    }
}

#[test]
fn another_library_file_is_caught() {
    let lines: Vec<String> = layers::TABLE.iter().map(|(name, _)| format!("pub mod {name};\n\n")).collect();
    let right = format!("//! Why.\n#![doc = include_str!(\"../README.md\")]\n\n{}", lines.concat());
    assert_eq!(found(layers::declarations, "src/lib.rs", &right), 0);
    let missing = right.replace("pub mod seal;", "");
    assert_eq!(found(layers::declarations, "src/lib.rs", &missing), 1);
    let swapped =
        right.replace("mod seal;", "mod x;").replace("mod words;", "mod seal;").replace("mod x;", "mod words;");
    assert_eq!(found(layers::declarations, "src/lib.rs", &swapped), 1);
    let exported = format!("{right}pub use issue::Issue;\n");
    assert_eq!(found(layers::declarations, "src/lib.rs", &exported), 2);
    assert_eq!(found(layers::declarations, "src/remote/mod.rs", "pub(crate) use token::Token; use answer::Answer;"), 1);
}

#[test]
fn edges_away_from_home_are_caught() {
    for (path, text, expected) in [
        ("src/delivery/mod.rs", "let at = std::time::SystemTime::now();", 1),
        ("src/delivery/mod.rs", "let at = Timestamp::now(); let id = Uuid::now_v7();", 2),
        ("src/delivery/mod.rs", "let at = clock.now(); // Timestamp::now()", 0),
        ("src/clock.rs", "let at = Timestamp::now();", 0),
        ("src/delivery/mod.rs", "use sqlx::Row;", 1),
        ("src/ledger/mod.rs", "use sqlx::Row; fn f() -> reqwest::Error {}", 1),
        ("src/resource/structure.rs", "use fhir_structure::round_trip; use fhir_sdk::r4b;", 1),
        ("fhir-structure/src/lib.rs", "use fhir_sdk::r4b;", 0),
        ("src/remote/mod.rs", "use std::{env, fs};", 1),
        ("src/remote/mod.rs", "let a = std::env::var(\"A\"); let b = env!(\"CARGO_PKG_VERSION\");", 1),
        ("src/config/mod.rs", "use std::env;", 0),
        ("src/config/mod.rs", "println!(\"x\"); let println = 1;", 1),
        ("src/cli/mod.rs", "eprintln!(\"x\");", 0),
    ] {
        assert_eq!(found(edges::homes, path, text), expected, "{path}: {text}");
    }
}

#[test]
fn misshapen_files_are_caught() {
    assert_eq!(found(shape::lengths_and_openings, "src/a.rs", &"//! Why.\n".repeat(400)), 0);
    assert_eq!(found(shape::lengths_and_openings, "tests/it/a.rs", &"//! Why.\n".repeat(401)), 1);
    assert_eq!(found(shape::lengths_and_openings, "benches/a.rs", "use std::fs;\n"), 1);
    assert_eq!(found(shape::names, "src/remote/helpers.rs", ""), 1);
    assert_eq!(found(shape::names, "tests/common/mod.rs", ""), 1);
    assert_eq!(found(shape::names, "src/record/date.rs", ""), 0);
}

#[test]
fn a_forgotten_file_is_caught() {
    let main = File::new("tests/it/main.rs", "mod crash; // mod ledger;");
    let crash = File::new("tests/it/crash.rs", "mod steps;");
    let steps = File::new("tests/it/crash/steps.rs", "");
    assert_eq!(shape::forgotten(&[main.clone(), crash.clone(), steps.clone()]), [""; 0]);
    assert_eq!(shape::forgotten(&[main.clone(), File::new("tests/it/crash.rs", ""), steps]).len(), 1);
    assert_eq!(shape::forgotten(&[main, crash, File::new("tests/it/ledger/mod.rs", "")]).len(), 1);
}

#[test]
fn a_dependency_without_a_reason_is_caught() {
    let text = "[package]\nname = \"x\"\n[dependencies]\n# --- group\ncsv = \"1\" # reads files\nuuid = \"1\"\n";
    assert_eq!(found(shape::dependencies, "Cargo.toml", text), 1);
    assert_eq!(
        found(shape::dependencies, "fhir-structure/Cargo.toml", "[dev-dependencies]\ncsv = \"1\"\n[lints]\na = 1"),
        1
    );
}

#[test]
fn numbers_that_may_be_somebodys_are_caught() {
    let somebody = format!("{}{}", "32730101", "01900001");
    let tail = "0101010190000";
    assert_eq!(found(people::numbers, "README.md", &format!("NIK {somebody}, and so on")), 1);
    assert_eq!(found(people::numbers, "a.csv", &format!("a;{somebody}\n{somebody}1;{somebody}\n")), 2);
    let nobody = format!("9271060312000001 101{tail} 9999{} {} 1{somebody}", &tail[..12], "4".repeat(16));
    assert_eq!(found(people::numbers, "README.md", &nobody), 0);
    assert_eq!(found(people::numbers, "Cargo.lock", &somebody), 0);
    assert!(people::numbers(&[File::new("a", &somebody)]).iter().all(|line| !line.contains(&somebody)));
}

#[test]
fn traces_of_the_making_are_caught() {
    for (text, expected) in [
        (format!("see {}x", concat!("/", "work/")), 1),
        (format!("\"{}me/x\"", concat!("/", "home/")), 1),
        (format!("paper{}x and ../{}", concat!("/", "work/"), "work/x"), 0),
        (format!("as {} #12 says", "Issue"), 1),
        ("one Issue a row".to_owned(), 0),
        (format!("an {} wrote it", concat!("Age", "nt")), 1),
        (format!("the HTTP user {0}, User-{0}", concat!("age", "nt")), 0),
    ] {
        assert_eq!(found(people::traces, "README.md", &text), expected, "{text}");
    }
}

#[test]
fn rules_and_sentences_that_miss_each_other_are_caught() {
    let words =
        File::new("src/words/record.toml", "[\"nik.digits\"]\nid = \"[a.b]\"\n[\"remote.rule.1\"]\n[\"date.old\"]\n");
    let code = |text: &str| [words.clone(), File::new("src/record/nik.rs", text)];
    let right = code("Issue::error(Code::Value, \"nik.digits\"); f(\"date.old\", format!(\"remote.rule.{a}\"))");
    assert_eq!((catalogue::unknown(&right), catalogue::unused(&right)), (vec![], vec![]));
    let typo = code("Issue::warning(f(a, 1), if x { \"nik.digit\" } else { \"date.old\" }).with(\"a.b\", \"c.d\")");
    assert_eq!((catalogue::unknown(&typo).len(), catalogue::unused(&typo).len()), (1, 2));
}
