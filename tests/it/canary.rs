//! A thousand invented persons go through the whole pipeline, past a server that throws their data back, and nothing the
//! program writes holds a byte of them: no output, no log at its loudest, no file but their own source.
//!
//! What is looked for are words and numbers that stand nowhere else, each by itself and in any letter case.

mod echo;
mod people;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::city::files;
use crate::cli::town::{CONFIG, Satusehat, Town, free_address, terminate};
use crate::intake::counter::TOKEN;
use echo::Echo;
use people::{Canaries, SOURCE};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Runs until enough visits met each fate.
const RUNS_MAX: usize = 8;
/// Files that hold persons because they are where persons come from.
const ALLOWED: [&str; 2] = [SOURCE, "people.json"];
/// How the names of files begin that hold a secret because it is kept there.
const SECRETS: &str = "rahasia-";
/// Set for the process that panics.
const PANICS: &str = "POSYANDU_TEST_PANICS";

/// Runs a command at the loudest level and looks at what it says.
fn quiet(town: &Town, canaries: &Canaries, format: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = town.command(&["--log-level", "trace", "--log-format", format]);
    let output = command.args(arguments).env("TMPDIR", town.path("tmp")).output().unwrap();
    canaries.absent(&output.stdout, &format!("standard output of {arguments:?}"));
    canaries.absent(&output.stderr, &format!("standard error of {arguments:?}"));
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Looks at every file there is, and at the names of files and folders.
fn quiet_files(town: &Town, canaries: &Canaries) -> usize {
    let all = files(town.folder.path());
    for (path, bytes) in &all {
        canaries.absent(path.display().to_string().as_bytes(), "the name of a file");
        let is_secret = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SECRETS));
        if !is_secret && !ALLOWED.iter().any(|name| path.ends_with(name)) {
            canaries.absent(bytes, &format!("the file {}", path.display()));
        }
    }
    all.len()
}

