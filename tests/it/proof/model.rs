//! The ledger against a model of it that fits on a page: whatever the commands and their order, both say the same.
//!
//! The model knows the states by [`State::after`] alone; the ledger has its SQL, its leases, its recovery.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use posyandu_gateway::ledger::LedgerError;
use posyandu_gateway::ledger::attempt::{AttemptEnd, AttemptId};
use posyandu_gateway::ledger::entry::{Claimed, EntryId, OpenEntry};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::{Event, State};
use serde_json::json;

use super::run::{Chance, Run};
use crate::ledger::{DAY, Desk, accepted, row, sha};

/// Sequences of every run, and the most commands in one.
const CASES_EVERY_RUN: u64 = 30;
const STEPS_MAX: u64 = 200;
/// Visits of a case: few, so that commands meet.
const VISITS: u64 = 4;
const LANE: &str = "Puskesmas A";
/// Seconds of a lease, as the desk sets it.
const LEASE_SECONDS: u64 = 120;

/// Deaths over one entry before a person must look (faults.md, design rule 6).
const STRIKES_MAX: i64 = 3;

/// What the model knows of one entry.
struct Known {
    visit: u64,
    state: State,
    waits_for_predecessor: bool,
    held: Option<Held>,
    /// Deaths of the process while it was on its way, as far as it is under suspicion.
    strikes: i64,
}

/// A claim and, when the send has begun, its attempt.
struct Held {
    claimed: Claimed,
    until: Timestamp,
    attempt: Option<AttemptId>,
}

struct Model {
    desk: Desk,
    chance: Chance,
    entries: BTreeMap<EntryId, Known>,
    /// Claims that were taken back.
    lost: Vec<Held>,
    met: BTreeMap<&'static str, u64>,
}

impl Model {
    async fn new(seed: u64) -> Self {
        let (entries, met) = (BTreeMap::new(), BTreeMap::new());
        Self { desk: Desk::new().await, chance: Chance(seed), entries, lost: Vec::new(), met }
    }

    fn now(&self) -> Timestamp {
        self.desk.now()
    }

    /// An event in the model, and what it means for a newer version that waits.
    fn take(&mut self, entry: EntryId, event: &Event) {
        let known = self.entries.get_mut(&entry).unwrap();
        known.state = known.state.after(event).unwrap_or_else(|illegal| panic!("{illegal}"));
        if !matches!(event, Event::Claimed | Event::LeaseExpired { .. } | Event::DependencyAppeared { .. }) {
            known.strikes = 0;
        }
        if known.state != State::InFlight {
            let held = known.held.take();
            self.lost.extend(held.filter(|_| matches!(event, Event::LeaseExpired { .. })));
        }
        let (state, visit) = (known.state, known.visit);
        *self.met.entry(event.word()).or_default() += 1;
        if state.is_out() || state == State::Superseded {
            return;
        }
        let heir = self.entries.iter().find(|(id, other)| {
            **id != entry && other.visit == visit && other.waits_for_predecessor && other.state == State::Blocked
        });
        if let Some(heir) = heir.map(|(id, _)| *id) {
            self.entries.get_mut(&entry).unwrap().state = State::Superseded;
            let heir = self.entries.get_mut(&heir).unwrap();
            heir.state = State::Pending;
            heir.waits_for_predecessor = false;
        }
    }

