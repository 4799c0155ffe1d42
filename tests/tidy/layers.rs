//! Who may import whom: a row names only rows above it, so no module can depend on one that depends on it.
//!
//! The table changes with the design, knowingly; never to let a single import pass.

use super::token::{Token, paths, tokens};
use super::tree::File;

/// A module and what it may import of this crate.
pub type Row = (&'static str, &'static [&'static str]);

/// The layers, from the ground up. `cli` may import every row above it.
pub const TABLE: [Row; 23] = [
    ("clock", &[]),
    ("crash", &[]),
    ("redact", &[]),
    ("issue", &["redact"]),
    ("words", &["issue"]),
    ("seal", &["crash"]),
    ("observed", &["clock"]),
    ("source", &["redact", "issue", "words"]),
    ("record", &["redact", "issue", "words", "source"]),
    ("growth", &["issue", "record"]),
    ("mapping", &["clock", "redact", "issue", "record"]),
    ("resource", &["clock", "redact", "issue", "words", "mapping", "record"]),
    ("remote", &["clock", "crash", "redact", "issue", "words", "observed", "resource"]),
    ("ledger", &["clock", "crash", "redact", "issue", "words", "seal"]),
    (
        "ingest",
        &["clock", "redact", "issue", "words", "seal", "source", "record", "growth", "mapping", "resource", "ledger"],
    ),
    ("delivery", &["clock", "redact", "issue", "words", "seal", "resource", "remote", "ledger"]),
    ("reconciliation", &["clock", "redact", "issue", "words", "resource", "remote", "ledger"]),
    ("report", &["clock", "redact", "issue", "words", "record", "ledger", "reconciliation"]),
    ("http", &["clock", "redact", "issue", "words", "seal", "observed", "record", "ledger", "ingest", "report"]),
    ("simulator", &["clock"]),
    (
        "config",
        &[
            "clock",
            "redact",
            "issue",
            "words",
            "seal",
            "observed",
            "source",
            "record",
            "growth",
            "mapping",
            "resource",
            "remote",
            "ledger",
            "ingest",
            "delivery",
            "reconciliation",
            "report",
            "http",
        ],
    ),
    (
        "daemon",
        &[
            "clock",
            "redact",
            "issue",
            "words",
            "seal",
            "observed",
            "source",
            "record",
            "growth",
            "mapping",
            "resource",
            "remote",
            "ledger",
            "ingest",
            "delivery",
            "reconciliation",
            "report",
            "http",
            "config",
        ],
    ),
    (
        "cli",
        &[
            "clock",
            "crash",
            "redact",
            "issue",
            "words",
            "seal",
            "observed",
            "source",
            "record",
            "growth",
            "mapping",
            "resource",
            "remote",
            "ledger",
            "ingest",
            "delivery",
            "reconciliation",
            "report",
            "http",
            "simulator",
            "config",
            "daemon",
        ],
    ),
];

/// Rows that name themselves or a row below them.
pub fn order(table: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, (module, allowed)) in table.iter().enumerate() {
        for name in *allowed {
            if !table[..at].iter().any(|(above, _)| above == name) {
                found.push(format!("the table lets {module} import {name}, which does not stand above it"));
            }
        }
    }
    found
}

/// `lib.rs` is `pub mod` lines in the order of the table and nothing else; no file re-exports.
pub fn declarations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    let expected: Vec<String> = TABLE.iter().flat_map(|(name, _)| ["pub", "mod", name].map(str::to_owned)).collect();
    for file in files.iter().filter(|file| file.is_rust_in("src/")) {
        let tokens = tokens(&file.text);
        for (at, token) in tokens.iter().enumerate() {
            if token.name() == "use" && is_public(&tokens[..at]) {
                found.push(format!("{}:{}: a re-export gives a thing two names", file.path, token.line));
            }
        }
        if file.path == "src/lib.rs" && declared(&tokens) != expected {
            found.push("src/lib.rs does not declare exactly the modules of the table, in its order".to_owned());
        }
    }
    found
}

/// Whether what comes next is `pub` or `pub(…)`.
fn is_public(before: &[Token]) -> bool {
    let Some(last) = before.last() else { return false };
    if !last.is(")") {
        return last.name() == "pub";
    }
    let opening = before.iter().rposition(|token| token.is("(")).unwrap_or(0);
    opening > 0 && before[opening - 1].name() == "pub"
}

/// The names in `lib.rs` outside attributes.
fn declared(tokens: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for token in tokens {
        if token.is("[") {
            depth += 1;
        } else if token.is("]") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && !token.name().is_empty() {
            names.push(token.name().to_owned());
        }
    }
    names
}

/// Every path of the crate that the table does not allow, `#[cfg(test)]` code included.
pub fn imports(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust_in("src/") && file.path != "src/lib.rs") {
        let tokens = tokens(&file.text);
        if file.path == "src/main.rs" {
            found.extend(main_imports(&tokens));
            continue;
        }
        let here = module_path(&file.path);
        let Some((module, allowed)) = TABLE.iter().find(|(name, _)| *name == here[0]) else {
            found.push(format!("{}: the module {} is not in the table", file.path, here[0]));
            continue;
        };
        for path in paths(&tokens, &["crate", "self", "super", "posyandu_gateway"]) {
            let written = path.names.join("::");
            match meant(&here, &path.inside, &path.names).as_deref() {
                Some(name) if name == *module || allowed.contains(&name) => {}
                Some(name) => {
                    found.push(format!("{}:{}: {module} must not import {name} ({written})", file.path, path.line))
                }
                None => found.push(format!("{}:{}: {written} names the whole crate", file.path, path.line)),
            }
        }
    }
    found
}

fn main_imports(tokens: &[Token]) -> Vec<String> {
    let all = paths(tokens, &["crate", "self", "super", "posyandu_gateway"]).into_iter();
    let foreign = all
        .filter(|path| !matches!(path.names.as_slice(), [own, cli, ..] if own == "posyandu_gateway" && cli == "cli"));
    let mut found: Vec<String> = foreign
        .map(|path| {
            format!("src/main.rs:{}: only the library's cli may be used, not {}", path.line, path.names.join("::"))
        })
        .collect();
    found.extend(
        tokens
            .iter()
            .filter(|token| token.name() == "mod")
            .map(|token| format!("src/main.rs:{}: modules belong to the library", token.line)),
    );
    found
}

/// `src/remote/response/tests.rs` is `remote`, `response`, `tests`.
fn module_path(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    inner.trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}

/// The top module a path reaches; nothing when it stops at the root of the crate.
fn meant(here: &[String], inside: &[String], names: &[String]) -> Option<String> {
    let mut place: Vec<String> = here.iter().chain(inside).cloned().collect();
    for name in names {
        match name.as_str() {
            "crate" | "posyandu_gateway" => place.clear(),
            "self" => {}
            "super" => drop(place.pop()),
            _ => {
                place.push(name.clone());
                break;
            }
        }
    }
    place.into_iter().next().filter(|name| name != "*")
}
