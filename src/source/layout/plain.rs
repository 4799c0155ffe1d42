//! Texts of headers, labels and marks without what people vary, and comparing them without writing them anew.
//!
//! It must not know columns or profiles.

use super::{plain_header, separates};

/// What follows in a text behind a beginning that [`plain_header`] would write as `plain`.
#[inline]
pub fn behind_plain<'a>(text: &'a str, plain: &str) -> Option<&'a str> {
    if differ_early(text.as_bytes(), plain.as_bytes()) {
        return None;
    }
    let mut wanted = plain.chars();
    let mut rest = text.trim_start_matches(separates);
    while let Some(want) = wanted.clone().next() {
        let next = rest.chars().next()?;
        if separates(next) {
            rest = rest.trim_start_matches(separates);
            if want != ' ' || rest.is_empty() {
                return None;
            }
            wanted.next();
        } else {
            if next.to_lowercase().any(|lower| wanted.next() != Some(lower)) {
                return None;
            }
            rest = &rest[next.len_utf8()..];
        }
    }
    Some(rest)
}

/// Whether two texts differ before anything stands in them that needs a closer look; most do in their first letter.
#[inline]
fn differ_early(text: &[u8], plain: &[u8]) -> bool {
    let letters =
        text.iter().zip(plain).take_while(|(one, other)| one.is_ascii_alphanumeric() && other.is_ascii_alphanumeric());
    letters.into_iter().any(|(one, other)| one.to_ascii_lowercase() != *other)
}

/// Whether [`plain_header`] would write a text as `plain`.
#[must_use]
#[inline]
pub fn is_plain(text: &str, plain: &str) -> bool {
    behind_plain(text, plain).is_some_and(|rest| rest.chars().all(separates))
}

/// Whether the name of a sheet fits a pattern; `*` at the end of it stands for anything.
#[must_use]
pub fn fits_pattern(name: &str, pattern: &str) -> bool {
    match pattern.trim_end().strip_suffix('*') {
        Some(beginning) => behind_plain(name, &plain_header(beginning)).is_some(),
        None => is_plain(name, &plain_header(pattern)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_of_sheets_ignore_case_and_end_in_anything() {
        assert!(fits_pattern("REKAP  2026", "Rekap*") && fits_pattern("rekap", "Rekap*"));
        assert!(fits_pattern("Data Balita", "data_balita") && !fits_pattern("Data Balita 2", "Data Balita"));
        assert!(fits_pattern("apa saja", "*") && !fits_pattern("Balita", "Ibu*"));
    }

    proptest! {
        #[test]
        fn comparing_is_the_same_as_writing_both(one in "[ aA_*İß\u{a0}]{0,6}", other in "[ aA_*İß\u{a0}]{0,6}") {
            let plain = plain_header(&other);
            prop_assert_eq!(is_plain(&one, &plain), plain_header(&one) == plain);
            prop_assert_eq!(behind_plain(&one, &plain).is_some(), plain_header(&one).starts_with(&plain));
        }
    }
}
