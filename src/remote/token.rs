//! The access token: asked for once however many calls wait, kept until shortly before it ends.
//!
//! It must not make the call itself, and it never prints a token or a secret. The platform's numbers come as
//! strings, and there is no usable refresh token: a new one is always a new request.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{Answer, Class};
use super::response::{Reply, Sent, classify};
use crate::redact::Personal;

/// Life assumed when the answer tells none that makes sense: what client libraries use.
pub const LIFE_ASSUMED: Duration = Duration::from_secs(50 * 60);

/// Longest life believed.
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A token is renewed this long before its end, or after nine tenths of a shorter life.
pub const RENEW_BEFORE_END: Duration = Duration::from_secs(5 * 60);

/// After a failed request for a token, and between renewals of tokens that never worked, at least this long.
pub const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Longest token accepted, in bytes; it travels in a header.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// An access token with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    text: Personal<String>,
    renew_at: Timestamp,
    expires: Timestamp,
}

impl Token {
    /// A token that lives until `expires`, seen at `now`.
    #[must_use]
    pub fn new(text: Personal<String>, expires: Timestamp, now: Timestamp) -> Self {
        let life = Duration::try_from(expires.duration_since(now)).unwrap_or(Duration::ZERO).min(LIFE_MAX);
        let early = RENEW_BEFORE_END.min(life / 10);
        Self { text, renew_at: later(now, life.saturating_sub(early)), expires: later(now, life) }
    }

    /// The token itself: for the request header and the sealed store only.
    #[must_use]
    pub fn text(&self) -> &Personal<String> {
        &self.text
    }

    /// When it ends.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Whether it is still to be used at `now`.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.renew_at
    }

    /// Reads the token endpoint's answer, or says what it came to.
    pub fn read(reply: &Reply<'_>, now: Timestamp) -> Result<Self, Box<Answer>> {
        if !(200..300).contains(&reply.status) {
            return Err(Box::new(classify(&Sent::Token, reply, now)));
        }
        let unusable = || {
            let outage = Class::Outage { may_have_executed: false };
            Box::new(Answer {
                status: Some(reply.status),
                ..Answer::of(outage, "the token endpoint answered without a token")
            })
        };
        let body: Value =
            if reply.is_json() { serde_json::from_slice(reply.body).map_err(|_| unusable())? } else { Value::Null };
        let fits =
            |text: &&str| (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let text = body.get("access_token").and_then(Value::as_str).filter(fits).ok_or_else(unusable)?;
        let life = body.get("expires_in").and_then(seconds).unwrap_or(LIFE_ASSUMED);
        Ok(Self::new(Personal::new(text.to_owned()), later(now, life), now))
    }
}

/// A life in seconds, as a string or a number. Less than a minute makes no sense and would mean endless renewal.
fn seconds(value: &Value) -> Option<Duration> {
    let text = value.as_str().map(str::to_owned).or_else(|| value.as_number().map(ToString::to_string))?;
    let seconds: u64 = text.trim().parse().ok()?;
    (seconds >= 60).then(|| Duration::from_secs(seconds).min(LIFE_MAX))
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// What is known about the token of one client id.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    state: RwLock<State>,
    /// Held by the one task that asks for a token; the others wait for it.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    /// Counts tokens, so that a call can tell whether another call has renewed meanwhile.
    generation: u64,
    /// The server took a call under this token.
    worked: bool,
    last_failure: Option<Failure>,
    last_forced: Option<Timestamp>,
    /// The last requests, whatever they led to.
    asked: Asked,
    /// The secret was never tried: what was asked for with the one before it says nothing about it.
    has_new_secret: bool,
}

/// A request for a token that led to none.
#[derive(Debug)]
struct Failure {
    at: Timestamp,
    answer: Box<Answer>,
}

