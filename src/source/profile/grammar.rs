//! Whether the parts of a profile fit together, beyond what each line says for itself.
//!
//! It must not read any source; a mistake is told as one English sentence for whoever writes profiles.

use std::collections::BTreeMap;

use super::field::FieldSpec;
use super::{Kind, Profile, Table};
use crate::source::layout::plain_header;

/// The first mistake of a profile.
pub fn mistake(profile: &Profile) -> Option<String> {
    if profile.tables.is_empty() || profile.datasets.is_empty() {
        return Some("no table yields a record".to_owned());
    }
    if profile.delimiter.is_some_and(|delimiter| !delimiter.is_ascii() || delimiter == 0 || delimiter == b'"') {
        return Some("`delimiter` must be one ASCII character other than a quote".to_owned());
    }
    if profile.posyandu && profile.datasets.len() != 1 {
        return Some("a profile that fills the register of posyandu yields nothing else".to_owned());
    }
    let patterns = || profile.skipped_sheets.iter().chain(profile.tables.iter().flat_map(|table| &table.sheets));
    if profile.kind == Kind::Database && patterns().next().is_some() {
        return Some("a database has no sheets".to_owned());
    }
    if let Some(pattern) = patterns().find(|pattern| pattern.trim_end().trim_end_matches('*').contains('*')) {
        return Some(format!("`{pattern}`: `*` stands at the end of a sheet's name or not at all"));
    }
    profile.tables.iter().find_map(|table| mistake_in(profile.kind, table))
}

fn mistake_in(kind: Kind, table: &Table) -> Option<String> {
    let name = &table.name;
    match (kind, &table.query, table.key.is_empty()) {
        (Kind::Database, None, _) => return Some(format!("table `{name}` needs a `query`")),
        (Kind::Database, Some(_), true) => return Some(format!("table `{name}` needs its `key` columns")),
        (Kind::File, Some(_), _) => return Some("a profile of files has no `query`".to_owned()),
        _ => {}
    }
    if table.withdrawn.iter().any(|mark| mark.columns.is_empty() || mark.words.is_empty()) {
        return Some(format!("table `{name}`: a mark of `withdrawn` needs its columns and words"));
    }
    for (dataset, field) in &table.only_with {
        if !table.datasets().any(|(name, fields)| name == dataset && fields.contains_key(field)) {
            return Some(format!("table `{name}`: `only_with` names {dataset}.{field}, which is not read"));
        }
    }
    let mut fields = table.datasets().flat_map(|(dataset, fields)| fields.iter().map(move |field| (dataset, field)));
    let mistake = fields.find_map(|(dataset, (field, spec))| {
        mistake_of(kind, spec).map(|mistake| format!("table `{name}`: {dataset}.{field} {mistake}"))
    });
    let specs = table.datasets().flat_map(|(_, fields)| fields.values());
    mistake.or_else(|| two_meanings(specs).map(|told| format!("table `{name}`: {told}")))
}

fn mistake_of(kind: Kind, spec: &FieldSpec) -> Option<String> {
    let told = [!spec.columns.is_empty(), !spec.titles.is_empty(), spec.constant.is_some()];
    if told.into_iter().filter(|told| *told).count() != 1 {
        return Some("needs one of columns, titles, constant".to_owned());
    }
    if kind == Kind::Database && !spec.titles.is_empty() {
        return Some("has titles, but a database has none".to_owned());
    }
    if spec.after.is_some() && spec.columns.is_empty() {
        return Some("has `after` without `columns`".to_owned());
    }
    if spec.part.is_some() == spec.split.is_empty() {
        return Some("has only one of `part` and `split`".to_owned());
    }
    spec.ambiguous_word().map(|word| format!("has a word that stands for two codes: `{word}`"))
}

/// A header that means two columns, or a name that a column and a title share: rows are asked by that name.
fn two_meanings<'a>(specs: impl Iterator<Item = &'a FieldSpec>) -> Option<String> {
    let mut seen: BTreeMap<(String, Option<&str>), &str> = BTreeMap::new();
    let mut kinds: BTreeMap<String, bool> = BTreeMap::new();
    for spec in specs {
        let first = spec.name();
        for alias in spec.columns.iter().chain(&spec.titles) {
            let known = seen.entry((plain_header(alias), spec.after.as_deref())).or_insert(first);
            if *known != first {
                return Some(format!("`{alias}` means two columns: {known} and {first}"));
            }
        }
        let is_title = !spec.titles.is_empty();
        if spec.constant.is_none() && *kinds.entry(plain_header(first)).or_insert(is_title) != is_title {
            return Some(format!("`{first}` is the first name of a column and of a title"));
        }
    }
    None
}
