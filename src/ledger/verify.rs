//! Checks the books: the database, the chain, the state of everything against the chain, every entry against its
//! history, the sums, and what is sealed. It only reads.
//!
//! A finding has a name, a number and the first few places; never content.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use sqlx::SqliteConnection;

use super::chain::{NOTHING, STATE_CODE_BYTES, link_code, state_code};
use super::checkpoint::Checkpoint;
use super::entry::EntryId;
use super::reading::{Counts, Filter};
use super::replay::{StoredEvent, Summary, replay};
use super::store::chain::{self, StoredLink};
use super::store::covered::{KINDS, Kind};
use super::store::verify::{self, StoredSummary};
use super::store::{hex, schema};
use super::{Ledger, LedgerError};
use crate::seal::Keys;

/// Links, or things, read at once.
const PAGE: i64 = 1_000;
/// Entries whose content is opened at once: their bundles are in memory together.
const OPENED_AT_ONCE: usize = 100;
/// Places told of each finding.
const PLACES_MAX: usize = 10;

/// Something that must not be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How often.
    pub number: u64,
    /// The first places: table and id, or link.
    pub places: Vec<String>,
}

impl Found {
    /// Adds findings at a place.
    pub(super) fn add(&mut self, number: u64, place: impl Into<String>) {
        self.number += number;
        if self.places.len() < PLACES_MAX {
            self.places.push(place.into());
        }
    }
}

/// The books as they were found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Number of links.
    pub links: i64,
    /// The code of the last link.
    pub code: [u8; 32],
    /// Rows of history that the chain covers.
    pub history: u64,
    /// Things whose present state the chain covers.
    pub states: u64,
    /// Entries told again from their history.
    pub entries: u64,
    /// Statements checked.
    pub statements: u64,
    /// Where every row stands.
    pub counts: Counts,
    /// What must not be, by name.
    pub findings: BTreeMap<&'static str, Found>,
}

impl Verified {
    fn found(&mut self, name: &'static str, place: impl Into<String>) {
        self.found_many(name, 1, place);
    }

