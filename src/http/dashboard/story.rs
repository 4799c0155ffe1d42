//! One visit's story: rows, resources and their ids at the server, attempts, what happened, with differences marked; and
//! name and number of the person for whoever may see them, with a reason.
//!
//! Every look is written to the audit trail before anything is shown.

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::access::Page;
use super::ask::Ask;
use super::{Refusal, decisions, discrepancies, layout, work};
use crate::clock::Zone;
use crate::ledger::board::{ResourceSeen, VersionLine};
use crate::ledger::discrepancy::Discrepancy;
use crate::ledger::entry::{EntryId, EntryLine, Story};
use crate::ledger::origin::Origin;
use crate::words;

/// Everything of a visit that is shown.
struct Told {
    story: Story,
    origins: Vec<Origin>,
    resources: Vec<ResourceSeen>,
    versions: Vec<VersionLine>,
    discrepancies: Vec<Discrepancy>,
}

/// The entry of an address, when it lies within the reach of whoever asks.
pub(super) async fn reached(ask: &Ask<'_>, number: &str) -> Result<(EntryId, Story), Refusal> {
    let number = number.parse().map_err(|_| Refusal::NotFound)?;
    let story = ask.board.ledger.story(EntryId::from_number(number)).await?;
    let line = &story.line;
    if !ask.visitor.reach.holds(&line.puskesmas, &line.posyandu) {
        return Err(Refusal::NotFound);
    }
    Ok((line.entry_id, story))
}

/// The page.
pub(super) async fn page(ask: &Ask<'_>, number: &str) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Story)?;
    show(ask, number, None).await
}

/// The page with the person's name, for a reason.
pub(super) async fn names(ask: &Ask<'_>, number: &str) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Names)?;
    let reason = decisions::reason(ask)?;
    show(ask, number, Some(&reason)).await
}

async fn show(ask: &Ask<'_>, number: &str, reason: Option<&str>) -> Result<Response<Body>, Refusal> {
    let (entry, story) = reached(ask, number).await?;
    let ledger = &ask.board.ledger;
    let action = if reason.is_some() { "names" } else { "look" };
    ask.audit(action, &format!("visit {}", entry.number()), None, reason).await?;
    let person = match reason {
        Some(_) => Some(person(ask, entry).await?),
        None => None,
    };
    let told = Told {
        origins: ledger.rows_of_entry(entry).await?,
        resources: ledger.resources_seen(entry).await?,
        versions: ledger.versions(entry).await?,
        discrepancies: ledger.discrepancies_of(entry).await?,
        story,
    };
    let say = ask.say;
    let title = say.f("dashboard.story.title", &[("nomor", entry.number().to_string())]);
    let zone = zone_of(ask, &told.story.line);
    let content = html! {
        h1 { (title) }
        (head(ask, &told, zone))
        (person_part(ask, entry, person.as_deref()))
        (decisions::of_visit(ask, &told.story.line))
        (complaints(ask, &told.story))
        (discrepancies::of_visit(ask, &told.discrepancies))
        (rows(ask, &told.origins))
        (resources(ask, &told.resources, zone))
        (attempts(ask, &told.story, zone))
        (events(ask, &told.story, zone))
    };
    Ok(layout::page(ask, None, &title, &content))
}

fn zone_of(ask: &Ask<'_>, line: &EntryLine) -> Zone {
    let lane = ask.board.options.lanes.iter().find(|lane| lane.name == line.puskesmas);
    lane.map_or(ask.board.options.zone, |lane| lane.zone)
}

/// Name, number and birth date as the entry keeps them: field and value.
async fn person(ask: &Ask<'_>, entry: EntryId) -> Result<Vec<(String, String)>, Refusal> {
    let opened = ask.board.ledger.load(&[entry]).await?;
    let envelope = opened.first().map(|entry| entry.person.reveal().as_str()).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(envelope).unwrap_or_default();
    let mut found = Vec::new();
    leaves("", &value, &mut found);
    Ok(found)
}

