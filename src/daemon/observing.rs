//! What the rounds tell those who watch: rows, lanes, how a round ended, and that the main loop makes progress.
//!
//! It must not change what is done, and a lane that stopped or a source that failed is only reported here.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use super::{Daemon, DaemonError, NAP_MAX, Round};
use crate::delivery::{LaneEnd, Stop};
use crate::http::auth::ScrapeToken;
use crate::http::watch::{Scrape, Watching};
use crate::ledger::row::RowTally;
use crate::observed::LastRound;

impl Daemon {
    /// What `/metrics` and `/readyz` need of this installation, with the moments at which its sources were last read.
    ///
    /// # Errors
    /// A scrape token that cannot be read or used; failures of the ledger.
    pub async fn watching(&self, takes_records: bool, address: SocketAddr) -> Result<Watching, DaemonError> {
        let scrape = match self.config.scrape_token()? {
            Some(token) => {
                let token = ScrapeToken::new(&token).map_err(|error| DaemonError::Setting(error.to_string()))?;
                Scrape::Token(token)
            }
            // A proxy stands before apps, and to us all that it passes on comes from this machine.
            None if takes_records || !address.ip().is_loopback() => Scrape::Closed,
            None => Scrape::Open,
        };
        for (source, at) in self.ledger.sources_read().await? {
            if self.config.source.iter().any(|one| one.name == source) {
                self.observed.source_read(&source, at.as_second());
            }
        }
        let (observed, ledger, clock) = (self.observed.clone(), Arc::clone(&self.ledger), self.clock.clone());
        let (folder, file) = (self.config.data_folder(), self.config.ledger_file().ok());
        Ok(Watching::new(observed, ledger, clock, folder, file, scrape))
    }

    /// Does a part of the main loop's work. The main loop beats as long as something comes of it: the ledger wrote, or a
    /// call to SATUSEHAT ended.
    pub async fn beating<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let done = || (self.ledger.writes(), self.observed.requests());
        let mut before = done();
        self.observed.pulse().beat();
        loop {
            tokio::select! {
                result = &mut work => {
                    self.observed.pulse().beat();
                    return result;
                }
                () = tokio::time::sleep(NAP_MAX) => {
                    let now = done();
                    if now != before {
                        before = now;
                        self.observed.pulse().beat();
                    }
                }
            }
        }
    }

    /// Counts what a round came to.
    pub fn observe(&self, round: &Round) {
        let now = self.clock.now().as_second();
        for outcome in &round.sources {
            let count = self.observed.rows_of(&outcome.source);
            let RowTally { read, new, changed, unchanged, issue, skipped, superseded: _ } = outcome.tally;
            let words = [("read", read), ("new", new), ("changed", changed), ("unchanged", unchanged)];
            words.into_iter().chain([("issue", issue), ("skipped", skipped)]).for_each(|(word, number)| {
                count(word, number);
            });
            if outcome.problem.is_none() {
                self.observed.source_read(&outcome.source, now);
            }
        }
        let failed = |source: &str| round.sources.iter().any(|one| one.source == source && one.problem.is_some());
        for folder in round.folders.iter().filter(|folder| folder.issue.is_none() && !failed(&folder.source)) {
            self.observed.source_read(&folder.source, now);
        }
        round.lanes.iter().for_each(|lane| self.observe_lane(lane));
        self.observed.round(last_round(round), now);
    }

    fn observe_lane(&self, lane: &LaneEnd) {
        let reasons = [
            ("configuration", matches!(lane.stop, Some(Stop::Configuration(_)))),
            ("mass_refusal", matches!(lane.stop, Some(Stop::MassRefusal(_)))),
            ("trouble", matches!(lane.stop, Some(Stop::Trouble(_)))),
        ];
        self.observed.lane_stopped(&lane.name, &reasons);
    }
}

fn last_round(round: &Round) -> LastRound {
    let stops = || round.lanes.iter().filter_map(|lane| lane.stop.as_ref());
    if stops().any(|stop| matches!(stop, Stop::Configuration(_))) {
        LastRound::Misconfigured
    } else if round.register_unread || stops().next().is_some() {
        LastRound::Failed
    } else {
        LastRound::Fine
    }
}
