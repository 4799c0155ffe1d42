//! `source files` and `source accept`: what became of dropped files, and the decision about those that wait.
//!
//! The list looks into the folders and the ledger; it opens no file and changes nothing.

use std::collections::BTreeMap;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::{Context, Format, installation, print};
use crate::clock::{Clock, Zone};
use crate::daemon::{Round, set_up};
use crate::ingest::Source;
use crate::ingest::folder::seen::{Fate, FolderOutcome};
use crate::issue::{Code, Issue};
use crate::ledger::Ledger;
use crate::ledger::taken::{TakenFile, TakenOutcome, TakenRows};
use crate::source::folder::{Folder, Standing, Wait};
use crate::words::{self, Language};

/// The files of drop folders with what became of them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway source files
  posyandu-gateway source files --format json")]
pub struct Files {
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Let a file through that waits because it lost many rows
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway source accept rekap-november.xlsx
  posyandu-gateway source accept --source \"berkas kader\" rekap-november.xlsx

The decision is stored in the ledger, so stop `run` first, or give the file another name: what was never there under
a name is read without asking.")]
pub struct Accept {
    /// Name of the file in the folder
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Name of the source, when several folders have such a file
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
}

/// A file in the list.
struct Listed {
    name: String,
    is_gone: bool,
    word: &'static str,
    taken_at: Option<Timestamp>,
    rows: TakenRows,
    issue: Option<Issue>,
}

impl Files {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys, no ledger, a wrong configuration.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let sources = set_up::sources(&config)?;
        let (_, ledger) = installation::ledger_to_read(&config, Clock::System).await?;
        let (mut lines, mut objects) = (Vec::new(), Vec::new());
        for source in sources.iter().filter(|source| source.folder.is_some()) {
            let (listed, problem) = list(source, &ledger).await?;
            let map = source.location.path.display().to_string();
            lines.push(words::text(
                language,
                "files.folder",
                &[("sumber", source.location.source.as_str()), ("map", &map)],
            ));
            lines.extend(problem.iter().map(|issue| format!("  {}", words::of_issue(language, issue))));
            if listed.is_empty() && problem.is_none() {
                lines.push(format!("  {}", words::plain(language, "files.none")));
            }
            lines.extend(listed.iter().map(|one| as_line(one, source.zone, language)));
            objects.push(json!({
                "source": source.location.source, "folder": map,
                "problem": problem.map(|issue| words::of_issue(language, &issue)),
                "files": listed.iter().map(|one| as_json(one, language)).collect::<Vec<_>>(),
            }));
        }
        ledger.close().await?;
        if lines.is_empty() {
            lines.push(words::plain(language, "files.no_folder"));
        }
        print::result(&match self.format {
            Format::Json => json!({ "folders": objects }).to_string(),
            _ => lines.join("\n"),
        });
        Ok(Exit::Fine)
    }
}

impl Accept {
    /// Runs the command.
    ///
    /// # Errors
    /// Another instance holds the ledger; an unknown source.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let sources = set_up::sources(&config)?;
        let names: Vec<&str> = sources
            .iter()
            .filter(|source| source.folder.is_some())
            .map(|source| source.location.source.as_str())
            .filter(|name| self.source.as_deref().is_none_or(|wanted| wanted == *name))
            .collect();
        anyhow::ensure!(!names.is_empty(), "no source of that name is a folder");
        let keys = installation::keys(&config)?;
        let ledger = installation::open(&config, keys, Clock::System).await?;
        let waits = |taken: &TakenFile| taken.outcome == TakenOutcome::Waiting && taken.accepted_at.is_none();
        let mut waiting = Vec::new();
        for name in &names {
            let taken = ledger.taken_files(name).await?;
            let hash = ledger.name_hash(name, &self.name);
            waiting.extend(taken.iter().rfind(|one| one.name_hash == hash).filter(|one| waits(one)).map(|_| *name));
        }
        let outcome = match waiting.as_slice() {
            [] => Ok(false),
            [source] => ledger.accept_taken(source, &self.name).await,
            several => {
                let several = several.join(", ");
                ledger.close().await?;
                anyhow::bail!("several folders have such a file ({several}): say which with --source");
            }
        };
        ledger.close().await?;
        let is_kept = outcome?;
        let key = if is_kept { "files.let_through" } else { "files.nothing_waits" };
        print::result(&words::text(language, key, &[("berkas", &self.name)]));
        Ok(if is_kept { Exit::Fine } else { Exit::Usage })
    }
}

