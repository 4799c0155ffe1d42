//! What a person decides on the command line: once however often it is said, in the audit trail with its reason, and
//! undone where that is possible. And who may look at the pages.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use data_encoding::HEXLOWER;
use posyandu_gateway::clock::Clock;
use posyandu_gateway::config::Config;
use posyandu_gateway::config::assets;
use posyandu_gateway::config::ledger::LedgerHome;
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::discrepancy::{Cause, Class, Comparison, Found};
use posyandu_gateway::ledger::plan::NewPlan;
use posyandu_gateway::ledger::row::{RowKind, RowSeen};
use posyandu_gateway::ledger::state::Event;
use posyandu_gateway::observed::Observed;
use posyandu_gateway::seal::Keys;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::town::{CONFIG, Town};
use crate::dashboard::more::{NAME_ELSEWHERE, questions};
use crate::dashboard::site::{NAME, NIK, end, visits};
use crate::ledger::{DAY, sha};

/// The town's gateway in this process, on the machine's clock.
async fn daemon(town: &Town) -> Daemon {
    let mut config = Config::load(&town.path(CONFIG), std::iter::empty()).unwrap();
    config.data_dir = town.path(config.data_dir.to_str().unwrap());
    let keys = Arc::new(Keys::load(&config.key_file()).unwrap());
    let LedgerHome::File(options) = config.ledger_home().unwrap() else { panic!("a file is configured") };
    let ledger = Arc::new(Ledger::open(&options, Arc::clone(&keys), Clock::System).await.unwrap());
    let rules = assets::rules_for_work(None).unwrap();
    let (halt, observed) = (Arc::new(AtomicBool::new(false)), Observed::default());
    Daemon { config, rules, clock: Clock::System, keys, ledger, halt, observed }
}

async fn close(daemon: Daemon) {
    Arc::into_inner(daemon.ledger).unwrap().close().await.unwrap();
}

/// The audit trail: action, subject, command and reason of each line, the oldest first.
async fn trail(town: &Town) -> Vec<(String, String, Option<String>, Option<String>)> {
    let daemon = daemon(town).await;
    let mut lines = daemon.ledger.audit_trail(None, 100).await.unwrap();
    close(daemon).await;
    lines.reverse();
    assert!(lines.iter().all(|line| (line.account.as_str(), line.role.as_str()) == ("-", "cli")));
    lines.into_iter().map(|line| (line.action, line.subject, line.command, line.reason)).collect()
}

/// Three visits, of which 1 is delivered and then withdrawn, 2 and 3 are refused; a discrepancy; a plan; a row to mend.
async fn fill(town: &Town) {
    let daemon = daemon(town).await;
    let ledger = &daemon.ledger;
    visits(ledger, "Puskesmas Utara", "UTR-02", DAY, 1, "b.csv").await;
    let claimed = ledger.claim("Puskesmas Utara", 1).await.unwrap();
    end(ledger, &claimed[0], Event::Accepted, Vec::new()).await;
    visits(ledger, "Puskesmas Utara", "UTR-01", DAY, 2, "a.csv").await;
    for one in &ledger.claim("Puskesmas Utara", 2).await.unwrap() {
        let told = Issue::error(Code::Value, "remote.content").with("text", "x").with("element", "e");
        end(ledger, one, Event::RefusedContent, vec![told]).await;
    }
    let row = |key: &str, outcome, issues| RowSeen {
        place: Place { source: "eppgbm".into(), file: "a.csv".into(), row: "9".to_owned(), column: None },
        row_key: sha(key),
        hash: sha(key),
        outcome,
        issues,
        puskesmas: Some("Puskesmas Utara".to_owned()),
        posyandu: Some("UTR-01".to_owned()),
        service_date: Some(DAY),
    };
    let pass = ledger.begin_pass("eppgbm", &format!("UTR-01/{DAY}")).await.unwrap();
    let gone = row(&format!("UTR-02/{DAY}/0"), RowKind::Skipped("withdrawn".to_owned()), Vec::new());
    let mended = vec![Issue::error(Code::Value, "posyandu.unknown").with("tertulis", "Mawar 99")];
    ledger.see_rows(pass, vec![gone, row("to mend", RowKind::Issue, mended)]).await.unwrap();
    ledger.finish_pass(pass, false).await.unwrap();
    assert_eq!(ledger.propose_removals().await.unwrap(), 2);
    let found = Found {
        class: Class::UnknownToUs,
        thing: "Encounter/asing".to_owned(),
        entry: None,
        puskesmas: "Puskesmas Utara".to_owned(),
        posyandu: "UTR-01".to_owned(),
        service_date: DAY,
        cause: Cause::Foreign,
        evidence: "Encounter".to_owned(),
    };
    let comparison =
        Comparison { looked: vec![found.thing.clone()], classes: vec![found.class], found: vec![found], closing: "x" };
    ledger.note_comparison(comparison).await.unwrap();
    let new_version = daemon.version(&daemon.register().await.unwrap()).unwrap();
    ledger.make_plan(NewPlan { new_version, ..NewPlan::default() }).await.unwrap();
    close(daemon).await;
}

