//! Reads delivered visits back in the background, each once, some minutes after it was sent.
//!
//! It lets everything else go first: nothing is read while something of today waits to be sent, and while anything
//! else waits it has its own share of the calls. Where it stands is in the ledger: what was read is marked there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::read_back::Fetched;
use super::{Line, Reconciliation, ReconciliationError, lines_to_read_back};

/// Visits taken from the ledger at once.
const PART: u32 = 20;
/// After this, what is hidden or could not be read is asked for again.
const AGAIN: Duration = Duration::from_secs(15 * 60);

/// How far each lane is, so that what cannot be read does not hold up the rest.
#[derive(Debug, Default)]
pub struct Cursors {
    lanes: HashMap<String, (i64, Timestamp)>,
}

impl Cursors {
    fn after(&mut self, lane: &str, now: Timestamp) -> i64 {
        match self.lanes.get(lane) {
            Some((after, since)) if now.duration_since(*since).unsigned_abs() < AGAIN => *after,
            _ => {
                self.lanes.insert(lane.to_owned(), (0, now));
                0
            }
        }
    }

    fn moved(&mut self, lane: &str, after: i64) {
        if let Some((known, _)) = self.lanes.get_mut(lane) {
            *known = after;
        }
    }
}

impl Reconciliation {
    /// Reads back what was delivered before a moment and not read yet, lanes side by side, one visit of each at a time;
    /// gives how many visits were read
    /// whole in one go. It ends early when `halt` is set, and leaves a lane when something of today waits in it.
    ///
    /// # Errors
    /// [`ReconciliationError`] when the ledger fails; a server that does not answer is asked again later.
    pub async fn read_back_unread(
        &self,
        before: Timestamp,
        cursors: &mut Cursors,
        halt: &AtomicBool,
    ) -> Result<u64, ReconciliationError> {
        let lines = lines_to_read_back(&self.lanes);
        let now = self.clock.now();
        let starts: Vec<i64> = lines.keys().map(|name| cursors.after(name, now)).collect();
        let runs = lines.values().zip(starts).map(|(line, after)| self.lane_unread(line, before, after, halt));
        let mut number = 0;
        for (line, ended) in lines.values().zip(futures_util::future::join_all(runs).await) {
            let (done, after) = ended?;
            number += done;
            cursors.moved(&line.lane.name, after);
        }
        Ok(number)
    }

    async fn lane_unread(
        &self,
        line: &Arc<Line>,
        before: Timestamp,
        mut after: i64,
        halt: &AtomicBool,
    ) -> Result<(u64, i64), ReconciliationError> {
        let mut number = 0;
        loop {
            let entries = self.ledger.unread(&line.lane.name, before, after, PART).await?;
            if entries.is_empty() {
                return Ok((number, after));
            }
            for entry in self.ledger.load(&entries).await? {
                let rests = line.stopped().is_some() || !line.may_ask(self.clock.now());
                if rests || halt.load(Ordering::Relaxed) || self.ledger.today_waits(&line.lane.name).await? {
                    return Ok((number, after));
                }
                let person = self.person(&entry).await?;
                let read = self.check(line, &entry, person, Fetched::new()).await?;
                after = entry.entry_id.number();
                number += u64::from(read.hidden + read.failed == 0);
            }
        }
    }
}
