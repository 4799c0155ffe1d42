//! `report seal`: the daily statements as they were made, whether they are still as they were, and one to print.
//!
//! It must not make any: the daemon does, after midnight.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use serde_json::json;

use super::super::exit::Exit;
use super::super::{Context, installation, print};
use crate::clock::Clock;
use crate::ledger::statement::Statement;
use crate::report::statement::{Content, statement_json};
use crate::report::{pdf, statement_page};
use crate::words::{self, Language};

/// The daily statements: sealed after midnight, amended by what moves later, never rewritten
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway report seal list
  posyandu-gateway report seal list --puskesmas 'Puskesmas Utara' --format json
  posyandu-gateway report seal show --puskesmas 'Puskesmas Utara' --date 2026-11-18
  posyandu-gateway report seal show --puskesmas 'Puskesmas Utara' --date 2026-11-18 --format pdf --output segel.pdf")]
pub struct Seal {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All statements with their numbers, and whether each is as it was made
    List(List),
    /// The statements about one day: the seal and its amendments
    Show(Show),
}

#[derive(Debug, Args)]
struct List {
    /// Of one puskesmas
    #[arg(long, value_name = "NAME")]
    puskesmas: Option<String>,
    /// About one day
    #[arg(long, value_name = "DATE")]
    date: Option<Date>,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

#[derive(Debug, Args)]
struct Show {
    /// The puskesmas
    #[arg(long, value_name = "NAME")]
    puskesmas: String,
    /// Service date
    #[arg(long, value_name = "DATE")]
    date: Date,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Paper,
    /// Write into this file instead of standard output; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON object on standard output.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Paper {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// Pages to print, sign and file.
    Pdf,
}

impl Seal {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match &self.command {
            What::List(list) => list.run(context).await,
            What::Show(show) => show.run(context).await,
        }
    }
}

impl List {
    async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let (keys, ledger) = installation::ledger_to_read(&config, Clock::System).await?;
        let (_, findings) = ledger.verify_statements().await?;
        let (mut objects, mut lines) = (Vec::new(), Vec::new());
        let mut puskesmas = BTreeSet::new();
        ledger
            .statements(self.puskesmas.as_deref(), self.date, &mut |statement| {
                let is_sound = statement.is_sound(&keys);
                match self.format {
                    Form::Json => objects.push(statement_json(&statement, is_sound)),
                    Form::Text => {
                        if puskesmas.insert(statement.puskesmas.clone()) {
                            lines.push(statement.puskesmas.clone());
                        }
                        lines.push(format!("  {}", line(&statement, is_sound, language)));
                    }
                }
            })
            .await?;
        ledger.close().await?;
        for (name, found) in &findings {
            let arguments = [("jumlah", found.number.to_string()), ("tempat", found.places.join("; "))];
            lines.push(format!("{name}: {}", words::text(language, name, &arguments)));
        }
        print::result(&match self.format {
            Form::Json => json!({"statements": objects, "findings": findings}).to_string(),
            Form::Text if lines.is_empty() => words::plain(language, "statement.none"),
            Form::Text => lines.join("\n"),
        });
        Ok(if findings.is_empty() { Exit::Fine } else { Exit::NeedsAttention })
    }
}

impl Show {
    async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let rules = installation::rules_for_work(&config)?;
        let clock = Clock::System;
        let (keys, ledger) = installation::ledger_to_read(&config, clock.clone()).await?;
        let register = super::register(&config, &rules, &keys, &clock).await?;
        let mut found = Vec::new();
        ledger.statements(Some(&self.puskesmas), Some(self.date), &mut |statement| found.push(statement)).await?;
        ledger.close().await?;
        let names = |code: &str| register.by_code(code).map(|posyandu| posyandu.name.clone());
        let (mut objects, mut pages) = (Vec::new(), Vec::new());
        for statement in &found {
            let content = Content::of(statement)?;
            objects.push(content.as_json(statement, statement.is_sound(&keys)));
            pages.push(statement_page::page(statement, &content, &names, language));
        }
        let bytes = match self.format {
            Paper::Json => format!("{}\n", json!({"statements": objects})).into_bytes(),
            _ if pages.is_empty() => format!("{}\n", words::plain(language, "statement.none")).into_bytes(),
            Paper::Text => pages.iter().map(|page| page.text(language)).collect::<Vec<_>>().join("\n").into_bytes(),
            Paper::Pdf => pdf::pages(&pages, language),
        };
        super::put(self.output.as_deref(), &bytes, self.format == Paper::Pdf && !pages.is_empty())?;
        let is_sound = found.iter().all(|statement| statement.is_sound(&keys));
        Ok(if is_sound && !found.is_empty() { Exit::Fine } else { Exit::NeedsAttention })
    }
}

fn line(statement: &Statement, is_sound: bool, language: Language) -> String {
    let made_at = Content::of(statement)
        .map_or_else(|_| statement.made_at.to_string(), |content| content.zone.text_at(statement.made_at));
    let state = if is_sound { "statement.sound" } else { "statement.unsound" };
    let arguments = [
        ("number", statement.number.to_string()),
        ("date", statement.service_date.to_string()),
        ("kind", words::plain(language, &format!("statement.kind.{}", statement.kind.word()))),
        ("at", made_at),
        ("state", words::plain(language, state)),
        ("hash", Statement::shown(&statement.hash())),
    ];
    words::text(language, "statement.list_line", &arguments)
}
