//! Reads what an error body complains about, whatever its shape, and knows the complaints that matter.
//!
//! Source of shapes and signs: SATUSEHAT's published collections, rule dictionary and dated field reports. The
//! validator's list is open, so an unknown 10xxx number counts as refused content. It must not look at the status.

use serde_json::Value;

use super::answer::{Class, OutcomeIssue};
use super::excerpt::{EXCERPT_CHARACTERS_MAX, masked, name};
use crate::words;

/// Most complaints kept of one answer.
const COMPLAINTS_MAX: usize = 50;

/// What a body turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing, or only white space.
    Empty,
    /// A page, so the edge answered and not the API.
    Html,
    /// Plain text.
    Text,
    /// The gateway's own refusal.
    Fault,
    /// FHIR OperationOutcome.
    Outcome,
    /// JSON of another kind.
    Json,
}

/// A body that is not a success, read.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) shape: Shape,
    /// The class the body alone tells; `None` when the status must decide.
    pub(super) class: Option<Class>,
    /// The gateway refused the token itself; a new one may help.
    pub(super) token_refused: bool,
    /// Every issue of an OperationOutcome only says that the resource is hidden.
    pub(super) hidden: bool,
    /// The store says that there is no such resource.
    pub(super) absent: bool,
    pub(super) issues: Vec<OutcomeIssue>,
    pub(super) excerpt: String,
}

impl Complaint {
    fn new(shape: Shape, excerpt: String) -> Self {
        Self { shape, class: None, token_refused: false, hidden: false, absent: false, issues: Vec::new(), excerpt }
    }

    fn single(shape: Shape, class: Option<Class>, code: &str, text: &str, sentence: Option<&'static str>) -> Self {
        let issue = OutcomeIssue { code: name(code), text_excerpt: short(text), sentence, ..OutcomeIssue::default() };
        let excerpt = short(&format!("{code}: {text}"));
        Self { class, issues: vec![issue], ..Self::new(shape, excerpt) }
    }

