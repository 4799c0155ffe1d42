//! What all services share: the day, the age on it, the group it is given to.
//!
//! It must not know what was measured or given.

use std::sync::Arc;

use jiff::civil::Date;

use super::Value;
use super::date::months_between;
use super::draft::{Draft, Scene};
use super::format::AGE_YEARS_MAX;
use super::group::Group;
use super::matching::Person;
use crate::issue::{Code, Issue, Place};

/// The birth date of the row's person and the cell it stands in.
#[derive(Clone)]
pub struct Birth {
    /// The day.
    pub date: Date,
    /// Its cell.
    pub place: Place,
}

/// What a row has told so far, for the services read after it.
#[derive(Clone, Default)]
pub struct Told<'a> {
    /// The person, when the directory knows exactly one.
    pub known: Option<&'a Person>,
    /// Birth of the person.
    pub birth: Option<Birth>,
    /// Sex of the person: `L` or `P`.
    pub sex: Option<String>,
    /// The day of the visit that the same row describes, and its column.
    pub visit_day: Option<(Date, Option<Arc<str>>)>,
    /// The group of the row's table or visit.
    pub group: Option<&'static Group>,
}

impl Told<'_> {
    /// Age on a day, in completed months; `None` before birth.
    #[must_use]
    pub fn months_on(&self, day: Date) -> Option<i64> {
        self.birth.as_ref().map(|birth| months_between(birth.date, day)).filter(|months| *months >= 0)
    }
}

/// Checks the day of a service against birth and today; `false` when the row must wait.
pub fn check_day(draft: &Draft<'_>, told: &Told<'_>, scene: &mut Scene<'_>, before_birth: &'static str) -> bool {
    let name = "tanggal";
    let Some(day) = draft.record().date(name) else {
        if draft.cell(name, scene.row).is_none() {
            draft.report(Issue::error(Code::Required, "date.missing"), name, scene);
        }
        return false;
    };
    let born_later = |birth: &Birth| birth.date <= scene.today && day < birth.date;
    let issue = if day > scene.today {
        Issue::error(Code::Value, "date.future")
    } else if told.birth.as_ref().is_some_and(born_later) {
        Issue::error(Code::Invariant, before_birth)
    } else {
        return true;
    };
    draft.report(issue.with("nilai", day), name, scene);
    false
}

/// The day of a service: its own, else the day of the visit in the same row, which was checked with the visit.
pub fn day_of_service(draft: &mut Draft<'_>, told: &Told<'_>, scene: &mut Scene<'_>) -> bool {
    if let (Some((day, column)), true) = (&told.visit_day, draft.cell("tanggal", scene.row).is_none()) {
        draft.set("tanggal", Value::Date(*day), column.as_ref());
        return true;
    }
    draft.read("tanggal", scene);
    check_day(draft, told, scene, "date.before_birth")
}

/// Keeps the group of a service that has no visit dataset of its own, and checks it against the age.
pub fn set_group(draft: &mut Draft<'_>, told: &Told<'_>, scene: &mut Scene<'_>) {
    let months = draft.record().date("tanggal").and_then(|day| told.months_on(day));
    if let Some(group) = told.group.or_else(|| months.and_then(Group::by_age)) {
        draft.set("kelompok_sasaran", Value::Text(group.name.to_owned()), None);
        // In a row that also describes a visit, the visit has judged the age already.
        if told.visit_day.is_none() {
            check_person(group, months, told, scene);
        }
    }
}

/// Whether the person can belong to the group. The birth date is the likelier mistake, so that cell is named.
pub fn check_person(group: &Group, months: Option<i64>, told: &Told<'_>, scene: &mut Scene<'_>) {
    let place = told.birth.as_ref().map_or_else(|| scene.row.place.clone(), |birth| birth.place.clone());
    if group.women && told.sex.as_deref() == Some("L") {
        let issue = Issue::error(Code::Invariant, "visit.group_of_women").with("kelompok", group.name);
        scene.issues.push(issue.on("sasaran.jenis_kelamin").at(scene.row.place.clone()));
    }
    let Some(months) = months else { return };
    let issue = if months > AGE_YEARS_MAX * 12 {
        Issue::error(Code::Value, "birth_date.too_old").with("umur", months / 12)
    } else if group.women || group.holds(months) {
        return;
    } else if group.from_month == 0 {
        Issue::error(Code::BusinessRule, "visit.age_out_of_group").with("umur", months)
    } else {
        let issue = Issue::warning(Code::BusinessRule, "visit.age_of_other_group");
        issue.with("umur", months / 12).with("kelompok", group.name)
    };
    scene.issues.push(issue.on("sasaran.tanggal_lahir").at(place));
}

/// Reports required fields that the source supplies no text for; what is written but wrong is reported already.
pub fn require(draft: &Draft<'_>, scene: &mut Scene<'_>) {
    let schema = Arc::clone(&draft.record().schema);
    for field in schema.fields.iter().filter(|field| field.required) {
        if draft.record().get(&field.name).is_none() && draft.cell(&field.name, scene.row).is_none() {
            draft.report(Issue::error(Code::Required, "field.missing"), &field.name, scene);
        }
    }
}

/// Whether the row says nothing about the dataset: only its day, who wrote it, and what is the same in each row.
#[must_use]
pub fn is_silent(draft: &Draft<'_>, scene: &Scene<'_>) -> bool {
    let own = |name: &str| !matches!(name, "tanggal" | "petugas") && draft.varies(name);
    let mut fields = draft.record().schema.fields.iter().filter(|field| own(&field.name));
    !fields.any(|field| draft.cell(&field.name, scene.row).is_some())
}

/// Fills the fields of a service without rules of its own: `kunjungan_rumah`, `rujukan`.
pub fn read(draft: &mut Draft<'_>, told: &Told<'_>, scene: &mut Scene<'_>) {
    day_of_service(draft, told, scene);
    draft.read_all(&["tanggal", "kelompok_sasaran"], None, scene);
    set_group(draft, told, scene);
    if draft.record().date("tanggal").is_some() {
        require(draft, scene);
    }
}
