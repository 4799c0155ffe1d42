//! Where posyandu lie and whom they belong to, and the levels by which a report adds them up.
//!
//! It must not read the register; whoever asks for a report hands it over.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::group::GROUPS;

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
    /// What is expected of it, if somebody planned or counted it.
    pub targets: Targets,
}

/// What is expected of a posyandu in the period; missing where nobody said so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// Days on which it was to open.
    pub days: Option<u64>,
    /// Persons in its area, by life-cycle group.
    pub persons: BTreeMap<&'static str, u64>,
}

impl Targets {
    /// Those of no posyandu at all: nothing, of everything.
    #[must_use]
    pub fn none() -> Self {
        Self { days: Some(0), persons: GROUPS.iter().map(|group| (group.name, 0)).collect() }
    }

    /// Adds those of another part; what one of both does not know is not known of the whole.
    pub fn join(&mut self, other: &Self) {
        self.days = self.days.zip(other.days).map(|(own, more)| own + more);
        self.persons.retain(|group, _| other.persons.contains_key(group));
        self.persons.iter_mut().for_each(|(group, number)| *number += other.persons[group]);
    }
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
