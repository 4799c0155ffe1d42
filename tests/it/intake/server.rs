//! The intake of the real program: many apps at once, slow ones, a stop, and what happens to the records afterwards.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::counter::{TOKEN, record};
use crate::cli::town::{CONFIG, Satusehat, Town, free_address, no_personal_data, terminate};

/// Small posts, and connections that carry them.
const POSTS: u32 = 1_000;
const CONNECTIONS: usize = 64;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// `run` at work in a town whose posyandu are known and whose app has a token.
pub struct Running {
    pub town: Town,
    pub address: String,
    child: Child,
    _satusehat: Satusehat,
}

impl Running {
    pub fn start() -> Self {
        let satusehat = Satusehat::start(&[]);
        let town = Town::ready(&satusehat.address);
        let address = free_address();
        let text = town.read(CONFIG);
        let (kept, _) = text.split_once("[[source]]\nname = \"utara\"").unwrap();
        town.write("token.txt", &format!("{TOKEN}\n"));
        let http = format!("\n[http]\nlisten = \"{address}\"\n");
        let sender = "\n[[sender]]\nname = \"aplikasi\"\ntoken_file = \"token.txt\"\npuskesmas = \"Puskesmas Utara\"\n";
        town.write(CONFIG, &format!("{kept}{http}{sender}"));
        let log = std::fs::File::create(town.path("log.txt")).unwrap();
        let child = town.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut running = Self { town, address, child, _satusehat: satusehat };
        running.until("the posyandu are read", |running| running.ready());
        running
    }

    /// Whether records can be handed in: an empty list is answered.
    fn ready(&mut self) -> bool {
        assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.town.read("log.txt"));
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return false };
        let head = format!("host: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json");
        let request =
            format!("POST /v1/records HTTP/1.1\r\n{head}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
    }

    #[track_caller]
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}; {}", self.town.read("log.txt"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it as systemd does and gives what it wrote to the log.
    pub fn stop(mut self) -> (Town, String) {
        terminate(&self.child);
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = self.town.read("log.txt");
        no_personal_data(&log);
        assert!(!log.contains("Kenari") && !log.contains(TOKEN) && !log.contains("panicked"), "{log}");
        let town = std::mem::replace(&mut self.town, Town { folder: tempfile::tempdir().unwrap() });
        (town, log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn post(client: &reqwest::Client, address: &str, body: String) -> (u16, Vec<Value>) {
    let request = client.post(format!("http://{address}/v1/records")).bearer_auth(TOKEN);
    let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_small_posts_at_once_are_all_answered_and_all_in_the_ledger() {
    let mut running = tokio::task::spawn_blocking(Running::start).await.unwrap();
    let before = running.town.counts()["read"].as_u64().unwrap();
    let next = Arc::new(AtomicU32::new(0));
    let mut lines = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (next, address) = (Arc::clone(&next), running.address.clone());
        lines.spawn(async move {
            let client = client();
            let mut accepted = 0_u32;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= POSTS {
                    return accepted;
                }
                let (status, items) =
                    post(&client, &address, record(&format!("anak-{number}"), number).to_string()).await;
                assert_eq!((status, items.len()), (200, 1));
                assert_eq!(
                    (&items[0]["id"], &items[0]["outcome"]),
                    (&format!("anak-{number}").into(), &"accepted".into())
                );
                accepted += 1;
            }
        });
    }
    let accepted: u32 = lines.join_all().await.into_iter().sum();
    assert_eq!(accepted, POSTS);
    let counts = running.town.counts();
    assert_eq!(counts["read"].as_u64().unwrap() - before, u64::from(POSTS), "{counts}");
    assert_eq!(counts["issue"], 0, "{counts}");
    // One of the simulator's people: accepted by SATUSEHAT without waiting for the next round.
    let mut known = record("anak-rafi", 0);
    known["sasaran"]["nik"] = "1001011003236678".into();
    known["sasaran"]["nama"] = "Rafi Aruna Rekaan".into();
    let (status, items) = post(&client(), &running.address, known.to_string()).await;
    assert_eq!((status, &items[0]["outcome"]), (200, &"accepted".into()));
    let running = tokio::task::spawn_blocking(move || {
        running.until("the visit is delivered", |running| running.town.counts()["delivered"] == 1);
        running
    });
    let (town, _) = running.await.unwrap().stop();
    assert_eq!(town.counts()["read"].as_u64().unwrap() - before, u64::from(POSTS) + 1);
}

#[test]
fn a_caller_that_never_ends_its_head_is_cut_off_and_does_not_keep_the_gateway_from_stopping() {
    let running = Running::start();
    let mut slow = TcpStream::connect(&running.address).unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    slow.write_all(b"POST /v1/records HTTP/1.1\r\nhost: x\r\n").unwrap();
    let begun = Instant::now();
    let mut answer = Vec::new();
    let ended = slow.read_to_end(&mut answer);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    let idle = TcpStream::connect(&running.address).unwrap();
    let (_, log) = running.stop();
    assert!(log.contains("taking records at"), "{log}");
    drop(idle);
}

#[test]
fn a_token_that_is_too_weak_or_an_address_that_is_taken_is_told_at_the_start() {
    let town = Town::ready(&free_address());
    let sender = "\n[[sender]]\nname = \"aplikasi\"\ntoken_file = \"token.txt\"\npuskesmas = \"Puskesmas Utara\"\n";
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("\n[http]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    town.write(CONFIG, &format!("{}{listen}{sender}", town.read(CONFIG)));
    town.gateway(&["run"]).one_sentence(2, &["aplikasi", "token.txt"]);
    town.write("token.txt", "too-short\n");
    let told = town.gateway(&["run"]);
    told.one_sentence(2, &["aplikasi", "32", "openssl rand -hex 32"]);
    assert!(!told.err.contains("too-short"));
    town.write("token.txt", TOKEN);
    town.gateway(&["run"]).one_sentence(2, &["[http] listen", &taken.local_addr().unwrap().to_string()]);
}
