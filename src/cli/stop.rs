//! Ctrl-C and SIGTERM as a request to end properly.
//!
//! Listening begins before anything is opened: a signal nobody listens for ends the program where it stands. Nothing
//! here decides how the work ends.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both stop signals, listened for from [`StopSignals::listen`] on.
#[derive(Debug)]
pub struct StopSignals {
    interrupted: Signal,
    terminated: Signal,
}

impl StopSignals {
    /// Begins to listen; a signal that comes before [`StopSignals::next`] is kept for it.
    ///
    /// # Errors
    /// The system refuses a listener.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for stop signals");
        Ok(Self { interrupted: listen(SignalKind::interrupt())?, terminated: listen(SignalKind::terminate())? })
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}
