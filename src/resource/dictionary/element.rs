//! Elements as the rule file writes them, and the values of a resource that stand there.
//!
//! Beside plain names: `medication[x]` is any of the choice, `extension:Name` the extensions whose URL ends so, and
//! `item*` the items at any depth. It must not judge a value.

use serde_json::Value;

/// Levels of nested items or sections looked into, at most: what is deeper is no answer of ours.
const DEPTH_AT_MOST: usize = 16;

/// The way to an element, without the resource type.
#[derive(Debug)]
pub struct Element {
    resource_type: String,
    written: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Name(String),
    Choice(String),
    Extension(String),
    Nested(String),
}

/// Where a demanded element is not there.
#[derive(Debug)]
pub struct Missing<'a> {
    /// Positions of steps that another rule demands.
    pub demanded: &'a [usize],
    /// The paths found.
    pub paths: Vec<String>,
}

impl Element {
    /// Reads `Encounter.period.end`.
    #[must_use]
    pub fn parse(written: &str) -> Self {
        let mut names = written.split('.').map(str::to_owned);
        let resource_type = names.next().unwrap_or_default();
        let written: Vec<String> = names.collect();
        let steps = written.iter().map(|name| Step::parse(name)).collect();
        Self { resource_type, written, steps }
    }

    /// The elements on the way, each with the position of its last step; not the element itself.
    pub fn prefixes(&self) -> impl Iterator<Item = (usize, String)> {
        let till = |at: usize| (at, format!("{}.{}", self.resource_type, self.written[..=at].join(".")));
        (0..self.written.len().saturating_sub(1)).map(till)
    }

    /// Every value there, with its path.
    #[must_use]
    pub fn values<'v>(&self, resource: &'v Value) -> Vec<(String, &'v Value)> {
        let mut found = vec![(self.resource_type.clone(), resource)];
        for step in &self.steps {
            found = found.into_iter().flat_map(|(path, value)| step.of(&path, value)).collect();
        }
        found
    }

    /// Notes each place where the element should be and is not.
    pub fn missing(&self, resource: &Value, missing: &mut Missing<'_>) {
        self.missing_below(0, &self.resource_type, resource, missing);
    }

    fn missing_below(&self, at: usize, path: &str, value: &Value, missing: &mut Missing<'_>) {
        let Some(step) = self.steps.get(at) else { return };
        let mut below = step.of(path, value);
        below.retain(|(_, value)| is_filled(value));
        if below.is_empty() && !missing.demanded.contains(&at) {
            missing.paths.push(format!("{path}.{}", self.written[at..].join(".")));
        }
        for (path, value) in below {
            self.missing_below(at + 1, &path, value, missing);
        }
    }
}

/// Whether there is anything: no null, empty text, list or object.
fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(entries) => entries.iter().any(is_filled),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}

impl Step {
    fn parse(name: &str) -> Self {
        if let Some(stem) = name.strip_suffix("[x]") {
            return Self::Choice(stem.to_owned());
        }
        if let Some(ending) = name.strip_prefix("extension:") {
            return Self::Extension(ending.to_ascii_lowercase());
        }
        match name.strip_suffix('*') {
            Some(name) => Self::Nested(name.to_owned()),
            None => Self::Name(name.to_owned()),
        }
    }

    /// The values one step below a value.
    fn of<'v>(&self, path: &str, value: &'v Value) -> Vec<(String, &'v Value)> {
        let mut found = Vec::new();
        match self {
            Self::Name(name) => spread(path, name, value.get(name), &mut found),
            Self::Choice(stem) => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    let rest = name.strip_prefix(stem.as_str());
                    if rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase())) {
                        spread(path, name, Some(inner), &mut found);
                    }
                }
            }
            Self::Extension(ending) => {
                spread(path, "extension", value.get("extension"), &mut found);
                let url = |value: &Value| value.get("url").and_then(Value::as_str).map(str::to_ascii_lowercase);
                found.retain(|(_, value)| url(value).is_some_and(|url| url.ends_with(ending.as_str())));
            }
            Self::Nested(name) => nested(path, name, value, 0, &mut found),
        }
        found
    }
}

fn nested<'v>(path: &str, name: &str, value: &'v Value, depth: usize, found: &mut Vec<(String, &'v Value)>) {
    let mut here = Vec::new();
    spread(path, name, value.get(name), &mut here);
    if depth >= DEPTH_AT_MOST {
        return;
    }
    for (path, inner) in here {
        found.push((path.clone(), inner));
        nested(&path, name, inner, depth + 1, found);
        let mut answers = Vec::new();
        spread(&path, "answer", inner.get("answer"), &mut answers);
        for (path, answer) in answers {
            nested(&path, name, answer, depth + 1, found);
        }
    }
}

/// A list's entries each with its position, anything else as it is.
fn spread<'v>(path: &str, name: &str, value: Option<&'v Value>, found: &mut Vec<(String, &'v Value)>) {
    match value {
        None => {}
        Some(Value::Array(entries)) => {
            found.extend(entries.iter().enumerate().map(|(at, entry)| (format!("{path}.{name}[{at}]"), entry)));
        }
        Some(other) => found.push((format!("{path}.{name}"), other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(element: &str, resource: &Value) -> Vec<String> {
        Element::parse(element).values(resource).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn every_way_of_writing_an_element_finds_its_values_with_positions() {
        let list = json!({"a": [{"b": 1}, {"c": 2}, {"b": 3}]});
        assert_eq!(paths("T.a.b", &list), ["T.a[0].b", "T.a[2].b"]);
        let choice = json!({"medicationReference": {}, "medicationless": 1});
        assert_eq!(paths("T.medication[x]", &choice), ["T.medicationReference"]);
        let extension = json!({"extension": [{"url": "http://x/ServiceClass", "v": 1}, {"url": "http://x/Other"}]});
        assert_eq!(paths("T.extension:serviceClass.v", &extension), ["T.extension[0].v"]);
        let items = json!({"item": [{"answer": [{"v": 1, "item": [{"answer": [{"v": 2}]}]}]}]});
        let both = ["T.item[0].answer[0].v", "T.item[0].answer[0].item[0].answer[0].v"];
        assert_eq!(paths("T.item*.answer.v", &items), both);
    }

    #[test]
    fn what_is_missing_is_told_once_where_it_should_be() {
        let told = |demanded: &[usize], resource: Value| {
            let mut missing = Missing { demanded, paths: Vec::new() };
            Element::parse("T.a.b").missing(&resource, &mut missing);
            missing.paths
        };
        assert_eq!(told(&[], json!({})), ["T.a.b"]);
        assert_eq!(told(&[0], json!({})), [""; 0]);
        assert_eq!(told(&[0], json!({"a": [{"b": 1}, {"b": " "}]})), ["T.a[1].b"]);
    }
}
