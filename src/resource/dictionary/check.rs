//! What a rule can demand of a value: a small closed vocabulary, each word a check of its own.
//!
//! It knows forms (a UTC instant, a UCUM code, a reference) and compares with lists; which element and which list is
//! the file's business. It must not look outside the resource it is given.

use rust_decimal::Decimal;
use serde_json::Value;

use super::element::Element;

/// The system of UCUM units.
const UCUM: &str = "http://unitsofmeasure.org";
/// Stands for an organization id in an identifier's system.
const ORGANIZATION: &str = "{org}";
/// Stands in a list of reference targets for every type.
const ANY: &str = "any";

/// A demand.
#[derive(Debug)]
pub enum Check {
    /// Filled.
    Required,
    /// A coding's system is one of these, and its code is filled.
    System(Vec<String>),
    /// The code is one of these.
    Code(Vec<String>),
    /// A quantity's unit comes from one of these systems; a UCUM code has UCUM's form.
    Unit(Vec<String>),
    /// A code in the form of UCUM.
    Ucum,
    /// An identifier's system is one of these patterns, and its value is filled.
    Identifier(Vec<String>),
    /// A canonical address, one of these.
    Canonical(Vec<String>),
    /// A reference to one of these types.
    Reference(Vec<String>),
    /// `YYYY-MM-DDThh:mm:ss+00:00`.
    DateTime,
    /// `YYYY-MM-DD`.
    Date,
    /// `hh:mm:ss`.
    Time,
    /// Later than another element (dates compare with dates, instants with instants).
    LaterThan(Element),
    /// A number.
    Number,
    /// A number that is not negative.
    NumberFromZero,
    /// A whole number.
    Integer,
    /// A whole number above zero.
    Positive,
    /// `true` or `false`.
    Boolean,
    /// A text that is not empty.
    Text,
    /// A text of letters and digits.
    LettersDigits,
    /// A number in a UCUM unit.
    Age,
    /// An amount of money: a number and a currency of three letters.
    Currency,
    /// What concerns the Bundle as a whole; see [`super::entry`].
    Bundle,
}

/// What is wrong with a value.
#[derive(Debug)]
pub struct Judged {
    /// Where, below the value: `.coding[0].system`, or nothing.
    pub below: String,
    /// Official request bodies send this value too.
    pub disputed: bool,
}

impl Check {
    /// The check of a word; `None` for an unknown word or a word without the list it needs.
    #[must_use]
    pub fn parse(word: &str, values: Vec<String>, resource_type: &str) -> Option<Self> {
        let needs_values = ["system", "code", "unit", "identifier", "canonical", "reference", "later_than"];
        if needs_values.contains(&word) == values.is_empty() {
            return None;
        }
        Some(match word {
            "required" => Self::Required,
            "system" => Self::System(values),
            "code" => Self::Code(values),
            "unit" => Self::Unit(values),
            "ucum" => Self::Ucum,
            "identifier" => Self::Identifier(values),
            "canonical" => Self::Canonical(values),
            "reference" => Self::Reference(values),
            "date_time" => Self::DateTime,
            "date" => Self::Date,
            "time" => Self::Time,
            "later_than" => Self::LaterThan(Element::parse(&format!("{resource_type}.{}", values.first()?))),
            "number" | "decimal" => Self::Number,
            "number_from_0" => Self::NumberFromZero,
            "integer" => Self::Integer,
            "positive" => Self::Positive,
            "boolean" => Self::Boolean,
            "text" => Self::Text,
            "letters_digits" => Self::LettersDigits,
            "age" => Self::Age,
            "currency" => Self::Currency,
            word if super::entry::WORDS.contains(&word) => Self::Bundle,
            _ => return None,
        })
    }