/// How many requests for a token any such time may hold, so that the server sees two in a minute and five in five at most
/// (faults.md, row 24). The times are longer than that, since the first may be longer on its way than the last.
const REQUESTS_MAX: [(usize, Duration); 2] = [(2, Duration::from_secs(2 * 60)), (5, Duration::from_secs(330))];
/// Requests that are remembered: as many as the longest of those times may hold.
const REQUESTS_KEPT: usize = REQUESTS_MAX[1].0;

/// When a token was last asked for, the oldest first, also by earlier runs and by other daemons of the client id: a server
/// that takes tokens back again and again is not asked more often than one that gives none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asked(Vec<Timestamp>);

impl Asked {
    /// One more.
    pub fn add(&mut self, now: Timestamp) {
        self.0.push(now);
        let forgotten = self.0.len().saturating_sub(REQUESTS_KEPT);
        self.0.drain(..forgotten);
    }

    /// The last one.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.0.last().copied()
    }

    /// Whether one more would be too many. Two may come close together: after a single stop, or a token taken back.
    fn are_too_many(&self, now: Timestamp) -> bool {
        let within = |time: Duration| self.0.iter().filter(|&&at| is_recent(at, now, time)).count();
        REQUESTS_MAX.iter().any(|&(most, time)| within(time) >= most)
    }
}

impl Shelf {
    /// The token to use now and its number.
    pub(super) fn fresh(&self, now: Timestamp) -> Option<(Token, u64)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.token.as_ref().filter(|token| token.is_fresh(now)).map(|token| (token.clone(), state.generation))
    }

    pub(super) fn current(&self) -> Option<Token> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).token.clone()
    }

    /// Keeps a token and returns its number.
    pub(super) fn put(&self, token: Token) -> u64 {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let generation = state.generation + 1;
        let before = std::mem::take(&mut *state);
        *state = State { token: Some(token), generation, worked: false, last_failure: None, ..before };
        generation
    }

    /// A token is asked for now.
    pub(super) fn asking(&self, now: Timestamp) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.asked.add(now);
        state.has_new_secret = false;
    }

    /// Goes on with the requests of an earlier run, or of another daemon.
    pub(super) fn restore(&self, asked: Asked) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if asked.last() >= state.asked.last() {
            state.asked = asked;
        }
    }

    pub(super) fn failed(&self, at: Timestamp, answer: Box<Answer>) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).last_failure = Some(Failure { at, answer });
    }

    /// Why no token may be asked for yet: the last failure, or too many requests of late.
    pub(super) fn too_early(&self, now: Timestamp) -> Option<Box<Answer>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.has_new_secret {
            return None;
        }
        let pause = PAUSE_AFTER_FAILURE;
        if let Some(failure) = state.last_failure.as_ref().filter(|failure| is_recent(failure.at, now, pause)) {
            return Some(failure.answer.clone());
        }
        let outage = Class::Outage { may_have_executed: false };
        state.asked.are_too_many(now).then(|| Box::new(Answer::of(outage, "not sent: tokens were asked for just now")))
    }

    /// A new secret: the old refusals say nothing about it.
    pub(super) fn forget_failures(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.last_failure = None;
        state.last_forced = None;
        state.has_new_secret = true;
    }

    pub(super) fn worked(&self, generation: u64) {
        let known = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.worked || state.generation != generation
        };
        if !known {
            self.state.write().unwrap_or_else(PoisonError::into_inner).worked = true;
        }
    }

    /// The server refused the token of this number: throws it away, unless another call has renewed it already or
    /// tokens that never worked are being renewed too often. Returns whether trying again makes sense.
    pub(super) fn refused(&self, generation: u64, now: Timestamp) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.generation != generation || state.token.is_none() {
            return true;
        }
        if !state.worked && state.last_forced.is_some_and(|at| is_recent(at, now, PAUSE_AFTER_FAILURE)) {
            return false;
        }
        state.last_forced = Some(now);
        state.token = None;
        true
    }
}

