//! Alarms: what somebody should look at now, since when, and the messages about it that wait for the webhook.
//!
//! It must not look at anything itself: the daemon looks, here it is remembered that something began or is over, also
//! across restarts. An alarm names a puskesmas, a machine or an address, never a person.

use jiff::Timestamp;

use super::command::Command;
use super::store::alarms::{self, Change, StoredAlarm, StoredMessage};
use super::store::{count, time};
use super::{Ledger, LedgerError};

/// Ended alarms in a list, at most.
pub const ENDED_LISTED_MAX: u32 = 200;

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmKind {
    /// Visits of today are expected to be late at 24:00.
    Deadline,
    /// A puskesmas' sending is stopped: access, configuration, or a server in trouble.
    LaneStopped,
    /// Too many visits were refused for the same reason.
    MassRefusal,
    /// This machine's clock is far from the server's.
    ClockSkew,
    /// A disk, or the ledger's share of it, fills up.
    Disk,
    /// A certificate ends soon.
    Certificate,
    /// A client secret ends soon.
    Secret,
}

impl AlarmKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Deadline,
        Self::LaneStopped,
        Self::MassRefusal,
        Self::ClockSkew,
        Self::Disk,
        Self::Certificate,
        Self::Secret,
    ];

    /// The word in the store, logs, metrics and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::LaneStopped => "lane_stopped",
            Self::MassRefusal => "mass_refusal",
            Self::ClockSkew => "clock_skew",
            Self::Disk => "disk",
            Self::Certificate => "certificate",
            Self::Secret => "secret",
        }
    }

    fn of(word: &str) -> Result<Self, LedgerError> {
        Self::ALL.into_iter().find(|kind| kind.word() == word).ok_or(LedgerError::Spoiled("alarm"))
    }
}

/// How a thing that was looked at stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How bad, a word of its kind; another word than before is an alarm of its own.
    pub level: &'static str,
    /// Numbers and words for the sentence, as a JSON object of texts; no personal data.
    pub details: String,
}

/// One thing that was looked at, and the alarm it is worth, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedAt {
    /// Which kind.
    pub kind: AlarmKind,
    /// Which one: a puskesmas, a machine, an address, a file.
    pub about: String,
    /// `None`: nothing is wrong with it.
    pub standing: Option<Standing>,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its number.
    pub number: i64,
    /// Which kind.
    pub kind: AlarmKind,
    /// What it is about.
    pub about: String,
    /// How bad.
    pub level: String,
    /// Numbers and words for the sentence, as a JSON object of texts.
    pub details: String,
    /// When it began.
    pub raised_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// A message for the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same for all tries.
    pub id: String,
    /// What it is about, as it stood then.
    pub alarm: Alarm,
    /// It began; otherwise it is over.
    pub is_raised: bool,
    /// When that was.
    pub made_at: Timestamp,
    /// Tries before this one.
    pub tries: u32,
}

/// What became of handing a message over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageEnd {
    /// The receiver took it.
    Accepted,
    /// To be tried again, with why it failed.
    Again(Timestamp, String),
    /// Given up, with why the last try failed.
    GivenUp(String),
}

impl Ledger {
    /// Keeps how things stand that were just looked at: gives the alarms that began and those that are over. With
    /// `tells`, a message about each waits for the webhook from then on, in the same transaction.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn settle_alarms(
        &self,
        looked_at: Vec<LookedAt>,
        tells: bool,
    ) -> Result<(Vec<Alarm>, Vec<Alarm>), LedgerError> {
        let change = Change::Settle { looked_at, tells };
        if !self.alarms_move(&change).await? {
            return Ok((Vec::new(), Vec::new()));
        }
        let (raised, ended) = self.writer()?.ask(|reply| Command::Alarm { change, reply }).await?;
        let mut reader = self.readers.acquire().await?;
        let raised = alarms::by_number(&mut reader, &raised).await?;
        let ended = alarms::by_number(&mut reader, &ended).await?;
        let opened = |stored: Vec<StoredAlarm>| stored.into_iter().map(alarm).collect::<Result<Vec<_>, _>>();
        Ok((opened(raised)?, opened(ended)?))
    }

    /// Whether anything would be written: most looks find what the last one found.
    async fn alarms_move(&self, change: &Change) -> Result<bool, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let open = alarms::open(&mut reader).await?;
        Ok(alarms::moves(&open, change, self.clock.now()))
    }

    /// All open alarms, the oldest first, and behind them the newest that are over.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn alarms(&self) -> Result<Vec<Alarm>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let mut all = alarms::open(&mut reader).await?;
        all.extend(alarms::ended(&mut reader, ENDED_LISTED_MAX).await?);
        all.into_iter().map(alarm).collect()
    }

    /// All open alarms, the oldest first.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn open_alarms(&self) -> Result<Vec<Alarm>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        alarms::open(&mut reader).await?.into_iter().map(alarm).collect()
    }

    /// Messages that are due for the webhook, the oldest first.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn messages_due(&self, limit: u32) -> Result<Vec<Message>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let due = alarms::due(&mut reader, self.clock.now(), limit).await?;
        due.into_iter().map(message).collect()
    }

    /// Keeps what became of handing a message over.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn end_message(&self, id: &str, end: MessageEnd) -> Result<(), LedgerError> {
        let change = Change::Message { id: id.to_owned(), end };
        self.writer()?.ask(|reply| Command::Alarm { change, reply }).await.map(|_| ())
    }
}

fn alarm(stored: StoredAlarm) -> Result<Alarm, LedgerError> {
    Ok(Alarm {
        number: stored.id,
        kind: AlarmKind::of(&stored.kind)?,
        about: stored.about,
        level: stored.level,
        details: stored.details,
        raised_at: time(stored.raised_at)?,
        ended_at: stored.ended_at.map(time).transpose()?,
    })
}

fn message(stored: StoredMessage) -> Result<Message, LedgerError> {
    Ok(Message {
        id: stored.message,
        is_raised: stored.is_raised == 1,
        made_at: time(stored.made_at)?,
        tries: count(stored.tries)?,
        alarm: alarm(StoredAlarm {
            id: stored.id,
            kind: stored.kind,
            about: stored.about,
            level: stored.level,
            details: stored.details,
            raised_at: stored.raised_at,
            seen_at: stored.seen_at,
            ended_at: stored.ended_at,
        })?,
    })
}
