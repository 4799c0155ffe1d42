//! Discrepancies: where source, ledger and server do not agree, since when, who must act, and what settled it.
//!
//! Nobody closes one by hand: a later comparison does. A waiver is a person's command with a reason. It must not hold
//! values of persons: evidence names elements and states (faults.md, "payments reconciliation").

pub mod page;

use jiff::Timestamp;
use jiff::civil::Date;

use super::command::Command;
use super::entry::EntryId;
use super::reading::Filter;
use super::store::discrepancies::{self, Change, Compared, FoundRow, Rule, StoredDiscrepancy};
use super::store::{count, date, time};
use super::{Ledger, LedgerError};

/// Discrepancies in a list, at most.
pub const LISTED_MAX: u32 = 100_000;

/// Longest evidence kept, in bytes.
const EVIDENCE_BYTES_MAX: usize = 1_000;

/// A closed set of words that the store keeps as text.
macro_rules! words_of {
    ($(#[$about:meta])* $name:ident { $($(#[$told:meta])* $one:ident = $word:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$told])* $one),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$one),*];

            /// The word in the store and in JSON.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$one => $word),* }
            }

            /// The one of a word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

words_of! {
    /// How two of the three do not agree.
    Class {
        /// Delivered, but the server does not hold it.
        MissingAtServer = "missing_at_server",
        /// The server holds other content.
        DifferentAtServer = "different_at_server",
        /// The server holds something of ours that the ledger does not know.
        UnknownToUs = "unknown_to_us",
        /// It is about another person than the ledger's identity says.
        WrongPerson = "wrong_person",
        /// The row changed, and the server holds an older version.
        ChangedInSource = "changed_in_source",
        /// The records no longer tell of it, and the server holds it.
        GoneFromSource = "gone_from_source",
        /// Refused or given up for too long.
        Refused = "refused",
        /// Waits for somebody for too long.
        Blocked = "blocked",
    }
}

words_of! {
    /// Who must act.
    Owner {
        /// The cadre who wrote the row.
        Kader = "kader",
        /// The staff of the puskesmas.
        Puskesmas = "puskesmas",
        /// Whoever keeps the mapping.
        Mapping = "mapping",
        /// Whoever runs this gateway, with the help desk of SATUSEHAT.
        Platform = "platform",
    }
}

words_of! {
    /// What lies behind a discrepancy, as far as the ledger knows.
    Cause {
        /// What the server answered.
        Server = "server",
        /// It carries an identifier of ours.
        Ours = "ours",
        /// It stands under our organization or visit with another's identifier.
        Foreign = "foreign",
        /// It waits to be sent.
        Waits = "waits",
        /// The mapping refuses the data.
        Data = "data",
        /// The server refuses it.
        ServerRefused = "server_refused",
        /// Given up.
        Exhausted = "exhausted",
        /// Patient, health worker or place is not known there.
        Person = "person",
        /// A person must decide about its removal.
        Decide = "decide",
        /// A person decided that it stays.
        Rejected = "rejected",
    }
}

words_of! {
    /// Where a discrepancy stands.
    Standing {
        /// It needs somebody.
        Open = "open",
        /// Evidence settled it.
        Closed = "closed",
        /// A person accepts it.
        Waived = "waived",
    }
}

/// Who must act on a discrepancy.
#[must_use]
pub fn owner(class: Class, cause: Cause) -> Owner {
    use {Cause as C, Class as K};
    match (class, cause) {
        (K::MissingAtServer | K::DifferentAtServer, _) | (K::UnknownToUs, C::Ours) => Owner::Platform,
        (K::UnknownToUs | K::WrongPerson, _) => Owner::Puskesmas,
        (_, C::Data) => Owner::Kader,
        (_, C::ServerRefused) => Owner::Mapping,
        (_, C::Person | C::Decide | C::Rejected) => Owner::Puskesmas,
        (_, C::Waits | C::Exhausted | C::Server | C::Ours | C::Foreign) => Owner::Platform,
    }
}

/// A discrepancy that a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How they differ.
    pub class: Class,
    /// `Type/ID` at the server.
    pub thing: String,
    /// The entry whose visit it belongs to, if one is known.
    pub entry: Option<EntryId>,
    /// The puskesmas.
    pub puskesmas: String,
    /// Code of the posyandu; empty when it is not known.
    pub posyandu: String,
    /// Local date of service.
    pub service_date: Date,
    /// What lies behind it.
    pub cause: Cause,
    /// Elements that differ; never values.
    pub evidence: String,
}

/// What a comparison with the server looked at, and found. What was looked at in a class and not found is settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Things looked at, as `Type/ID`.
    pub looked: Vec<String>,
    /// The classes that they were looked at for.
    pub classes: Vec<Class>,
    /// What was found.
    pub found: Vec<Found>,
    /// The evidence by which the others are closed.
    pub closing: &'static str,
}

