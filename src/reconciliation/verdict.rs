//! What a look at the server means for an entry whose outcome is unknown. Pure.
//!
//! It must never decide that something may be sent again before the last look, unless the search is known to have
//! caught up beyond the doubt, nor on a look that could not see everything.

use std::time::Duration;

use jiff::Timestamp;

use super::compare::Difference;
use super::control::Control;
use crate::ledger::attempt::AcceptedResource;
use crate::ledger::state::Event;

/// What was seen of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The server holds it with this content.
    Equal(AcceptedResource),
    /// The server holds something else under its identifier.
    Different(AcceptedResource, Vec<Difference>),
    /// The server holds it as an older version of the visit left it, or so it seems: the update did not arrive.
    Older,
    /// The server does not show it.
    Absent,
    /// It may be there, but the search was cut short or consent rules hide it.
    Unclear,
}

/// When to look, and when the looking ends.
#[derive(Clone, Copy, Debug)]
pub struct Schedule<'a> {
    /// Moments to look at, counted from when the outcome became unknown, ascending.
    pub probe_after: &'a [Duration],
    /// Looks without a clear answer so far.
    pub probes: u32,
    /// Since when the outcome is unknown.
    pub since: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// Shortest wait before the next look.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// Longest wait for the next look from the second moment on: a visit sent later may have shown up meanwhile, and then
/// settles it.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// The same when such a visit was sent and only the search has yet to show it.
const WAIT_SENT_MAX: Duration = Duration::from_secs(10);
/// As many looks at least, if the schedule has them, before the last one decides.
const LOOKS_MIN: usize = 3;

impl Schedule<'_> {
    /// Whether nothing found now means that nothing will be found: enough looks are spent and the time of the last one
    /// has come. The time counts too, because an outage spends looks that saw nothing.
    #[must_use]
    pub fn is_last(&self) -> bool {
        let looks = usize::try_from(self.probes).unwrap_or(usize::MAX).saturating_add(1);
        looks >= self.probe_after.len().min(LOOKS_MIN) && self.now >= self.at(self.probe_after.last())
    }

    /// Since when a younger visit must have been sent to show, by being found, that the search has caught up beyond
    /// the doubt; `None` before the second moment. From the second half of the time on: then it was found at least
    /// twice as fast as the doubt would have been, so that an index which is now and then slower misleads nobody.
    #[must_use]
    pub fn controls_since(&self) -> Option<Timestamp> {
        let second = self.probe_after.get(1)?;
        let waited = Duration::try_from(self.now.duration_since(self.since)).ok()?;
        (waited >= *second).then(|| self.at(Some(&(waited / 2))))
    }

    fn at(&self, after: Option<&Duration>) -> Timestamp {
        self.since.saturating_add(after.copied().unwrap_or(Duration::ZERO)).unwrap_or(Timestamp::MAX)
    }

    /// When to look again: at the next moment, or earlier where a control may settle it; once the moments have passed,
    /// after as long a wait as lies between them.
    #[must_use]
    pub fn next(&self, control: Control) -> Timestamp {
        let soonest = self.now.saturating_add(WAIT_MIN).unwrap_or(Timestamp::MAX);
        if let Some(next) = self.probe_after.iter().map(|after| self.at(Some(after))).find(|at| *at > self.now) {
            let wait = if control == Control::Sent { WAIT_SENT_MAX } else { WAIT_MAX };
            let latest = self.controls_since().and_then(|_| self.now.checked_add(wait).ok());
            return latest.map_or(next, |latest| next.min(latest)).max(soonest);
        }
        let at = |index: usize| self.probe_after.get(index).copied();
        let index = usize::try_from(self.probes).unwrap_or(usize::MAX);
        let wait = match (at(index), index.checked_add(1).and_then(at)) {
            (Some(this), Some(next)) => next.saturating_sub(this),
            _ => self.probe_after.last().copied().unwrap_or(WAIT_MIN),
        };
        self.now.saturating_add(wait).unwrap_or(Timestamp::MAX).max(soonest)
    }
}

