//! The words catalogue and the code name the same rules: no rule without a sentence, no sentence without a rule.

use std::collections::BTreeSet;

use super::token::{Kind, Token, tokens};
use super::tree::File;

/// Beginnings of keys that the code puts together: with the number of a ministry's rule, or a word of the ledger.
const PREFIXES: [&str; 24] = [
    "alarm.about.",
    "discrepancy.class.",
    "discrepancy.owner.",
    "dashboard.sum.",
    "mapping.dictionary.",
    "recap.idl.",
    "recap.kirim.",
    "recap.level.",
    "recap.mutu.",
    "recap.nik.",
    "recap.owner.",
    "recap.siklus.",
    "recap.skdn.",
    "recap.table.",
    "remote.rule.",
    "report.column.",
    "report.group.",
    "report.reason.",
    "report.skipped.",
    "report.state.",
    "statement.accepted.",
    "statement.kind.",
    "statement.part.",
    "statement.waived.",
];

/// What makes an issue.
const MAKERS: [&str; 3] = ["error", "warning", "information"];

/// Rules raised in the code that have no sentence.
pub fn unknown(files: &[File]) -> Vec<String> {
    let keys = keys(files);
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust_in("src/")) {
        for (line, rule) in raised(&tokens(&file.text)) {
            if !keys.contains(&rule) {
                found.push(format!("{}:{line}: the rule {rule} has no sentence in src/words", file.path));
            }
        }
    }
    found
}

/// Sentences that no code says.
pub fn unused(files: &[File]) -> Vec<String> {
    let code = files.iter().filter(|file| file.is_rust_in("src/")).flat_map(|file| tokens(&file.text));
    let said: BTreeSet<String> = code.filter_map(|token| text(&token)).collect();
    let put_together = |prefix: &str| said.iter().any(|text| text.starts_with(&format!("{prefix}{{")));
    let prefixes: Vec<&str> = PREFIXES.into_iter().filter(|prefix| put_together(prefix)).collect();
    let silent = |key: &String| !said.contains(key) && !prefixes.iter().any(|prefix| key.starts_with(prefix));
    keys(files).into_iter().filter(silent).map(|key| format!("nothing in src says {key}")).collect()
}

/// The keys of the catalogue: its table headers.
fn keys(files: &[File]) -> BTreeSet<String> {
    let catalogue = files.iter().filter(|file| file.path.starts_with("src/words/") && file.path.ends_with(".toml"));
    let headers = catalogue.flat_map(|file| file.text.lines()).filter_map(|line| line.trim().strip_prefix('['));
    headers.filter_map(|header| header.strip_suffix(']')).map(|key| key.trim().trim_matches('"').to_owned()).collect()
}

/// Texts in the second argument of `Issue::error` and its like, with their line.
fn raised(tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, window) in tokens.windows(4).enumerate() {
        let [owner, colons, maker, opening] = window else { continue };
        if !["Issue", "Self"].contains(&owner.name()) || !colons.is("::") || !opening.is("(") {
            continue;
        }
        if !MAKERS.contains(&maker.name()) {
            continue;
        }
        let (mut depth, mut argument) = (1_usize, 0);
        for token in &tokens[at + 4..] {
            match token.kind {
                Kind::Mark("(" | "{" | "[") => depth += 1,
                Kind::Mark(")" | "}" | "]") => depth -= 1,
                Kind::Mark(",") if depth == 1 => argument += 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            found.extend(text(token).filter(|text| argument == 1 && is_key(text)).map(|text| (token.line, text)));
        }
    }
    found
}

fn text(token: &Token) -> Option<String> {
    if let Kind::Text(text) = &token.kind { Some(text.clone()) } else { None }
}

fn is_key(text: &str) -> bool {
    text.contains('.')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte))
}
