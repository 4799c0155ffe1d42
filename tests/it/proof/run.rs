//! How large a run is, which seed decides it, and where its figures go.
//!
//! `POSYANDU_PROOF_<FAMILY>` sets the size of a family, `POSYANDU_SEED` its first seed, and `POSYANDU_PROOF_RESULTS`
//! names the file that one line of JSON is appended to for each run. Without them a run is small and writes nothing.

// The seed and the figures of a run are its evidence.
#![allow(clippy::print_stderr)]

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Random numbers that the seed alone decides (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Whether something of this chance, in percent, happens.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[usize::try_from(self.below(some.len() as u64)).unwrap()]
    }

    /// A moment between the start and `end`.
    pub fn moment(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(end.as_micros()).unwrap()))
    }
}

/// One run of one family.
pub struct Run {
    family: &'static str,
    store: &'static str,
    pub size: u64,
    pub seed: u64,
    started: Instant,
    is_told: bool,
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}")))
}

impl Run {
    /// With the ledger in a file; `every_run` is the size when nothing else is asked for.
    pub fn of(family: &'static str, every_run: u64, seed: u64) -> Self {
        Self::on(family, "sqlite", every_run, seed)
    }

    /// With the ledger in such a store.
    pub fn on(family: &'static str, store: &'static str, every_run: u64, seed: u64) -> Self {
        let size = number(&format!("POSYANDU_PROOF_{}", family.to_uppercase())).unwrap_or(every_run);
        let seed = number("POSYANDU_SEED").unwrap_or(seed);
        eprintln!("{family} on {store}: size {size}, seed {seed}");
        Self { family, store, size, seed, started: Instant::now(), is_told: false }
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What was done, when it went well: how many were asked for and the figures that belong to it.
    pub fn told(mut self, done: u64, figures: &Value) {
        self.is_told = true;
        self.write(done, true, figures);
    }

    fn write(&self, done: u64, is_fine: bool, figures: &Value) {
        let line = json!({
            "family": self.family, "store": self.store, "asked": self.size, "done": done, "seed": self.seed, "fine": is_fine,
            "seconds": self.started.elapsed().as_secs(), "figures": figures,
            "commit": std::env::var("POSYANDU_PROOF_COMMIT").unwrap_or_default(),
            "date": std::env::var("POSYANDU_PROOF_DATE").unwrap_or_default(),
        });
        eprintln!("{line}");
        if let Ok(path) = std::env::var("POSYANDU_PROOF_RESULTS") {
            let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
            file.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
    }
}

impl Drop for Run {
    /// A run that failed is written down as well.
    fn drop(&mut self) {
        if !self.is_told {
            self.write(0, false, &json!({}));
        }
    }
}
