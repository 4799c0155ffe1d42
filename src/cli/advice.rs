//! A failure as one sentence on one line: what failed, why, and what to do next.
//!
//! It must not print; and it adds only what the error itself cannot know.

use std::error::Error;

use crate::config::ConfigError;
use crate::daemon::DaemonError;
use crate::ledger::LedgerError;
use crate::mapping::problem::excerpt_of;
use crate::seal::SealError;
use crate::source::profile::ProfileError;

/// The causes of a failure, each told once, and what to do about it, without a line break.
#[must_use]
pub fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for cause in error.chain() {
        let words = match cause.downcast_ref::<tokio::task::JoinError>() {
            // What a panic said may quote a cell; its place is in the log.
            Some(_) => "see the log".to_owned(),
            None => cause.to_string(),
        };
        // A transparent error says what its cause says: once is enough.
        if words != last {
            if !last.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
        last = words;
    }
    if let Some(advice) = error.chain().find_map(advice) {
        text.push_str("; ");
        text.push_str(advice);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line of a source profile that a failure is about, with a mark below its column.
#[must_use]
pub fn excerpt(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| match cause.downcast_ref::<ProfileError>()? {
        ProfileError::Text { line, column, excerpt, .. } => {
            let place = |number: &u64| usize::try_from(*number).ok().filter(|number| *number > 0);
            excerpt_of(excerpt, place(line)?, place(column)?)
        }
        ProfileError::Meaning { .. } => None,
    })
}

fn advice(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = cause.downcast_ref::<ConfigError>() {
        return of_configuration(error);
    }
    if let Some(error) = cause.downcast_ref::<SealError>() {
        return of_keys(error);
    }
    if let Some(error) = cause.downcast_ref::<LedgerError>() {
        return of_ledger(error);
    }
    match cause.downcast_ref::<DaemonError>()? {
        // The errors inside a transparent variant are no links of the chain.
        DaemonError::Config(error) => of_configuration(error),
        DaemonError::Ledger(error) => of_ledger(error),
        _ => None,
    }
}

fn of_configuration(error: &ConfigError) -> Option<&'static str> {
    match error {
        ConfigError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Some("run `posyandu-gateway init` to write one, or name it with --config")
        }
        ConfigError::Read { .. } => Some("name a readable file with --config"),
        ConfigError::Secret { .. } | ConfigError::NoSecret { .. } => {
            Some("write only the client secret into it; until then nothing is read or sent")
        }
        _ => None,
    }
}

fn of_keys(error: &SealError) -> Option<&'static str> {
    match error {
        SealError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Some(
            "a new installation gets one from `posyandu-gateway init`; if there was one before, put its copy back first",
        ),
        SealError::Read { .. } => Some("let the user of the gateway read it"),
        SealError::Malformed { .. } => Some("put the copy of the right key file back"),
        SealError::Write { .. } => Some("choose a folder that can be written with --data-dir or [seal] key_file"),
        _ => None,
    }
}

fn of_ledger(error: &LedgerError) -> Option<&'static str> {
    match error {
        LedgerError::Held(_) => Some("wait until it has ended, or stop it; `posyandu-gateway status` works meanwhile"),
        LedgerError::Absent(_) => Some("run `posyandu-gateway init` to make it, or check data_dir"),
        LedgerError::WrongKeys => Some("put the key file back that this ledger was made with"),
        LedgerError::OtherServer { .. } => Some(
            "give each SATUSEHAT a data_dir of its own; if this one only got another address, name the former host as \
             [satusehat] moved_from",
        ),
        LedgerError::Full => Some(
            "free disk space or raise [ledger] mebibytes_max, then run it again; what was recorded is kept and nothing \
             is sent twice",
        ),
        LedgerError::Broken => Some("check the disk and its free space, then run it again"),
        LedgerError::OnServer => {
            Some("save it with `pg_dump --format=custom`; README.md says how to put such a copy back")
        }
        LedgerError::Gone(_) => Some(
            "put the newest copy back with `posyandu-gateway ledger restore FILE`; only when nothing was ever sent from \
             here, remove the .lock file beside it to begin anew",
        ),
        LedgerError::Damaged => Some(
            "keep the files as they are and put the newest copy back with `posyandu-gateway ledger restore FILE`; it \
             looks up what was sent since",
        ),
        LedgerError::Folder { .. } => Some("choose a folder that can be written with --data-dir or data_dir"),
        LedgerError::Foreign(_) => Some("set [ledger] url to another file or database"),
        LedgerError::Unreachable { .. } => {
            Some("check that the server runs, [ledger] url and password_file, then run it again")
        }
        LedgerError::Lost => Some("check that the database server runs, then run it again; nothing is sent twice"),
        _ => None,
    }
}
