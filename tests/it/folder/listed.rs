//! What the commands say about dropped files, through the real binary.

use std::process::Command;
use std::sync::Arc;

use posyandu_gateway::clock::Zone;
use posyandu_gateway::ledger::Ledger;
use serde_json::Value;

use super::Town;

/// Runs a command on the town's configuration.
fn gateway(town: &Town, arguments: &[&str]) -> (Option<i32>, String) {
    let config = town.office.folder.path().join("posyandu-gateway.toml");
    let program = env!("CARGO_BIN_EXE_posyandu-gateway");
    let told = Command::new(program).args(arguments).arg("--config").arg(config).output().unwrap();
    (told.status.code(), String::from_utf8(told.stdout).unwrap())
}

fn listed(town: &Town) -> Vec<Value> {
    let (code, out) = gateway(town, &["source", "files", "--format", "json"]);
    assert_eq!(code, Some(0), "{out}");
    let whole: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(whole["folders"][0]["source"], "utara");
    whole["folders"][0]["files"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_listed_with_their_outcome_and_let_through_by_command() {
    let mut town = Town::new().await;
    town.drop_old("a.csv", &town.export);
    town.round().await;
    let few: Vec<u8> = town.export.split_inclusive(|byte| *byte == b'\n').take(50).collect::<Vec<_>>().concat();
    town.drop("a.csv", &few, std::time::Duration::from_secs(60));
    town.drop_old("lain.csv", b"judul;lain\n1;2\n");
    std::os::unix::fs::symlink("a.csv", town.masuk().join("pintas.csv")).unwrap();
    town.round().await;
    std::fs::remove_file(town.masuk().join("a.csv")).unwrap();
    std::fs::remove_file(town.masuk().join("lain.csv")).unwrap();
    let files = listed(&town);
    let of = |name: &str| files.iter().find(|file| file["file"] == name).unwrap();
    assert_eq!((&of("a.csv")["outcome"], &of("a.csv")["rule"]), (&"waiting".into(), &"folder.fewer_rows".into()));
    assert_eq!((&of("a.csv")["in_folder"], &of("lain.csv")["outcome"]), (&false.into(), &"refused".into()));
    assert_eq!((&of("pintas.csv")["in_folder"], &of("pintas.csv")["rule"]), (&true.into(), &"folder.link".into()));
    let (_, text) = gateway(&town, &["source", "files"]);
    assert!(text.contains("source accept") && text.contains("pintasan"), "{text}");

    let (code, _) = gateway(&town, &["source", "accept", "a.csv"]);
    assert_eq!(code, Some(4), "the daemon holds the ledger");
    let (keys, clock) = (Arc::clone(&town.daemon.keys), town.daemon.clock.clone());
    let other = Ledger::in_memory(Zone::Wib, keys, clock).await.unwrap();
    let held = std::mem::replace(&mut town.daemon.ledger, Arc::new(other));
    Arc::into_inner(held).unwrap().close().await.unwrap();
    let (code, text) = gateway(&town, &["source", "accept", "a.csv"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(gateway(&town, &["source", "accept", "a.csv"]).0, Some(2), "nothing waits any more");
    let files = listed(&town);
    assert!(files.iter().any(|file| file["file"] == "a.csv" && file["outcome"] == "accepted"), "{files:?}");
}
