//! The validator's knowledge as data: elements of each resource and the ministry's rules by element path.
//!
//! It must not judge a resource; it only holds what `elements.json` and `rules.json` say, in a form quick to ask.
//! Element names are those of FHIR R4; rule numbers and code systems come from satusehat-rules.csv, widened where
//! official payloads were accepted with more than the printed list (satusehat-api.md, section 3.2).

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

/// One element of a type.
#[derive(Debug)]
pub(super) struct Element {
    /// Primitive (lower case) or complex type.
    pub kind: String,
    /// True when it repeats.
    pub list: bool,
    /// The choice it belongs to, for example `value`; empty for none.
    pub choice: String,
}

/// One type: its elements and those FHIR itself demands.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Elements by name, choices spelt out.
    pub elements: HashMap<String, Element>,
    /// Names FHIR R4 demands.
    pub required: Vec<String>,
}

/// The rule about the code systems of an element.
#[derive(Debug)]
pub(super) struct Systems {
    /// Rule number; 0 when none is known.
    pub rule: u32,
    /// Accepted systems.
    pub systems: Vec<String>,
}

/// All rules.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Types by name.
    pub shapes: HashMap<String, Shape>,
    /// Per parent path: child name and rule number; `name[x]` stands for any value of a choice.
    pub required: HashMap<String, Vec<(String, u32)>>,
    /// Per path: rule number and target types.
    pub references: HashMap<String, (u32, Vec<String>)>,
    /// Per path: rule about code systems.
    pub systems: HashMap<String, Systems>,
    /// Per path: rule number and accepted codes.
    pub codes: HashMap<String, (u32, Vec<String>)>,
    /// Per path: rule number of a moment.
    pub date_times: HashMap<String, u32>,
    /// Paths whose moment may lie in the future or before the floor.
    pub any_moment: HashSet<String>,
    /// Per path: rule number of a number that must not be negative.
    pub not_negative: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct RulesFile {
    required: HashMap<String, u32>,
    references: HashMap<String, (u32, String)>,
    systems: HashMap<String, (u32, String)>,
    codes: HashMap<String, (u32, String)>,
    date_times: HashMap<String, u32>,
    any_moment: HashSet<String>,
    not_negative: HashMap<String, u32>,
}

/// Resource types the stand-in accepts.
pub(in crate::simulator) const RESOURCE_TYPES: [&str; 16] = [
    "Encounter",
    "Condition",
    "EpisodeOfCare",
    "Observation",
    "Procedure",
    "Immunization",
    "Medication",
    "MedicationRequest",
    "MedicationDispense",
    "MedicationStatement",
    "QuestionnaireResponse",
    "ServiceRequest",
    "Organization",
    "Location",
    "Patient",
    "RelatedPerson",
];

const RESOURCE_BASE: &str = "id:id meta:Meta implicitRules:uri language:code text:Narrative contained:Resource* extension:Extension* modifierExtension:Extension*";
const BACKBONE_BASE: &str = "id:string extension:Extension* modifierExtension:Extension*";
const TYPE_BASE: &str = "id:string extension:Extension*";

static RULES: LazyLock<Result<Rules, serde_json::Error>> = LazyLock::new(load);

/// Tells whether the packaged files can be read.
pub(in crate::simulator) fn readable() -> Result<(), String> {
    rules().map(|_| ()).map_err(ToString::to_string)
}

/// The rules, or why the packaged files cannot be read.
pub(super) fn rules() -> Result<&'static Rules, &'static serde_json::Error> {
    RULES.as_ref()
}

fn load() -> Result<Rules, serde_json::Error> {
    let elements: HashMap<String, String> = serde_json::from_str(include_str!("../elements.json"))?;
    let file: RulesFile = serde_json::from_str(include_str!("../rules.json"))?;
    let mut rules = Rules { date_times: file.date_times, any_moment: file.any_moment, ..Rules::default() };
    rules.not_negative = file.not_negative;
    for (name, text) in &elements {
        let base = if RESOURCE_TYPES.contains(&name.as_str()) {
            RESOURCE_BASE
        } else if name.contains('.') {
            BACKBONE_BASE
        } else {
            TYPE_BASE
        };
        let mut shape = Shape::default();
        for element in text.split(' ').chain(base.split(' ')) {
            add_element(&mut shape, element);
        }
        rules.shapes.insert(name.clone(), shape);
    }
    for (path, rule) in file.required {
        if let Some((parent, child)) = path.rsplit_once('.') {
            rules.required.entry(parent.to_owned()).or_default().push((child.to_owned(), rule));
        }
    }
    for children in rules.required.values_mut() {
        children.sort();
    }
    let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    rules.references = file.references.into_iter().map(|(path, (rule, text))| (path, (rule, words(text)))).collect();
    rules.codes = file.codes.into_iter().map(|(path, (rule, text))| (path, (rule, words(text)))).collect();
    rules.systems =
        file.systems.into_iter().map(|(path, (rule, text))| (path, Systems { rule, systems: words(text) })).collect();
    Ok(rules)
}

/// Adds `name:Type`, with `*` for a list, `!` for required and `name[x]:A|B` for a choice.
fn add_element(shape: &mut Shape, text: &str) {
    let Some((name, kind)) = text.split_once(':') else { return };
    let required = kind.ends_with('!');
    let kind = kind.trim_end_matches('!');
    let list = kind.ends_with('*');
    let kind = kind.trim_end_matches('*');
    let Some(choice) = name.strip_suffix("[x]") else {
        shape.elements.insert(name.to_owned(), Element { kind: kind.to_owned(), list, choice: String::new() });
        if required {
            shape.required.push(name.to_owned());
        }
        return;
    };
    for kind in kind.split('|') {
        let mut letters = kind.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase()).unwrap_or_default();
        let name = format!("{choice}{first}{}", letters.as_str());
        shape.elements.insert(name, Element { kind: kind.to_owned(), list: false, choice: choice.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a path of `rules.json` through `elements.json`.
    fn leads_somewhere(rules: &Rules, path: &str) -> bool {
        let mut parts = path.split('.');
        let mut kind = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some(shape) = rules.shapes.get(&kind) else { return false };
            if let Some(choice) = part.strip_suffix("[x]") {
                return shape.elements.values().any(|element| element.choice == choice);
            }
            let Some(element) = shape.elements.get(part) else { return false };
            kind.clone_from(&element.kind);
        }
        true
    }

    #[test]
    fn each_path_of_the_rules_is_an_element() -> Result<(), String> {
        let rules = rules().map_err(ToString::to_string)?;
        let required = rules
            .required
            .iter()
            .flat_map(|(parent, list)| list.iter().map(move |(child, _)| format!("{parent}.{child}")));
        let others = rules
            .references
            .keys()
            .chain(rules.systems.keys())
            .chain(rules.codes.keys())
            .chain(rules.date_times.keys())
            .chain(rules.not_negative.keys())
            .chain(&rules.any_moment)
            .cloned();
        let lost: Vec<String> = required.chain(others).filter(|path| !leads_somewhere(rules, path)).collect();
        assert_eq!(lost, Vec::<String>::new());
        Ok(())
    }

    #[test]
    fn each_complex_type_is_described() -> Result<(), String> {
        let rules = rules().map_err(ToString::to_string)?;
        for (name, shape) in &rules.shapes {
            for (element, described) in &shape.elements {
                let complex = described.kind.starts_with(char::is_uppercase) && described.kind != "Resource";
                assert!(!complex || rules.shapes.contains_key(&described.kind), "{name}.{element}");
            }
        }
        Ok(())
    }
}
