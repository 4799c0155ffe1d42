//! Alarms and the messages about them.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::FromRow;

use super::json;
use super::link::Link;
use crate::ledger::LedgerError;
use crate::ledger::alarm::{LookedAt, MessageEnd};

/// An alarm that nobody looked at for so long is over: what it was about is not configured any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// That something still stands is written down this often.
const SEEN_EVERY: Duration = Duration::from_secs(60 * 60);

/// What changes.
#[derive(Debug)]
pub enum Change {
    /// Things were looked at.
    Settle { looked_at: Vec<LookedAt>, tells: bool },
    /// A message was handed over, or could not be.
    Message { id: String, end: MessageEnd },
}

/// Numbers of the alarms that began and of those that are over.
pub type Moved = (Vec<i64>, Vec<i64>);

/// An alarm as it comes back.
#[derive(Clone, Debug, FromRow)]
pub struct StoredAlarm {
    pub id: i64,
    pub kind: String,
    pub about: String,
    pub level: String,
    pub details: String,
    pub raised_at: i64,
    pub seen_at: i64,
    pub ended_at: Option<i64>,
}

/// A message with its alarm.
#[derive(Debug, FromRow)]
pub struct StoredMessage {
    pub message: String,
    pub is_raised: i64,
    pub made_at: i64,
    pub tries: i64,
    pub id: i64,
    pub kind: String,
    pub about: String,
    pub level: String,
    pub details: String,
    pub raised_at: i64,
    pub seen_at: i64,
    pub ended_at: Option<i64>,
}

/// All that are open.
pub async fn open(link: &mut Link) -> Result<Vec<StoredAlarm>, LedgerError> {
    const OPEN: &str = "SELECT id, kind, about, level, details, raised_at, seen_at, ended_at FROM alarm
        WHERE ended_at IS NULL ORDER BY raised_at, id";
    Ok(link.all(OPEN, values![]).await?)
}

/// The newest that are over.
pub async fn ended(link: &mut Link, limit: u32) -> Result<Vec<StoredAlarm>, LedgerError> {
    const ENDED: &str = "SELECT id, kind, about, level, details, raised_at, seen_at, ended_at FROM alarm
        WHERE ended_at IS NOT NULL ORDER BY raised_at DESC, id DESC LIMIT ?1";
    Ok(link.all(ENDED, values![i64::from(limit)]).await?)
}

/// Those with these numbers.
pub async fn by_number(link: &mut Link, numbers: &[i64]) -> Result<Vec<StoredAlarm>, LedgerError> {
    const NAMED: &str = "SELECT id, kind, about, level, details, raised_at, seen_at, ended_at FROM alarm
        WHERE id IN (SELECT j.value FROM {?1: int} AS j) ORDER BY id";
    Ok(link.all(NAMED, values![json(numbers)?]).await?)
}

/// Messages that are due.
pub async fn due(link: &mut Link, now: Timestamp, limit: u32) -> Result<Vec<StoredMessage>, LedgerError> {
    const DUE: &str = "SELECT message.id AS message, message.is_raised, message.made_at, message.tries,
            alarm.id, alarm.kind, alarm.about, alarm.level, alarm.details, alarm.raised_at, alarm.seen_at, alarm.ended_at
        FROM alarm_message AS message JOIN alarm ON alarm.id = message.alarm
        WHERE message.settled_at IS NULL AND message.due_at <= ?1 ORDER BY message.due_at, message.id LIMIT ?2";
    Ok(link.all(DUE, values![now.as_millisecond(), i64::from(limit)]).await?)
}

/// What an open alarm needs, given how its thing was found to stand.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    Seen,
    End,
    EndAndRaise,
}

fn need(open: &StoredAlarm, looked_at: &[LookedAt], now: Timestamp) -> Need {
    let age = Duration::from_millis(u64::try_from(now.as_millisecond() - open.seen_at).unwrap_or(0));
    let found = looked_at.iter().find(|one| one.kind.word() == open.kind && one.about == open.about);
    match found.map(|one| one.standing.as_ref()) {
        None if age >= FORGOTTEN_AFTER => Need::End,
        None => Need::Nothing,
        Some(None) => Need::End,
        Some(Some(standing)) if standing.level != open.level => Need::EndAndRaise,
        Some(Some(_)) if age >= SEEN_EVERY => Need::Seen,
        Some(Some(_)) => Need::Nothing,
    }
}