fn town(echo: &Echo, canaries: &Canaries) -> (Town, String) {
    let town = Town::ready(&echo.address);
    std::fs::create_dir(town.path("tmp")).unwrap();
    town.write(SOURCE, &canaries.csv());
    let text = town.read(CONFIG);
    let (head, _) = text.split_once("[[source]]\nname = \"utara\"").unwrap();
    let address = free_address();
    town.write("token.txt", TOKEN);
    let rest = format!(
        "[[source]]\nname = \"utara\"\nprofile = \"eppgbm_ekspor\"\npath = \"{SOURCE}\"\npuskesmas = \"Puskesmas Utara\"\n\
         [delivery]\nonce_seconds = 3\nprobe_after_seconds = [1, 2]\n[http]\nlisten = \"{address}\"\n\
         scrape_token_file = \"token.txt\"\n\
         [[sender]]\nname = \"aplikasi\"\ntoken_file = \"token.txt\"\npuskesmas = \"Puskesmas Utara\"\n"
    );
    town.write(CONFIG, &format!("{head}{rest}"));
    (town, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_written_holds_a_byte_of_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let canaries = Canaries::new();
    let known = folder.path().join("people.json");
    std::fs::write(&known, canaries.known()).unwrap();
    let satusehat = Satusehat::with_people(&known, &[]);
    let echo = Echo::start(&satusehat.address).await;
    let (town, address) = town(&echo, &canaries);
    let thrown = echo.clone();
    let (town, canaries) = tokio::task::spawn_blocking(move || {
        commands(&town, &canaries, &thrown);
        (town, canaries)
    })
    .await
    .unwrap();
    let (town, canaries) = daemon(town, canaries, address).await;
    assert!(quiet_files(&town, &canaries) > 10);
    canaries.silent();
    let told = echo.thrown();
    assert!(told.iter().all(|number| *number > 0), "some way of answering was never used: {told:?}");
}

/// Every command that reads, sends or shows.
fn commands(town: &Town, canaries: &Canaries, echo: &Echo) {
    // The canaries must be able to sing.
    assert!(canaries.hits(town.read(SOURCE).as_bytes()) > 4 * people::NUMBER);
    let (_, text) = quiet(town, canaries, "text", &["check", "--format", "json", "--output", "periksa"]);
    let report: Value = serde_json::from_str(text.trim()).unwrap();
    let counts = &report["counts"];
    assert!(counts["issue"].as_u64() > Some(200) && counts["pending"].as_u64() > Some(500), "{counts}");
    quiet(town, canaries, "text", &["run", "--once"]);
    let of = |counts: &Value, word: &str| counts["counts"][word].as_u64().unwrap();
    let worked = (0..RUNS_MAX).any(|_| {
        // What stopped the lane in the run before must not make this one wait a minute.
        quiet(town, canaries, "json", &["lanes", "release", "Puskesmas Utara", "--reason", "percobaan"]);
        let (_, text) = quiet(town, canaries, "json", &["run", "--once", "--format", "json"]);
        let counts: Value = serde_json::from_str(text.trim()).unwrap();
        of(&counts, "delivered") > 100 && of(&counts, "blocked") > 20 && of(&counts, "refused") > 5
    });
    assert!(worked, "{}", quiet(town, canaries, "json", &["status", "--format", "json"]).1);
    canaries.also(echo.token());
    quiet_files(town, canaries);
    let source = town.path(SOURCE);
    let source = source.to_str().unwrap();
    for arguments in [
        &["status"][..],
        &["status", "--format", "json"],
        &["doctor", "--format", "json"],
        &["report", "--date", people::DAY],
        &["report", "--date", people::DAY, "--format", "json"],
        &["report", "--date", people::DAY, "--format", "csv"],
        &["reconcile", "--format", "json"],
        &["provision", "--dry-run"],
        &["source", "new", source],
        &["source", "check", "eppgbm_ekspor", source],
        &["source", "files"],
        &["mapping", "plans"],
    ] {
        quiet(town, canaries, "json", arguments);
    }
    // A token endpoint that throws the secret back.
    echo.throw_secrets(true);
    let (code, _) = quiet(town, canaries, "text", &["doctor"]);
    assert_eq!(code, Some(3));
    echo.throw_secrets(false);
}

/// The daemon with apps that hand in canaries in every wrong way, and a monitor that looks.
async fn daemon(town: Town, canaries: Canaries, address: String) -> (Town, Canaries) {
    let log = std::fs::File::create(town.path("log.txt")).unwrap();
    let out = std::fs::File::create(town.path("out.txt")).unwrap();
    let mut command = town.command(&["--log-level", "trace", "--log-format", "json", "run"]);
    let mut child = command.env("TMPDIR", town.path("tmp")).stdout(out).stderr(log).spawn().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("http://{address}");
    let begun = Instant::now();
    let ask = |path: &str| client.get(format!("{base}{path}")).bearer_auth(TOKEN);
    loop {
        let ready = ask("/readyz").send().await;
        let known = client.post(format!("{base}/v1/records")).bearer_auth(TOKEN).body("[]");
        let known = known.header("content-type", "application/json");
        if ready.is_ok() && known.send().await.is_ok_and(|answer| answer.status() == 200) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "{}", town.read("log.txt"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (kind, body) in canaries.posts() {
        let post = client.post(format!("{base}/v1/records")).header("content-type", kind).body(body);
        let name = people::word("zqv", 3);
        let answer = post.bearer_auth(TOKEN).header("accept-language", &name).header("x-request-id", &name);
        let text = answer.send().await.unwrap().text().await.unwrap();
        // The app's own name of a member is pointed at in the answer to that app.
        let pointers = people::pointers();
        let text = pointers.iter().fold(text, |text, pointer| text.replace(pointer.as_str(), ""));
        canaries.absent(text.as_bytes(), "an answer to an app");
    }
    let nik = people::nik(1);
    let name = people::word("zqv", 1);
    for path in [format!("/v1/records/{nik}?nama={name}"), format!("/{name}"), format!("/metrics?nik={nik}")] {
        let answer = client.get(format!("{base}{path}")).bearer_auth(&name).send().await.unwrap();
        canaries.absent(answer.text().await.unwrap().as_bytes(), "an answer to a stranger");
    }
    for path in ["/metrics", "/readyz", "/healthz", "/openapi.json"] {
        let answer = ask(path).send().await.unwrap();
        canaries.absent(answer.text().await.unwrap().as_bytes(), path);
    }
    terminate(&child);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it does not stop");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(town.read("log.txt").contains("\"path\":\"/v1/records\""));
    (town, canaries)
}

#[test]
fn a_panic_tells_its_place_and_nothing_else() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["canary::the_process_that_panics", "--exact", "--nocapture", "--include-ignored"]);
    let output = command.env(PANICS, "yes").stdin(Stdio::null()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && text.contains(file!()), "{text}");
    let canaries = Canaries::new();
    canaries.absent(text.as_bytes(), "a panic");
    canaries.silent();
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn the_process_that_panics() {
    assert!(std::env::var_os(PANICS).is_some(), "only in a process of its own");
    posyandu_gateway::cli::log::start(
        posyandu_gateway::cli::log::LogFormat::Text,
        posyandu_gateway::cli::log::LogLevel::Trace,
    );
    let cell = format!("é{}", people::word("zqv", 7));
    let _ = std::hint::black_box(&cell[1..]);
}
