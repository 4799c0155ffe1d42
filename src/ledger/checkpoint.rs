//! A checkpoint: where the chain stood at a moment, signed with the installation's key, to be kept where nobody who
//! reaches the ledger reaches it too. A ledger that no longer contains it was cut, rewritten or replaced.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::hex;
use crate::seal::Keys;

/// What the first line of a checkpoint calls itself.
const FORMAT: &str = "posyandu-gateway checkpoint 1";
/// Largest checkpoint read, in bytes.
const BYTES_MAX: u64 = 4_096;

/// Where the chain stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    format: String,
    /// Number of the last link.
    pub number: i64,
    /// Its code, in hexadecimal.
    pub code: String,
    /// When it was made.
    pub at: Timestamp,
    /// Rows read by then.
    pub read: u64,
    /// Visits delivered by then.
    pub delivered: u64,
    /// Over all of this, keyed.
    signature: String,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It cannot be read.
    #[error("the checkpoint {} cannot be read", path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no checkpoint.
    #[error("{} is not a checkpoint of posyandu-gateway", .0.display())]
    Foreign(std::path::PathBuf),
    /// It was altered, or signed with another installation's key.
    #[error("the checkpoint {} was altered, or another installation signed it", .0.display())]
    Forged(std::path::PathBuf),
}

impl Checkpoint {
    /// Signs where the chain stands.
    #[must_use]
    pub fn new(keys: &Keys, number: i64, code: &[u8; 32], at: Timestamp, read: u64, delivered: u64) -> Self {
        let (format, code) = (FORMAT.to_owned(), hex(code));
        let mut checkpoint = Self { format, number, code, at, read, delivered, signature: String::new() };
        checkpoint.signature = checkpoint.signed(keys);
        checkpoint
    }

    fn signed(&self, keys: &Keys) -> String {
        let (number, at) = (self.number.to_string(), self.at.to_string());
        let (read, delivered) = (self.read.to_string(), self.delivered.to_string());
        hex(&keys.hash("ledger.checkpoint", &[&self.format, &number, &self.code, &at, &read, &delivered]))
    }

    /// Reads a checkpoint and checks its signature.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn load(path: &Path, keys: &Keys) -> Result<Self, CheckpointError> {
        let failed = |source| CheckpointError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(failed)?.len() > BYTES_MAX {
            return Err(CheckpointError::Foreign(path.to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let foreign = |_| CheckpointError::Foreign(path.to_owned());
        let checkpoint: Self = serde_json::from_str(&text).map_err(foreign)?;
        if checkpoint.format != FORMAT {
            return Err(CheckpointError::Foreign(path.to_owned()));
        }
        match checkpoint.signed(keys) == checkpoint.signature {
            true => Ok(checkpoint),
            false => Err(CheckpointError::Forged(path.to_owned())),
        }
    }

    /// Whether the link of its number has its code.
    #[must_use]
    pub fn is_in(&self, code: Option<[u8; 32]>) -> bool {
        code.is_some_and(|code| hex(&code) == self.code)
    }
}
