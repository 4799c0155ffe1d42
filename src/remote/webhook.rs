//! Hands short messages to an address of the office's own: who watches is told without having to look.
//!
//! It signs as the Standard Webhooks say (version 1, symmetric): the receiver can tell that a message is ours, whole and
//! fresh, and its id is the same for all tries. It must not follow redirects, and nothing personal is in a message.

use std::path::PathBuf;
use std::time::Duration;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Url};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::RemoteError;
use super::exchange::{self, Connecting};
use super::response::Interruption;
use crate::redact::Personal;

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Sizes of a secret's bytes that the form allows: 24 to 64.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Time for one try.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits between the tries of a message, in seconds; after the last it is given up. The schedule of svix (peers.md).
pub const TRY_AGAIN_SECONDS: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The address, its certificates, or the client.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The secret has another form.
    #[error("the secret must be `whsec_` and then 24 to 64 bytes in base64, as the receiver shows it")]
    Secret,
}

/// Where messages go.
pub struct Webhook {
    client: Client,
    url: Url,
    secret: Zeroizing<Vec<u8>>,
}

impl Webhook {
    /// Sets it up; calls nobody.
    ///
    /// # Errors
    /// An address that is none or would carry messages in clear, a secret of another form.
    pub fn new(url: &str, secret: &Personal<String>, extra_ca: Option<PathBuf>) -> Result<Self, WebhookError> {
        let encoded = secret.reveal().trim().strip_prefix(SECRET_PREFIX).ok_or(WebhookError::Secret)?;
        let secret = BASE64.decode(encoded.as_bytes()).map(Zeroizing::new).map_err(|_| WebhookError::Secret)?;
        if !SECRET_BYTES.contains(&secret.len()) {
            return Err(WebhookError::Secret);
        }
        let url = exchange::address(url, false)?;
        let connecting =
            Connecting { connect_timeout: TRY_TIMEOUT, request_timeout: TRY_TIMEOUT, extra_ca: extra_ca.as_deref() };
        let client = exchange::client(&connecting, url.scheme() == "https")?;
        Ok(Self { client, url, secret })
    }

    /// Hands one message over.
    ///
    /// # Errors
    /// Why the receiver did not take it: no answer, or any status that is not 2xx.
    pub async fn post(&self, id: &str, now: Timestamp, body: String) -> Result<(), String> {
        let seconds = now.as_second().to_string();
        let request = self
            .client
            .request(Method::POST, self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", &seconds)
            .header("webhook-signature", signature(&self.secret, id, &seconds, &body))
            .body(body)
            .build()
            .map_err(|error| error.without_url().to_string())?;
        match exchange::send(&self.client, request).await {
            Ok(received) => match received.reply().status {
                200..=299 => Ok(()),
                status => Err(format!("the receiver answered with status {status}")),
            },
            Err(Interruption::NotSent(words) | Interruption::NoAnswer(_, words)) => Err(words),
        }
    }
}

fn signature(secret: &[u8], id: &str, seconds: &str, body: &str) -> String {
    // A key of any length is accepted; the constructor has no other failure.
    let Ok(mut code) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    code.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(&code.finalize().into_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_another_form_and_addresses_in_clear_are_refused() {
        let of = |url: &str, secret: &str| Webhook::new(url, &Personal::new(secret.to_owned()), None);
        let good = format!("whsec_{}", BASE64.encode(&[7; 24]));
        assert!(of("http://127.0.0.1:9/x", &good).is_ok());
        assert!(matches!(of("http://10.1.2.3/x", &good), Err(WebhookError::Remote(RemoteError::PlainHttp { .. }))));
        for bad in ["", "whsec_", "whsec_####", &good[6..], &format!("whsec_{}", BASE64.encode(&[7; 23]))] {
            assert!(matches!(of("http://127.0.0.1:9/x", bad), Err(WebhookError::Secret)), "{bad}");
        }
    }
}
