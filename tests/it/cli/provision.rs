//! `provision`: what would be created for the posyandu of the register, what is there, and that it pretends nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::town::Town;
use crate::city::files;

const COLUMNS: &str = ",alamat,telepon,lintang,bujur,alamat_puskesmas,telepon_puskesmas,kode_kelurahan_puskesmas";
const VALUES: &str = ",Balai RW 1,0211000001,-6.2,106.8,Jl. Contoh 1,0211000000,1001011002";

/// A city whose register lacks the ids of some posyandu: two of one puskesmas lack both, one its Location, one has
/// nothing to be registered with.
fn town() -> Town {
    let town = Town::alone();
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

#[test]
fn without_dry_run_it_says_that_it_creates_nothing() {
    let town = town();
    for (language, sentence) in [("id", "belum tersedia; tidak ada yang dibuat"), ("en", "nothing was created")] {
        let told = town.gateway(&["--lang", language, "provision"]);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""));
        assert!(told.err.contains(sentence), "{}", told.err);
    }
}
