//! What the values of a column look like: counts, never values.
//!
//! It must not keep a value, but for short words that occur again and again and could be codes.

use std::collections::BTreeMap;

use crate::record::antigen::{Antigens, VaccineRead};
use crate::record::words::{fold, says_nothing, tidy};
use crate::source::cells::CellKind;
use crate::source::profile::field::{DateStyle, Format};

/// Longest word that may be shown, in characters.
const WORD_CHARACTERS_MAX: usize = 14;
/// Most different texts of a column that may be codes.
const WORDS_MAX: usize = 8;
/// Each word must occur so often to be shown: a name stands there once or twice.
const WORD_COUNT_MIN: usize = 3;
/// Digits of a NIK.
const NIK_DIGITS: usize = 16;
/// Days since 1899-12-30 that may be a date of somebody alive: 1914 to 2064.
const SERIALS: std::ops::RangeInclusive<u32> = 5_114..=60_000;
/// Share of the values that must look alike before it says something, in percent.
pub const SHARE_MIN: usize = 80;
/// Share below which the values contradict what the header says, in percent.
const SHARE_LEAST: usize = 30;
/// So few values say nothing against a header.
const VALUES_MIN: usize = 3;

/// What was counted in a column.
#[derive(Debug, Default)]
pub struct Look {
    /// Cells with a value.
    pub filled: usize,
    /// Numbers of 16 digits, also masked ones.
    pub niks: usize,
    /// Numbers of any kind, with or without unit.
    pub numbers: usize,
    /// Numbers with a decimal comma, with a decimal point.
    pub commas: usize,
    /// Numbers with a decimal point, in text.
    pub points: usize,
    /// Words for male and female.
    pub sexes: usize,
    /// Names of vaccines.
    pub vaccines: usize,
    /// Dates by the way they are written.
    pub dates: BTreeMap<u8, usize>,
    /// Folded text → as written first, and how often; emptied when there are too many.
    words: BTreeMap<String, (String, usize)>,
    many: bool,
}

/// The styles, in the order in which a profile lists them.
pub const STYLES: [DateStyle; 5] =
    [DateStyle::DayFirst, DateStyle::Iso, DateStyle::MonthFirst, DateStyle::MonthName, DateStyle::Serial];
/// A day that may also be a month: neither order is shown by it.
const EITHER_WAY: u8 = 100;

impl Look {
    /// Counts a cell.
    pub fn count(&mut self, raw: &str, kind: CellKind, antigens: &Antigens) {
        let text = tidy(raw);
        if says_nothing(&text) || kind == CellKind::Error {
            return;
        }
        self.filled += 1;
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let masked = text.chars().filter(|character| matches!(character, '*' | 'x' | 'X')).count();
        let marks = text.chars().all(|character| character.is_ascii_digit() || " .-*xX".contains(character));
        self.niks += usize::from(marks && digits >= 4 && digits + masked == NIK_DIGITS);
        if let Some(style) = style_of(&text, kind) {
            *self.dates.entry(style).or_default() += 1;
        } else if text.starts_with(|first: char| first.is_ascii_digit()) && digits < NIK_DIGITS {
            self.numbers += 1;
            self.commas += usize::from(kind == CellKind::Text && text.contains(','));
            self.points += usize::from(kind == CellKind::Text && text.contains('.'));
        }
        let folded = fold(&text);
        let sexes = ["l", "p", "lk", "pr", "lakilaki", "perempuan", "laki", "wanita", "pria"];
        self.sexes += usize::from(sexes.contains(&folded.as_str()));
        if text.chars().count() <= WORD_CHARACTERS_MAX * 3 {
            self.vaccines += usize::from(!matches!(antigens.read(&text), VaccineRead::Unknown));
        }
        self.word(text, folded);
    }

    /// Only how many values there are.
    #[must_use]
    pub fn only_filled(self) -> Self {
        Self { filled: self.filled, ..Self::default() }
    }

    fn word(&mut self, text: String, folded: String) {
        if self.many {
            return;
        }
        self.words.entry(folded).or_insert((text, 0)).1 += 1;
        // Room for words that are misspelt now and then; beyond it this is no column of codes.
        if self.words.len() > WORDS_MAX * 4 {
            self.many = true;
            self.words.clear();
        }
    }

    /// The folded words of the column; none when there are too many to be codes.
    pub fn words(&self) -> impl Iterator<Item = (&str, usize)> {
        self.words.iter().map(|(folded, (_, count))| (folded.as_str(), *count))
    }

    /// Words that are none of a list and may be shown: short, few, without digits, each said again and again.
    #[must_use]
    pub fn unknown(&self, is_known: impl Fn(&str) -> bool) -> Vec<(&str, usize)> {
        if self.words.len() > WORDS_MAX {
            return Vec::new();
        }
        let fits = |text: &str, count: usize| {
            let letters = |character: char| character.is_alphabetic() || " /-+".contains(character);
            count >= WORD_COUNT_MIN && text.chars().count() <= WORD_CHARACTERS_MAX && text.chars().all(letters)
        };
        let unknown = self.words.iter().filter(|(folded, (text, count))| !is_known(folded) && fits(text, *count));
        unknown.map(|(_, (text, count))| (text.as_str(), *count)).collect()
    }

