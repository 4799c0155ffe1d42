//! Passwords and one-time codes: argon2id with the parameters that OWASP names first (19 MiB, two passes, one lane).
//!
//! It must not keep anything. Hashing takes tens of milliseconds and memory, so few run at once and none on a thread that
//! answers others.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use tokio::sync::Semaphore;

use super::Refusal;

/// Shortest password, in characters.
pub(super) const LENGTH_MIN: usize = 12;
/// Longest password, in bytes.
pub(super) const LENGTH_MAX: usize = 128;
/// Hashes computed at once: 19 MiB each.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// A password that nobody has, so that an unknown account takes as long as a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$qzVTnFK8TPQLUjzD3kaTUVYTEYAUD0ZoKQ2wwJmTCHk";

/// The hash of a password, as text.
pub(super) async fn hash(password: &str) -> Result<String, Refusal> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Refusal::Wrong("dashboard.refused.unavailable"))?;
    let password = password.to_owned();
    beside(move || {
        let salt = SaltString::encode_b64(&salt).ok()?;
        Some(Argon2::default().hash_password(password.as_bytes(), &salt).ok()?.to_string())
    })
    .await?
    .ok_or(Refusal::Wrong("dashboard.refused.unavailable"))
}

/// Whether a password is the one of a hash; without a hash never, after the same time.
pub(super) async fn is_right(password: &str, known: Option<&str>) -> Result<bool, Refusal> {
    let (password, has_one) = (password.to_owned(), known.is_some());
    let known = known.unwrap_or(NOBODY).to_owned();
    let fits = beside(move || {
        let known = PasswordHash::new(&known).ok()?;
        Some(Argon2::default().verify_password(password.as_bytes(), &known).is_ok())
    })
    .await?;
    Ok(fits.unwrap_or(false) && has_one)
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let _turn = AT_ONCE.acquire().await.map_err(|_| Refusal::TooMany)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Wrong("dashboard.refused.unavailable"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only_and_nobody_has_none() {
        let hash = hash("kata sandi panjang").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_right("kata sandi panjang", Some(&hash)).await.unwrap());
        assert!(!is_right("kata sandi pendek", Some(&hash)).await.unwrap());
        assert!(!is_right("kata sandi panjang", None).await.unwrap());
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
