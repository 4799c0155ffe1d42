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
use super::sqlite::entering::SealedEntry;
use super::sqlite::persons::Batch;
use super::sqlite::plans;
use super::sqlite::registrations;
use super::sqlite::taken;
use super::state::{Event, State};
use super::taken::TakenRows;

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// A command that runs by itself inside the group.
#[derive(Debug)]
pub enum Command {
    BeginPass { source: String, file: String, day: String, reply: Reply<i64> },
    SeeRows { pass: i64, batch: Batch, reply: Reply<(RowTally, Vec<RowFate>)> },
    FinishPass { pass: i64, ending: PassEnding, reply: Reply<RowTally> },
    Enter { entries: Vec<SealedEntry>, reply: Reply<()> },
    Remap { mapping_version: String, reply: Reply<u64> },
    Claim { lane: String, limit: u32, lease: Lease, reply: Reply<(Timestamp, Vec<EntryId>)> },
    Prolong { lease: Lease, reply: Reply<Timestamp> },
    Release { entry: EntryId, lease: Lease, event: Event, reply: Reply<State> },
    Resolve { entry: EntryId, event: Event, accepted: Vec<AcceptedResource>, reply: Reply<State> },
    Decide { entry: EntryId, event: Event, reason_sealed: Vec<u8>, reply: Reply<State> },
    Verify { entry: EntryId, findings: Vec<(u32, Finding)>, reply: Reply<()> },
    PutIdentity { kind: String, key: [u8; 32], server_id: Option<String>, expires: Timestamp, reply: Reply<()> },
    PutToken { client: String, sealed: Option<Vec<u8>>, expires: Timestamp, reply: Reply<()> },
    Plan { change: plans::Change, reply: Reply<Option<i64>> },
    Register { change: registrations::Change, reply: Reply<Option<Moment>> },
    Taken { change: taken::Change, reply: Reply<Option<TakenRows>> },
}
