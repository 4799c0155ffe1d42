//! The compiled template plan against hand-written code that builds the same JSON, visit by visit, in one run.
//!
//! Both get the same visits and business identifiers. The hand-written side gets the fullUrls too, while the plan
//! makes its own: the plan must win without that help. A third run is the plan with every check before queueing, and
//! that one is held against the hand-written code. Run with `cargo bench --bench mapping`.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

#[path = "visits/by_hand.rs"]
mod by_hand;
mod visits;

use std::hint::black_box;
use std::time::{Duration, Instant};

use by_hand::{Name, bundle, hashed};
use posyandu_gateway::config::assets;
use posyandu_gateway::resource::bundle::transaction;
use posyandu_gateway::resource::check;
use serde_json::Value;
use visits::Made;

/// Visits of a round.
const VISITS: usize = 5_000;
/// Rounds of each side, in turn; the best counts.
const ROUNDS: usize = 9;
/// Visits compared when it runs as a test.
const VISITS_TESTED: usize = 120;

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let (number, rounds) = if measured { (VISITS, ROUNDS) } else { (VISITS_TESTED, 1) };
    let rules = assets::rules(None).unwrap();
    let switches = visits::switches();
    let posyandu = visits::posyandu(&rules);
    let made = visits::some(&rules, 0..number);
    let borrowed: Vec<_> = made.iter().map(Made::borrowed).collect();
    let inputs: Vec<_> = made.iter().zip(&borrowed).map(|(made, records)| made.visit(&posyandu, records)).collect();
    let names: Vec<Vec<Name>> =
        inputs.iter().map(|visit| Name::all(&rules.mappings.draft(visit, &switches, &hashed))).collect();
    let by_plan = |at: usize, is_checked: bool| {
        let names = &names[at];
        // Whatever makes the identifiers costs the same on both sides, so here it only looks them up.
        let identify = |name: &str, key: &[u8; 32]| {
            names.iter().find(|known| known.key == *key && known.resource == name).unwrap().value.clone()
        };
        let resources = rules.mappings.draft(&inputs[at], &switches, &identify).resources;
        if is_checked {
            let mut issues = Vec::new();
            check(&resources, &rules.profiles, &inputs[at], &mut issues);
            assert_eq!(issues, [], "visit {at}");
        }
        transaction(&resources)
    };
    let plain = |at: usize| by_plan(at, false);
    let checked = |at: usize| by_plan(at, true);
    let by_hand = |at: usize| bundle(&made[at], &names[at]);

    let mut bytes = 0;
    for at in 0..number {
        let (plan, hand) = (plain(at), by_hand(at));
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parsed(&plan), parsed(&hand), "visit {at}");
        bytes += plan.len();
    }
    let resources: usize = names.iter().map(Vec::len).sum();
    println!(
        "{number} visits, {:.1} resources and {:.0} bytes each; equal JSON from both",
        resources as f64 / number as f64,
        bytes as f64 / number as f64
    );

    let mut best = [Duration::MAX; 3];
    for _ in 0..rounds {
        best[0] = best[0].min(timed(number, plain));
        best[1] = best[1].min(timed(number, checked));
        best[2] = best[2].min(timed(number, by_hand));
    }
    let [plan, with_rules, hand] = best;
    let rate = |time: Duration| number as f64 / time.as_secs_f64();
    println!("template plan  {:>9.0} visits/s", rate(plan));
    println!("with all rules {:>9.0} visits/s", rate(with_rules));
    println!("written by hand{:>9.0} visits/s", rate(hand));
    let share = 1.0 - plan.as_secs_f64() / with_rules.as_secs_f64();
    println!("rules take     {:>8.0} %  of the time with them", share * 100.0);
    println!("ratio          {:>9.2}  without rules", rate(plan) / rate(hand));
    println!(
        "ratio          {:>9.2}  with all rules (best of {rounds} rounds each, in turn)",
        rate(with_rules) / rate(hand)
    );
}

fn timed(number: usize, one: impl Fn(usize) -> String) -> Duration {
    let start = Instant::now();
    for at in 0..number {
        black_box(one(black_box(at)));
    }
    start.elapsed()
}
