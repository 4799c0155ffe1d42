//! `mapping explain`: what a field becomes, or what a resource is made of, as a table or JSON.
//!
//! It must not print values of records; it knows only the mapping files and schemas.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::{Format, print};
use crate::mapping::explain::{Coding, Role, Use};
use crate::mapping::plan::Origin;
use crate::mapping::problem::nearest;
use crate::mapping::set::{Mapping, MappingSet};
use crate::words::{self, Language};

/// What `mapping explain` is asked.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The dataset, such as kunjungan_balita
    #[arg(value_name = "DATASET", required_unless_present_any = ["field", "resource"])]
    dataset: Option<String>,
    /// Only this field, in every dataset that has it
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// Only resources of this type
    #[arg(long, value_name = "TYPE")]
    resource: Option<String>,
}

/// A field that no resource carries, with the reason.
struct Kept<'a> {
    dataset: &'a str,
    field: &'a str,
    title: &'a str,
    reason: &'a str,
}

impl Explain {
    /// Prints what is asked.
    pub(super) fn run(&self, set: &MappingSet, format: Format, language: Language) -> anyhow::Result<Exit> {
        let mappings = self.mappings(set)?;
        let uses: Vec<Use<'_>> = mappings
            .iter()
            .flat_map(|mapping| self.ordered(set, mapping))
            .filter(|one| self.field.as_ref().is_none_or(|name| self.is_field(one, name)))
            .filter(|one| self.resource.as_ref().is_none_or(|kind| one.plan.resource_type == *kind))
            .collect();
        let kept: Vec<Kept<'_>> =
            if self.resource.is_some() { Vec::new() } else { mappings.iter().flat_map(|one| self.kept(one)).collect() };
        if uses.is_empty() && kept.is_empty() {
            bail!("{}", self.nothing(set));
        }
        print::result(&match format {
            Format::Json => as_json(set, &uses, &kept).to_string(),
            _ => as_text(set, &uses, &kept, language),
        });
        Ok(Exit::Fine)
    }

    fn mappings<'a>(&self, set: &'a MappingSet) -> anyhow::Result<Vec<&'a Mapping>> {
        let Some(name) = &self.dataset else { return Ok(set.all().collect()) };
        let found: Vec<&Mapping> = set.all().filter(|mapping| mapping.dataset == *name).collect();
        if found.is_empty() {
            let near = near(name, set.all().map(|mapping| mapping.dataset.as_str()));
            bail!("there is no mapping for `{name}`; `mapping list` names them all{near}");
        }
        Ok(found)
    }

    /// By field in the order of the schema; a type of resource is told in the order of its file.
    fn ordered<'a>(&self, set: &'a MappingSet, mapping: &'a Mapping) -> Vec<Use<'a>> {
        let mut uses = set.uses(mapping);
        if self.resource.is_none() {
            uses.sort_by_key(|one| (one.origin, set.position(mapping, one)));
        }
        uses
    }

    fn is_field(&self, one: &Use<'_>, name: &str) -> bool {
        one.field_name() == name || (one.field.name == name && one.origin == Origin::Own)
    }

    fn kept<'a>(&self, mapping: &'a Mapping) -> Vec<Kept<'a>> {
        let wanted = |name: &str| self.field.as_ref().is_none_or(|field| field == name);
        let fields = mapping.schema.fields.iter().filter(|field| wanted(&field.name));
        let kept = fields.filter_map(|field| {
            let reason = mapping.not_reported.get(&field.name)?;
            Some(Kept { dataset: &mapping.dataset, field: &field.name, title: &field.title, reason })
        });
        kept.collect()
    }

    fn nothing(&self, set: &MappingSet) -> String {
        if let Some(kind) = &self.resource {
            let types = set.all().flat_map(|mapping| &mapping.plans).map(|plan| plan.resource_type.as_str());
            return format!("no mapping yields a `{kind}` there{}", near(kind, types));
        }
        let name = self.field.as_deref().unwrap_or_default();
        let fields = set.all().flat_map(|mapping| &mapping.schema.fields).map(|field| field.name.as_str());
        format!("no mapping knows a field `{name}`{}", near(name, fields))
    }
}

fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |suggestion| format!(" ({suggestion})"))
}

/// A code as the table shows it: `system|code display`.
fn shown(coding: &Coding) -> String {
    format!("{}|{} {}", coding.system, coding.code, coding.display).trim().to_owned()
}

fn as_json(set: &MappingSet, uses: &[Use<'_>], kept: &[Kept<'_>]) -> Value {
    let coding = |coding: &Coding| json!({"system": coding.system, "code": coding.code, "display": coding.display});
    let uses: Vec<Value> = uses
        .iter()
        .map(|one| {
            let rows = one.rows().iter().map(|row| {
                json!({"word": row.source_code, "system": row.system, "code": row.code, "display": row.display,
                    "relationship": row.relationship, "certainty": row.certainty})
            });
            json!({
                "dataset": one.mapping.dataset, "field": one.field_name(), "title": one.field.title,
                "role": one.role.word(), "resource": one.plan.name, "resource_type": one.plan.resource_type,
                "element": one.path, "codes": one.codes.iter().map(coding).collect::<Vec<_>>(),
                "concept_map": rows.collect::<Vec<_>>(), "conditions": set.conditions(one.mapping, one.own_checks()),
                "certainty": one.certainty().word(), "identifiers": one.plan.identifier_kinds, "switch": one.plan.switch, "source": one.plan.source,
                "file": one.plan.file, "line": one.line,
            })
        })
        .collect();
    let kept = kept
        .iter()
        .map(|kept| json!({"dataset": kept.dataset, "field": kept.field, "title": kept.title, "reason": kept.reason}));
    json!({"version": set.version, "uses": uses, "not_reported": kept.collect::<Vec<_>>()})
}