/// Every text or number in a value, with its way; at most so many as a person reads.
fn leaves(way: &str, value: &serde_json::Value, found: &mut Vec<(String, String)>) {
    const LEAVES_MAX: usize = 60;
    let under = |name: &str| if way.is_empty() { name.to_owned() } else { format!("{way}.{name}") };
    match value {
        _ if found.len() >= LEAVES_MAX => {}
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(&under(name), value, found))
        }
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| leaves(&under(&(at + 1).to_string()), value, found));
        }
        serde_json::Value::String(text) => found.push((way.to_owned(), text.clone())),
        serde_json::Value::Number(number) => found.push((way.to_owned(), number.to_string())),
        _ => {}
    }
}

fn head(ask: &Ask<'_>, told: &Told, zone: Zone) -> Markup {
    let (say, line) = (ask.say, &told.story.line);
    html! {
        p { (layout::state(say, line.state)) " " span.redup { (say.f("dashboard.since", &[("waktu", zone.text_at(line.since))])) } }
        dl.angka {
            div { dt { (say.t("dashboard.posyandu")) } dd { (ask.board.name_of(&line.posyandu)) small { (line.puskesmas) } } }
            div { dt { (say.t("dashboard.story.date")) } dd { (line.service_date) } }
            div { dt { (say.t("dashboard.story.attempts")) } dd { (told.story.attempts.len()) } }
            div {
                dt { (say.t("dashboard.story.version")) }
                dd {
                    (line.version)
                    @if told.versions.len() > 1 {
                        small {
                            @for version in &told.versions {
                                @if version.entry == line.entry_id { span { (version.version) } }
                                @else { a href={ "/kunjungan/" (version.entry.number()) } { (version.version) } }
                                " "
                            }
                        }
                    }
                }
            }
        }
    }
}

fn person_part(ask: &Ask<'_>, entry: EntryId, person: Option<&[(String, String)]>) -> Markup {
    let say = ask.say;
    html! {
        h2 { (say.t("dashboard.story.person")) }
        @if let Some(person) = person {
            (layout::table(&say.t("dashboard.story.person_caption"), &html! {
                thead { tr { th scope="col" { (say.t("dashboard.story.field")) } th scope="col" { (say.t("dashboard.story.value")) } } }
                tbody { @for (field, value) in person { tr { th scope="row" { (field) } td { (value) } } } }
            }))
        } @else {
            p { (say.t("dashboard.story.masked")) }
            @if ask.may(Page::Names) {
                form.tegak method="post" action={ "/kunjungan/" (entry.number()) "/nama" } {
                    (layout::own_form(ask))
                    label for="alasan-nama" { (say.t("dashboard.story.why_names")) }
                    input id="alasan-nama" name="alasan" required maxlength="500" autocomplete="off";
                    button.lain type="submit" { (say.t("dashboard.story.show_names")) }
                }
            }
        }
    }
}

fn complaints(ask: &Ask<'_>, story: &Story) -> Markup {
    let say = ask.say;
    let answered =
        story.attempts.iter().rev().find_map(|attempt| attempt.end.as_ref().filter(|end| !end.issues.is_empty()));
    let issues = story.issues.iter().chain(answered.iter().flat_map(|end| &end.issues));
    let issues: Vec<&crate::issue::Issue> = issues.collect();
    html! {
        @if !issues.is_empty() {
            h2 { (say.t("dashboard.story.issues")) }
            ul { @for issue in issues { li {
                (words::of_issue(say.0, issue))
                @if let Some(place) = &issue.place { " – " (work::cell(ask, place)) }
            } } }
        }
    }
}

fn rows(ask: &Ask<'_>, origins: &[Origin]) -> Markup {
    let say = ask.say;
    let title = say.t("dashboard.story.rows");
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.story.dataset")) }
            th scope="col" { (say.t("dashboard.story.source")) }
            th scope="col" { (say.t("dashboard.work.where")) }
            th.n scope="col" { (say.t("dashboard.story.fields")) }
        } }
        tbody {
            @for origin in origins {
                tr {
                    th scope="row" { (origin.dataset) }
                    td { (origin.place.source) }
                    td { (work::cell(ask, &origin.place)) }
                    td.n { (origin.columns.len()) }
                }
            }
            @if origins.is_empty() { tr { td colspan="4" { (say.t("dashboard.story.no_rows")) } } }
        }
    };
    html! { h2 { (title) } (layout::table(&title, &content)) }
}