    /// Notes what is wrong with a value of `resource`.
    pub fn judge(
        &self,
        value: &Value,
        resource: &Value,
        disputed: &[String],
        target: &dyn Fn(&str) -> Option<String>,
        told: &mut Vec<Judged>,
    ) {
        let mut see = See { disputed, told };
        match self {
            Self::System(systems) => see.codings(value, systems),
            Self::Code(codes) => see.one_of(text(value), codes, ""),
            Self::Unit(systems) => see.quantity(value, systems),
            Self::Identifier(patterns) => see.identifier(value, patterns),
            Self::Canonical(addresses) => see.one_of(text(value), addresses, ""),
            Self::Reference(types) => see.holds(refers(value, resource, types, target), ".reference"),
            Self::Age => {
                see.quantity(value, &[UCUM.to_owned()]);
                see.holds(value.get("value").is_some_and(Value::is_number), ".value");
            }
            Self::Currency => {
                see.holds(value.get("value").is_some_and(Value::is_number), ".value");
                let is_currency = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
                see.holds(value.get("currency").and_then(Value::as_str).is_some_and(is_currency), ".currency");
            }
            Self::LaterThan(element) => {
                let bound = element.values(resource).into_iter().find_map(|(_, bound)| bound.as_str());
                see.holds(bound.is_none_or(|bound| later(text(value), bound)), "");
            }
            Self::Required | Self::Bundle => {}
            plain => see.holds(plain.fits(value), ""),
        }
    }

    /// Whether a value has the form of the check.
    fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Ucum => is_ucum(text(value)),
            Self::DateTime => is_utc(text(value)),
            Self::Date => text(value).len() == "2026-11-18".len() && text(value).parse::<jiff::civil::Date>().is_ok(),
            Self::Time => {
                text(value).len() >= "08:00:00".len()
                    && text(value).as_bytes().get(2) == Some(&b':')
                    && text(value).parse::<jiff::civil::Time>().is_ok()
            }
            Self::Number => value.is_number(),
            Self::NumberFromZero => number(value).is_some_and(|number| !number.is_sign_negative()),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Positive => value.as_i64().is_some_and(|number| number > 0),
            Self::Boolean => value.is_boolean(),
            Self::Text => !text(value).trim().is_empty(),
            Self::LettersDigits => {
                !text(value).is_empty() && text(value).chars().all(|letter| letter.is_ascii_alphanumeric())
            }
            _ => true,
        }
    }
}

struct See<'a> {
    disputed: &'a [String],
    told: &'a mut Vec<Judged>,
}

impl See<'_> {
    fn holds(&mut self, is_fine: bool, below: &str) {
        if !is_fine {
            self.told.push(Judged { below: below.to_owned(), disputed: false });
        }
    }

    fn one_of(&mut self, found: &str, accepted: &[String], below: &str) {
        if accepted.iter().any(|known| known == found) {
            return;
        }
        let disputed = self.disputed.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => found.starts_with(start),
            None => known == found,
        });
        self.told.push(Judged { below: below.to_owned(), disputed });
    }

    /// A coding by itself, or each coding of a concept; a concept in words alone has none.
    fn codings(&mut self, value: &Value, systems: &[String]) {
        if value.get("system").is_some() || value.get("code").is_some() {
            self.coding(value, systems, "");
            return;
        }
        self.holds(value.is_object(), "");
        for (at, coding) in value.get("coding").and_then(Value::as_array).into_iter().flatten().enumerate() {
            self.coding(coding, systems, &format!(".coding[{at}]"));
        }
    }

    fn coding(&mut self, coding: &Value, systems: &[String], below: &str) {
        self.one_of(member(coding, "system"), systems, &format!("{below}.system"));
        self.holds(!member(coding, "code").is_empty(), &format!("{below}.code"));
    }

    fn quantity(&mut self, value: &Value, systems: &[String]) {
        let (system, code) = (member(value, "system"), member(value, "code"));
        self.one_of(system, systems, ".system");
        self.holds(if system == UCUM { is_ucum(code) } else { !code.is_empty() }, ".code");
    }

    fn identifier(&mut self, value: &Value, patterns: &[String]) {
        let system = member(value, "system");
        if !patterns.iter().any(|pattern| is_of(system, pattern)) {
            let disputed = self.disputed.iter().any(|pattern| is_of(system, pattern));
            self.told.push(Judged { below: ".system".to_owned(), disputed });
        }
        self.holds(!member(value, "value").trim().is_empty(), ".value");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn member<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value) -> Option<Decimal> {
    value.as_number()?.to_string().parse().ok()
}

