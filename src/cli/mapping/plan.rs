//! `mapping plan`, `plans` and `approve`: sending delivered visits again after the mapping changed, with a person's
//! approval.
//!
//! It must not send: the next round of `run` carries out what was approved.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::decision::{self, Decision};
use crate::cli::exit::Exit;
use crate::cli::{Context, Format, installation, print, run};
use crate::clock::{Clock, Zone};
use crate::config::Config;
use crate::ledger::decision::DecisionKind;
use crate::ledger::plan::{Effect, Plan};
use crate::words::{self, Language};

/// What `mapping approve` is told.
#[derive(Debug, Args)]
pub(super) struct Approve {
    /// Number of the plan
    #[arg(value_name = "PLAN")]
    plan: i64,
    #[command(flatten)]
    decision: Decision,
}

/// Makes a plan, or says that nothing would change.
pub(super) async fn make(config: Config, format: Format, context: &Context) -> anyhow::Result<Exit> {
    let language = installation::language(&config, context);
    let daemon = installation::daemon(config, Clock::System).await?;
    let made = async {
        let register = daemon.register().await?;
        let plan = daemon.plan(&register).await?;
        if plan.visits.is_empty() {
            return Ok((plan, None));
        }
        let number = daemon.ledger.make_plan(plan.clone()).await?;
        anyhow::Ok((plan, Some(number)))
    };
    let made = made.await;
    run::close(daemon).await?;
    let (plan, number) = made?;
    let visits = plan.visits.len() as u64;
    let mut old: Vec<&str> = plan.visits.iter().map(|(_, old)| old.as_str()).collect();
    old.sort_unstable();
    old.dedup();
    if format == Format::Json {
        let mut object = json!({
            "plan": number, "old_versions": old, "new_version": plan.new_version, "visits": visits,
        });
        with_effect(&mut object, plan.effect);
        print::result(&object.to_string());
        return Ok(Exit::Fine);
    }
    let old = old.join(", ");
    let mut lines = vec![match number {
        None => words::text(language, "mapping.plan.nothing", &[("baru", &plan.new_version)]),
        Some(number) => {
            let arguments = [
                ("nomor", number.to_string()),
                ("kunjungan", visits.to_string()),
                ("lama", old),
                ("baru", plan.new_version),
            ];
            words::text(language, "mapping.plan.made", &arguments)
        }
    }];
    lines.extend(effect_lines(plan.effect, language));
    if let Some(number) = number {
        lines.push(words::text(language, "mapping.plan.approve", &[("nomor", number.to_string())]));
    }
    print::result(&lines.join("\n"));
    Ok(Exit::Fine)
}

/// Lists the plans.
pub(super) async fn list(config: Config, format: Format, context: &Context) -> anyhow::Result<Exit> {
    let language = installation::language(&config, context);
    let (_, ledger) = installation::ledger_to_read(&config, Clock::System).await?;
    let plans = ledger.plans().await;
    ledger.close().await?;
    let plans = plans?;
    if format == Format::Json {
        print::result(&json!({"plans": plans.iter().map(as_json).collect::<Vec<_>>()}).to_string());
        return Ok(Exit::Fine);
    }
    let lines: Vec<String> = plans.iter().map(|plan| as_line(plan, &config, language)).collect();
    print::result(&if lines.is_empty() { words::plain(language, "mapping.plan.none") } else { lines.join("\n") });
    Ok(Exit::Fine)
}

impl Approve {
    /// Keeps the approval.
    pub(super) async fn run(&self, config: Config, format: Format, context: &Context) -> anyhow::Result<Exit> {
        let language = installation::language(&config, context);
        let (reason, command) = self.decision.checked()?;
        let daemon = installation::daemon(config, Clock::System).await?;
        let decided = async {
            let plans = daemon.ledger.plans().await?;
            let Some(plan) = plans.iter().find(|plan| plan.number == self.plan) else {
                anyhow::bail!("there is no plan {}: `mapping plans` lists them", self.plan);
            };
            let is_repeated = plan.approval.as_ref().is_some_and(|approval| approval.command == command);
            let now = daemon.version(&daemon.register().await?)?;
            anyhow::ensure!(
                is_repeated || plan.new_version == now,
                "plan {} was made for mapping {}, but the mapping is now {now}: make a new plan",
                self.plan,
                plan.new_version
            );
            let about = [self.plan.to_string()];
            decision::audit(&daemon.ledger, DecisionKind::ApprovePlan, &about, (&command, &reason)).await?;
            let is_kept = daemon.ledger.approve_plan(self.plan, &command, &reason).await?;
            anyhow::ensure!(is_kept, "plan {} was approved before: `mapping plans` tells when", self.plan);
            Ok(plan.visits)
        };
        let decided = decided.await;
        run::close(daemon).await?;
        let visits = decided?;
        print::result(&match format {
            Format::Json => json!({"plan": self.plan, "command_id": command, "visits": visits}).to_string(),
            _ => {
                let arguments = [("nomor", self.plan.to_string()), ("kunjungan", visits.to_string())];
                words::text(language, "mapping.plan.approved", &arguments)
            }
        });
        Ok(Exit::Fine)
    }
}

fn with_effect(object: &mut Value, effect: Effect) {
    object["resources"] = json!({"added": effect.added, "changed": effect.changed, "left_out": effect.left_out});
    object["visits_refused"] = effect.refused.into();
}

/// What changes, in one line; and a line for what needs a look.
pub(super) fn effect_lines(effect: Effect, language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    if effect.added + effect.changed + effect.left_out > 0 {
        let numbers = [
            ("tambah", effect.added.to_string()),
            ("ubah", effect.changed.to_string()),
            ("tinggal", effect.left_out.to_string()),
        ];
        lines.push(words::text(language, "mapping.plan.effect", &numbers));
    }
    if effect.refused > 0 {
        lines.push(words::text(language, "mapping.plan.refused", &[("kunjungan", effect.refused.to_string())]));
    }
    lines
}

fn as_json(plan: &Plan) -> Value {
    let approval = plan.approval.as_ref().map(
        |approval| json!({"command_id": approval.command, "at": approval.at.to_string(), "reason": approval.reason}),
    );
    let mut object = json!({
        "plan": plan.number, "new_version": plan.new_version, "made_at": plan.made_at.to_string(),
        "visits": plan.visits, "visits_left": plan.left, "approval": approval,
    });
    with_effect(&mut object, plan.effect);
    object
}

fn as_line(plan: &Plan, config: &Config, language: Language) -> String {
    let zone = config.puskesmas.first().map_or(Zone::Wib, |puskesmas| puskesmas.timezone);
    let mut arguments = vec![
        ("nomor", plan.number.to_string()),
        ("waktu", zone.text_at(plan.made_at)),
        ("kunjungan", plan.visits.to_string()),
        ("baru", plan.new_version.clone()),
        ("sisa", plan.left.to_string()),
    ];
    match &plan.approval {
        None => words::text(language, "mapping.plan.line_waiting", &arguments),
        Some(approval) => {
            arguments.extend([("disetujui", zone.text_at(approval.at)), ("alasan", approval.reason.clone())]);
            words::text(language, "mapping.plan.line_approved", &arguments)
        }
    }
}
