//! Records that are taken: each with its outcome, its version and its issues, and counted like a row of a file.

use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use serde_json::{Value, json};

use super::counter::{Counter, NAME, OTHER_TOKEN, TOKEN, record};

fn rules(item: &Value) -> Vec<String> {
    let issues = item["issues"].as_array().unwrap();
    issues.iter().map(|issue| issue["rule"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_record_is_accepted_counted_and_told_again_as_unchanged() {
    let counter = Counter::open().await;
    let answer = counter.post(&record("anak-1", 1)).await;
    let first = answer.item();
    assert_eq!((&first["id"], &first["outcome"]), (&json!("anak-1"), &json!("accepted")), "{first}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.text.contains(NAME));
    let counts = counter.counts().await;
    assert_eq!((counts.read, counts.of(State::Pending)), (1, 1));
    let stored = counter.stored().await;
    assert!(stored.iter().any(|json| json.contains("\"bb\":14.2")), "{}", stored.len());

    let again = counter.post(&json!([record("anak-1", 1)])).await.item();
    assert_eq!((&again["outcome"], &again["version"]), (&json!("unchanged"), &first["version"]));
    assert_eq!(counter.counts().await.read, 1);

    let mut corrected = record("anak-1", 1);
    corrected["kunjungan_balita"]["bb"] = json!(14.4);
    let newer = counter.post(&corrected).await.item();
    assert_eq!(newer["outcome"], "accepted");
    assert_ne!(newer["version"], first["version"]);
    let counts = counter.counts().await;
    assert_eq!((counts.read, counts.of(State::Pending), counts.of(State::Superseded)), (1, 1, 0));
    assert!(counter.stored().await.iter().any(|json| json.contains("\"bb\":14.4")));
}

#[tokio::test]
async fn an_id_that_comes_twice_in_a_request_is_one_record_with_the_later_content() {
    let counter = Counter::open().await;
    let mut later = record("a", 1);
    later["kunjungan_balita"]["bb"] = json!(15.1);
    let items = counter.post(&json!([record("a", 1), later, later, record("b", 2)])).await.items();
    let outcomes: Vec<&str> = items.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["accepted", "accepted", "unchanged", "accepted"]);
    assert_eq!(counter.counts().await.read, 2);
    let stored = counter.stored().await;
    assert!(stored.iter().any(|json| json.contains("\"bb\":15.1")));
    assert_eq!(stored.iter().filter(|json| json.contains("\"bb\"")).count(), 2);
    assert_eq!(counter.post(&later).await.item()["outcome"], "unchanged");
}

#[tokio::test]
async fn lines_are_answered_by_lines_and_each_in_its_place() {
    let counter = Counter::open().await;
    let mut wrong = record("salah", 2);
    wrong["kunjungan_balita"]["bb"] = json!("berat");
    let body = format!("{}\n\n{wrong}\r\n{{\"id\": 7}}\nbukan json\n{}", record("a", 1), record("b", 3));
    let answer = counter.send(body, &[("content-type", "application/x-ndjson")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-ndjson"));
    let items: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<(&Value, &Value)> = items.iter().map(|item| (&item["id"], &item["outcome"])).collect();
    let expected = [
        (json!("a"), json!("accepted")),
        (json!("salah"), json!("issue")),
        (Value::Null, json!("issue")),
        (Value::Null, json!("issue")),
        (json!("b"), json!("accepted")),
    ];
    assert_eq!(told, expected.iter().map(|(id, outcome)| (id, outcome)).collect::<Vec<_>>());
    assert_eq!(items[1]["issues"][0]["field"], "/kunjungan_balita/bb");
    assert!(items[2].get("version").is_none(), "without an id nothing is kept");
    let counts = counter.counts().await;
    assert_eq!((counts.read, counts.issue, counts.of(State::Pending)), (3, 1, 2));
    // The other way round, as wished.
    let wish = [("content-type", "application/x-ndjson"), ("accept", "application/json")];
    let answer = counter.send(record("a", 1).to_string(), &wish).await;
    assert_eq!(answer.item()["outcome"], "unchanged");
}

#[tokio::test]
async fn a_problem_waits_for_its_correction_under_the_same_id() {
    let counter = Counter::open().await;
    let mut wrong = record("a", 1);
    wrong["sasaran"]["nik"] = json!("100101100323667");
    wrong["kunjungan_balita"]["bb"] = json!(900);
    for _ in 0..2 {
        let item = counter.post(&wrong).await.item();
        assert_eq!(item["outcome"], "issue");
        assert_eq!(rules(&item), ["nik.digits", "measure.without_point"], "{item}");
        assert_eq!(item["issues"][0]["field"], "/sasaran/nik");
        assert!(item["issues"][0]["message"].as_str().unwrap().contains("seharusnya 16"));
        let counts = counter.counts().await;
        assert_eq!((counts.read, counts.issue), (1, 1));
    }
    let open = counter.ledger.row_issues(&Filter::default(), false, 10).await.unwrap();
    assert_eq!((&*open[0].place.source, &*open[0].place.file), ("aplikasi-utara", "v1/records"));
    assert_eq!((open[0].place.row.as_str(), open[0].puskesmas.as_deref()), ("a", Some("Puskesmas Utara")));
    let english = counter.send(wrong.to_string(), &[("accept-language", "en")]).await;
    assert_eq!(english.header("content-language"), "en");
    assert!(english.item()["issues"][0]["message"].as_str().unwrap().contains("instead of 16"));

    assert_eq!(counter.post(&record("a", 1)).await.item()["outcome"], "accepted");
    let counts = counter.counts().await;
    assert_eq!((counts.read, counts.issue, counts.of(State::Pending)), (1, 0, 1));
}

#[tokio::test]
async fn a_withdrawn_record_no_longer_counts_until_it_is_sent_again() {
    let counter = Counter::open().await;
    counter.post(&record("a", 1)).await.item();
    for _ in 0..2 {
        assert_eq!(counter.post(&json!({"id": "a", "withdrawn": true})).await.item()["outcome"], "withdrawn");
        let counts = counter.counts().await;
        assert_eq!((counts.read, counts.skipped.get("withdrawn"), counts.of(State::Pending)), (1, Some(&1), 0));
        assert!(counter.stored().await.is_empty());
    }
    assert_eq!(counter.post(&record("a", 1)).await.item()["outcome"], "accepted");
    let counts = counter.counts().await;
    assert_eq!((counts.read, counts.of(State::Pending)), (1, 1));
}

#[tokio::test]
async fn a_sender_s_records_count_for_its_puskesmas_only_and_ids_are_its_own() {
    let counter = Counter::open().await;
    counter.post(&record("a", 1)).await.item();
    let token = format!("Bearer {OTHER_TOKEN}");
    let item = counter.send(record("a", 1).to_string(), &[("authorization", &token)]).await.item();
    assert_eq!(item["outcome"], "issue");
    let rule = &rules(&item)[0];
    assert!(rule.starts_with("posyandu.unknown"), "{rule}");
    assert_eq!(item["issues"][0]["field"], "/sasaran/posyandu");
    let counts = counter.counts().await;
    assert_eq!((counts.read, counts.issue, counts.of(State::Pending)), (2, 1, 1));
}

#[tokio::test]
async fn a_dose_comes_as_an_object_or_a_list_of_one_and_a_person_alone_is_known_but_no_visit() {
    let counter = Counter::open().await;
    let dose =
        json!({"tanggal": "2026-11-18", "antigen": "MR", "dosis_ke": 2, "status": "diberikan", "pelapor": "kader"});
    let mut one = record("a", 1);
    one["imunisasi"] = dose.clone();
    assert_eq!(counter.post(&one).await.item()["outcome"], "accepted");
    one["imunisasi"] = json!([dose]);
    assert_eq!(counter.post(&one).await.item()["outcome"], "unchanged");
    one["imunisasi"][0]["antigen"] = json!("Entah");
    let item = counter.post(&one).await.item();
    assert_eq!(item["issues"][0]["field"], "/imunisasi/0/antigen");
    one["imunisasi"] = json!([dose, dose]);
    assert_eq!(rules(&counter.post(&one).await.item()), ["intake.several"]);

    let mut alone = record("b", 2);
    alone.as_object_mut().unwrap().remove("kunjungan_balita");
    let item = counter.post(&alone).await.item();
    assert_eq!((rules(&item), &item["outcome"]), (Vec::new(), &json!("accepted")));
    assert_eq!(rules(&counter.post(&json!({"id": "c"})).await.item()), ["row.no_person"]);
}

/// Each case: what is changed in a sound e-PPGBM row, and the same in a record.
#[tokio::test]
async fn the_same_mistake_has_the_same_issues_in_a_file_and_in_a_record() {
    let cases: [(&str, &str, &str, Value); 8] = [
        ("NIK", "100101100323667", "/sasaran/nik", json!("100101100323667")),
        ("NIK", "", "/sasaran/nik", Value::Null),
        ("JK", "X", "/sasaran/jenis_kelamin", json!("X")),
        ("Tgl Lahir", "2027-01-01", "/sasaran/tanggal_lahir", json!("2027-01-01")),
        ("Posyandu", "Tak Dikenal", "/sasaran/posyandu", json!("Tak Dikenal")),
        ("Berat", "900", "/kunjungan_balita/bb", json!(900)),
        ("Berat", "14200", "/kunjungan_balita/bb", json!(14200)),
        ("Tanggal Pengukuran", "2026-12-24", "/kunjungan_balita/tanggal", json!("2026-12-24")),
    ];
    let header = ["NIK", "Nama", "JK", "Tgl Lahir", "Nama Ortu", "Posyandu", "Tanggal Pengukuran", "Berat", "Tinggi"];
    let sound = ["1001011003230001", NAME, "L", "2023-03-10", "-", "Melati 1", "2026-11-18", "14,2", "97,5"];
    for (column, cell, pointer, value) in cases {
        let counter = Counter::open().await;
        let mut sent = record("a", 1);
        sent["sasaran"].as_object_mut().unwrap().remove("nama_ibu");
        sent["kunjungan_balita"].as_object_mut().unwrap().remove("cara_ukur");
        *sent.pointer_mut(pointer).unwrap() = value;
        let mut from_record = rules(&counter.post(&sent).await.item());

        let mut row = sound;
        row[header.iter().position(|name| *name == column).unwrap()] = cell;
        let (mut header, mut row) = (header.to_vec(), row.to_vec());
        for name in ["Naik Berat Badan", "Jml Vit A"] {
            header.push(name);
            row.push("");
        }
        let path = counter.folder.path().join("ekspor.csv");
        std::fs::write(&path, format!("{}\n{}\n", header.join(";"), row.join(";"))).unwrap();
        let register = counter.source("posyandu_register", &crate::city::fixtures().join("posyandu.csv"), "");
        let source = counter.source("eppgbm_ekspor", &path, "Puskesmas Utara");
        let (register, _) = counter.ingest().register(&[register]).await.unwrap();
        let outcome = counter.ingest().source(&source, &register, &|_| {}).await.unwrap();
        assert!(outcome.problem.is_none(), "{:?}", outcome.problem);
        let all = counter.ledger.row_issues(&Filter::default(), true, 10).await.unwrap();
        let mut from_file: Vec<String> = all
            .iter()
            .filter(|row| &*row.place.file == "ekspor.csv")
            .flat_map(|row| &row.issues)
            .map(|issue| issue.rule.to_string())
            .collect();
        from_file.sort();
        from_record.sort();
        assert!(!from_file.is_empty(), "{column} {cell}");
        assert_eq!(from_record, from_file, "{column} {cell}");
    }
}

#[tokio::test]
async fn two_senders_at_once_and_a_round_beside_them_lose_nothing() {
    let counter = Counter::open().await;
    let mut asked = Vec::new();
    for index in 0..40_u32 {
        let token = format!("Bearer {}", if index % 2 == 0 { TOKEN } else { OTHER_TOKEN });
        let body = record(&format!("anak-{index}"), index).to_string();
        let counter = &counter;
        asked.push(async move { counter.send(body, &[("authorization", &token)]).await.item()["outcome"].clone() });
    }
    let pass = counter.ledger.begin_pass("berkas", "a.csv").await.unwrap();
    let mut outcomes = Vec::new();
    for one in asked {
        outcomes.push(one.await);
    }
    counter.ledger.finish_pass(pass, true).await.unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "accepted").count(), 20);
    assert_eq!(counter.counts().await.read, 40);
}
