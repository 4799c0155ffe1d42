//! `ledger`: proof that the books are whole, copies of them, and the way back from a copy.
//!
//! It must not repair anything: what it finds goes to a person.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::Clock;
use crate::daemon::set_up::ledger_options;
use crate::ledger::Ledger;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::state::State;
use crate::ledger::verify::{Verified, shown};
use crate::report;
use crate::words::{self, Language};

/// The ledger itself: verify it, copy it, restore it from a copy
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway ledger verify                                    are the books whole and unaltered?
  posyandu-gateway ledger verify --checkpoint /mnt/usb/2026-11-18   and note elsewhere where they stand
  posyandu-gateway ledger verify --against /mnt/usb/2026-11-18      do they still contain what was noted?
  posyandu-gateway ledger backup /mnt/usb/ledger-2026-11-18.sqlite  a checked copy, also while the gateway runs
  posyandu-gateway ledger restore /mnt/usb/ledger-2026-11-18.sqlite put it back; what was sent since is looked up")]
pub struct LedgerCommand {
    /// How to write the result
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check the database, the chain over its history, every visit against its history, and the sums
    Verify(Verify),
    /// Copy the ledger into a new file, also while the gateway runs, and check the copy
    Backup(Backup),
    /// Put a copy in the ledger's place; the ledger that is there is kept under another name
    Restore(Restore),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway ledger verify --checkpoint /mnt/usb/2026-11-18
  posyandu-gateway ledger verify --against /mnt/usb/2026-11-18 --format json")]
struct Verify {
    /// Write where the history stands into this new file, signed; keep it away from this computer
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Prove that the ledger still contains what this checkpoint saw
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway ledger backup /mnt/usb/ledger-2026-11-18.sqlite")]
struct Backup {
    /// The new file; never overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway ledger restore /mnt/usb/ledger-2026-11-18.sqlite")]
struct Restore {
    /// A copy made by `ledger backup`, or kept before the ledger's schema changed
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl LedgerCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What cannot be read or written, or that a gateway holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match &self.command {
            What::Verify(verify) => verify.run(self.format, context).await,
            What::Backup(backup) => backup.run(self.format, context).await,
            What::Restore(restore) => restore.run(self.format, context).await,
        }
    }
}

impl Verify {
    async fn run(&self, format: Format, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        ledger_options(&config).map_err(|error| installation::named(&config, error))?;
        let (keys, ledger) = installation::ledger_to_read(&config, Clock::System).await?;
        let against = self.against.as_deref().map(|file| Checkpoint::load(file, &keys)).transpose()?;
        let verified = ledger.verify(against.as_ref()).await;
        ledger.close().await?;
        let verified = verified.map_err(|error| installation::named(&config, error))?;
        if let Some(file) = &self.checkpoint {
            anyhow::ensure!(verified.is_sound(), "no checkpoint is written of books that are not sound");
            let (read, delivered) = (verified.counts.read, verified.counts.of(State::Delivered));
            let now = Clock::System.now();
            let checkpoint = Checkpoint::new(&keys, verified.links, &verified.code, now, read, delivered);
            write_new(file, &serde_json::to_string(&checkpoint)?)?;
        }
        print::result(&match format {
            Format::Json => as_json(&verified),
            _ => as_text(&verified, language),
        });
        Ok(if verified.is_sound() { Exit::Fine } else { Exit::NeedsAttention })
    }
}

impl Backup {
    async fn run(&self, format: Format, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let keys = installation::keys(&config)?;
        let options = ledger_options(&config).map_err(|error| installation::named(&config, error))?;
        let copied = Ledger::backup(&options, keys, Clock::System, &self.file).await;
        let verified = copied.map_err(|error| installation::named(&config, error))?;
        let file = self.file.display().to_string();
        print::result(&match format {
            Format::Json => json!({"file": file, "links": verified.links, "read": verified.counts.read}).to_string(),
            _ => {
                let arguments = [("berkas", file), ("baris", verified.counts.read.to_string())];
                words::text(language, "ledger.backup.made", &arguments)
            }
        });
        Ok(Exit::Fine)
    }
}

impl Restore {
    async fn run(&self, format: Format, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let keys = installation::keys(&config)?;
        let options = ledger_options(&config).map_err(|error| installation::named(&config, error))?;
        let restored = Ledger::restore(&options, keys, Clock::System, &self.file).await;
        let restored = restored.map_err(|error| installation::named(&config, error))?;
        let aside = restored.aside.map(|path| path.display().to_string());
        if format == Format::Json {
            let object = json!({"restored": self.file, "kept": aside, "looked_up_first": restored.doubted});
            print::result(&object.to_string());
            return Ok(Exit::Fine);
        }
        let arguments = [("berkas", self.file.display().to_string()), ("kunjungan", restored.doubted.to_string())];
        let mut lines = vec![words::text(language, "ledger.restore.done", &arguments)];
        if let Some(aside) = aside {
            lines.push(words::text(language, "ledger.restore.kept", &[("berkas", aside)]));
        }
        print::result(&lines.join("\n"));
        Ok(Exit::Fine)
    }
}

/// Writes a file of mode 0600 that must not exist yet.
fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(file).with_context(|| format!("cannot write the checkpoint {}", file.display()))?;
    written.write_all(text.as_bytes()).and_then(|()| written.sync_all())?;
    Ok(())
}

fn as_json(verified: &Verified) -> String {
    json!({
        "sound": verified.is_sound(), "links": verified.links, "code": shown(&verified.code),
        "history": verified.history, "states": verified.states, "entries": verified.entries,
        "statements": verified.statements,
        "counts": report::json::counts(&verified.counts), "findings": verified.findings,
    })
    .to_string()
}

fn as_text(verified: &Verified, language: Language) -> String {
    let numbers = [
        ("mata", verified.links.to_string()),
        ("riwayat", verified.history.to_string()),
        ("keadaan", verified.states.to_string()),
        ("kunjungan", verified.entries.to_string()),
        ("pernyataan", verified.statements.to_string()),
        ("baris", verified.counts.read.to_string()),
    ];
    let mut lines = vec![words::text(language, "ledger.verify.total", &numbers)];
    for (name, found) in &verified.findings {
        let arguments = [("jumlah", found.number.to_string()), ("tempat", found.places.join("; "))];
        lines.push(format!("{name}: {}", words::text(language, name, &arguments)));
    }
    let end = if verified.is_sound() { "ledger.verify.sound" } else { "ledger.verify.unsound" };
    lines.push(words::plain(language, end));
    lines.join("\n")
}
