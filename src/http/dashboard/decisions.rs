//! What waits for a decision, and decisions: each a command kept in the ledger under an id that the form brings along,
//! so that a double click is one decision. The audit trail has it before the ledger does.
//!
//! It must not send: delivery carries out what is decided here.

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::access::Page;
use super::ask::{Ask, address};
use super::{Refusal, layout, queue, see_other, story};
use crate::ledger::entry::EntryLine;
use crate::ledger::plan::Plan;
use crate::ledger::removal::{Removal, RemovalState};
use crate::ledger::state::{Event, State};

/// Longest reason, in bytes; the command line takes no longer one either.
const REASON_BYTES_MAX: usize = 2_000;
/// Longest command id, in bytes.
const COMMAND_BYTES_MAX: usize = 64;
/// Removals shown on the page.
const REMOVALS_SHOWN: u32 = 200;

/// What a form may decide, by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Retry,
    Waive,
    ConfirmRemoval,
    RejectRemoval,
    ApprovePlan,
    ReleaseLane,
}

impl Decision {
    const ALL: [(Self, &'static str, Page, &'static str); 6] = [
        (Self::Retry, "retry", Page::DecideVisit, "dashboard.decide.retry"),
        (Self::Waive, "waive", Page::DecideVisit, "dashboard.decide.waive"),
        (Self::ConfirmRemoval, "confirm_removal", Page::DecideRemoval, "dashboard.decide.confirm"),
        (Self::RejectRemoval, "reject_removal", Page::DecideRemoval, "dashboard.decide.reject"),
        (Self::ApprovePlan, "approve_plan", Page::DecidePlan, "dashboard.decide.approve"),
        (Self::ReleaseLane, "release_lane", Page::DecideLane, "dashboard.decide.release"),
    ];
}

/// The reason of a form.
pub(super) fn reason(ask: &Ask<'_>) -> Result<String, Refusal> {
    let reason = ask.field("alasan").ok_or(Refusal::Wrong("dashboard.wrong.reason"))?;
    match reason.len() <= REASON_BYTES_MAX {
        true => Ok(reason.to_owned()),
        false => Err(Refusal::Wrong("dashboard.wrong.reason_long")),
    }
}

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Decisions)?;
    let say = ask.say;
    let title = say.t("dashboard.decisions.title");
    let content = html! {
        h1 { (title) }
        @if let Some(done) = ask.get("sudah").and_then(|word| Decision::ALL.iter().find(|known| known.1 == word)) {
            div class="pesan baik" role="status" { p { (say.f("dashboard.decisions.done", &[("apa", say.t(done.3))])) } }
        }
        p { (say.t("dashboard.decisions.intro")) }
        @if ask.may(Page::DecideLane) { (lanes(ask).await?) }
        @if ask.may(Page::DecidePlan) { (plans(ask).await?) }
        @if ask.may(Page::DecideRemoval) { (removals(ask).await?) }
    };
    Ok(layout::page(ask, Some(Page::Decisions), &title, &content))
}

/// A form of one decision, with an id of its own.
fn form(ask: &Ask<'_>, word: &str, subject: &str, quiet: bool) -> Markup {
    let say = ask.say;
    let key = Decision::ALL.iter().find(|known| known.1 == word).map_or("", |known| known.3);
    let field = format!("alasan-{word}-{subject}").replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
    html! {
        form.tegak method="post" action="/keputusan" {
            (layout::own_form(ask))
            input type="hidden" name="apa" value=(word);
            input type="hidden" name="tentang" value=(subject);
            input type="hidden" name="perintah" value=(uuid::Uuid::new_v4());
            label for=(field) { (say.t("dashboard.reason")) }
            input id=(field) name="alasan" required maxlength="500" autocomplete="off";
            button type="submit" class=[quiet.then_some("lain")] { (say.t(key)) }
        }
    }
}

/// What may be decided about a visit.
pub(super) fn of_visit(ask: &Ask<'_>, line: &EntryLine) -> Markup {
    let number = line.entry_id.number().to_string();
    let may_retry = line.state.after(&Event::RetryCommanded { due: line.due }).is_ok();
    let may_waive = line.state.after(&Event::WaivedBy).is_ok();
    let say = ask.say;
    html! {
        @if ask.may(Page::DecideVisit) && (may_retry || may_waive) {
            h2 { (say.t("dashboard.decisions.title")) }
            @if may_retry {
                p { (say.t(if line.state == State::Waived { "dashboard.decide.undo_hint" } else { "dashboard.decide.retry_hint" })) }
                (form(ask, "retry", &number, false))
            }
            @if may_waive { p { (say.t("dashboard.decide.waive_hint")) } (form(ask, "waive", &number, true)) }
        }
    }
}

async fn lanes(ask: &Ask<'_>) -> Result<Markup, Refusal> {
    let say = ask.say;
    let mut stopped = Vec::new();
    for lane in &ask.board.options.lanes {
        if let Some(stop) = queue::stopped(ask, &lane.name).await?.filter(|stop| stop.try_at.is_none()) {
            stopped.push((lane, stop));
        }
    }
    Ok(html! {
        h2 #jalur { (say.t("dashboard.decisions.lanes")) }
        @for (lane, stop) in &stopped {
            div class="pesan gagal" {
                p { strong { (lane.name) } ": " (stop.words) " " (say.f("dashboard.since", &[("waktu", lane.zone.text_at(stop.since))])) }
            }
            (form(ask, "release_lane", &lane.name, false))
        }
        @if stopped.is_empty() { p { (say.t("dashboard.decisions.no_lanes")) } }
    })
}

