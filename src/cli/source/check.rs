//! `source check`: the first rows of a file or database, each cell beside what a profile makes of it; then the totals.
//!
//! It changes nothing, and shows values about persons only where nobody else reads along: on a terminal, when asked.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::location;
use crate::cli::exit::Exit;
use crate::cli::{Context, Format, print};
use crate::clock::{Clock, Zone};
use crate::issue::{Issue, Place};
use crate::record::preview::{self, Pair};
use crate::record::reader::Reader;
use crate::record::schema::Schemas;
use crate::source::problem::SourceError;
use crate::source::profile::Profile;
use crate::source::{self, Location, Reading};
use crate::words::{self, Language};

/// Show the first rows of a file or database, raw and as a profile reads them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway source check eppgbm_ekspor 'Status Gizi.xls'
  posyandu-gateway source check balita.yaml 'Data Balita.xlsx' --sheet Januari --rows 20
  posyandu-gateway source check aplikasi.yaml mysql://baca@10.0.0.5/posyandu --password-file sandi.txt

The first argument is the name of a profile that travels with the program, or a file that ends in .yaml.
Values about persons are masked. --show-personal shows them, on a terminal only.
Exit codes: 0 every row can be used; 1 some rows need a person; 2 the profile or the file does not fit.")]
pub struct Check {
    /// Name of a profile, or a YAML file
    #[arg(value_name = "PROFILE")]
    profile: String,
    /// The file, or the address of a database server
    #[arg(value_name = "FILE|URL")]
    target: String,
    /// How many rows to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    rows: usize,
    /// Only the rows of this sheet, or of this table of a database
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// File with the password of the database account
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Show names, NIK and other values about persons, on a terminal only
    #[arg(long)]
    show_personal: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One row that is shown.
struct Shown {
    row: String,
    pairs: Vec<Pair>,
    issues: Vec<Issue>,
}

/// What was counted.
#[derive(Default)]
struct Totals {
    read: u64,
    issue: u64,
    skipped: BTreeMap<&'static str, u64>,
    rules: BTreeMap<(String, &'static str), u64>,
    /// Sheets or tables that were passed over for another one.
    others: BTreeMap<String, u64>,
}

impl Totals {
    fn rows(&self) -> u64 {
        self.read + self.issue + self.skipped.values().sum::<u64>()
    }

    fn count(&mut self, issues: &[Issue]) {
        for issue in issues {
            *self.rules.entry((issue.rule.to_string(), preview::severity(issue.severity))).or_default() += 1;
        }
        if issues.iter().any(Issue::is_error) { self.issue += 1 } else { self.read += 1 }
    }
}

impl Check {
    /// Runs the command.
    ///
    /// # Errors
    /// An unknown profile, a profile with a mistake, a request that cannot be met.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        anyhow::ensure!(self.format != Format::Csv, "`source check` writes text or json");
        anyhow::ensure!(
            !self.show_personal || std::io::stdout().is_terminal(),
            "--show-personal shows values about persons on a terminal only; leave it out, or do not redirect the output"
        );
        let language = context.language.unwrap_or_default();
        let location = location::of(&self.target, self.password_file.as_deref())?;
        let profile = location::profile(&self.profile, &location)?;
        let (shown, totals) = match self.read(&profile, &location).await? {
            Ok(read) => read,
            Err(error) => {
                print::note(&words::of_issue(language, &error.issue(&location)));
                return Ok(Exit::Usage);
            }
        };
        if let (Some(sheet), 0) = (&self.sheet, totals.rows()) {
            let others = totals.others.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            anyhow::bail!("no row stands on a sheet or table `{sheet}`; there are: {others}");
        }
        print::result(&match self.format {
            Format::Json => self.as_json(&profile, &location, &shown, &totals, language),
            _ => self.as_text(&profile, &location, &shown, &totals, language),
        });
        Ok(if totals.issue > 0 { Exit::NeedsAttention } else { Exit::Fine })
    }

    /// Reads everything and keeps the first rows.
    async fn read(
        &self,
        profile: &Arc<Profile>,
        location: &Location,
    ) -> anyhow::Result<Result<(Vec<Shown>, Totals), SourceError>> {
        let schemas = Schemas::built_in()?;
        let reader = Reader::new(Arc::clone(profile), &schemas)?;
        let today = Zone::Wib.date_at(Clock::System.now());
        let (mut shown, mut totals) = (Vec::new(), Totals::default());
        let mut rows = match source::open(profile, location).await {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            let reading = match rows.next().await {
                Ok(Some(reading)) => reading,
                Ok(None) => return Ok(Ok((shown, totals))),
                Err(error) => return Ok(Err(error)),
            };
            let place = place_of(&reading);
            if let Some(place) = place.filter(|place| !self.is_wanted(place)) {
                *totals.others.entry(sheet_of(place).to_owned()).or_default() += 1;
                continue;
            }
            let number = place.map(|place| place.row.clone()).unwrap_or_default();
            let (pairs, issues) = match reading {
                Reading::Skipped { reason, .. } => {
                    *totals.skipped.entry(reason.name()).or_default() += 1;
                    continue;
                }
                Reading::Broken(issue) => (Vec::new(), vec![issue]),
                Reading::Row(row) => {
                    let outcome = reader.read(&row, today);
                    let is_shown = shown.len() < self.rows;
                    let pairs = is_shown.then(|| preview::of_row(profile, &schemas, &row, &outcome));
                    (pairs.unwrap_or_default(), outcome.issues)
                }
            };
            totals.count(&issues);
            if shown.len() < self.rows {
                shown.push(Shown { row: number, pairs, issues });
            }
        }
    }

