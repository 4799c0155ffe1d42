//! `persons`: rows of which the directory cannot tell whom they are about, and a person's word about them.
//!
//! It must not show what is known of anybody, nor read a row: the next round of `run` carries the answer out.

use clap::{Args, Subcommand};
use serde_json::json;

use super::decision::{self, Decision};
use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::{Clock, Zone};
use crate::config::Config;
use crate::ledger::account::Reach;
use crate::ledger::decision::DecisionKind;
use crate::ledger::question::Verdict;
use crate::report::question;
use crate::words::{self, Language};

/// Rows that fit more than one person, and whom they are about
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway persons
  posyandu-gateway persons same 17 --person 5 --reason 'seen on the family card'
  posyandu-gateway persons other 18 --reason 'a twin, not yet in the register'
  posyandu-gateway persons undo 17 --reason 'the wrong card'

The next reading carries it out; of an app, when it sends the record again. It holds for what the row says now: a row that
says something else asks again. `undo` forgets also what the directory learnt from the answer. Names are on the page
Persons, for whoever may see them. On a ledger in a file stop `run` first; while it runs, the pages do the same.")]
pub struct Persons {
    #[command(subcommand)]
    command: Option<Command>,
    /// Those that were answered, instead of those that wait
    #[arg(long)]
    answered: bool,
    /// Only this puskesmas
    #[arg(long, value_name = "NAME")]
    puskesmas: Option<String>,
    /// Only the posyandu of this code
    #[arg(long, value_name = "CODE")]
    posyandu: Option<String>,
    /// At most so many, the newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: u32,
    /// How to write the result
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The row is about one of those whom it may mean
    Same(Same),
    /// The row is about nobody of them: two people
    Other(Decide),
    /// Take an answer back
    Undo(Decide),
}

#[derive(Debug, Args)]
struct Same {
    /// Number of the person, as the list shows it
    #[arg(long, value_name = "PERSON")]
    person: i64,
    #[command(flatten)]
    decide: Decide,
}

#[derive(Debug, Args)]
struct Decide {
    /// Number of the question
    #[arg(value_name = "NUMBER")]
    number: i64,
    #[command(flatten)]
    decision: Decision,
}

impl Persons {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger; for an answer, one that does not fit, or that another instance holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let (decide, verdict) = match &self.command {
            None => return self.list(&config, language).await,
            Some(Command::Same(same)) => (&same.decide, Verdict::Same(same.person)),
            Some(Command::Other(decide)) => (decide, Verdict::Other),
            Some(Command::Undo(decide)) => (decide, Verdict::Open),
        };
        decide.run(&config, verdict, self.format, language).await
    }

    async fn list(&self, config: &Config, language: Language) -> anyhow::Result<Exit> {
        let (_, ledger) = installation::ledger_to_read(config, Clock::System).await?;
        let place = Reach { puskesmas: self.puskesmas.clone(), posyandu: self.posyandu.clone() };
        let questions = ledger.person_questions(&place, self.answered, None, self.limit).await;
        ledger.close().await?;
        let questions = questions?;
        let zone = config.puskesmas.first().map_or(Zone::Wib, |puskesmas| puskesmas.timezone);
        print::result(&match self.format {
            Format::Json => {
                json!({"questions": questions.iter().map(question::as_json).collect::<Vec<_>>()}).to_string()
            }
            _ if questions.is_empty() => words::plain(language, "persons.none"),
            _ => questions.iter().map(|one| question::as_text(one, zone, language)).collect::<Vec<_>>().join("\n"),
        });
        let waits = !self.answered && !questions.is_empty();
        Ok(if waits { Exit::NeedsAttention } else { Exit::Fine })
    }
}

impl Decide {
    async fn run(&self, config: &Config, verdict: Verdict, format: Format, language: Language) -> anyhow::Result<Exit> {
        let (reason, command) = self.decision.checked()?;
        let ledger = installation::open(config, installation::keys(config)?, Clock::System).await?;
        let decided = async {
            let asked = ledger.person_question(self.number).await?;
            let Some(asked) = asked else {
                anyhow::bail!("there is no question {}: `persons` lists them", self.number)
            };
            let (kind, about) = match verdict {
                Verdict::Same(person) => (DecisionKind::MatchPerson, format!("{}/{person}", self.number)),
                Verdict::Other => (DecisionKind::MatchPerson, format!("{}/other", self.number)),
                Verdict::Open => (DecisionKind::ReopenPerson, self.number.to_string()),
            };
            decision::audit(&ledger, kind, &[about], (&command, &reason)).await?;
            let is_kept = ledger.answer_person(&asked, verdict, &command, &reason).await?;
            anyhow::ensure!(
                is_kept,
                "question {} cannot be answered so: `persons` lists whom it may mean, and a number that is another \
                 person's must be corrected in the file",
                self.number
            );
            Ok(())
        };
        let decided = decided.await;
        ledger.close().await?;
        decided?;
        let person = match verdict {
            Verdict::Same(person) => json!(person),
            Verdict::Other => json!("other"),
            Verdict::Open => json!(null),
        };
        print::result(&match format {
            Format::Json => json!({"question": self.number, "person": person, "command_id": command}).to_string(),
            _ => {
                let key = if verdict == Verdict::Open { "persons.reopened" } else { "persons.answered_now" };
                words::text(language, key, &[("nomor", self.number.to_string())])
            }
        });
        Ok(Exit::Fine)
    }
}
