//! What was not sent yet follows the configuration: a switch turned on later frees the visits that waited for it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn gateway(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"))
        .args(arguments)
        .args(["--format", "json"])
        .current_dir(folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
    (output.status.code(), value)
}

/// Nothing listens at the configured address, so everything that may be sent stays pending.
#[test]
fn a_switch_turned_on_later_frees_what_waited_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kota-contoh");
    for name in ["posyandu.csv", "puskesmas-utara-eppgbm.csv", "puskesmas-tengah-register.csv"] {
        std::fs::copy(fixtures.join(name), folder.path().join(name)).unwrap();
    }
    std::fs::copy(
        fixtures.join("puskesmas-timur-aplikasi.sqlite"),
        folder.path().join("puskesmas-timur-aplikasi.sqlite"),
    )
    .unwrap();
    for name in ["utara", "tengah", "timur", "selatan"] {
        std::fs::write(folder.path().join(format!("rahasia-{name}.txt")), "rahasia").unwrap();
    }
    let config = std::fs::read_to_string(fixtures.join("posyandu-gateway.toml")).unwrap();
    let config = crate::city::without_selatan(&config).replace("127.0.0.1:8210", "127.0.0.1:9");
    let file = folder.path().join("posyandu-gateway.toml");
    let (head, rest) = config.split_once("accept_guesses = [").unwrap();
    let without = format!("{head}{}", rest.split_once("]\n").unwrap().1);
    std::fs::write(&file, without).unwrap();
    let init = Command::new(env!("CARGO_BIN_EXE_posyandu-gateway")).arg("init").current_dir(folder.path()).output();
    assert!(init.unwrap().status.success());
    let (_, before) = gateway(folder.path(), &["run", "--once"]);
    let count = |value: &Value, state: &str| value["counts"][state].as_u64().unwrap();
    assert!(count(&before, "refused") > 400, "{}", before["counts"]);
    std::fs::write(&file, config).unwrap();
    let (_, after) = gateway(folder.path(), &["run", "--once"]);
    assert_eq!(count(&after, "refused"), 0, "{}", after["counts"]);
    assert_eq!(count(&after, "pending"), count(&before, "refused") + count(&before, "pending"));
    let (_, again) = gateway(folder.path(), &["run", "--once"]);
    assert_eq!(again["entered"], 0, "the same mapping enters nothing twice");
}
