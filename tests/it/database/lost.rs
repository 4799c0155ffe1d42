//! Connections that break while a table is read, and what stays open between two pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use posyandu_gateway::source::problem::SourceError;
use posyandu_gateway::source::{self, Reading};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{keys, read, table, tables};
use crate::servers::{self, Database};

/// Rows of the table; each is longer than 100 bytes.
const ROWS: usize = 2_600;

/// Passes connections on to a server; each of the first `cuts` is cut after so many bytes from the server.
async fn proxy(to: u16, bytes: usize, cuts: usize) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            tokio::spawn(pass(near, far, if number < cuts { bytes } else { usize::MAX }));
        }
    });
    (port, opened)
}

async fn pass(near: TcpStream, far: TcpStream, mut left: usize) {
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
    let mut buffer = [0; 4_096];
    while left > 0 {
        let count = far_in.read(&mut buffer).await.unwrap_or(0).min(left);
        if count == 0 || near_out.write_all(&buffer[..count]).await.is_err() {
            break;
        }
        left -= count;
    }
    up.abort();
}

async fn long(server: &'static servers::Server) -> Database {
    let text = match server.is_postgres() {
        true => "CREATE TABLE t AS SELECT i AS id, repeat('x', 100) AS nama FROM generate_series(1, 2600) i".to_owned(),
        false => {
            "CREATE TABLE t(id int, nama varchar(100)); INSERT INTO t SELECT seq, REPEAT('x', 100) FROM seq_1_to_2600"
                .to_owned()
        }
    };
    server.database(&text).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_cut_connection_goes_on_behind_the_last_row() {
    let profile = tables(&[table("t", &["id"], "SELECT id, nama FROM t", &["nama"], "")]);
    let expected: Vec<String> = (1..=ROWS).map(|number| number.to_string()).collect();
    for server in [servers::postgres(), servers::mariadb()] {
        let database = long(server).await;
        for (bytes, connections) in [(70_000, 3), (100_003, 3), (200_001, 2)] {
            let (port, opened) = proxy(server.port, bytes, 2).await;
            let readings = read(&profile, &database.location_at(port)).await.unwrap();
            assert_eq!(keys(&readings), expected, "{} {bytes}", server.engine);
            assert_eq!(opened.load(Ordering::SeqCst), connections, "{} {bytes}", server.engine);
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_never_holds_is_given_up() {
    let profile = tables(&[table("t", &["id"], "SELECT id, nama FROM t", &["nama"], "")]);
    let database = long(servers::mariadb()).await;
    let location = database.location();
    let (port, opened) = proxy(servers::mariadb().port, 30_000, usize::MAX).await;
    let error = read(&profile, &database.location_at(port)).await.unwrap_err();
    assert!(matches!(error, SourceError::Lost { .. }), "{error}");
    assert_eq!(&*error.issue(&location).rule, "database.lost");
    assert_eq!(opened.load(Ordering::SeqCst), 7);
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_stays_open_between_two_pages() {
    let profile = tables(&[table("t", &["id"], "SELECT id, nama FROM t", &["nama"], "")]);
    for server in [servers::postgres(), servers::mariadb()] {
        let database = long(server).await;
        let mut rows = source::open(&profile, &database.location()).await.unwrap();
        assert!(matches!(rows.next().await.unwrap(), Some(Reading::Row(_))));
        let open = match server.is_postgres() {
            true => format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND state <> 'idle' AND pid <> pg_backend_pid()",
                database.name
            ),
            false => format!(
                "SELECT count(*) FROM information_schema.INNODB_TRX AS t JOIN information_schema.PROCESSLIST AS p
                 ON p.ID = t.trx_mysql_thread_id WHERE p.DB = '{}'",
                database.name
            ),
        };
        assert_eq!(database.number(&open).await, 0, "{}", server.engine);
        // The application can change its table at once.
        database.run("ALTER TABLE t ADD COLUMN baru int").await;
        database.run("DELETE FROM t WHERE id > 1000").await;
        let mut count = 1;
        while let Some(reading) = rows.next().await.unwrap() {
            assert!(matches!(reading, Reading::Row(_)));
            count += 1;
        }
        assert_eq!(count, 1_000, "{}", server.engine);
    }
}
