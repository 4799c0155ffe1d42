//! Sources that cannot be read: named in a sentence for the field, while the others go on.

use super::town::{Satusehat, Town};
use crate::city::conserved;

const UTARA: &str = "puskesmas-utara-eppgbm.csv";
const REGISTER: &str = "posyandu.csv";

/// Ways in which a file can be wrong, and what is said then.
fn spoil(town: &Town, way: &str) -> Vec<&'static str> {
    let path = town.path(UTARA);
    let text = town.read(UTARA);
    std::fs::remove_file(&path).unwrap();
    match way {
        "missing" => {}
        "a folder" => std::fs::create_dir(&path).unwrap(),
        "half a workbook" => std::fs::write(&path, b"PK\x03\x04 and so on").unwrap(),
        "a database" => {
            std::fs::write(&path, std::fs::read(town.path("puskesmas-timur-aplikasi.sqlite")).unwrap()).unwrap()
        }
        _ => std::fs::write(&path, text.replacen("NIK", "N1K", 1)).unwrap(),
    }
    match way {
        "missing" | "a folder" => vec!["tidak dapat dibuka"],
        "half a workbook" => vec!["rusak"],
        "a database" => vec!["CSV"],
        _ => vec!["NIK"],
    }
}

#[test]
fn an_unreadable_source_is_named_and_the_others_go_on() {
    for way in ["missing", "a folder", "half a workbook", "a database", "without its column"] {
        let town = Town::alone();
        let mut words = vec!["Sumber utara", UTARA, "Sumber lain tetap dibaca"];
        words.extend(spoil(&town, way));
        let check = town.gateway(&["check", "--format", "json"]);
        check.one_sentence(2, &words);
        let report = check.json();
        conserved(&report["counts"]);
        assert!(report["counts"]["pending"].as_u64().unwrap() > 200, "{way}: {}", report["counts"]);
        let problem = report["sources"].as_array().unwrap().iter().find(|source| source["source"] == "utara").unwrap();
        assert!(problem["problem"].as_str().unwrap().contains(UTARA), "{way}");
    }
}

#[test]
fn a_source_that_is_gone_for_a_while_loses_nothing() {
    let server = Satusehat::start(&[]);
    let town = Town::ready(&server.address);
    std::fs::rename(town.path(UTARA), town.path("away.csv")).unwrap();
    let first = town.gateway(&["run", "--once", "--format", "json"]);
    first.one_sentence(2, &["Sumber utara", UTARA, "tidak dapat dibuka"]);
    conserved(&first.json()["counts"]);
    let sent = first.json()["counts"]["delivered"].as_u64().unwrap();
    assert!(sent > 200, "the other sources did not go on: {sent}");
    std::fs::rename(town.path("away.csv"), town.path(UTARA)).unwrap();
    let second = town.gateway(&["run", "--once", "--format", "json"]);
    assert_eq!(second.code, Some(1), "{}", second.err);
    assert!(second.json()["counts"]["delivered"].as_u64().unwrap() > sent + 100);
    assert_eq!(server.stats()["duplicates_live"], 0);
}

#[test]
fn without_the_register_the_other_sources_wait_instead_of_turning_into_issues() {
    let town = Town::ready(&super::town::free_address());
    assert_eq!(town.gateway(&["run", "--once"]).code, Some(3));
    let before = town.counts();
    std::fs::rename(town.path(REGISTER), town.path("away.csv")).unwrap();
    for arguments in [&["run", "--once", "--format", "json"] as &[&str], &["check", "--format", "json"]] {
        let told = town.gateway(arguments);
        assert_eq!(told.code, Some(2));
        conserved(&told.json()["counts"]);
        let line = told.err.lines().find(|line| line.starts_with("Sumber ")).unwrap();
        assert!(
            line.contains(REGISTER) && line.contains("belum dibaca") && line.contains("tidak ada data yang hilang"),
            "{line}"
        );
    }
    assert_eq!(town.counts(), before);
    std::fs::rename(town.path("away.csv"), town.path(REGISTER)).unwrap();
    assert_eq!(town.gateway(&["run", "--once"]).code, Some(3));
    assert_eq!(town.counts(), before);
}
