//! Personal data that prints as a mask, so that it cannot slip into a log, an error or a panic.
//!
//! It must not decide what is personal: the record schemas do.

use std::fmt;

/// What is printed in place of a personal value.
pub const MASK: &str = "•••";

/// A value about a person. It shows as [`MASK`] in `Debug` and `Display`; reading it is explicit.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Looks at the value. Call it only where the value must leave: the sealed store or SATUSEHAT.
    pub fn reveal(&self) -> &T {
        &self.0
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl<T> fmt::Display for Personal<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

/// Masks a text for a report: only its length in characters stays visible.
#[must_use]
pub fn mask(text: &str) -> String {
    "•".repeat(text.trim().chars().count().min(MASKED_CHARACTERS_AT_MOST))
}

/// Longest mask, in characters: a longer one says nothing more.
const MASKED_CHARACTERS_AT_MOST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_value_never_prints() {
        let name = Personal::new("Siti".to_owned());
        assert_eq!(format!("{name} {name:?}"), "••• •••");
        assert_eq!(mask(" 12345 "), "•••••");
    }
}
