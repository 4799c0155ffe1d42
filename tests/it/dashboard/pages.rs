//! Discrepancies, sealed days, reports, rows that fit several persons and removals: each role sees its own part, names
//! take a reason, and a decision is one however often it is sent.

use posyandu_gateway::ledger::account::{Reach, Role};
use posyandu_gateway::ledger::removal::RemovalState;
use serde_json::Value;

use super::more::NAME_ELSEWHERE;
use super::site::{NAME, NIK, Site, reach, reach_of};

const NORTH: &str = "Puskesmas Utara";

async fn decide(site: &Site, cookie: &str, what: &str, about: &str, command: &str) -> u16 {
    let fields = [("apa", what), ("tentang", about), ("perintah", command), ("alasan", "sudah dibicarakan")];
    site.post("/keputusan", &fields, cookie).await.status.as_u16()
}

/// Action and subject of what was decided, the oldest first.
async fn decided(site: &Site) -> Vec<(String, String)> {
    let mut lines = site.ledger.audit_trail(None, 100).await.unwrap();
    lines.retain(|line| line.command.is_some());
    lines.reverse();
    lines.into_iter().map(|line| (line.action, line.subject)).collect()
}

#[tokio::test]
async fn discrepancies_are_seen_within_the_reach_of_the_account_and_an_auditor_sees_counts() {
    let site = Site::open().await.more().await;
    let dinkes = site.log_in("dina", Role::Dinkes, reach("", "")).await;
    let north = site.log_in("sari", Role::Puskesmas, reach(NORTH, "")).await;
    let kader = site.log_in("dewi", Role::Kader, reach(NORTH, "UTR-02")).await;
    let auditor = site.log_in("budi", Role::Auditor, reach("", "")).await;
    let listed = |text: &str| text.matches("Encounter/").count();
    for (cookie, own, query) in [
        (&dinkes, 2, ""),
        (&dinkes, 1, "?kelas=unknown_to_us"),
        (&dinkes, 1, "?siapa=platform"),
        (&dinkes, 0, "?siapa=kader"),
        (&dinkes, 1, "?puskesmas=Puskesmas%20Tengah"),
        (&dinkes, 2, "?umur=3"),
        (&dinkes, 0, "?umur=7"),
        (&dinkes, 0, "?keadaan=waived"),
        (&dinkes, 1, "?sesudah=1794990600000.1"),
        (&north, 1, "?puskesmas=Puskesmas%20Tengah"),
        (&kader, 0, "?posyandu=UTR-01"),
        (&auditor, 0, ""),
    ] {
        let text = site.get(&format!("/selisih{query}"), cookie).await.text;
        assert_eq!(listed(&text), own, "{query}");
    }
    let counts = site.get("/selisih", &auditor).await.text;
    assert!(counts.contains("isi di SATUSEHAT berbeda") || counts.contains("selisih"), "{counts}");
    assert!(!counts.contains("/kunjungan/") && !counts.contains("name=\"alasan\""), "counts only");
    let story = site.get("/kunjungan/1", &north).await.text;
    assert!(story.contains("Encounter/id-0") && story.contains("waive_discrepancy"), "a visit tells of its own");

    assert_eq!(decide(&site, &kader, "waive_discrepancy", "1", "p-1").await, 403);
    assert_eq!(decide(&site, &north, "waive_discrepancy", "2", "p-1").await, 404, "another puskesmas'");
    for _ in 0..2 {
        assert_eq!(decide(&site, &north, "waive_discrepancy", "1", "p-1").await, 303);
    }
    assert_eq!(decide(&site, &dinkes, "waive_discrepancy", "2", "p-1").await, 422, "the id brought another decision");
    assert_eq!(decide(&site, &north, "waive_discrepancy", "1", "p-2").await, 422, "it is accepted already");
    assert_eq!(listed(&site.get("/selisih", &north).await.text), 0);
    let waived = site.get("/selisih?keadaan=waived", &north).await.text;
    assert!(listed(&waived) == 1 && waived.contains("sudah dibicarakan"), "{waived}");
    let line = ("waive_discrepancy".to_owned(), "discrepancy 1".to_owned());
    assert_eq!(decided(&site).await.into_iter().filter(|one| *one == line).count(), 3);
}

