//! Growth standards against independent implementations, and what must hold for every child.
//!
//! `tests/growth.sh` makes the cases and judges the answers; see `tests/growth_oracle.py` for who is asked what.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use jiff::civil::date;
use posyandu_gateway::growth::assess::{Assessment, Measured, Position, Standard};
use posyandu_gateway::growth::gain::{Gain, Weighing};
use posyandu_gateway::growth::index::Index;
use posyandu_gateway::growth::table::Table;
use posyandu_gateway::growth::{Sex, Standards};
use proptest::prelude::*;
use rust_decimal::Decimal;

const MISSING: &str = "tests/growth.sh needs python3 with venv and its package registry";
/// Lines of the cases with WHO's survey and the edges of the tables, which stand first; the header is one of them.
const EDGES_END: usize = 1_390;
const INDICES: [Index; 6] = [
    Index::WeightForAge,
    Index::HeightForAge,
    Index::WeightForHeight,
    Index::BmiForAge,
    Index::HeadForAge,
    Index::ArmForAge,
];

fn standards() -> &'static Standards {
    static STANDARDS: OnceLock<Standards> = OnceLock::new();
    STANDARDS.get_or_init(|| Standards::built_in().unwrap())
}

/// Exit code and words of the script.
fn script(what: &str, files: &[&Path]) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/growth.sh");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("growth");
    let Output { status, stdout, stderr } =
        Command::new("sh").arg(script).arg(what).args(files).arg(folder).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_ne!(status.code(), Some(2), "{MISSING}: {text}");
    (status.code(), text)
}

fn assessment(cells: &[&str]) -> Option<Assessment> {
    let number = |at: usize| cells[at].parse::<Decimal>().ok();
    let position = if cells[4] == "lying" { Position::Lying } else { Position::Standing };
    let measured = Measured {
        weight: number(2),
        height: number(3).map(|height| (height, position)),
        head: number(5),
        arm: number(6),
        has_oedema: cells[7] == "yes",
    };
    standards().assess(Sex::from_letter(cells[0]).unwrap(), cells[1].parse().unwrap(), &measured)
}

#[test]
fn independent_implementations_agree_to_a_hundredth() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, answers) = (folder.path().join("cases.csv"), folder.path().join("answers.csv"));
    let (status, text) = script("cases", &[&cases]);
    assert_eq!(status, Some(0), "{text}");
    let lines = std::fs::read_to_string(&cases).unwrap();
    let mut out = vec!["wfa,hfa,wfh,bmi,hc,ac".to_owned()];
    for line in lines.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let found = assessment(&cells);
        let score = |index: Index| found.as_ref().and_then(|found| found.score(index));
        let cells = INDICES.map(|index| score(index).map(|score| score.z.to_string()).unwrap_or_default());
        out.push(cells.join(","));
    }
    assert!(out.len() > 10_000);
    std::fs::write(&answers, out.join("\n")).unwrap();
    let (status, text) = script("compare", &[&cases, &answers]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains(" 0 disagreements"), "{text}");

    // One row of one table with another L: the implementations must notice.
    let text = include_str!("../../growth/who_2006_weight_for_age.csv");
    let row = text.lines().find(|line| line.starts_with("L,731,")).unwrap();
    let mut cells: Vec<&str> = row.split(',').collect();
    cells[2] = "0.9";
    let mutated = Table::parse(&text.replace(row, &cells.join(",")), 1.0).unwrap().at(Sex::Male, 731, 0.0).unwrap();
    let mut changed = 0;
    for (line, answer) in lines.lines().zip(&mut out).skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if let (["L", "731", weight, ..], Some((_, rest))) = (&cells[..], answer.split_once(',')) {
            let score = Index::WeightForAge.score(mutated, weight.parse().unwrap()).unwrap();
            *answer = format!("{},{rest}", score.z);
            changed += 1;
        }
    }
    assert!(changed > 0);
    std::fs::write(&cases, lines.lines().take(EDGES_END).collect::<Vec<_>>().join("\n")).unwrap();
    std::fs::write(&answers, out[..EDGES_END].join("\n")).unwrap();
    let (status, text) = script("compare", &[&cases, &answers]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("wfa"), "{text}");
}

fn decimal(value: f64) -> Decimal {
    Decimal::from_f64_retain(value).unwrap().round_dp(2)
}

proptest! {
    #[test]
    fn scores_rise_with_the_measurement_and_are_finite_or_flagged(
        male in any::<bool>(),
        days in 0_i64..7_100,
        lying in any::<bool>(),
        low in 0.01_f64..250.0,
        more in 0.05_f64..50.0,
        height in 20.0_f64..230.0,
    ) {
        let sex = if male { Sex::Male } else { Sex::Female };
        let position = if lying { Position::Lying } else { Position::Standing };
        let child = |weight: f64, height: f64| {
            let [weight, height] = [weight, height].map(decimal);
            let height = Some((height, position));
            let measured =
                Measured { weight: Some(weight), height, head: Some(weight), arm: Some(weight), has_oedema: false };
            standards().assess(sex, days, &measured)
        };
        let (Some(less), Some(heavier)) = (child(low, height), child(low + more, height)) else {
            prop_assert!(days > 6_939);
            return Ok(());
        };
        for score in &less.scores {
            prop_assert!(score.z.is_finite());
            prop_assert!(!score.is_plausible() || score.z.abs() < 6.01);
            let other = heavier.score(score.index).unwrap();
            prop_assert!(other.z > score.z || score.index == Index::HeightForAge, "{:?}", score.index);
        }
        if let (Some(one), Some(other)) = (
            less.score(Index::HeightForAge),
            child(low, height + more).and_then(|taller| taller.score(Index::HeightForAge).copied()),
        ) {
            prop_assert!(other.z > one.z);
        }
    }
}