    /// Dates in any style.
    #[must_use]
    pub fn all_dates(&self) -> usize {
        self.dates.values().sum()
    }

    /// Whether most values are of a kind that was counted.
    #[must_use]
    pub fn mostly(&self, count: usize) -> bool {
        self.filled > 0 && count * 100 >= self.filled * SHARE_MIN
    }

    /// How many values are what a format reads; `None` for formats that any text may be.
    #[must_use]
    pub fn fitting(&self, format: Format) -> Option<usize> {
        match format {
            Format::Nik => Some(self.niks + self.numbers),
            Format::Date => Some(self.all_dates() + self.numbers),
            Format::Number | Format::Count | Format::Computed | Format::BloodPressure => {
                // Spreadsheets turn weights into dates now and then.
                Some(self.numbers + self.all_dates())
            }
            Format::Name => Some(self.filled.saturating_sub(self.numbers + self.niks + self.all_dates())),
            _ => None,
        }
    }

    /// Whether the values speak against a format.
    #[must_use]
    pub fn contradicts(&self, format: Format) -> bool {
        self.filled >= VALUES_MIN
            && self.fitting(format).is_some_and(|fitting| fitting * 100 < self.filled * SHARE_LEAST)
    }

    /// Adds the styles of the column's dates.
    pub fn add_styles(&self, styles: &mut BTreeMap<u8, usize>) {
        for (style, count) in &self.dates {
            *styles.entry(*style).or_default() += count;
        }
    }
}

/// The styles to read dates with, and whether the values leave no doubt.
#[must_use]
pub fn styles(counted: &BTreeMap<u8, usize>) -> (Vec<DateStyle>, bool) {
    let seen = |at: usize| u8::try_from(at).is_ok_and(|at| counted.contains_key(&at));
    let either = counted.contains_key(&EITHER_WAY);
    // Both orders in one file would leave every date ambiguous: the field's own order goes first.
    let month_first = seen(2) && !seen(0);
    let kept = |at: usize| match at {
        0 => seen(0) || (either && !month_first),
        2 => month_first,
        at => seen(at),
    };
    let found: Vec<DateStyle> =
        STYLES.iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, style)| *style).collect();
    // One order and only one is shown, or no date could be read in two orders.
    let certain = if either { seen(0) != seen(2) } else { !(seen(0) && seen(2)) };
    if found.is_empty() {
        (vec![DateStyle::DayFirst, DateStyle::Iso, DateStyle::MonthName], false)
    } else {
        (found, certain)
    }
}

fn style_of(text: &str, kind: CellKind) -> Option<u8> {
    if kind == CellKind::Date {
        return Some(1);
    }
    if kind == CellKind::Number {
        return text.parse::<u32>().ok().filter(|days| SERIALS.contains(days) && text.len() == 5).map(|_| 4);
    }
    let parts: Vec<&str> = text.split(['/', '-', '.', ' ', ',', 'T']).filter(|part| !part.is_empty()).take(4).collect();
    let [one, two, three, ..] = parts.as_slice() else { return None };
    let number = |part: &str| part.parse::<u32>().ok().filter(|_| part.len() <= 4);
    let is_year = |part: &str| number(part).is_some_and(|year| part.len() == 2 || (1900..=2100).contains(&year));
    match (number(one), number(two)) {
        (Some(_), Some(month)) if one.len() == 4 && month <= 12 && number(three).is_some_and(|day| day <= 31) => {
            is_year(one).then_some(1)
        }
        (Some(first), Some(second)) if is_year(three) => match (first, second) {
            (1..=12, 1..=12) => Some(EITHER_WAY),
            (13..=31, 1..=12) => Some(0),
            (1..=12, 13..=31) => Some(2),
            _ => None,
        },
        (Some(1..=31), None) if is_year(three) && two.chars().all(char::is_alphabetic) => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_of_dates_are_told_apart() {
        for (text, style) in [
            ("2026-11-18", Some(1)),
            ("18/11/2026", Some(0)),
            ("11/18/2026", Some(2)),
            ("05/04/2026", Some(EITHER_WAY)),
            ("18 Nopember 2026", Some(3)),
            ("10.5", None),
            ("120/80", None),
        ] {
            assert_eq!(style_of(text, CellKind::Text), style, "{text}");
        }
        assert_eq!(styles(&BTreeMap::from([(EITHER_WAY, 3)])), (vec![DateStyle::DayFirst], false));
        assert_eq!(styles(&BTreeMap::from([(2, 1), (EITHER_WAY, 3)])), (vec![DateStyle::MonthFirst], true));
    }
}