/// Whether a system has the form of a pattern such as `http://sys-ids.kemkes.go.id/observation/{org}`.
fn is_of(system: &str, pattern: &str) -> bool {
    let Some((before, after)) = pattern.split_once(ORGANIZATION) else { return system == pattern };
    let id = system.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

fn refers(value: &Value, resource: &Value, types: &[String], target: &dyn Fn(&str) -> Option<String>) -> bool {
    let reference = member(value, "reference");
    let fits = |found: &str| types.iter().any(|known| known == found || known == ANY);
    if reference.starts_with("urn:uuid:") {
        // One that leads nowhere is another rule's business.
        return target(reference).is_none_or(|found| fits(&found));
    }
    if let Some(id) = reference.strip_prefix('#') {
        let contained = resource.get("contained").and_then(Value::as_array).into_iter().flatten();
        return contained.filter(|inner| member(inner, "id") == id).any(|inner| fits(member(inner, "resourceType")));
    }
    let mut parts = reference.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(id), Some(found)) => {
            !id.is_empty() && fits(found) && found.starts_with(|letter: char| letter.is_ascii_uppercase())
        }
        _ => false,
    }
}

/// `YYYY-MM-DDThh:mm:ss+00:00`.
#[must_use]
pub fn is_utc(text: &str) -> bool {
    text.len() == "2026-11-18T01:00:00+00:00".len()
        && text.ends_with("+00:00")
        && text.as_bytes().get(10) == Some(&b'T')
        && text.parse::<jiff::Timestamp>().is_ok()
}

/// A date is compared with the date part of an instant; two instants in full.
#[must_use]
pub fn later(text: &str, bound: &str) -> bool {
    let shared = text.len().min(bound.len());
    match (text.get(..shared), bound.get(..shared)) {
        (Some(one), Some(other)) => one > other,
        _ => false,
    }
}

/// The form of a UCUM code: printable ASCII without spaces, brackets closed in the order they were opened. Whether
/// each unit exists is not looked up.
fn is_ucum(code: &str) -> bool {
    let mut open = Vec::new();
    let is_closed = code.bytes().all(|byte| match byte {
        b'(' | b'[' | b'{' => {
            open.push(byte);
            true
        }
        b')' => open.pop() == Some(b'('),
        b']' => open.pop() == Some(b'['),
        b'}' => open.pop() == Some(b'{'),
        byte => byte.is_ascii_graphic(),
    });
    !code.is_empty() && is_closed && open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_compares_a_date_with_the_day_of_an_instant() {
        assert!(later("2027-01-31", "2026-11-18T01:00:00+00:00"));
        assert!(!later("2026-11-18", "2026-11-18T01:00:00+00:00"));
        assert!(later("2026-11-18T02:00:00+00:00", "2026-11-18T01:00:00+00:00"));
    }

    #[test]
    fn forms_are_told_apart() {
        assert!(is_ucum("mm[Hg]") && is_ucum("{Zscore}") && is_ucum("kg/m2") && is_ucum("%"));
        assert!(!is_ucum("") && !is_ucum("kg m") && !is_ucum("mm[Hg") && !is_ucum("{a]"));
        assert!(is_utc("2026-11-18T01:00:00+00:00"));
        assert!(!is_utc("2026-11-18T01:00:00+07:00") && !is_utc("2026-11-18") && !is_utc("2026-13-18T01:00:00+00:00"));
        assert!(is_of("http://x/observation/100", "http://x/observation/{org}"));
        assert!(!is_of("http://x/observation/", "http://x/observation/{org}"));
        assert!(!is_of("http://x/observation/1/2", "http://x/observation/{org}"));
        assert!(is_of("http://x/d/1/lab", "http://x/d/{org}/lab"));
    }
}
