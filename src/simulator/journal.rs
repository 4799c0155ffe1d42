//! The last calls and what was answered, for the person who looks at the stand-in; when many more arrived, for tests that
//! count them.
//!
//! It must not keep credentials, nor more than its ceilings.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use jiff::Timestamp;

/// Exchanges kept.
const EXCHANGES_MAX: usize = 200;
/// Arrivals kept.
const ARRIVALS_MAX: usize = 200_000;
/// Bytes kept of each body.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// One call and its answer.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// Number of the call, from 1; set by the journal.
    pub number: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Fault that struck it.
    pub fault: Option<&'static str>,
    /// What was sent; empty for token requests.
    pub request: Bytes,
    /// What was answered, before the connection failed on purpose.
    pub answer: Bytes,
    /// The answer's `x-request-id`.
    pub request_id: String,
}

/// When a call arrived, and from whom.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When, by the simulator's clock.
    pub at: Timestamp,
    /// Whose token it carried or asked for; empty when that is nobody known.
    pub client_id: Arc<str>,
    /// Whether it asked for a token.
    pub is_token: bool,
    /// HTTP status of the answer.
    pub status: u16,
}

/// The last exchanges and arrivals, newest last.
#[derive(Default)]
pub(super) struct Journal {
    exchanges: VecDeque<Exchange>,
    count: u64,
    arrivals: VecDeque<Arrival>,
}

impl Journal {
    /// Keeps an exchange and forgets the oldest.
    pub(super) fn keep(&mut self, mut exchange: Exchange) {
        self.count += 1;
        exchange.number = self.count;
        exchange.request = shortened(exchange.request);
        exchange.answer = shortened(exchange.answer);
        if self.exchanges.len() == EXCHANGES_MAX {
            self.exchanges.pop_front();
        }
        self.exchanges.push_back(exchange);
    }

    /// Keeps an arrival and forgets the oldest.
    pub(super) fn arrived(&mut self, arrival: Arrival) {
        if self.arrivals.len() == ARRIVALS_MAX {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(arrival);
    }

    /// The arrivals that are still known, oldest first.
    pub(super) fn arrivals(&self) -> impl Iterator<Item = &Arrival> {
        self.arrivals.iter()
    }

    /// The exchanges that are still known, newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().rev()
    }

    /// One exchange by number.
    pub(super) fn numbered(&self, number: u64) -> Option<&Exchange> {
        self.exchanges.iter().find(|exchange| exchange.number == number)
    }
}

/// The beginning of a long body, as a copy of its own: a slice would keep the whole.
fn shortened(body: Bytes) -> Bytes {
    body.get(..BODY_BYTES_MAX).map_or_else(|| body.clone(), Bytes::copy_from_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_stays_within_its_ceilings() {
        let mut journal = Journal::default();
        for _ in 0..250 {
            journal.keep(Exchange {
                number: 0,
                at: Timestamp::UNIX_EPOCH,
                method: "POST".to_owned(),
                target: "/".to_owned(),
                status: 200,
                fault: None,
                request: Bytes::from(vec![b'x'; 100_000]),
                answer: Bytes::new(),
                request_id: String::new(),
            });
        }
        let numbers: Vec<u64> = journal.newest().map(|exchange| exchange.number).collect();
        assert_eq!((numbers.len(), numbers.first(), numbers.last()), (200, Some(&250), Some(&51)));
        assert_eq!(journal.numbered(60).map(|exchange| exchange.request.len()), Some(BODY_BYTES_MAX));
        assert!(journal.numbered(50).is_none());
    }
}
