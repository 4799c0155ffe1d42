//! What is reported how: each resource of the mapping files with the fields it is made of and how certain it is.
//!
//! It must not know the mapping: whoever has it renders the lines.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Response;
use maud::html;

use super::access::Page;
use super::ask::{Ask, address};
use super::{MappedResource, Refusal, layout};

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Mapping)?;
    let (say, sheet) = (ask.say, &ask.board.options.mapping);
    let chosen = ask.get("data");
    let mut datasets: BTreeMap<&str, Vec<&MappedResource>> = BTreeMap::new();
    for resource in &sheet.resources {
        datasets.entry(&resource.dataset).or_default().push(resource);
    }
    let title = say.t("dashboard.mapping.title");
    let names: Vec<(String, String)> = datasets.keys().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
    let content = html! {
        h1 { (title) }
        p { (say.t("dashboard.mapping.intro")) }
        p.redup { (say.f("dashboard.mapping.version", &[("versi", ask.board.mapping_version())])) }
        form.saring method="get" action="/pemetaan" {
            (layout::choice("data", &say.t("dashboard.story.dataset"), Some(&say.t("dashboard.all")), &names, chosen))
            div { button type="submit" { (say.t("dashboard.show")) } }
        }
        @for (dataset, resources) in datasets.iter().filter(|(name, _)| chosen.is_none_or(|chosen| chosen == **name)) {
            h2 { a href=(address("/pemetaan", &[("data", Some(dataset))])) { (dataset) } }
            (layout::table(dataset, &html! {
                thead { tr {
                    th scope="col" { (say.t("dashboard.story.resource")) }
                    th scope="col" { (say.t("dashboard.mapping.fields")) }
                    th scope="col" { (say.t("dashboard.mapping.certainty")) }
                    th scope="col" { (say.t("dashboard.story.source")) }
                } }
                tbody {
                    @for one in resources {
                        tr {
                            th scope="row" { (one.name) br; span.redup { (one.resource_type) } }
                            td { (one.fields.join(", ")) }
                            td { (one.certainty) }
                            td { (one.source) br; span.kode.redup { (one.place) } }
                        }
                    }
                }
            }))
        }
    };
    Ok(layout::page(ask, Some(Page::Mapping), &title, &content))
}
