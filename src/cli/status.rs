//! `status`: how many rows stand where, also while the gateway works.

use clap::Args;
use jiff::civil::Date;
use serde_json::json;

use super::exit::Exit;
use super::{Context, Format, installation, print, run};
use crate::clock::Clock;
use crate::ledger::reading::Filter;
use crate::ledger::state::State;
use crate::report;
use crate::words;

/// How many visits stand where
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  posyandu-gateway status\n  posyandu-gateway status --date 2026-11-18 --format json"
)]
pub struct Status {
    /// Only this service date
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl Status {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let (_, ledger) = installation::ledger_to_read(&config, Clock::System).await?;
        let filter = self.date.map_or_else(Filter::default, Filter::on);
        let counts = ledger.counts(&filter).await?;
        let blocked = ledger.blocked_reasons(&filter).await?;
        let newborns = report::worklist::newborns(&ledger, &filter, Clock::System.now()).await?;
        let identities = ledger.identity_counts().await?;
        ledger.close().await?;
        if self.format == Format::Json {
            let object = json!({ "counts": report::json::counts(&counts), "blocked_on": blocked,
                "newborns": newborns.map(|(number, days)| json!({ "visits": number, "days_left_min": days })),
                "identities": identities.iter().map(|(kind, (known, missing))| {
                    (kind.clone(), json!({ "known": known, "missing": missing }))
                }).collect::<serde_json::Map<_, _>>() });
            print::result(&object.to_string());
        } else {
            let mut lines = vec![words::text(language, "status.read", &[("baca", counts.read.to_string())])];
            let named = State::ALL.iter().map(|state| (state.word(), counts.of(*state)));
            for (word, number) in named.chain([("issue", counts.issue), ("skipped", counts.skipped_total())]) {
                lines.push(format!("{number:>9}  {}", words::plain(language, &format!("report.state.{word}"))));
            }
            for (on, number) in &blocked {
                lines.push(words::text(
                    language,
                    "status.blocked",
                    &[("sebab", on.clone()), ("jumlah", number.to_string())],
                ));
            }
            if let Some((number, days)) = newborns {
                let values = [("jumlah", number.to_string()), ("hari", days.to_string())];
                lines.push(words::text(language, "status.newborns", &values));
            }
            for (kind, (known, missing)) in &identities {
                let values = [("jenis", kind.clone()), ("dikenal", known.to_string()), ("hilang", missing.to_string())];
                lines.push(words::text(language, "status.identities", &values));
            }
            print::result(&lines.join("\n"));
        }
        Ok(if run::needs_attention(&counts) > 0 { Exit::NeedsAttention } else { Exit::Fine })
    }
}
