//! The pages in a real browser: Debian's chromium with Playwright and axe-core, at phone and desktop width, with and
//! without JavaScript. `tests/browser.sh` installs what it needs; the screenshots stay beside it, outside the repository.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use posyandu_gateway::http::serve;
use posyandu_gateway::ledger::account::Role;
use tokio::net::TcpListener;

use super::site::{PASSWORD, Site, reach};

const MISSING: &str = "tests/browser.sh needs node, npm, chromium, and npm's registry";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_fit_for_phone_and_desktop_with_and_without_scripts() {
    let site = Site::open().await.more().await;
    site.account("dina", Role::Dinkes, reach("", "")).await;
    site.account("audit", Role::Auditor, reach("", "")).await;
    site.account("adm", Role::Admin, reach("", "")).await;
    site.account("kader", Role::Kader, reach("Puskesmas Utara", "UTR-01")).await;
    let dashboard = site.app.dashboard().unwrap();
    for _ in 0..3 {
        dashboard.sample().await.unwrap();
        site.clock.advance(std::time::Duration::from_secs(60));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(serve(listener, Arc::clone(&site.app), std::future::pending()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser.sh");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    let mut command = Command::new(script);
    command.args([address.as_str(), PASSWORD]).arg(folder);
    let told = tokio::task::spawn_blocking(move || command.output().expect(MISSING)).await.unwrap();
    serving.abort();
    let text = [told.stdout, told.stderr].map(|part| String::from_utf8_lossy(&part).into_owned()).join("\n");
    assert_ne!(told.status.code(), Some(2), "{MISSING}\n{text}");
    assert!(told.status.success() && text.contains("0 problems"), "{text}");
}