#[tokio::test]
async fn sealed_days_are_shown_with_their_amendments_and_taken_away_by_whose_they_are() {
    let site = Site::open().await.more().await;
    let dinkes = site.log_in("dina", Role::Dinkes, reach("", "")).await;
    let north = site.log_in("sari", Role::Puskesmas, reach(NORTH, "")).await;
    let kader = site.log_in("dewi", Role::Kader, reach_of(Role::Kader)).await;
    let all = site.get("/segel?dari=2026-11-01&sampai=2026-11-30", &dinkes).await.text;
    assert_eq!((all.matches("SHA-256").count(), all.matches(".pdf?").count()), (5, 2), "four and the sentence: {all}");
    let own = site.get("/segel?dari=2026-11-01&sampai=2026-11-30&puskesmas=Puskesmas%20Tengah", &north).await.text;
    assert!(own.contains("puskesmas=Puskesmas%20Utara") && !own.contains("Tengah"), "{own}");
    assert!(own.contains("No. 1") && own.contains("No. 2") && own.contains("47"), "figures of both");
    assert!(site.get("/segel?sampai=2026-11-01", &dinkes).await.text.contains("Belum ada segel"));
    assert_eq!(site.get("/segel", &kader).await.status, 403);
    let file = |end: &str, of: &str| format!("/segel/2026-11-18.{end}?puskesmas={of}");
    let pdf = site.get(&file("pdf", "Puskesmas%20Utara"), &dinkes).await;
    assert!(pdf.text.starts_with("%PDF") && pdf.header("content-disposition").contains("segel-2026-11-18.pdf"));
    let told = site.get(&file("json", "Puskesmas%20Tengah"), &north).await.text;
    let told: Value = serde_json::from_str(&told).unwrap();
    let numbers: Vec<(&Value, &Value, &Value)> = told["statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["puskesmas"], &one["number"], &one["sound"]))
        .collect();
    assert_eq!(numbers, [(&NORTH.into(), &1.into(), &true.into()), (&NORTH.into(), &2.into(), &true.into())]);
    for path in ["/segel/2026-11-17.pdf?puskesmas=Puskesmas%20Utara", "/segel/2026-11-18.exe", "/segel/x.pdf"] {
        assert_eq!(site.get(path, &dinkes).await.status, 404, "{path}");
    }
    assert_eq!(site.get("/segel/2026-11-18.pdf", &dinkes).await.status, 404, "of no puskesmas");
    assert_eq!(site.get(&file("pdf", "x"), &kader).await.status, 403);
}

#[tokio::test]
async fn reports_are_of_the_places_of_the_account() {
    let site = Site::open().await;
    let dinkes = site.log_in("dina", Role::Dinkes, reach("", "")).await;
    let north = site.log_in("sari", Role::Puskesmas, reach(NORTH, "")).await;
    let kader = site.log_in("dewi", Role::Kader, reach(NORTH, "UTR-02")).await;
    let read = async |cookie: &str, query: &str| {
        let text = site.get(&format!("/laporan/2026-11-18.json{query}"), cookie).await.text;
        assert!(!text.contains(NAME) && !text.contains(NIK));
        let report: Value = serde_json::from_str(&text).unwrap();
        let places = report["places"].as_array().unwrap();
        let codes: Vec<String> = places.iter().filter_map(|one| Some(one["posyandu"].as_str()?.to_owned())).collect();
        (report["sum"]["read"].as_u64().unwrap(), codes)
    };
    let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    let whole = read(&dinkes, "").await;
    assert_eq!(whole, (13, codes(&["TGH-01", "UTR-01", "UTR-02"])));
    for query in ["", "?puskesmas=Puskesmas%20Tengah", "?posyandu=TGH-01"] {
        let (rows, places) = read(&north, query).await;
        assert!(places.iter().all(|code| code.starts_with("UTR")) && rows <= 9, "{query}: {places:?}");
        assert_eq!(read(&kader, query).await, (2, codes(&["UTR-02"])), "{query}");
    }
    assert_eq!(read(&north, "").await, (9, codes(&["UTR-01", "UTR-02"])));
    assert_eq!(read(&dinkes, "?puskesmas=Puskesmas%20Tengah").await, (4, codes(&["TGH-01"])));
    // Every form, and its name says whose it is.
    for end in ["html", "xlsx", "txt", "csv", "json"] {
        let answer = site.get(&format!("/laporan/2026-11.{end}"), &kader).await;
        let named = format!("laporan-2026-11-utr-02.{end}");
        assert!(answer.status == 200 && answer.header("content-disposition").contains(&named), "{end}");
        assert!(!answer.text.contains("TGH-01") && !answer.text.contains("tengah.csv"), "{end}");
    }
    let page = site.get("/laporan", &kader).await.text;
    assert!(page.contains("posyandu=UTR-02") && page.contains("hanya"), "{page}");
    let page = site.get("/laporan?puskesmas=Puskesmas%20Tengah", &dinkes).await.text;
    assert!(page.contains("/laporan/2026-11.xlsx?puskesmas=Puskesmas%20Tengah"), "{page}");
}

#[tokio::test]
async fn whom_a_row_is_about_is_said_without_showing_anybody_of_another_place() {
    let site = Site::open().await.more().await;
    let dinkes = site.log_in("dina", Role::Dinkes, reach("", "")).await;
    let north = site.log_in("sari", Role::Puskesmas, reach(NORTH, "")).await;
    let kader = site.log_in("dewi", Role::Kader, reach(NORTH, "UTR-01")).await;
    let other = site.log_in("tono", Role::Kader, reach(NORTH, "UTR-02")).await;
    let questions = |text: &str| text.matches("href=\"/orang/").count();
    for (cookie, number) in [(&dinkes, 2), (&north, 1), (&kader, 1), (&other, 0)] {
        let text = site.get("/orang", cookie).await.text;
        assert_eq!(questions(&text), number);
        assert!(!text.contains(NAME) && !text.contains(NIK));
    }
    let work = site.get("/kerja", &kader).await.text;
    assert!(work.contains("Tentukan orangnya"), "the work list leads there: {work}");
    for (cookie, path, status) in
        [(&kader, "/orang/1", 200), (&other, "/orang/1", 404), (&north, "/orang/2", 404), (&dinkes, "/orang/99", 404)]
    {
        let answer = site.get(path, cookie).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(!answer.text.contains(NAME), "{path}");
    }
    assert!(!site.get("/orang/1", &kader).await.text.contains("match_person"), "a kader decides nothing");
    // Names: with a reason, and never of somebody of another puskesmas.
    let named = site.post("/orang/1/nama", &[("alasan", "cek ganda")], &north).await.text;
    assert!(named.contains(NAME) && named.contains(NIK) && !named.contains(NAME_ELSEWHERE), "{named}");
    let named = site.post("/orang/1/nama", &[("alasan", "cek ganda")], &dinkes).await.text;
    assert!(named.contains(NAME) && named.contains(NAME_ELSEWHERE));
    assert_eq!(site.post("/orang/1/nama", &[("alasan", " ")], &north).await.status, 422);
    assert_eq!(site.post("/orang/1/nama", &[("alasan", "x")], &kader).await.status, 403);
    assert_eq!(site.post("/orang/2/nama", &[("alasan", "x")], &north).await.status, 404);
    let looks = site.ledger.audit_trail(None, 100).await.unwrap();
    let looks = looks.iter().filter(|line| line.action == "names" && line.subject == "question 1");
    assert_eq!(looks.count(), 2, "every look is written down");

    assert_eq!(decide(&site, &kader, "match_person", "1/1", "p-1").await, 403);
    assert_eq!(decide(&site, &north, "match_person", "2/2", "p-1").await, 404);
    assert_eq!(
        decide(&site, &dinkes, "match_person", "2/other", "p-1").await,
        422,
        "two people cannot have one number"
    );
    assert_eq!(decide(&site, &north, "match_person", "1/99", "p-1").await, 422, "nobody who is not meant");
    assert_eq!(decide(&site, &north, "match_person", "1", "p-1").await, 422);
    for _ in 0..2 {
        assert_eq!(decide(&site, &north, "match_person", "1/1", "p-2").await, 303);
    }
    assert_eq!(decide(&site, &north, "match_person", "1/other", "p-2").await, 422, "the id brought another decision");
    assert_eq!(questions(&site.get("/orang", &north).await.text), 0);
    assert_eq!(questions(&site.get("/orang?keadaan=sudah", &north).await.text), 1);
    let told = site.get("/orang/1", &north).await.text;
    assert!(told.contains("tentang orang 1") && told.contains("sudah dibicarakan"), "{told}");
    assert_eq!(decide(&site, &north, "reopen_person", "1", "p-3").await, 303);
    assert_eq!(questions(&site.get("/orang", &north).await.text), 1);
    let all = site.ledger.person_questions(&Reach::default(), true, None, 10).await.unwrap();
    assert!(all.is_empty());
    let subjects: Vec<(String, String)> = decided(&site).await;
    assert!(subjects.contains(&("match_person".to_owned(), "question 1/1".to_owned())), "{subjects:?}");
    assert!(subjects.contains(&("reopen_person".to_owned(), "question 1".to_owned())), "{subjects:?}");
}

#[tokio::test]
async fn a_removal_is_confirmed_or_left_from_the_page_until_it_is_done() {
    let site = Site::open().await.more().await;
    let north = site.log_in("sari", Role::Puskesmas, reach(NORTH, "")).await;
    let middle = site.log_in("tini", Role::Puskesmas, reach("Puskesmas Tengah", "")).await;
    let kader = site.log_in("dewi", Role::Kader, reach(NORTH, "UTR-03")).await;
    let state = async || site.ledger.removals().await.unwrap()[0].state;
    let page = site.get("/keputusan", &north).await;
    assert!(page.text.contains("confirm_removal") && page.text.contains("reject_removal"), "{}", page.text);
    assert!(!site.get("/keputusan", &middle).await.text.contains("confirm_removal"));
    assert_eq!(site.get("/keputusan", &kader).await.status, 403);
    assert_eq!(decide(&site, &middle, "confirm_removal", "1", "p-1").await, 404);
    assert_eq!(decide(&site, &kader, "confirm_removal", "1", "p-1").await, 403);
    assert_eq!(state().await, RemovalState::Proposed);
    for _ in 0..2 {
        assert_eq!(decide(&site, &north, "confirm_removal", "1", "p-1").await, 303);
        assert_eq!(state().await, RemovalState::Confirmed);
    }
    assert_eq!(decide(&site, &north, "reject_removal", "1", "p-1").await, 422, "the id brought another decision");
    let page = site.get("/keputusan?sudah=confirm_removal", &north).await.text;
    assert!(page.contains("role=\"status\""), "{page}");
    assert_eq!(decide(&site, &north, "reject_removal", "1", "p-2").await, 303, "nothing was sent yet: it is undone");
    assert_eq!(state().await, RemovalState::Rejected);
    assert_eq!(decide(&site, &north, "confirm_removal", "99", "p-3").await, 404);
    let lines = decided(&site).await;
    assert_eq!(lines.iter().filter(|(_, subject)| subject == "removal 1").count(), 4, "{lines:?}");
}
