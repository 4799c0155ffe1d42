//! An entry's summary told again from its history, through the one transition function and nothing else.
//!
//! Pure. What comes out is compared with what the ledger stores.

use super::state::{Event, PREDECESSOR, State};
use super::store::entering::ENTERED;

/// A line of an entry's history as stored.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Running number, from zero.
    pub seq: i64,
    /// The event as JSON.
    pub event: String,
    /// The word of the state it led to.
    pub state: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// What a history says of its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Where it stands.
    pub state: State,
    /// The last running number.
    pub seq: i64,
    /// Attempts spent.
    pub spent: i64,
    /// Looks since it became unknown.
    pub probes: i64,
    /// What it waits for.
    pub blocked_on: Option<String>,
    /// How often it waited for something at the server.
    pub blocked_count: i64,
    /// Since when it stands there, in milliseconds.
    pub state_since: i64,
    /// When it became final, in milliseconds.
    pub completed_at: Option<i64>,
    /// When it is looked at next, in milliseconds; `None` until an event says so.
    pub due_at: Option<i64>,
}

/// Why a history tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A line is missing, or does not begin where it must.
    Gap,
    /// A line that no gateway writes, or a step that is not legal.
    Illegal,
}

/// Tells an entry's summary from its history, oldest line first.
///
/// # Errors
/// [`Broken`] when the history cannot have been written by a gateway.
pub fn replay(events: &[StoredEvent]) -> Result<Summary, Broken> {
    let (first, rest) = events.split_first().ok_or(Broken::Gap)?;
    if first.seq != 0 || first.event != ENTERED {
        return Err(Broken::Gap);
    }
    let mut told = Summary {
        state: State::Pending,
        seq: 0,
        spent: 0,
        probes: 0,
        blocked_on: None,
        blocked_count: 0,
        state_since: first.at,
        completed_at: None,
        due_at: None,
    };
    if first.state != told.state.word() {
        return Err(Broken::Illegal);
    }
    for line in rest {
        told.seq += 1;
        if line.seq != told.seq {
            return Err(Broken::Gap);
        }
        step(&mut told, line)?;
    }
    Ok(told)
}

fn step(told: &mut Summary, line: &StoredEvent) -> Result<(), Broken> {
    let event: Event = serde_json::from_str(&line.event).map_err(|_| Broken::Illegal)?;
    let next = told.state.after(&event).map_err(|_| Broken::Illegal)?;
    if next.word() != line.state {
        return Err(Broken::Illegal);
    }
    match &event {
        Event::Unclassified { .. } | Event::AttemptsSpent => told.spent += 1,
        Event::RetryCommanded { .. } => told.spent = 0,
        _ => {}
    }
    told.probes = if matches!(event, Event::StillUnknown { .. }) { told.probes + 1 } else { 0 };
    told.blocked_on = match &event {
        Event::DependencyMissing { on, .. } => Some(on.clone()),
        _ => None,
    };
    told.blocked_count += i64::from(told.blocked_on.as_deref().is_some_and(|on| on != PREDECESSOR));
    if next != told.state {
        told.state_since = line.at;
    }
    told.completed_at = next.is_final().then_some(line.at);
    if let Some(due) = event.due() {
        told.due_at = Some(due.as_millisecond());
    }
    told.state = next;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn history(events: &[(&str, &str)]) -> Vec<StoredEvent> {
        let line = |(seq, (event, state)): (usize, &(&str, &str))| StoredEvent {
            seq: seq as i64,
            event: (*event).to_owned(),
            state: (*state).to_owned(),
            at: 100 + seq as i64,
        };
        events.iter().enumerate().map(line).collect()
    }

    const DUE: &str = "1970-01-01T00:00:07Z";

    #[test]
    fn a_history_tells_the_summary() {
        let unclassified = format!(r#"{{"unclassified":{{"due":"{DUE}"}}}}"#);
        let blocked = format!(r#"{{"dependency_missing":{{"on":"patient","due":"{DUE}"}}}}"#);
        let lines = [
            (ENTERED, "pending"),
            ("\"claimed\"", "in_flight"),
            (unclassified.as_str(), "pending"),
            ("\"claimed\"", "in_flight"),
            (blocked.as_str(), "blocked"),
        ];
        let told = replay(&history(&lines)).unwrap();
        assert_eq!((told.state, told.seq, told.spent, told.blocked_count), (State::Blocked, 4, 1, 1));
        assert_eq!((told.blocked_on.as_deref(), told.state_since), (Some("patient"), 104));
        assert_eq!((told.due_at, told.completed_at), (Some(7_000), None));
        let refused = [(ENTERED, "pending"), ("\"refused_content\"", "refused"), ("\"waived_by\"", "waived")];
        assert_eq!(replay(&history(&refused)).unwrap().completed_at, Some(102));
    }

    #[test]
    fn what_no_gateway_writes_is_found() {
        assert_eq!(replay(&[]), Err(Broken::Gap));
        assert_eq!(replay(&history(&[("\"claimed\"", "in_flight")])), Err(Broken::Gap));
        assert_eq!(replay(&history(&[(ENTERED, "delivered")])), Err(Broken::Illegal));
        assert_eq!(replay(&history(&[(ENTERED, "pending"), ("\"accepted\"", "delivered")])), Err(Broken::Illegal));
        assert_eq!(replay(&history(&[(ENTERED, "pending"), ("\"claimed\"", "pending")])), Err(Broken::Illegal));
        let mut gap = history(&[(ENTERED, "pending"), ("\"claimed\"", "in_flight")]);
        gap[1].seq = 2;
        assert_eq!(replay(&gap), Err(Broken::Gap));
    }
}
