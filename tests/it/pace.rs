//! The search for a hidden limit, in virtual time: the same code that limits the calls, against servers that count in
//! different ways.
#![allow(clippy::print_stdout, reason = "the figures are the point")]

use std::collections::VecDeque;
use std::time::Duration;

use posyandu_gateway::remote::pace::{FLOOR_PER_MINUTE, Learnt, Left, Pace};

use crate::proof::run::Chance;

/// How a server counts.
#[derive(Clone, Copy, Debug)]
enum Quota {
    /// So many in each minute of its clock.
    Fixed,
    /// So many in any 60 seconds.
    Sliding,
    /// One token each 60 / N seconds, of which a second's worth can be saved.
    Bucket,
    /// The same with a tenth of a second's worth: a spike arrest.
    Spike,
}

/// A server with a limit nobody knows.
struct Server {
    quota: Quota,
    limit: f64,
    minute: (u64, f64),
    taken: VecDeque<f64>,
    tokens: f64,
    last: f64,
}

/// The server's minute begins so many seconds before ours.
const OFFSET: f64 = 17.0;

impl Server {
    fn new(quota: Quota, limit: f64) -> Self {
        Self { quota, limit, minute: (0, 0.0), taken: VecDeque::new(), tokens: f64::MAX, last: 0.0 }
    }

    /// Tokens that can be saved; none where calls are counted.
    fn saved(&self) -> f64 {
        match self.quota {
            Quota::Fixed | Quota::Sliding => 0.0,
            Quota::Bucket => (self.limit / 60.0).max(1.0),
            Quota::Spike => (self.limit / 600.0).max(1.0),
        }
    }

    /// Most calls that it takes within any minute.
    fn most(&self) -> f64 {
        self.limit + self.saved()
    }

    fn takes(&mut self, now: f64) -> bool {
        match self.quota {
            Quota::Fixed => {
                let minute = ((now + OFFSET) / 60.0) as u64;
                if self.minute.0 != minute {
                    self.minute = (minute, 0.0);
                }
                let takes = self.minute.1 < self.limit;
                self.minute.1 += f64::from(u8::from(takes));
                return takes;
            }
            Quota::Sliding => {
                while self.taken.front().is_some_and(|at| *at <= now - 60.0) {
                    self.taken.pop_front();
                }
                let takes = (self.taken.len() as f64) < self.limit;
                self.taken.extend(takes.then_some(now));
                return takes;
            }
            Quota::Bucket | Quota::Spike => {}
        }
        self.tokens = (self.tokens + (now - self.last) * self.limit / 60.0).min(self.saved());
        self.last = now;
        let takes = self.tokens > 0.999_999;
        self.tokens -= f64::from(u8::from(takes));
        takes
    }
}

/// What came of a long backlog sent as fast as the pace allows.
#[derive(Debug)]
struct Outcome {
    /// Part of the limit used from the fifth to the twenty-first minute.
    used: f64,
    refused: u64,
    refused_after_five_minutes: u64,
    /// Most seconds in a row after the fifth minute in which more calls had left within a minute than the limit.
    over: usize,
    per_minute: f64,
}

/// How calls travel.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Seconds from a call's arrival to its answer.
    latency: f64,
    /// A call arrives up to so many seconds late, another time for each.
    jitter: f64,
}

/// A call under way.
struct Call {
    left: Left,
    arrives: f64,
    /// Whether the server took it, once it arrived.
    taken: Option<bool>,
}

/// Twenty-one minutes.
fn send(quota: Quota, limit: f64, configured: u32, way: Way, learnt: Option<Learnt>) -> Outcome {
    const FROM: usize = 300;
    const TO: usize = 1_260;
    let (mut server, mut pace) = (Server::new(quota, limit), Pace::new(configured, learnt));
    let (mut next, mut passed, mut arrived) = (0.001_f64, vec![0.0; TO + 1], vec![0.0; TO + 1]);
    let (mut refused, mut late) = (0, 0);
    let mut chance = Chance(1);
    let mut calls: Vec<Call> = Vec::new();
    while next < TO as f64 {
        // Whatever comes first: an arrival, an answer, or the next call.
        let moment = |call: &Call| call.arrives + if call.taken.is_some() { way.latency } else { 0.0 };
        let first = (0..calls.len()).min_by(|one, other| moment(&calls[*one]).total_cmp(&moment(&calls[*other])));
        let Some(first) = first.filter(|first| moment(&calls[*first]) <= next) else {
            let left = pace.left(Duration::from_secs_f64(next));
            let jitter = way.jitter * chance.below(1_000_000) as f64 / 1e6;
            calls.push(Call { left, arrives: next + jitter, taken: None });
            next += 60.0 / pace.per_minute();
            continue;
        };
        let (at, call) = (moment(&calls[first]), &mut calls[first]);
        let Some(taken) = call.taken else {
            let taken = server.takes(at);
            call.taken = Some(taken);
            if let Some(second) = arrived.get_mut(at as usize) {
                *second += 1.0;
                passed[at as usize] += f64::from(u8::from(taken));
            }
            refused += u64::from(!taken);
            late += u64::from(!taken && at >= FROM as f64);
            continue;
        };
        let (left, now) = (calls.swap_remove(first).left, Duration::from_secs_f64(at));
        let changed = if taken { pace.clean(left, now) } else { pace.throttled(left, now) };
        if changed {
            next = at + 60.0 / pace.per_minute();
        }
    }
    let (mut over, mut run) = (0, 0);
    for second in FROM..TO {
        let within: f64 = arrived[second - 59..=second].iter().sum();
        // Whole seconds are counted, so that one call more may stand at the edge.
        run = if within > server.most() + 1.0 { run + 1 } else { 0 };
        over = over.max(run);
    }
    let used = passed[FROM..TO].iter().sum::<f64>() / (limit * (TO - FROM) as f64 / 60.0);
    let per_minute = pace.per_minute();
    Outcome { used, refused, refused_after_five_minutes: late, over, per_minute }
}

