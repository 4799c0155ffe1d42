//! What the service manager (systemd) is told: ready, alive, stopping, and how things stand.
//!
//! Without one nothing is told. It must not say "alive" for itself: only the main loop's progress is passed on.

use sd_notify::NotifyState;

use crate::observed::Observed;

/// Parts of the time the manager allows, at each of which the main loop is looked at.
const LOOKS: u32 = 4;

/// The gateway works, and the manager hears from now on of its main loop's progress.
pub fn ready(observed: &Observed) {
    tell(&[NotifyState::Ready]);
    let Some(allowed) = sd_notify::watchdog_enabled() else { return };
    let observed = observed.clone();
    tokio::spawn(async move {
        let mut told = None;
        loop {
            let beats = Some(observed.pulse().beats());
            if told != beats {
                told = beats;
                tell(&[NotifyState::Watchdog]);
            }
            tokio::time::sleep(allowed / LOOKS).await;
        }
    });
}

/// One line for `systemctl status`.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// The gateway finishes what is in flight.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
