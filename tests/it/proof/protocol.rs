//! The protocol that keeps two gateways on one ledger from losing or doubling a visit: every order of claims, leases,
//! suspensions, deaths, lost and late requests and look-ups of two gateways and two visits is tried, on a server that
//! takes everything twice. Each visit is followed for a few claims, and each gateway does one thing at a time.
//!
//! It checks the protocol, not the code: only the table of states (`ledger::state`) is the gateway's own. What it takes
//! for granted is named at [`WIRE`] and [`LAG`] and at [`Step::OnWire`]. Each rule is also left out once, and the doubled
//! or lost visit must be found then: a rule that can be left out is none, and a check that cannot fail shows nothing.

mod town;

use jiff::Timestamp;
use posyandu_gateway::ledger::state::{Event, State};
use serde_json::json;
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::run::Run;
use town::{Absence, GATEWAYS, Hand, LAG, LAST_LOOK, LEASE, Look, Step, Town, Visit, WIRE, Work};

/// Claims that are followed in the size of every run, of two visits together.
const CLAIMS: u64 = 3;
/// Ticks in doubt after which a younger visit may show that the search has caught up.
const SECOND_LOOK: u8 = 2;

/// What may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// A lease that ran out after its send had begun leaves a doubt, not a visit to send.
    Doubt,
    /// A gateway looks at its lease before a write leaves.
    Fence,
    /// No answer leaves a doubt; it is no acceptance.
    Silence,
    /// An ending needs the lease it was begun under.
    Lease,
    /// A look-up is believed only for the doubt it was made for.
    AsSeen,
    /// What is not seen is not there only at the last look.
    Patience,
    /// The younger visit was sent in the second half of the doubt, not just after its beginning.
    SecondHalf,
}

/// The rules that the gateway has, less the one left out.
#[derive(Clone, Debug)]
struct Protocol {
    /// Claims that are followed, of each visit: the second is the first that may double it.
    claims: Vec<u8>,
    without: Option<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Tick,
    Claim { gateway: usize, visit: usize },
    Begin { gateway: usize },
    Send { gateway: usize },
    Arrive { request: usize, is_answered: bool },
    Lose { request: usize },
    GiveUp { gateway: usize },
    End { gateway: usize },
    Prolong { gateway: usize },
    RunOut { visit: usize },
    Look { gateway: usize, visit: usize, lag: u8 },
    Settle { gateway: usize },
    Die { gateway: usize },
}

/// What must always hold.
const ONCE: &str = "nothing is doubled";
const THERE: &str = "what is called delivered is there";

/// Time plays no part in the table of states.
const DUE: Timestamp = Timestamp::UNIX_EPOCH;

impl Protocol {
    fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Whether the gateway's own watch says that its lease lasts for a write.
    fn may_send(&self, hand: &Hand) -> bool {
        !self.has(Rule::Fence) || hand.held < LEASE - LEASE / 3
    }

    fn end(&self, visit: &mut Visit, hand: &Hand) {
        if !visit.is_held_under(hand.claim) && (self.has(Rule::Lease) || visit.state != State::InFlight) {
            return;
        }
        visit.take(&match hand.step {
            Step::Answered => Event::Accepted,
            Step::NotSent => Event::Deferred { due: DUE },
            _ if self.has(Rule::Silence) => Event::NoAnswer { due: DUE },
            _ => Event::Accepted,
        });
    }

    fn run_out(&self, visit: &mut Visit) {
        let begun = visit.has_begun && self.has(Rule::Doubt);
        visit.take(&Event::LeaseExpired { begun, due: DUE });
    }

    /// What a search shows that is `lag` ticks behind.
    fn look(&self, town: &Town, at: usize, lag: u8) -> Look {
        let visit = &town.visits[at];
        let shown = |visit: &Visit| visit.copies.iter().any(|age| *age >= lag);
        let since = if self.has(Rule::SecondHalf) { visit.doubt / 2 } else { visit.doubt };
        let is_younger = |other: &Visit| other.claim == 1 && other.begun.is_some_and(|begun| begun <= since);
        let controls = town.visits.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| other);
        let is_proved = visit.doubt >= SECOND_LOOK
            && controls.into_iter().any(|other| other.state == State::Delivered && is_younger(other) && shown(other));
        let absence = match visit.doubt >= LAST_LOOK || !self.has(Rule::Patience) {
            true => Absence::Late,
            false if is_proved => Absence::Proved,
            false => Absence::Open,
        };
        Look { visit: at, claim: visit.claim, is_found: shown(visit), absence }
    }

    fn settle(&self, visit: &mut Visit, look: &Look) {
        if visit.state != State::Unknown || (self.has(Rule::AsSeen) && visit.claim != look.claim) {
            return;
        }
        let doubt = visit.doubt;
        visit.take(&match (look.is_found, look.absence) {
            (true, _) => Event::FoundEqual,
            (false, Absence::Open) => Event::StillUnknown { due: DUE },
            (false, Absence::Late | Absence::Proved) => Event::NotFound { due: DUE },
        });
        if visit.state == State::Unknown {
            visit.doubt = doubt;
        }
    }
}

