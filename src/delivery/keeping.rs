//! What delivery keeps in the ledger across restarts: token and pace of a client id, and why a lane is stopped.
//!
//! It must not decide anything; the pure parts of `remote` do.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::ledger::lane::NoteKind;
use crate::ledger::{Ledger, LedgerError};
use crate::remote::breaker::{Breaker, Gate, Stopped, Why};
use crate::remote::lane::Lane;
use crate::remote::memory::{Kept, Later, Memory};
use crate::remote::pace::Learnt;
use crate::remote::token::{Asked, Token};

/// The memory of a client in the ledger.
#[derive(Debug)]
pub struct LedgerMemory {
    ledger: Arc<Ledger>,
    clock: Clock,
}

impl LedgerMemory {
    /// The memory in a ledger.
    #[must_use]
    pub fn new(ledger: &Arc<Ledger>, clock: &Clock) -> Self {
        Self { ledger: Arc::clone(ledger), clock: clock.clone() }
    }

    /// Lets a lane go on with what is kept of its client id, and keep there what it learns.
    pub async fn hand_to(ledger: &Arc<Ledger>, clock: &Clock, lane: &Lane) {
        lane.remote.remember_in(Arc::new(Self::new(ledger, clock))).await;
    }

    async fn read(&self, client_id: &str) -> Result<Kept, LedgerError> {
        let token = self.ledger.token(client_id).await?;
        let asks = self.ledger.note(NoteKind::TokenAsked, client_id).await?;
        let learnt = self.ledger.note(NoteKind::Pace, client_id).await?;
        Ok(Kept {
            token: token.map(|(text, expires)| Token::new(text, expires, self.clock.now())),
            asked: asked(asks.as_deref()),
            learnt: learnt.and_then(|text| serde_json::from_str(&text).ok()),
        })
    }

    async fn write_token(&self, client_id: &str, token: Option<&Token>) -> Result<(), LedgerError> {
        match token {
            Some(token) => self.ledger.put_token(client_id, token.text(), token.expires()).await,
            None => self.ledger.forget_token(client_id).await,
        }
    }

    fn told(&self, result: Result<(), LedgerError>) -> bool {
        const SAYS: &str = "the ledger could not keep what a client remembers";
        match &result {
            Ok(()) => {}
            // These end the run, with a sentence of their own.
            Err(error @ (LedgerError::Full | LedgerError::Broken | LedgerError::Closed)) => {
                tracing::debug!(%error, "{SAYS}");
            }
            Err(error) => tracing::warn!(%error, "{SAYS}"),
        }
        result.is_ok()
    }
}

impl Memory for LedgerMemory {
    fn recall<'a>(&'a self, client_id: &'a str) -> Later<'a, Kept> {
        Box::pin(async move {
            self.read(client_id).await.unwrap_or_else(|error| {
                self.told(Err(error));
                Kept::default()
            })
        })
    }

    fn asking<'a>(&'a self, client_id: &'a str, at: Timestamp) -> Later<'a, bool> {
        Box::pin(async move {
            let before = self.ledger.note(NoteKind::TokenAsked, client_id).await.unwrap_or_default();
            let mut asked = asked(before.as_deref());
            asked.add(at);
            let value = serde_json::to_string(&asked).ok();
            self.told(self.ledger.put_note(NoteKind::TokenAsked, client_id, value).await)
        })
    }

    fn keep_token<'a>(&'a self, client_id: &'a str, token: Option<&'a Token>) -> Later<'a, ()> {
        Box::pin(async move {
            self.told(self.write_token(client_id, token).await);
        })
    }

    fn keep_learnt<'a>(&'a self, client_id: &'a str, learnt: Learnt) -> Later<'a, ()> {
        Box::pin(async move {
            let value = serde_json::to_string(&learnt).ok();
            self.told(self.ledger.put_note(NoteKind::Pace, client_id, value).await);
        })
    }
}

/// The last requests for a token.
fn asked(note: Option<&str>) -> Asked {
    note.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Why a lane is stopped, as the ledger keeps it.
///
/// # Errors
/// Failures of the ledger.
pub async fn stopped(ledger: &Ledger, lane: &str) -> Result<Option<Stopped>, LedgerError> {
    let note = ledger.note(NoteKind::Stopped, lane).await?;
    Ok(note.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Breakers and the ledger that keeps them.
pub struct Breakers<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// The time.
    pub clock: &'a Clock,
}

impl Breakers<'_> {
    /// Takes up what is kept: why a lane was stopped before the start, and that a person let it go on since.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn recall(&self, lane: &Lane) -> Result<(), LedgerError> {
        // What look-ups showed meanwhile is newer than what is kept.
        self.keep(lane).await?;
        let kept = stopped(self.ledger, &lane.name).await?;
        let mut breaker = lane.breaker();
        if breaker.stopped() != kept.as_ref() {
            *breaker = Breaker::from_kept(kept);
        }
        Ok(())
    }

    /// What the lane may do now. That a try is under way is durable before it leaves.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn gate(&self, lane: &Lane) -> Result<Gate, LedgerError> {
        let now = self.clock.now();
        let gate = lane.breaker().gate(now, seed(&lane.name, now));
        if gate == Gate::Try {
            self.keep(lane).await?;
        }
        Ok(gate)
    }

    /// Keeps the breaker's standing, when it is another one than was kept.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn keep(&self, lane: &Lane) -> Result<(), LedgerError> {
        let (now, before) = {
            let mut breaker = lane.breaker();
            if !breaker.has_news() {
                return Ok(());
            }
            (breaker.stopped().cloned(), breaker.told())
        };
        match (&now, &before) {
            (Some(now), None) if now.why == Why::Trouble => {
                // Whoever runs the lanes tells people in a sentence of their own.
                tracing::info!(lane = lane.name, why = now.why.word(), words = now.words, "the lane is stopped");
            }
            (Some(now), before) if before.as_ref().map(|before| before.why) != Some(now.why) => {
                tracing::info!(
                    lane = lane.name,
                    why = now.why.word(),
                    words = now.words,
                    "the lane is stopped: see to it"
                );
            }
            (None, Some(before)) => tracing::info!(lane = lane.name, why = before.why.word(), "the lane goes on"),
            _ => {}
        }
        let value = now.map(|stopped| serde_json::to_string(&stopped)).transpose();
        let value = value.map_err(|_| LedgerError::Spoiled("note"))?;
        self.ledger.put_note(NoteKind::Stopped, &lane.name, value).await
    }
}

/// Chance for the waits of a lane: another one for each lane and moment, the same when it is played again.
#[must_use]
pub fn seed(lane: &str, now: Timestamp) -> u64 {
    let mut hasher = DefaultHasher::new();
    (lane, now.as_millisecond()).hash(&mut hasher);
    hasher.finish()
}
