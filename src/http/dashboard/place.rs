//! Puskesmas and posyandu as choices and names.
//!
//! It must not offer what lies outside the reach of the account.

use super::ask::Ask;
use super::layout::choice;
use maud::{Markup, html};

/// The puskesmas within the reach of whoever asks.
pub(super) fn puskesmas(ask: &Ask<'_>) -> Vec<String> {
    let names = ask.board.options.lanes.iter().map(|lane| lane.name.clone());
    names.filter(|name| ask.visitor.reach.puskesmas.as_ref().is_none_or(|own| own == name)).collect()
}

/// The posyandu within that reach, of one puskesmas when one is meant: code, name, puskesmas.
pub(super) fn posyandu(ask: &Ask<'_>, puskesmas: Option<&str>) -> Vec<(String, String, String)> {
    let Some(register) = ask.board.intake.register() else { return Vec::new() };
    let all = register.all().iter().filter(|one| puskesmas.is_none_or(|name| one.puskesmas == name));
    let own = all.filter(|one| ask.visitor.reach.holds(&one.puskesmas, &one.code));
    own.map(|one| (one.code.clone(), one.name.clone(), one.puskesmas.clone())).collect()
}

/// Choices of puskesmas and posyandu, as far as there is anything to choose.
pub(super) fn choices(ask: &Ask<'_>) -> Markup {
    let (say, place) = (ask.say, ask.place());
    let all = say.t("dashboard.all");
    let lanes: Vec<(String, String)> = puskesmas(ask).into_iter().map(|name| (name.clone(), name)).collect();
    let named = |(code, name, _): (String, String, String)| (code, name);
    let places: Vec<(String, String)> = match &place.puskesmas {
        Some(puskesmas) => posyandu(ask, Some(puskesmas)).into_iter().map(named).collect(),
        None => Vec::new(),
    };
    html! {
        @if ask.visitor.reach.puskesmas.is_none() {
            (choice("puskesmas", &say.t("dashboard.puskesmas"), Some(&all), &lanes, place.puskesmas.as_deref()))
        }
        @if ask.visitor.reach.posyandu.is_none() && !places.is_empty() {
            (choice("posyandu", &say.t("dashboard.posyandu"), Some(&all), &places, place.posyandu.as_deref()))
        }
    }
}