#[test]
fn every_rounded_score_has_one_class() {
    let classes = |index, standard| {
        let of = |hundredths| {
            let class = standards().categories.of(index, standard, Decimal::new(hundredths, 2));
            class.map_or("", |class| class.code.as_str())
        };
        [-601, -301, -300, -201, -200, 100, 101, 200, 201, 300, 301].map(of)
    };
    let (buruk, kurang, baik) = ("gizi_buruk", "gizi_kurang", "gizi_baik");
    let (risk, lebih, obesitas) = ("berisiko_gizi_lebih", "gizi_lebih", "obesitas");
    assert_eq!(
        classes(Index::BmiForAge, Standard::Who2006),
        [buruk, buruk, kurang, kurang, baik, baik, risk, risk, lebih, lebih, obesitas]
    );
    assert_eq!(classes(Index::WeightForHeight, Standard::Who2006), classes(Index::BmiForAge, Standard::Who2006));
    assert_eq!(
        classes(Index::BmiForAge, Standard::Who2007),
        [buruk, buruk, kurang, kurang, baik, baik, lebih, lebih, obesitas, obesitas, obesitas]
    );
    let (less, normal, more) = ("kurang", "normal", "risiko_lebih");
    assert_eq!(
        classes(Index::WeightForAge, Standard::Who2006),
        ["sangat_kurang", "sangat_kurang", less, less, normal, normal, more, more, more, more, more]
    );
    assert_eq!(
        classes(Index::HeightForAge, Standard::Who2006),
        [
            "sangat_pendek",
            "sangat_pendek",
            "pendek",
            "pendek",
            normal,
            normal,
            normal,
            normal,
            normal,
            normal,
            "tinggi"
        ]
    );
    assert_eq!(
        classes(Index::HeadForAge, Standard::Who2006),
        [less, less, less, less, normal, normal, normal, normal, "lebih", "lebih", "lebih"]
    );
    assert_eq!(classes(Index::HeightForAge, Standard::Who2007), [""; 11]);
    assert_eq!(classes(Index::ArmForAge, Standard::Who2006), [""; 11]);
}

#[test]
fn weight_gain_follows_the_card() {
    let born = date(2026, 1, 20);
    let weighings = |all: &[(i8, i64)]| -> Vec<Weighing> {
        all.iter()
            .map(|(month, grams)| Weighing { day: date(2026, *month, 21), weight: Some(Decimal::new(*grams, 3)) })
            .collect()
    };
    let judge = |sex, all: &[(i8, i64)]| standards().minimum_gain.judge(sex, born, &weighings(all));
    assert_eq!(judge(Sex::Male, &[]), None);
    assert_eq!(judge(Sex::Male, &[(1, 3_200)]), Some(Gain::First));
    assert_eq!(judge(Sex::Male, &[(1, 3_200), (2, 4_000)]), Some(Gain::Enough));
    assert_eq!(judge(Sex::Male, &[(1, 3_200), (2, 3_999)]), Some(Gain::NotEnough));
    assert_eq!(judge(Sex::Male, &[(1, 3_200), (3, 5_000)]), Some(Gain::MissedMonth));
    // In the seventh month girls need less than boys.
    assert_eq!(judge(Sex::Male, &[(7, 7_000), (8, 7_300)]), Some(Gain::NotEnough));
    assert_eq!(judge(Sex::Female, &[(7, 7_000), (8, 7_300)]), Some(Gain::Enough));
    let twice = |all: &[(i8, i64)]| standards().minimum_gain.is_twice_not_enough(Sex::Male, born, &weighings(all));
    assert!(twice(&[(2, 4_000), (3, 4_100), (4, 4_100)]));
    assert!(!twice(&[(2, 4_000), (3, 4_900), (4, 4_900)]));
    assert!(!twice(&[(2, 4_000), (4, 4_000), (5, 4_000)]));
    assert_eq!(standards().minimum_gain.grams(Sex::Female, 40), Some(200));
}

#[test]
fn oedema_and_unknown_lengths_leave_scores_out() {
    let scores = |cells: &[&str]| {
        assessment(cells).map(|found| found.scores.iter().map(|score| score.index).collect::<Vec<_>>())
    };
    assert_eq!(
        scores(&["L", "800", "11.5", "85", "standing", "47", "14", "yes"]),
        Some(vec![Index::HeightForAge, Index::HeadForAge, Index::ArmForAge])
    );
    assert_eq!(scores(&["L", "2000", "18", "108", "lying", "", "", "no"]), Some(vec![Index::WeightForAge]));
    assert_eq!(scores(&["L", "7000", "50", "160", "standing", "", "", "no"]), None);
}
