//! One request as a page sees it: who asks, what the address and the form say.
//!
//! It must not decide what is shown; `access` does. Forms and addresses are bounded before they are read.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Form, FromRequest as _, Query};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, Limited};
use jiff::civil::Date;

use super::access::{Page, may};
use super::say::Say;
use super::visitor::Visitor;
use super::{Dashboard, Refusal};
use crate::ledger::account::{Deed, Reach};

/// Largest form, in bytes: a reason of 2000 bytes, percent-encoded, with room.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// Longest value taken from an address, in bytes.
const VALUE_BYTES_MAX: usize = 200;

/// Names and values.
pub(super) type Fields = BTreeMap<String, String>;

/// One request.
pub(super) struct Ask<'a> {
    /// The dashboard.
    pub board: &'a Dashboard,
    /// Who asks.
    pub visitor: Visitor,
    /// What the address says after `?`.
    pub query: Fields,
    /// What the form says.
    pub form: Fields,
    /// Its words.
    pub say: Say,
}

impl<'a> Ask<'a> {
    /// From the head of a request; the form comes later.
    pub fn new(board: &'a Dashboard, visitor: Visitor, head: &Parts) -> Self {
        let query = Query::<Fields>::try_from_uri(&head.uri).map(|Query(fields)| fields).unwrap_or_default();
        let query =
            query.into_iter().filter(|(_, value)| !value.is_empty() && value.len() <= VALUE_BYTES_MAX).collect();
        Self { board, visitor, query, form: Fields::new(), say: Say(board.options.language) }
    }

    /// Refuses what the role may not; whoever is not logged in is asked to.
    pub fn must(&self, page: Page) -> Result<(), Refusal> {
        match (self.may(page), self.visitor.is_known()) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::Forbidden),
            (false, false) => Err(Refusal::LogIn),
        }
    }

    /// Whether the role may.
    pub fn may(&self, page: Page) -> bool {
        self.visitor.is_admitted() && may(self.visitor.role(), page)
    }

    /// A value of the address.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A field of the form, trimmed; never empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The date of the address under a name; one that is none is none.
    pub fn date(&self, name: &str) -> Option<Date> {
        self.get(name)?.parse().ok()
    }

    /// The place that the address asks for, within the reach of the account: nobody asks himself out of it.
    pub fn place(&self) -> Reach {
        let own = &self.visitor.reach;
        let asked = |own: &Option<String>, name| own.clone().or_else(|| self.get(name).map(str::to_owned));
        Reach { puskesmas: asked(&own.puskesmas, "puskesmas"), posyandu: asked(&own.posyandu, "posyandu") }
    }

    /// Whether the form was made for this login.
    pub fn is_own_form(&self) -> bool {
        let Some(given) = self.form.get("csrf") else { return false };
        let known = self.visitor.csrf(&self.board.keys);
        known.is_some_and(|known| super::visitor::is_same(known.as_bytes(), given.as_bytes()))
    }

    /// Writes a line of the audit trail. What is to be audited is not shown or done when that fails.
    pub async fn audit(
        &self,
        action: &'static str,
        subject: &str,
        command: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(), Refusal> {
        let (account, role) = (self.visitor.name.as_str(), self.visitor.role_word());
        Ok(self.board.ledger.audit(Deed { account, role, action, subject, command, reason }).await?)
    }
}

/// The fields of a form.
pub(super) async fn form(headers: &HeaderMap, body: Body) -> Result<Fields, Refusal> {
    let bytes = Limited::new(body, FORM_BYTES_MAX).collect();
    let bytes = tokio::time::timeout(std::time::Duration::from_secs(10), bytes).await;
    let bytes = bytes.map_err(|_| Refusal::Wrong("dashboard.wrong.form"))?;
    let bytes = bytes.map_err(|_| Refusal::Wrong("dashboard.wrong.form"))?.to_bytes();
    let mut request = Request::post("/").body(Body::from(bytes)).map_err(|_| Refusal::Wrong("dashboard.wrong.form"))?;
    let media_type = headers.get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(""));
    request.headers_mut().insert(CONTENT_TYPE, media_type);
    request.headers_mut().remove(CONTENT_LENGTH);
    let form = Form::<Fields>::from_request(request, &()).await;
    form.map(|Form(fields)| fields).map_err(|_| Refusal::Wrong("dashboard.wrong.form"))
}

/// An address with values after `?`, those that are empty left out.
pub(super) fn address(path: &str, values: &[(&str, Option<&str>)]) -> String {
    let mut out = path.to_owned();
    let mut mark = '?';
    for (name, value) in values {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        out.push(mark);
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
                other => out.push_str(&format!("%{other:02X}")),
            }
        }
        mark = '&';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_an_address_cannot_break_out_of_it() {
        let made = address("/kerja", &[("puskesmas", Some("A & B\"é")), ("aturan", None), ("siapa", Some("kader"))]);
        assert_eq!(made, "/kerja?puskesmas=A%20%26%20B%22%C3%A9&siapa=kader");
    }
}