fn is_recent(at: Timestamp, now: Timestamp, within: Duration) -> bool {
    // A clock set back makes the moment lie in the future; that is not recent, or it would last for ever.
    Duration::try_from(now.duration_since(at)).is_ok_and(|since| since < within)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whenever it is wanted, also after a restart and in pairs.
        #[test]
        fn no_time_holds_more_requests_than_it_may(gaps_ms in prop::collection::vec(0u64..200_000, 1..200)) {
            let (mut now, mut asked, mut all) = (Timestamp::UNIX_EPOCH, Asked::default(), Vec::new());
            for gap in gaps_ms {
                now = later(now, Duration::from_millis(gap));
                while !asked.are_too_many(now) {
                    asked.add(now);
                    all.push(now);
                    let kept = serde_json::to_string(&asked).unwrap();
                    asked = serde_json::from_str(&kept).unwrap();
                }
            }
            for (most, time) in REQUESTS_MAX {
                for &from in &all {
                    let until = later(from, time);
                    let within = all.iter().filter(|&&at| from <= at && at < until).count();
                    prop_assert!(within <= most, "{within} in {time:?}: {all:?}");
                }
            }
        }
    }

    #[test]
    fn requests_of_a_time_to_come_do_not_count() {
        let mut asked = Asked::default();
        for _ in 0..REQUESTS_KEPT {
            asked.add(Timestamp::from_second(1_000_000).unwrap());
        }
        assert!(!asked.are_too_many(Timestamp::UNIX_EPOCH));
    }

    fn read(status: u16, kind: &str, body: &str) -> Result<Token, Box<Answer>> {
        let reply = Reply { status, content_type: kind, body: body.as_bytes(), ..Reply::default() };
        Token::read(&reply, Timestamp::UNIX_EPOCH)
    }

    fn life(expires_in: &str) -> i64 {
        let body = format!(r#"{{"access_token":"abc","token_type":"BearerToken"{expires_in}}}"#);
        read(200, "application/json", &body).unwrap().expires().as_second()
    }

    #[test]
    fn lives_are_strings_numbers_or_assumed() {
        assert_eq!(life(r#","expires_in":"3599""#), 3599);
        assert_eq!(life(r#","expires_in":3599"#), 3599);
        for odd in ["", r#","expires_in":"-5""#, r#","expires_in":"soon""#, r#","expires_in":0"#, r#","expires_in":[]"#]
        {
            assert_eq!(life(odd), 3000, "{odd}");
        }
        assert_eq!(life(r#","expires_in":"99999999999""#), 86_400);
    }

    #[test]
    fn a_token_is_renewed_before_its_end() {
        let token = read(200, "application/json", r#"{"access_token":"abc","expires_in":"3599"}"#).unwrap();
        assert!(token.is_fresh(Timestamp::from_second(3298).unwrap()));
        assert!(!token.is_fresh(Timestamp::from_second(3299).unwrap()));
        assert!(!format!("{token:?}").contains("abc"));
    }

    #[test]
    fn failures_of_the_endpoint_are_classified() {
        let outage = Class::Outage { may_have_executed: false };
        for (status, kind, body, class) in [
            (
                401,
                "application/json",
                r#"{"ErrorCode":"invalid_client","Error":"ClientId is Invalid"}"#,
                Class::Configuration,
            ),
            (
                401,
                "application/json",
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"invalid","code":"x","details":{"text":"x"}}]}"#,
                Class::Configuration,
            ),
            (403, "text/html", "<html><title>403 Forbidden</title></html>", outage),
            (503, "text/plain", "no healthy upstream", outage),
            (429, "text/plain", "", Class::Throttled),
            (
                500,
                "application/json",
                r#"{"fault":{"faultstring":"Quota","detail":{"errorcode":"policies.ratelimit.QuotaViolation"}}}"#,
                Class::Throttled,
            ),
            (404, "text/plain", "", Class::Configuration),
            (200, "text/html", "<html>log in</html>", outage),
            (200, "application/json", r#"{"access_token":""}"#, outage),
            (200, "application/json", "{", outage),
        ] {
            assert_eq!(read(status, kind, body).unwrap_err().class, class, "{status} {body}");
        }
    }
}