    fn found_many(&mut self, name: &'static str, number: u64, place: impl Into<String>) {
        if number == 0 {
            return;
        }
        self.findings.entry(name).or_default().add(number, place);
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Ledger {
    /// Checks the whole ledger, also while it is written: what is compared is one moment of it. With a checkpoint, the
    /// ledger must still contain it.
    ///
    /// # Errors
    /// [`LedgerError::OnServer`]; failures of the store; what is wrong in the books is in the result.
    pub async fn verify(&self, against: Option<&Checkpoint>) -> Result<Verified, LedgerError> {
        let mut verified = Verified::default();
        let mut reader = self.readers.acquire().await?;
        let file = reader.file()?;
        sqlx::query("BEGIN").execute(&mut *file).await?;
        let read = self.read(file, &mut verified, against).await;
        sqlx::query("ROLLBACK").execute(file).await?;
        drop(reader);
        match read {
            Err(LedgerError::Damaged) => verified.found("database.damaged", "not all of it can be read"),
            other => other?,
        }
        // What cannot even be read as a database is not worth opening.
        if !verified.findings.contains_key("database.damaged") {
            let (statements, findings) = self.verify_statements().await?;
            verified.statements = statements;
            verified.findings.extend(findings);
            self.sums(&mut verified).await?;
            self.contents(&mut verified).await?;
        }
        Ok(verified)
    }

    async fn read(
        &self,
        reader: &mut SqliteConnection,
        verified: &mut Verified,
        against: Option<&Checkpoint>,
    ) -> Result<(), LedgerError> {
        let (complaints, orphans) = verify::integrity(reader).await?;
        for complaint in complaints {
            verified.found("database.damaged", complaint);
        }
        verified.found_many("database.orphan", orphans, "foreign keys");
        if let Some(missing) = schema::missing(reader).await? {
            verified.found("database.schema", missing);
        }
        let mut walk = Walk { keys: Arc::clone(&self.keys), verified, covered: HashMap::new(), states: HashMap::new() };
        walk.links(reader).await?;
        walk.things(reader).await?;
        if let Some(checkpoint) = against
            && !checkpoint.is_in(chain::code_of(reader, checkpoint.number).await?)
        {
            verified.found("checkpoint.lost", format!("link {}", checkpoint.number));
        }
        entries(reader, verified).await
    }

    async fn sums(&self, verified: &mut Verified) -> Result<(), LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let uneven = verify::uneven_passes(reader.file()?).await?;
        drop(reader);
        verified.found_many("sums.pass", uneven.unsigned_abs(), "pass");
        match self.counts(&Filter::default()).await {
            Ok(counts) => {
                if counts.read != counts.sum() {
                    verified.found("sums.rows", format!("{} rows in {} states", counts.read, counts.sum()));
                }
                verified.counts = counts;
            }
            Err(LedgerError::Spoiled(what)) => verified.found("sums.rows", what),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Opens every entry's sealed content.
    async fn contents(&self, verified: &mut Verified) -> Result<(), LedgerError> {
        let mut after = 0;
        loop {
            let mut reader = self.readers.acquire().await?;
            let page = verify::summaries(reader.file()?, after, PAGE).await?;
            drop(reader);
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            let ids: Vec<EntryId> = page.iter().map(|summary| EntryId(summary.id)).collect();
            for some in ids.chunks(OPENED_AT_ONCE) {
                if self.opens(some).await? {
                    continue;
                }
                for one in some {
                    if !self.opens(std::slice::from_ref(one)).await? {
                        verified.found("content.sealed", format!("entry {}", one.number()));
                    }
                }
            }
        }
    }

    async fn opens(&self, entries: &[EntryId]) -> Result<bool, LedgerError> {
        match self.load(entries).await {
            Ok(opened) => Ok(opened.len() == entries.len()),
            Err(LedgerError::Seal(_) | LedgerError::Spoiled(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Codes of one kind's latest states, by id.
type States = HashMap<i64, [u8; STATE_CODE_BYTES]>;

struct Walk<'a> {
    keys: Arc<Keys>,
    verified: &'a mut Verified,
    /// History rows named by the chain, by kind.
    covered: HashMap<&'static str, i64>,
    states: HashMap<&'static str, States>,
}

impl Walk<'_> {
    async fn links(&mut self, reader: &mut SqliteConnection) -> Result<(), LedgerError> {
        let (mut number, mut code) = (0, NOTHING);
        loop {
            let page = chain::links(reader, number, PAGE / 10).await?;
            if page.is_empty() {
                break;
            }
            for link in page {
                if link.number != number + 1 || link.previous != code {
                    self.verified.found("chain.gap", format!("link {}", link.number));
                }
                number = link.number;
                match <[u8; 32]>::try_from(link.code.as_slice()) {
                    Ok(own) => code = own,
                    Err(_) => self.verified.found("chain.altered", format!("link {number}")),
                }
                if !self.link(reader, &link).await? {
                    self.verified.found("chain.altered", format!("link {number}"));
                }
            }
        }
        if number == 0 {
            self.verified.found("chain.missing", "chain");
        }
        self.verified.links = number;
        self.verified.code = code;
        Ok(())
    }

    /// Whether a link fits what it covers; remembers the states it names.
    async fn link(&mut self, reader: &mut SqliteConnection, link: &StoredLink) -> Result<bool, LedgerError> {
        let Ok(covers) = serde_json::from_str::<BTreeMap<String, Vec<(i64, serde_json::Value)>>>(&link.covers) else {
            return Ok(false);
        };
        let (mut texts, mut size, mut states) = (Vec::new(), 0, Vec::new());
        for (name, rows) in &covers {
            let Some(kind) = Kind::named(name) else { return Ok(false) };
            let number = rows.len() as i64;
            if kind.is_history {
                let keys = serde_json::to_string(rows).map_err(|_| LedgerError::Spoiled("chain"))?;
                let (text, found) = chain::history(reader, kind, &keys).await?;
                self.verified.found_many(
                    "history.gone",
                    (number - found).unsigned_abs(),
                    format!("{name}, link {}", link.number),
                );
                *self.covered.entry(kind.name).or_default() += number;
                self.verified.history += rows.len() as u64;
                texts.push(text);
            } else {
                for (id, code) in rows {
                    match code.as_str().and_then(|text| data_encoding::HEXLOWER.decode(text.as_bytes()).ok()) {
                        Some(code) => states.push((kind.name, *id, code)),
                        None => return Ok(false),
                    }
                }
            }
            size += number;
        }
        let code = link_code(&self.keys, (link.number, link.at, link.size), &link.previous, &link.covers, &texts);
        for (kind, id, code) in states {
            if let Ok(code) = code.try_into() {
                self.states.entry(kind).or_default().insert(id, code);
            }
        }
        Ok(code.as_slice() == link.code && size <= link.size)
    }

    /// Compares what stands in the ledger with what the chain says of it.
    async fn things(&mut self, reader: &mut SqliteConnection) -> Result<(), LedgerError> {
        for kind in &KINDS {
            if kind.is_history {
                let there = chain::number(reader, kind).await?;
                let outside = there - self.covered.get(kind.name).copied().unwrap_or(0);
                self.verified.found_many("history.outside", outside.max(0).unsigned_abs(), kind.table);
            } else {
                self.compare(reader, kind).await?;
            }
        }
        Ok(())
    }

    async fn compare(&mut self, reader: &mut SqliteConnection, kind: &'static Kind) -> Result<(), LedgerError> {
        let mut known = self.states.remove(kind.name).unwrap_or_default();
        let mut after = i64::MIN;
        loop {
            let ids = chain::ids(reader, kind, after, PAGE).await?;
            let Some(last) = ids.last() else { break };
            after = *last;
            for (id, text) in chain::states(reader, kind, &chain::keys_of(&ids)?).await? {
                let place = || format!("{} {id}", kind.table);
                match known.remove(&id) {
                    None => self.verified.found("state.outside", place()),
                    Some(code) if code != state_code(&self.keys, kind.name, id, &text) => {
                        self.verified.found("state.altered", place());
                    }
                    Some(_) => self.verified.states += 1,
                }
            }
        }
        for id in known.keys() {
            self.verified.found("state.gone", format!("{} {id}", kind.table));
        }
        Ok(())
    }
}

/// Tells every entry again from its history.
async fn entries(reader: &mut SqliteConnection, verified: &mut Verified) -> Result<(), LedgerError> {
    let mut after = i64::MIN;
    loop {
        let page = verify::summaries(reader, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        let mut histories: HashMap<i64, Vec<StoredEvent>> = HashMap::new();
        for (entry, event) in verify::histories(reader, after, last.id).await? {
            histories.entry(entry).or_default().push(event);
        }
        after = last.id;
        for stored in page {
            let place = format!("entry {}", stored.id);
            match replay(&histories.remove(&stored.id).unwrap_or_default()) {
                Err(_) => verified.found("replay.broken", place),
                Ok(told) if !fits(&told, &stored) => verified.found("replay.differs", place),
                Ok(_) => verified.entries += 1,
            }
        }
        verified.found_many("replay.orphan", histories.len() as u64, "event");
    }
}

fn fits(told: &Summary, stored: &StoredSummary) -> bool {
    told.state.word() == stored.state
        && told.seq == stored.seq
        && told.spent == stored.spent
        && told.probes == stored.probes
        && told.blocked_on == stored.blocked_on
        && told.blocked_count == stored.blocked_count
        && told.state_since == stored.state_since
        && told.completed_at == stored.completed_at
        && told.due_at.is_none_or(|due| due == stored.due_at)
        // An attempt under way is written down under the lease that is held.
        && (stored.open_lease.is_none() || stored.open_lease == stored.lease)
}

/// The name of a checkpoint's code, for people.
#[must_use]
pub fn shown(code: &[u8; 32]) -> String {
    hex(code)
}
