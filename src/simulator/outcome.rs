//! The bodies of answers that are not plain success, in the shapes of satusehat-api.md, section 5.1.
//!
//! It must not decide whether a call is refused; it only words and shapes the refusal.

use axum::body::Bytes;
use serde_json::{Map, Value, json};

/// What goes back to the caller.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Value of the Content-Type header; empty means no header.
    pub content_type: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body, already written out.
    pub body: Bytes,
}

/// Content type of most JSON answers.
pub(super) const JSON: &str = "application/json";
/// Content type of errors of the FHIR store.
const STORE_JSON: &str = "application/fhir+json;charset=utf-8";

impl Reply {
    /// An answer without further headers.
    pub(super) fn of(status: u16, content_type: &str, body: String) -> Self {
        Self { status, content_type: content_type.to_owned(), headers: Vec::new(), body: Bytes::from(body) }
    }

    /// A JSON answer.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::of(status, JSON, body.to_string())
    }

    /// A plain text answer, as proxies in front of the gateway give it.
    pub(super) fn text(status: u16, text: &str) -> Self {
        Self::of(status, "text/plain", text.to_owned())
    }

    /// An HTML page where JSON was expected.
    pub(super) fn html(status: u16) -> Self {
        let page = "<!DOCTYPE html><html><head><title>Notice</title></head><body><h1>Notice</h1></body></html>";
        Self::of(status, "text/html", page.to_owned())
    }

    /// No body at all, the answer for a wrong path.
    pub(super) fn empty(status: u16) -> Self {
        Self::of(status, "", String::new())
    }

    /// The fault shape of the API gateway.
    pub(super) fn fault(status: u16, text: &str, error_code: &str) -> Self {
        Self::json(status, &json!({"fault": {"faultstring": text, "detail": {"errorcode": error_code}}}))
    }

    /// The fault for an access token that is unknown.
    pub(super) fn invalid_token() -> Self {
        let mut reply = Self::fault(401, "Invalid access token", "oauth.v2.InvalidAccessToken");
        reply.headers.push(("www-authenticate", "Bearer realm=\"null\",error=\"invalid_token\"".to_owned()));
        reply
    }

    /// The fault for an access token past its lifetime.
    pub(super) fn expired_token() -> Self {
        Self::fault(401, "Access Token expired", "keymanagement.service.access_token_expired")
    }

    /// The same success without its content, as shown to those without consent.
    pub(super) fn suppressed(self) -> Self {
        if self.status >= 300 {
            return self;
        }
        Self { body: Bytes::from(Self::hidden(None).to_string()), ..self }
    }

    /// Refused for one or more reasons.
    pub(super) fn refused(status: u16, complaints: &[Complaint]) -> Self {
        let issues: Vec<Value> = complaints.iter().map(Complaint::to_issue).collect();
        if complaints.first().is_some_and(|first| first.store) {
            let mut reply = Self::json(status, &json!({"issue": issues, "resourceType": "OperationOutcome"}));
            reply.content_type = STORE_JSON.to_owned();
            return reply;
        }
        let body = json!({"resourceType": "OperationOutcome", "text": {"status": "generated"}, "issue": issues});
        Self::json(status, &body)
    }

    /// The data of a patient who did not agree; `hidden` names the resource where one of several is left out.
    pub(super) fn hidden(hidden: Option<&str>) -> Value {
        let mut diagnostics = "No result or no consent available".to_owned();
        if let Some(name) = hidden {
            diagnostics.push_str(": ");
            diagnostics.push_str(name);
        }
        let issue = json!({"severity": "information", "code": "suppressed", "diagnostics": diagnostics});
        json!({"resourceType": "OperationOutcome", "issue": [issue]})
    }

    /// A resource that does not exist.
    pub(super) fn not_found(kind: &str, id: &str) -> Self {
        let complaint = Complaint {
            code: "no-store",
            ..Complaint::stored("storage_error", &format!("resource not found: {kind}/{id}"))
        };
        Self::refused(404, &[complaint])
    }
}

