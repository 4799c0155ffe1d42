//! The style sheet, the script and the icon: compiled in, named by their content, kept by browsers for a year.
//!
//! There is nothing else to fetch, and nothing from elsewhere: the pages work without the internet.

use std::sync::OnceLock;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("assets/gaya.css");
const SCRIPT: &str = include_str!("assets/hidup.js");
const ICON: &str = include_str!("assets/tanda.svg");

struct File {
    path: String,
    media_type: &'static str,
    text: &'static str,
}

fn all() -> &'static [File; 3] {
    static ALL: OnceLock<[File; 3]> = OnceLock::new();
    let file = |name: &str, end: &str, media_type, text: &'static str| {
        let hash = HEXLOWER.encode(&Sha256::digest(text)[..8]);
        File { path: format!("/aset/{name}-{hash}.{end}"), media_type, text }
    };
    ALL.get_or_init(|| {
        [
            file("gaya", "css", "text/css; charset=utf-8", STYLE),
            file("hidup", "js", "text/javascript; charset=utf-8", SCRIPT),
            file("tanda", "svg", "image/svg+xml", ICON),
        ]
    })
}

/// Address of the style sheet.
pub(super) fn style() -> &'static str {
    &all()[0].path
}

/// Address of the script.
pub(super) fn script() -> &'static str {
    &all()[1].path
}

/// Address of the icon.
pub(super) fn icon() -> &'static str {
    &all()[2].path
}

/// The file at an address.
pub(super) fn find(path: &str) -> Option<Response<Body>> {
    let file = all().iter().find(|file| file.path == path)?;
    let mut response = Response::new(Body::from(file.text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Some(response)
}