/// The event that follows, and the resources to remember with it. `control`: whether younger visits are found by the
/// searches that do not show this one (see [`Schedule::controls_since`]).
#[must_use]
pub fn decide(seen: &[Seen], schedule: Schedule<'_>, control: Control) -> (Event, Vec<AcceptedResource>) {
    let equal: Vec<AcceptedResource> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Equal(resource) => Some(resource.clone()),
            _ => None,
        })
        .collect();
    if equal.len() == seen.len() {
        return (Event::FoundEqual, equal);
    }
    if seen.iter().any(|seen| matches!(seen, Seen::Different(..))) {
        let held = seen.iter().filter_map(|seen| match seen {
            Seen::Equal(resource) | Seen::Different(resource, _) => Some(resource.clone()),
            _ => None,
        });
        return (Event::FoundDifferent, held.collect());
    }
    if !(schedule.is_last() || control == Control::Found) || seen.contains(&Seen::Unclear) {
        return (Event::StillUnknown { due: schedule.next(control) }, Vec::new());
    }
    (Event::NotFound { due: schedule.now }, equal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PROBES: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(60), Duration::from_secs(600)];

    fn at(probes: u32, seconds: i64) -> Schedule<'static> {
        let now = Timestamp::from_second(seconds).unwrap();
        Schedule { probe_after: &PROBES, probes, since: Timestamp::UNIX_EPOCH, now }
    }

    fn held() -> Seen {
        let resource =
            AcceptedResource { position: 0, resource_type: "Encounter".into(), id: "e".into(), version: None };
        Seen::Equal(resource)
    }

    fn due(event: &Event) -> i64 {
        assert!(matches!(event, Event::StillUnknown { .. }), "{event:?}");
        event.due().unwrap().as_second()
    }

    #[test]
    fn the_looks_follow_the_schedule_and_only_the_last_gives_it_back() {
        assert_eq!(due(&decide(&[Seen::Absent], at(0, 5), Control::None).0), 60);
        assert_eq!(due(&decide(&[Seen::Absent], at(1, 60), Control::None).0), 80, "a control may settle it by then");
        assert_eq!(due(&decide(&[Seen::Absent], at(1, 60), Control::Sent).0), 70, "the search will show it soon");
        assert_eq!(due(&decide(&[Seen::Absent], at(9, 580), Control::None).0), 600);
        assert!(matches!(decide(&[Seen::Absent], at(2, 600), Control::None).0, Event::NotFound { .. }));
    }

    #[test]
    fn an_outage_that_spent_the_looks_does_not_shorten_the_time() {
        assert_eq!(due(&decide(&[Seen::Absent], at(9, 100), Control::None).0), 120);
        assert!(matches!(decide(&[Seen::Absent], at(9, 599), Control::None).0, Event::StillUnknown { .. }));
        assert!(matches!(decide(&[Seen::Absent], at(9, 700), Control::None).0, Event::NotFound { .. }));
    }

    #[test]
    fn after_a_long_sleep_it_is_looked_at_several_times_before_it_is_given_back() {
        let mut looks = vec![50_000];
        while let (Event::StillUnknown { due }, _) =
            decide(&[Seen::Absent], at(u32::try_from(looks.len()).unwrap() - 1, *looks.last().unwrap()), Control::None)
        {
            looks.push(due.as_second());
        }
        assert_eq!(looks, [50_000, 50_055, 50_595]);
    }

    #[test]
    fn a_search_that_caught_up_beyond_the_doubt_is_believed_from_the_second_moment_on() {
        assert_eq!(at(1, 59).controls_since(), None);
        assert_eq!(at(0, 60).controls_since(), Some(at(0, 30).now));
        assert_eq!(at(3, 200).controls_since(), Some(at(0, 100).now));
        assert_eq!(at(0, -60).controls_since(), None, "a clock that was set back proves nothing");
        assert!(matches!(decide(&[Seen::Absent], at(1, 60), Control::Found).0, Event::NotFound { .. }));
        assert_eq!(due(&decide(&[Seen::Absent, Seen::Unclear], at(1, 60), Control::Found).0), 80);
    }

    #[test]
    fn what_could_not_be_seen_is_never_sent_again() {
        assert!(due(&decide(&[Seen::Absent, Seen::Unclear], at(7, 10_000), Control::None).0) > 10_000);
    }

    #[test]
    fn a_part_that_is_there_is_remembered() {
        let (event, found) = decide(&[held(), Seen::Absent], at(2, 600), Control::None);
        assert!(matches!(event, Event::NotFound { .. }));
        assert_eq!(found.len(), 1);
        assert_eq!(decide(&[held()], at(0, 5), Control::None).0, Event::FoundEqual);
    }
}
