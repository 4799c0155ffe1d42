//! Whether a lane sends at all: it stops for what no record is to blame for, and one call in a while tries again.
//!
//! Pure: time and chance are passed in. It must not send and keeps nothing on disk; who uses it keeps [`Stopped`].

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// As many refusals in a row for the same reason stop the lane: then the mapping or the platform changed, not the
/// records (faults.md, design rule 5).
pub const REFUSALS_ALIKE_MAX: u32 = 20;

/// As many exchanges in a row that say "the server is in trouble" stop the lane.
pub const TROUBLES_MAX: u32 = 10;

/// Shortest wait between two tries of a server in trouble; up to as much again is added by chance (faults.md, row 18).
pub const TRY_AGAIN: Duration = Duration::from_secs(30);

/// Wait between two tries while access or configuration is wrong. A changed secret is tried at once.
pub const TRY_CONFIGURATION: Duration = Duration::from_secs(5 * 60);

/// Why a lane is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Access or configuration is wrong: a person must mend it.
    Configuration,
    /// Too many refusals in a row for the same reason: a person must look and let it go on.
    MassRefusal,
    /// The server is in trouble; trying on would only burn calls.
    Trouble,
}

impl Why {
    /// The word in JSON and logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::MassRefusal => "mass_refusal",
            Self::Trouble => "trouble",
        }
    }
}

/// A stopped lane, as it is kept across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Why.
    pub why: Why,
    /// The server's words, masked.
    pub words: String,
    /// Since when.
    pub since: Timestamp,
    /// When one call may try again; `None` while a person must let it go on.
    pub try_at: Option<Timestamp>,
    /// When the first of the refusals alike came, for a mass refusal.
    pub first_refusal: Option<Timestamp>,
    /// A look-up has gone ahead of the tries, see [`Breaker::gate_to_look`].
    #[serde(default)]
    pub looked: bool,
}

impl Stopped {
    fn new(why: Why, words: &str, since: Timestamp, try_at: Option<Timestamp>) -> Self {
        Self { why, words: words.to_owned(), since, try_at, first_refusal: None, looked: false }
    }

    /// Whether a try is due. One that lies further ahead than any wait is long was set before the clock was set back.
    #[must_use]
    pub fn may_be_tried(&self, now: Timestamp) -> bool {
        let longest = now.saturating_add(wait(self.why) + TRY_AGAIN).unwrap_or(Timestamp::MAX);
        self.try_at.is_some_and(|at| at <= now || at > longest)
    }
}

/// What a lane may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Send.
    Open,
    /// Make one call, to see whether the server works again.
    Try,
    /// Nothing.
    Closed(Stopped),
}

/// The breaker of one lane.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    stopped: Option<Stopped>,
    /// What was last told to whoever keeps it.
    told: Option<Stopped>,
    troubles: u32,
    refusals_alike: u32,
    last_refusal: String,
    first_refusal: Option<Timestamp>,
}

impl Breaker {
    /// Goes on from what was kept.
    #[must_use]
    pub fn from_kept(stopped: Option<Stopped>) -> Self {
        Self { told: stopped.clone(), stopped, ..Self::default() }
    }