/// One reason for a refusal: an issue of an OperationOutcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// FHIR issue type.
    pub code: &'static str,
    /// `details.text`.
    pub text: Option<String>,
    /// `diagnostics`, used by the FHIR store only.
    pub diagnostics: Option<String>,
    /// `expression`, beginning with the resource type.
    pub path: Option<String>,
    /// True when the FHIR store speaks and not the validator.
    pub store: bool,
}

impl Complaint {
    /// A validator's complaint; rule 0 means that no number is known for it.
    pub(super) fn rule(code: &'static str, text: &str, rule: u32, path: &str) -> Self {
        let text = if rule == 0 { text.to_owned() } else { format!("{text} (RuleNumber: {rule})") };
        Self { code, text: Some(text), diagnostics: None, path: Some(path.to_owned()), store: false }
    }

    /// A complaint about an element that is missing.
    pub(super) fn missing(rule: u32, path: &str) -> Self {
        Self::rule("value", &format!("Element not found: {path}"), rule, path)
    }

    /// A complaint about a reference that is missing or of the wrong kind.
    pub(super) fn reference(rule: u32, path: &str) -> Self {
        Self::rule("value", &format!("Reference is mandatory : {path}"), rule, path)
    }

    /// A processor's complaint, which names no element.
    pub(super) fn processor(code: &'static str, text: &str, rule: u32) -> Self {
        Self { path: None, ..Self::rule(code, text, rule, "") }
    }

    /// The FHIR store refuses the call itself.
    pub(super) fn stored(text: &str, diagnostics: &str) -> Self {
        let (text, diagnostics) = (Some(text.to_owned()), Some(diagnostics.to_owned()));
        Self { code: "structure", text, diagnostics, path: None, store: true }
    }

    /// The FHIR store could not read an element.
    pub(super) fn unparseable(path: &str, diagnostics: &str) -> Self {
        Self {
            code: "structure",
            text: Some("unparseable_resource".to_owned()),
            diagnostics: Some(diagnostics.to_owned()),
            path: Some(path.to_owned()),
            store: true,
        }
    }

    /// The FHIR store does not hold what a reference points to.
    pub(super) fn dangling(path: &str, target: &str) -> Self {
        let diagnostics = Some(format!("reference target(s) not found: {target}"));
        Self { code: "value", text: None, diagnostics, path: Some(path.to_owned()), store: true }
    }

    /// The same complaint about entry `position` of a Bundle: `Bundle.entry[0].resource.…`; the store puts the resource
    /// type, lower camel case, behind `resource` (satusehat-api.md, section 4).
    pub(super) fn in_entry(mut self, position: usize) -> Self {
        self.path = self.path.map(|path| {
            let (kind, rest) = path.split_once('.').map_or((path.as_str(), None), |(kind, rest)| (kind, Some(rest)));
            let mut whole = format!("Bundle.entry[{position}].resource");
            if self.store {
                let mut letters = kind.chars();
                if let Some(first) = letters.next() {
                    whole.push('.');
                    whole.push(first.to_ascii_lowercase());
                    whole.push_str(letters.as_str());
                }
            }
            if let Some(rest) = rest {
                whole.push('.');
                whole.push_str(rest);
            }
            whole
        });
        self
    }

    fn to_issue(&self) -> Value {
        let mut issue = Map::new();
        issue.insert("severity".to_owned(), json!("error"));
        issue.insert("code".to_owned(), json!(self.code));
        if let Some(text) = &self.text {
            issue.insert("details".to_owned(), json!({"text": text}));
        }
        if let Some(diagnostics) = &self.diagnostics {
            issue.insert("diagnostics".to_owned(), json!(diagnostics));
        }
        if let Some(path) = &self.path {
            issue.insert("expression".to_owned(), json!([path]));
        }
        Value::Object(issue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_inside_a_bundle_names_the_entry() {
        let validator = Complaint::missing(10457, "Encounter.diagnosis").in_entry(2);
        assert_eq!(validator.path.as_deref(), Some("Bundle.entry[2].resource.diagnosis"));
        assert_eq!(validator.text.as_deref(), Some("Element not found: Encounter.diagnosis (RuleNumber: 10457)"));
        let store = Complaint::unparseable("ServiceRequest", "x").in_entry(0);
        assert_eq!(store.path.as_deref(), Some("Bundle.entry[0].resource.serviceRequest"));
    }
}
