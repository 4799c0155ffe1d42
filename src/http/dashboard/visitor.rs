//! Who asks: a login by its cookie, an account that a trusted proxy names, or whoever sits at the machine itself.
//!
//! It must not decide what they may see. Headers that others can write are believed only as configured.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use data_encoding::HEXLOWER;

use super::{Dashboard, Refusal};
use crate::ledger::account::{Account, Reach, Role};
use crate::seal::Keys;

/// Name of the cookie on this machine itself.
pub(super) const COOKIE_NAME: &str = "posyandu_masuk";
/// Its name behind TLS: browsers take one of this name only when it is secure and of this host alone.
pub(super) const COOKIE_NAME_SECURE: &str = "__Host-posyandu_masuk";
/// Longest token that is looked up, in bytes.
const TOKEN_BYTES_MAX: usize = 128;
/// What a proxy adds to what it passes on: then it does not come from this machine.
const PASSED_ON: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// What a request shows of whoever asks.
pub(super) struct Seen<'a> {
    pub headers: &'a HeaderMap,
    pub from: Option<IpAddr>,
}

impl Seen<'_> {
    fn header(&self, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The host that the browser believes to talk to, without the port.
    fn host(&self) -> &str {
        let host = self.header(HOST).unwrap_or_default();
        if host.starts_with('[') {
            return host.split_inclusive(']').next().unwrap_or(host);
        }
        host.rsplit_once(':').map_or(host, |(host, _)| host)
    }
}

/// How it is known who asks.
#[derive(Debug)]
enum How {
    /// Not at all, and nothing is shown.
    Stranger,
    /// Whoever sits at the machine while there are no accounts.
    Guest,
    /// A login, by its token.
    Login(String),
    /// A proxy said so.
    Proxy,
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Visitor {
    /// Name of the account.
    pub name: String,
    /// Whose data.
    pub reach: Reach,
    role: Option<Role>,
    how: How,
}

impl Visitor {
    fn nobody(how: How) -> Self {
        Self { name: String::new(), reach: Reach::default(), role: None, how }
    }

    fn known(account: Account, how: How) -> Self {
        Self { name: account.name, reach: account.reach, role: Some(account.role), how }
    }

    /// Whether it is an account.
    pub fn is_known(&self) -> bool {
        self.role.is_some()
    }

    /// Whether anything is shown at all.
    pub fn is_admitted(&self) -> bool {
        !matches!(self.how, How::Stranger)
    }

    /// The role of the account; `None` for a guest.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// The word of the role.
    pub fn role_word(&self) -> &'static str {
        self.role.map_or("", Role::word)
    }

    /// The token of the login, to end it.
    pub fn token(&self) -> Option<&str> {
        match &self.how {
            How::Login(token) => Some(token),
            _ => None,
        }
    }

    /// What a form of this login carries, so that no other page can make one; nobody but accounts has forms.
    pub fn csrf(&self, keys: &Keys) -> Option<String> {
        let parts = match &self.how {
            How::Login(token) => ["login", token.as_str()],
            How::Proxy => ["proxy", self.name.as_str()],
            How::Stranger | How::Guest => return None,
        };
        Some(HEXLOWER.encode(&keys.hash("dashboard.form", &parts)))
    }
}

/// Finds out who asks.
pub(super) async fn of(board: &Dashboard, seen: &Seen<'_>) -> Result<Visitor, Refusal> {
    if let Some(proxy) = &board.options.proxy
        && seen.from.is_some_and(|from| proxy.addresses.contains(&from))
        && let Some(name) = seen.header(&proxy.header)
    {
        let account = board.ledger.account(name).await?.filter(|account| account.disabled_at.is_none());
        return Ok(account.map_or(Visitor::nobody(How::Stranger), |account| Visitor::known(account, How::Proxy)));
    }
    if let Some(token) = token(board, seen.headers)
        && let Some(account) = board.ledger.login(&token).await?
    {
        return Ok(Visitor::known(account, How::Login(token)));
    }
    let is_guest = is_at_this_machine(board, seen) && !board.has_accounts().await?;
    Ok(Visitor::nobody(if is_guest { How::Guest } else { How::Stranger }))
}

/// Whether the request comes from this machine and was meant for it: not through a proxy, and not from a page whose
/// name was turned to this machine's address.
fn is_at_this_machine(board: &Dashboard, seen: &Seen<'_>) -> bool {
    let is_local_name = ["localhost", "127.0.0.1", "[::1]"].contains(&seen.host());
    board.options.guests
        && board.options.public_url.is_none()
        && board.options.proxy.is_none()
        && seen.from.is_some_and(|from| from.is_loopback())
        && is_local_name
        && !PASSED_ON.iter().any(|name| seen.headers.contains_key(*name))
}

fn token(board: &Dashboard, headers: &HeaderMap) -> Option<String> {
    let name = if board.options.public_url.is_some() { COOKIE_NAME_SECURE } else { COOKIE_NAME };
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let token = pairs.find(|(own, _)| *own == name)?.1;
    (token.len() <= TOKEN_BYTES_MAX).then(|| token.to_owned())
}

/// Whether a form was sent from these pages: browsers say so with every POST, and what does not say it is refused.
pub(super) fn is_own_origin(board: &Dashboard, seen: &Seen<'_>) -> bool {
    let Some(origin) = seen.header(ORIGIN) else { return false };
    match &board.options.public_url {
        Some(own) => origin == own,
        None => seen.header(HOST).is_some_and(|host| origin.strip_prefix("http://") == Some(host)),
    }
}

/// Whether two texts are the same; takes as long for a near miss as for a far one.
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |bits, (one, other)| std::hint::black_box(bits | (one ^ other)));
    one.len() == other.len() && differing == 0
}