    /// Reads a body of any kind.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        match text.chars().next() {
            None => Self::new(Shape::Empty, "empty body".to_owned()),
            Some('<') => Self::new(Shape::Html, short(&format!("HTML page {}", title(text)))),
            Some('{' | '[') => match serde_json::from_str::<Value>(text) {
                Ok(value) => Self::of_json(&value),
                Err(_) => Self::new(Shape::Text, "broken JSON".to_owned()),
            },
            Some(_) => Self::of_text(text),
        }
    }

    fn of_text(text: &str) -> Self {
        let mut complaint = Self::new(Shape::Text, short(text));
        if let Some(known) = known("", text, "", "", None) {
            complaint.class = Some(known.class);
        }
        complaint
    }

    fn of_json(value: &Value) -> Self {
        if let Some(fault) = value.get("fault") {
            return Self::of_fault(text_at(fault, "/detail/errorcode"), text_at(fault, "/faultstring"));
        }
        if value.get("issue").is_some_and(Value::is_array) {
            return Self::of_outcome(value);
        }
        if let Some(code) = value.get("ErrorCode").and_then(Value::as_str) {
            let class = if same(code, "invalid_client") { Some(Class::Configuration) } else { None };
            return Self::single(Shape::Json, class, code, text_at(value, "/Error"), Some("remote.credentials"));
        }
        if value.get("success") == Some(&Value::Bool(false)) {
            return Self::of_message(text_at(value, "/message"));
        }
        if value.pointer("/data/validation").is_some_and(Value::is_array) {
            let text = text_at(value, "/message");
            return Self::single(Shape::Json, Some(Class::Content), "validation", text, Some("remote.defect"));
        }
        for path in ["/message", "/error_description", "/detail", "/error"] {
            let text = text_at(value, path);
            if !text.is_empty() {
                return Self::of_message(text);
            }
        }
        // An unknown body may hold a person's data: only the names of its members are kept.
        let members: Vec<&str> = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        Self::new(Shape::Json, short(&format!("JSON with members {}", members.join(", "))))
    }

    fn of_message(text: &str) -> Self {
        let known = known("", text, "", "", None);
        let sentence = known.map(|known| known.sentence);
        Self::single(Shape::Json, known.map(|known| known.class), "message", text, sentence)
    }

    fn of_fault(code: &str, text: &str) -> Self {
        let lower = code.to_ascii_lowercase();
        if lower.starts_with("policies.ratelimit.") || lower.starts_with("policies.concurrentratelimit.") {
            return Self::single(Shape::Fault, Some(Class::Throttled), code, text, None);
        }
        let token_refused = matches!(
            lower.as_str(),
            "oauth.v2.invalidaccesstoken"
                | "keymanagement.service.access_token_expired"
                | "oauth.v2.accesstokenexpired"
        ) || lower == "keymanagement.service.invalid_access_token";
        let ours = lower.starts_with("oauth.v2.") || lower.starts_with("keymanagement.service.");
        let sentence = if token_refused { "remote.credentials" } else { "remote.permission" };
        let class = if ours { Some(Class::Configuration) } else { None };
        let complaint = Self::single(Shape::Fault, class, code, text, ours.then_some(sentence));
        Self { token_refused, ..complaint }
    }

    fn of_outcome(value: &Value) -> Self {
        let all: Vec<Raw<'_>> = value
            .get("issue")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .take(COMPLAINTS_MAX)
            .map(Raw::of)
            .collect();
        let hidden = !all.is_empty() && all.iter().all(|raw| same(raw.code, "suppressed"));
        let absent = all.iter().any(|raw| {
            same(raw.code, "no-store")
                || same(raw.code, "not-found")
                || raw.diagnostics.starts_with("resource not found")
        });
        let serious: Vec<&Raw<'_>> = all.iter().filter(|raw| !same(raw.severity, "information")).collect();
        let shown: Vec<&Raw<'_>> = if serious.is_empty() { all.iter().collect() } else { serious };
        // 20012 and 20013 only say that another entry was refused; the primary complaint is the one to act on.
        let primary: Vec<&Raw<'_>> = shown.iter().copied().filter(|raw| !raw.follows_on()).collect();
        let class = primary.iter().filter_map(|raw| raw.class()).min_by_key(|class| precedence(*class));
        let kept = if primary.is_empty() { shown } else { primary };
        let texts: Vec<String> = kept.iter().map(|raw| raw.text()).collect();
        let issues = kept.iter().map(|raw| raw.to_issue()).collect();
        Self { class, hidden, absent, issues, ..Self::new(Shape::Outcome, short(&texts.join(" | "))) }
    }
}

/// Which of several complaints decides: what stops everything first, then what must change before anything helps.
fn precedence(class: Class) -> u8 {
    match class {
        Class::Configuration => 0,
        Class::Throttled => 1,
        Class::Content => 2,
        Class::Dependency => 3,
        Class::Duplicate => 4,
        _ => 5,
    }
}

/// One issue of an OperationOutcome, as received.
struct Raw<'a> {
    severity: &'a str,
    code: &'a str,
    details: &'a str,
    diagnostics: &'a str,
    expression: Option<&'a str>,
    rule: Option<u32>,
}

impl<'a> Raw<'a> {
    fn of(value: &'a Value) -> Self {
        let (details, diagnostics) = (text_at(value, "/details/text"), text_at(value, "/diagnostics"));
        Self {
            severity: text_at(value, "/severity"),
            code: text_at(value, "/code"),
            details,
            diagnostics,
            expression: value.pointer("/expression/0").and_then(Value::as_str),
            rule: rule_number(details).or_else(|| rule_number(diagnostics)),
        }
    }

    fn follows_on(&self) -> bool {
        matches!(self.rule, Some(20012 | 20013))
    }

