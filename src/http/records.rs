//! `POST /v1/records`: the body read piece by piece, its records taken in batches, the answer told when all are stored.
//!
//! It must not hold a whole body: at most one piece, one record and one batch of it are in memory at once.

use std::pin::Pin;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http_body_util::BodyExt as _;
use tokio::time::{Sleep, sleep, timeout};

use super::answer::Answer;
use super::problem::{Kind, Problem};
use super::split::{Piece, Splitter};
use super::{App, negotiation};
use crate::ingest::intake::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Intake, Prepared, Sender};
use crate::ingest::register::Register;
use crate::issue::{Code, Issue};
use crate::ledger::LedgerError;
use crate::words::Language;

/// Bytes that are split at once, so that few records are waiting at a time.
const STEP_BYTES: usize = 16 * 1024;

/// An answer and its media type.
pub type Answered = (Vec<u8>, &'static str);

/// Answers the call.
///
/// # Errors
/// The [`Problem`] of the whole request; records taken before it stay taken.
pub async fn post(app: &App, headers: &HeaderMap, body: Body, language: Language) -> Result<Answered, Problem> {
    let caller = app.caller(headers.get(AUTHORIZATION))?;
    let sender = app.senders.get(caller).ok_or(Kind::Failure)?;
    let sent = negotiation::sent(headers).ok_or(Kind::MediaType(negotiation::BOTH))?;
    let wished = negotiation::wished(headers, sent).ok_or(Kind::NotAcceptable(negotiation::BOTH))?;
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > app.limits.body_bytes) {
        return Err(Kind::TooLarge(app.limits.body_bytes).into());
    }
    let register = app.intake.register().ok_or(Kind::Unavailable)?;
    let _pass = app.gate.enter(caller).await?;
    let mut work = Work {
        app,
        sender,
        register: &register,
        splitter: Splitter::new(sent, app.limits.record),
        batch: Vec::new(),
        batch_bytes: 0,
        records: 0,
        bytes: 0,
        answer: Answer::new(wished, language, app.limits.detail_bytes),
    };
    match work.read(body).await {
        Ok(()) => Ok((work.answer.finish(), wished.media_type())),
        Err(kind) => {
            // Records that were read whole are taken: sending them again costs nobody anything.
            let flushed = work.flush().await;
            let kind = if let Err(failure) = flushed { failure } else { kind };
            Err(Problem { kind, taken: Some(work.answer.items()) })
        }
    }
}

/// One request at work.
struct Work<'a> {
    app: &'a App,
    sender: &'a Sender,
    register: &'a Register,
    splitter: Splitter,
    batch: Vec<Prepared>,
    batch_bytes: usize,
    records: usize,
    bytes: usize,
    answer: Answer,
}

impl Work<'_> {
    async fn read(&mut self, mut body: Body) -> Result<(), Kind> {
        let mut deadline = Box::pin(sleep(self.app.limits.request));
        let mut pieces = Vec::new();
        while let Some(bytes) = self.next(&mut body, deadline.as_mut()).await? {
            self.bytes = self.bytes.saturating_add(bytes.len());
            if self.bytes > self.app.limits.body_bytes {
                return Err(Kind::TooLarge(self.app.limits.body_bytes));
            }
            for step in bytes.chunks(STEP_BYTES) {
                let fed = self.splitter.feed(step, &mut pieces);
                for piece in pieces.drain(..) {
                    self.add(piece).await?;
                }
                fed.map_err(Kind::NotJson)?;
            }
        }
        let ended = self.splitter.end(&mut pieces);
        for piece in pieces.drain(..) {
            self.add(piece).await?;
        }
        ended.map_err(|broken| if self.bytes == 0 { Kind::NotJson(broken) } else { Kind::Incomplete })?;
        self.flush().await
    }

    /// The next bytes; `None` at the end.
    async fn next(&self, body: &mut Body, deadline: Pin<&mut Sleep>) -> Result<Option<Bytes>, Kind> {
        let frame = tokio::select! {
            frame = timeout(self.app.limits.idle, body.frame()) => frame.map_err(|_| Kind::Timeout)?,
            () = deadline => return Err(Kind::Timeout),
        };
        match frame {
            None => Ok(None),
            Some(Err(_)) => Err(Kind::Incomplete),
            // Trailers say nothing that we want to know.
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        }
    }

    async fn add(&mut self, piece: Piece) -> Result<(), Kind> {
        self.records += 1;
        if self.records > self.app.limits.records {
            return Err(Kind::TooMany(self.app.limits.records));
        }
        let intake: &Intake = &self.app.intake;
        let record = match piece {
            Piece::Record(text) => {
                self.batch_bytes += text.len();
                intake.read(self.sender, self.register, &text)
            }
            Piece::TooLong => {
                let limit = self.app.limits.record.bytes;
                intake.unread(Issue::error(Code::Structure, "intake.record_long").with("batas", limit))
            }
            Piece::TooDeep => {
                let limit = self.app.limits.record.depth;
                intake.unread(Issue::error(Code::Structure, "intake.record_deep").with("batas", limit))
            }
        };
        if record.is_broken && self.records == 1 {
            return Err(Kind::NotJson(self.splitter.begun()));
        }
        self.batch.push(record);
        if self.batch.len() >= BATCH_RECORDS_MAX || self.batch_bytes >= BATCH_BYTES_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Kind> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let taken = self.app.intake.take(self.sender, self.register, batch).await.map_err(|error| failed(&error))?;
        taken.iter().for_each(|one| self.answer.push(one));
        let counted = self.app.watching.observed.rows_of(&self.sender.name);
        counted("read", taken.len() as u64);
        taken.iter().for_each(|one| counted(one.outcome.name(), 1));
        Ok(())
    }
}

/// A ledger that is full or closing is worth another try; anything else is a failure.
pub fn failed(error: &LedgerError) -> Kind {
    tracing::warn!(%error, "records that were sent cannot be stored");
    match error {
        LedgerError::Full | LedgerError::Broken | LedgerError::Damaged | LedgerError::Closed => Kind::Unavailable,
        _ => Kind::Failure,
    }
}
