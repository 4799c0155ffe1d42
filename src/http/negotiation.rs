//! What a caller sends and wishes to get: media types and the language of sentences, from its headers.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};

use super::split::Form;
use crate::words::Language;

/// Media type of a JSON array or object.
pub const JSON: &str = "application/json";
/// Media type of one JSON text a line.
pub const NDJSON: &str = "application/x-ndjson";
/// Both, for messages.
pub const BOTH: &str = "application/json, application/x-ndjson";

impl Form {
    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Lines => NDJSON,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The form of a body; `None` when it is none of ours, compressed, or in another character set.
#[must_use]
pub fn sent(headers: &HeaderMap) -> Option<Form> {
    if text(headers, &CONTENT_ENCODING).is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        return None;
    }
    let mut parts = text(headers, &CONTENT_TYPE)?.split(';').map(|part| part.trim().to_ascii_lowercase());
    let form = match parts.next()?.as_str() {
        JSON => Form::Json,
        NDJSON => Form::Lines,
        _ => return None,
    };
    let foreign = |part: &String| {
        part.strip_prefix("charset=").is_some_and(|name| !["utf-8", "utf8"].contains(&name.trim_matches('"')))
    };
    if parts.any(|part| foreign(&part)) { None } else { Some(form) }
}

/// The form in which the caller wishes its answer; that of its body when it does not mind. `None` when it takes
/// neither.
#[must_use]
pub fn wished(headers: &HeaderMap, sent: Form) -> Option<Form> {
    let listed = listed(headers, &ACCEPT);
    if listed.is_empty() {
        return Some(sent);
    }
    let quality = |form: Form| {
        let ranks = ["*/*", "application/*", form.media_type()];
        let fitting = listed
            .iter()
            .filter_map(|(range, quality)| ranks.iter().position(|known| known == range).map(|rank| (rank, *quality)));
        fitting.max_by_key(|(rank, _)| *rank).map_or(0, |(_, quality)| quality)
    };
    match (quality(Form::Json), quality(Form::Lines)) {
        (0, 0) => None,
        (json, lines) if json == lines => Some(sent),
        (json, lines) => Some(if json > lines { Form::Json } else { Form::Lines }),
    }
}

/// Whether the caller takes a media type that we have no choice about.
#[must_use]
pub fn takes_json(headers: &HeaderMap) -> bool {
    let listed = listed(headers, &ACCEPT);
    let fits = |(range, quality): &(String, u32)| *quality > 0 && ["*/*", "application/*", JSON].contains(&&**range);
    listed.is_empty() || listed.iter().any(fits)
}

/// The language of sentences: English for those who prefer it to Indonesian.
#[must_use]
pub fn language(headers: &HeaderMap) -> Language {
    let listed = listed(headers, &ACCEPT_LANGUAGE);
    let quality = |language: &str| {
        let of = |(range, quality): &(String, u32)| {
            let primary = range.split('-').next().unwrap_or_default();
            (primary == language).then_some(*quality)
        };
        listed.iter().filter_map(of).max().unwrap_or(0)
    };
    if quality("en") > quality("id") { Language::English } else { Language::Indonesian }
}

/// The entries of a list header with their quality in thousandths.
fn listed(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, u32)> {
    let all = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let entry = |entry: &str| {
        let mut parts = entry.split(';').map(|part| part.trim().to_ascii_lowercase());
        let range = parts.next().filter(|range| !range.is_empty())?;
        let quality = parts.find_map(|part| part.strip_prefix("q=").map(thousandths)).unwrap_or(1000);
        Some((range, quality))
    };
    all.flat_map(|line| line.split(',')).filter_map(entry).collect()
}

fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u32>().unwrap_or(0).saturating_mul(1000).saturating_add(padded.parse().unwrap_or(0)).min(1000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn kinds_of_bodies() {
        for (value, form) in [
            ("application/json", Some(Form::Json)),
            ("Application/JSON; charset=UTF-8", Some(Form::Json)),
            ("application/x-ndjson", Some(Form::Lines)),
            ("application/json; charset=latin1", None),
            ("text/plain", None),
        ] {
            assert_eq!(sent(&headers(CONTENT_TYPE, value)), form, "{value}");
        }
        let mut packed = headers(CONTENT_TYPE, JSON);
        packed.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(sent(&packed), None);
    }

    #[test]
    fn wishes() {
        for (value, form) in [
            ("*/*", Some(Form::Lines)),
            ("application/json", Some(Form::Json)),
            ("application/json;q=0.5, application/x-ndjson", Some(Form::Lines)),
            ("application/x-ndjson;q=0, */*", Some(Form::Json)),
            ("text/html", None),
        ] {
            assert_eq!(wished(&headers(ACCEPT, value), Form::Lines), form, "{value}");
        }
        assert_eq!(wished(&HeaderMap::new(), Form::Json), Some(Form::Json));
        assert!(takes_json(&headers(ACCEPT, "text/html, */*;q=0.1")) && !takes_json(&headers(ACCEPT, "text/html")));
    }

    #[test]
    fn languages() {
        for (value, language_of) in [
            ("en", Language::English),
            ("en-GB, id;q=0.8", Language::English),
            ("id, en;q=0.8", Language::Indonesian),
            ("fr", Language::Indonesian),
        ] {
            assert_eq!(language(&headers(ACCEPT_LANGUAGE, value)), language_of, "{value}");
        }
    }
}