    fn known(&self) -> Option<&'static Known> {
        known(self.severity, self.details, self.diagnostics, self.code, self.rule)
    }

    fn class(&self) -> Option<Class> {
        let by_rule = || matches!(self.rule, Some(10_000..=19_999)).then_some(Class::Content);
        let by_code = || match self.code {
            "value" | "format" | "structure" | "required" | "invariant" | "code-invalid" | "business-rule"
            | "invalid" => Some(Class::Content),
            "not-found" => Some(Class::Dependency),
            "throttled" => Some(Class::Throttled),
            "login" | "expired" => Some(Class::Configuration),
            _ => None,
        };
        self.known().map(|known| known.class).or_else(by_rule).or_else(by_code)
    }

    fn text(&self) -> String {
        match (self.details, self.diagnostics) {
            (details, "") => details.to_owned(),
            ("", diagnostics) => diagnostics.to_owned(),
            (details, diagnostics) => format!("{details}: {diagnostics}"),
        }
    }

    fn to_issue(&self) -> OutcomeIssue {
        let own = self.rule.is_some_and(|rule| words::knows(&format!("remote.rule.{rule}")));
        let sentence = self.known().filter(|known| known.over_rule || !own).map(|known| known.sentence);
        OutcomeIssue {
            code: name(self.code),
            text_excerpt: short(&self.text()),
            expression: self.expression.map(name),
            rule: self.rule,
            sentence,
        }
    }
}

