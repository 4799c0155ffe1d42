//! The edges of the program have homes: one place each for the database, the network, the clock, the environment and
//! the terminal. A word of theirs elsewhere is a leak.

use super::token::{Token, paths, tokens};
use super::tree::File;

/// A crate's name and the modules that may say it.
const CRATES: [(&str, &[&str]); 9] = [
    ("sqlx", &["source", "ledger"]),
    ("reqwest", &["remote"]),
    ("fhir_sdk", &["fhir-structure"]),
    ("fhir_structure", &["resource"]),
    ("axum", &["http", "simulator"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("prometheus_client", &["observed"]),
    ("sd_notify", &["cli"]),
];

/// Readers of the environment.
const ENVIRONMENT: [&str; 2] = ["config", "cli"];

/// Calls that ask the system for the time.
const TIME: [(&str, &str); 7] = [
    ("SystemTime", "now"),
    ("Instant", "now"),
    ("Timestamp", "now"),
    ("Zoned", "now"),
    ("Uuid", "now_v1"),
    ("Uuid", "now_v6"),
    ("Uuid", "now_v7"),
];

/// Macros that write to the terminal.
const PRINTING: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];

/// Every word of an edge outside its home.
pub fn homes(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let module = if file.is_rust_in("src/") {
            file.path.trim_start_matches("src/").split(['/', '.']).next().unwrap_or("")
        } else if file.is_rust_in("fhir-structure/src/") {
            "fhir-structure"
        } else {
            continue;
        };
        let tokens = tokens(&file.text);
        for (line, edge) in leaks(module, &tokens) {
            found.push(format!("{}:{line}: {edge} has no home in {module}", file.path));
        }
    }
    found
}

fn leaks(module: &str, tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let next = |steps: usize| tokens.get(at + steps);
        let name = token.name();
        if CRATES.iter().any(|(edge, homes)| *edge == name && !homes.contains(&module)) {
            found.push((token.line, name.to_owned()));
        }
        let called = next(2).map_or("", Token::name);
        if module != "clock" && next(1).is_some_and(|mark| mark.is("::")) && TIME.contains(&(name, called)) {
            found.push((token.line, format!("{name}::{called}")));
        }
        if module != "cli" && PRINTING.contains(&name) && next(1).is_some_and(|mark| mark.is("!")) {
            found.push((token.line, format!("{name}!")));
        }
    }
    for path in paths(tokens, &["std"]) {
        if path.names.get(1).is_some_and(|name| name == "env") && !ENVIRONMENT.contains(&module) {
            found.push((path.line, "std::env".to_owned()));
        }
    }
    found
}
