//! The walk through a resource: names, types, required elements, moments, codes and references, all by rule data.
//!
//! It must not know any single resource type; what only one type needs stands in its own file.

use serde_json::{Map, Value};

use super::Setting;
use super::rules::{Element, Rules, Shape};
use super::value::{self, Misfit};
use crate::simulator::outcome::Complaint;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 24;

/// A walk with the place it has reached.
pub(super) struct Walk<'a> {
    rules: &'a Rules,
    setting: &'a Setting<'a>,
    /// With positions: `Encounter.location[0].location`.
    exact: String,
    /// Without positions, as rules name it.
    plain: String,
    contained: Vec<String>,
    /// What was found wrong.
    pub complaints: Vec<Complaint>,
}

impl<'a> Walk<'a> {
    /// Prepares a walk through a resource of type `kind`.
    pub(super) fn new(rules: &'a Rules, setting: &'a Setting<'a>, kind: &str, resource: &Map<String, Value>) -> Self {
        let contained = resource.get("contained").and_then(Value::as_array).into_iter().flatten();
        let contained = contained.filter_map(|inner| inner.get("id")?.as_str().map(|id| format!("#{id}"))).collect();
        Self { rules, setting, exact: kind.to_owned(), plain: kind.to_owned(), contained, complaints: Vec::new() }
    }

    /// Walks the members of a type.
    pub(super) fn members(&mut self, kind: &str, members: &Map<String, Value>, depth: usize) {
        let Some(shape) = self.rules.shapes.get(kind) else { return };
        if depth > DEPTH_MAX {
            self.unparseable("nested too deeply");
            return;
        }
        if members.is_empty() {
            self.unparseable("invalid value (expected an object with members)");
        }
        let mut choice_taken = "";
        for (name, value) in members {
            if name == "resourceType" || (name.starts_with('_') && value.is_object()) {
                continue;
            }
            let Some(element) = shape.elements.get(name) else {
                self.at(name, |walk| walk.unparseable("unknown field"));
                continue;
            };
            if !element.choice.is_empty() {
                if element.choice == choice_taken {
                    self.at(name, |walk| walk.unparseable("second value of the same choice"));
                }
                choice_taken = &element.choice;
            }
            self.at(name, |walk| walk.element(name, element, value, depth));
        }
        self.required(shape, members);
    }

    fn element(&mut self, name: &str, element: &Element, value: &Value, depth: usize) {
        match (element.list, value) {
            (true, Value::Array(items)) if items.is_empty() => {
                self.unparseable("invalid value (expected a list with at least one item)");
            }
            (true, Value::Array(items)) => {
                for (position, item) in items.iter().enumerate() {
                    let length = self.exact.len();
                    self.exact.push_str(&format!("[{position}]"));
                    self.single(name, &element.kind, item, depth);
                    self.exact.truncate(length);
                }
            }
            (true, _) => self.unparseable("invalid value (expected a list)"),
            (false, Value::Array(_)) => self.unparseable("invalid value (expected a single value, not a list)"),
            (false, _) => self.single(name, &element.kind, value, depth),
        }
    }

    fn single(&mut self, name: &str, kind: &str, value: &Value, depth: usize) {
        if kind == "Resource" {
            self.contained_resource(value, depth);
            return;
        }
        if !kind.starts_with(char::is_uppercase) {
            self.primitive(kind, value);
            return;
        }
        let Value::Object(members) = value else {
            self.unparseable("invalid value (expected an object)");
            return;
        };
        self.members(kind, members, depth + 1);
        match kind {
            "CodeableConcept" => self.concept(members),
            "Coding" if name != "coding" => self.coding(members),
            "Quantity" | "Duration" | "Age" => self.quantity(members),
            "Reference" => self.reference(members),
            "Period" => self.period(members),
            _ => {}
        }
    }

    fn contained_resource(&mut self, value: &Value, depth: usize) {
        let members = value.as_object();
        let kind = members.and_then(|members| members.get("resourceType")).and_then(Value::as_str);
        let (Some(members), Some(kind)) = (members, kind) else {
            self.unparseable("invalid value (expected a resource)");
            return;
        };
        if !self.rules.shapes.contains_key(kind) {
            self.unparseable("unknown resource type");
            return;
        }
        // Rules are those of the contained type, so the plain path starts anew.
        let plain = std::mem::replace(&mut self.plain, kind.to_owned());
        self.members(kind, members, depth + 1);
        self.plain = plain;
    }

