//! Rows of which the directory cannot tell whom they are about: why they ask, whom they may mean, and a person's word.
//!
//! Only where somebody was read is shown; what is known of them takes a role, a reason and a line of the audit trail. Of
//! somebody beyond the reach of the account nothing is shown at all.

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::access::Page;
use super::ask::{Ask, address};
use super::{Refusal, decisions, layout, place, work};
use crate::ledger::decision::DecisionKind;
use crate::ledger::question::{Candidate, Question, Verdict};
use crate::record::matching::Person;
use crate::report::question;

/// Questions on a page.
const PAGE: u32 = 50;
/// Stands for a person of its own in a form.
const OTHER: &str = "other";

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Persons)?;
    let (say, place) = (ask.say, ask.place());
    let answered = ask.get("keadaan") == Some("sudah");
    let before = ask.get("sebelum").and_then(|text| text.parse().ok());
    let all = ask.board.ledger.person_questions(&place, answered, before, PAGE).await?;
    let following = |before: Option<&str>| {
        let state = answered.then_some("sudah");
        let (puskesmas, posyandu) = (place.puskesmas.as_deref(), place.posyandu.as_deref());
        address("/orang", &[("puskesmas", puskesmas), ("posyandu", posyandu), ("keadaan", state), ("sebelum", before)])
    };
    let next = (all.len() == PAGE as usize).then(|| all.last().map(|last| last.number.to_string())).flatten();
    let title = say.t("dashboard.persons.title");
    let states = [("sudah".to_owned(), say.t("dashboard.persons.answered"))];
    let content = html! {
        h1 { (title) }
        (decisions::kept(ask))
        p { (say.t("dashboard.persons.intro")) }
        form.saring method="get" action="/orang" {
            (place::choices(ask))
            (layout::choice("keadaan", &say.t("dashboard.state"), Some(&say.t("dashboard.persons.open")), &states, answered.then_some("sudah")))
            div { button type="submit" { (say.t("dashboard.filter")) } }
        }
        (list(ask, &all))
        nav.halaman aria-label=(say.t("dashboard.pages")) {
            @if before.is_some() { a href=(following(None)) { (say.t("dashboard.first_page")) } }
            @if let Some(next) = &next { a href=(following(Some(next))) rel="next" { (say.t("dashboard.next_page")) } }
        }
    };
    Ok(layout::page(ask, Some(Page::Persons), &title, &content))
}

fn list(ask: &Ask<'_>, all: &[Question]) -> Markup {
    let say = ask.say;
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.persons.question")) }
            th scope="col" { (say.t("dashboard.date")) }
            th scope="col" { (say.t("dashboard.posyandu")) }
            th scope="col" { (say.t("dashboard.work.where")) }
            th scope="col" { (say.t("dashboard.work.what")) }
            th.n scope="col" { (say.t("dashboard.persons.candidates")) }
        } }
        tbody {
            @for one in all {
                tr {
                    th scope="row" { a href={ "/orang/" (one.number) } { (say.f("dashboard.persons.number", &[("nomor", one.number.to_string())])) } }
                    td.n { (one.date) }
                    td { (whereabouts(ask, one)) }
                    td { (work::cell(ask, &one.place)) }
                    td { (question::why(one, say.0)) }
                    td.n { (one.candidates.len()) }
                }
            }
            @if all.is_empty() { tr { td colspan="6" { (say.t("dashboard.persons.none")) } } }
        }
    };
    layout::table(&say.t("dashboard.persons.caption"), &content)
}

fn whereabouts(ask: &Ask<'_>, one: &Question) -> Markup {
    html! {
        (one.posyandu.as_deref().map_or("–".to_owned(), |code| ask.board.name_of(code)))
        @if ask.visitor.reach.puskesmas.is_none() { br; span.redup { (one.puskesmas.as_deref().unwrap_or("–")) } }
    }
}

/// The question of an address, when its row lies within the reach of whoever asks.
async fn reached(ask: &Ask<'_>, number: &str) -> Result<Question, Refusal> {
    let number = number.parse().map_err(|_| Refusal::NotFound)?;
    let one = ask.board.ledger.person_question(number).await?.ok_or(Refusal::NotFound)?;
    let (puskesmas, posyandu) = (one.puskesmas.as_deref(), one.posyandu.as_deref());
    match ask.visitor.reach.holds(puskesmas.unwrap_or_default(), posyandu.unwrap_or_default()) {
        true => Ok(one),
        false => Err(Refusal::NotFound),
    }
}

/// One question.
pub(super) async fn one(ask: &Ask<'_>, number: &str) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Persons)?;
    let question = reached(ask, number).await?;
    Ok(show(ask, &question, false))
}

/// One question with what is known of those whom it may mean, for a reason.
pub(super) async fn names(ask: &Ask<'_>, number: &str) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Names)?;
    let question = reached(ask, number).await?;
    let reason = decisions::reason(ask)?;
    ask.audit("names", &format!("question {}", question.number), None, Some(&reason)).await?;
    Ok(show(ask, &question, true))
}

/// What is known of a candidate who belongs to the places of the account.
fn within(ask: &Ask<'_>, candidate: &Candidate) -> Option<Person> {
    let person = question::known(candidate)?;
    let register = ask.board.intake.register();
    let code = person.posyandu.as_deref().unwrap_or_default();
    let known = register.as_ref().and_then(|register| register.by_code(code));
    let puskesmas = known.map(|posyandu| posyandu.puskesmas.clone()).unwrap_or_default();
    ask.visitor.reach.holds(&puskesmas, code).then_some(person)
}

