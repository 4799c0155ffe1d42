//! Throw-away database servers on this computer, one of each kind per test process, and a database for each test.
//!
//! They end with the process, also when it is killed: a small shell beside each server waits for its input to close.

mod mariadb;
mod postgres;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use posyandu_gateway::redact::Personal;
use posyandu_gateway::source::{Location, Server as Address};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, MySqlConnection, PgConnection};

/// The account that the tests read with, and the one that owns everything; both with this password.
pub const READER: &str = "pembaca";
pub const OWNER: &str = "pemilik";
pub const PASSWORD: &str = "kata/sandi?@uji";
/// How to get what is missing.
const INSTALL: &str = "install them with: apt-get install --yes postgresql mariadb-server";
/// What PostgreSQL says while it starts (cannot_connect_now).
const NOT_YET: &str = "57P03";
/// Looks at a server that is starting, at most, and the pause between two of them in milliseconds.
const LOOKS_MAX: u32 = 600;
const LOOK_PAUSE_MS: u64 = 100;

/// A running server.
pub struct Server {
    pub engine: &'static str,
    pub port: u16,
    /// Closing it ends the server; a PostgreSQL is told here to stop at once (`crash`) and to start again (`start`).
    watch: Mutex<ChildStdin>,
}

/// A database of its own on a server.
pub struct Database {
    pub server: &'static Server,
    pub name: String,
}

pub fn postgres() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(postgres::start)
}

/// A server of one's own, to be ended and started at will; it stays until the tests end.
pub fn postgres_of_its_own() -> &'static Server {
    Box::leak(Box::new(postgres::start()))
}

pub fn mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(mariadb::start)
}

/// A connection of the account that owns everything.
pub enum Owner {
    Postgres(PgConnection),
    MariaDb(MySqlConnection),
}

impl Owner {
    pub async fn run(&mut self, statements: &str) {
        let query = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        match self {
            Self::Postgres(owner) => query.execute(owner).await.map(|_| ()).unwrap(),
            Self::MariaDb(owner) => query.execute(owner).await.map(|_| ()).unwrap(),
        }
    }
}

impl Server {
    /// A new database with these tables, which the reading account may read.
    pub async fn database(&'static self, statements: &str) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("uji_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let any = Database { server: self, name: self.first_database().to_owned() };
        any.run(&format!("CREATE DATABASE {name}")).await;
        let database = Database { server: self, name };
        database.run(statements).await;
        database.grant().await;
        database
    }

    /// Ends it as a crash would: nothing is finished, nothing is told. Connections are gone when this returns.
    pub fn crash(&self) {
        self.tell("crash");
        self.wait(false);
    }

    /// Starts it again.
    pub fn start(&self) {
        self.tell("start");
        self.wait(true);
    }

    fn tell(&self, word: &str) {
        writeln!(self.watch.lock().unwrap(), "{word}").unwrap();
    }

    fn wait(&self, answers: bool) {
        for _ in 0..LOOKS_MAX {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() == answers {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(LOOK_PAUSE_MS));
        }
        panic!("{} does not do as it is told", self.engine);
    }

    pub fn is_postgres(&self) -> bool {
        self.engine == "postgres"
    }

    fn first_database(&self) -> &'static str {
        if self.is_postgres() { "postgres" } else { "mysql" }
    }
}

impl Database {
    /// Lets the reading account read every table there is.
    pub async fn grant(&self) {
        let name = &self.name;
        self.run(&match self.server.is_postgres() {
            true => format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}"),
            false => format!("GRANT SELECT ON {name}.* TO {READER}@'%'"),
        })
        .await;
    }

    /// A connection of the owner.
    pub async fn owner(&self) -> Owner {
        let port = self.server.port;
        match self.server.is_postgres() {
            true => {
                let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).username(OWNER);
                Owner::Postgres(let_in(&options.password(PASSWORD).database(&self.name)).await)
            }
            false => {
                let options = MySqlConnectOptions::new().host("127.0.0.1").port(port).username(OWNER);
                Owner::MariaDb(options.password(PASSWORD).database(&self.name).connect().await.unwrap())
            }
        }
    }

    /// Runs statements as the owner.
    pub async fn run(&self, statements: &str) {
        self.owner().await.run(statements).await;
    }

    /// The first value of a question, asked by the owner.
    pub async fn number(&self, question: &str) -> i64 {
        let query = AssertSqlSafe(question.to_owned());
        match &mut self.owner().await {
            Owner::Postgres(owner) => sqlx::query_scalar(query).fetch_one(owner).await.unwrap(),
            Owner::MariaDb(owner) => sqlx::query_scalar(query).fetch_one(owner).await.unwrap(),
        }
    }

    pub fn url(&self) -> String {
        self.url_at(self.server.port)
    }

    pub fn url_at(&self, port: u16) -> String {
        format!("{}://{READER}@127.0.0.1:{port}/{}", self.server.engine, self.name)
    }

    pub fn location(&self) -> Location {
        self.location_at(self.server.port)
    }

    /// The same database behind another port.
    pub fn location_at(&self, port: u16) -> Location {
        located(&self.url_at(port), PASSWORD)
    }
}

/// A connection to a PostgreSQL that may have been started just now: it answers before it lets anybody in.
async fn let_in(options: &PgConnectOptions) -> PgConnection {
    for _ in 0..LOOKS_MAX {
        match options.connect().await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_YET) => {
                tokio::time::sleep(std::time::Duration::from_millis(LOOK_PAUSE_MS)).await;
            }
            done => return done.unwrap(),
        }
    }
    panic!("PostgreSQL lets nobody in");
}

/// A source on a server.
pub fn located(url: &str, password: &str) -> Location {
    let mut location = Location::file_at("uji", PathBuf::new(), PathBuf::new());
    let password = Some(Personal::new(password.to_owned()));
    location.server = Some(Address { url: url.to_owned(), password, offset: "+07:00".to_owned() });
    location
}

/// Starts a server by a script that tells its folder in the first line and then waits for its input to close.
/// `$PORT` is free; the script ends the server and removes its folder.
fn watched(engine: &'static str, script: &str) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut watch: Child = Command::new("sh")
        .args(["-c", script])
        .env("PORT", port.to_string())
        .env("OWNER", OWNER)
        .env("READER", READER)
        .env("PASSWORD", PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said.trim(), "started", "{engine} did not start ({}); {INSTALL}", said.trim());
    for look in 0.. {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        assert!(look < LOOKS_MAX && watch.try_wait().unwrap().is_none(), "{engine} does not answer; {INSTALL}");
        std::thread::sleep(std::time::Duration::from_millis(LOOK_PAUSE_MS));
    }
    Server { engine, port, watch: Mutex::new(watch.stdin.take().unwrap()) }
}