    /// Whether it stands otherwise than was last told.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.stopped != self.told
    }

    /// Takes it as told how it stands now; gives what was told before.
    pub fn told(&mut self) -> Option<Stopped> {
        std::mem::replace(&mut self.told, self.stopped.clone())
    }

    /// Why the lane is stopped.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// What the lane may do now. A try is given to one caller; the next comes after the wait, whatever became of it.
    pub fn gate(&mut self, now: Timestamp, seed: u64) -> Gate {
        let Some(stopped) = &mut self.stopped else { return Gate::Open };
        if !stopped.may_be_tried(now) {
            return Gate::Closed(stopped.clone());
        }
        stopped.try_at = Some(next_try(stopped.why, now, seed));
        Gate::Try
    }

    /// What a look-up may do now: as [`Breaker::gate`], and in each stop for trouble one may go ahead of the tries. It
    /// changes nothing at the server, and one lost answer is often all the trouble there is: whoever has nothing else to
    /// send would be in doubt for half a minute longer.
    pub fn gate_to_look(&mut self, now: Timestamp, seed: u64) -> Gate {
        if !self.may_look_ahead() {
            return self.gate(now, seed);
        }
        if let Some(stopped) = &mut self.stopped {
            stopped.looked = true;
        }
        Gate::Try
    }

    /// Whether a look-up may still go ahead of the tries.
    #[must_use]
    pub fn may_look_ahead(&self) -> bool {
        self.stopped.as_ref().is_some_and(|stopped| stopped.why == Why::Trouble && !stopped.looked)
    }

    /// Something was accepted or found: the server works. True when the lane goes on after a stop.
    pub fn worked(&mut self) -> bool {
        self.troubles = 0;
        self.refusals_alike = 0;
        self.goes_on()
    }

    /// Any other clear answer: the server works, but nothing was accepted. True when the lane goes on after a stop.
    pub fn answered(&mut self) -> bool {
        self.troubles = 0;
        self.goes_on()
    }

    /// A clear refusal: the server works, but the same reason over and over is not the records' fault. True when
    /// something changed.
    pub fn refused(&mut self, reason: &str, now: Timestamp) -> bool {
        self.troubles = 0;
        let goes_on = self.goes_on();
        if self.last_refusal != reason || self.refusals_alike == 0 {
            reason.clone_into(&mut self.last_refusal);
            self.refusals_alike = 0;
            self.first_refusal = Some(now);
        }
        self.refusals_alike += 1;
        if self.refusals_alike < REFUSALS_ALIKE_MAX || self.stopped.is_some() {
            return goes_on;
        }
        let first_refusal = self.first_refusal;
        self.stop(Stopped { first_refusal, ..Stopped::new(Why::MassRefusal, reason, now, None) })
    }

    /// The server is in trouble. True when something changed.
    pub fn trouble(&mut self, words: &str, now: Timestamp, seed: u64) -> bool {
        self.troubles = self.troubles.saturating_add(1);
        match &mut self.stopped {
            Some(stopped) => {
                if let Some(at) = stopped.try_at.as_mut() {
                    *at = (*at).max(next_try(Why::Trouble, now, seed));
                }
                false
            }
            None if self.troubles >= TROUBLES_MAX => self.give_up(words, now, seed),
            None => false,
        }
    }

    /// Stops at once for a server in trouble: not one answer of a whole run was of use.
    pub fn give_up(&mut self, words: &str, now: Timestamp, seed: u64) -> bool {
        let try_at = Some(next_try(Why::Trouble, now, seed));
        self.stop(Stopped::new(Why::Trouble, words, now, try_at))
    }

    /// Access or configuration is wrong: stops at once. True when something changed.
    pub fn misconfigured(&mut self, words: &str, now: Timestamp, seed: u64) -> bool {
        let try_at = Some(next_try(Why::Configuration, now, seed));
        let stopped = Stopped::new(Why::Configuration, words, now, try_at);
        if self.stopped.as_ref().is_some_and(|known| known.why == Why::Trouble) {
            // The server answers again, and what it says is worse.
            self.stopped = None;
        }
        self.stop(stopped)
    }

    /// Tries again at the next chance, instead of later: something was changed on this side.
    pub fn try_now(&mut self, now: Timestamp) {
        if let Some(at) = self.stopped.as_mut().and_then(|stopped| stopped.try_at.as_mut()) {
            *at = now;
        }
    }

    fn stop(&mut self, stopped: Stopped) -> bool {
        let is_new = self.stopped.is_none();
        self.stopped.get_or_insert(stopped);
        is_new
    }

    fn goes_on(&mut self) -> bool {
        // A mass refusal is ended by a person, not by an answer of a visit that was on its way.
        let ends = self.stopped.as_ref().is_some_and(|stopped| stopped.why != Why::MassRefusal);
        if ends {
            self.stopped = None;
        }
        ends
    }
}

/// Shortest wait between two tries.
fn wait(why: Why) -> Duration {
    match why {
        Why::Configuration => TRY_CONFIGURATION,
        Why::MassRefusal | Why::Trouble => TRY_AGAIN,
    }
}