impl Comparison {
    pub(super) fn stored(self, person: Option<String>) -> Result<Compared, LedgerError> {
        let mut found: Vec<FoundRow> = self.found.into_iter().map(row).collect();
        found.sort_by(|one, other| (one.class, &one.thing).cmp(&(other.class, &other.thing)));
        found.dedup_by(|one, other| (one.class, &one.thing) == (other.class, &other.thing));
        let classes = self.classes.iter().map(|class| class.word()).collect();
        Ok(Compared { looked: self.looked, classes, found, closing: self.closing.to_owned(), person })
    }
}

fn row(found: Found) -> FoundRow {
    let mut evidence = found.evidence;
    evidence.truncate(evidence.floor_char_boundary(EVIDENCE_BYTES_MAX));
    FoundRow {
        class: found.class.word(),
        thing: found.thing,
        entry: found.entry.map(|entry| entry.0),
        puskesmas: found.puskesmas,
        posyandu: found.posyandu,
        date: found.service_date.to_string(),
        cause: found.cause.word(),
        owner: owner(found.class, found.cause).word(),
        evidence,
    }
}

/// A discrepancy in the ledger.
#[derive(Clone, Debug)]
pub struct Discrepancy {
    /// Its number.
    pub number: i64,
    /// How they differ.
    pub class: Class,
    /// `visit/NUMBER`, or `Type/ID` at the server.
    pub thing: String,
    /// The puskesmas.
    pub puskesmas: String,
    /// Code of the posyandu; may be empty.
    pub posyandu: String,
    /// Local date of service.
    pub service_date: Date,
    /// What lies behind it.
    pub cause: Cause,
    /// Who must act.
    pub owner: Owner,
    /// What was seen last.
    pub evidence: String,
    /// Where it stands.
    pub standing: Standing,
    /// When it was seen first.
    pub first_seen_at: Timestamp,
    /// When it was seen last.
    pub last_seen_at: Timestamp,
    /// When it was opened, waived or closed last.
    pub changed_at: Timestamp,
    /// The command that waived it, with its reason when it was given here.
    pub waiver: Option<(String, Option<String>)>,
    /// The newest entry of the visit that it belongs to.
    pub entry: Option<EntryId>,
}

/// How many stand, by class and owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standings {
    /// How they differ.
    pub class: Class,
    /// Who must act.
    pub owner: Owner,
    /// Open or waived.
    pub standing: Standing,
    /// How many.
    pub number: u64,
}

