//! Ages: what follows from birth date and day of service, and ages that somebody wrote out.
//!
//! It must not take a written age for a birth date: it was true on the day somebody typed it.

use super::words::fold;

/// Completed months of `1 Tahun - 11 Bulan - 13 Hari`, `35THN1BLN` or a bare number of months.
#[must_use]
pub fn written_months(text: &str) -> Option<i64> {
    if let Ok(months) = text.parse::<i64>() {
        return Some(months);
    }
    let (mut months, mut found) = (0_i64, false);
    let mut digits = String::new();
    let mut letters = String::new();
    for character in fold(text).chars().chain(['0']) {
        if !character.is_ascii_digit() {
            letters.push(character);
            continue;
        }
        if !letters.is_empty() {
            let count: i64 = digits.parse().ok().filter(|count| *count < 1000)?;
            match letters.as_str() {
                "tahun" | "thn" | "th" => months += count * 12,
                "bulan" | "bln" | "bl" => months += count,
                "hari" | "hr" => {}
                _ => return None,
            }
            found = true;
            digits.clear();
            letters.clear();
        }
        digits.push(character);
    }
    found.then_some(months)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_ages() {
        for (text, months) in [
            ("1 Tahun - 11 Bulan - 13 Hari", Some(23)),
            ("35THN1BLN", Some(421)),
            ("17", Some(17)),
            ("5 bln", Some(5)),
            ("entah", None),
            ("3", Some(3)),
        ] {
            assert_eq!(written_months(text), months, "{text}");
        }
    }
}
