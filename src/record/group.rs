//! The six life-cycle groups: which dataset a visit of each is kept in, and the ages it serves.
//!
//! It must not decide from the age who is pregnant or breastfeeding: only a table, a dataset or a person can tell.

use super::Record;

/// One life-cycle group.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    /// Name in the canonical model.
    pub name: &'static str,
    /// The dataset of its visits.
    pub dataset: &'static str,
    /// Age at which a person enters, in completed months.
    pub from_month: i64,
    /// Age at which a person has left, in completed months.
    pub until_month: i64,
    /// Only women belong to it; its ages have no limits.
    pub women: bool,
}

/// Age at which a child leaves, 6 years, in months (posyandu records, section 2.1).
const SCHOOL_FROM: i64 = 72;
/// Age at which a pupil leaves: older than 18 years, in months (section 2.1).
const ADULT_FROM: i64 = 19 * 12;
/// Age from which an adult counts as elderly, 60 years, in months (section 2.1).
const ELDERLY_FROM: i64 = 60 * 12;

/// All groups.
pub const GROUPS: [Group; 6] = [
    Group::new("bayi_balita_apras", "kunjungan_balita", 0, SCHOOL_FROM),
    Group::new("usek_remaja", "kunjungan_remaja", SCHOOL_FROM, ADULT_FROM),
    Group::new("dewasa", "kunjungan_dewasa", ADULT_FROM, ELDERLY_FROM),
    Group::new("lansia", "kunjungan_lansia", ELDERLY_FROM, i64::MAX),
    Group { women: true, ..Group::new("ibu_hamil", "kunjungan_ibu_hamil", 0, i64::MAX) },
    Group { women: true, ..Group::new("ibu_nifas_menyusui", "kunjungan_ibu_nifas", 0, i64::MAX) },
];

impl Group {
    const fn new(name: &'static str, dataset: &'static str, from_month: i64, until_month: i64) -> Self {
        Self { name, dataset, from_month, until_month, women: false }
    }

    /// The group of a name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        GROUPS.iter().find(|group| group.name == name)
    }

    /// The group whose visits a dataset holds.
    #[must_use]
    pub fn by_dataset(dataset: &str) -> Option<&'static Self> {
        GROUPS.iter().find(|group| group.dataset == dataset)
    }

    /// The group of an age in completed months, for services that do not say it.
    #[must_use]
    pub fn by_age(months: i64) -> Option<&'static Self> {
        GROUPS.iter().find(|group| !group.women && group.holds(months))
    }

    /// Whether an age in completed months belongs to it.
    #[must_use]
    pub fn holds(&self, months: i64) -> bool {
        (self.from_month..self.until_month).contains(&months)
    }

    /// The group of a visit by its records: its dataset tells, else what the service keeps. Records kept before
    /// there were groups are those of children.
    #[must_use]
    pub fn of<'a>(records: impl Iterator<Item = &'a Record> + Clone) -> &'static Self {
        let by_dataset = records.clone().find_map(|record| Self::by_dataset(&record.schema.dataset));
        let kept = || records.clone().find_map(|record| Self::by_name(record.text("kelompok_sasaran")?));
        by_dataset.or_else(kept).unwrap_or(&GROUPS[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_belong_to_one_group() {
        for (months, name) in [
            (0, "bayi_balita_apras"),
            (71, "bayi_balita_apras"),
            (72, "usek_remaja"),
            (227, "usek_remaja"),
            (228, "dewasa"),
            (719, "dewasa"),
            (720, "lansia"),
        ] {
            assert_eq!(Group::by_age(months).map(|group| group.name), Some(name), "{months}");
        }
        assert_eq!(Group::by_age(-1), None);
        assert_eq!(Group::by_dataset("kunjungan_ibu_nifas").map(|group| group.name), Some("ibu_nifas_menyusui"));
    }
}
