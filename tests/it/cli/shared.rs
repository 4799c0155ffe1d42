//! A city whose ledger lies on PostgreSQL: every command works there, two daemons at once send nothing twice, and a
//! server that cannot be used is told in one sentence.

use crate::city::conserved;
use crate::servers::{self, OWNER, PASSWORD};

use super::town::{CONFIG, Satusehat, Town, free_address};

/// A town with its ledger in this database; unknown outcomes are looked up at once.
fn town(address: &str, url: &str) -> Town {
    let town = Town::at(address);
    town.write("sandi.txt", &format!("{PASSWORD}\n"));
    let ledger = format!("[ledger]\nurl = \"{url}\"\npassword_file = \"sandi.txt\"\n");
    let delivery = "[delivery]\nprobe_after_seconds = [1, 1, 1]\n";
    town.edit(CONFIG, "[mapping]", &format!("{ledger}\n{delivery}\n[mapping]"));
    town
}

fn new_database() -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(servers::postgres().database(""));
    format!("postgres://{OWNER}@127.0.0.1:{}/{}", database.server.port, database.name)
}

#[test]
fn a_city_on_postgresql_is_sent_by_two_daemons_at_once_and_reported() {
    let server = Satusehat::start(&[]);
    let town = town(&server.address, &new_database());
    let told = town.gateway(&["init"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("ready: 127.0.0.1:"), "{}", told.err);
    assert!(!town.path("posyandu-data/ledger.sqlite").exists());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let told = town.gateway(&["run", "--once", "--format", "json"]);
                assert_eq!(told.code, Some(1), "{}", told.err);
                conserved(&told.json()["counts"]);
            });
        }
    });
    // What one left because the other was at it is done by a third.
    assert_eq!(town.gateway(&["run", "--once", "--format", "json"]).code, Some(1));
    let counts = town.counts();
    for word in ["pending", "in_flight", "unknown", "refused", "exhausted"] {
        assert_eq!(counts[word], 0, "{counts}");
    }
    assert_eq!(counts["read"], 575, "this many rows of the sample city");
    let stats = server.stats();
    assert_eq!((&stats["duplicates_live"], &stats["updates"]), (&0.into(), &0.into()), "{stats}");
    let reconciled = town.gateway(&["reconcile", "--format", "json"]);
    assert_eq!(reconciled.code, Some(0), "{}", reconciled.err);
    assert_eq!(reconciled.json()["equal"], stats["creates"], "the server holds what the ledger does not know");
    for arguments in [&["verify"][..], &["backup", "salinan"], &["restore", "salinan"]] {
        let told = town.gateway(&[&["ledger"], arguments].concat());
        told.one_sentence(2, &["ledger 127.0.0.1:", "on a PostgreSQL server", "pg_dump"]);
    }
    for arguments in [&["report", "--date", "2026-11-18", "--format", "json"][..], &["doctor", "--format", "json"]] {
        let told = town.gateway(arguments);
        assert!(matches!(told.code, Some(0 | 1)), "{arguments:?}: {}", told.err);
        assert!(!told.out.contains(PASSWORD) && !told.err.contains(PASSWORD));
    }
}

#[test]
fn a_database_server_that_cannot_be_used_is_told() {
    let nobody = free_address();
    let town = town(&nobody, &format!("postgres://{OWNER}@{nobody}/buku"));
    town.gateway(&["init"]);
    for arguments in [&["status"][..], &["run", "--once"]] {
        let told = town.gateway(arguments);
        told.one_sentence(3, &["the ledger's database", &nobody, "cannot be reached", "password_file"]);
    }
    let url = new_database();
    let town = self::town(&nobody, &url);
    town.write("sandi.txt", "salah-ketik-42\n");
    town.gateway(&["init"]);
    let told = town.gateway(&["status"]);
    told.one_sentence(3, &["password authentication failed", "password_file"]);
    assert!(!told.err.contains("salah-ketik-42"), "{}", told.err);
    town.edit(CONFIG, "postgres://", "oracle://");
    town.gateway(&["status"]).one_sentence(2, &["[ledger] url", "oracle"]);
}
