//! A city after a week without the server, in virtual time: the rule of turns and the pace that the gateway itself
//! uses, against a limit that nobody told it.
#![allow(clippy::print_stdout, reason = "the figures are the point")]

use std::collections::VecDeque;
use std::time::Duration;

use posyandu_gateway::ledger::turn::{Turn, Turns};
use posyandu_gateway::remote::pace::Pace;

/// A city of 395 posyandu: 2,000 visits a day (faults.md, section 6), between 08:00 and 12:00.
const VISITS_A_DAY: usize = 2_000;
const DAYS_OUT: usize = 7;
const FIRST: f64 = 8.0 * 3600.0;
const LAST: f64 = 12.0 * 3600.0;
/// Calls of a visit: its Bundle, and for every other one a look-up of the patient.
const CALLS: f64 = 1.5;
/// Longest that the last twentieth of today's visits may wait, in seconds.
const WAIT_MAX: f64 = 30.0 * 60.0;
/// What is expected of the catching up (faults.md, section 6): backlog / (95 % of the limit − what arrives) and a tenth.
const TOLERANCE: f64 = 1.1;

struct Caught {
    /// How long today's visits waited, in seconds, ascending.
    waits: Vec<f64>,
    /// When the backlog was gone, in hours after the server was back at 08:00.
    hours: f64,
    used: f64,
}

/// The server is back at 08:00 with a limit of so many calls in any minute.
fn catch_up(limit: usize) -> Caught {
    let (mut pace, mut turns) = (Pace::new(600, None), Turns::default());
    let (mut taken, mut passed) = (VecDeque::<f64>::new(), 0_usize);
    let mut backlog = VISITS_A_DAY * DAYS_OUT;
    let mut today: VecDeque<f64> = VecDeque::new();
    let (mut now, mut arrived, mut calls_owed) = (FIRST, 0_usize, 0.0);
    let (mut waits, mut gone) = (Vec::new(), None);
    while backlog > 0 || now < FIRST + 24.0 * 3600.0 {
        // Every day the same hours, until the backlog is gone.
        let (day, second) = ((now / 86_400.0).floor(), now % 86_400.0);
        let part = ((second - FIRST) / (LAST - FIRST)).clamp(0.0, 1.0);
        let due = (day as usize) * VISITS_A_DAY + (part * VISITS_A_DAY as f64) as usize;
        while arrived < due {
            today.push_back(now);
            arrived += 1;
        }
        let at = Duration::from_secs_f64(now - FIRST);
        while taken.front().is_some_and(|one| *one <= now - 60.0) {
            taken.pop_front();
        }
        if calls_owed < 1.0 && today.is_empty() && backlog == 0 {
            gone.get_or_insert((now - FIRST) / 3600.0);
            now += 1.0;
            continue;
        }
        let left = pace.left(at);
        if taken.len() < limit {
            taken.push_back(now);
            passed += 1;
            pace.clean(left, at);
            calls_owed += 1.0;
            if calls_owed >= CALLS {
                calls_owed -= CALLS;
                match turns.next([!today.is_empty(), false, backlog > 0]) {
                    Some(Turn::Today) => waits.extend(today.pop_front().map(|since| now - since)),
                    Some(_) => backlog -= 1,
                    None => {}
                }
            }
        } else {
            pace.throttled(left, at);
        }
        if backlog == 0 {
            gone.get_or_insert((now - FIRST) / 3600.0);
        }
        now += 60.0 / pace.per_minute();
    }
    waits.sort_by(f64::total_cmp);
    let hours = gone.unwrap_or(f64::INFINITY);
    let used = passed as f64 / (limit as f64 * (now - FIRST) / 60.0);
    Caught { waits, hours, used }
}

#[test]
fn todays_visits_do_not_wait_for_the_backlog_of_a_week() {
    println!("limit/min  today p50  p95  longest  backlog gone after  allowed");
    for limit in [20, 30, 60, 300] {
        let Caught { waits, hours, used } = catch_up(limit);
        let of = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
        let calls = (VISITS_A_DAY * DAYS_OUT) as f64 * CALLS;
        let arriving = VISITS_A_DAY as f64 * CALLS / 1440.0;
        let allowed = TOLERANCE * calls / (0.95 * limit as f64 - arriving) / 60.0;
        println!(
            "{limit:>9} {:>8.0} s {:>5.0} s {:>6.0} s {hours:>14.1} h {allowed:>10.1} h  used {used:.2}",
            of(0.5),
            of(0.95),
            of(1.0)
        );
        assert!(of(0.95) <= WAIT_MAX, "{} s at {limit} calls a minute", of(0.95));
        assert!(hours <= allowed, "{hours} h at {limit} calls a minute");
    }
}