fn is_new(open: &[StoredAlarm], one: &LookedAt) -> bool {
    one.standing.is_some() && !open.iter().any(|alarm| alarm.kind == one.kind.word() && alarm.about == one.about)
}

/// Whether a change would write anything.
pub fn moves(open: &[StoredAlarm], change: &Change, now: Timestamp) -> bool {
    match change {
        Change::Settle { looked_at, .. } => {
            open.iter().any(|one| need(one, looked_at, now) != Need::Nothing)
                || looked_at.iter().any(|one| is_new(open, one))
        }
        Change::Message { .. } => true,
    }
}

/// Makes a change.
pub async fn change(link: &mut Link, change: &Change, now: Timestamp) -> Result<Moved, LedgerError> {
    match change {
        Change::Settle { looked_at, tells } => settle(link, looked_at, *tells, now).await,
        Change::Message { id, end } => end_message(link, id, end, now).await.map(|()| Moved::default()),
    }
}

async fn settle(link: &mut Link, looked_at: &[LookedAt], tells: bool, now: Timestamp) -> Result<Moved, LedgerError> {
    let (mut raised, mut ended) = Moved::default();
    let open = open(link).await?;
    for alarm in &open {
        let need = need(alarm, looked_at, now);
        if need == Need::Seen {
            let seen = "UPDATE alarm SET seen_at = ?2 WHERE id = ?1";
            link.execute(seen, values![alarm.id, now.as_millisecond()]).await?;
        }
        if matches!(need, Need::End | Need::EndAndRaise) {
            let end = "UPDATE alarm SET ended_at = ?2 WHERE id = ?1";
            link.execute(end, values![alarm.id, now.as_millisecond()]).await?;
        }
        // Another level is one message: that it is worse or better now.
        if need == Need::End {
            ended.push(alarm.id);
            tell(link, alarm.id, false, tells, now).await?;
        }
    }
    let worse = |one: &LookedAt| {
        open.iter().any(|alarm| {
            alarm.kind == one.kind.word()
                && alarm.about == one.about
                && need(alarm, looked_at, now) == Need::EndAndRaise
        })
    };
    for one in looked_at.iter().filter(|one| is_new(&open, one) || worse(one)) {
        let Some(standing) = &one.standing else { continue };
        let raise =
            "INSERT INTO alarm (kind, about, level, details, raised_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
            RETURNING id";
        let (kind, about) = (one.kind.word(), one.about.as_str());
        let values = values![kind, about, standing.level, standing.details.as_str(), now.as_millisecond()];
        let alarm: i64 = link.scalar(raise, values).await?;
        raised.push(alarm);
        tell(link, alarm, true, tells, now).await?;
    }
    Ok((raised, ended))
}

async fn tell(link: &mut Link, alarm: i64, is_raised: bool, tells: bool, now: Timestamp) -> Result<(), LedgerError> {
    if !tells {
        return Ok(());
    }
    let id = format!("msg_{}", uuid::Uuid::new_v4().simple());
    let insert = "INSERT INTO alarm_message (id, alarm, is_raised, made_at, due_at) VALUES (?1, ?2, ?3, ?4, ?4)";
    link.execute(insert, values![id, alarm, i64::from(is_raised), now.as_millisecond()]).await?;
    Ok(())
}

async fn end_message(link: &mut Link, id: &str, end: &MessageEnd, now: Timestamp) -> Result<(), LedgerError> {
    let now = now.as_millisecond();
    let (due, settled, accepted, words) = match end {
        MessageEnd::Accepted => (None, Some(now), 1_i64, ""),
        MessageEnd::Again(due, words) => (Some(due.as_millisecond()), None, 0, words.as_str()),
        MessageEnd::GivenUp(words) => (None, Some(now), 0, words.as_str()),
    };
    let update =
        "UPDATE alarm_message SET tries = tries + 1, due_at = coalesce(?2, due_at), settled_at = ?3, accepted = ?4,
            words = ?5
        WHERE id = ?1 AND settled_at IS NULL";
    link.execute(update, values![id, due, settled, accepted, words]).await?;
    Ok(())
}