/// Every call takes the same time.
const STEADY: Way = Way { latency: 0.4, jitter: 0.0 };

/// Longest stretch above the limit: a step up lasts a clean minute, and a halving follows.
const STEP_SECONDS: usize = 60;

#[test]
fn a_hidden_limit_is_found_and_used() {
    println!("counts   limit/min  configured  latency  used  refused  after 5 min  longest over  pace");
    let (mut least, mut longest) = (1.0_f64, 0);
    for quota in [Quota::Fixed, Quota::Sliding, Quota::Bucket, Quota::Spike] {
        for limit in [6.0, 7.0, 12.0, 30.0, 60.0, 120.0, 300.0, 1_000.0, 3_000.0_f64] {
            for configured in [60, 600, 3_600, 12_000].into_iter().filter(|most| f64::from(*most) > limit) {
                for latency in [0.0, 0.4] {
                    let Outcome { used, refused, refused_after_five_minutes: late, over, per_minute } =
                        send(quota, limit, configured, Way { latency, jitter: 0.0 }, None);
                    println!(
                        "{:<8} {limit:>9} {configured:>11} {latency:>6} s {used:>6.3} {refused:>7} {late:>12} {over:>10} s \
                         {per_minute:>8.1}",
                        format!("{quota:?}")
                    );
                    least = least.min(used);
                    longest = longest.max(over);
                    assert!(used >= 0.95, "{quota:?} {limit} {configured} {latency}: {used}");
                    assert!(over <= STEP_SECONDS, "{quota:?} {limit} {configured} {latency}: {over} s");
                }
            }
        }
    }
    println!("least used {least:.3}, longest over {longest} s");
}

/// A server that counts calls takes as many of them when each travels for another time. One that wants them evenly apart
/// does not: then a pace without push-back lies lower.
#[test]
fn calls_that_arrive_unevenly_use_a_counted_limit_all_the_same() {
    for quota in [Quota::Fixed, Quota::Sliding] {
        for limit in [20.0, 30.0, 60.0, 120.0, 300.0, 1_000.0_f64] {
            for jitter in [0.3, 1.0] {
                let Outcome { used, refused, over, .. } = send(quota, limit, 3_600, Way { latency: 0.1, jitter }, None);
                println!("{quota:?} {limit:>5} jitter {jitter} s: used {used:.3}, refused {refused}, over {over} s");
                assert!(used >= 0.95, "{quota:?} {limit} {jitter}: {used}");
                assert!(over <= STEP_SECONDS, "{quota:?} {limit} {jitter}: {over} s");
            }
        }
    }
}

#[test]
fn without_a_limit_the_configured_pace_is_kept_and_never_exceeded() {
    let outcome = send(Quota::Sliding, 1_000_000.0, 600, STEADY, None);
    assert_eq!((outcome.refused, outcome.per_minute), (0, 600.0));
}

#[test]
fn what_was_learnt_spares_the_search_after_a_restart() {
    let mut pace = Pace::new(3_600, None);
    pace.restore(Learnt { ceiling: Some(120.0) }, Duration::ZERO);
    assert!((pace.per_minute() - 117.6).abs() < 0.01);
    let again = send(Quota::Sliding, 120.0, 3_600, STEADY, Some(Learnt { ceiling: Some(120.0) }));
    assert!(again.refused < 5 && again.used >= 0.95, "{again:?}");
}

#[test]
fn push_back_halves_once_for_all_calls_that_left_before_and_stops_at_the_floor() {
    let mut pace = Pace::new(100, None);
    let at = Duration::from_secs;
    let (one, two) = (pace.left(at(10)), pace.left(at(10)));
    assert!(pace.throttled(one, at(11)));
    assert!(!pace.throttled(two, at(11)), "it left before the halving");
    assert_eq!(pace.per_minute(), 50.0);
    for second in 12..30 {
        let left = pace.left(at(second));
        pace.throttled(left, at(second));
    }
    assert_eq!(pace.per_minute(), FLOOR_PER_MINUTE);
    let mut slow = Pace::new(3, None);
    let left = slow.left(at(1));
    assert!(!slow.throttled(left, at(1)));
    assert_eq!(slow.per_minute(), 3.0, "the floor is not above the configured pace");
}

#[test]
fn a_limit_that_rises_is_found_again() {
    let mut pace = Pace::new(600, Some(Learnt { ceiling: Some(60.0) }));
    let (mut now, mut minutes) = (0.0, 0.0);
    while pace.per_minute() < 290.0 {
        now += 60.0 / pace.per_minute();
        let at = Duration::from_secs_f64(now);
        let left = pace.left(at);
        pace.clean(left, at);
        minutes = now / 60.0;
        assert!(minutes < 60.0, "still {}", pace.per_minute());
    }
    println!("from 60 to 290 calls a minute in {minutes:.0} minutes");
}