async fn plans(ask: &Ask<'_>) -> Result<Markup, Refusal> {
    let (say, version) = (ask.say, ask.board.mapping_version());
    let waiting: Vec<Plan> =
        ask.board.ledger.plans().await?.into_iter().filter(|plan| plan.approval.is_none()).collect();
    Ok(html! {
        h2 { (say.t("dashboard.decisions.plans")) }
        @for plan in &waiting {
            p { (say.f("dashboard.decisions.plan", &[
                ("nomor", plan.number.to_string()), ("kunjungan", say.number(plan.visits)),
                ("baru", plan.new_version.clone()), ("tambah", say.number(plan.effect.added)),
                ("ubah", say.number(plan.effect.changed)), ("tinggal", say.number(plan.effect.left_out)),
            ])) }
            @if plan.new_version == version { (form(ask, "approve_plan", &plan.number.to_string(), false)) }
            @else { p { (say.t("dashboard.decisions.plan_old")) } }
        }
        @if waiting.is_empty() { p { (say.t("dashboard.decisions.no_plans")) } }
    })
}

async fn removals(ask: &Ask<'_>) -> Result<Markup, Refusal> {
    let say = ask.say;
    let all = ask.board.ledger.removals_waiting(&ask.visitor.reach, REMOVALS_SHOWN).await?;
    let state = |one: &Removal| match one.state {
        RemovalState::Confirmed => say.t("dashboard.removal.confirmed"),
        RemovalState::Refused => say.f("dashboard.removal.refused", &[("kata", one.words.clone())]),
        _ => say.t("dashboard.removal.proposed"),
    };
    let title = say.t("dashboard.decisions.removals");
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.date")) }
            th scope="col" { (say.t("dashboard.posyandu")) }
            th scope="col" { (say.t("dashboard.story.resource")) }
            th scope="col" { (say.t("dashboard.state")) }
            th scope="col" { (say.t("dashboard.decisions.title")) }
        } }
        tbody {
            @for one in &all {
                @let number = one.number.to_string();
                tr {
                    td.n { (one.service_date) }
                    td { (ask.board.name_of(&one.posyandu)) br; span.redup { (one.puskesmas) } }
                    td { (one.resource_type) br; span.kode.redup { (one.server_id) }
                        @if one.whole_visit { br; (say.t("dashboard.removal.whole")) } }
                    td { (state(one)) }
                    td {
                        @if one.state != RemovalState::Confirmed { (form(ask, "confirm_removal", &number, false)) }
                        (form(ask, "reject_removal", &number, true))
                    }
                }
            }
            @if all.is_empty() { tr { td colspan="5" { (say.t("dashboard.decisions.no_removals")) } } }
        }
    };
    Ok(html! { h2 { (title) } (layout::table(&title, &content)) })
}

/// Keeps a decision.
pub(super) async fn decide(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    let word = ask.field("apa").unwrap_or_default();
    let known = Decision::ALL.into_iter().find(|known| known.1 == word);
    let (decision, word, page, _) = known.ok_or(Refusal::Wrong("dashboard.wrong.form"))?;
    ask.must(page)?;
    let subject = ask.field("tentang").ok_or(Refusal::Wrong("dashboard.wrong.form"))?;
    let command = ask.field("perintah").filter(|id| id.len() <= COMMAND_BYTES_MAX);
    let command = command.ok_or(Refusal::Wrong("dashboard.wrong.form"))?;
    let reason = reason(ask)?;
    let (ledger, audit) = (&ask.board.ledger, |about| ask.audit(word, about, Some(command), Some(&reason)));
    let back = match decision {
        Decision::Retry | Decision::Waive => {
            let (entry, _) = story::reached(ask, subject).await?;
            audit(&format!("visit {subject}")).await?;
            let event = match decision {
                Decision::Retry => Event::RetryCommanded { due: ask.board.clock.now() },
                _ => Event::WaivedBy,
            };
            ledger.decide_once(entry, event, command, &reason).await?;
            format!("/kunjungan/{}", entry.number())
        }
        Decision::ConfirmRemoval | Decision::RejectRemoval => {
            let number: i64 = subject.parse().map_err(|_| Refusal::NotFound)?;
            let one = ledger.removal(number).await?.ok_or(Refusal::NotFound)?;
            if !ask.visitor.reach.holds(&one.puskesmas, &one.posyandu) {
                return Err(Refusal::NotFound);
            }
            audit(&format!("removal {number}")).await?;
            ledger.decide_removals(&[number], decision == Decision::ConfirmRemoval, command, &reason).await?;
            done(word)
        }
        Decision::ApprovePlan => {
            let number: i64 = subject.parse().map_err(|_| Refusal::NotFound)?;
            let plans = ledger.plans().await?;
            let plan = plans.iter().find(|plan| plan.number == number).ok_or(Refusal::NotFound)?;
            let is_repeated = plan.approval.as_ref().is_some_and(|approval| approval.command == command);
            if !is_repeated && plan.new_version != ask.board.mapping_version() {
                return Err(Refusal::Wrong("dashboard.decisions.plan_old"));
            }
            audit(&format!("plan {number}")).await?;
            if !ledger.approve_plan(number, command, &reason).await? {
                return Err(Refusal::Wrong("dashboard.wrong.moved_on"));
            }
            done(word)
        }
        Decision::ReleaseLane => {
            if !ask.board.options.lanes.iter().any(|lane| lane.name == subject) {
                return Err(Refusal::NotFound);
            }
            let since = queue::stopped(ask, subject).await?.and_then(|stop| stop.first_refusal);
            audit(&format!("lane {subject}")).await?;
            ledger.release_lane(subject, since, command, &reason).await?;
            done(word)
        }
    };
    Ok(see_other(&back))
}

fn done(word: &str) -> String {
    address("/keputusan", &[("sudah", Some(word))])
}
