//! What an exchange with SATUSEHAT came to, as values the rest of the gateway acts on.
//!
//! An answer must never carry personal data: texts in it are masked before they get here, and resources read
//! back are kept apart from it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::excerpt;
use crate::issue::{Code, Issue};
use crate::words;

/// What to do about an answer. The meaning of each is in the order a delivery should think of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Done: every resource sent has an id at the server.
    Accepted,
    /// The server holds it already and does not say under which id: look it up, compare, adopt.
    Duplicate,
    /// The server refused this content; a person or the mapping must change it.
    Content,
    /// A patient or another resource it refers to is missing: wait for that.
    Dependency,
    /// Too many calls; not executed. The limiter has slowed already.
    Throttled,
    /// The other side is unreachable or broken.
    Outage {
        /// Whether an update may have been carried out all the same; repeating it writes the same content again.
        may_have_executed: bool,
    },
    /// Credentials, organisation, address or access are wrong: the whole client id stops, no record is to blame.
    Configuration,
    /// Something was sent and no usable answer came: look it up on the server before anything is sent again.
    Unknown,
    /// The server refused in words we do not know; not executed.
    Unclassified,
}

impl Class {
    /// The word kept in the history and shown to operators.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Content => "content",
            Self::Dependency => "dependency",
            Self::Throttled => "throttled",
            Self::Outage { .. } => "outage",
            Self::Configuration => "configuration",
            Self::Unknown => "unknown",
            Self::Unclassified => "unclassified",
        }
    }

    /// The general sentence about the class in the words catalogue.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Accepted => "remote.accepted",
            Self::Duplicate => "remote.duplicate",
            Self::Content => "remote.content",
            Self::Dependency => "remote.dependency",
            Self::Throttled => "remote.throttled",
            Self::Outage { .. } => "remote.outage",
            Self::Configuration => "remote.configuration",
            Self::Unknown => "remote.unknown",
            Self::Unclassified => "remote.unclassified",
        }
    }

    fn issue_code(self) -> Code {
        match self {
            Self::Accepted | Self::Content => Code::BusinessRule,
            Self::Duplicate => Code::Duplicate,
            Self::Dependency => Code::NotFound,
            Self::Throttled | Self::Outage { .. } => Code::Transient,
            Self::Configuration => Code::Security,
            Self::Unknown | Self::Unclassified => Code::Exception,
        }
    }
}

/// One complaint of the server, masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomeIssue {
    /// FHIR issue type, fault code or error code, as received.
    pub code: String,
    /// The complaint, with values in quotes and long digits masked.
    pub text_excerpt: String,
    /// FHIR path complained about, as received; `None` when the server named none.
    pub expression: Option<String>,
    /// Rule number in the text; 10xxx is the validator, 20xxx the processor.
    pub rule: Option<u32>,
    /// Sentence for this complaint, where the catalogue has one of its own.
    pub sentence: Option<&'static str>,
}

/// A resource the server accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Place in the Bundle that was sent, from 0; 0 for a single resource.
    pub position: usize,
    /// FHIR type.
    pub resource_type: String,
    /// Id at the server.
    pub id: String,
    /// Version at the server, where it was given.
    pub version: Option<String>,
}

/// What one exchange came to. Fields that did not apply are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What to do about it.
    pub class: Class,
    /// HTTP status; `None` when no status line arrived.
    pub status: Option<u16>,
    /// The server's `x-request-id`: support asks for it.
    pub request_id: Option<String>,
    /// Rule numbers of the primary complaints, in order, without repeats.
    pub rules: Vec<u32>,
    /// The primary complaints; follow-on ones are left out.
    pub issues: Vec<OutcomeIssue>,
    /// Ids the server gave, in the order sent. Complete when the class is [`Class::Accepted`], else empty.
    pub accepted: Vec<Accepted>,
    /// `Retry-After` as read, not yet clamped.
    pub retry_after: Option<Duration>,
    /// What the answer said, masked, at most 300 characters.
    pub excerpt: String,
    /// From the first byte sent to the last byte read; waiting for the limiter is not in it.
    pub duration: Duration,
    /// The server's clock, from its `Date` header.
    pub server_date: Option<Timestamp>,
}

impl Answer {
    /// An answer of a class with nothing else known; `excerpt` must be free of personal data.
    #[must_use]
    pub fn of(class: Class, excerpt: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            request_id: None,
            rules: Vec::new(),
            issues: Vec::new(),
            accepted: Vec::new(),
            retry_after: None,
            excerpt: excerpt.into(),
            duration: Duration::ZERO,
            server_date: None,
        }
    }

    /// Key of the sentence that tells people what to do: the first complaint's own, else that of its rule number,
    /// else that of the class. Its names are filled by [`Answer::issues_for_people`].
    #[must_use]
    pub fn sentence(&self) -> String {
        self.issues.iter().find_map(known_sentence).unwrap_or_else(|| self.class.sentence().to_owned())
    }

    /// Whether the exchange says that the server, not this content, is in trouble: no status at all, or a 5xx.
    /// A lane breaker counts these whatever the class.
    #[must_use]
    pub fn server_in_trouble(&self) -> bool {
        matches!(self.class, Class::Outage { .. })
            || (self.class == Class::Unknown && self.status.is_none_or(|status| status >= 500))
    }

    /// The answer as issues for people: one per complaint, or one for the class when the server named none. An
    /// accepted answer has no issues. The place is for the caller to add, who knows the lineage.
    #[must_use]
    pub fn issues_for_people(&self) -> Vec<Issue> {
        if self.class == Class::Accepted {
            return Vec::new();
        }
        if self.issues.is_empty() {
            let text = if self.excerpt.is_empty() { "-" } else { &self.excerpt };
            let issue = Issue::error(self.class.issue_code(), self.class.sentence());
            return vec![issue.with("text", text).with("element", "-")];
        }
        self.issues.iter().map(|issue| self.issue_for_people(issue)).collect()
    }

    /// Masks texts of what was sent (lower case) where the server repeated them.
    pub(super) fn hide(&mut self, texts: &BTreeSet<String>) {
        let request_id = self.request_id.as_mut();
        let issues = self.issues.iter_mut().flat_map(|issue| {
            [Some(&mut issue.text_excerpt), Some(&mut issue.code), issue.expression.as_mut()].into_iter().flatten()
        });
        for text in issues.chain(request_id).chain([&mut self.excerpt]) {
            *text = excerpt::without(text, texts);
        }
    }

    fn issue_for_people(&self, complaint: &OutcomeIssue) -> Issue {
        let rule = known_sentence(complaint).unwrap_or_else(|| self.class.sentence().to_owned());
        let mut issue = Issue::error(self.class.issue_code(), rule).with("text", &complaint.text_excerpt);
        if let Some(number) = complaint.rule {
            issue = issue.with("number", number);
        }
        match &complaint.expression {
            Some(expression) => issue.with("element", expression).on(expression.clone()),
            None => issue.with("element", "-"),
        }
    }
}

fn known_sentence(issue: &OutcomeIssue) -> Option<String> {
    if let Some(own) = issue.sentence {
        return Some(own.to_owned());
    }
    let key = format!("remote.rule.{}", issue.rule?);
    words::knows(&key).then_some(key)
}