fn next_try(why: Why, now: Timestamp, seed: u64) -> Timestamp {
    let span = u64::try_from(TRY_AGAIN.as_millis()).unwrap_or(1).max(1);
    now.saturating_add(wait(why) + Duration::from_millis(seed % span)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_server_in_trouble_is_tried_by_one_call_every_30_to_60_seconds() {
        let mut breaker = Breaker::default();
        for _ in 1..TROUBLES_MAX {
            assert!(!breaker.trouble("down", at(0), 5));
        }
        assert!(breaker.trouble("down", at(0), 5));
        let (mut tries, week) = (Vec::new(), 7 * 24 * 3600);
        for second in 1..week {
            let seed = (second as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            if breaker.gate(at(second), seed) == Gate::Try {
                tries.push(second);
                assert!(matches!(breaker.gate(at(second), 1), Gate::Closed(_)), "one at a time");
                breaker.trouble("down", at(second), seed);
            }
        }
        assert!(tries.windows(2).all(|pair| (30..=61).contains(&(pair[1] - pair[0]))));
        assert!((week / 61..=week / 30).contains(&(tries.len() as i64)), "{} tries in a week", tries.len());
        assert!(breaker.worked());
        assert_eq!(breaker.gate(at(week), 0), Gate::Open);
    }

    #[test]
    fn one_look_up_goes_ahead_of_the_tries_and_no_second_one() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.gate_to_look(at(0), 1), Gate::Open);
        breaker.give_up("lost", at(0), 1);
        assert!(matches!(breaker.gate(at(5), 1), Gate::Closed(_)), "nothing is sent");
        assert_eq!(breaker.gate_to_look(at(5), 1), Gate::Try);
        breaker.trouble("lost", at(5), 1);
        let kept = serde_json::to_string(breaker.stopped().unwrap()).unwrap();
        let mut breaker = Breaker::from_kept(serde_json::from_str(&kept).unwrap());
        assert!(matches!(breaker.gate_to_look(at(6), 1), Gate::Closed(_)), "a restart gives no second one");
        assert!(matches!(breaker.gate_to_look(at(34), 1), Gate::Closed(_)), "half a minute after it at the earliest");
        assert_eq!(breaker.gate_to_look(at(36), 1), Gate::Try);
        assert!(breaker.answered());
        breaker.give_up("lost again", at(100), 1);
        assert_eq!(breaker.gate_to_look(at(105), 1), Gate::Try, "another stop, another look");
        let mut wrong = Breaker::default();
        wrong.misconfigured("invalid_client", at(0), 7);
        assert!(matches!(wrong.gate_to_look(at(5), 7), Gate::Closed(_)));
    }

    #[test]
    fn twenty_refusals_alike_stop_until_a_person_lets_it_go_on() {
        let mut breaker = Breaker::default();
        breaker.refused("other", at(1));
        for second in 10..29 {
            assert!(!breaker.refused("same", at(second)));
        }
        assert!(breaker.refused("same", at(29)));
        assert!(!breaker.worked(), "a visit on its way does not end it");
        let Gate::Closed(stopped) = breaker.gate(at(1_000_000), 0) else { panic!("open") };
        assert_eq!((stopped.why, stopped.first_refusal), (Why::MassRefusal, Some(at(10))));
        let text = serde_json::to_string(&stopped).unwrap();
        assert_eq!(Breaker::from_kept(serde_json::from_str(&text).unwrap()).stopped(), Some(&stopped));
    }

    #[test]
    fn a_clock_that_is_set_back_closes_no_lane_for_a_day() {
        let day = 24 * 3600;
        let mut trouble = Breaker::default();
        trouble.give_up("down", at(day), 29_999);
        assert!(matches!(trouble.gate(at(day), 1), Gate::Closed(_)), "its wait is no longer than any");
        assert_eq!(trouble.gate(at(0), 1), Gate::Try);
        assert!(matches!(trouble.gate(at(1), 1), Gate::Closed(_)), "and then it waits as usual");
        let mut wrong = Breaker::default();
        wrong.misconfigured("invalid_client", at(day), 29_999);
        assert!(matches!(wrong.gate(at(day), 1), Gate::Closed(_)));
        assert_eq!(wrong.gate(at(0), 1), Gate::Try);
        let mut refused = Breaker::default();
        (0..REFUSALS_ALIKE_MAX).for_each(|_| _ = refused.refused("same", at(day)));
        assert!(matches!(refused.gate(at(0), 1), Gate::Closed(_)), "a person must look");
    }

    #[test]
    fn wrong_access_stops_after_one_and_a_new_secret_is_tried_at_once() {
        let mut breaker = Breaker::default();
        assert!(breaker.misconfigured("invalid_client", at(0), 7));
        assert!(matches!(breaker.gate(at(299), 7), Gate::Closed(_)));
        breaker.try_now(at(299));
        assert_eq!(breaker.gate(at(299), 7), Gate::Try);
        assert!(breaker.worked());
    }
}