fn as_text(set: &MappingSet, uses: &[Use<'_>], kept: &[Kept<'_>], language: Language) -> String {
    let mut out = words::text(language, "mapping.explain.version", &[("versi", &set.version)]);
    let mut dataset = "";
    let mut rows: Vec<[String; 4]> = Vec::new();
    let (mut shared, mut named) = (BTreeSet::new(), BTreeSet::new());
    for one in uses {
        if dataset != one.mapping.dataset {
            table(&mut out, &mut rows, language);
            dataset = &one.mapping.dataset;
            let _ = write!(out, "\n\n{dataset} ({})", one.plan.file);
        }
        if one.plan.identifier_kinds.len() > 1 && named.insert(one.plan.serial) {
            let element = format!("{}.identifier", one.plan.resource_type);
            let kinds = one.plan.identifier_kinds.join(", ");
            rows.push([String::new(), element, kinds, one.certainty().word().to_owned()]);
        }
        let alike = uses.iter().filter(|other| is_alike(one, other)).count();
        if alike < ALIKE_MIN {
            rows.extend(lines_of(set, one, language));
        } else if shared.insert((dataset, one.field_name(), one.path)) {
            let many = words::text(language, "mapping.explain.in_many", &[("jumlah", &alike.to_string())]);
            rows.push([one.field_name(), one.path.to_owned(), many, String::new()]);
        }
    }
    table(&mut out, &mut rows, language);
    if !kept.is_empty() {
        let _ = write!(out, "\n\n{}", words::plain(language, "mapping.explain.not_reported"));
        for Kept { dataset, field, title, reason } in kept {
            let _ = write!(out, "\n  {dataset}.{field} ({title}): {reason}");
        }
    }
    out
}

/// From so many resources of a dataset on, a field that means the same in each of them is told once: a visit's day
/// stands in every resource.
const ALIKE_MIN: usize = 4;

fn is_alike(one: &Use<'_>, other: &Use<'_>) -> bool {
    matches!((&one.role, &other.role), (Role::Value, Role::Value))
        && (one.path, one.field_name()) == (other.path, other.field_name())
        && one.mapping.dataset == other.mapping.dataset
}

/// The lines of one use: a field with several codes takes one line for each.
fn lines_of(set: &MappingSet, one: &Use<'_>, language: Language) -> Vec<[String; 4]> {
    let certainty = match &one.plan.switch {
        Some(switch) => format!("{} ({switch})", one.certainty().word()),
        None => one.certainty().word().to_owned(),
    };
    let element = match one.role {
        Role::Condition => {
            let conditions = set.conditions(one.mapping, one.own_checks());
            let arguments = [("unsur", one.path), ("syarat", &conditions)];
            words::text(language, "mapping.explain.condition", &arguments)
        }
        Role::Value | Role::Words(_) => one.path.to_owned(),
    };
    let codes: Vec<(String, String)> = match one.role {
        Role::Words(_) => one
            .rows()
            .iter()
            .map(|row| {
                let code = match row.relationship.as_str() {
                    "not-reported" => words::plain(language, "mapping.explain.word_not_reported"),
                    _ => format!("{}|{} {}", row.system, row.code, row.display).trim().to_owned(),
                };
                (format!("{} = {code}", row.source_code), row.certainty.clone())
            })
            .collect(),
        Role::Value | Role::Condition => one.codes.iter().map(|code| (shown(code), certainty.clone())).collect(),
    };
    let mut lines: Vec<[String; 4]> =
        codes.into_iter().map(|(code, certainty)| [String::new(), String::new(), code, certainty]).collect();
    if lines.is_empty() {
        lines.push([String::new(), String::new(), format!("({})", one.plan.name), certainty]);
    }
    lines[0][0] = one.field_name();
    lines[0][1] = element;
    lines
}

/// Widest column that later columns still line up behind, in characters.
const COLUMN_WIDEST: usize = 56;

/// Appends rows as an aligned table under its head, and forgets them.
fn table(out: &mut String, rows: &mut Vec<[String; 4]>, language: Language) {
    if rows.is_empty() {
        return;
    }
    let head = [
        words::plain(language, "mapping.explain.field"),
        words::plain(language, "mapping.explain.element"),
        words::plain(language, "mapping.explain.code"),
        words::plain(language, "mapping.explain.certainty"),
    ];
    rows.insert(0, head);
    let widths: Vec<usize> = (0..4)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default().min(COLUMN_WIDEST))
        .collect();
    for row in rows.drain(..) {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        let _ = write!(out, "\n  {}", cells.join("  ").trim_end());
    }
}
