//! The connection of one reading: opened, and opened again when it breaks.
//!
//! It must not know what was read: who asks for a page says behind which key, so that a page asked for twice gives
//! no row twice.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

use super::connection::{Connection, Line};
use super::dialect::Column;
use super::trouble::Trouble;
use super::{Engine, Key, STATEMENT_SECONDS, address, mysql, postgres, sqlite};
use crate::source::problem::SourceError;
use crate::source::{Location, Server};

/// Longest wait for a connection, in seconds.
const CONNECT_SECONDS: u64 = 15;
/// Longest wait for a page, in seconds: a little more than the server gives itself.
const ANSWER_SECONDS: u64 = STATEMENT_SECONDS + 15;
/// New connections in a row after one broke, at most.
const RECONNECTS_MAX: usize = 6;
/// First pause before a new connection; each one after it is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause before a new connection.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// A connection that mends itself.
pub struct Link {
    engine: Engine,
    location: Location,
    /// What is read, for messages.
    file: String,
    connection: Option<Connection>,
    still: Option<sqlite::Still>,
}

impl Link {
    /// Opens a file or a server. A server that cannot be reached at all is a problem at once.
    pub async fn open(location: &Location) -> Result<Self, SourceError> {
        let file = location.file();
        let (engine, connection, still) = match &location.server {
            None => {
                let (connection, still) = sqlite::open(location).await?;
                (Engine::Sqlite, connection, still)
            }
            Some(server) => {
                let engine = address::engine_of(&server.url)
                    .map_err(|source| SourceError::Address { file: file.clone(), source })?;
                let connection = connect(engine, server).await.map_err(|error| Trouble::opening(error, &file))?;
                (engine, connection, None)
            }
        };
        Ok(Self { engine, location: location.clone(), file, connection: Some(connection), still })
    }

    /// The engine at the other end.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Whether a file that is read without locks is another one by now.
    pub fn changed(&self) -> bool {
        self.still.as_ref().is_some_and(sqlite::Still::changed)
    }

    /// The columns of a query of a table.
    pub async fn columns(&mut self, table: &str, query: &str) -> Result<Vec<Column>, SourceError> {
        let answer = match &mut self.connection {
            Some(connection) => in_time(ANSWER_SECONDS, connection.columns(query)).await,
            None => Err(closed()),
        };
        answer.map_err(|error| Trouble::problem(error, &self.file, table))
    }

    /// The rows of a page of a table; a broken connection is replaced, with growing pauses.
    pub async fn lines(
        &mut self,
        table: &str,
        page: &str,
        keys: &[Key],
        positions: &[usize],
    ) -> Result<Vec<Line>, SourceError> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(RECONNECTS_MAX)
            .build();
        loop {
            let error = match self.attempt(page, keys, positions).await {
                Ok(lines) => return Ok(lines),
                Err(error) => error,
            };
            let pause = if Trouble::of(&error) == Trouble::Lost { pauses.next() } else { None };
            let Some(pause) = pause else { return Err(Trouble::problem(error, &self.file, table)) };
            tracing::info!(database = %self.file, table, "the connection broke; reading goes on behind the last row");
            self.connection = None;
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&mut self, page: &str, keys: &[Key], positions: &[usize]) -> Result<Vec<Line>, sqlx::Error> {
        let mut connection = match (self.connection.take(), &self.location.server) {
            (Some(connection), _) => connection,
            (None, Some(server)) => connect(self.engine, server).await?,
            (None, None) => return Err(closed()),
        };
        let lines = in_time(ANSWER_SECONDS, connection.lines(page, keys, positions)).await?;
        self.connection = Some(connection);
        Ok(lines)
    }

    /// The number in the only row of a question about the account; `None` when the server does not say.
    pub async fn number(&mut self, question: &str) -> Option<u64> {
        let lines = self.attempt(question, &[], &[]).await.ok()?;
        lines.first()?.cells.get(0)?.parse().ok()
    }
}

async fn connect(engine: Engine, server: &Server) -> Result<Connection, sqlx::Error> {
    in_time(CONNECT_SECONDS, async {
        match engine {
            Engine::Postgres => postgres::open(server).await.map(Connection::Postgres),
            Engine::MySql => mysql::open(server).await.map(Connection::MySql),
            Engine::Sqlite => Err(closed()),
        }
    })
    .await
}

/// An answer within a time; without one the connection counts as broken.
async fn in_time<T>(seconds: u64, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(Duration::from_secs(seconds), answer).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed))),
    }
}

fn closed() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::NotConnected.into())
}
