//! What waits for a decision, and decisions: each a command kept in the ledger under an id that the form brings along,
//! so that a double click is one decision. The audit trail has it before the ledger does.
//!
//! It must not send: delivery carries out what is decided here.

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::access::Page;
use super::ask::{Ask, address};
use super::{Refusal, layout, persons, queue, see_other, story};
use crate::ledger::decision::{Decided, DecisionKind};
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

/// Who may decide it, and what the button says.
fn told(kind: DecisionKind) -> (Page, &'static str) {
    match kind {
        DecisionKind::Retry => (Page::DecideVisit, "dashboard.decide.retry"),
        DecisionKind::Waive => (Page::DecideVisit, "dashboard.decide.waive"),
        DecisionKind::ConfirmRemoval => (Page::DecideRemoval, "dashboard.decide.confirm"),
        DecisionKind::RejectRemoval => (Page::DecideRemoval, "dashboard.decide.reject"),
        DecisionKind::ApprovePlan => (Page::DecidePlan, "dashboard.decide.approve"),
        DecisionKind::ReleaseLane => (Page::DecideLane, "dashboard.decide.release"),
        DecisionKind::WaiveDiscrepancy => (Page::DecideDiscrepancy, "dashboard.decide.accept"),
        DecisionKind::MatchPerson => (Page::DecidePerson, "dashboard.decide.match"),
        DecisionKind::ReopenPerson => (Page::DecidePerson, "dashboard.decide.reopen"),
    }
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
        (kept(ask))
        p { (say.t("dashboard.decisions.intro")) }
        @if ask.may(Page::DecideLane) { (lanes(ask).await?) }
        @if ask.may(Page::DecidePlan) { (plans(ask).await?) }
        @if ask.may(Page::DecideRemoval) { (removals(ask).await?) }
    };
    Ok(layout::page(ask, Some(Page::Decisions), &title, &content))
}

/// Says that a decision was kept, on the page that it leads back to.
pub(super) fn kept(ask: &Ask<'_>) -> Markup {
    let say = ask.say;
    html! {
        @if let Some(kind) = ask.get("sudah").and_then(DecisionKind::from_word) {
            div class="pesan baik" role="status" { p { (say.f("dashboard.decisions.done", &[("apa", say.t(told(kind).1))])) } }
        }
    }
}

/// A form of one decision, with an id of its own.
pub(super) fn form(ask: &Ask<'_>, kind: DecisionKind, subject: &str, quiet: bool) -> Markup {
    let field = format!("alasan-{}-{subject}", kind.word()).replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
    form_about(ask, kind, &field, quiet, &html! { input type="hidden" name="tentang" value=(subject); })
}

/// The same with a choice of what it is about, in the field `tentang`.
pub(super) fn form_with(ask: &Ask<'_>, kind: DecisionKind, choice: &Markup) -> Markup {
    form_about(ask, kind, "alasan", false, choice)
}

