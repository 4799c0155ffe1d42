//! The real program under a service manager, played by a socket: ready, alive while the main loop makes progress, silent
//! when it hangs, stopping; and what it shows on its listener meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::cli::town::{CONFIG, Satusehat, Town, free_address, no_personal_data, terminate};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the manager allows.
const WATCHDOG: Duration = Duration::from_secs(2);

/// `run` with a socket on which it tells how it is.
struct Service {
    town: Town,
    address: String,
    socket: UnixDatagram,
    child: Child,
}

impl Service {
    fn start(town: Town) -> Self {
        let socket = UnixDatagram::bind(town.path("notify")).unwrap();
        let address = free_address();
        town.write(CONFIG, &format!("{}\n[http]\nlisten = \"{address}\"\n", town.read(CONFIG)));
        let log = std::fs::File::create(town.path("log.txt")).unwrap();
        let mut command = town.command(&["--log-format", "json", "--log-level", "info", "run"]);
        command.env("NOTIFY_SOCKET", town.path("notify")).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { town, address, socket, child }
    }

    /// The next message within a time.
    fn heard(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0_u8; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    #[track_caller]
    fn hears(&self, wanted: &str) -> String {
        let begun = Instant::now();
        loop {
            let left = PATIENCE.checked_sub(begun.elapsed()).unwrap_or_else(|| {
                panic!("{wanted} was not told; {}", self.town.read("log.txt"));
            });
            if let Some(found) = self.heard(left).filter(|text| text.contains(wanted)) {
                return found;
            }
        }
    }

    fn ask(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// Asks it to stop, hears that it does, and gives its log.
    fn stop(mut self) -> String {
        terminate(&self.child);
        self.hears("STOPPING=1");
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = self.town.read("log.txt");
        no_personal_data(&log);
        log
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ready_alive_with_its_counts_and_stopping() {
    let satusehat = Satusehat::start(&[]);
    let service = Service::start(Town::ready(&satusehat.address));
    service.hears("READY=1");
    service.hears("WATCHDOG=1");
    let status = service.hears("STATUS=");
    assert!(status.bytes().any(|one| one.is_ascii_digit()), "{status}");
    no_personal_data(&status);
    service.hears("WATCHDOG=1");
    assert_eq!(service.ask("/healthz").0, 200);
    let (code, ready) = service.ask("/readyz");
    assert_eq!(code, 200, "{ready}");
    // Without senders, and on this machine, the figures are open.
    let (code, text) = service.ask("/metrics");
    assert_eq!(code, 200);
    no_personal_data(&text);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}\n{text}"));
        line.trim().parse::<f64>().unwrap()
    };
    let utara = "puskesmas=\"Puskesmas Utara\"";
    let delivered = value(&format!("posyandu_gateway_entries{{{utara},state=\"delivered\"}}"));
    assert!(delivered > 100.0);
    assert_eq!(value(&format!("posyandu_gateway_attempts_total{{{utara},class=\"accepted\"}}")), delivered);
    assert_eq!(value(&format!("posyandu_gateway_calls_per_minute{{{utara},rate=\"configured\"}}")), 60_000.0);
    assert_eq!(value(&format!("posyandu_gateway_lane_stopped{{{utara},reason=\"trouble\"}}")), 0.0);
    assert!(value("posyandu_gateway_request_duration_seconds_count{call=\"write\",status=\"2xx\"}") >= delivered);
    assert!(value("posyandu_gateway_request_duration_seconds_count{call=\"token\",status=\"2xx\"}") >= 3.0);
    assert!(value("posyandu_gateway_source_last_success_timestamp_seconds{source=\"utara\"}") > 1_700_000_000.0);
    assert!(value("posyandu_gateway_ledger_commits_total") > 10.0);
    assert_eq!(value("posyandu_gateway_rounds_total{outcome=\"fine\"}"), 1.0);
    let log = service.stop();
    let events: Vec<serde_json::Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let attempt = events.iter().find(|event| event["fields"]["message"] == "attempt ended").unwrap();
    for field in ["attempt", "entry", "puskesmas", "class", "status", "server_request_id", "duration_ms"] {
        assert!(!attempt["fields"][field].is_null(), "{field} is missing: {attempt}");
    }
    let call = events.iter().find(|event| event["fields"]["call"] == "write").unwrap();
    assert_eq!(call["span"]["name"], "attempt", "{call}");
    assert!(call["fields"]["request_id"].is_string() && call["span"]["entry"].is_number(), "{call}");
    let asked = events.iter().find(|event| event["fields"]["path"] == "/metrics").unwrap();
    assert_eq!(asked["fields"]["message"], "request answered");
}

#[test]
fn a_main_loop_that_hangs_is_not_called_alive() {
    // A database that takes the connection and never says a word: the round waits for it, and nothing comes of that.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let town = Town::ready(&free_address());
    let text = town.read(CONFIG);
    let (kept, _) = text.split_once("[[source]]\nname = \"utara\"").unwrap();
    let source = format!(
        "[[source]]\nname = \"bisu\"\nprofile = \"posyandu_laravel\"\nurl = \"postgres://pembaca@{}/posyandu\"\n\
         puskesmas = \"Puskesmas Utara\"\n",
        silent.local_addr().unwrap()
    );
    town.write(CONFIG, &format!("{kept}{source}"));
    let service = Service::start(town);
    service.hears("READY=1");
    service.hears("WATCHDOG=1");
    let begun = Instant::now();
    loop {
        let quiet = Instant::now();
        match service.heard(3 * WATCHDOG) {
            // A manager would have killed it by now.
            None => break,
            Some(_) => assert!(begun.elapsed() < PATIENCE, "it never fell silent"),
        }
        assert!(quiet.elapsed() < 3 * WATCHDOG);
    }
    assert_eq!(service.ask("/healthz").0, 200, "the listener still answers, which is no sign of life");
    // The connection is given up after a while, and the loop goes on.
    service.hears("WATCHDOG=1");
    let log = service.stop();
    assert!(log.contains("bisu"), "{log}");
}