/// How a complaint is recognised. Letter case does not matter.
enum Sign {
    Begins(&'static str),
    Holds(&'static str),
    Diagnostics(&'static str),
    Rules(&'static [u32]),
    IssueCode(&'static str),
    Severity(&'static str),
}

/// A complaint we know.
struct Known {
    sign: Sign,
    class: Class,
    sentence: &'static str,
    /// The sentence is better than the one of the rule number.
    over_rule: bool,
}

const fn sure(sign: Sign, class: Class, sentence: &'static str) -> Known {
    Known { sign, class, sentence, over_rule: true }
}

const fn broad(sign: Sign, class: Class, sentence: &'static str) -> Known {
    Known { sign, class, sentence, over_rule: false }
}

/// The complaints we know, the more specific first.
const KNOWN: &[Known] = &[
    sure(Sign::Severity("invalid"), Class::Configuration, "remote.credentials"),
    sure(Sign::Holds("due to business rule"), Class::Configuration, "remote.organization"),
    sure(Sign::Holds("wrong organization ID provided"), Class::Configuration, "remote.organization"),
    sure(Sign::Holds("failed to get permission for client"), Class::Configuration, "remote.permission"),
    sure(Sign::Holds("not allowed for current access class"), Class::Configuration, "remote.permission"),
    sure(Sign::Rules(&[20003, 20004, 20009, 20010]), Class::Configuration, "remote.permission"),
    sure(Sign::Holds("patient resource exists"), Class::Duplicate, "remote.duplicate"),
    sure(Sign::Holds("found duplicate"), Class::Duplicate, "remote.duplicate"),
    sure(Sign::Rules(&[20002]), Class::Duplicate, "remote.duplicate"),
    sure(Sign::IssueCode("duplicate"), Class::Duplicate, "remote.duplicate"),
    sure(Sign::Begins("invalid identifier system"), Class::Configuration, "remote.identifier_system"),
    sure(Sign::Holds("failed to get citizen"), Class::Dependency, "person.citizen_unknown"),
    sure(Sign::Holds("citizen not exists"), Class::Content, "person.citizen_unknown"),
    sure(Sign::Holds("tidak sesuai"), Class::Content, "person.registry_mismatch"),
    sure(Sign::Holds("nik-ibu not found"), Class::Dependency, "person.mother_not_found"),
    sure(Sign::Holds("nik-ibu is not female"), Class::Content, "person.mother_not_female"),
    sure(Sign::Begins("day difference from birth date"), Class::Content, "person.newborn_too_old"),
    sure(Sign::Diagnostics("reference target(s) not found"), Class::Dependency, "remote.dependency"),
    sure(Sign::Diagnostics("fhirpath-constraint-violation-Encounter.period"), Class::Content, "remote.rule.10121"),
    sure(Sign::Diagnostics("invalid value (expected a"), Class::Content, "remote.defect"),
    sure(Sign::Diagnostics("resource not found"), Class::Dependency, "remote.dependency"),
    sure(Sign::Begins("unparseable_resource"), Class::Content, "remote.defect"),
    sure(Sign::Begins("resource_mismatch"), Class::Content, "remote.defect"),
    sure(Sign::Begins("invalid_headers"), Class::Content, "remote.defect"),
    sure(Sign::Begins("storage_error"), Class::Dependency, "remote.dependency"),
    sure(Sign::Begins("missing query parameters"), Class::Content, "remote.defect"),
    sure(Sign::Begins("resource not found"), Class::Dependency, "remote.dependency"),
    sure(Sign::Rules(&[20007]), Class::Dependency, "remote.dependency"),
    sure(Sign::Rules(&[20015, 20016]), Class::Content, "person.not_editable"),
    sure(
        Sign::Rules(&[20005, 20006, 20008, 20011, 20014, 20017, 20018, 20019, 20020, 20021]),
        Class::Content,
        "remote.defect",
    ),
    sure(Sign::Rules(&[10333, 10621, 10622, 10623, 10624]), Class::Content, "person.address_codes"),
    sure(Sign::Holds("due to consent or privacy rules"), Class::Content, "remote.consent"),
    sure(Sign::IssueCode("forbidden"), Class::Content, "remote.consent"),
    broad(Sign::Begins("code not found"), Class::Content, "remote.content.code"),
    broad(Sign::Begins("invalid coding system"), Class::Content, "remote.content.code"),
    broad(Sign::Begins("identifier value not found"), Class::Content, "remote.content.mapping"),
    broad(Sign::Begins("reference is mandatory"), Class::Content, "remote.content.mapping"),
    broad(Sign::Begins("wrong reference id format"), Class::Content, "remote.content.mapping"),
    broad(Sign::Begins("element not found"), Class::Content, "remote.content.missing"),
    broad(Sign::Begins("text is empty"), Class::Content, "remote.content.missing"),
    broad(Sign::Begins("invalid date time format"), Class::Content, "remote.content.mapping"),
    broad(Sign::Begins("invalid date time value"), Class::Content, "remote.content.date"),
    broad(Sign::Begins("integer formated as a string"), Class::Content, "remote.content.mapping"),
    broad(Sign::Begins("use /operationalstatus"), Class::Content, "remote.content.mapping"),
    broad(Sign::Begins("every statushistory period"), Class::Content, "remote.content.mapping"),
    sure(Sign::Begins("performer function must contain"), Class::Content, "remote.content.mapping"),
    broad(Sign::Begins("episodeofcare.status :: patient reference"), Class::Content, "remote.content.mapping"),
];

fn known(severity: &str, details: &str, diagnostics: &str, code: &str, rule: Option<u32>) -> Option<&'static Known> {
    let (details, diagnostics) = (details.to_ascii_lowercase(), diagnostics.to_ascii_lowercase());
    KNOWN.iter().find(|known| match &known.sign {
        Sign::Begins(start) => details.starts_with(&start.to_ascii_lowercase()),
        Sign::Holds(part) => details.contains(&part.to_ascii_lowercase()),
        Sign::Diagnostics(part) => diagnostics.contains(&part.to_ascii_lowercase()),
        Sign::Rules(numbers) => rule.is_some_and(|rule| numbers.contains(&rule)),
        Sign::IssueCode(wanted) => same(code, wanted),
        Sign::Severity(wanted) => same(severity, wanted),
    })
}

/// The number in "(RuleNumber: 10117)" or "(Rule Number: 10110)", at any place of the text.
pub(super) fn rule_number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let after = ["rulenumber", "rule number"].iter().find_map(|word| lower.split_once(word).map(|(_, after)| after))?;
    let digits: String =
        after.trim_start_matches([':', ' ', '=', '#']).chars().take_while(char::is_ascii_digit).take(9).collect();
    digits.parse().ok()
}

fn title(page: &str) -> &str {
    let lower = page.to_ascii_lowercase();
    let Some(start) = lower.find("<title>").map(|at| at + "<title>".len()) else { return "" };
    let end = lower[start..].find('<').map_or(page.len(), |length| start + length);
    &page[start..end]
}

fn text_at<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or("")
}

fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

fn short(text: &str) -> String {
    masked(text, EXCERPT_CHARACTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_complaint_has_a_sentence() {
        for known in KNOWN {
            assert!(words::knows(known.sentence), "{}", known.sentence);
        }
    }

    #[test]
    fn rule_numbers_are_read_in_both_spellings() {
        assert_eq!(rule_number("Element not found: x (RuleNumber: 10117)"), Some(10117));
        assert_eq!(rule_number("found (Rule Number: 10110) in the middle"), Some(10110));
        assert_eq!(rule_number("no number"), None);
        assert_eq!(rule_number("(RuleNumber: x)"), None);
    }
}
