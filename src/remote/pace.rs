//! The pace of one client id: halved when the server pushes back, raised again by steps, settling just under a limit
//! that nobody published.
//!
//! Pure: time is passed in, as time since the limiter began. It must not know what is sent, nor wait.

use std::collections::VecDeque;
use std::time::Duration;

/// Slowest pace that push-back can lead to, in calls a minute: one call in ten seconds (faults.md, row 19).
pub const FLOOR_PER_MINUTE: f64 = 6.0;

/// Time without push-back that earns a step up near the ceiling.
pub const CLEAN_PERIOD: Duration = Duration::from_secs(60);

/// While no ceiling is known yet, a clean stretch of this length earns a larger step.
const GROWTH_PERIOD: Duration = Duration::from_secs(10);

/// Growth of the pace with each such step: less each time that push-back has shown where it ends.
const GROWTH: [f64; 4] = [2.0, 1.25, 1.08, 1.03];

/// The pace is kept at this part of the ceiling.
const MARGIN: f64 = 0.98;

/// A pace that was halved near a known ceiling stays so for this long.
const RECOVERY: Duration = Duration::from_secs(5);

/// A ceiling at which a few calls were pushed back is lowered by this.
const BACK: f64 = 1.02;

/// Clean minutes at the ceiling before it is tried whether it has risen.
const PATIENCE: u32 = 10;

/// First step beyond the ceiling, as part of it; each that is not pushed back doubles the next one.
const STEP: f64 = 0.02;

/// Largest step beyond the ceiling.
const STEP_MAX: f64 = 0.25;

/// What a limit is believed to count over.
const WINDOW: Duration = Duration::from_secs(60);

/// Calls are remembered for as long as this beyond the window: their answers come late.
const KEPT_BEYOND: Duration = Duration::from_secs(1);

/// Calls remembered, at most: faster lanes are measured over less than a minute.
const PASSED_MAX: usize = 100_000;

/// Push-back that goes on for longer than this, and than this many calls, at half a pace that was fine before, comes
/// from a quota that is used up.
const USED_UP: (Duration, f64) = (Duration::from_secs(3), 3.0);

/// What was learnt about a client id, to be kept across restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Learnt {
    /// The highest pace the server took, in calls a minute; `None` while it never pushed back.
    pub ceiling: Option<f64>,
}

/// When and under which pace a call left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Number of the pace; it rises with each halving.
    pub generation: u64,
    /// When.
    pub at: Duration,
}

/// Where the search for the limit stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// No ceiling is known: the pace grows up to the configured one.
    Growing,
    /// Push-back came and no call has passed since.
    PushedBack(Episode),
    /// Just under the ceiling.
    Holding,
}

/// One stretch of push-back.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Episode {
    began: Duration,
    /// The pace that was pushed back.
    from: f64,
    /// When the last call left that was pushed back under a pace already halved.
    last: Duration,
    /// Calls that passed in the minute before.
    passed: f64,
    /// Pace of the calls that passed in the last growth period before.
    lately: f64,
    /// A ceiling was known.
    near_ceiling: bool,
}

/// The pace and how it came to be.
#[derive(Clone, Debug)]
pub struct Pace {
    configured: f64,
    current: f64,
    ceiling: Option<f64>,
    phase: Phase,
    generation: u64,
    /// Since when the pace is as it is and nothing was pushed back.
    since: Duration,
    /// Clean minutes at the ceiling.
    minutes: u32,
    step: f64,
    /// Push-back came at the ceiling, so that it is no lower bound any more.
    is_confirmed: bool,
    growth: usize,
    /// The pace has grown to where it is, each step clean; otherwise where it stands says nothing about the limit.
    climbed: bool,
    /// When the calls of the last minute left that were not pushed back, oldest first.
    passed: VecDeque<Duration>,
}

impl Pace {
    /// Starts at the configured pace, in calls a minute (at least 1), or at what was learnt before.
    #[must_use]
    pub fn new(configured_per_minute: u32, learnt: Option<Learnt>) -> Self {
        let configured = f64::from(configured_per_minute.max(1));
        let ceiling = learnt.and_then(|learnt| learnt.ceiling);
        let mut pace = Self {
            configured,
            current: configured,
            ceiling: None,
            phase: Phase::Growing,
            generation: 0,
            since: Duration::ZERO,
            minutes: 0,
            step: STEP,
            is_confirmed: false,
            growth: 0,
            climbed: false,
            passed: VecDeque::new(),
        };
        pace.restore(Learnt { ceiling }, Duration::ZERO);
        pace
    }

    /// Goes on from what was learnt before.
    pub fn restore(&mut self, learnt: Learnt, now: Duration) {
        if let Some(ceiling) = learnt.ceiling.filter(|ceiling| *ceiling < self.configured) {
            self.hold(ceiling, now);
        }
    }

    /// Calls a minute now.
    #[must_use]
    pub fn per_minute(&self) -> f64 {
        self.current
    }