impl Model for Protocol {
    type State = Town;
    type Action = Action;

    fn init_states(&self) -> Vec<Town> {
        let visits = vec![Visit::new(); self.claims.len()];
        vec![Town { visits, gateways: [Work::None, Work::None], wire: Vec::new() }]
    }

    fn actions(&self, town: &Town, actions: &mut Vec<Action>) {
        if town.wire.iter().all(|(_, _, age)| *age < WIRE) {
            actions.push(Action::Tick);
        }
        let in_state = |state| (0..town.visits.len()).filter(move |visit| town.visits[*visit].state == state);
        for (gateway, work) in town.gateways.iter().enumerate() {
            match work {
                Work::None => {
                    let followed = |visit: &usize| town.visits[*visit].claim < self.claims[*visit];
                    let claim = |visit| Action::Claim { gateway, visit };
                    actions.extend(in_state(State::Pending).filter(followed).map(claim));
                    let look = |visit| (0..=LAG).map(move |lag| Action::Look { gateway, visit, lag });
                    actions.extend(in_state(State::Unknown).flat_map(look));
                }
                Work::Send(hand) => {
                    let visit = &town.visits[hand.visit];
                    if visit.is_held_under(hand.claim) && visit.lease.is_some_and(|age| (1..LEASE).contains(&age)) {
                        actions.push(Action::Prolong { gateway });
                    }
                    let next = match hand.step {
                        Step::Claimed => Action::Begin { gateway },
                        Step::Begun => Action::Send { gateway },
                        Step::OnWire => Action::GiveUp { gateway },
                        Step::Answered | Step::Silent | Step::NotSent => Action::End { gateway },
                    };
                    actions.extend([Action::Die { gateway }, next]);
                }
                Work::Look(_) => actions.extend([Action::Die { gateway }, Action::Settle { gateway }]),
            }
        }
        for request in 0..town.wire.len() {
            actions.extend([true, false].map(|is_answered| Action::Arrive { request, is_answered }));
            actions.push(Action::Lose { request });
        }
        let is_over = |visit: &usize| town.visits[*visit].lease == Some(LEASE);
        actions.extend(in_state(State::InFlight).filter(is_over).map(|visit| Action::RunOut { visit }));
    }

