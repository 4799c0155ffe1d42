//! The population number (NIK): what a cell holds, and what the number says about birth and sex.
//!
//! It must not judge a person. A number that contradicts the birth date is only doubtful: SATUSEHAT's own test
//! persons have such numbers.

use jiff::civil::Date;

/// Digits of a NIK.
pub const DIGITS: usize = 16;
/// What is added to the day of birth in the number of a woman or girl.
const FEMALE_DAY_OFFSET: i8 = 40;
/// First digits of numbers that applications invent.
const INVENTED_PREFIX: &str = "9999";

/// What a NIK cell holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NikRead {
    /// Nothing.
    Absent,
    /// A number in scientific notation: its last digits are lost.
    Scientific,
    /// Some digits are hidden behind stars.
    Masked,
    /// An invented number.
    Placeholder,
    /// Letters stand where they look like digits: O for 0, l or I for 1.
    Letters,
    /// Another count of digits than 16.
    Digits(usize),
    /// Sixteen digits.
    Number {
        /// The digits.
        digits: String,
        /// The cell was a number whose last digit is 0: a spreadsheet keeps 15 digits and may have lost it.
        last_digit_doubtful: bool,
    },
}

/// Reads a tidied text.
#[must_use]
pub fn read(text: &str) -> NikRead {
    let mut compact: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    compact.retain(|character| !"'’‘`\"\u{a0}".contains(character));
    if super::words::says_nothing(&compact) {
        return NikRead::Absent;
    }
    let upper = compact.to_ascii_uppercase();
    if let Some((mantissa, exponent)) = upper.split_once('E') {
        let numeric =
            |part: &str| part.chars().all(|character| character.is_ascii_digit() || ".,+-".contains(character));
        if mantissa.starts_with(|first: char| first.is_ascii_digit()) && numeric(mantissa) && numeric(exponent) {
            return NikRead::Scientific;
        }
    }
    if compact.contains(['*', '#', '•']) || upper.contains("XX") {
        return NikRead::Masked;
    }
    let (digits, typed_number) = match compact.strip_suffix(".0").or_else(|| compact.strip_suffix(",0")) {
        Some(whole) => (whole, true),
        None => (compact.as_str(), false),
    };
    let count = digits.chars().filter(char::is_ascii_digit).count();
    if count != DIGITS || digits.chars().count() != DIGITS {
        let looks_like_digit = |character: char| character.is_ascii_digit() || "OoIl".contains(character);
        let letters = digits.len() == DIGITS && count >= DIGITS / 2 && digits.chars().all(looks_like_digit);
        return if letters { NikRead::Letters } else { NikRead::Digits(count) };
    }
    if is_invented(digits) {
        return NikRead::Placeholder;
    }
    NikRead::Number { digits: digits.to_owned(), last_digit_doubtful: typed_number && digits.ends_with('0') }
}

/// Whether nobody can have the number: a prefix of applications, one digit repeated, or digits in their order.
fn is_invented(digits: &str) -> bool {
    let pairs = || digits.as_bytes().windows(2);
    let counts_up = pairs().all(|pair| (pair[0] - b'0' + 1) % 10 == pair[1] - b'0');
    digits.starts_with(INVENTED_PREFIX) || counts_up || pairs().all(|pair| pair[0] == pair[1])
}

/// What the middle of the number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BirthPart {
    /// Whether it is the number of a woman or girl.
    pub female: bool,
    /// Day of the month.
    pub day: i8,
    /// Month.
    pub month: i8,
    /// Last two digits of the year.
    pub year: i16,
}

/// The birth part of a 16-digit number; `None` when it is no possible day.
#[must_use]
pub fn birth_part(digits: &str) -> Option<BirthPart> {
    let part = |from: usize| digits.get(from..from + 2).and_then(|part| part.parse::<i8>().ok());
    let (day, month, year) = (part(6)?, part(8)?, part(10)?);
    let female = day > FEMALE_DAY_OFFSET;
    let day = if female { day - FEMALE_DAY_OFFSET } else { day };
    let year = i16::from(year);
    let possible = [1900, 2000].into_iter().any(|century| Date::new(century + year, month, day).is_ok());
    possible.then_some(BirthPart { female, day, month, year })
}

impl BirthPart {
    /// Whether a birth date agrees.
    #[must_use]
    pub fn agrees_with(self, birth: Date) -> bool {
        (self.day, self.month, self.year) == (birth.day(), birth.month(), birth.year().rem_euclid(100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn numbers_are_cleaned() {
        for text in ["'1001014512230001", "1001 0145 1223 0001", "1001014512230001.0", "1001014512230001\u{a0}"] {
            let expected = NikRead::Number { digits: "1001014512230001".into(), last_digit_doubtful: false };
            assert_eq!(read(text), expected, "{text}");
        }
        let doubtful = NikRead::Number { digits: "1001014512230000".into(), last_digit_doubtful: true };
        assert_eq!(read("1001014512230000.0"), doubtful);
    }

    #[test]
    fn damaged_numbers_are_named() {
        assert_eq!(read("1,00101E+15"), NikRead::Scientific);
        assert_eq!(read("3.67E+15"), NikRead::Scientific);
        assert_eq!(read("100101******0001"), NikRead::Masked);
        assert_eq!(read("9999014512230001"), NikRead::Placeholder);
        assert_eq!(read("0000000000000000"), NikRead::Placeholder);
        assert_eq!(read(concat!("12345678", "90123456")), NikRead::Placeholder);
        assert_eq!(read("1OO1O14512230001"), NikRead::Letters);
        assert_eq!(read("l00101451223000I"), NikRead::Letters);
        assert_eq!(read("100101451223001"), NikRead::Digits(15));
        assert_eq!(read("10010145122300012"), NikRead::Digits(17));
        assert_eq!(read("belum ada"), NikRead::Digits(0));
        assert_eq!(read(" - "), NikRead::Absent);
    }

    #[test]
    fn the_birth_part_says_day_and_sex() {
        let girl = birth_part("1001014512230001");
        assert_eq!(girl, Some(BirthPart { female: true, day: 5, month: 12, year: 23 }));
        assert!(girl.is_some_and(|part| part.agrees_with(date(2023, 12, 5))));
        assert_eq!(birth_part("1001013202230001"), None);
        assert_eq!(birth_part("1001012913230001"), None);
    }
}
