//! Who can reach the pages: this machine alone, unless a proxy with TLS and accounts are set up.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use super::town::{Told, Town, free_address, terminate};

/// A gateway that runs with its listener beyond this machine.
struct Open {
    child: Child,
    port: String,
}

impl Open {
    /// Started, and listening once it says that this is so.
    fn start(town: &Town, more: &[(&str, &str)]) -> Self {
        let port = free_address().rsplit(':').next().unwrap().to_owned();
        let mut command = town.command(&["run", "--log-level", "warn"]);
        command.env("POSYANDU_GATEWAY__HTTP__LISTEN", format!("0.0.0.0:{port}"));
        for (name, value) in more {
            command.env(format!("POSYANDU_GATEWAY__DASHBOARD__{name}"), value);
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("listening beyond this machine")), "it never listened");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    /// The first line of what it answers, and where it sends the browser.
    fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        let host = format!("127.0.0.1:{}", self.port);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
        (answer.lines().next().unwrap_or_default().to_owned(), location.to_owned())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        terminate(&self.child);
        let _ = self.child.wait();
    }
}

/// What `run` says when it may not listen.
fn refused(town: &Town, more: &[(&str, &str)], words: &[&str]) {
    let mut command = town.command(&["run"]);
    command.env("POSYANDU_GATEWAY__HTTP__LISTEN", "0.0.0.0:0");
    for (name, value) in more {
        command.env(format!("POSYANDU_GATEWAY__DASHBOARD__{name}"), value);
    }
    let told = Told::of(&mut command);
    assert_eq!(told.code, Some(2), "{}", told.err);
    for word in words {
        assert!(told.err.contains(word), "`{word}` is missing: {}", told.err);
    }
}

#[test]
fn pages_beyond_this_machine_want_a_proxy_with_tls_and_an_account() {
    let town = Town::ready("127.0.0.1:9");
    let behind = ("PUBLIC_URL", "https://posyandu.example");
    refused(&town, &[], &["0.0.0.0", "TLS", "[dashboard] public_url", "enabled = false"]);
    refused(&town, &[behind], &["0.0.0.0", "account add", "enabled = false"]);
    refused(&town, &[("PUBLIC_URL", "http://posyandu.example")], &["https://"]);
    {
        let without_pages = Open::start(&town, &[("ENABLED", "false")]);
        let (status, location) = without_pages.get("/");
        assert!(status.contains(" 404 ") && location.is_empty(), "{status}");
    }
    assert_eq!(town.gateway(&["account", "add", "adm", "--role", "admin"]).code, Some(0));
    refused(&town, &[], &["[dashboard] public_url"]);
    let open = Open::start(&town, &[behind]);
    for path in ["/", "/kerja", "/selisih", "/orang", "/segel", "/laporan/2026-11-18.csv"] {
        let (status, location) = open.get(path);
        assert!(status.contains(" 303 ") && location == "/masuk", "{path}: {status} {location}");
    }
}
