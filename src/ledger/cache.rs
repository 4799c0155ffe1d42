//! Server ids of persons by keyed hash, and access tokens: both only spare calls and may be emptied at any time.
//!
//! Nothing here is a book of visits, and nothing may rely on it.

use std::collections::HashMap;

use jiff::Timestamp;

use super::command::Command;
use super::store::{cache, time};
use super::{Ledger, LedgerError};
use crate::crash;
use crate::redact::Personal;

impl Ledger {
    /// Remembers the server id behind a keyed hash until it expires.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn put_identity(
        &self,
        kind: &str,
        key: [u8; 32],
        server_id: &str,
        expires: Timestamp,
    ) -> Result<(), LedgerError> {
        let (kind, server_id) = (kind.to_owned(), Some(server_id.to_owned()));
        crash::around(
            "ledger.put_identity",
            self.writer()?.ask(|reply| Command::PutIdentity { kind, key, server_id, expires, reply }),
        )
        .await
    }

    /// Forgets the server id behind a keyed hash, after the server called it invalid.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn forget_identity(&self, kind: &str, key: [u8; 32]) -> Result<(), LedgerError> {
        let (kind, expires) = (kind.to_owned(), self.clock.now());
        self.writer()?.ask(|reply| Command::PutIdentity { kind, key, server_id: None, expires, reply }).await
    }

    /// The server id behind a keyed hash, while it is valid.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn identity(&self, kind: &str, key: &[u8; 32]) -> Result<Option<String>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        cache::identity(&mut reader, kind, key, self.clock.now()).await
    }

    /// The server ids behind several keyed hashes, as far as they are valid.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn identities(&self, kind: &str, keys: &[[u8; 32]]) -> Result<HashMap<[u8; 32], String>, LedgerError> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let mut reader = self.readers.acquire().await?;
        cache::identities(&mut reader, kind, keys, self.clock.now()).await
    }

    /// Keeps a client's access token, sealed, until it ends.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn put_token(
        &self,
        client: &str,
        token: &Personal<String>,
        expires: Timestamp,
    ) -> Result<(), LedgerError> {
        let sealed = Some(self.keys.seal(&format!("token/{client}"), token.reveal().as_bytes())?);
        let client = client.to_owned();
        crash::around(
            "ledger.put_token",
            self.writer()?.ask(|reply| Command::PutToken { client, sealed, expires, reply }),
        )
        .await
    }

    /// Forgets a client's access token, after the server refused it.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn forget_token(&self, client: &str) -> Result<(), LedgerError> {
        let (client, expires) = (client.to_owned(), self.clock.now());
        crash::around(
            "ledger.forget_token",
            self.writer()?.ask(|reply| Command::PutToken { client, sealed: None, expires, reply }),
        )
        .await
    }

    /// A client's access token and its end, while it is valid.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn token(&self, client: &str) -> Result<Option<(Personal<String>, Timestamp)>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let Some((sealed, expires)) = cache::token(&mut reader, client, self.clock.now()).await? else {
            return Ok(None);
        };
        let token = String::from_utf8(self.keys.open(&format!("token/{client}"), &sealed)?);
        Ok(Some((Personal::new(token.map_err(|_| LedgerError::Spoiled("token"))?), time(expires)?)))
    }
}
