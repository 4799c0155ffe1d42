//! Where posyandu lie and whom they belong to, and the levels by which a report adds them up.
//!
//! It must not read the register; whoever asks for a report hands it over.

use std::collections::BTreeMap;

/// Digits of a kelurahan's code that name its kecamatan: province, city, district (posyandu records, section 6.1).
const DISTRICT_DIGITS: usize = 6;

/// One posyandu of the register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// Its puskesmas.
    pub puskesmas: String,
    /// Code of its kelurahan; empty when the register has none.
    pub village: String,
    /// S: children below five that are registered in its area, if somebody counted them.
    pub registered: Option<u64>,
    /// K: of those, children who hold the growth card.
    pub with_card: Option<u64>,
}

impl Area {
    /// What the register tells: S and K are counted by somebody else.
    #[must_use]
    pub fn new(name: &str, puskesmas: &str, village: &str) -> Self {
        let (name, puskesmas, village) = (name.to_owned(), puskesmas.to_owned(), village.to_owned());
        Self { name, puskesmas, village, ..Self::default() }
    }
}

/// All posyandu by code.
pub type Areas = BTreeMap<String, Area>;

/// What a line of a report stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Each posyandu.
    Posyandu,
    /// Each kelurahan.
    Village,
    /// Each kecamatan.
    District,
    /// Each puskesmas.
    Puskesmas,
    /// The city as a whole.
    City,
}

impl Level {
    /// Key and name of the line that a posyandu belongs to; an empty key where the register does not tell.
    #[must_use]
    pub fn line(self, code: Option<&str>, puskesmas: Option<&str>, areas: &Areas) -> (String, String) {
        let area = code.and_then(|code| areas.get(code));
        let alike = |text: &str| (text.to_owned(), text.to_owned());
        match self {
            Self::Posyandu => {
                let code = code.unwrap_or_default();
                (code.to_owned(), area.map_or_else(|| code.to_owned(), |area| area.name.clone()))
            }
            Self::Village => alike(area.map_or("", |area| area.village.as_str())),
            Self::District => alike(area.and_then(|area| area.village.get(..DISTRICT_DIGITS)).unwrap_or_default()),
            Self::Puskesmas => alike(area.map(|area| area.puskesmas.as_str()).or(puskesmas).unwrap_or_default()),
            Self::City => alike("-"),
        }
    }

    /// The word in JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Posyandu => "posyandu",
            Self::Village => "kelurahan",
            Self::District => "kecamatan",
            Self::Puskesmas => "puskesmas",
            Self::City => "kota",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posyandu_belongs_to_one_line_of_each_level() {
        let area =
            Area { name: "Melati".into(), puskesmas: "Utara".into(), village: "1001011001".into(), ..Area::default() };
        let areas = Areas::from([("U1".to_owned(), area)]);
        let key = |level: Level, code| level.line(code, Some("Selatan"), &areas).0;
        assert_eq!(key(Level::Posyandu, Some("U1")), "U1");
        assert_eq!(key(Level::Village, Some("U1")), "1001011001");
        assert_eq!(key(Level::District, Some("U1")), "100101");
        assert_eq!(
            (key(Level::Puskesmas, Some("U1")), key(Level::Puskesmas, None)),
            ("Utara".into(), "Selatan".into())
        );
        assert_eq!((key(Level::Village, Some("X")), key(Level::City, None)), (String::new(), "-".into()));
    }
}
