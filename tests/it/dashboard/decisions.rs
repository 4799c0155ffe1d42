//! Decisions from the pages: once however often they are sent, audited, undone where that is possible.

use axum::http::StatusCode;
use posyandu_gateway::ledger::account::Role;
use posyandu_gateway::ledger::entry::EntryId;
use posyandu_gateway::ledger::lane::NoteKind;
use posyandu_gateway::ledger::state::State;

use super::site::{Site, reach};

async fn state(site: &Site, entry: i64) -> State {
    site.ledger.story(EntryId::from_number(entry)).await.unwrap().line.state
}

async fn decide(site: &Site, cookie: &str, what: &str, about: &str, command: &str) -> StatusCode {
    let fields = [("apa", what), ("tentang", about), ("perintah", command), ("alasan", "sudah dibicarakan")];
    site.post("/keputusan", &fields, cookie).await.status
}

#[tokio::test]
async fn a_double_click_is_one_decision_and_a_waiver_can_be_undone() {
    let site = Site::open().await;
    let cookie = site.log_in("sari", Role::Puskesmas, reach("Puskesmas Utara", "")).await;
    let form = site.get("/kunjungan/3", &cookie).await;
    let command = form.hidden("perintah");
    assert_eq!(state(&site, 3).await, State::Refused);
    for _ in 0..2 {
        assert_eq!(decide(&site, &cookie, "waive", "3", &command).await, 303);
        assert_eq!(state(&site, 3).await, State::Waived);
    }
    assert_eq!(decide(&site, &cookie, "retry", "3", &command).await, 422, "the id brought another decision");
    assert_eq!(decide(&site, &cookie, "waive", "4", &command).await, 422);
    assert_eq!(decide(&site, &cookie, "retry", "3", "p-2").await, 303);
    assert_eq!(state(&site, 3).await, State::Pending);
    assert_eq!(decide(&site, &cookie, "retry", "3", "p-3").await, 422, "it moved on");
    // The first command, sent once more by a slow browser, changes nothing any more.
    assert_eq!(decide(&site, &cookie, "waive", "3", &command).await, 303);
    assert_eq!(state(&site, 3).await, State::Pending);
    let story = site.ledger.story(EntryId::from_number(3)).await.unwrap();
    let words: Vec<_> = story.events.iter().filter_map(|line| line.event.as_ref()).map(|event| event.word()).collect();
    assert_eq!(words, ["claimed", "refused_content", "waived_by", "retry_commanded"]);
    let trail = site.ledger.audit_trail(None, 20).await.unwrap();
    assert!(trail.iter().any(|line| line.action == "waive" && line.command.as_deref() == Some(command.as_str())));
    assert_eq!(decide(&site, &cookie, "burn", "3", "p-4").await, 422);
    assert_eq!(decide(&site, &cookie, "waive", "999", "p-5").await, 404);
}

#[tokio::test]
async fn a_lane_goes_on_and_a_plan_is_approved_by_whoever_may() {
    let site = Site::open().await;
    let north = site.log_in("sari", Role::Puskesmas, reach("Puskesmas Utara", "")).await;
    let city = site.log_in("dina", Role::Dinkes, reach("", "")).await;
    for what in ["release_lane", "approve_plan"] {
        assert_eq!(decide(&site, &north, what, "Puskesmas Tengah", "p-1").await, 403);
    }
    assert!(site.get("/antrean", &city).await.text.contains("Perhatian:"));
    assert_eq!(decide(&site, &city, "release_lane", "Puskesmas Tengah", "p-1").await, 303);
    assert_eq!(decide(&site, &city, "release_lane", "Puskesmas Tengah", "p-1").await, 303);
    assert_eq!(site.ledger.note(NoteKind::Stopped, "Puskesmas Tengah").await.unwrap(), None);
    assert_eq!(decide(&site, &city, "release_lane", "Puskesmas Utara", "p-1").await, 422);
    assert_eq!(decide(&site, &city, "release_lane", "Puskesmas Selatan", "p-2").await, 404);
    for _ in 0..2 {
        assert_eq!(decide(&site, &city, "approve_plan", "1", "p-3").await, 303);
    }
    assert_eq!(decide(&site, &city, "approve_plan", "1", "p-4").await, 422, "approved before");
    let plan = site.ledger.plans().await.unwrap().remove(0);
    assert_eq!(plan.approval.unwrap().reason, "sudah dibicarakan");
    let shown = site.get("/keputusan?sudah=approve_plan", &city).await.text;
    assert!(shown.contains("Tersimpan: Setujui kirim ulang."));
}

#[tokio::test]
async fn an_administrator_makes_closes_and_opens_accounts() {
    let site = Site::open().await;
    let admin = site.log_in("adm", Role::Admin, reach("", "")).await;
    let add = |role: &'static str, puskesmas: &'static str, posyandu: &'static str| {
        [("apa", "add"), ("nama", "dewi"), ("peran", role), ("puskesmas", puskesmas), ("posyandu", posyandu)]
    };
    for wrong in [
        add("kader", "", ""),
        add("kader", "Puskesmas Utara", "TGH-01"),
        add("dinkes", "Puskesmas Utara", ""),
        add("puskesmas", "Puskesmas Lain", ""),
        add("king", "", ""),
    ] {
        assert_eq!(site.post("/akun", &wrong, &admin).await.status, 422, "{wrong:?}");
    }
    let made = site.post("/akun", &add("kader", "Puskesmas Utara", "UTR-01"), &admin).await;
    assert!(made.status == 200 && made.text.contains("Kode sekali pakai untuk dewi"), "{}", made.text);
    assert_eq!(site.post("/akun", &add("kader", "Puskesmas Utara", "UTR-01"), &admin).await.status, 422, "taken");
    for (what, closed) in [("close", true), ("open", false)] {
        assert_eq!(site.post("/akun", &[("apa", what), ("nama", "dewi")], &admin).await.status, 200);
        assert_eq!(site.ledger.account("dewi").await.unwrap().unwrap().disabled_at.is_some(), closed);
    }
    assert_eq!(site.post("/akun", &[("apa", "close"), ("nama", "adm")], &admin).await.status, 422, "not oneself");
    assert_eq!(site.post("/akun", &[("apa", "code"), ("nama", "nobody")], &admin).await.status, 404);
}
