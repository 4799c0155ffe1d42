//! A quick look whether a row between rows may be the header of another table.
//!
//! It must not decide: it only spares most rows the closer look, and writes nothing while it does.

use crate::source::cells::Cells;
use crate::source::is_blank;
use crate::source::layout::known_headers;
use crate::source::layout::plain::is_plain;
use crate::source::profile::Profile;

/// How many filled cells of a row are looked at.
const CELLS_LOOKED_AT: usize = 4;

/// All headers that the tables of a profile may have, by their first byte.
pub struct KnownHeaders(Vec<Vec<String>>);

impl KnownHeaders {
    /// The headers of a profile.
    pub fn of(profile: &Profile) -> Self {
        let mut all = vec![Vec::new(); 256];
        for header in profile.tables.iter().flat_map(known_headers) {
            let first = header.bytes().next().unwrap_or_default();
            let headers: &mut Vec<String> = &mut all[usize::from(first)];
            if !headers.contains(&header) {
                headers.push(header);
            }
        }
        Self(all)
    }

    /// Whether a row begins like a header: one of its first two filled cells is one, and another soon follows.
    pub fn begin(&self, cells: &Cells) -> bool {
        let mut known = 0;
        let filled = (0..cells.len()).filter_map(|at| cells.get(at)).filter(|cell| !is_blank(cell));
        for (at, cell) in filled.take(CELLS_LOOKED_AT).enumerate() {
            if at >= 2 && known == 0 {
                return false;
            }
            known += usize::from(self.contains(cell));
            if known == 2 {
                return true;
            }
        }
        false
    }

    fn contains(&self, cell: &str) -> bool {
        let of = |byte: u8| &self.0[usize::from(byte.to_ascii_lowercase())];
        match cell.as_bytes().first() {
            Some(first) if first.is_ascii_alphanumeric() => of(*first).iter().any(|header| is_plain(cell, header)),
            _ => self.0.iter().flatten().any(|header| is_plain(cell, header)),
        }
    }
}
