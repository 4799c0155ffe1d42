//! `check` of a large register through the real binary: time, and the most memory it ever held.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{crowd, program};

/// Most memory of a check, in KiB: 64 MiB.
const MEMORY_KIB_MAX: u64 = 64 * 1_024;
/// Pause between two looks at the memory.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// The sample city with one large register, checked with text, JSON and files.
pub fn measure(rows: usize) {
    let folder = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kota-contoh");
    for name in ["posyandu-gateway.toml", "posyandu.csv"] {
        std::fs::copy(sample.join(name), folder.path().join(name)).unwrap();
    }
    for name in ["utara", "tengah", "timur", "selatan"] {
        std::fs::write(folder.path().join(format!("rahasia-{name}.txt")), "a-secret-of-nobody\n").unwrap();
    }
    let file = File::create(folder.path().join("puskesmas-tengah-register.csv")).unwrap();
    let expected = crowd::write(&mut BufWriter::new(file), rows);
    for arguments in [&[] as &[&str], &["--output", "hasil"]] {
        let answer = folder.path().join("answer.json");
        let began = Instant::now();
        let mut child = Command::new(program())
            .args(["check", "tengah", "--today", "2026-12-01", "--format", "json"])
            .args(arguments)
            .current_dir(folder.path())
            .stdout(File::create(&answer).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let peak = peak_kib(&mut child);
        let seconds = began.elapsed().as_secs_f64();
        let report: Value = serde_json::from_slice(&std::fs::read(&answer).unwrap()).unwrap();
        let of = |name: &str| report["counts"][name].as_u64().unwrap();
        assert_eq!((of("pending"), of("issue")), (expected.ready, expected.issue), "the check counted otherwise");
        println!("check {}, {rows} rows, {} visits ready:", arguments.join(" "), expected.ready);
        println!("  time           {seconds:>9.1} s, {:.0} rows/s", rows as f64 / seconds);
        let verdict = if peak <= MEMORY_KIB_MAX { "met" } else { "NOT met" };
        println!("  most memory    {:>9.1} MiB, at most 64 MiB: {verdict}", peak as f64 / 1024.0);
    }
}

/// Most memory a process ever held until it ends, in KiB.
fn peak_kib(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        std::thread::sleep(LOOK_PAUSE);
    }
    peak
}