    /// Number of the pace, for the calls that leave under it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the pace is the configured one and nothing is known against it.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.ceiling.is_none() && self.current >= self.configured
    }

    /// What to keep across restarts.
    #[must_use]
    pub fn learnt(&self) -> Learnt {
        Learnt { ceiling: self.ceiling }
    }

    /// A call leaves.
    pub fn left(&mut self, now: Duration) -> Left {
        // Calls that leave side by side may tell the time in another order.
        let at = self.passed.back().map_or(now, |last| now.max(*last));
        self.passed.push_back(at);
        while self.passed.len() > PASSED_MAX
            || self.passed.front().is_some_and(|first| *first + WINDOW + KEPT_BEYOND < at)
        {
            self.passed.pop_front();
        }
        Left { generation: self.generation, at }
    }

    /// Push-back on a call: halves the pace, once for all calls that left under it. Returns whether the pace changed.
    pub fn throttled(&mut self, left: Left, now: Duration) -> bool {
        let place = self.passed.partition_point(|at| *at < left.at);
        if self.passed.get(place) == Some(&left.at) {
            self.passed.remove(place);
        }
        if let Phase::PushedBack(episode) = &mut self.phase
            && left.at <= episode.began
        {
            // It had left before the push-back was known and was counted as passed.
            episode.passed = (episode.passed - 1.0).max(0.0);
        }
        if left.generation != self.generation {
            return false;
        }
        let episode = match self.phase {
            Phase::PushedBack(episode) => Episode { last: left.at.max(episode.last), ..episode },
            Phase::Growing | Phase::Holding => Episode {
                began: left.at,
                from: self.current,
                last: left.at,
                passed: self.passed_within(WINDOW, left.at),
                lately: self.passed_within(GROWTH_PERIOD, left.at) * WINDOW.div_duration_f64(GROWTH_PERIOD),
                near_ceiling: self.phase == Phase::Holding,
            },
        };
        self.phase = Phase::PushedBack(episode);
        self.generation += 1;
        self.since = now;
        self.minutes = 0;
        let before = self.current;
        self.current = (self.current / 2.0).max(FLOOR_PER_MINUTE).min(self.configured);
        self.current != before
    }

    /// A call without push-back. Returns whether the pace changed.
    pub fn clean(&mut self, left: Left, now: Duration) -> bool {
        let before = self.current;
        match self.phase {
            Phase::PushedBack(episode) => self.let_through(episode, left, now),
            Phase::Growing => self.grow(left, now),
            Phase::Holding => self.try_ceiling(now),
        }
        self.current != before
    }

    /// The first call that passes after push-back shows what kind of limit it was.
    fn let_through(&mut self, episode: Episode, left: Left, now: Duration) {
        if left.generation != self.generation || now.saturating_sub(self.since) < RECOVERY {
            return;
        }
        let known = episode.passed.max(FLOOR_PER_MINUTE);
        let going_on = episode.last.saturating_sub(episode.began);
        let used_up = going_on > USED_UP.0.max(WINDOW.mul_f64(USED_UP.1 / episode.from));
        let step_before = episode.from / GROWTH[self.growth];
        if episode.near_ceiling {
            // What passed counts exactly when a quota is used up. A rate that is too high was too high by little, and
            // never lower than what passed in its minute.
            let by_little = known.clamp(episode.from / BACK, episode.from);
            self.hold(if used_up { known } else { by_little }, now);
            self.is_confirmed = true;
        } else if !self.climbed && self.growth == 0 {
            // From a standing start nobody can tell a quota that is used up from a rate that is too high.
            self.go_on(known, 0, now);
        } else if used_up {
            self.hold(known, now);
        } else if !self.climbed {
            self.go_on(step_before, self.growth, now);
        } else if self.growth + 1 < GROWTH.len() {
            self.go_on(episode.lately.clamp(step_before, episode.from), self.growth + 1, now);
        } else {
            self.hold(episode.lately.clamp(step_before, episode.from), now);
        }
    }

    fn grow(&mut self, left: Left, now: Duration) {
        if self.current >= self.configured || left.at < self.since || now.saturating_sub(self.since) < GROWTH_PERIOD {
            return;
        }
        self.current = (self.current * GROWTH[self.growth]).min(self.configured);
        self.climbed = true;
        self.since = now;
    }

    fn try_ceiling(&mut self, now: Duration) {
        if now.saturating_sub(self.since) < CLEAN_PERIOD {
            return;
        }
        self.since = now;
        self.minutes += 1;
        let (step, patience) = (self.step, if self.is_confirmed { PATIENCE } else { 1 });
        let Some(ceiling) = self.ceiling.filter(|_| self.minutes >= patience || step > STEP) else { return };
        let is_confirmed = self.is_confirmed;
        self.hold(ceiling * (1.0 + step), now);
        self.is_confirmed = is_confirmed;
        self.step = (step * 2.0).min(STEP_MAX);
    }

    fn go_on(&mut self, pace: f64, growth: usize, now: Duration) {
        self.phase = Phase::Growing;
        self.current = pace.clamp(FLOOR_PER_MINUTE.min(self.configured), self.configured);
        (self.growth, self.climbed, self.since) = (growth, false, now);
    }

    fn hold(&mut self, ceiling: f64, now: Duration) {
        self.phase = Phase::Holding;
        self.ceiling = Some(ceiling).filter(|ceiling| *ceiling < self.configured);
        let wanted = (ceiling * MARGIN).max(FLOOR_PER_MINUTE);
        self.current = if self.ceiling.is_some() { wanted.min(self.configured) } else { self.configured };
        (self.since, self.minutes, self.step, self.is_confirmed) = (now, 0, STEP, false);
        if self.ceiling.is_none() {
            self.phase = Phase::Growing;
        }
    }

    /// Calls that left in this time before an instant and passed.
    fn passed_within(&self, time: Duration, until: Duration) -> f64 {
        let recent = self.passed.iter().rev().skip_while(|at| **at > until).take_while(|at| **at + time > until);
        f64::from(u32::try_from(recent.count()).unwrap_or(u32::MAX))
    }
}
