//! The rounds of `run`: reading and sending, resting, and what is told of each.
//!
//! It must not read or send anything itself; `daemon` does.

use std::time::Duration;

use super::{as_json, as_text, exit_of};
use crate::cli::exit::Exit;
use crate::cli::print::{self, Steps};
use crate::cli::{Format, installation, systemd, troubles};
use crate::daemon::comparing::PresentLanes;
use crate::daemon::counter::{Counter, Rest};
use crate::daemon::deliver::Done;
use crate::daemon::{Daemon, DaemonError, Round, Step};
use crate::ingest::register::Register;
use crate::ledger::reading::{Counts, Filter};
use crate::report::text::sum_line;
use crate::words::Language;

/// Pause between two rounds, and before each reading beside a long sending.
const PAUSE: Duration = Duration::from_secs(60);
/// Longest part of that pause without a sign of life.
const BEAT: Duration = Duration::from_secs(1);

/// What all rounds of a run share.
pub struct Rounds<'a> {
    pub daemon: &'a Daemon,
    pub counter: Option<&'a Counter>,
    /// Where others find the lanes of the rounds.
    pub lanes: &'a PresentLanes,
    /// One round is all.
    pub once: bool,
    pub format: Format,
    pub language: Language,
}

impl Rounds<'_> {
    /// Rounds until the gateway is to stop, or one.
    pub async fn all(&self) -> anyhow::Result<Exit> {
        // The same lanes for all rounds: each new one would begin with the calls of a full second.
        self.lanes.set(&self.daemon.lanes().map_err(|error| self.named(error))?);
        loop {
            let steps = Steps::default();
            let round = self.one(&steps);
            let round = match self.counter {
                None => Box::pin(self.daemon.beating(round)).await,
                Some(counter) => {
                    let beside = counter.beside(self.daemon, &|_| {}, round);
                    Box::pin(self.daemon.beating(beside)).await.map_err(anyhow::Error::from).and_then(|round| round)
                }
            };
            steps.done();
            let exit = self.tell(&round.map_err(|error| self.named(error))?).await?;
            if self.once || self.rest().await? {
                return Ok(exit);
            }
        }
    }

    /// Reads, then sends.
    async fn one(&self, steps: &Steps) -> anyhow::Result<Round> {
        let progress = |step: Step<'_>| steps.show(step);
        let Some((round, register)) = self.daemon.read(&progress).await? else { return Ok(Round::default()) };
        self.know(&round, register);
        let lanes = self.lanes.get();
        let lanes = if self.once {
            self.daemon.send(&lanes, Done::Waits, &progress).await?
        } else {
            let sending = self.daemon.send(&lanes, Done::BeginsAgain, &progress);
            Box::pin(self.reading_on(|write| steps.aside(write), sending)).await?
        };
        Ok(Round { lanes, ..round })
    }

    /// Sends, and meanwhile reads again and again: what comes in does not wait for the end of a backlog, and is told at
    /// once, by way of `aside`.
    async fn reading_on<T>(
        &self,
        aside: impl Fn(&dyn Fn()),
        sending: impl Future<Output = Result<T, DaemonError>>,
    ) -> anyhow::Result<T> {
        let told = async |round: Round, register| {
            self.know(&round, register);
            self.daemon.observe(&round);
            let counts = self.daemon.ledger.counts(&Filter::default()).await?;
            // What was sent so far is told when the sending is done.
            let round = Round { lanes: Vec::new(), ..round };
            aside(&|| self.write(&round, &counts));
            anyhow::Ok(())
        };
        self.daemon.reading_on(PAUSE, &self.lanes.get(), told, async { Ok(sending.await?) }).await
    }

    /// Lets the counter read records by this register from now on, unless it could not be read.
    fn know(&self, round: &Round, register: Register) {
        if let (Some(counter), false) = (self.counter, round.register_unread) {
            counter.set_register(self.daemon, register);
        }
    }

    /// Counts and writes what a round came to.
    async fn tell(&self, round: &Round) -> anyhow::Result<Exit> {
        self.daemon.observe(round);
        let counts = self.daemon.ledger.counts(&Filter::default()).await?;
        self.write(round, &counts);
        Ok(exit_of(round, &counts))
    }

    /// Writes what a round came to, and how many rows stand where.
    fn write(&self, round: &Round, counts: &Counts) {
        systemd::status(&sum_line(counts, Language::English));
        print::result(&match self.format {
            Format::Json => as_json(round, counts).to_string(),
            _ => as_text(round, counts, self.language),
        });
        let lines = troubles::of_round(round, &self.daemon.config, self.language);
        lines.iter().for_each(|line| print::note(line));
    }

    /// Rests, not beyond the moment at which a stopped lane may be tried; what is handed in meanwhile is sent. Says
    /// whether the gateway is to stop.
    async fn rest(&self) -> anyhow::Result<bool> {
        let begun = self.daemon.clock.stopwatch();
        let until_try = self.lanes.next_try_after(self.daemon.clock.now()).unwrap_or(PAUSE);
        let pause = until_try.min(PAUSE);
        loop {
            self.daemon.observed.pulse().beat();
            let left = pause.saturating_sub(begun.elapsed());
            let rested = match self.counter {
                Some(counter) => counter.rest(self.daemon, left.min(BEAT)).await,
                None => tokio::select! {
                    () = self.daemon.halted() => Rest::Halt,
                    () = tokio::time::sleep(left.min(BEAT)) => Rest::Over,
                },
            };
            match (rested, self.counter) {
                (Rest::Halt, _) => return Ok(true),
                (Rest::News, Some(counter)) => self.forward(counter).await?,
                _ if left <= BEAT => return Ok(false),
                _ => {}
            }
        }
    }

    /// Sends what was handed in during a rest.
    async fn forward(&self, counter: &Counter) -> anyhow::Result<()> {
        let sending = self.reading_on(|write| write(), counter.forward(self.daemon, self.lanes, &|_| {}));
        let round = Box::pin(self.daemon.beating(sending)).await.map_err(|error| self.named(error))?;
        if round.entered > 0 {
            self.tell(&round).await?;
        }
        Ok(())
    }

    /// A failure of the ledger with its place.
    fn named(&self, error: impl Into<anyhow::Error>) -> anyhow::Error {
        installation::named(&self.daemon.config, error)
    }
}