fn form_about(ask: &Ask<'_>, kind: DecisionKind, field: &str, quiet: bool, about: &Markup) -> Markup {
    let say = ask.say;
    let (_, key) = told(kind);
    html! {
        form.tegak method="post" action="/keputusan" {
            (layout::own_form(ask))
            input type="hidden" name="apa" value=(kind.word());
            input type="hidden" name="perintah" value=(uuid::Uuid::new_v4());
            (about)
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
                (form(ask, DecisionKind::Retry, &number, false))
            }
            @if may_waive { p { (say.t("dashboard.decide.waive_hint")) } (form(ask, DecisionKind::Waive, &number, true)) }
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
            (form(ask, DecisionKind::ReleaseLane, &lane.name, false))
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
            @if plan.new_version == version { (form(ask, DecisionKind::ApprovePlan, &plan.number.to_string(), false)) }
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
                        @if one.state != RemovalState::Confirmed { (form(ask, DecisionKind::ConfirmRemoval, &number, false)) }
                        (form(ask, DecisionKind::RejectRemoval, &number, true))
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
    let kind = ask.field("apa").and_then(DecisionKind::from_word).ok_or(Refusal::Wrong("dashboard.wrong.form"))?;
    ask.must(told(kind).0)?;
    let subject = ask.field("tentang").ok_or(Refusal::Wrong("dashboard.wrong.form"))?;
    let command = ask.field("perintah").filter(|id| id.len() <= COMMAND_BYTES_MAX);
    let command = command.ok_or(Refusal::Wrong("dashboard.wrong.form"))?;
    let reason = reason(ask)?;
    let (account, role) = (ask.visitor.name.as_str(), ask.visitor.role_word());
    let decided = Decided { account, role, kind, about: subject, command, reason: &reason };
    keep(ask, &decided).await.map(|back| see_other(&back))
}

/// Keeps a decision of whoever may take it; gives the page to go on with.
async fn keep(ask: &Ask<'_>, decided: &Decided<'_>) -> Result<String, Refusal> {
    let ledger = &ask.board.ledger;
    let Decided { kind, about, command, reason, .. } = *decided;
    let number = || about.parse::<i64>().map_err(|_| Refusal::NotFound);
    match kind {
        DecisionKind::Retry | DecisionKind::Waive => {
            let (entry, _) = story::reached(ask, about).await?;
            ledger.audit_decision(*decided).await?;
            let event = match kind {
                DecisionKind::Retry => Event::RetryCommanded { due: ask.board.clock.now() },
                _ => Event::WaivedBy,
            };
            ledger.decide_once(entry, event, command, reason).await?;
            return Ok(format!("/kunjungan/{}", entry.number()));
        }
        DecisionKind::ConfirmRemoval | DecisionKind::RejectRemoval => {
            let number = number()?;
            let one = ledger.removal(number).await?.ok_or(Refusal::NotFound)?;
            within(ask, &one.puskesmas, &one.posyandu)?;
            ledger.audit_decision(*decided).await?;
            ledger.decide_removals(&[number], kind == DecisionKind::ConfirmRemoval, command, reason).await?;
        }
        DecisionKind::ApprovePlan => {
            let number = number()?;
            let plans = ledger.plans().await?;
            let plan = plans.iter().find(|plan| plan.number == number).ok_or(Refusal::NotFound)?;
            let is_repeated = plan.approval.as_ref().is_some_and(|approval| approval.command == command);
            if !is_repeated && plan.new_version != ask.board.mapping_version() {
                return Err(Refusal::Wrong("dashboard.decisions.plan_old"));
            }
            ledger.audit_decision(*decided).await?;
            if !ledger.approve_plan(number, command, reason).await? {
                return Err(Refusal::Wrong("dashboard.wrong.moved_on"));
            }
        }
        DecisionKind::ReleaseLane => {
            if !ask.board.options.lanes.iter().any(|lane| lane.name == about) {
                return Err(Refusal::NotFound);
            }
            let since = queue::stopped(ask, about).await?.and_then(|stop| stop.first_refusal);
            ledger.audit_decision(*decided).await?;
            ledger.release_lane(about, since, command, reason).await?;
        }
        DecisionKind::WaiveDiscrepancy => {
            let number = number()?;
            let one = ledger.discrepancy(number).await?.ok_or(Refusal::NotFound)?;
            within(ask, &one.puskesmas, &one.posyandu)?;
            ledger.audit_decision(*decided).await?;
            if ledger.waive_discrepancies(&[number], command, reason).await? == 0 {
                return Err(Refusal::Wrong("dashboard.wrong.moved_on"));
            }
            return Ok(done("/selisih", kind));
        }
        DecisionKind::MatchPerson | DecisionKind::ReopenPerson => {
            let (question, verdict) = persons::told(ask, kind, about).await?;
            ledger.audit_decision(*decided).await?;
            if !ledger.answer_person(&question, verdict, command, reason).await? {
                return Err(Refusal::Wrong("dashboard.wrong.moved_on"));
            }
            return Ok(done("/orang", kind));
        }
    }
    Ok(done("/keputusan", kind))
}

/// What lies beyond the reach of the account is not there.
fn within(ask: &Ask<'_>, puskesmas: &str, posyandu: &str) -> Result<(), Refusal> {
    if ask.visitor.reach.holds(puskesmas, posyandu) { Ok(()) } else { Err(Refusal::NotFound) }
}

fn done(path: &str, kind: DecisionKind) -> String {
    address(path, &[("sudah", Some(kind.word()))])
}