    fn next_state(&self, before: &Town, action: Action) -> Option<Town> {
        let mut town = before.clone();
        match action {
            Action::Tick => {
                town.visits.iter_mut().for_each(Visit::age);
                town.wire.iter_mut().for_each(|(_, _, age)| *age += 1);
                let hands = town.gateways.iter_mut().filter_map(Work::hand_mut);
                hands.for_each(|hand| hand.held = (hand.held + 1).min(LEASE));
            }
            Action::Claim { gateway, visit: at } => {
                let visit = &mut town.visits[at];
                visit.take(&Event::Claimed);
                (visit.claim, visit.lease, visit.has_begun) = (visit.claim + 1, Some(0), false);
                let hand = Hand { visit: at, claim: visit.claim, held: 0, step: Step::Claimed };
                town.gateways[gateway] = Work::Send(hand);
            }
            Action::Begin { gateway } => {
                let hand = town.gateways[gateway].hand_mut()?;
                let visit = &mut town.visits[hand.visit];
                if visit.is_held_under(hand.claim) && visit.lease.is_some_and(|age| age < LEASE) {
                    (visit.begun, visit.has_begun, hand.step) = (Some(0), true, Step::Begun);
                } else {
                    town.gateways[gateway] = Work::None;
                }
            }
            Action::Send { gateway } => {
                let hand = town.gateways[gateway].hand_mut()?;
                hand.step = if self.may_send(hand) { Step::OnWire } else { Step::NotSent };
                if hand.step == Step::OnWire {
                    town.wire.push((hand.visit, hand.claim, 0));
                    town.wire.sort_unstable();
                }
            }
            Action::Arrive { request, is_answered } => {
                let (visit, claim, _) = town.wire.remove(request);
                town.visits[visit].copies.push(0);
                let waits = |hand: &&mut Hand| (hand.visit, hand.claim, hand.step) == (visit, claim, Step::OnWire);
                let hand = town.gateways.iter_mut().filter_map(Work::hand_mut).find(waits);
                match hand {
                    Some(hand) if is_answered => hand.step = Step::Answered,
                    None if is_answered => return None,
                    _ => {}
                }
            }
            Action::Lose { request } => drop(town.wire.remove(request)),
            Action::GiveUp { gateway } => town.gateways[gateway].hand_mut()?.step = Step::Silent,
            Action::End { gateway } => {
                let Work::Send(hand) = std::mem::replace(&mut town.gateways[gateway], Work::None) else { return None };
                self.end(&mut town.visits[hand.visit], &hand);
            }
            Action::Prolong { gateway } => {
                let hand = town.gateways[gateway].hand_mut()?;
                (town.visits[hand.visit].lease, hand.held) = (Some(0), 0);
            }
            Action::RunOut { visit } => self.run_out(&mut town.visits[visit]),
            Action::Look { gateway, visit, lag } => town.gateways[gateway] = Work::Look(self.look(before, visit, lag)),
            Action::Settle { gateway } => {
                let Work::Look(look) = std::mem::replace(&mut town.gateways[gateway], Work::None) else { return None };
                self.settle(&mut town.visits[look.visit], &look);
            }
            Action::Die { gateway } => town.gateways[gateway] = Work::None,
        }
        town.gateways.sort_unstable();
        Some(town)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, town: &Town| town.visits.iter().all(|one| one.copies.len() < 2)),
            Property::always(THERE, |_, town: &Town| {
                town.visits.iter().all(|one| one.state != State::Delivered || !one.copies.is_empty())
            }),
            Property::sometimes("all are delivered", |_, town: &Town| {
                town.visits.iter().all(|one| one.state == State::Delivered)
            }),
            Property::sometimes("one is delivered by its second send", |_, town: &Town| {
                town.visits.iter().any(|one| one.state == State::Delivered && one.claim == 2)
            }),
            Property::sometimes("a write is held back by its fence", |_, town: &Town| {
                town.hands().any(|hand| hand.step == Step::NotSent)
            }),
            Property::sometimes("an answer comes after its lease", |_, town: &Town| {
                let is_late = |hand: &Hand| !town.visits[hand.visit].is_held_under(hand.claim);
                town.hands().any(|hand| hand.step == Step::Answered && is_late(hand))
            }),
            Property::sometimes("a look is older than the doubt", |_, town: &Town| {
                town.looks().any(|look| town.visits[look.visit].claim != look.claim)
            }),
            Property::sometimes("a younger visit settles a doubt", |_, town: &Town| {
                town.looks().any(|look| look.absence == Absence::Proved)
            }),
        ]
    }

    fn within_boundary(&self, town: &Town) -> bool {
        town.visits.iter().all(|one| one.copies.len() <= 2)
    }
}

#[test]
fn no_order_of_events_loses_or_doubles_a_visit() {
    let run = Run::on("protocol", "model", CLAIMS, 1);
    let followed = u8::try_from(run.size).unwrap();
    let claims = vec![followed.div_ceil(2), followed / 2];
    let checker = Protocol { claims: claims.clone(), without: None }.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.is_done(), "not every order was tried");
    let figures = json!({ "claims": claims, "gateways": GATEWAYS, "deepest": checker.max_depth() });
    run.told(checker.unique_state_count() as u64, &figures);
}

#[test]
fn without_any_one_of_its_rules_a_visit_is_doubled_or_lost() {
    let cases = [
        (Rule::Silence, vec![1], THERE),
        (Rule::Doubt, vec![2], ONCE),
        (Rule::Fence, vec![2], ONCE),
        (Rule::Patience, vec![2], ONCE),
        // An ending or a look that is too old harms the claim after next; a younger visit is another visit.
        (Rule::Lease, vec![3], ONCE),
        (Rule::AsSeen, vec![3], ONCE),
        (Rule::SecondHalf, vec![2, 1], ONCE),
    ];
    for (rule, claims, broken) in cases {
        let breaks = |without| {
            let protocol = Protocol { claims: claims.clone(), without };
            let checker = protocol.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
            checker.discovery(broken).is_some()
        };
        assert!(breaks(Some(rule)), "{rule:?} can be left out");
        // With two visits the other test says so.
        assert!(claims.len() > 1 || !breaks(None), "{rule:?} is not what keeps it");
    }
}
