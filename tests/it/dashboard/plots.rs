//! The plots of the queue's page: measured each minute, drawn over the last day, and there again after a restart.

use std::path::Path;
use std::time::Duration;

use posyandu_gateway::http::dashboard::Options;
use posyandu_gateway::ledger::account::Role;

use super::site::{Site, reach, setting};

/// The page of a gateway that began at half past three and was measured so many times.
async fn page(file: &Path, started_after: Duration, samples: u32) -> String {
    let site = Site::with(Options { samples_file: Some(file.to_owned()), ..setting() }).await;
    site.clock.advance(started_after);
    for _ in 0..samples {
        site.app.dashboard().unwrap().sample().await.unwrap();
        site.clock.advance(Duration::from_secs(60));
    }
    let city = site.log_in("dina", Role::Dinkes, reach("", "")).await;
    site.get("/antrean", &city).await.text
}

const NOTHING_YET: &str = "Belum ada pengukuran";
const BROKEN: &str = "Garis terputus di waktu gateway tidak berjalan atau tidak dapat mengukur.";

#[tokio::test]
async fn plots_go_on_after_a_restart_with_a_gap_and_forget_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.ndjson");
    let first = page(&file, Duration::ZERO, 5).await;
    assert!(
        first.contains("15:30 WIB</text>") && first.contains("15:34 WIB</text>") && !first.contains(BROKEN),
        "{first}"
    );
    let lines = |text: &str| text.matches("<polyline").count();

    let again = page(&file, Duration::from_secs(2 * 3_600), 2).await;
    assert!(
        again.contains("15:30 WIB</text>") && again.contains("17:31 WIB</text>") && again.contains(BROKEN),
        "{again}"
    );
    assert_eq!(lines(&again), 2 * lines(&first), "each line is broken once");

    let on_the_next_day = page(&file, Duration::from_secs(24 * 3_600 + 150), 1).await;
    assert!(
        on_the_next_day.contains("15:33 WIB</text>") && !on_the_next_day.contains("15:30 WIB</text>"),
        "{on_the_next_day}"
    );
}

#[tokio::test]
async fn a_damaged_or_unwritable_file_costs_only_the_plots() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.ndjson");
    page(&file, Duration::ZERO, 3).await;
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole[..whole.len() - 20].to_vec();
    damaged.extend_from_slice(b"\n\xff\xfe{}\nnull\n");
    std::fs::write(&file, &damaged).unwrap();
    let page_after = page(&file, Duration::from_secs(600), 1).await;
    assert!(page_after.contains("15:30 WIB</text>") && page_after.contains("15:40 WIB</text>"), "{page_after}");
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 3, "the damaged lines are gone");

    let nowhere = folder.path().join("gone").join("samples.ndjson");
    let page_without = page(&nowhere, Duration::ZERO, 2).await;
    assert!(page_without.contains("15:31 WIB</text>") && !page_without.contains(NOTHING_YET), "{page_without}");
}