fn state(town: &Town, visit: i64) -> Option<String> {
    let listed = town.gateway(&["issues", "--format", "json"]).json();
    let all = listed["issues"].as_array().unwrap();
    let own = all.iter().find(|one| one["visit"] == visit);
    own.map(|one| one["state"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_decision_is_once_and_in_the_audit_trail() {
    let town = Town::ready("127.0.0.1:9");
    fill(&town).await;
    let commands: [(&[&str], &str, &str, &str); 7] = [
        (&["retry", "2"], "retry", "visit 2", "visits"),
        (&["waive", "3"], "waive", "visit 3", "visits"),
        (&["removals", "confirm", "1"], "confirm_removal", "removal 1", "removals"),
        (&["removals", "reject", "2"], "reject_removal", "removal 2", "removals"),
        (&["lanes", "release", "Puskesmas Utara"], "release_lane", "lane Puskesmas Utara", "visits"),
        (&["discrepancies", "waive", "1"], "waive_discrepancy", "discrepancy 1", "waived"),
        (&["mapping", "approve", "1"], "approve_plan", "plan 1", "visits"),
    ];
    let mut expected = Vec::new();
    for (at, (command, action, subject, counted)) in commands.into_iter().enumerate() {
        let (id, reason) = (format!("p-{at}"), format!("alasan {at}"));
        let said = ["--reason", &reason, "--command-id", &id, "--format", "json"];
        let told: Vec<Value> = [1, 2].map(|_| town.gateway(&[command, &said].concat()).json()).to_vec();
        assert_eq!(told[0], told[1], "{command:?}: twice is once");
        assert_eq!(told[0]["command_id"], id.as_str(), "{command:?}");
        assert!(told[0].get(counted).is_some(), "{}", told[0]);
        let without = town.gateway(&[command, &["--reason", " "]].concat());
        without.only_sentence(2, &["--reason"]);
        let line = (action.to_owned(), subject.to_owned(), Some(id), Some(reason));
        expected.extend([line.clone(), line]);
    }
    assert_eq!(trail(&town).await, expected, "what was asked for twice is told twice, and done once");
    // The id of another decision is refused, and so is what nobody can decide.
    let other = ["waive", "2", "--reason", "x", "--command-id", "p-0"];
    town.gateway(&other).only_sentence(2, &["command"]);
    for (command, word) in [
        (&["removals", "confirm", "99", "--reason", "x"][..], "99"),
        (&["discrepancies", "waive", "99", "--reason", "x"], "99"),
        (&["mapping", "approve", "99", "--reason", "x"], "99"),
        (&["lanes", "release", "Puskesmas Antah", "--reason", "x"], "Antah"),
        (&["retry", "99", "--reason", "x"], "99"),
    ] {
        town.gateway(command).only_sentence(2, &[word]);
    }
    let subjects: Vec<String> = trail(&town).await.into_iter().skip(expected.len()).map(|line| line.1).collect();
    assert_eq!(subjects, ["visit 2", "visit 99"], "what is not there is refused before it is written down");
}

/// Whoever holds a certificate that is trusted beside the public ones can read what is sent (faults, row 29).
#[tokio::test]
async fn an_authority_that_is_trusted_is_in_the_audit_trail_once_for_each_change() {
    let town = Town::ready("127.0.0.1:9");
    for (name, file) in [("tls.lan", "a.pem"), ("proxy.lan", "b.pem")] {
        town.write(file, &rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem());
    }
    let subject = |file: &str| format!("sha256 {}", HEXLOWER.encode(&Sha256::digest(town.read(file))));
    // Any command that opens the ledger to send; this one ends before it would.
    let open = |file: &str| {
        let told = town.with("SATUSEHAT__EXTRA_CA_FILE", file, &["forget", "99"]);
        assert_eq!(told.code, Some(2), "{}", told.err);
    };
    let mut expected = Vec::new();
    for (file, action, of) in [
        ("", None, ""),
        ("a.pem", Some("trust_extra_ca"), "a.pem"),
        ("b.pem", Some("trust_extra_ca"), "b.pem"),
        ("absent.pem", None, ""),
        ("", Some("distrust_extra_ca"), "b.pem"),
        ("a.pem", Some("trust_extra_ca"), "a.pem"),
    ] {
        open(file);
        open(file);
        expected.extend(action.map(|action| (action.to_owned(), subject(of))));
        let daemon = daemon(&town).await;
        let mut lines = daemon.ledger.audit_trail(None, 100).await.unwrap();
        close(daemon).await;
        lines.reverse();
        assert!(lines.iter().all(|line| (line.account.as_str(), line.role.as_str()) == ("-", "config")));
        let told: Vec<_> = lines.into_iter().map(|line| (line.action, line.subject)).collect();
        assert_eq!(told, expected, "with {file:?}");
    }
}

#[tokio::test]
async fn what_waits_for_a_person_is_listed_and_leaves_the_list_when_it_is_decided() {
    let town = Town::ready("127.0.0.1:9");
    let none = town.gateway(&["issues"]);
    assert_eq!(none.code, Some(0), "{}", none.out);
    fill(&town).await;
    let listed = |more: &[&str]| {
        let told = town.gateway(&[&["issues", "--format", "json"], more].concat());
        let all = told.json()["issues"].as_array().unwrap().clone();
        assert_eq!(told.code, Some(i32::from(!all.is_empty())));
        all
    };
    let all = listed(&[]);
    assert_eq!(all.len(), 3, "{all:?}");
    let kader = listed(&["--actor", "kader"]);
    assert_eq!(kader.len(), 1);
    assert_eq!(
        (&kader[0]["rule"], &kader[0]["file"], &kader[0]["row"]),
        (&"posyandu.unknown".into(), &"a.csv".into(), &"9".into())
    );
    assert_eq!(listed(&["--rule", "posyandu.unknown"]), kader);
    for nobody in [["--date", "2026-11-17"], ["--puskesmas", "Puskesmas Tengah"], ["--posyandu", "UTR-03"]] {
        assert!(listed(&nobody).is_empty(), "{nobody:?}");
    }
    let first = town.gateway(&["issues", "--limit", "1", "--format", "json"]).json();
    assert_eq!((first["issues"].as_array().unwrap().len(), &first["more"]), (1, &true.into()));
    let unknown = town.gateway(&["issues", "--actor", "lurah"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("kader, puskesmas, mapping, platform"), "{}", unknown.err);

    assert_eq!(state(&town, 2).as_deref(), Some("refused"));
    let waived = town.gateway(&["waive", "2", "3", "--reason", "di luar wilayah"]);
    assert_eq!(waived.code, Some(0), "{}", waived.err);
    assert_eq!((state(&town, 2), state(&town, 3)), (None, None));
    assert_eq!(town.counts()["waived"], 2);
    // `retry` undoes it; what is on its way cannot be tried again.
    assert_eq!(town.gateway(&["retry", "2", "--reason", "keliru"]).code, Some(0));
    assert_eq!((&town.counts()["waived"], &town.counts()["pending"]), (&1.into(), &1.into()));
    town.gateway(&["retry", "2", "--reason", "lagi"]).only_sentence(2, &["pending"]);
}

#[test]
fn accounts_are_made_with_a_code_and_closed() {
    let town = Town::ready("127.0.0.1:9");
    let account = |more: &[&str]| town.gateway(&[&["account"], more, &["--format", "json"]].concat());
    let added = account(&["add", "sari", "--role", "puskesmas", "--of", "Puskesmas Utara"]).json();
    let code = added["code"].as_str().unwrap().to_owned();
    assert!(code.len() >= 16, "a code that nobody guesses");
    let listed = || account(&["list"]).json()["accounts"].as_array().unwrap().clone();
    let known = |told: &[Value]| {
        let one = &told[0];
        assert_eq!(
            (&one["name"], &one["role"], &one["puskesmas"]),
            (&"sari".into(), &"puskesmas".into(), &"Puskesmas Utara".into())
        );
        (one["has_password"].as_bool().unwrap(), one["closed_at"].is_null())
    };
    assert_eq!(known(&listed()), (false, true));
    assert!(!account(&["list"]).out.contains(&code), "a code is shown once");
    let again = account(&["code", "sari"]).json();
    assert_ne!(again["code"], code.as_str());
    assert_eq!(account(&["close", "sari"]).code, Some(0));
    assert_eq!(known(&listed()), (false, false));
    assert_eq!(account(&["open", "sari"]).code, Some(0));
    assert_eq!(known(&listed()), (false, true));
    for (wrong, word) in [
        (&["add", "sari", "--role", "dinkes"][..], "account list"),
        (&["add", "dewi", "--role", "kader", "--of", "Puskesmas Utara"], "--posyandu"),
        (&["add", "dina", "--role", "dinkes", "--of", "Puskesmas Utara"], "neither"),
        (&["add", "tono", "--role", "puskesmas", "--of", "Puskesmas Antah"], "--of"),
        (&["close", "nobody"], "account list"),
    ] {
        account(wrong).only_sentence(2, &[word]);
    }
    assert_eq!(listed().len(), 1);
}

#[tokio::test]
async fn whom_a_row_is_about_is_answered_once_and_taken_back_and_nobody_is_named() {
    let town = Town::ready("127.0.0.1:9");
    let none = town.gateway(&["persons"]);
    assert_eq!(none.code, Some(0), "{}", none.out);
    let filled = daemon(&town).await;
    questions(&filled.ledger).await;
    close(filled).await;
    let listed = |more: &[&str]| {
        let told = town.gateway(&[&["persons", "--format", "json"], more].concat());
        let text = town.gateway(&[&["persons"], more].concat());
        for secret in [NAME, NIK, NAME_ELSEWHERE] {
            assert!(!told.out.contains(secret) && !text.out.contains(secret), "{}", text.out);
        }
        let numbers: Vec<i64> =
            told.json()["questions"].as_array().unwrap().iter().map(|one| one["number"].as_i64().unwrap()).collect();
        (told.code, numbers)
    };
    assert_eq!(listed(&[]), (Some(1), vec![2, 1]));
    assert_eq!(listed(&["--puskesmas", "Puskesmas Utara"]), (Some(1), vec![1]));
    let answer = |command: &[&str], id: &str| {
        let said = ["--reason", "dilihat di KK", "--command-id", id, "--format", "json"];
        town.gateway(&[&["persons"], command, &said].concat())
    };
    for _ in 0..2 {
        let told = answer(&["same", "1", "--person", "2"], "p-1").json();
        assert_eq!((&told["question"], &told["person"], &told["command_id"]), (&1.into(), &2.into(), &"p-1".into()));
    }
    assert_eq!((listed(&[]), listed(&["--answered"])), ((Some(1), vec![2]), (Some(0), vec![1])));
    answer(&["other", "1"], "p-1").only_sentence(2, &["command"]);
    answer(&["other", "2"], "p-2").only_sentence(2, &["question 2", "corrected"]);
    answer(&["same", "2", "--person", "1"], "p-3").only_sentence(2, &["question 2"]);
    answer(&["other", "99"], "p-4").only_sentence(2, &["no question 99"]);
    assert_eq!(answer(&["undo", "1"], "p-5").json()["person"], Value::Null);
    answer(&["undo", "1"], "p-6").only_sentence(2, &["question 1"]);
    assert_eq!(listed(&[]), (Some(1), vec![2, 1]));
    let subjects: Vec<String> = trail(&town).await.into_iter().map(|line| format!("{} {}", line.0, line.1)).collect();
    assert_eq!(subjects[0], "match_person question 1/2");
    assert!(subjects.contains(&"reopen_person question 1".to_owned()), "{subjects:?}");
}
