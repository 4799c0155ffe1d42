//! Mistakes in the configuration: each is told in one sentence with its place and the way out, and changes nothing.

use super::town::{CONFIG, Town};
use crate::city::files;

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_name() {
    let town = Town::alone();
    town.edit(CONFIG, "auth_url", "auth_ulr");
    for arguments in [&["check"] as &[&str], &["run", "--once"], &["status"], &["mapping", "list"], &["reconcile"]] {
        town.gateway(arguments)
            .only_sentence(2, &["posyandu-gateway.toml:6:1:", "`auth_ulr`", "did you mean `auth_url`"]);
    }
    let doctor = town.gateway(&["doctor", "--offline", "--format", "json"]);
    assert_eq!(doctor.code, Some(2));
    assert!(doctor.json()["findings"][0]["text"].as_str().unwrap().contains("did you mean `auth_url`"));
}

#[test]
fn a_wrong_type_an_unknown_value_and_broken_syntax_are_told_with_their_place() {
    let town = Town::alone();
    let whole = town.read(CONFIG);
    for (old, new, words) in [
        (
            "requests_per_minute = 60000",
            "requests_per_minute = \"fast\"",
            &[":29:23:", "`requests_per_minute`", "whole number"] as &[&str],
        ),
        ("environment = \"custom\"", "environment = \"custon\"", &[":5:15:", "`custon`", "did you mean `custom`"]),
        ("timezone = \"WITA\"", "timezone = \"CET\"", &["posyandu-gateway.toml:36:12:", "CET"]),
        ("[satusehat]", "[satusehat", &["posyandu-gateway.toml:4:"]),
        (
            "name = \"utara\"\nprofile = \"eppgbm_ekspor\"",
            "name = \"utara\"\nprofile = \"epgbm_ekspor\"",
            &["`utara`", "did you mean `eppgbm_ekspor`"],
        ),
        ("puskesmas = \"Puskesmas Utara\"", "puskesmas = \"Puskesmas Utarra\"", &["did you mean `Puskesmas Utara`"]),
        ("name = \"tengah\"", "name = \"utara\"", &["two sources", "`utara`"]),
        ("\"diagnosis_balita", "\"diagnosa_balita", &["accept_guesses", "did you mean"]),
    ] {
        town.write(CONFIG, &whole.replacen(old, new, 1));
        assert_ne!(town.read(CONFIG), whole, "{old}");
        town.gateway(&["check"]).only_sentence(2, words);
    }
}

#[test]
fn a_wrong_variable_of_the_environment_is_named() {
    let town = Town::alone();
    for (name, value, words) in [
        (
            "DELIVERY__CONCURENCY",
            "3",
            &["POSYANDU_GATEWAY__DELIVERY__CONCURENCY", "did you mean `concurrency`"] as &[&str],
        ),
        ("DELIVRY__CONCURRENCY", "3", &["POSYANDU_GATEWAY__DELIVRY__CONCURRENCY", "did you mean `delivery`"]),
        ("DELIVERY__CONCURRENCY", "many", &["POSYANDU_GATEWAY__DELIVERY__CONCURRENCY", "whole number"]),
        ("PUSKESMAS__CLIENT_ID", "x", &["POSYANDU_GATEWAY__PUSKESMAS__CLIENT_ID", "change it in the file"]),
    ] {
        town.with(name, value, &["check"]).only_sentence(2, words);
    }
    let two = |command: &mut std::process::Command| super::town::Told::of(command);
    let mut command = town.command(&["check"]);
    command.env("POSYANDU_GATEWAY__DELIVERY__CONCURRENCY", "3").env("POSYANDU_GATEWAY__DELIVERY__SPEED", "3");
    let told = two(&mut command);
    told.only_sentence(2, &["POSYANDU_GATEWAY__DELIVERY__SPEED"]);
    assert!(!told.err.contains("CONCURRENCY:"), "the right one was named too: {}", told.err);
}

#[test]
fn without_a_configuration_or_keys_the_advice_is_init() {
    let town = Town::alone();
    for arguments in [&["check"] as &[&str], &["run", "--once"], &["status"], &["report"], &["reconcile"]] {
        let mut other = vec!["--config", "not-there.toml"];
        other.extend(arguments);
        town.gateway(&other).only_sentence(2, &["not-there.toml", "posyandu-gateway init"]);
    }
    for arguments in [&["run", "--once"] as &[&str], &["status"], &["report"], &["reconcile"]] {
        town.gateway(arguments).only_sentence(2, &["posyandu-data/keys/site.key", "posyandu-gateway init"]);
    }
    assert!(!town.path("posyandu-data").exists(), "something was made");
}

#[test]
fn a_missing_or_empty_secret_stops_before_anything_is_read() {
    let town = Town::ready(&super::town::free_address());
    std::fs::remove_file(town.path("rahasia-timur.txt")).unwrap();
    town.gateway(&["run", "--once"])
        .only_sentence(2, &["Puskesmas Timur", "rahasia-timur.txt", "nothing is read or sent"]);
    let doctor = town.gateway(&["doctor", "--offline"]);
    assert_eq!(doctor.code, Some(2));
    assert!(doctor.out.lines().any(|line| line.starts_with("PROBLEM") && line.contains("rahasia-timur.txt")));
    town.write("rahasia-timur.txt", " \n");
    town.gateway(&["run", "--once"]).only_sentence(2, &["Puskesmas Timur", "rahasia-timur.txt is empty"]);
    assert_eq!(town.counts()["read"], 0);
}

#[test]
fn init_keeps_what_exists_and_says_where_it_cannot_write() {
    let town = Town::ready(&super::town::free_address());
    let before = files(town.folder.path());
    let again = town.gateway(&["init"]);
    assert_eq!((again.code, again.out.as_str()), (Some(0), ""));
    assert_eq!(again.err.lines().filter(|line| line.starts_with("kept: ")).count(), 3, "{}", again.err);
    let same = |name: &str| files(town.folder.path()).get(&town.path(name)) == before.get(&town.path(name));
    assert!(same(CONFIG) && same("posyandu-data/keys/site.key") && same("posyandu-data/ledger.sqlite"));
    town.write("a-file", "");
    town.gateway(&["--data-dir", "a-file", "init"]).only_sentence(2, &["a-file", "--data-dir"]);
    town.gateway(&["--config", "a-file/x.toml", "init"]).only_sentence(2, &["a-file/x.toml", "--config"]);
    town.gateway(&["--config", "no-folder/x.toml", "init"]).only_sentence(2, &["no-folder/x.toml", "--config"]);
    town.gateway(&["--data-dir", "/proc/no-folder", "init"]).only_sentence(2, &["/proc/no-folder", "--data-dir"]);
}

#[test]
fn init_in_an_empty_folder_leads_to_commands_that_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let town = Town { folder };
    assert_eq!(town.gateway(&["init"]).code, Some(0));
    assert_eq!(town.gateway(&["status"]).code, Some(0));
    for command in [&["check"][..], &["run", "--once"]] {
        let output = town.gateway(command);
        assert_eq!(output.code, Some(2), "{}", output.err);
        assert!(output.err.contains("no [[source]] is configured"), "{}", output.err);
    }
}
