//! Logging in: codes, passwords, limits, ends; forms that are not of the login; what the audit trail holds.

use std::time::Duration;

use posyandu_gateway::ledger::account::{CODE_LIVES, IDLE_MAX, LOGIN_MAX, Role};

use super::site::{Answer, PASSWORD, Site, encoded, post, reach, setting};

async fn choose(site: &Site, name: &str, code: &str, password: &str) -> Answer {
    let value = encoded(password);
    let body = format!("nama={}&kode={}&sandi={value}&ulang={value}", encoded(name), encoded(code));
    site.send(post("/masuk/kode", &body, "")).await
}

#[tokio::test]
async fn a_one_time_code_is_good_once_and_not_for_ever() {
    let site = Site::open().await;
    site.ledger.add_account("sari", Role::Dinkes, &reach("", ""), "ABCD").await.unwrap();
    assert_eq!(site.enter("sari", "").await.status, 422, "no password yet");
    for (code, password) in [("WRONG", "kata sandi panjang"), ("abcd", "pendek"), ("abcd", "saya sari sekali")] {
        assert_eq!(choose(&site, "sari", code, password).await.status, 422, "{code} {password}");
    }
    assert_eq!(choose(&site, "sari", "ab-cd", "kata sandi panjang").await.status, 303);
    assert_eq!(choose(&site, "sari", "abcd", "kata sandi lain lagi").await.status, 422, "used");
    let entered = site.enter("sari", "kata sandi panjang").await;
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie");
    assert!(cookie.starts_with("posyandu_masuk=") && cookie.contains("; HttpOnly; SameSite=Strict; "), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(site.get("/kerja", cookie).await.status, 200);
    // A new code ends the password and the login.
    site.ledger.renew_code("sari", "EFGH").await.unwrap();
    assert_eq!(site.get("/kerja", cookie).await.status, 303);
    assert_eq!(site.enter("sari", "kata sandi panjang").await.status, 422);
    site.clock.advance(CODE_LIVES);
    assert_eq!(choose(&site, "sari", "EFGH", "kata sandi panjang").await.status, 422, "ran out");
}

#[tokio::test]
async fn a_login_ends_when_idle_when_old_when_left_and_with_its_account() {
    let site = Site::open().await;
    let cookie = site.log_in("sari", Role::Dinkes, reach("", "")).await;
    let is_in = async |cookie: &str| site.get("/kerja", cookie).await.status == 200;
    for _ in 0..24 {
        site.clock.advance(IDLE_MAX - Duration::from_secs(1));
        assert!(is_in(&cookie).await);
    }
    site.clock.advance(LOGIN_MAX - 24 * (IDLE_MAX - Duration::from_secs(1)));
    assert!(!is_in(&cookie).await, "12 hours");
    let again = async || site.enter("sari", PASSWORD).await.header("set-cookie").split(';').next().unwrap().to_owned();
    let cookie = again().await;
    site.clock.advance(IDLE_MAX);
    assert!(!is_in(&cookie).await, "idle");
    let cookie = again().await;
    let left = site.post("/keluar", &[], &cookie).await;
    assert!(left.status == 303 && left.header("set-cookie").contains("Max-Age=0"));
    assert!(!is_in(&cookie).await, "left");
    let cookie = again().await;
    site.ledger.close_account("sari", true).await.unwrap();
    assert!(!is_in(&cookie).await, "closed");
    assert_eq!(site.enter("sari", PASSWORD).await.status, 422);
}

#[tokio::test]
async fn passwords_cannot_be_tried_out() {
    let site = Site::open().await;
    site.account("sari", Role::Dinkes, reach("", "")).await;
    let mut told = Vec::new();
    for _ in 0..5 {
        let answer = site.enter("sari", "kata sandi salah").await;
        told.push(answer.text.clone());
        assert_eq!(answer.status, 422);
    }
    assert_eq!(site.enter("sari", PASSWORD).await.status, 429, "even the right one waits");
    let stranger = site.enter("nobody", "kata sandi salah").await;
    assert_eq!((stranger.status.as_u16(), &stranger.text), (422, &told[0]), "an unknown name is told the same");
    site.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(site.enter("sari", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_form_counts_from_these_pages_and_this_login_only() {
    let site = Site::open().await;
    let cookie = site.log_in("sari", Role::Dinkes, reach("", "")).await;
    let other = site.log_in("tono", Role::Dinkes, reach("", "")).await;
    let own = site.get("/", &cookie).await.hidden("csrf");
    let foreign = site.get("/", &other).await.hidden("csrf");
    assert_ne!(own, foreign);
    let body = |csrf: &str| format!("apa=waive&tentang=5&perintah=p-1&alasan=luar&csrf={csrf}");
    let with = |origin: Option<&str>, csrf: &str| {
        let mut request = post("/keputusan", &body(csrf), &cookie);
        request.headers_mut().remove("origin");
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        request
    };
    let good = Some("http://127.0.0.1:8200");
    for (request, why) in [
        (with(None, &own), "no origin"),
        (with(Some("https://evil.example"), &own), "another site"),
        (with(Some("null"), &own), "a sandboxed frame"),
        (with(Some("https://127.0.0.1:8200"), &own), "another scheme"),
        (with(good, &foreign), "another login's form"),
        (with(good, ""), "no token"),
    ] {
        assert_eq!(site.send(request).await.status, 403, "{why}");
    }
    assert_eq!(site.send(post("/masuk", "nama=sari&sandi=x", "")).await.status, 422);
    let mut foreign_log_in = post("/masuk", "nama=sari&sandi=x", "");
    foreign_log_in.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(site.send(foreign_log_in).await.status, 403);
    assert_eq!(site.send(with(good, &own)).await.status, 303);
    let large = post("/keputusan", &"x".repeat(20_000), &cookie);
    assert_eq!(site.send(large).await.status, 422);
}

#[tokio::test]
async fn behind_tls_the_cookie_is_of_this_host_alone() {
    let public_url = Some("https://posyandu.example".to_owned());
    let site = Site::with(posyandu_gateway::http::dashboard::Options { public_url, ..setting() }).await;
    site.account("sari", Role::Dinkes, reach("", "")).await;
    let mut request = post("/masuk", &format!("nama=sari&sandi={}", encoded(PASSWORD)), "");
    request.headers_mut().insert("origin", "https://posyandu.example".parse().unwrap());
    let answer = site.send(request).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-posyandu_masuk=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(site.get("/kerja", &cookie.replace("__Host-", "")).await.status, 303, "the plain name is not taken");
    assert_eq!(site.get("/kerja", cookie.split(';').next().unwrap()).await.status, 200);
}

#[tokio::test]
async fn every_look_at_a_visit_is_in_the_audit_trail_with_its_reason() {
    let site = Site::open().await;
    let cookie = site.log_in("sari", Role::Puskesmas, reach("Puskesmas Utara", "")).await;
    site.get("/kunjungan/2", &cookie).await;
    assert_eq!(site.post("/kunjungan/2/nama", &[("alasan", " ")], &cookie).await.status, 422, "no reason, no name");
    site.post("/kunjungan/2/nama", &[("alasan", "ibu bertanya")], &cookie).await;
    let trail = site.ledger.audit_trail(None, 10).await.unwrap();
    let told: Vec<_> =
        trail.iter().map(|line| (line.action.as_str(), line.subject.as_str(), line.reason.as_deref())).collect();
    assert_eq!(told, [("names", "visit 2", Some("ibu bertanya")), ("look", "visit 2", None), ("log_in", "", None)]);
    let auditor = site.log_in("audi", Role::Auditor, reach("", "")).await;
    let page = site.get("/audit", &auditor).await.text;
    assert!(page.contains("ibu bertanya") && page.contains("visit 2"));
}