    /// New content for a visit, or its first.
    async fn write(&mut self) {
        let visit = self.chance.below(VISITS);
        let content = self.chance.below(1_000_000);
        let pass = self.desk.ledger.begin_pass("eppgbm", "a.csv").await.unwrap();
        let seen = row("eppgbm", &format!("visit/{visit}"), &format!("bb={content}"), DAY);
        self.desk.ledger.see_rows(pass, vec![seen]).await.unwrap();
        self.desk.ledger.finish_pass(pass, false).await.unwrap();
        let before: Vec<EntryId> = self.entries.keys().copied().collect();
        self.desk.enter_all("1").await;
        let lines = self.desk.ledger.entries(&Filter::default(), &[], 10_000).await.unwrap();
        let new: Vec<EntryId> = lines.iter().map(|line| line.entry_id).filter(|id| !before.contains(id)).collect();
        let [new] = new.as_slice() else { panic!("{} new entries for one new content", new.len()) };
        let of_visit = |known: &&mut Known| known.visit == visit && known.state != State::Superseded;
        let mut is_out = false;
        for known in self.entries.values_mut().filter(of_visit) {
            if known.state.is_out() {
                is_out = true;
            } else {
                known.state = known.state.after(&Event::NewerVersion).unwrap();
                known.waits_for_predecessor = false;
            }
        }
        let state = if is_out { State::Blocked } else { State::Pending };
        self.entries.insert(*new, Known { visit, state, waits_for_predecessor: is_out, held: None, strikes: 0 });
    }

    /// What the passing of time has done by the next claim.
    fn sweep(&mut self, lines: &BTreeMap<EntryId, Timestamp>) {
        let now = self.now();
        let expired: Vec<(EntryId, bool)> = self
            .entries
            .iter()
            .filter_map(|(id, known)| {
                let held = known.held.as_ref().filter(|held| held.until <= now)?;
                Some((*id, held.attempt.is_some()))
            })
            .collect();
        for (entry, begun) in expired {
            self.take(entry, &Event::LeaseExpired { begun, due: now });
        }
        for (id, known) in &mut self.entries {
            if known.state == State::Blocked && !known.waits_for_predecessor && lines[id] <= now {
                known.state = State::Pending;
            }
        }
    }

    async fn due(&self) -> BTreeMap<EntryId, Timestamp> {
        let lines = self.desk.ledger.entries(&Filter::default(), &[], 10_000).await.unwrap();
        let mut all: BTreeMap<EntryId, Timestamp> = lines.iter().map(|line| (line.entry_id, line.due)).collect();
        for id in self.entries.keys().filter(|id| !all.contains_key(id)).copied().collect::<Vec<_>>() {
            // A superseded version is not among the newest.
            all.insert(id, Timestamp::MAX);
        }
        all
    }

    async fn claim(&mut self) {
        let limit = 1 + u32::try_from(self.chance.below(3)).unwrap();
        let due = self.due().await;
        self.sweep(&due);
        let claimed = self.desk.ledger.claim(LANE, limit).await.unwrap();
        let due = self.due().await;
        let now = self.now();
        for claimed in claimed {
            let id = claimed.entry.entry_id;
            assert!(due[&id] <= now, "claimed before it is due");
            let until = claimed.lease_until;
            self.take(id, &Event::Claimed);
            let known = self.entries.get_mut(&id).unwrap();
            // Under suspicion, the claim counts as a death until it gets through.
            known.strikes += i64::from(known.strikes > 0);
            known.held = Some(Held { claimed, until, attempt: None });
        }
    }

    /// One of the entries that are claimed.
    fn one_held(&mut self) -> Option<EntryId> {
        let held: Vec<EntryId> =
            self.entries.iter().filter(|(_, known)| known.held.is_some()).map(|(id, _)| *id).collect();
        (!held.is_empty()).then(|| *self.chance.pick(&held))
    }

    async fn begin(&mut self) {
        let Some(id) = self.one_held() else { return };
        let now = self.now();
        let held = self.entries.get_mut(&id).unwrap().held.as_mut().unwrap();
        let begun = self.desk.ledger.begin_attempt(id, &held.claimed.lease, sha("request")).await;
        match (begun, held.attempt.is_some() || held.until <= now) {
            (Ok(attempt), false) => held.attempt = Some(attempt),
            (Err(_), true) => *self.met.entry("begin refused").or_default() += 1,
            (begun, wrong) => panic!("{begun:?}, to be refused: {wrong}"),
        }
    }

