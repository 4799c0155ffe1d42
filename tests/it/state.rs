//! The states and their one transition function: nothing leaves the legal states, and the history tells the state.

use jiff::Timestamp;
use posyandu_gateway::ledger::state::{Event, State};
use proptest::prelude::*;

const DUE: Timestamp = Timestamp::UNIX_EPOCH;

fn events() -> Vec<Event> {
    let (due, on) = (DUE, "patient".to_owned());
    vec![
        Event::Claimed,
        Event::Released { due },
        Event::Accepted,
        Event::FoundEqual,
        Event::Deferred { due },
        Event::Unclassified { due },
        Event::RefusedConfiguration { due },
        Event::DependencyMissing { on, due },
        Event::DependencyAppeared { due },
        Event::RefusedContent,
        Event::NoAnswer { due },
        Event::LeaseExpired { begun: true, due },
        Event::LeaseExpired { begun: false, due },
        Event::StillUnknown { due },
        Event::NotFound { due },
        Event::FoundDifferent,
        Event::AttemptsSpent,
        Event::WaivedBy,
        Event::RetryCommanded { due },
        Event::Restored { due },
        Event::NewerVersion,
        Event::RecordsWithdrawn,
    ]
}

/// The whole table as people read it: state, event, next state.
const TABLE: &str = "
pending   claimed -> in_flight, dependency_missing -> blocked, refused_content -> refused, waived_by -> waived, restored -> unknown, newer_version -> superseded, records_withdrawn -> superseded
blocked   dependency_appeared -> pending, waived_by -> waived, newer_version -> superseded, records_withdrawn -> superseded
in_flight released -> pending, accepted -> delivered, found_equal -> delivered, deferred -> pending, unclassified -> pending, refused_configuration -> pending, dependency_missing -> blocked, refused_content -> refused, no_answer -> unknown, lease_expired -> unknown, lease_expired -> pending, found_different -> refused, attempts_spent -> exhausted
unknown   found_equal -> delivered, still_unknown -> unknown, not_found -> pending, found_different -> refused
delivered newer_version -> superseded
refused   waived_by -> waived, retry_commanded -> pending, newer_version -> superseded, records_withdrawn -> superseded
exhausted waived_by -> waived, retry_commanded -> pending, newer_version -> superseded, records_withdrawn -> superseded
waived    retry_commanded -> pending, newer_version -> superseded, records_withdrawn -> superseded
superseded
";

#[test]
fn the_table_is_the_one_written_down() {
    let mut table = String::from("\n");
    for state in State::ALL {
        let steps: Vec<String> = events()
            .iter()
            .filter_map(|event| Some(format!("{} -> {}", event.word(), state.after(event).ok()?.word())))
            .collect();
        table.push_str(format!("{:<9} {}", state.word(), steps.join(", ")).trim_end());
        table.push('\n');
    }
    assert_eq!(table, TABLE);
}

#[test]
fn an_unknown_entry_is_never_sent_again_without_a_look() {
    for event in events() {
        if let Ok(next) = State::Unknown.after(&event) {
            let looked = matches!(
                event,
                Event::FoundEqual | Event::FoundDifferent | Event::NotFound { .. } | Event::StillUnknown { .. }
            );
            assert!(looked && next != State::InFlight, "{event:?}");
        }
    }
}

#[test]
fn words_read_back() {
    for state in State::ALL {
        assert_eq!(State::from_word(state.word()), Some(state));
        assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.word()));
    }
    for event in events() {
        let text = serde_json::to_string(&event).unwrap();
        assert!(text.contains(event.word()), "{text}");
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

proptest! {
    #[test]
    fn no_sequence_leaves_the_legal_states(steps in proptest::collection::vec(0_usize..22, 0..60)) {
        let events = events();
        let mut state = State::Pending;
        let mut history = Vec::new();
        for step in steps {
            let event = events[step].clone();
            let before = state;
            match state.after(&event) {
                Ok(next) => {
                    state = next;
                    history.push(event);
                }
                Err(illegal) => {
                    prop_assert_eq!(illegal.state, before);
                    prop_assert_eq!(state, before);
                }
            }
            prop_assert!(before != State::Superseded || state == State::Superseded);
            // The only way to the server is a claim of a pending entry.
            prop_assert!(state != State::InFlight || before == State::Pending || before == State::InFlight);
        }
        let replayed = history.iter().try_fold(State::Pending, |state, event| state.after(event));
        prop_assert_eq!(replayed, Ok(state));
    }
}
