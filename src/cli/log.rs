//! The log: events of the gateway as text or JSON lines on standard error, bounded when one fault floods.
//!
//! It must not let personal data through: other crates write what they were given, so they are heard from warnings up
//! only, and of a panic only the place is told.

use std::collections::HashMap;
use std::fmt;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::clock::{Clock, Stopwatch};

/// Warnings and errors of one kind shown in a window of [`FLOOD_WINDOW`]; the rest is counted.
const FLOOD_SHOWN_MAX: u32 = 20;
/// See [`FLOOD_SHOWN_MAX`].
const FLOOD_WINDOW: Duration = Duration::from_secs(60);

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Which events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What keeps the gateway from working.
    Error,
    /// What somebody should look at.
    #[default]
    Warn,
    /// Each call, attempt and request.
    Info,
    /// Steps inside them.
    Debug,
    /// Everything there is.
    Trace,
}

impl LogLevel {
    fn level(self) -> Level {
        match self {
            Self::Error => Level::ERROR,
            Self::Warn => Level::WARN,
            Self::Info => Level::INFO,
            Self::Debug => Level::DEBUG,
            Self::Trace => Level::TRACE,
        }
    }
}

/// Starts the log, to standard error.
pub fn start(format: LogFormat, level: LogLevel) {
    let others = Level::WARN.min(level.level());
    let filter = Targets::new().with_default(others).with_target("posyandu_gateway", level.level());
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => {
            let layer = layer.json().with_span_list(false).map_event_format(|format| Bounded::new(format, true));
            tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()
        }
        LogFormat::Text => {
            // Colours are for terminals; in a file or journal they hide the words.
            let layer = layer.with_ansi(std::io::stderr().is_terminal()).with_target(false);
            let layer = layer.map_event_format(|format| Bounded::new(format, false));
            tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()
        }
    };
    // A second start finds the first in place.
    let _ = started;
    quiet_panics();
}

/// From now on a panic tells only its place: its words may quote a cell.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "?".to_owned(), ToString::to_string);
        tracing::error!(place, "a mistake in this program: please report its place");
    }));
}

/// Which events of one kind are shown. Pure: time is passed in.
#[derive(Debug, Default)]
struct Flood {
    begun: Duration,
    shown: u32,
    left_out: u64,
}

impl Flood {
    /// Whether the next event is shown, and how many before it were not.
    fn admit(&mut self, now: Duration) -> Option<u64> {
        if now.saturating_sub(self.begun) >= FLOOD_WINDOW {
            let left_out = self.left_out;
            *self = Self { begun: now, shown: 1, left_out: 0 };
            return Some(left_out);
        }
        if self.shown < FLOOD_SHOWN_MAX {
            self.shown += 1;
            return Some(0);
        }
        self.left_out += 1;
        None
    }
}

/// Writes events by `format`, warnings and errors of one kind only so often.
struct Bounded<F> {
    format: F,
    json: bool,
    begun: Stopwatch,
    floods: Mutex<HashMap<Identifier, Flood>>,
}

impl<F> Bounded<F> {
    fn new(format: F, json: bool) -> Self {
        Self { format, json, begun: Clock::System.stopwatch(), floods: Mutex::new(HashMap::new()) }
    }
}

impl<S, N, F> FormatEvent<S, N> for Bounded<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let kind = event.metadata();
        if *kind.level() <= Level::WARN {
            let now = self.begun.elapsed();
            let mut floods = self.floods.lock().unwrap_or_else(PoisonError::into_inner);
            let first = || Flood { begun: now, ..Flood::default() };
            let Some(left_out) = floods.entry(kind.callsite()).or_insert_with(first).admit(now) else {
                return Ok(());
            };
            drop(floods);
            if left_out > 0 && self.json {
                let level = kind.level();
                writeln!(
                    writer,
                    r#"{{"level":"{level}","fields":{{"message":"events like the next were left out","left_out":{left_out}}}}}"#
                )?;
            } else if left_out > 0 {
                writeln!(writer, "{left_out} events like the next were left out")?;
            }
        }
        self.format.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_its_count_told_with_the_first_of_the_next_minute() {
        let mut flood = Flood::default();
        let shown = (0..1_000).filter(|_| flood.admit(Duration::from_secs(5)).is_some()).count();
        assert_eq!(shown, FLOOD_SHOWN_MAX as usize);
        assert_eq!(flood.admit(Duration::from_secs(59)), None);
        assert_eq!(flood.admit(Duration::from_secs(60)), Some(981));
        assert_eq!(flood.admit(Duration::from_secs(61)), Some(0));
    }
}