    fn answer(&mut self) -> Event {
        let due = self.now() + Duration::from_secs(self.chance.below(100));
        match self.chance.below(8) {
            0 | 1 => Event::Accepted,
            2 => Event::NoAnswer { due },
            3 => Event::Deferred { due },
            4 => Event::Unclassified { due },
            5 => Event::RefusedContent,
            6 => Event::DependencyMissing { on: "patient".to_owned(), due },
            _ => Event::AttemptsSpent,
        }
    }

    async fn end(&mut self) {
        let Some(id) = self.one_held() else { return };
        let event = self.answer();
        let held = self.entries[&id].held.as_ref().unwrap();
        let Some(attempt) = held.attempt else { return };
        let end = AttemptEnd { status: Some(200), accepted: accepted(&held.claimed), ..AttemptEnd::default() };
        let ended = self.desk.ledger.end_attempt(attempt, &held.claimed.lease, event.clone(), end).await;
        // Also after the lease ran out, as long as nobody has taken the entry back: an answer is better than doubt.
        ended.unwrap();
        self.take(id, &event);
    }

    /// A worker that comes back after its entry was taken from it may not say anything about it.
    async fn come_late(&mut self) {
        let Some(Held { claimed, attempt: Some(attempt), .. }) = self.lost.pop() else { return };
        let end = AttemptEnd { status: Some(200), accepted: accepted(&claimed), ..AttemptEnd::default() };
        let ended = self.desk.ledger.end_attempt(attempt, &claimed.lease, Event::Accepted, end).await;
        assert!(ended.is_err(), "a lost lease answered for entry {}", claimed.entry.entry_id.number());
        let begun = self.desk.ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("request")).await;
        assert!(begun.is_err(), "a lost lease sent entry {} again", claimed.entry.entry_id.number());
        *self.met.entry("came late").or_default() += 1;
    }

    async fn release(&mut self) {
        let Some(id) = self.one_held() else { return };
        let due = self.now();
        let held = self.entries[&id].held.as_ref().unwrap();
        let event = Event::Released { due };
        let released = self.desk.ledger.release(id, &held.claimed.lease, event.clone()).await;
        match (released, held.attempt.is_some()) {
            (Ok(_), false) => self.take(id, &event),
            (Err(_), true) => *self.met.entry("release refused").or_default() += 1,
            (released, wrong) => panic!("{released:?}, to be refused: {wrong}"),
        }
    }

    async fn resolve(&mut self) {
        let open = self.desk.ledger.unknown_due(5).await.unwrap();
        let Some(entry) = open.first() else { return };
        let due = self.now() + Duration::from_secs(self.chance.below(50));
        let event = match self.chance.below(4) {
            0 => Event::FoundEqual,
            1 => Event::NotFound { due },
            2 => Event::StillUnknown { due },
            _ => Event::FoundDifferent,
        };
        let found = if matches!(event, Event::FoundEqual) { all_of(entry) } else { Vec::new() };
        self.desk.ledger.resolve(entry.entry_id, event.clone(), found).await.unwrap();
        self.take(entry.entry_id, &event);
    }

    async fn decide(&mut self) {
        let ids: Vec<EntryId> = self.entries.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let id = *self.chance.pick(&ids);
        let due = self.now();
        let event = if self.chance.percent(50) { Event::WaivedBy } else { Event::RetryCommanded { due } };
        let decided = self.desk.ledger.decide(id, event.clone(), "dicoba").await;
        let known = &self.entries[&id];
        match (decided, known.state.after(&event)) {
            (Ok(_), Ok(_)) => {
                self.entries.get_mut(&id).unwrap().waits_for_predecessor = false;
                self.take(id, &event);
            }
            // A version that waits for its predecessor cannot be waived: two versions of a visit would stand at once.
            (Err(LedgerError::WaitsForPredecessor(_)), _) if known.waits_for_predecessor => {
                *self.met.entry("waits, not decided").or_default() += 1;
            }
            (Err(_), Err(_)) => {}
            (decided, model) => panic!("{event:?}: ledger {decided:?}, model {model:?}"),
        }
    }

    async fn crash(mut self) -> Self {
        self.desk = self.desk.after_crash().await;
        let now = self.now();
        let held: Vec<(EntryId, bool)> =
            self.entries.iter().filter_map(|(id, known)| Some((*id, known.held.as_ref()?.attempt.is_some()))).collect();
        for (entry, begun) in held {
            let known = self.entries.get_mut(&entry).unwrap();
            known.strikes = known.strikes.max(1);
            let is_struck = !begun && known.strikes >= STRIKES_MAX;
            let event = if is_struck { Event::AttemptsSpent } else { Event::LeaseExpired { begun, due: now } };
            self.take(entry, &event);
        }
        *self.met.entry("crash").or_default() += 1;
        self
    }

    /// Every entry stands where the model has it, and its history leads there.
    async fn compare(&self, after: &str) {
        for (id, known) in &self.entries {
            let story = self.desk.ledger.story(*id).await.unwrap();
            let events = story.events.iter().filter_map(|line| line.event.as_ref());
            let replayed = events.fold(State::Pending, |state, event| state.after(event).unwrap());
            assert_eq!(story.line.state, known.state, "entry {} after {after}", id.number());
            assert!(replayed == story.line.state, "the history of entry {} leads elsewhere", id.number());
        }
        let live = |visit: u64| {
            self.entries.values().filter(|known| known.visit == visit && known.state == State::InFlight).count()
        };
        assert!((0..VISITS).all(|visit| live(visit) <= 1), "two versions of a visit on their way");
    }
}

