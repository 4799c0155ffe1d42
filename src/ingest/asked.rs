//! A row that waits to hear whom it speaks of: what it says about its person, the keyed names that follow from that, and
//! what names a doubt about it.
//!
//! It must not look anybody up.

use crate::ledger::person::{Alias, AliasKind};
use crate::record::matching::Person;
use crate::record::person::normal_name;
use crate::record::{Record, RowOutcome};
use crate::source::Row;

use super::row::{Origin, PERSON, service_date};

/// Keyed hash that names a person in visits.
pub(super) type Identity = [u8; 32];

/// A row that was read by itself and waits to hear whom it speaks of.
#[derive(Debug)]
pub struct Asked {
    /// The row.
    pub row: Row,
    /// What it yields by itself, until it is settled.
    pub(super) outcome: Option<RowOutcome>,
    /// What it says about its person.
    pub(super) facts: Option<Person>,
    /// The keyed names that follow from that.
    pub(super) aliases: Vec<Alias>,
}

impl Asked {
    /// What a row asks, read as it is.
    #[must_use]
    pub fn new(row: Row, outcome: RowOutcome, origin: &Origin<'_>) -> Self {
        let (facts, aliases) = match outcome.records.iter().find(|record| record.schema.dataset == PERSON) {
            None => (None, Vec::new()),
            Some(record) => {
                let (facts, aliases) = question(record, &outcome.records, origin);
                (Some(facts), aliases)
            }
        };
        Self { row, outcome: Some(outcome), facts, aliases }
    }
}

/// What a row says about its person, and the keyed names that follow from it.
fn question(record: &Record, records: &[Record], origin: &Origin<'_>) -> (Person, Vec<Alias>) {
    let mut facts = Person::of(record);
    facts.is_keyed = origin.keyed;
    facts.day = service_date(records);
    let written = record.text("posyandu");
    let posyandu = written.and_then(|written| origin.register.find(written, origin.puskesmas).ok());
    facts.posyandu = posyandu.map(|posyandu| posyandu.code.clone());
    let mut aliases: Vec<Alias> = Vec::new();
    let mut add = |kind: AliasKind, parts: &[&str]| aliases.push((kind, origin.keys.hash("person.alias", parts)));
    if let Some(nik) = &facts.nik {
        add(AliasKind::Nik, &["nik", nik]);
    }
    let name = normal_name(&facts.name);
    let (Some(birth), false) = (facts.birth.map(|birth| birth.to_string()), name.is_empty()) else {
        return (facts, aliases);
    };
    // A baby that goes by its mother's name is not its mother.
    let who = if facts.is_baby() { "bayi" } else { "nama" };
    if let Some(family) = &facts.family {
        add(AliasKind::Family, &["kk", family, who, &name, &birth]);
    }
    if let Some(posyandu) = posyandu {
        let mother = facts.mother_name();
        if let Some(mother) = &mother {
            let village = match posyandu.record.text("kode_kelurahan") {
                Some(village) => ["kelurahan", village],
                None => ["posyandu", &posyandu.code],
            };
            add(AliasKind::Name, &["nama", who, &name, &birth, mother, village[0], village[1]]);
            add(AliasKind::Baby, &["bayi", "nama", mother, &birth, &posyandu.code]);
        }
        if let Some(mother) = &facts.mother_nik {
            add(AliasKind::Baby, &["bayi", "nik", mother, &birth, &posyandu.code]);
        }
    }
    (facts, aliases)
}

impl Asked {
    /// The keyed name of the row's number.
    pub(super) fn number(&self) -> Option<[u8; 32]> {
        self.aliases.iter().find(|alias| alias.0 == AliasKind::Nik).map(|alias| alias.1)
    }

    /// What names the doubt about a row: all that it says, and of a row with a key of its own, what it says about the
    /// person.
    pub(super) fn question(&self, facts: &Person, origin: &Origin<'_>) -> [u8; 32] {
        let place = &self.row.place;
        if !origin.keyed {
            let parts: Vec<&str> = std::iter::once(&*place.source).chain(self.row.texts()).collect();
            return origin.keys.hash("person.question", &parts);
        }
        let day = facts.day.map(|day| day.to_string()).unwrap_or_default();
        let parts = [&*place.source, &place.file, &place.row, &day, &facts.spelt()].map(str::to_owned);
        origin.keys.hash("person.question.keyed", &parts.each_ref().map(String::as_str))
    }
}

/// Names somebody whom nobody told before: by the number, else by name, birth, mother and posyandu (posyandu records,
/// section 6.3). Without a mother the family stands in her place, or two of one name would be one.
pub(super) fn identity(facts: &Person, origin: &Origin<'_>) -> Option<Identity> {
    if let Some(nik) = &facts.nik {
        return Some(origin.keys.hash("person", &[nik]));
    }
    let birth = facts.birth?.to_string();
    let mother = facts.mother_name();
    let (how, parent) = match (&mother, &facts.family, &facts.mother_nik) {
        (Some(mother), _, _) => ("ibu", mother.as_str()),
        (None, Some(family), _) => ("kk", family.as_str()),
        (None, None, Some(mother)) => ("nik_ibu", mother.as_str()),
        (None, None, None) => return None,
    };
    let who = if facts.is_baby() { "bayi" } else { "nama" };
    let posyandu = facts.posyandu.as_deref().unwrap_or_default();
    Some(origin.keys.hash("person.named", &[who, &normal_name(&facts.name), &birth, how, parent, posyandu]))
}