fn show(ask: &Ask<'_>, one: &Question, is_named: bool) -> Response<Body> {
    let say = ask.say;
    let title = say.f("dashboard.persons.number", &[("nomor", one.number.to_string())]);
    let people: Vec<(&Candidate, Option<Person>)> =
        one.candidates.iter().map(|candidate| (candidate, within(ask, candidate))).collect();
    let zone = ask.board.options.zone;
    let content = html! {
        h1 { (title) }
        p { (question::why(one, say.0)) }
        dl class="angka teks" {
            div { dt { (say.t("dashboard.date")) } dd { (one.date) } }
            div { dt { (say.t("dashboard.posyandu")) } dd { (whereabouts(ask, one)) } }
            div { dt { (say.t("dashboard.work.where")) } dd { (work::cell(ask, &one.place)) } }
        }
        @if let Some(answered) = &one.answered {
            div class="pesan baik" {
                p {
                    @match answered.person {
                        Some(person) => { (say.f("dashboard.persons.told_same", &[("nomor", person.to_string()), ("waktu", zone.text_at(answered.at))])) }
                        None => { (say.f("dashboard.persons.told_other", &[("waktu", zone.text_at(answered.at))])) }
                    }
                }
                p { (say.t("dashboard.reason")) ": " (answered.reason) }
            }
        }
        (candidates(ask, &people, is_named))
        @if ask.may(Page::Names) && !is_named && !people.is_empty() {
            form.tegak method="post" action={ "/orang/" (one.number) "/nama" } {
                (layout::own_form(ask))
                label for="alasan-nama" { (say.t("dashboard.persons.names_reason")) }
                input id="alasan-nama" name="alasan" required maxlength="500" autocomplete="off";
                button.lain type="submit" { (say.t("dashboard.story.show_names")) }
            }
        }
        @if ask.may(Page::DecidePerson) { (decide(ask, one)) }
    };
    layout::page(ask, Some(Page::Persons), &title, &content)
}

fn candidates(ask: &Ask<'_>, people: &[(&Candidate, Option<Person>)], is_named: bool) -> Markup {
    let say = ask.say;
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let title = say.t("dashboard.persons.candidates_caption");
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.persons.person")) }
            th scope="col" { (say.t("dashboard.posyandu")) }
            th scope="col" { (say.t("dashboard.persons.told_by")) }
            @if is_named {
                th scope="col" { (say.t("dashboard.persons.name")) }
                th scope="col" { (say.t("dashboard.persons.birth")) }
                th scope="col" { (say.t("dashboard.persons.mother")) }
                th scope="col" { "NIK" }
            }
        } }
        tbody {
            @for (candidate, person) in people {
                tr {
                    th scope="row" { (say.f("dashboard.persons.person_number", &[("nomor", candidate.number.to_string())])) }
                    @match person {
                        None => { td colspan=(if is_named { "6" } else { "2" }) { (say.t("dashboard.persons.beyond")) } }
                        Some(person) => {
                            td { (person.posyandu.as_deref().map_or("–".to_owned(), |code| ask.board.name_of(code))) }
                            td { (work::cell(ask, &person.place)) }
                            @if is_named {
                                td { (person.name) @if let Some(sex) = &person.sex { " (" (sex) ")" } }
                                td.n { (person.birth.map_or("–".to_owned(), |birth| birth.to_string())) }
                                td { (dash(&person.mother)) }
                                td.n { (dash(&person.nik)) }
                            }
                        }
                    }
                }
            }
            @if people.is_empty() { tr { td colspan="7" { (say.t("dashboard.persons.nobody")) } } }
        }
    };
    html! { h2 { (title) } (layout::table(&title, &content)) }
}

/// The answers that fit, in one form; or taking back the one that was given.
fn decide(ask: &Ask<'_>, one: &Question) -> Markup {
    let say = ask.say;
    let number = one.number.to_string();
    html! {
        h2 { (say.t("dashboard.decisions.title")) }
        @if one.answered.is_some() {
            p { (say.t("dashboard.persons.undo_hint")) }
            (decisions::form(ask, DecisionKind::ReopenPerson, &number, true))
        } @else if one.candidates.is_empty() && !one.may_be_other() {
            p { (say.t("dashboard.persons.correct")) }
        } @else {
            p { (say.t(if one.may_be_other() { "dashboard.persons.hint" } else { "dashboard.persons.hint_shared" })) }
            (decisions::form_with(ask, DecisionKind::MatchPerson, &html! {
                fieldset {
                    legend { (say.t("dashboard.persons.who")) }
                    @for candidate in &one.candidates {
                        @let value = format!("{number}/{}", candidate.number);
                        label.pilihan { input type="radio" name="tentang" value=(value) required; span { (say.f("dashboard.persons.person_number", &[("nomor", candidate.number.to_string())])) } }
                    }
                    @if one.may_be_other() {
                        label.pilihan { input type="radio" name="tentang" value=(format!("{number}/{OTHER}")) required; span { (say.t("dashboard.persons.other")) } }
                    }
                }
            }))
        }
    }
}

/// The question and the verdict that a form is about: `17/5`, `17/other`, or `17` alone.
pub(super) async fn told(ask: &Ask<'_>, kind: DecisionKind, about: &str) -> Result<(Question, Verdict), Refusal> {
    let (number, verdict) = match (kind, about.split_once('/')) {
        (DecisionKind::ReopenPerson, None) => (about, Verdict::Open),
        (DecisionKind::MatchPerson, Some((number, OTHER))) => (number, Verdict::Other),
        (DecisionKind::MatchPerson, Some((number, person))) => {
            (number, Verdict::Same(person.parse().map_err(|_| Refusal::NotFound)?))
        }
        _ => return Err(Refusal::Wrong("dashboard.wrong.form")),
    };
    Ok((reached(ask, number).await?, verdict))
}
