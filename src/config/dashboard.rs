//! `[dashboard]`: the pages for people, and how they are reached.
//!
//! Only shapes, defaults and whether the settings fit together; who may see what is no setting.

use std::net::IpAddr;

use serde::Deserialize;

use super::ConfigError;

/// `[dashboard]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dashboard {
    /// Whether there are pages.
    pub enabled: bool,
    /// The address through a proxy with TLS; empty means on this machine only.
    pub public_url: String,
    /// The header in which the proxy says who asks; empty means that people log in here.
    pub proxy_header: String,
    /// Addresses from which that header is believed.
    pub proxy_addresses: Vec<IpAddr>,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self { enabled: true, public_url: String::new(), proxy_header: String::new(), proxy_addresses: Vec::new() }
    }
}

impl Dashboard {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let unfit = |text: &str| Err(ConfigError::Unfit(text.to_owned()));
        if !self.public_url.is_empty() {
            let host = self.public_url.strip_prefix("https://").unwrap_or_default();
            if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
                return unfit(
                    "[dashboard] public_url must be \"https://HOST\" or \"https://HOST:PORT\", without a path",
                );
            }
        }
        let is_token = |sign: char| sign.is_ascii_alphanumeric() || sign == '-';
        if !self.proxy_header.chars().all(is_token) {
            return unfit("[dashboard] proxy_header may hold only letters, digits and -");
        }
        if self.proxy_header.is_empty() != self.proxy_addresses.is_empty() {
            return unfit(
                "[dashboard] proxy_header and proxy_addresses belong together: a header that anybody could send proves \
                 nothing",
            );
        }
        if !self.proxy_header.is_empty() && self.public_url.is_empty() {
            return unfit("[dashboard] proxy_header needs public_url: the address of the proxy with TLS");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(public_url: &str, header: &str, addresses: &[IpAddr]) -> Result<(), ConfigError> {
        let proxy_addresses = addresses.to_vec();
        let (public_url, proxy_header) = (public_url.to_owned(), header.to_owned());
        Dashboard { enabled: true, public_url, proxy_header, proxy_addresses }.check()
    }

    #[test]
    fn a_proxy_is_told_wholly_or_not_at_all() {
        let proxy = [IpAddr::from([127, 0, 0, 1])];
        assert!(of("", "", &[]).is_ok() && of("https://posyandu.example", "", &[]).is_ok());
        assert!(of("https://posyandu.example:8443", "X-Remote-User", &proxy).is_ok());
        for url in ["http://posyandu.example", "https://", "https://a/b", "https://u@a", "posyandu.example"] {
            assert!(of(url, "", &[]).is_err(), "{url}");
        }
        assert!(of("https://a", "X-Remote-User", &[]).is_err() && of("https://a", "", &proxy).is_err());
        assert!(of("", "X-Remote-User", &proxy).is_err() && of("https://a", "X User", &proxy).is_err());
    }
}
