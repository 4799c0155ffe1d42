//! `tests/FAULTS.md`: its table is made from the raw results in `tests/faults.jsonl` and from nothing else.
//!
//! With `POSYANDU_PROOF_TABLE=write` the table is written; otherwise the test makes sure that nobody changed it by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Around the table.
const BEGIN: &str = "<!-- table: written by tests/faults -->\n";
const END: &str = "<!-- end of table -->\n";

/// Families in the order of the table, with what is counted.
const FAMILIES: [(&str, &str); 19] = [
    ("points", "kills at named points"),
    ("kills", "kills -9 at random moments"),
    ("database", "databases killed under a run"),
    ("stops", "stops at random moments"),
    ("suspended", "gateways suspended until another took over"),
    ("power_cuts", "images after a power cut"),
    ("restore", "visits sent that a restored copy did not know"),
    ("mutations", "fields of the ledger altered"),
    ("cuts", "answers cut short"),
    ("satellite", "visits over a link that is slow and loses packets"),
    ("simulation", "simulated lives of a city (seeds)"),
    ("model", "command sequences against the model"),
    (PROTOCOL, "states that two gateways, their ledger and the server can get into"),
    ("answers", "mutated answers"),
    ("files", "mutated files"),
    ("week", "visits kept through an outage of a week"),
    ("city", "visits of a city caught up with after such a week, today's first"),
    ("doubt", "unknown outcomes cleared up"),
    ("rate", "calls a minute of a hidden limit, found and used"),
];

/// Its states are all there are, so that nothing is left to chance.
const PROTOCOL: &str = "protocol";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// What batches of one family on one commit add up to.
#[derive(Default)]
struct Sum {
    done: u64,
    failed: u64,
    seconds: u64,
    seeds: Vec<u64>,
    dates: Vec<String>,
    /// How long doubt lasted, the longest of the batches.
    doubt: BTreeMap<String, [u64; 3]>,
}

fn sums(results: &str) -> BTreeMap<(String, String, String), Sum> {
    let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
    for line in results.lines() {
        let result: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
        let sum = sums.entry((text("family"), text("store"), text("commit"))).or_default();
        sum.done += result["done"].as_u64().unwrap_or_default();
        sum.failed += u64::from(result["fine"] != true);
        sum.seconds += result["seconds"].as_u64().unwrap_or_default();
        sum.seeds.push(result["seed"].as_u64().unwrap_or_default());
        sum.dates.push(text("date"));
        for what in ["found", "absent"] {
            let seconds = &result["figures"][format!("{what}_seconds")];
            for (at, figure) in ["p50", "p99", "max"].iter().enumerate() {
                let Some(seconds) = seconds[figure].as_u64() else { continue };
                let longest = &mut sum.doubt.entry(what.to_owned()).or_default()[at];
                *longest = seconds.max(*longest);
            }
        }
    }
    sums
}

/// The table. Nothing failing in n tries bounds the chance of a failure below 3/n (95 %).
fn table(results: &str) -> String {
    let mut text = String::from(
        "| what | store | done | lost / doubled / false acks | upper bound (95 %) | batches | seeds | minutes | commit | date |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    let sums = sums(results);
    for (family, what) in FAMILIES {
        for ((_, store, commit), sum) in sums.iter().filter(|((name, ..), _)| name == family) {
            let outcome =
                if sum.failed == 0 { "0 / 0 / 0".to_owned() } else { format!("{} batches FAILED", sum.failed) };
            let bound = match sum.done {
                0..=3 => "none".to_owned(),
                _ if sum.failed > 0 => "none".to_owned(),
                _ if family == PROTOCOL => "all tried".to_owned(),
                done => format!("{:.1e}", 3.0 / done as f64),
            };
            let doubt: String = sum
                .doubt
                .iter()
                .map(|(what, [half, nearly_all, all])| {
                    format!("; {what}: p50 {half} s, p99 {nearly_all} s, longest {all} s")
                })
                .collect();
            let (first, last) = (sum.seeds.iter().min().unwrap(), sum.seeds.iter().max().unwrap());
            let seeds = if first == last { first.to_string() } else { format!("{first} to {last}") };
            let (done, batches, minutes) = (sum.done, sum.seeds.len(), sum.seconds.div_ceil(60));
            let (commit, date) = (&commit[..commit.len().min(12)], sum.dates.iter().max().unwrap());
            writeln!(
                text,
                "| {what}{doubt} | {store} | {done} | {outcome} | {bound} | {batches} | {seeds} | {minutes} | {commit} | {date} |"
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn the_table_of_figures_is_what_the_raw_results_say() {
    let results = std::fs::read_to_string(path("faults.jsonl")).unwrap_or_default();
    let page = std::fs::read_to_string(path("FAULTS.md")).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the table");
    let (old, after) = rest.split_once(END).expect("the table has an end");
    let new = table(&results);
    if std::env::var("POSYANDU_PROOF_TABLE").is_ok_and(|what| what == "write") {
        std::fs::write(path("FAULTS.md"), format!("{before}{BEGIN}{new}{END}{after}")).unwrap();
    } else {
        assert_eq!(old, new, "run tests/faults --table: the table is not what tests/faults.jsonl says");
    }
}

#[test]
fn batches_are_added_up_and_a_failed_one_shows() {
    let line = |seed: u64, done: u64, fine: bool| {
        format!(
            "{{\"family\":\"kills\",\"store\":\"sqlite\",\"done\":{done},\"seed\":{seed},\"fine\":{fine},\"seconds\":30,\"commit\":\"abc\",\"date\":\"2026-11-22\"}}\n"
        )
    };
    let fine = table(&(line(1, 100, true) + &line(2, 200, true)));
    assert!(fine.contains("| 300 | 0 / 0 / 0 | 1.0e-2 | 2 | 1 to 2 | 1 | abc | 2026-11-22 |"), "{fine}");
    let failed = table(&(line(1, 100, true) + &line(2, 0, false)));
    assert!(failed.contains("1 batches FAILED | none"), "{failed}");
}
