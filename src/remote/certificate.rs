//! When certificates end: the server's, as it showed it, and those of a file.
//!
//! Pure reading of dates. Whether a certificate is trusted is decided by the TLS library alone.

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// End of a certificate's validity; `None` when it cannot be read.
#[must_use]
pub fn ends(der: &[u8]) -> Option<Timestamp> {
    let certificate = Certificate::from_der(der).ok()?;
    let seconds = certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

/// The earliest end of the certificates in a PEM file; `None` when there is none that can be read.
#[must_use]
pub fn first_end(pem: &Path) -> Option<Timestamp> {
    let content = std::fs::read(pem).ok()?;
    CertificateDer::pem_slice_iter(&content).filter_map(|der| ends(&der.ok()?)).min()
}
