//! The systemd unit: read by systemd itself, as closed as promised, and in step with the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use posyandu_gateway::observed::pulse::SILENCE_MAX;

/// Highest exposure allowed, in tenths (security.md, section 7).
const EXPOSURE_MAX: &str = "15";

fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd/posyandu-gateway.service")
}

/// Runs systemd-analyze; what it said and whether it was content.
fn analyze(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("systemd-analyze").args(arguments).env("SYSTEMD_COLORS", "0").output();
    let output = output.expect("systemd-analyze is missing: apt-get install systemd (it need not run)");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

#[test]
fn systemd_understands_every_line_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("posyandu-gateway.service");
    let text = std::fs::read_to_string(unit()).unwrap();
    // Where a package would put the program.
    let text = text.replace("/usr/bin/posyandu-gateway", env!("CARGO_BIN_EXE_posyandu-gateway"));
    std::fs::write(&copy, &text).unwrap();
    let (fine, told) = analyze(&["verify", "--man=no", copy.to_str().unwrap()]);
    assert!(fine && told.trim().is_empty(), "{told}");
    std::fs::write(&copy, text.replace("WatchdogSec=", "WatchdogSecs=")).unwrap();
    let (_, told) = analyze(&["verify", "--man=no", copy.to_str().unwrap()]);
    assert!(told.contains("WatchdogSecs"), "it does not bite: {told}");
}

#[test]
fn it_is_as_closed_as_promised() {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let path = unit();
    let (fine, told) = analyze(&["security", "--offline=true", &threshold, path.to_str().unwrap()]);
    assert!(fine, "{told}");
    let (fine, _) = analyze(&["security", "--offline=true", "--threshold=1", path.to_str().unwrap()]);
    assert!(!fine, "it does not bite");
}

#[test]
fn it_fits_the_program() {
    let text = std::fs::read_to_string(unit()).unwrap();
    let settings: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let watchdog = format!("WatchdogSec={}min", SILENCE_MAX.as_secs() / 60);
    for line in
        ["Type=notify", "LimitCORE=0", "MemorySwapMax=0", "UMask=0077", "SystemCallFilter=@system-service", &watchdog]
    {
        assert!(settings.contains(&line), "{line}");
    }
    // The process that reads workbooks sets limits for itself.
    let (_, group) = analyze(&["syscall-filter", "@system-service"]);
    assert!(group.contains("@resources") || group.contains("setrlimit"), "{group}");
    assert!(!settings.iter().any(|line| line.starts_with("SystemCallFilter=~") && line.contains("@resources")));
    let start = settings.iter().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"));
    let asked = command.args(start.split(' ').skip(1)).arg("--help").output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
}