fn resources(ask: &Ask<'_>, resources: &[ResourceSeen], zone: Zone) -> Markup {
    let say = ask.say;
    let title = say.t("dashboard.story.resources");
    let differs = |one: &ResourceSeen| one.verified.as_ref().is_some_and(|(word, _)| word != "equal");
    let found = |one: &ResourceSeen| match one.verified.as_ref().map(|(word, at)| (word.as_str(), zone.text_at(*at))) {
        Some(("equal", at)) => say.f("dashboard.story.equal", &[("waktu", at)]),
        Some(("different", at)) => say.f("dashboard.story.different", &[("waktu", at)]),
        Some((_, at)) => say.f("dashboard.story.missing", &[("waktu", at)]),
        None => say.t("dashboard.story.unverified"),
    };
    let before = |one: &ResourceSeen| match one.is_as_before {
        Some(true) => say.t("dashboard.story.unchanged"),
        Some(false) => say.t("dashboard.story.changed"),
        None => say.t("dashboard.story.new"),
    };
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.story.resource")) }
            th scope="col" { (say.t("dashboard.story.server_id")) }
            th scope="col" { (say.t("dashboard.story.read_back")) }
            th scope="col" { (say.t("dashboard.story.against_before")) }
        } }
        tbody {
            @for one in resources {
                tr class=[differs(one).then_some("beda")] {
                    th scope="row" { (one.resource_type) br; span.kode.redup { (one.identifier) } }
                    td.kode {
                        @match &one.server_id {
                            Some(id) => {
                                (id)
                                @if let Some(version) = &one.server_version { " / " (version) }
                                @if !one.is_current { br; (say.t("dashboard.story.older_content")) }
                            }
                            None => { "–" }
                        }
                    }
                    td { @if differs(one) { strong { (found(one)) } } @else { (found(one)) } }
                    td { (before(one)) }
                }
            }
        }
    };
    html! { h2 { (title) } (layout::table(&title, &content)) }
}

fn attempts(ask: &Ask<'_>, story: &Story, zone: Zone) -> Markup {
    let say = ask.say;
    let title = say.t("dashboard.story.attempts");
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.time")) }
            th scope="col" { (say.t("dashboard.story.answer")) }
            th.n scope="col" { (say.t("dashboard.story.duration")) }
            th scope="col" { (say.t("dashboard.story.request")) }
            th scope="col" { (say.t("dashboard.story.excerpt")) }
        } }
        tbody {
            @for attempt in &story.attempts {
                tr {
                    td.n { (zone.text_at(attempt.begun_at)) }
                    @match &attempt.end {
                        Some(end) => {
                            td { (end.class) @if let Some(status) = end.status { " (HTTP " (status) ")" }
                                @for rule in &end.rules { br; (say.f("dashboard.story.rule", &[("nomor", rule.to_string())])) } }
                            td.n { (end.duration.as_millis()) " ms" }
                            td.kode { (end.request_id.as_deref().unwrap_or("–")) }
                            td.kode { (end.excerpt) }
                        }
                        None => { td colspan="4" { (say.t("dashboard.story.under_way")) } }
                    }
                }
            }
            @if story.attempts.is_empty() { tr { td colspan="5" { (say.t("dashboard.story.no_attempts")) } } }
        }
    };
    html! { h2 { (title) } (layout::table(&title, &content)) }
}

fn events(ask: &Ask<'_>, story: &Story, zone: Zone) -> Markup {
    let say = ask.say;
    html! {
        h2 { (say.t("dashboard.story.events")) }
        ol.jejak {
            @for event in &story.events {
                li {
                    (zone.text_at(event.at)) ": "
                    @match &event.event { Some(event) => { code { (event.word()) } } None => { (say.t("dashboard.story.entered")) } }
                    " → " (layout::state(say, event.state))
                }
            }
        }
    }
}
