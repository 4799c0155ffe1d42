//! `mapping dictionary`: every field with what becomes of it, as one HTML file for the health office to read and print.
//!
//! Made from schemas, mappings and concept maps alone: the same files give the same bytes. It holds no script, loads
//! nothing from elsewhere and shows no value of a record.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::config::assets::Rules;
use crate::mapping::concept_map::ConceptMap;
use crate::mapping::explain::{Coding, Role, Use};
use crate::mapping::plan::Origin;
use crate::mapping::set::{Mapping, MappingSet};
use crate::mapping::template::Certainty;
use crate::mapping::visit::without_positions;
use crate::record::schema::{Field, Kind, Schema};
use crate::words::{self, Language};

/// How it looks on paper and on screens of any width.
const STYLE: &str = include_str!("dictionary.css");

/// The whole document.
pub(super) fn html(rules: &Rules, language: Language) -> String {
    Document { set: &rules.mappings, language, out: String::new() }.written(rules)
}

struct Document<'a> {
    set: &'a MappingSet,
    language: Language,
    out: String,
}

/// Text that cannot be taken for markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

impl Document<'_> {
    fn word(&self, key: &str) -> String {
        escaped(&words::plain(self.language, key))
    }

    fn text(&self, key: &str, arguments: &[(&str, &str)]) -> String {
        escaped(&words::text(self.language, key, arguments))
    }

    fn written(mut self, rules: &Rules) -> String {
        let title = self.word("mapping.dictionary.title");
        let version = self.text("mapping.explain.version", &[("versi", &self.set.version)]);
        let code = if self.language == Language::Indonesian { "id" } else { "en" };
        let _ = write!(
            self.out,
            "<!DOCTYPE html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"mapping-version\" content=\"{}\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<header>\n<h1>{title}</h1>\n<p>{version}</p>\n<p>{}</p>\n</header>\n<nav>\n<h2>{}</h2>\n<ul>\n",
            escaped(&self.set.version),
            self.word("mapping.dictionary.about"),
            self.word("mapping.dictionary.contents"),
        );
        for schema in rules.schemas.0.values() {
            let (name, title) = (escaped(&schema.dataset), escaped(title_of(schema)));
            let _ = writeln!(self.out, "<li><a href=\"#data-{name}\">{title}</a></li>");
        }
        let _ = writeln!(self.out, "<li><a href=\"#peta\">{}</a></li>", self.word("mapping.dictionary.maps"));
        self.out.push_str("</ul>\n</nav>\n<main>\n");
        for schema in rules.schemas.0.values() {
            self.dataset(schema);
        }
        self.concept_maps();
        self.out.push_str("</main>\n</body>\n</html>\n");
        self.out
    }

    fn dataset(&mut self, schema: &Schema) {
        let mapping = self.set.all().find(|mapping| mapping.dataset == schema.dataset);
        let (name, title) = (escaped(&schema.dataset), escaped(title_of(schema)));
        let _ = writeln!(self.out, "<section id=\"data-{name}\">\n<h2>{title} <code>{name}</code></h2>");
        if let Some(about) = schema.document.get("description").and_then(serde_json::Value::as_str) {
            let _ = writeln!(self.out, "<p>{}</p>", escaped(about));
        }
        if mapping.is_none() && !is_shared(schema) {
            let _ = writeln!(self.out, "<p class=\"mark\">{}</p>", self.word("mapping.dictionary.no_mapping"));
        }
        let heads = ["field", "name", "kind", "unit", "range", "words", "becomes"]
            .map(|head| self.word(&format!("mapping.dictionary.{head}")));
        self.table(&heads);
        let uses = self.uses_of(schema, mapping);
        let rows: Vec<_> = schema.fields.iter().map(|field| self.cells(field, mapping, &uses, schema)).collect();
        rows.iter().for_each(|cells| self.row(&heads, cells));
        self.out.push_str("</tbody>\n</table>\n</section>\n");
    }

    /// The uses of a dataset's fields: by its own mapping, and for person, posyandu and visit by every mapping.
    fn uses_of<'s>(&'s self, schema: &Schema, mapping: Option<&'s Mapping>) -> Vec<Use<'s>> {
        let own = mapping.into_iter().flat_map(|mapping| self.set.uses(mapping));
        let own = own.filter(|one| one.origin == Origin::Own);
        let origin = match schema.dataset.as_str() {
            "sasaran" => Origin::Sasaran,
            "posyandu" => Origin::Posyandu,
            "kunjungan" | "pendaftaran" => Origin::Visit,
            _ => return own.collect(),
        };
        let shared = self.set.all().flat_map(|mapping| self.set.uses(mapping));
        let is_meant = |one: &Use<'_>| {
            one.origin == origin && (origin != Origin::Visit || one.mapping.beside.dataset == schema.dataset)
        };
        own.chain(shared.filter(is_meant)).collect()
    }

    fn cells(&self, field: &Field, mapping: Option<&Mapping>, uses: &[Use<'_>], schema: &Schema) -> [String; 7] {
        let kind = match &field.kind {
            Kind::Text => "text",
            Kind::Integer => "integer",
            Kind::Decimal => "decimal",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::Code(_) => "code",
        };
        let mut name = escaped(&field.title);
        for (holds, mark) in [(field.required, "required"), (field.restricted, "restricted")] {
            if holds {
                let _ =
                    write!(name, " <span class=\"mark\">{}</span>", self.word(&format!("mapping.dictionary.{mark}")));
            }
        }
        let words = match &field.kind {
            Kind::Code(words) => words.join(", "),
            _ => field.listed.join(", "),
        };
        let range = field.hard.map(|range| format!("{}–{}", range.minimum.normalize(), range.maximum.normalize()));
        [
            format!("<code>{}</code>", escaped(&field.name)),
            name,
            self.word(&format!("mapping.dictionary.{kind}")),
            escaped(field.unit.as_deref().unwrap_or_default()),
            escaped(&range.unwrap_or_default()),
            escaped(&words),
            self.becomes(field, mapping, uses, schema),
        ]
    }

    /// What becomes of a field: its elements, what it decides, or why it is not reported.
    fn becomes(&self, field: &Field, mapping: Option<&Mapping>, uses: &[Use<'_>], schema: &Schema) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut told = BTreeSet::new();
        for one in uses.iter().filter(|one| one.field.name == field.name) {
            let line = self.use_told(one);
            if told.insert(line.clone()) {
                lines.push(line);
            }
        }
        if let Some(reason) = mapping.and_then(|mapping| mapping.not_reported.get(&field.name)) {
            lines.push(format!("{} <q>{}</q>", self.word("mapping.dictionary.not_reported"), escaped(reason)));
        }
        if lines.is_empty() && (mapping.is_some() || is_shared(schema)) {
            lines.push(self.word("mapping.dictionary.unused"));
        }
        match lines.as_slice() {
            [] => "–".to_owned(),
            [one] => one.clone(),
            several => {
                format!("<ul>{}</ul>", several.iter().map(|line| format!("<li>{line}</li>")).collect::<String>())
            }
        }
    }

    fn use_told(&self, one: &Use<'_>) -> String {
        let mut line = format!("<code>{}</code>", escaped(&without_positions(one.path)));
        let codes: Vec<String> = one.codes.iter().map(code_told).collect();
        match &one.role {
            Role::Value => {}
            Role::Words(map) => {
                let name = escaped(&map.name);
                let label = self.word("mapping.dictionary.by_map");
                let _ = write!(line, ", {label} <a href=\"#peta-{name}\">{name}</a>");
            }
            Role::Condition => {
                let label = self.word("mapping.dictionary.decides");
                line = format!("{label} <code>{}</code>", escaped(&without_positions(one.path)));
            }
        }
        if !codes.is_empty() && !matches!(one.role, Role::Words(_)) {
            let _ = write!(line, ": {}", codes.join("; "));
        }
        let _ = write!(
            line,
            " <span class=\"mark\">{}</span>",
            self.certainty(one.certainty(), one.plan.switch.as_deref())
        );
        line
    }

    fn certainty(&self, certainty: Certainty, switch: Option<&str>) -> String {
        match (certainty, switch) {
            (Certainty::Official, None) => self.word("mapping.dictionary.official"),
            (Certainty::ThirdParty, None) => self.word("mapping.dictionary.third_party"),
            (Certainty::Guess, None) => self.word("mapping.dictionary.guess"),
            (_, Some(switch)) => self.text("mapping.dictionary.switched", &[("sakelar", switch)]),
        }
    }

    fn concept_maps(&mut self) {
        let _ = writeln!(self.out, "<section id=\"peta\">\n<h2>{}</h2>", self.word("mapping.dictionary.maps"));
        for map in self.set.concept_maps.values() {
            self.concept_map(map);
        }
        self.out.push_str("</section>\n");
    }

    fn concept_map(&mut self, map: &ConceptMap) {
        let name = escaped(&map.name);
        let _ = writeln!(self.out, "<h3 id=\"peta-{name}\"><code>{name}</code></h3>");
        let heads = ["word", "system", "code_column", "display", "relationship", "certainty", "note"]
            .map(|head| self.word(&format!("mapping.dictionary.{head}")));
        self.table(&heads);
        for row in map.lines() {
            let certainty = Certainty::from_word(&row.certainty);
            let relationship = match row.relationship.as_str() {
                "equivalent" => "equivalent",
                "wider" => "wider",
                "narrower" => "narrower",
                _ => "word_not_reported",
            };
            let cells = [
                escaped(&row.source_code),
                escaped(&row.system),
                escaped(&row.code),
                escaped(&row.display),
                self.word(&format!("mapping.dictionary.{relationship}")),
                certainty.map_or_else(|| escaped(&row.certainty), |certainty| self.certainty(certainty, None)),
                escaped(&row.note),
            ];
            self.row(&heads, &cells);
        }
        self.out.push_str("</tbody>\n</table>\n");
    }

    fn table(&mut self, heads: &[String]) {
        self.out.push_str("<table>\n<thead><tr>");
        for head in heads {
            let _ = write!(self.out, "<th scope=\"col\">{head}</th>");
        }
        self.out.push_str("</tr></thead>\n<tbody>\n");
    }

    /// A row; cells know their head, so that a narrow screen can show it beside them.
    fn row(&mut self, heads: &[String], cells: &[String]) {
        self.out.push_str("<tr>");
        for (head, cell) in heads.iter().zip(cells) {
            let empty = if cell.is_empty() { " class=\"empty\"" } else { "" };
            let _ = write!(self.out, "<td data-head=\"{head}\"{empty}>{cell}</td>");
        }
        self.out.push_str("</tr>\n");
    }
}

/// Person and posyandu have no mapping of their own: every mapping may read them.
fn is_shared(schema: &Schema) -> bool {
    matches!(schema.dataset.as_str(), "sasaran" | "posyandu" | "pendaftaran")
}

fn title_of(schema: &Schema) -> &str {
    schema.document.get("title").and_then(serde_json::Value::as_str).unwrap_or(&schema.dataset)
}

fn code_told(coding: &Coding) -> String {
    let system = coding.system.trim_start_matches("http://").trim_start_matches("https://");
    format!("{} <small>({} {})</small>", escaped(&coding.display), escaped(system), escaped(&coding.code))
}
