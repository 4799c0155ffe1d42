//! What kept a round from being whole, one sentence a line: sources that could not be read, lanes that stopped.
//!
//! It must not print. A failure that ends the command is no trouble of a round; `advice` words it.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::daemon::Round;
use crate::delivery::Stop;
use crate::words::{self, Language};

/// The sentences of a round; lanes that stopped for the same reason share one.
#[must_use]
pub fn of_round(round: &Round, config: &Config, language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    for source in &round.sources {
        if let Some(problem) = &source.problem {
            let key = if round.register_unread { "run.register_problem" } else { "run.source_problem" };
            let values = [("sumber", source.source.clone()), ("kata", words::of_issue(language, &problem.issue))];
            lines.push(one_line(&words::text(language, key, &values)));
        }
    }
    for folder in &round.folders {
        let told = folder.files.iter().filter(|file| file.is_told).filter_map(|file| file.issue.as_ref());
        for issue in folder.issue.iter().chain(told) {
            let values = [("sumber", folder.source.clone()), ("kata", words::of_issue(language, issue))];
            lines.push(one_line(&words::text(language, "run.file_problem", &values)));
        }
    }
    let mut stopped: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for lane in &round.lanes {
        if let Some(stop) = &lane.stop {
            stopped.entry(reason(stop)).or_default().push(&lane.name);
        }
    }
    let (_, address) = config.addresses();
    for ((key, said), lanes) in stopped {
        let lanes = lanes.join(", ");
        let values = [("puskesmas", lanes.as_str()), ("alamat", address.as_str()), ("kata", said)];
        lines.push(one_line(&words::text(language, key, &values)));
    }
    lines
}

fn reason(stop: &Stop) -> (&'static str, &str) {
    match stop {
        Stop::Configuration(said) => ("run.stop_configuration", said),
        Stop::MassRefusal(said) => ("run.stop_mass_refusal", said),
        Stop::Trouble(said) => ("run.stop_trouble", said),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