    fn is_wanted(&self, place: &Place) -> bool {
        self.sheet.as_ref().is_none_or(|sheet| sheet_of(place).eq_ignore_ascii_case(sheet.trim()))
    }

    fn raw(&self, pair: &Pair) -> String {
        if self.show_personal { pair.raw.clone() } else { pair.raw_masked() }
    }

    fn value(&self, pair: &Pair) -> Option<String> {
        if self.show_personal { pair.value.clone() } else { pair.value_masked() }
    }

    fn as_text(
        &self,
        profile: &Profile,
        location: &Location,
        shown: &[Shown],
        totals: &Totals,
        language: Language,
    ) -> String {
        let say = |key: &str, values: &[(&str, String)]| words::text(language, key, values);
        let head = [("profil", profile.name.clone()), ("judul", profile.title.clone()), ("berkas", location.file())];
        let mut out = say("source_check.head", &head) + "\n";
        for row in shown {
            out.push_str(&format!("\n{}\n", say("source_check.row", &[("baris", row.row.clone())])));
            out.push_str(&self.columns(row, language));
            for issue in &row.issues {
                out.push_str(&format!("  ! {}\n", words::of_issue(language, issue)));
            }
        }
        let skipped: u64 = totals.skipped.values().sum();
        let numbers = [
            ("baris", totals.rows().to_string()),
            ("terbaca", totals.read.to_string()),
            ("masalah", totals.issue.to_string()),
            ("lewat", skipped.to_string()),
        ];
        out.push_str(&format!("\n{}\n", say("source_check.totals", &numbers)));
        for (reason, count) in &totals.skipped {
            out.push_str(&format!("  {count:>7}  {}\n", say(&format!("report.skipped.{reason}"), &[])));
        }
        for ((rule, severity), count) in &totals.rules {
            out.push_str(&format!("  {count:>7}  {severity}: {rule}\n"));
        }
        out
    }

    /// The cells of a row under each other, in columns.
    fn columns(&self, row: &Shown, language: Language) -> String {
        let derived = words::plain(language, "source_check.derived");
        let unread = words::plain(language, "source_check.unread");
        let lines: Vec<[String; 4]> = row
            .pairs
            .iter()
            .map(|pair| {
                let value = self.value(pair).unwrap_or_else(|| unread.clone());
                let unit = pair.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
                let column = pair.column.clone().unwrap_or_else(|| derived.clone());
                [column, self.raw(pair), pair.field.clone(), value + &unit]
            })
            .collect();
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
        let (column, raw, field) = (width(0), width(1), width(2));
        lines
            .iter()
            .map(|[name, text, of, value]| format!("  {name:column$}  {text:raw$}  → {of:field$}  {value}\n"))
            .collect()
    }

    fn as_json(
        &self,
        profile: &Profile,
        location: &Location,
        shown: &[Shown],
        totals: &Totals,
        language: Language,
    ) -> String {
        let pair = |pair: &Pair| {
            json!({"column": pair.column, "raw": self.raw(pair), "field": pair.field, "value": self.value(pair),
                   "unit": pair.unit, "personal": pair.personal})
        };
        let issue = |issue: &Issue| {
            let column = issue.place.as_ref().and_then(|place| place.column.clone());
            json!({"severity": preview::severity(issue.severity), "rule": issue.rule, "column": column,
                   "message": words::of_issue(language, issue)})
        };
        let rows: Vec<Value> = shown
            .iter()
            .map(|row| {
                json!({"row": row.row, "cells": row.pairs.iter().map(pair).collect::<Vec<_>>(),
                       "issues": row.issues.iter().map(issue).collect::<Vec<_>>()})
            })
            .collect();
        let rules: Vec<Value> = totals
            .rules
            .iter()
            .map(|((rule, severity), count)| json!({"rule": rule, "severity": severity, "count": count}))
            .collect();
        let skipped: u64 = totals.skipped.values().sum();
        let whole = json!({
            "profile": profile.name, "file": location.file(), "rows": rows,
            "counts": {"rows": totals.rows(), "read": totals.read, "issue": totals.issue, "skipped": skipped},
            "skipped": totals.skipped, "rules": rules,
        });
        whole.to_string()
    }
}

fn place_of(reading: &Reading) -> Option<&Place> {
    match reading {
        Reading::Row(row) => Some(&row.place),
        Reading::Skipped { place, .. } => Some(place),
        Reading::Broken(issue) => issue.place.as_ref(),
    }
}

/// The sheet of a place, `file [sheet]`, or the table of a database.
fn sheet_of(place: &Place) -> &str {
    let inner = place.file.rsplit_once(" [").and_then(|(_, sheet)| sheet.strip_suffix(']'));
    inner.unwrap_or(&place.file)
}
