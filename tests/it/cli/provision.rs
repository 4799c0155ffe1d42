//! `provision`: what would be created for the posyandu of the register, and that each place is created once.

use std::collections::BTreeSet;
use std::sync::Arc;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use posyandu_gateway::simulator::options::Options;
use posyandu_gateway::simulator::people::People;
use posyandu_gateway::simulator::{self, Simulator};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::town::{CONFIG, Town, free_address};
use crate::city::{files, fixtures};

const COLUMNS: &str = ",alamat,telepon,lintang,bujur,alamat_puskesmas,telepon_puskesmas,kode_kelurahan_puskesmas";
const VALUES: &str = ",Balai RW 1,0211000001,-6.2,106.8,Jl. Contoh 1,0211000000,1001011002";

/// A city whose register lacks the ids of some posyandu: two of one puskesmas lack both, one its Location, one has
/// nothing to be registered with.
fn town() -> Town {
    town_of(Town::alone())
}

fn town_of(town: Town) -> Town {
    let text = town.read("posyandu.csv");
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (organization, location) = (at("id_organisasi_satusehat"), at("id_lokasi_satusehat"));
    let mut lines = vec![format!("{}{COLUMNS}", header.join(","))];
    for line in text.lines().skip(1) {
        let mut cells: Vec<&str> = line.split(',').collect();
        let mut more = VALUES;
        match cells[0] {
            "UTR-01" | "UTR-02" => (cells[organization], cells[location]) = ("", ""),
            "TGH-01" => cells[location] = "",
            "TMR-01" => {
                (cells[organization], cells[location]) = ("", "");
                more = ",,,,,,,";
            }
            _ => {}
        }
        lines.push(format!("{}{more}", cells.join(",")));
    }
    town.write("posyandu.csv", &format!("{}\n", lines.join("\n")));
    town
}

