//! The chain over the ledger's history: each transaction adds one link, keyed, over what it appended and over the new
//! state of what it changed, so that nobody rewrites the books without being found out by `ledger verify`.
//!
//! The code of a link is HMAC-SHA-256 under the installation's hash key. A plain hash could be computed again by
//! anybody who has the file; with a key, the file alone is not enough. Whoever also has the key file can write another
//! history, and whoever has the file can cut off its end: against both stands a checkpoint kept elsewhere.
//!
//! There is one chain per file. A ledger on a server has none: the texts that are hashed are made by SQLite, and one
//! chain would make all daemons wait for its end at each commit.
//!
//! It must not know what the rows mean; what is covered stands in `store::covered`.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::LedgerError;
use super::mirror::{self, Told};
use super::store::chain::{self, LINK_MAX, StoredLink, Touched};
use super::store::covered::Kind;
use crate::seal::Keys;

/// What the first link follows.
pub(super) const NOTHING: [u8; 32] = [0; 32];
/// Length of the code of a state, in bytes (128 bits).
pub(super) const STATE_CODE_BYTES: usize = 16;

/// Makes links. One per connection that writes.
#[derive(Debug)]
pub struct Chain {
    keys: Arc<Keys>,
    /// The lock file and its name; a copy that is being made ready has none.
    lock: Option<(File, PathBuf)>,
    /// The last link made, committed or not.
    last: Mutex<Option<(i64, [u8; 32])>>,
}

impl Chain {
    /// Lets a connection note what it touches; chains what stands in a ledger that has just got its chain.
    pub async fn begin(
        connection: &mut SqliteConnection,
        keys: Arc<Keys>,
        now: Timestamp,
    ) -> Result<Self, LedgerError> {
        chain::watch(connection).await?;
        let chain = Self { keys, lock: None, last: Mutex::new(None) };
        if chain::is_due(connection).await? {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
            chain::touch_all(connection).await?;
            chain.link_pages(connection, now, true).await?;
            sqlx::query("COMMIT").execute(connection).await?;
        }
        Ok(chain)
    }

    /// Keeps the lock and tells it from now on where the chain stands; whether what it told before is still so. It is
    /// not when an older copy of the ledger was put in place of the newer one.
    pub async fn follow(
        &mut self,
        connection: &mut SqliteConnection,
        lock: File,
        path: PathBuf,
    ) -> Result<bool, LedgerError> {
        let is_so = match mirror::told(&lock, &path)? {
            Told::Link(number, code) => chain::code_of(connection, number).await? == Some(code),
            Told::Nothing | Told::Begun => true,
        };
        self.lock = Some((lock, path));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = chain::head(connection).await?;
        Ok(is_so)
    }

    /// Tells the lock file where the chain stands, after a commit.
    pub fn tell(&self) -> Result<(), LedgerError> {
        match (&self.lock, *self.last.lock().unwrap_or_else(PoisonError::into_inner)) {
            (Some((lock, path)), Some((number, code))) => mirror::tell(lock, path, number, &code),
            _ => Ok(()),
        }
    }

    /// Adds the link of a transaction; the last thing before its commit.
    pub async fn link(&self, connection: &mut SqliteConnection, now: Timestamp) -> Result<(), LedgerError> {
        self.link_pages(connection, now, false).await
    }

    async fn link_pages(
        &self,
        connection: &mut SqliteConnection,
        now: Timestamp,
        is_first: bool,
    ) -> Result<(), LedgerError> {
        let (mut after, mut must_link) = ((String::new(), 0, 0), is_first);
        loop {
            let touched = chain::touched(connection, (&after.0, after.1, after.2)).await?;
            let size: i64 = touched.iter().map(|(_, number, _)| number).sum();
            if size == 0 && !must_link {
                break;
            }
            must_link = false;
            self.append(connection, now, &touched, size).await?;
            if size < LINK_MAX {
                break;
            }
            after = last_of(&touched)?;
        }
        chain::forget_touched(connection).await
    }

    async fn append(
        &self,
        connection: &mut SqliteConnection,
        now: Timestamp,
        touched: &[Touched],
        size: i64,
    ) -> Result<(), LedgerError> {
        let (number, previous) =
            chain::head(connection).await?.map_or((1, NOTHING), |(number, code)| (number + 1, code));
        let (mut covers, mut texts) = (String::from("{"), Vec::new());
        for (name, rows, keys) in touched {
            let kind = Kind::named(name).ok_or(LedgerError::Spoiled("chain"))?;
            if covers.len() > 1 {
                covers.push(',');
            }
            covers.push_str(&format!("\"{name}\":"));
            if kind.is_history {
                let (text, found) = chain::history(connection, kind, keys).await?;
                if found != *rows {
                    return Err(LedgerError::Spoiled("chain"));
                }
                texts.push(text);
                covers.push_str(keys);
            } else {
                let states = chain::states(connection, kind, keys).await?;
                let codes: Vec<String> = states
                    .iter()
                    .map(|(id, text)| {
                        format!("[{id},\"{}\"]", super::store::hex(&state_code(&self.keys, name, *id, text)))
                    })
                    .collect();
                covers.push_str(&format!("[{}]", codes.join(",")));
            }
        }
        covers.push('}');
        let at = now.as_millisecond();
        let code = link_code(&self.keys, (number, at, size), &previous, &covers, &texts);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, code));
        let link = StoredLink { number, at, previous: previous.to_vec(), size, covers, code: code.to_vec() };
        chain::append(connection, &link).await
    }
}

/// The greatest key of a page.
fn last_of(touched: &[Touched]) -> Result<(String, i64, i64), LedgerError> {
    let (kind, _, keys) = touched.last().ok_or(LedgerError::Spoiled("chain"))?;
    let keys: Vec<(i64, i64)> = serde_json::from_str(keys).map_err(|_| LedgerError::Spoiled("chain"))?;
    let (id, seq) = keys.last().ok_or(LedgerError::Spoiled("chain"))?;
    Ok((kind.clone(), *id, *seq))
}

/// The code of a link: over its number, time and size, the link before it, and what it covers.
pub(super) fn link_code(
    keys: &Keys,
    (number, at, size): (i64, i64, i64),
    previous: &[u8],
    covers: &str,
    texts: &[String],
) -> [u8; 32] {
    let (number, at, size) = (number.to_be_bytes(), at.to_be_bytes(), size.to_be_bytes());
    let mut parts: Vec<&[u8]> = vec![&number, &at, &size, previous, covers.as_bytes()];
    parts.extend(texts.iter().map(String::as_bytes));
    keys.code("ledger.chain", &parts)
}

/// The code of a state.
pub(super) fn state_code(keys: &Keys, kind: &str, id: i64, text: &str) -> [u8; STATE_CODE_BYTES] {
    let code = keys.code("ledger.state", &[kind.as_bytes(), &id.to_be_bytes(), text.as_bytes()]);
    let mut short = [0; STATE_CODE_BYTES];
    short.copy_from_slice(&code[..STATE_CODE_BYTES]);
    short
}