impl Ledger {
    /// Opens and closes what the ledger alone shows: corrections older than one moment that the server does not hold,
    /// what was removed from the source, and what is refused or blocked since before the other. Gives how many were
    /// touched.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn refresh_discrepancies(
        &self,
        changed_before: Timestamp,
        stuck_before: Timestamp,
    ) -> Result<u64, LedgerError> {
        let pairs = Class::ALL.iter().flat_map(|class| Cause::ALL.iter().map(move |cause| (*class, *cause)));
        let rule = |(class, cause)| Rule {
            class: Class::word(class),
            cause: Cause::word(cause),
            owner: owner(class, cause).word(),
        };
        let rules = pairs.map(rule).collect();
        count(self.change_discrepancy(Change::Refresh { stuck_before, changed_before, rules }).await?)
    }

    /// Stores what a comparison with the server showed that belongs to no delivered entry.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn note_comparison(&self, comparison: Comparison) -> Result<u64, LedgerError> {
        count(self.change_discrepancy(Change::Compared(comparison.stored(None)?)).await?)
    }

    /// Waives open discrepancies with a reason, which is sealed; gives how many. The same command twice is one
    /// decision.
    ///
    /// # Errors
    /// [`LedgerError::CommandUsed`], failures of the store.
    pub async fn waive_discrepancies(&self, numbers: &[i64], command: &str, reason: &str) -> Result<u64, LedgerError> {
        let reason_sealed = self.keys.seal(&context(command), reason.as_bytes())?;
        let (numbers, command) = (numbers.to_vec(), command.to_owned());
        count(self.change_discrepancy(Change::Waive { numbers, command, reason_sealed }).await?)
    }

    async fn change_discrepancy(&self, change: Change) -> Result<i64, LedgerError> {
        self.writer()?.ask(|reply| Command::Discrepancy { change, reply }).await
    }

    /// Discrepancies sorted by who must act, the oldest first; the open ones, or with `settled` all.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn discrepancies(&self, filter: &Filter, settled: bool) -> Result<Vec<Discrepancy>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = discrepancies::list(&mut reader, filter, settled, LISTED_MAX).await?;
        drop(reader);
        stored.into_iter().map(|stored| self.open_discrepancy(stored)).collect()
    }

    /// How many are open or waived, by class and owner.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn discrepancy_standings(&self, filter: &Filter) -> Result<Vec<Standings>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = discrepancies::counts(&mut reader, filter).await?;
        let one = |(class, owner, standing, number): (String, String, String, i64)| {
            Ok(Standings {
                class: Class::from_word(&class).ok_or(SPOILED)?,
                owner: Owner::from_word(&owner).ok_or(SPOILED)?,
                standing: Standing::from_word(&standing).ok_or(SPOILED)?,
                number: count(number)?,
            })
        };
        stored.into_iter().map(one).collect()
    }

    fn open_discrepancy(&self, stored: StoredDiscrepancy) -> Result<Discrepancy, LedgerError> {
        let reason = match (&stored.command, stored.reason_sealed) {
            (Some(command), Some(sealed)) => {
                let reason = self.keys.open(&context(command), &sealed)?;
                Some(String::from_utf8(reason).map_err(|_| LedgerError::Spoiled("reason"))?)
            }
            _ => None,
        };
        Ok(Discrepancy {
            number: stored.id,
            class: Class::from_word(&stored.class).ok_or(SPOILED)?,
            thing: stored.thing,
            puskesmas: stored.puskesmas,
            posyandu: stored.posyandu,
            service_date: date(&stored.service_date)?,
            cause: Cause::from_word(&stored.cause).ok_or(SPOILED)?,
            owner: Owner::from_word(&stored.owner).ok_or(SPOILED)?,
            evidence: stored.evidence,
            standing: Standing::from_word(&stored.state).ok_or(SPOILED)?,
            first_seen_at: time(stored.first_seen_at)?,
            last_seen_at: time(stored.last_seen_at)?,
            changed_at: time(stored.changed_at)?,
            waiver: stored.command.map(|command| (command, reason)),
            entry: stored.entry.map(EntryId),
        })
    }
}

/// A word that the store should not hold.
const SPOILED: LedgerError = LedgerError::Spoiled("discrepancy");

/// Where the reason of a waiver belongs.
fn context(command: &str) -> String {
    format!("discrepancy/{command}")
}

#[cfg(test)]
mod tests;
