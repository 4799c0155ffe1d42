//! The token endpoint and what a bearer token stands for.
//!
//! It must not know FHIR; it ends where the caller is known.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::generator::Generator;
use super::options::{Client, Options};
use super::outcome::Reply;

/// Tokens kept before those past their time are forgotten.
const TOKENS_KEPT_MAX: usize = 1024;

/// Who calls, as the token says.
#[derive(Clone, Debug)]
struct Grant {
    client_id: String,
    expires: Timestamp,
}

/// Tokens given out and clients met.
#[derive(Default)]
pub(super) struct Tokens {
    grants: HashMap<String, Grant>,
    /// Organisation by client id; empty until an open simulator has learnt it.
    organizations: HashMap<String, String>,
}

/// A caller with a good token.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Its client id.
    pub client_id: String,
    /// Its organisation number; empty while unknown.
    pub organization: String,
}

impl Tokens {
    /// Answers a token request.
    pub(super) fn issue(
        &mut self,
        options: &Options,
        parameters: &HashMap<String, String>,
        now: Timestamp,
        generator: &mut Generator,
    ) -> Reply {
        let text = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let (client_id, secret) = (text("client_id"), text("client_secret"));
        let known = options.clients.iter().find(|client| client.client_id == client_id);
        let good = match known {
            Some(client) => client.client_secret == secret,
            None => options.open && !client_id.is_empty() && !secret.is_empty(),
        };
        if text("grant_type") != "client_credentials" || !good {
            let body = json!({"ErrorCode": "invalid_client", "Error": "ClientId is Invalid"});
            return Reply::json(401, &body);
        }
        let organization = known.map_or(String::new(), |client: &Client| client.organization_id.clone());
        let organization = self.organizations.entry(client_id.to_owned()).or_insert(organization).clone();
        let lifetime = options.token_lifetime_seconds;
        let expires = now.saturating_add(Duration::from_secs(lifetime)).unwrap_or(Timestamp::MAX);
        if self.grants.len() >= TOKENS_KEPT_MAX {
            self.grants.retain(|_, grant| grant.expires > now);
        }
        let token = generator.token();
        self.grants.insert(token.clone(), Grant { client_id: client_id.to_owned(), expires });
        Reply::json(
            200,
            &json!({
                "refresh_token_expires_in": "0",
                "api_product_list": "[simulator]",
                "api_product_list_json": ["simulator"],
                "organization_name": organization,
                "developer.email": "simulator@localhost",
                "token_type": "BearerToken",
                "issued_at": now.as_millisecond().to_string(),
                "client_id": client_id,
                "access_token": token,
                "application_name": "simulator",
                "scope": "",
                "expires_in": lifetime.to_string(),
                "refresh_count": "0",
                "status": "approved",
            }),
        )
    }

    /// The caller behind an Authorization header, or the answer that turns it away.
    pub(super) fn caller(&self, authorization: Option<&str>, now: Timestamp) -> Result<Caller, Reply> {
        let token = authorization.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        let grant = self.grants.get(token).ok_or_else(Reply::invalid_token)?;
        if grant.expires <= now {
            return Err(Reply::expired_token());
        }
        let organization = self.organizations.get(&grant.client_id).cloned().unwrap_or_default();
        Ok(Caller { client_id: grant.client_id.clone(), organization })
    }

    /// Whose a token is or was; `None` for one that was never given out.
    pub(super) fn owner(&self, authorization: Option<&str>) -> Option<&str> {
        let token = authorization?.strip_prefix("Bearer ")?;
        self.grants.get(token).map(|grant| grant.client_id.as_str())
    }

    /// Remembers the organisation an open simulator has learnt.
    pub(super) fn learn(&mut self, client_id: &str, organization: &str) {
        self.organizations.insert(client_id.to_owned(), organization.to_owned());
    }
}
