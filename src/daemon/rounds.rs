//! A round: everything is read, then sent; and while a long sending goes on, everything is read again and again.
//!
//! After an outage sending takes hours, and today's visits go first only once they are known. It must not know how a
//! person started it, nor tell anybody anything itself.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::deliver::Done;
use super::{Daemon, DaemonError, NAP_MAX, Progress, Round};
use crate::delivery::LaneEnd;
use crate::ingest::register::Register;
use crate::ledger::entry::NewEntry;
use crate::ledger::row::VisitRecords;
use crate::remote::lane::Lane;

impl Daemon {
    /// One round on fresh lanes: reads, then sends.
    ///
    /// # Errors
    /// As the parts.
    pub async fn once(&self, progress: Progress<'_>) -> Result<Round, DaemonError> {
        let Some((round, _)) = self.read(progress).await? else { return Ok(Round::default()) };
        let lanes = self.send(&self.lanes()?, Done::Waits, progress).await?;
        Ok(Round { lanes, ..round })
    }

    /// Reads everything and enters what is new, with the register of posyandu that it was read by; `None` when the
    /// gateway is to stop. A pass that is left half-way is read again by the next; what it had stored is then unchanged.
    ///
    /// # Errors
    /// As [`Daemon::ingest`].
    pub async fn read(&self, progress: Progress<'_>) -> Result<Option<(Round, Register)>, DaemonError> {
        let mut look = |_: &VisitRecords, _: &mut NewEntry| Ok(());
        // In virtual time a second of reading must not become minutes of those who wait meanwhile.
        let _reading = self.clock.under_way();
        tokio::select! {
            read = Box::pin(self.ingest(&mut look, progress)) => read.map(Some),
            () = self.halted() => Ok(None),
        }
    }

    /// Sends what is due, and waits for what is due soon as long as a round may.
    ///
    /// # Errors
    /// As [`Daemon::deliver`].
    pub async fn send(&self, lanes: &[Lane], done: Done, progress: Progress<'_>) -> Result<Vec<LaneEnd>, DaemonError> {
        let limit = Duration::from_secs(self.config.delivery.once_seconds);
        let deadline = self.clock.now().saturating_add(limit).unwrap_or(Timestamp::MAX);
        self.deliver_with(lanes, deadline, done, progress).await
    }

    /// Does some work, and reads everything again and again beside it, with a pause before each reading. `told` is given
    /// what each came to: a round whose lanes say why they are stopped, if so, and no more.
    ///
    /// # Errors
    /// Those of the work, of reading and of telling; the first ends all.
    pub async fn reading_on<T, E: From<DaemonError>>(
        &self,
        pause: Duration,
        lanes: &[Lane],
        told: impl AsyncFn(Round, Register) -> Result<(), E>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (done, ended) = watch::channel(false);
        let work = async {
            let result = work.await;
            done.send_replace(true);
            result
        };
        let reading = async {
            let mut ended = ended.clone();
            loop {
                tokio::select! {
                    // The sender lives as long as this does.
                    _ = ended.wait_for(|ended| *ended) => return Ok(()),
                    () = self.passed(pause) => {}
                }
                let Some((round, register)) = self.read(&|_| {}).await? else { return Ok(()) };
                // Delivering proposes them too, but only when everything is sent.
                self.ledger.propose_removals().await.map_err(DaemonError::from)?;
                let lanes = lanes.iter().map(LaneEnd::at_present).collect();
                told(Round { lanes, ..round }, register).await?;
            }
        };
        Ok(tokio::try_join!(work, reading)?.0)
    }

    /// Waits until so much time has passed, without moving a manual clock: that is for those who have nothing else to do.
    async fn passed(&self, pause: Duration) {
        let timer = self.clock.timer();
        while timer.elapsed() < pause {
            tokio::time::sleep(NAP_MAX).await;
        }
    }
}