    fn primitive(&mut self, kind: &str, value: &Value) {
        if let Err(misfit) = value::primitive(kind, value) {
            let rule = self.rule_here();
            match misfit {
                Misfit::Empty => self.complain("value", "Text is empty: ''", rule),
                Misfit::NumberAsText => {
                    let text = format!("Integer formated as a string: {}", self.plain);
                    self.complain("value", &text, 10254);
                }
                Misfit::Form if kind == "date" => {
                    let text = format!("Invalid date time format : {}, expected YYYY-MM-DD", self.plain);
                    self.complain("format", &text, rule);
                }
                Misfit::Type | Misfit::Form => self.unparseable(&format!("invalid value (expected a {kind})")),
            }
            return;
        }
        if value.as_f64().is_some_and(|number| number < 0.0)
            && let Some(rule) = self.rules.not_negative.get(&self.plain)
        {
            // The wording was not recorded.
            self.complain("value", &format!("Negative value is not allowed : {}", self.plain), *rule);
        }
        if let Some(text) = value.as_str() {
            match kind {
                "dateTime" | "instant" => self.moment(text),
                "code" => {
                    if let Some((rule, codes)) = self.rules.codes.get(&self.plain)
                        && !codes.iter().any(|code| code == text)
                    {
                        let text = format!("Code not found: '{text}' in system: {}", self.plain);
                        self.complain("value", &text, *rule);
                    }
                }
                _ => {}
            }
        }
    }

    fn moment(&mut self, text: &str) {
        let rule = self.rules.date_times.get(&self.plain).copied().unwrap_or(0);
        let Some(moment) = value::moment(text, self.setting.other_offsets) else {
            let text = format!("Invalid date time format : {}, expected YYYY-MM-DDThh:mm:ss+00:00", self.plain);
            self.complain("format", &text, rule);
            return;
        };
        let free = self.rules.any_moment.contains(&self.plain);
        if !free && (moment > self.setting.now || moment < self.setting.floor) {
            let text = format!("Invalid date time value : {}, before the floor or in the future", self.plain);
            self.complain("value", &text, rule);
        }
    }

    fn concept(&mut self, members: &Map<String, Value>) {
        let codings = members.get("coding").and_then(Value::as_array);
        if codings.is_none() {
            if let Some(systems) = self.rules.systems.get(&self.plain) {
                let complaint = Complaint::missing(systems.rule, &format!("{}.coding", self.plain));
                self.complaints.push(Complaint { path: Some(self.exact.clone()), ..complaint });
            }
            return;
        }
        for coding in codings.into_iter().flatten().filter_map(Value::as_object) {
            self.coding(coding);
        }
    }

    fn coding(&mut self, coding: &Map<String, Value>) {
        let system = coding.get("system").and_then(Value::as_str).unwrap_or_default();
        let code = coding.get("code").and_then(Value::as_str).unwrap_or_default();
        let Some(systems) = self.rules.systems.get(&self.plain) else { return };
        if !systems.systems.iter().any(|known| known == system) {
            self.complain("value", &format!("Invalid coding system: {system}"), systems.rule);
            return;
        }
        let (rule, listed) = match self.rules.codes.get(&self.plain) {
            Some((rule, codes)) => (*rule, codes.iter().any(|known| known == code) || is_local(system)),
            None => (systems.rule, true),
        };
        if !listed || code.is_empty() || !value::code_looks_right(system, code) {
            self.complain("value", &format!("Code not found: '{code}' in system: {system}"), rule);
        }
    }

    fn quantity(&mut self, members: &Map<String, Value>) {
        let Some(systems) = self.rules.systems.get(&self.plain) else { return };
        if !members.contains_key("value") {
            let complaint = Complaint::missing(systems.rule, &format!("{}.value", self.plain));
            self.complaints.push(Complaint { path: Some(self.exact.clone()), ..complaint });
        }
        self.coding(members);
    }

    fn period(&mut self, members: &Map<String, Value>) {
        let end = |name: &str| members.get(name)?.as_str()?.parse::<jiff::Timestamp>().ok();
        if let (Some(start), Some(end)) = (end("start"), end("end"))
            && end < start
        {
            self.unparseable(&format!("fhirpath-constraint-violation-{}: end before start", self.plain));
        }
    }

