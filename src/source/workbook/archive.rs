//! A look at the directory of a zip archive before anything is unpacked, and at its content before it is trusted.
//!
//! It must not unpack into memory. A sheet is read only up to its last row, so the check sums are compared here: a
//! damaged copy must not give wrong numbers.

use std::fs::File;
use std::io::{self, BufReader, Read};

use zip::ZipArchive;

use super::frame::Refusal;

/// Most bytes of all entries together when unpacked (fault 56).
const UNPACKED_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// Most bytes that one packed byte may become (fault 56).
const RATIO_MAX: u64 = 100;
/// Entries up to this size may be packed tighter, in bytes: an empty form is.
const RATIO_FREE_BYTES: u64 = 8 * 1024 * 1024;
/// Most entries (fault 56).
const ENTRIES_MAX: usize = 2000;

/// The kinds of workbook in a zip archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// XLSX or XLSM.
    Xlsx,
    /// XLSB.
    Xlsb,
    /// ODS.
    Ods,
}

/// Tells the kind of workbook and refuses what is packed too tight, locked or damaged.
///
/// # Errors
/// [`Refusal`] says why.
pub fn scan(file: File) -> Result<Kind, Refusal> {
    let damaged = |_| Refusal::Damaged;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    if archive.len() > ENTRIES_MAX {
        return Err(Refusal::Heavy);
    }
    let mut kind = None;
    let mut total = 0_u64;
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).map_err(damaged)?;
        if entry.encrypted() {
            return Err(Refusal::Password);
        }
        total = total.saturating_add(entry.size());
        let packed = entry.compressed_size().max(1);
        if total > UNPACKED_BYTES_MAX || (entry.size() > RATIO_FREE_BYTES && entry.size() / packed > RATIO_MAX) {
            return Err(Refusal::Heavy);
        }
        let name = entry.name().map_err(damaged)?.to_ascii_lowercase();
        kind = match name.as_str() {
            "mimetype" => Some(Kind::Ods),
            _ if name.ends_with("workbook.bin") => kind.or(Some(Kind::Xlsb)),
            _ if name.ends_with("workbook.xml") => kind.or(Some(Kind::Xlsx)),
            _ => kind,
        };
    }
    let kind = kind.ok_or(Refusal::NoWorkbook)?;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(damaged)?;
        let declared = entry.size();
        // Reading to the end compares the check sum; an entry longer than it says is a trap.
        let read = io::copy(&mut entry.take(declared + 1), &mut io::sink()).map_err(|_| Refusal::Damaged)?;
        if read != declared {
            return Err(if read > declared { Refusal::Heavy } else { Refusal::Damaged });
        }
    }
    Ok(kind)
}
