//! What the writer is asked for, one command each, and where its answer goes.
//!
//! Values only; the writer carries them out.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::LedgerError;
use super::attempt::AcceptedResource;
use super::entry::{EntryId, Finding, Lease};
use super::registration::Moment;
use super::row::{PassEnding, RowFate, RowTally};
use super::sharing::Calls;
use super::state::{Event, State};
use super::store::accounts;
use super::store::alarms;
use super::store::discrepancies;
use super::store::endings::Seen;
use super::store::entering::SealedEntry;
use super::store::lanes;
use super::store::persons::Batch;
use super::store::plans;
use super::store::questions::Answering;
use super::store::registrations;
use super::store::removals;
use super::store::server::Reach;
use super::store::statements::StoredStatement;
use super::store::taken;
use super::taken::TakenRows;
use super::turn::{Turn, Turns};

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// What a claim took: until when, the entries, and whose turn it is next.
#[derive(Debug)]
pub struct Taken {
    pub lease_until: Timestamp,
    pub entries: Vec<ClaimedEntry>,
    pub turns: Turns,
}

/// One entry of a claim.
#[derive(Clone, Copy, Debug)]
pub struct ClaimedEntry {
    pub entry: EntryId,
    pub turn: Turn,
    pub is_suspect: bool,
}

/// A command that runs by itself inside the group.
#[derive(Debug)]
pub enum Command {
    BeginPass { source: String, file: String, day: String, alone: bool, reply: Reply<i64> },
    SeeRows { pass: i64, batch: Batch, reply: Reply<(RowTally, Vec<RowFate>)> },
    FinishPass { pass: i64, ending: PassEnding, reply: Reply<RowTally> },
    Enter { entries: Vec<SealedEntry>, reply: Reply<()> },
    Remap { mapping_version: String, reply: Reply<u64> },
    Claim { lane: String, limit: u32, turns: Turns, lease: Lease, reply: Reply<Taken> },
    Prolong { reply: Reply<Timestamp> },
    Release { entry: EntryId, lease: Lease, event: Event, reply: Reply<State> },
    Resolve { entry: EntryId, event: Event, accepted: Vec<AcceptedResource>, seen: Option<Seen>, reply: Reply<State> },
    Decide { entry: EntryId, event: Event, command: Option<String>, reason_sealed: Vec<u8>, reply: Reply<State> },
    Verify { entry: EntryId, findings: Vec<(u32, Finding)>, compared: discrepancies::Compared, reply: Reply<()> },
    PutIdentity { kind: String, key: [u8; 32], server_id: Option<String>, expires: Timestamp, reply: Reply<()> },
    PutToken { client: String, sealed: Option<Vec<u8>>, expires: Timestamp, reply: Reply<()> },
    Lane { change: lanes::Change, reply: Reply<i64> },
    Plan { change: plans::Change, reply: Reply<Option<i64>> },
    TakeCalls { client: String, per_minute: u32, reply: Reply<Calls> },
    Register { change: registrations::Change, reply: Reply<Option<Moment>> },
    Alarm { change: alarms::Change, reply: Reply<alarms::Moved> },
    Removal { change: removals::Change, reply: Reply<i64> },
    Discrepancy { change: discrepancies::Change, reply: Reply<i64> },
    Taken { change: taken::Change, reply: Reply<Option<TakenRows>> },
    State { statements: Vec<StoredStatement>, reply: Reply<bool> },
    Account { change: accounts::Change, reply: Reply<bool> },
    Answer { answer: Answering, reply: Reply<i64> },
}

impl Command {
    /// What it may touch. Everything, unless it is known to be content with less.
    pub fn reach(&self) -> Reach {
        match self {
            Self::Claim { .. } | Self::Prolong { .. } | Self::Release { .. } => Reach::Own,
            Self::PutIdentity { .. } | Self::PutToken { .. } | Self::TakeCalls { .. } => Reach::Cache,
            _ => Reach::All,
        }
    }
}
