//! A problem in the data as a value, in FHIR's words, tied to the cell a person must correct.
//!
//! Bad data is not an error: each stage returns its product and the issues it found. An issue carries no
//! sentence, only a rule and its arguments; `words` turns it into Indonesian or English. It must never carry
//! personal data: arguments are counts, codes, units and masked text.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How bad it is (FHIR issue-severity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the record is used as it is.
    Information,
    /// Looks wrong; the record is used and flagged.
    Warning,
    /// The record is not used until a person corrects it.
    Error,
}

/// What kind of problem it is (a part of FHIR issue-type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The form of the content is wrong.
    Structure,
    /// A required value is missing.
    Required,
    /// A value is not acceptable.
    Value,
    /// A rule between values does not hold.
    Invariant,
    /// A code is unknown or not translated.
    CodeInvalid,
    /// The same thing was given twice.
    Duplicate,
    /// A thing referred to was not found.
    NotFound,
    /// Several candidates, and guessing is not allowed.
    MultipleMatches,
    /// Two sources or books disagree.
    Conflict,
    /// A rule of the health programme or the platform.
    BusinessRule,
    /// Not reported by decision.
    Suppressed,
    /// The other side could not be reached or refused to work.
    Transient,
    /// The other side's configuration or our access is wrong.
    Security,
    /// Something the gateway could not handle.
    Exception,
}

/// The place in the field's own records that a person can open: source, file or table, row, column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Place {
    /// Name of the source in the configuration.
    pub source: Arc<str>,
    /// File name, or table or query name in a database.
    pub file: Arc<str>,
    /// Row as people see it: the line number in a file, the key in a table.
    pub row: String,
    /// Column header as it stands in the file; `None` when the whole row is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl Place {
    /// The same row, at a column.
    #[must_use]
    pub fn column(&self, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..self.clone() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.row)?;
        match &self.column {
            Some(column) => write!(formatter, ":{column}"),
            None => Ok(()),
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: Code,
    /// The rule that was broken: a key of the words catalogue, such as `nik.digits`.
    pub rule: Cow<'static, str>,
    /// Values the sentence needs, by name. Never personal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<(Cow<'static, str>, String)>,
    /// Record field or FHIR path concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The cell or row to correct.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Issue {
    /// An issue that stops the record.
    #[must_use]
    pub fn error(code: Code, rule: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Severity::Error, code, rule)
    }

    /// An issue that flags the record but lets it pass.
    #[must_use]
    pub fn warning(code: Code, rule: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Severity::Warning, code, rule)
    }

    /// Something worth knowing.
    #[must_use]
    pub fn information(code: Code, rule: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Severity::Information, code, rule)
    }

    fn new(severity: Severity, code: Code, rule: impl Into<Cow<'static, str>>) -> Self {
        Self { severity, code, rule: rule.into(), arguments: Vec::new(), expression: None, place: None }
    }

    /// Adds a value for the sentence. It must not be personal.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.arguments.push((name.into(), value.to_string()));
        self
    }

    /// Names the record field or FHIR path concerned.
    #[must_use]
    pub fn on(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// Names the cell or row to correct.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Whether the record must wait for a person.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