/// What lies in a folder now, and what was taken from it before.
async fn list(source: &Source, ledger: &Ledger) -> anyhow::Result<(Vec<Listed>, Option<Issue>)> {
    let name = &source.location.source;
    let mut newest: BTreeMap<String, TakenFile> = BTreeMap::new();
    for taken in ledger.taken_files(name).await? {
        newest.insert(taken.name.clone(), taken);
    }
    let looked = Folder::open(&source.location.path).and_then(|folder| folder.look(Clock::System.now()));
    let (sight, problem) = match looked {
        Ok(sight) => (sight, None),
        Err(_) => {
            let issue = Issue::error(Code::Exception, "folder.unreadable").with("berkas", source.location.file());
            (crate::source::folder::Sight::default(), Some(issue))
        }
    };
    let mut listed = Vec::new();
    for found in sight.files {
        let taken = newest.remove(&found.name);
        listed.push(match (found.standing, taken) {
            (Standing::Ready(stamp), Some(taken)) if taken.stamp == ledger.stamp_hash(name, &stamp.text()) => {
                of_taken(taken, false)
            }
            (Standing::Ready(_), _) => of_folder(found.name, "new", None),
            (Standing::Waiting(wait, _), _) => {
                let rule = if wait == Wait::Open { "folder.open" } else { "folder.settling" };
                let issue = Issue::warning(Code::Transient, rule).with("berkas", &found.name);
                of_folder(found.name, "waiting", Some(issue))
            }
            (Standing::Refused(rule), _) => {
                let issue = Issue::warning(Code::Structure, rule).with("berkas", &found.name);
                of_folder(found.name, "refused", Some(issue))
            }
        });
    }
    listed.extend(newest.into_values().map(|taken| of_taken(taken, true)));
    Ok((listed, problem))
}

fn of_folder(name: String, word: &'static str, issue: Option<Issue>) -> Listed {
    Listed { name, is_gone: false, word, taken_at: None, rows: TakenRows::default(), issue }
}

fn of_taken(taken: TakenFile, is_gone: bool) -> Listed {
    let word = match (taken.outcome, taken.accepted_at) {
        (TakenOutcome::Waiting, Some(_)) => "accepted",
        (outcome, _) => outcome.word(),
    };
    let issue = taken.issue.filter(|_| word != "accepted");
    Listed { name: taken.name, is_gone, word, taken_at: Some(taken.taken_at), rows: taken.rows, issue }
}

fn as_line(one: &Listed, zone: Zone, language: Language) -> String {
    let time = one.taken_at.map(|at| zone.text_at(at)).unwrap_or_default();
    let said = match (&one.issue, one.word) {
        (Some(issue), _) => words::of_issue(language, issue),
        (None, "read") => {
            let rows = &one.rows;
            let numbers = [
                ("waktu", time),
                ("baca", (rows.records + rows.issue + rows.skipped).to_string()),
                ("terima", rows.records.to_string()),
                ("perbaiki", rows.issue.to_string()),
                ("lewat", rows.skipped.to_string()),
            ];
            words::text(language, "files.read", &numbers)
        }
        (None, "same") => words::text(language, "files.same", &[("waktu", &time)]),
        (None, "accepted") => words::plain(language, "files.accepted"),
        (None, _) => words::plain(language, "files.new"),
    };
    let gone = if one.is_gone { format!(" {}", words::plain(language, "files.gone")) } else { String::new() };
    format!("  {}{gone}: {said}", one.name)
}

fn as_json(one: &Listed, language: Language) -> Value {
    json!({
        "file": one.name, "in_folder": !one.is_gone, "outcome": one.word,
        "taken_at": one.taken_at.map(|at| at.to_string()), "rows": rows_json(&one.rows),
        "rule": one.issue.as_ref().map(|issue| issue.rule.to_string()),
        "text": one.issue.as_ref().map(|issue| words::of_issue(language, issue)),
    })
}

fn rows_json(rows: &TakenRows) -> Value {
    let read = rows.records + rows.issue + rows.skipped;
    json!({"read": read, "accepted": rows.records, "issue": rows.issue, "skipped": rows.skipped})
}

/// Each drop folder of a round with its files.
#[must_use]
pub fn folders_json(round: &Round) -> Vec<Value> {
    let fate = |fate: Fate| match fate {
        Fate::Read => "read",
        Fate::Same => "same",
        Fate::Waiting => "waiting",
        Fate::Refused => "refused",
    };
    let folder = |folder: &FolderOutcome| {
        let files = folder.files.iter().map(|file| {
            let rule = file.issue.as_ref().map(|issue| issue.rule.to_string());
            json!({"file": file.name, "outcome": fate(file.fate), "rows": rows_json(&file.rows), "rule": rule})
        });
        json!({"source": folder.source, "files": files.collect::<Vec<_>>()})
    };
    round.folders.iter().map(folder).collect()
}

/// A drop folder of a round in one line for people.
#[must_use]
pub fn folder_line(folder: &FolderOutcome, language: Language) -> String {
    let numbers = [
        ("sumber", folder.source.clone()),
        ("baca", folder.number(Fate::Read).to_string()),
        ("sama", folder.number(Fate::Same).to_string()),
        ("tunggu", folder.number(Fate::Waiting).to_string()),
        ("tolak", folder.number(Fate::Refused).to_string()),
    ];
    words::text(language, "run.folder", &numbers)
}