fn all_of(entry: &OpenEntry) -> Vec<posyandu_gateway::ledger::attempt::AcceptedResource> {
    entry
        .resources
        .iter()
        .map(|resource| posyandu_gateway::ledger::attempt::AcceptedResource {
            position: resource.position,
            resource_type: resource.resource_type.clone(),
            id: format!("id-{}", resource.position),
            version: Some("1".to_owned()),
        })
        .collect()
}

async fn case(seed: u64, met: &mut BTreeMap<&'static str, u64>) -> u64 {
    let mut model = Model::new(seed).await;
    let steps = 1 + model.chance.below(STEPS_MAX);
    for step in 0..steps {
        let command = model.chance.below(20);
        match command {
            0..=2 => model.write().await,
            3..=6 => model.claim().await,
            7..=9 => model.begin().await,
            10..=12 => model.end().await,
            13 => model.release().await,
            14..=15 => model.resolve().await,
            16 => model.decide().await,
            17 => model.come_late().await,
            18 => model.desk.clock.advance(Duration::from_secs(model.chance.below(LEASE_SECONDS + 60))),
            _ if model.chance.percent(30) => model = model.crash().await,
            _ => {}
        }
        if step % 5 == 0 || step + 1 == steps {
            model.compare(&format!("command {command}, step {step}, seed {seed}")).await;
        }
    }
    for (what, times) in model.met {
        *met.entry(what).or_default() += times;
    }
    steps
}

#[tokio::test]
async fn any_sequence_of_commands_leaves_ledger_and_model_alike() {
    let run = Run::of("model", CASES_EVERY_RUN, 1);
    let (mut met, mut steps) = (BTreeMap::new(), 0);
    for seed in run.seed..run.seed + run.size {
        steps += Box::pin(case(seed, &mut met)).await;
    }
    for what in [
        "crash",
        "lease_expired",
        "begin refused",
        "came late",
        "release refused",
        "found_equal",
        "not_found",
        "waived_by",
    ] {
        assert!(met.contains_key(what) || run.size < CASES_EVERY_RUN, "never met: {what}; {met:?}");
    }
    let size = run.size;
    run.told(size, &json!({"commands": steps, "met": met}));
}
