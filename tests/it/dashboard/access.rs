//! Every page for every role, without a login, and beyond an account's reach.

use posyandu_gateway::http::dashboard::access::{Page, may};
use posyandu_gateway::ledger::account::Role;
use posyandu_gateway::ledger::alarm::{AlarmKind, LookedAt, Standing};

use super::site::{HOSTILE, NAME, NIK, Site, proxy, reach, reach_of, setting};

/// Each page that a link leads to.
const PAGES: [(&str, Page); 16] = [
    ("/", Page::Today),
    ("/kerja", Page::Work),
    ("/kunjungan/1", Page::Story),
    ("/pemetaan", Page::Mapping),
    ("/antrean", Page::Queue),
    ("/laporan", Page::Reports),
    ("/laporan/2026-11-18.json", Page::Reports),
    ("/laporan/2026-11.html", Page::Reports),
    ("/laporan/2026-11.xlsx", Page::Reports),
    ("/selisih", Page::Discrepancies),
    ("/orang", Page::Persons),
    ("/orang/1", Page::Persons),
    ("/segel", Page::Seals),
    ("/keputusan", Page::Decisions),
    ("/akun", Page::Accounts),
    ("/audit", Page::Audit),
];

#[tokio::test]
async fn each_role_is_shown_its_pages_and_no_other() {
    let site = Site::open().await.more().await;
    for role in Role::ALL {
        let cookie = site.log_in(role.word(), role, reach_of(role)).await;
        for (path, page) in PAGES {
            let answer = site.get(path, &cookie).await;
            let expected = if may(Some(role), page) { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{role:?} {path}");
            for secret in [NAME, NIK] {
                assert!(!answer.text.contains(secret), "{role:?} {path} shows {secret}");
            }
        }
        let shown = site.post("/kunjungan/1/nama", &[("alasan", "cek ganda")], &cookie).await;
        assert_eq!(shown.status == 200, may(Some(role), Page::Names), "{role:?}");
        assert_eq!(shown.text.contains(NIK), may(Some(role), Page::Names), "{role:?}");
    }
}

#[tokio::test]
async fn nobody_sees_or_does_anything_beyond_his_reach() {
    let site = Site::open().await;
    let kader = site.log_in("dewi", Role::Kader, reach("Puskesmas Utara", "UTR-02")).await;
    let north = site.log_in("sari", Role::Puskesmas, reach("Puskesmas Utara", "")).await;
    // Entries 1 to 6 are of UTR-01, 7 and 8 of UTR-02, 9 to 11 of TGH-01.
    for (cookie, own, foreign) in [(&kader, "7", ["1", "9"]), (&north, "1", ["9", "10"])] {
        assert_eq!(site.get(&format!("/kunjungan/{own}"), cookie).await.status, 200);
        for entry in foreign {
            assert_eq!(site.get(&format!("/kunjungan/{entry}"), cookie).await.status, 404, "{entry}");
        }
    }
    let fields = [("apa", "waive"), ("tentang", "9"), ("perintah", "p-1"), ("alasan", "salah alamat")];
    assert_eq!(site.post("/keputusan", &fields, &north).await.status, 404);
    let seen = site.post("/kunjungan/9/nama", &[("alasan", "ingin tahu")], &north).await;
    assert!(seen.status == 404 && !seen.text.contains(NIK));
    // Asking for another place in the address does not lead there.
    for path in ["/kerja?puskesmas=Puskesmas%20Tengah", "/?puskesmas=Puskesmas%20Tengah&posyandu=TGH-01"] {
        let answer = site.get(path, &north).await;
        assert!(
            answer.status == 200 && !answer.text.contains("Anggrek") && !answer.text.contains("tengah.csv"),
            "{path}"
        );
    }
    let answer = site.get("/kerja?posyandu=UTR-01", &kader).await;
    assert!(answer.text.contains("Tidak ada yang perlu dikerjakan"), "{}", answer.text);
}

#[tokio::test]
async fn without_accounts_this_machine_sees_counts_only_and_nobody_else_anything() {
    let site = Site::open().await.more().await;
    for (path, page) in PAGES {
        let answer = site.get(path, "").await;
        assert_eq!(answer.status == 200, may(None, page), "{path}");
        assert!(answer.status == 200 || answer.header("location") == "/masuk", "{path}");
        assert!(!answer.text.contains("script>alert"));
    }
    let request = || axum::http::Request::get("/").header("host", "127.0.0.1:8200");
    let empty = axum::body::Body::empty;
    let cases = [
        (request().body(empty()), "192.0.2.1", "another machine"),
        (request().header("x-forwarded-for", "192.0.2.1").body(empty()), "127.0.0.1", "through a proxy"),
        (
            axum::http::Request::get("/").header("host", "posyandu.example:8200").body(empty()),
            "127.0.0.1",
            "a name turned to this machine",
        ),
    ];
    for (request, from, why) in cases {
        assert_eq!(site.send_from(request.unwrap(), from).await.status, 303, "{why}");
    }
    site.account("sari", Role::Admin, reach("", "")).await;
    assert_eq!(site.get("/", "").await.header("location"), "/masuk", "with accounts everybody logs in");
    let apps = Site::with(posyandu_gateway::http::dashboard::Options { guests: false, ..setting() }).await;
    assert_eq!(apps.get("/", "").await.status, 303, "what a proxy passes on for apps looks local");
}

#[tokio::test]
async fn a_proxys_header_is_believed_from_the_proxy_only() {
    let public_url = Some("https://posyandu.example".to_owned());
    let site =
        Site::with(posyandu_gateway::http::dashboard::Options { proxy: Some(proxy()), public_url, ..setting() }).await;
    site.account("sari", Role::Dinkes, reach("", "")).await;
    let ask = |name: &str| {
        let request =
            axum::http::Request::get("/kerja").header("host", "posyandu.example").header("x-remote-user", name);
        request.body(axum::body::Body::empty()).unwrap()
    };
    let answer = site.send_from(ask("sari"), "127.0.0.1").await;
    assert!(answer.status == 200 && answer.text.contains("sari"));
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    assert_eq!(site.send_from(ask("tono"), "127.0.0.1").await.status, 303);
    assert_eq!(site.send_from(ask("sari"), "192.0.2.1").await.status, 303);
    site.ledger.close_account("sari", true).await.unwrap();
    assert_eq!(site.send_from(ask("sari"), "127.0.0.1").await.status, 303);
}

#[tokio::test]
async fn the_work_list_filters_and_goes_on_page_by_page() {
    let site = Site::open().await;
    let cookie = site.log_in("dina", Role::Dinkes, reach("", "")).await;
    let text = site.get("/kerja", &cookie).await.text;
    for part in ["tengah.csv", "/kunjungan/3", "/kunjungan/4", "Melati 1"] {
        assert!(text.contains(part), "{part}");
    }
    for (query, rows) in [
        ("siapa=kader", 2),
        ("siapa=puskesmas", 2),
        ("siapa=platform", 0),
        ("aturan=patient", 1),
        ("aturan=posyandu.unknown", 2),
        ("puskesmas=Puskesmas%20Tengah", 1),
        ("puskesmas=Puskesmas%20Utara&posyandu=UTR-01", 3),
        ("dari=2026-11-19", 0),
        ("sampai=2026-11-18", 4),
        ("siapa=nobody&sesudah=nonsense", 4),
    ] {
        let text = site.get(&format!("/kerja?{query}"), &cookie).await.text;
        assert_eq!(text.matches("Hanya yang seperti ini").count(), rows, "{query}");
    }
    // A hundred and ten more wait for a person: three pages, each thing once.
    super::site::visits(&site.ledger, "Puskesmas Utara", "UTR-02", "2026-11-17".parse().unwrap(), 110, "b.csv").await;
    for claimed in site.ledger.claim("Puskesmas Utara", 200).await.unwrap() {
        super::site::end(&site.ledger, &claimed, posyandu_gateway::ledger::state::Event::RefusedContent, Vec::new())
            .await;
    }
    let (mut path, mut pages, mut seen) = ("/kerja".to_owned(), 0, std::collections::BTreeSet::new());
    loop {
        let text = site.get(&path, &cookie).await.text;
        for part in text.split("href=\"/kunjungan/").skip(1) {
            assert!(seen.insert(part.split('"').next().unwrap().to_owned()), "{path} shows a visit again");
        }
        pages += 1;
        let Some(next) = text.split("rel=\"next\"").next().filter(|before| before.len() < text.len()) else { break };
        path = next.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!((pages, seen.len()), (3, 115), "{HOSTILE}");
}

#[tokio::test]
async fn what_keeps_the_machine_from_its_work_stands_on_the_first_page() {
    let site = Site::open().await;
    let standing = Standing { level: "low", details: r#"{"mebibita": "700"}"#.to_owned() };
    let disk = LookedAt { kind: AlarmKind::Disk, about: "<mesin>".to_owned(), standing: Some(standing) };
    site.ledger.settle_alarms(vec![disk], false).await.unwrap();
    let dinkes = site.log_in("dinkes", Role::Dinkes, reach_of(Role::Dinkes)).await;
    let kader = site.log_in("kader", Role::Kader, reach_of(Role::Kader)).await;
    let shown = site.get("/", &dinkes).await.text;
    assert!(shown.contains("&lt;mesin&gt;: sisa ruang disk tinggal 700 MiB"), "{shown}");
    assert!(!site.get("/", &kader).await.text.contains("700 MiB"), "a kader cannot mend a disk");
}
