//! Units as the field writes them, beside their UCUM codes.
//!
//! It must not convert: a value in another unit is held for a person.

/// UCUM code as in the schemas, the same for people, and the spellings that mean it, lower case without spaces.
const UNITS: [(&str, &str, &[&str]); 6] = [
    ("kg", "kg", &["kg", "kilo", "kilogram"]),
    ("cm", "cm", &["cm", "senti", "sentimeter"]),
    ("mm[Hg]", "mmHg", &["mmhg"]),
    ("mg/dL", "mg/dL", &["mg/dl", "mgdl"]),
    ("g/dL", "g/dL", &["g/dl", "gr/dl", "gdl", "g%", "gr%"]),
    ("wk", "minggu", &["minggu", "mgg", "mng"]),
];
/// Units that no field is held in, but that are written all the same.
const FOREIGN: [&str; 12] = ["mm", "m", "g", "gr", "gram", "bulan", "bln", "tahun", "thn", "th", "mmol/l", "hari"];

/// What a field is counted in; none of them changes the number.
const COUNTED: [&str; 12] =
    ["tablet", "tab", "tbl", "kapsul", "kaps", "butir", "biji", "bungkus", "porsi", "orang", "kali", "x"];

/// Whether the letters behind a number are a unit at all.
#[must_use]
pub fn is_known(letters: &str) -> bool {
    FOREIGN.contains(&letters) || UNITS.iter().any(|(_, _, spellings)| spellings.contains(&letters))
}

/// Whether the letters mean a unit, given by its UCUM code.
#[must_use]
pub fn means(letters: &str, code: &str) -> bool {
    UNITS.iter().any(|(known, _, spellings)| *known == code && spellings.contains(&letters))
}

/// Whether the letters only say what was counted.
#[must_use]
pub fn is_counted(letters: &str) -> bool {
    COUNTED.contains(&letters)
}

/// A UCUM code as people write it.
#[must_use]
pub fn for_people(code: &str) -> &str {
    UNITS.iter().find(|(known, _, _)| *known == code).map_or(code, |(_, people, _)| people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_mean_one_unit() {
        assert!(means("mmhg", "mm[Hg]") && means("mgg", "wk") && means("gr/dl", "g/dL"));
        assert!(!means("mg/dl", "g/dL") && !means("cm", "kg"));
        assert!(is_known("gram") && !is_known("menangis"));
        assert_eq!(for_people("mm[Hg]"), "mmHg");
    }
}