#[test]
fn a_dry_run_shows_each_resource_once_and_changes_nothing() {
    let town = town();
    let before = files(town.folder.path());
    let told = town.gateway(&["provision", "--dry-run", "--format", "json"]);
    assert_eq!(told.code, Some(1), "one posyandu lacks what it is registered with: {}", told.err);
    let json = told.json();
    let posyandu = json["posyandu"].as_array().unwrap();
    let one = |code: &str| posyandu.iter().find(|one| one["code"] == code).unwrap();
    let would = |code: &str| -> Vec<String> {
        let list = one(code)["would_create"].as_array().unwrap();
        list.iter()
            .map(|one| format!("{} {}", one["resource_type"].as_str().unwrap(), one["value"].as_str().unwrap()))
            .collect()
    };
    for code in ["UTR-01", "UTR-02"] {
        let (own, place) = (format!("Organization {code}"), format!("Location {code}"));
        assert_eq!(would(code), ["Organization POKJA-UKM", "Organization DV-UKM-PSY", &own, &place]);
    }
    assert_eq!(would("TGH-01"), ["Location TGH-01"]);
    assert_eq!(one("TGH-01")["organization_is_puskesmas"], true);
    assert_eq!(one("TMR-01")["issues"][0]["rule"], "mapping.registration_place_incomplete");
    assert!(would("UTR-03").is_empty() && one("UTR-03")["location"].is_string());
    let count = |name: &str| json[name].as_u64().unwrap();
    assert_eq!((count("organizations"), count("locations"), count("ready"), count("lacking")), (4, 3, 3, 1));
    assert_eq!(count("there") + count("ready") + count("lacking"), posyandu.len() as u64);
    assert_eq!(files(town.folder.path()), before);

    let told = town.gateway(&["provision", "--dry-run", "--output", "tempat.ndjson"]);
    assert!(
        told.out.contains("Melati 1 (UTR-01): akan dibuat: Organization POKJA-UKM, Organization DV-UKM-PSY"),
        "{}",
        told.out
    );
    assert!(told.out.contains("Alamat posyandu"), "{}", told.out);
    let lines: Vec<Value> =
        town.read("tempat.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, *json["resources"].as_array().unwrap());
    let names: BTreeSet<String> = lines
        .iter()
        .map(|one| {
            let identifier = &one["identifier"][0];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            format!(
                "{}?identifier={}|{}",
                text(&one["resourceType"]),
                text(&identifier["system"]),
                text(&identifier["value"])
            )
        })
        .collect();
    assert_eq!(names.len(), lines.len(), "each stands once");
    for line in &lines {
        let parent =
            line["partOf"]["reference"].as_str().or(line["managingOrganization"]["reference"].as_str()).unwrap();
        assert!(
            names.contains(parent) || ["Organization/100000101", "Organization/100000102"].contains(&parent),
            "{parent}"
        );
    }
}

/// A SATUSEHAT with the sample's puskesmas, at an address of its own.
async fn server(faults: Vec<Fault>) -> (Arc<Simulator>, String) {
    let people = People::from_json(&std::fs::read_to_string(fixtures().join("simulator.json")).unwrap()).unwrap();
    let options = Options { open: true, duplicate_check: false, people, faults, ..Options::default() };
    let simulator = Arc::new(Simulator::new(options, Clock::System).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(simulator::run(listener, Arc::clone(&simulator), std::future::pending()));
    (simulator, address)
}

/// The same city at a server, with keys and an empty ledger.
fn town_at(address: &str) -> Town {
    let town = town_of(Town::at(address));
    let text = town.read(CONFIG);
    town.write(CONFIG, &format!("{text}\n[delivery]\nprobe_after_seconds = [0, 1]\n"));
    assert_eq!(town.gateway(&["init"]).code, Some(0));
    town
}

fn held(simulator: &Simulator, kind: &str) -> usize {
    simulator.stats().resources.get(kind).map_or(0, |number| usize::try_from(*number).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_place_is_created_once_however_often_and_from_whichever_ledger() {
    let (simulator, address) = server(Vec::new()).await;
    let town = town_at(&address);
    let register = town.read("posyandu.csv");
    let told = town.gateway(&["provision", "--format", "json", "--output", "nomor.csv"]);
    assert_eq!(told.code, Some(1), "one posyandu lacks what it is registered with: {}", told.err);
    assert_eq!(told.json()["totals"], json!({"adopted": 1, "created": 6, "known": 2}), "{}", told.out);
    assert_eq!((held(&simulator, "Organization"), held(&simulator, "Location")), (4, 2));
    assert_eq!(town.read("posyandu.csv"), register, "the register is the user's");

    let ids = town.read("nomor.csv");
    let line = |code: &str| ids.lines().find(|line| line.starts_with(code)).unwrap().to_owned();
    assert!(line("UTR-01").split(',').skip(3).all(|id| id.len() == 36), "{}", line("UTR-01"));
    assert!(line("TMR-01").ends_with(",,"), "{}", line("TMR-01"));

    let told = town.gateway(&["provision", "--format", "json", "--output", "lagi.csv"]);
    assert_eq!(told.json()["totals"], json!({"adopted": 0, "created": 0}), "{}", told.out);
    assert_eq!(town.read("lagi.csv"), ids);
    let told = town.gateway(&["provision"]);
    assert!(told.out.contains("punya kedua nomor; 0 dibuat dan 0 sudah ada"), "{}", told.out);

    let other = town_at(&address);
    let told = other.gateway(&["provision", "--format", "json", "--output", "nomor.csv"]);
    assert_eq!(told.json()["totals"], json!({"adopted": 7, "created": 0, "known": 2}), "{}", told.out);
    assert_eq!(other.read("nomor.csv"), ids);
    assert_eq!((held(&simulator, "Organization"), held(&simulator, "Location")), (4, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_looked_up_by_the_next_run_and_a_dead_server_is_the_other_side() {
    for kind in [FaultKind::DroppedAnswer, FaultKind::ServerErrorAfterCommit] {
        let (simulator, address) = server(vec![Fault::at_calls(kind, AppliesTo::Write, &[3])]).await;
        let town = town_at(&address);
        let told = town.gateway(&["--lang", "en", "provision"]);
        assert_eq!(told.code, Some(1), "{}", told.err);
        assert!(told.out.contains("give the command again in a few minutes"), "{}", told.out);
        town.gateway(&["provision"]);
        assert_eq!((held(&simulator, "Organization"), held(&simulator, "Location")), (4, 2), "{}", kind.name());
    }
    let town = town_at(&free_address());
    let told = town.gateway(&["provision"]);
    assert_eq!(told.code, Some(3), "{}", told.out);
}
