//! Printing and progress: results to standard output, everything else to standard error.
//!
//! It must not format personal data; what arrives here is already fit to be read.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::advice;
use crate::daemon::Step;

/// Writes a result to standard output. A closed pipe is not an error.
pub fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
}

/// Writes a result that is no text to standard output as it is.
pub fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}

/// Whether standard output is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Writes a part of a long result to standard output as it is.
pub fn part(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Writes a line for people to standard error.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// Writes an error with its causes and what to do, once, on one line; a mistake in a profile with its line below.
pub fn error(error: &anyhow::Error) {
    eprintln!("error: {}", advice::sentence(error));
    if let Some(excerpt) = advice::excerpt(error) {
        eprintln!("{excerpt}");
    }
}

/// Shows how far long work is: a bar on a terminal, plain lines elsewhere.
pub struct Steps {
    bar: ProgressBar,
    is_terminal: bool,
    said: Mutex<(String, u64)>,
}

/// Plain lines say a number again when it grew by this much.
const PLAIN_EVERY: u64 = 10_000;
/// The same for visits sent: at the usual quota of 60 calls a minute a line every few minutes.
const PLAIN_EVERY_SENT: u64 = 100;

impl Default for Steps {
    fn default() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos}{prefix} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, is_terminal, said: Mutex::new((String::new(), 0)) }
    }
}

impl Steps {
    /// Shows a step.
    pub fn show(&self, step: Step<'_>) {
        let (message, position, total) = match step {
            Step::Reading { source, rows } => (format!("reading {source}:"), rows, None),
            Step::Mapping(visits) => ("mapping visits:".to_owned(), visits, None),
            Step::Sending { finished, waiting } => ("sending visits:".to_owned(), finished, Some(waiting)),
        };
        if self.is_terminal {
            self.bar.set_prefix(total.map(|total| format!("/{total}")).unwrap_or_default());
            self.bar.set_message(message);
            self.bar.set_position(position);
            return;
        }
        let (every, whole) = match total {
            Some(total) => (PLAIN_EVERY_SENT, format!(" of {total}")),
            None => (PLAIN_EVERY, String::new()),
        };
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let begins = said.0 != message;
        if begins {
            *said = (message.clone(), position);
        }
        // Sending waits for the server, so its beginning is told; reading and mapping are told when they get long.
        if (begins && total.is_some_and(|total| total > 0)) || position >= said.1 + every {
            said.1 = position;
            eprintln!("{message} {position}{whole}");
        }
    }

    /// Writes something while the bar is out of the way.
    pub fn aside(&self, write: &dyn Fn()) {
        self.bar.suspend(write);
    }

    /// Takes the bar away.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
