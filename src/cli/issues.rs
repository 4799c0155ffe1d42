//! `issues`: what waits for a person, with who must act; the same list as the page shows.
//!
//! It must not show what stands in the cells.

use clap::Args;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::Clock;
use crate::ledger::account::Reach;
use crate::ledger::attention::List;
use crate::ledger::board::{Actor, Mark, WorkFilter};
use crate::report::worklist::{self, WorkItem};
use crate::words::{self, Language};

/// What waits for a person
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway issues --date 2026-11-18
  posyandu-gateway issues --puskesmas 'Puskesmas Utara' --actor kader
  posyandu-gateway issues --rule patient --format json

The newest date first. `report --format csv` writes the whole list of a day for a spreadsheet.")]
pub struct Issues {
    /// Only this service date
    #[arg(long, value_name = "DATE")]
    date: Option<Date>,
    /// Only this puskesmas
    #[arg(long, value_name = "NAME")]
    puskesmas: Option<String>,
    /// Only the posyandu of this code
    #[arg(long, value_name = "CODE")]
    posyandu: Option<String>,
    /// Only what this one must do: kader, puskesmas, mapping or platform
    #[arg(long, value_name = "ACTOR", value_parser = actor)]
    actor: Option<Actor>,
    /// Only this rule, or what a blocked visit waits for
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Rows and visits at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: u32,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn actor(text: &str) -> Result<Actor, String> {
    let names: Vec<&str> = Actor::ALL.iter().map(|actor| actor.word()).collect();
    Actor::from_word(text).ok_or_else(|| format!("one of {}", names.join(", ")))
}

impl Issues {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let (_, ledger) = installation::ledger_to_read(&config, Clock::System).await?;
        let filter = WorkFilter {
            place: Reach { puskesmas: self.puskesmas.clone(), posyandu: self.posyandu.clone() },
            from: self.date,
            to: self.date,
            actor: self.actor,
            rule: self.rule.clone(),
        };
        let found = ledger.work_page(&filter, Mark::default(), self.limit).await?;
        let (mut items, mut actors) = (Vec::new(), found.actors.iter().copied());
        for page in found.subjects.pages(self.limit as usize) {
            let (rows, troubles) = ledger.look_at(page).await?;
            let mut part = Vec::new();
            for row in &rows {
                worklist::of_row(row, List::Work, &mut part);
                let actor = actors.next().unwrap_or(Actor::Kader);
                items.extend(part.drain(..).map(|item| (actor, row.date, item)));
            }
            for trouble in &troubles {
                worklist::of_visit(trouble, List::Work, Clock::System.now(), &mut part);
                let actor = actors.next().unwrap_or(Actor::Puskesmas);
                items.extend(part.drain(..).map(|item| (actor, trouble.line.service_date, item)));
            }
        }
        ledger.close().await?;
        let more = found.next.is_some();
        print::result(&match self.format {
            Format::Json => {
                json!({"issues": items.iter().map(|item| as_json(item, language)).collect::<Vec<_>>(), "more": more})
                    .to_string()
            }
            _ if items.is_empty() => words::plain(language, "dashboard.work.none"),
            _ => {
                let more = more.then(|| words::plain(language, "issues.more"));
                items.iter().map(|item| as_line(item, language)).chain(more).collect::<Vec<_>>().join("\n")
            }
        });
        Ok(if items.is_empty() { Exit::Fine } else { Exit::NeedsAttention })
    }
}

/// Who must act, on what date, and what.
type Line = (Actor, Date, WorkItem);

fn as_json((actor, date, item): &Line, language: Language) -> Value {
    json!({
        "actor": actor.word(), "date": date.to_string(), "puskesmas": item.puskesmas, "posyandu": item.posyandu,
        "rule": item.issue.rule, "message": words::of_issue(language, &item.issue),
        "visit": item.entry.map(|(entry, _)| entry.number()), "state": item.entry.map(|(_, state)| state.word()),
        "source": item.place.source, "file": item.place.file, "row": item.place.row, "column": item.place.column,
    })
}

fn as_line((actor, date, item): &Line, language: Language) -> String {
    let visit = item.entry.map(|(entry, _)| format!(" [{}]", entry.number())).unwrap_or_default();
    let place = [item.posyandu.as_deref().unwrap_or_default(), &item.place.file, &item.place.row].join(" ");
    let column = item.place.column.as_deref().unwrap_or_default();
    format!("{date} {}{visit} {place} {column}: {}", actor.word(), words::of_issue(language, &item.issue))
}
