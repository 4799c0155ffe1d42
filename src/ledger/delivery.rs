//! Delivery's and reconciliation's side of the ledger: claims, attempts, answers, read-back, decisions.

use std::sync::PoisonError;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::attempt::{AcceptedResource, AttemptEnd, AttemptId, EXCERPT_BYTES_MAX};
use super::command::Command;
use super::discrepancy::Comparison;
use super::entry::{Claimed, EntryId, EntryResource, Finding, Lease, OpenEntry};
use super::intake::entry_context;
use super::state::{Event, State};
use super::store::claims::{Begin, HELD_MAX};
use super::store::endings::{End, Seen};
use super::store::entries::{self, StoredEntry, StoredResource};
use super::store::{count, date, hash, hash_of, time};
use super::turn::Turns;
use super::writer::Holder;
use super::{Ledger, LedgerError};
use crate::clock::Stopwatch;
use crate::crash;
use crate::redact::Personal;

/// Part of a lease's time that must be left when a request leaves: nobody else takes the visit before it has arrived.
const LEASE_SPARE_PART: u32 = 3;

impl Ledger {
    /// Takes due entries of a lane (a puskesmas) under one lease, as [`Ledger::claim_by_turns`] for the first time.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn claim(&self, lane: &str, limit: u32) -> Result<Vec<Claimed>, LedgerError> {
        self.claim_by_turns(lane, limit, &mut Turns::default()).await
    }

    /// Takes due entries of a lane under one lease: those whose day still runs, corrections and the backlog by their
    /// shares, each the oldest first, and what today holds before the rest. `turns` remembers who is owed. An entry
    /// that the process may have died of is taken alone, when nothing else waits or its day still runs.
    /// Leases that ran out are settled on the way, and blocked entries whose time has come are woken.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn claim_by_turns(&self, lane: &str, limit: u32, turns: &mut Turns) -> Result<Vec<Claimed>, LedgerError> {
        let mut lease = Uuid::new_v4().simple().to_string();
        let holder = &self.writer()?.holder().name;
        lease.replace_range(..holder.len(), holder);
        let lease = Lease(lease);
        let (lane, token, before) = (lane.to_owned(), lease.clone(), *turns);
        let ask = |reply| Command::Claim { lane, limit, turns: before, lease: token, reply };
        let asked = self.clock.stopwatch();
        let taken = crash::around("ledger.claim", self.writer()?.ask(ask)).await?;
        *turns = taken.turns;
        let entries: Vec<EntryId> = taken.entries.iter().map(|one| one.entry).collect();
        let open = self.load(&entries).await?;
        let claimed = open.into_iter().zip(taken.entries).map(|(entry, one)| Claimed {
            lease: lease.clone(),
            lease_until: taken.lease_until,
            asked,
            turn: one.turn,
            is_suspect: one.is_suspect,
            entry,
        });
        Ok(claimed.collect())
    }

    /// Tells whether a lease that was asked for then is still ours, with a third of its time to spare. Judged by this
    /// machine alone, by a clock that runs on while it sleeps: whoever was suspended learns it before anybody answers.
    pub fn lease_watch(&self, asked: Stopwatch) -> impl Fn() -> bool + Send + Sync + use<> {
        let holder = self.writer.as_ref().map(|writer| writer.holder().clone());
        move || holder.as_ref().is_some_and(|holder| lasts(holder, asked))
    }

    /// Writes down that a send is about to begin; it is durable when this returns. One attempt per lease.
    ///
    /// # Errors
    /// [`LedgerError::LostLease`]: do not send. Any other error: do not send either.
    pub async fn begin_attempt(
        &self,
        entry: EntryId,
        lease: &Lease,
        request_hash: [u8; 32],
    ) -> Result<AttemptId, LedgerError> {
        crash::around("ledger.begin_attempt", self.writer()?.begin(Begin { entry, lease: lease.clone(), request_hash }))
            .await
    }

    /// Writes down how a send ended: the answer, the entry's new state, the server ids and the event together.
    ///
    /// # Errors
    /// [`LedgerError::LostLease`], [`LedgerError::NoSuchAttempt`], [`LedgerError::Illegal`], and
    /// [`LedgerError::Incomplete`] when the entry would be delivered without a server id for each resource.
    pub async fn end_attempt(
        &self,
        attempt: AttemptId,
        lease: &Lease,
        event: Event,
        mut end: AttemptEnd,
    ) -> Result<State, LedgerError> {
        end.excerpt.truncate(end.excerpt.floor_char_boundary(EXCERPT_BYTES_MAX));
        let issues_sealed = if end.issues.is_empty() {
            None
        } else {
            let issues = serde_json::to_vec(&end.issues).map_err(|_| LedgerError::Spoiled("issue"))?;
            Some(self.keys.seal(&attempt_context(attempt), &issues)?)
        };
        crash::around(
            "ledger.end_attempt",
            self.writer()?.end(End { attempt, lease: lease.clone(), event, end, issues_sealed }),
        )
        .await
    }

    /// Gives a claimed entry back (`Released`), blocks it (`DependencyMissing`) or refuses it before any send.
    ///
    /// # Errors
    /// [`LedgerError::LostLease`]; [`LedgerError::Illegal`] once the send has begun.
    pub async fn release(&self, entry: EntryId, lease: &Lease, event: Event) -> Result<State, LedgerError> {
        let lease = lease.clone();
        crash::around("ledger.release", self.writer()?.ask(|reply| Command::Release { entry, lease, event, reply }))
            .await
    }

    /// Unknown entries that are due to be asked for.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn unknown_due(&self, limit: u32) -> Result<Vec<OpenEntry>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let entries = entries::unknown_due(&mut reader, limit, self.clock.now()).await?;
        drop(reader);
        self.load(&entries.into_iter().map(EntryId).collect::<Vec<_>>()).await
    }

    /// Delivered entries of the same lane that were sent for the first time, and once, at `from` or later, after the last
    /// send of `doubt`, the oldest first: what the server shows of them tells how far its search has come.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn first_sends_since(
        &self,
        doubt: &OpenEntry,
        from: Timestamp,
        limit: u32,
    ) -> Result<Vec<OpenEntry>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let entries = entries::first_sends_since(&mut reader, doubt.entry_id.0, from, limit).await?;
        drop(reader);
        self.load(&entries.into_iter().map(EntryId).collect::<Vec<_>>()).await
    }

    /// Writes down what was found out about an entry that nobody holds. `found` are the server's resources: with
    /// `FoundEqual` all of them, with `NotFound` those that are there with this content and need not be sent again,
    /// with `FoundDifferent` those that are there with other content, so that a correction replaces them.
    ///
    /// # Errors
    /// [`LedgerError::Illegal`], [`LedgerError::Incomplete`], [`LedgerError::LostLease`] when someone holds it.
    pub async fn resolve(
        &self,
        entry: EntryId,
        event: Event,
        found: Vec<AcceptedResource>,
    ) -> Result<State, LedgerError> {
        self.writer()?.ask(|reply| Command::Resolve { entry, event, accepted: found, seen: None, reply }).await
    }

    /// The same for an entry that was looked up while another daemon may have settled it, or even sent it again: then
    /// what was found is not believed.
    ///
    /// # Errors
    /// As [`Ledger::resolve`]; [`LedgerError::LostLease`] when the entry is no longer as it was.
    pub async fn resolve_as_seen(
        &self,
        entry: &OpenEntry,
        event: Event,
        found: Vec<AcceptedResource>,
    ) -> Result<State, LedgerError> {
        let seen = Some(Seen { since: entry.since, probes: i64::from(entry.probes) });
        let entry = entry.entry_id;
        crash::around(
            "ledger.resolve",
            self.writer()?.ask(|reply| Command::Resolve { entry, event, accepted: found, seen, reply }),
        )
        .await
    }

    /// Delivered entries of a service date, or of all dates, with a resource not read back since `before`.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn to_verify(
        &self,
        service_date: Option<Date>,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<OpenEntry>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let service_date = service_date.map(|date| date.to_string());
        let entries = entries::to_verify(&mut reader, service_date.as_deref(), before, limit).await?;
        drop(reader);
        self.load(&entries.into_iter().map(EntryId).collect::<Vec<_>>()).await
    }

    /// Stores what reading back showed, by the position of each resource.
    ///
    /// # Errors
    /// [`LedgerError::NotDelivered`], failures of the store.
    pub async fn record_verification(&self, entry: EntryId, findings: Vec<(u32, Finding)>) -> Result<(), LedgerError> {
        self.record_comparison(entry, findings, Comparison::default(), None).await
    }

    /// The same with the discrepancies that were found and those that were looked for, and whom the visit was read
    /// back about.
    ///
    /// # Errors
    /// As [`Ledger::record_verification`].
    pub async fn record_comparison(
        &self,
        entry: EntryId,
        findings: Vec<(u32, Finding)>,
        comparison: Comparison,
        person: Option<String>,
    ) -> Result<(), LedgerError> {
        let compared = comparison.stored(person)?;
        let ask = |reply| Command::Verify { entry, findings, compared, reply };
        crash::around("ledger.verify", self.writer()?.ask(ask)).await
    }

    /// Carries out a decision (`WaivedBy` or `RetryCommanded`) with its reason, which is sealed.
    ///
    /// # Errors
    /// [`LedgerError::NotADecision`], [`LedgerError::NeedsCorrection`], [`LedgerError::WaitsForPredecessor`],
    /// [`LedgerError::Illegal`].
    pub async fn decide(&self, entry: EntryId, event: Event, reason: &str) -> Result<State, LedgerError> {
        self.decide_by(entry, event, None, reason).await
    }

    /// The same for a person's command, by its id: twice is one decision.
    ///
    /// # Errors
    /// As [`Ledger::decide`]; [`LedgerError::CommandUsed`] when the id brought another decision.
    pub async fn decide_once(
        &self,
        entry: EntryId,
        event: Event,
        command: &str,
        reason: &str,
    ) -> Result<State, LedgerError> {
        self.decide_by(entry, event, Some(command.to_owned()), reason).await
    }

    async fn decide_by(
        &self,
        entry: EntryId,
        event: Event,
        command: Option<String>,
        reason: &str,
    ) -> Result<State, LedgerError> {
        if !event.is_decision() {
            return Err(LedgerError::NotADecision(event.word()));
        }
        let reason_sealed = self.keys.seal(&format!("decision/{}", entry.0), reason.as_bytes())?;
        self.writer()?.ask(|reply| Command::Decide { entry, event, command, reason_sealed, reply }).await
    }

    /// Entries with their content, in the order given; those that do not exist are left out.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn load(&self, entries: &[EntryId]) -> Result<Vec<OpenEntry>, LedgerError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = entries.iter().map(|entry| entry.0).collect();
        let mut reader = self.readers.acquire().await?;
        let (stored, mut resources) = entries::load(&mut reader, &ids).await?;
        drop(reader);
        stored
            .into_iter()
            .map(|entry| {
                let resources = resources.remove(&entry.id).unwrap_or_default();
                self.open_entry(entry, resources.into_iter().map(open_resource).collect::<Result<_, _>>()?)
            })
            .collect()
    }

    fn open_entry(&self, stored: StoredEntry, resources: Vec<EntryResource>) -> Result<OpenEntry, LedgerError> {
        let visit_key = hash(stored.key)?;
        let context = entry_context(&visit_key, &hash(stored.content_hash)?);
        let open = |kind: &str, sealed: &[u8]| {
            let plain = self.keys.open(&format!("{kind}/{context}"), sealed)?;
            String::from_utf8(plain).map(Personal::new).map_err(|_| LedgerError::Spoiled("content"))
        };
        Ok(OpenEntry {
            entry_id: EntryId(stored.id),
            visit_key,
            version: count(stored.version)?,
            lane: stored.lane,
            posyandu: stored.posyandu,
            service_date: date(&stored.service_date)?,
            bundle: open("bundle", &stored.bundle_sealed)?,
            person: open("person", &stored.person_sealed)?,
            resources,
            attempts: count(stored.spent)?,
            begun: count(stored.begun)?,
            probes: count(stored.probes)?,
            blocked_count: count(stored.blocked_count)?,
            since: time(stored.state_since)?,
        })
    }
}

fn lasts(holder: &Holder, asked: Stopwatch) -> bool {
    let renewal = *holder.renewal.lock().unwrap_or_else(PoisonError::into_inner);
    let held = asked.elapsed();
    let renewed = renewal.filter(|_| held < HELD_MAX).and_then(|renewal| renewal.since_renewed(asked));
    renewed.unwrap_or(held) < holder.lease - holder.lease / LEASE_SPARE_PART
}

/// Where an attempt's issues belong.
pub(super) fn attempt_context(attempt: AttemptId) -> String {
    format!("attempt/{}", attempt.0)
}

fn open_resource(stored: StoredResource) -> Result<EntryResource, LedgerError> {
    Ok(EntryResource {
        position: stored.position,
        resource_type: stored.resource_type,
        identifier_system: stored.identifier_system,
        identifier_value: stored.identifier_value,
        full_url: stored.full_url,
        content_hash: hash_of(&stored.content_hash)?,
        server_id: stored.server_id,
        server_version: stored.server_version,
        server_mapping: stored.server_mapping,
        unchanged: stored.unchanged == 1,
    })
}
