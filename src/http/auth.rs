//! Who may send: one token per sender; and who may read the metrics.
//!
//! It must not keep a token: only its hash stays in memory, and comparing takes as long for a near miss as for a far one.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::ingest::intake::Sender;
use crate::redact::Personal;

/// Shortest token, in characters: 32 random letters and digits cannot be tried out.
pub const TOKEN_LENGTH_MIN: usize = 32;
/// Longest token, in characters: it must fit a header.
pub const TOKEN_LENGTH_MAX: usize = 512;

/// Why the tokens cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too short or too long.
    #[error(
        "`{0}`: its token must have {TOKEN_LENGTH_MIN} to {TOKEN_LENGTH_MAX} characters; make one with \
         `openssl rand -hex 32`"
    )]
    Length(String),
    /// A character that a header cannot carry as a token.
    #[error("`{0}`: its token may hold only letters, digits and the marks - . _ ~ + / =")]
    Characters(String),
    /// Two senders share one.
    #[error("the senders `{0}` and `{1}` have the same token: give each its own")]
    Shared(String, String),
}

/// The senders with the hashes of their tokens.
pub struct Senders(Vec<(Sender, [u8; 32])>);

impl fmt::Debug for Senders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(sender, _)| &sender.name)).finish()
    }
}

impl Senders {
    /// Checks the tokens.
    ///
    /// # Errors
    /// [`TokenError`] for the first one that cannot be used.
    pub fn new(senders: Vec<(Sender, Personal<String>)>) -> Result<Self, TokenError> {
        let mut known: Vec<(Sender, [u8; 32])> = Vec::with_capacity(senders.len());
        for (sender, token) in senders {
            let hash = usable(&sender.name, &token)?;
            if let Some((other, _)) = known.iter().find(|(_, other)| *other == hash) {
                return Err(TokenError::Shared(other.name.clone(), sender.name));
            }
            known.push((sender, hash));
        }
        Ok(Self(known))
    }

    /// Number of senders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody may send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sender at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&Sender> {
        self.0.get(position).map(|(sender, _)| sender)
    }

    /// Position of the sender whose token an `Authorization` header carries.
    #[must_use]
    pub fn who(&self, authorization: &str) -> Option<usize> {
        let given = bearer(authorization)?;
        let mut found = None;
        // Every sender is compared, whoever it was.
        for (position, (_, known)) in self.0.iter().enumerate() {
            if differing_bits(&given, known) == 0 {
                found = Some(position);
            }
        }
        found
    }
}

/// The token of whoever reads the metrics.
pub struct ScrapeToken([u8; 32]);

impl fmt::Debug for ScrapeToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ScrapeToken")
    }
}

impl ScrapeToken {
    /// Checks the token.
    ///
    /// # Errors
    /// [`TokenError`] when it cannot be used.
    pub fn new(token: &Personal<String>) -> Result<Self, TokenError> {
        Ok(Self(usable("[http] scrape_token_file", token)?))
    }

    /// Whether an `Authorization` header carries it.
    #[must_use]
    pub fn fits(&self, authorization: &str) -> bool {
        bearer(authorization).is_some_and(|given| differing_bits(&given, &self.0) == 0)
    }
}

/// The hash of a token that is strong enough and fits a header.
fn usable(whose: &str, token: &Personal<String>) -> Result<[u8; 32], TokenError> {
    let token = token.reveal();
    if !(TOKEN_LENGTH_MIN..=TOKEN_LENGTH_MAX).contains(&token.len()) {
        return Err(TokenError::Length(whose.to_owned()));
    }
    if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)) {
        return Err(TokenError::Characters(whose.to_owned()));
    }
    Ok(hash(token))
}

/// The hash of the token in a header.
fn bearer(authorization: &str) -> Option<[u8; 32]> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| hash(token.trim()))
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// All bytes are looked at, so that the time says nothing about where two hashes differ.
fn differing_bits(one: &[u8; 32], other: &[u8; 32]) -> u8 {
    one.iter().zip(other).fold(0, |bits, (one, other)| std::hint::black_box(bits | (one ^ other)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::Zone;

    fn sender(name: &str, token: &str) -> (Sender, Personal<String>) {
        let sender = Sender { name: name.to_owned(), puskesmas: "Contoh".to_owned(), zone: Zone::Wib };
        (sender, Personal::new(token.to_owned()))
    }

    #[test]
    fn a_token_finds_its_sender_and_no_other() {
        let senders = Senders::new(vec![sender("a", &"a".repeat(32)), sender("b", &"b".repeat(32))]).unwrap();
        assert_eq!(senders.who(&format!("bearer {}", "b".repeat(32))), Some(1));
        for wrong in [format!("Bearer {}", "b".repeat(31)), "b".repeat(32), format!("Basic {}", "b".repeat(32))] {
            assert_eq!(senders.who(&wrong), None, "{wrong}");
        }
        assert!(!format!("{senders:?}").contains("bbb"));
    }

    #[test]
    fn weak_and_shared_tokens_are_refused() {
        let of = |list| Senders::new(list).map(|_| ()).unwrap_err();
        assert_eq!(of(vec![sender("a", &"a".repeat(31))]), TokenError::Length("a".to_owned()));
        assert_eq!(of(vec![sender("a", &"a b".repeat(20))]), TokenError::Characters("a".to_owned()));
        let twice = of(vec![sender("a", &"a".repeat(32)), sender("b", &"a".repeat(32))]);
        assert_eq!(twice, TokenError::Shared("a".to_owned(), "b".to_owned()));
    }
}