    fn reference(&mut self, members: &Map<String, Value>) {
        let (rule, targets) = match self.rules.references.get(&self.plain) {
            Some((rule, targets)) => (*rule, targets.as_slice()),
            None => (0, [].as_slice()),
        };
        let Some(target) = members.get("reference").and_then(Value::as_str) else {
            if !targets.is_empty() {
                self.wrong_reference(rule, "");
            }
            return;
        };
        if target.starts_with('#') {
            if !self.contained.iter().any(|id| id == target) {
                self.complaints.push(Complaint::dangling(&self.exact, target));
            }
            return;
        }
        let Some((kind, id)) = target.split_once('/').filter(|(kind, id)| !kind.contains(':') && !id.is_empty()) else {
            self.complaints.push(Complaint::dangling(&self.exact, target));
            return;
        };
        if !targets.is_empty() && !targets.iter().any(|known| known == kind) {
            self.wrong_reference(rule, &targets.join(" or "));
        } else if !(self.setting.exists)(kind, id) {
            if id_looks_right(kind, id) {
                self.complaints.push(Complaint::dangling(&self.exact, target));
            } else {
                self.complain("value", &format!("Wrong reference ID format: {kind}/…"), 0);
            }
        }
    }

    fn wrong_reference(&mut self, rule: u32, targets: &str) {
        let path = if targets.is_empty() { self.plain.clone() } else { format!("{} to {targets}", self.plain) };
        let complaint = Complaint::reference(rule, &path);
        self.complaints.push(Complaint { path: Some(self.exact.clone()), ..complaint });
    }

    fn required(&mut self, shape: &Shape, members: &Map<String, Value>) {
        let by_rule = self.rules.required.get(&self.plain).map(Vec::as_slice).unwrap_or_default();
        for (child, rule) in by_rule {
            if is_there(shape, members, child) {
                continue;
            }
            let plain = format!("{}.{child}", self.plain);
            let is_reference = shape.elements.get(child).is_some_and(|element| element.kind == "Reference");
            let complaint =
                if is_reference { Complaint::reference(*rule, &plain) } else { Complaint::missing(*rule, &plain) };
            self.complaints.push(Complaint { path: Some(format!("{}.{child}", self.exact)), ..complaint });
        }
        for child in &shape.required {
            if !members.contains_key(child) && !by_rule.iter().any(|(name, _)| name == child) {
                self.at(child, |walk| walk.unparseable("missing required field"));
            }
        }
    }

    fn rule_here(&self) -> u32 {
        let rule = self.rules.date_times.get(&self.plain).copied();
        let rule = rule.or_else(|| self.rules.codes.get(&self.plain).map(|(rule, _)| *rule));
        rule.unwrap_or_else(|| {
            let (parent, child) = self.plain.rsplit_once('.').unwrap_or_default();
            let list = self.rules.required.get(parent).map(Vec::as_slice).unwrap_or_default();
            list.iter().find(|(name, _)| name == child).map_or(0, |(_, rule)| *rule)
        })
    }

    fn at(&mut self, name: &str, visit: impl FnOnce(&mut Self)) {
        let (exact, plain) = (self.exact.len(), self.plain.len());
        self.exact.push('.');
        self.exact.push_str(name);
        self.plain.push('.');
        self.plain.push_str(name);
        visit(self);
        self.exact.truncate(exact);
        self.plain.truncate(plain);
    }

    fn complain(&mut self, code: &'static str, text: &str, rule: u32) {
        self.complaints.push(Complaint::rule(code, text, rule, &self.exact));
    }

    fn unparseable(&mut self, diagnostics: &str) {
        self.complaints.push(Complaint::unparseable(&self.exact, diagnostics));
    }
}

/// True when an element is given; `name[x]` is given by any value of that choice.
fn is_there(shape: &Shape, members: &Map<String, Value>, child: &str) -> bool {
    let Some(choice) = child.strip_suffix("[x]") else { return members.contains_key(child) };
    members.keys().any(|name| shape.elements.get(name).is_some_and(|element| element.choice == choice))
}

/// True for systems the ministry keeps itself, whose codes are not listed here.
fn is_local(system: &str) -> bool {
    system == "http://terminology.kemkes.go.id"
}

/// True when an id has the form of its index (satusehat-api.md, section 7); other types use any FHIR id.
fn id_looks_right(kind: &str, id: &str) -> bool {
    let digits = |text: &str, length: std::ops::RangeInclusive<usize>| {
        length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match kind {
        "Patient" => id.strip_prefix('P').map_or_else(|| digits(id, 12..=12), |rest| digits(rest, 11..=11)),
        "Practitioner" => id.strip_prefix('N').map_or_else(|| digits(id, 11..=11), |rest| digits(rest, 8..=8)),
        "Organization" => digits(id, 8..=10) || uuid::Uuid::parse_str(id).is_ok(),
        _ => true,
    }
}
