//! Where the chain stands, told a second time outside the database, in the lock file: so a ledger that is gone is not
//! begun anew in silence, and an older copy put in its place is noticed.
//!
//! It is written after each commit and not synced: after a power cut it may lag behind the database, never lead it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use data_encoding::HEXLOWER;

use super::LedgerError;

/// Longest content, in bytes.
const BYTES_MAX: usize = 128;

/// What the lock file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// There was no ledger yet, or one without a chain.
    Nothing,
    /// There was a ledger; where its chain stood cannot be read.
    Begun,
    /// The chain had this link with this code.
    Link(i64, [u8; 32]),
}

/// Reads what the lock file says.
pub fn told(lock: &File, path: &Path) -> Result<Told, LedgerError> {
    let mut bytes = [0; BYTES_MAX];
    let length = lock.read_at(&mut bytes, 0).map_err(|source| failed(path, source))?;
    if length == 0 {
        return Ok(Told::Nothing);
    }
    let read = || {
        let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
        let (number, rest) = text.split_once(' ')?;
        let code = HEXLOWER.decode(rest.split('\n').next()?.as_bytes()).ok()?;
        Some(Told::Link(number.trim_start_matches('0').parse().ok()?, code.try_into().ok()?))
    };
    Ok(read().unwrap_or(Told::Begun))
}

/// Tells where the chain stands.
pub fn tell(lock: &File, path: &Path, number: i64, code: &[u8; 32]) -> Result<(), LedgerError> {
    // Always as long, so that nothing of an older text is left behind it.
    let text = format!("{number:020} {}\n", HEXLOWER.encode(code));
    lock.write_all_at(text.as_bytes(), 0).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Folder { path: path.to_owned(), source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_reads_back_and_anything_else_only_says_that_there_was_a_ledger() {
        let file = tempfile::tempfile().unwrap();
        let at = Path::new("ledger.sqlite.lock");
        assert_eq!(told(&file, at).unwrap(), Told::Nothing);
        tell(&file, at, 1_234, &[7; 32]).unwrap();
        tell(&file, at, 17, &[9; 32]).unwrap();
        assert_eq!(told(&file, at).unwrap(), Told::Link(17, [9; 32]));
        for spoilt in [[0_u8; 90].as_slice(), b"00000000000000000017 09", b"\xff"] {
            file.set_len(0).unwrap();
            file.write_all_at(spoilt, 0).unwrap();
            assert_eq!(told(&file, at).unwrap(), Told::Begun, "{spoilt:?}");
        }
    }
}
