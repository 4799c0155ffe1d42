//! What a real run would send under each client id: visits, and the calls they need when nobody is known yet.
//!
//! It must not keep anybody's number: people are told apart by a hash that means nothing outside this process.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;

use crate::config::Config;
use crate::redact::Personal;
use crate::resource::envelope::{Practitioner, Whom};

/// Hashes gathered before they are sorted and put away.
const RUN_LENGTH: usize = 65_536;

/// What would be sent under one client id.
pub struct Plan {
    /// The puskesmas.
    pub puskesmas: String,
    /// Visits ready to be sent.
    pub visits: u64,
    /// Calls if nobody is known yet: one for the token, one for each person and health worker, one for each visit.
    pub calls: u64,
    /// The quota.
    pub per_minute: u32,
}

impl Plan {
    /// How long the calls take at the quota, in minutes.
    pub fn minutes(&self) -> u64 {
        self.calls.div_ceil(u64::from(self.per_minute.max(1)))
    }
}

/// The plans while visits are still being mapped.
pub struct Plans {
    hasher: RandomState,
    lanes: Vec<(Plan, Distinct)>,
}

impl Plans {
    /// One empty plan for each puskesmas.
    pub fn new(config: &Config) -> Self {
        let plan = |name: &str, per_minute| Plan { puskesmas: name.to_owned(), visits: 0, calls: 0, per_minute };
        let lanes = config
            .puskesmas
            .iter()
            .map(|puskesmas| (plan(&puskesmas.name, puskesmas.requests_per_minute), Distinct::default()));
        Self { hasher: RandomState::new(), lanes: lanes.collect() }
    }

    /// Counts a visit that is ready.
    ///
    /// # Errors
    /// When it does not say whom it is about.
    pub fn add(&mut self, puskesmas: &str, person: &Personal<String>) -> io::Result<()> {
        let Some((plan, people)) = self.lanes.iter_mut().find(|(plan, _)| plan.puskesmas == puskesmas) else {
            return Ok(());
        };
        let whom: Whom = serde_json::from_str(person.reveal())?;
        plan.visits += 1;
        people.add(self.hasher.hash_one(&whom.nik));
        if let Practitioner::ByNik(nik) = &whom.practitioner {
            people.add(self.hasher.hash_one(nik));
        }
        Ok(())
    }

    /// The plans.
    pub fn finish(self) -> Vec<Plan> {
        let plan = |(plan, people): (Plan, Distinct)| {
            let calls = if plan.visits == 0 { 0 } else { 1 + plan.visits + people.count() };
            Plan { calls, ..plan }
        };
        self.lanes.into_iter().map(plan).collect()
    }
}

/// Counts distinct hashes in eight bytes each.
#[derive(Default)]
struct Distinct {
    gathered: Vec<u64>,
    /// Sorted, without repetition.
    runs: Vec<Vec<u64>>,
}

impl Distinct {
    fn add(&mut self, hash: u64) {
        if self.gathered.len() >= RUN_LENGTH {
            self.put_away();
        }
        self.gathered.push(hash);
    }

    fn put_away(&mut self) {
        self.gathered.sort_unstable();
        self.gathered.dedup();
        self.runs.push(self.gathered.clone());
        self.gathered.clear();
    }

    /// Goes through all runs side by side.
    fn count(mut self) -> u64 {
        self.put_away();
        let mut heads: BinaryHeap<Reverse<(u64, usize, usize)>> = BinaryHeap::new();
        let head = |run: usize, at: usize| Some(Reverse((*self.runs.get(run)?.get(at)?, run, at)));
        heads.extend((0..self.runs.len()).filter_map(|run| head(run, 0)));
        let (mut number, mut last) = (0, None);
        while let Some(Reverse((hash, run, at))) = heads.pop() {
            number += u64::from(last.replace(hash) != Some(hash));
            heads.extend(head(run, at + 1));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_counted_once_across_all_runs() {
        let mut people = Distinct::default();
        for number in 0..200_000_u64 {
            people.add(number % 70_000);
        }
        assert_eq!(people.count(), 70_000);
        assert_eq!(Distinct::default().count(), 0);
    }
}
