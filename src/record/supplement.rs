//! One supplement of a row: vitamin A, iron tablets, deworming, additional food.
//!
//! It must not count what was not given: a zero or "no" yields no record.

use super::Value;
use super::draft::{Draft, Scene};
use super::occasion::{Told, day_of_service, require, set_group};
use super::vitamin_a;
use crate::source::profile::field::Format;

/// Fields that are read by a rule of their own, or derived.
const APART: [&str; 3] = ["tanggal", "jenis", "kelompok_sasaran"];

/// Fills the fields of `suplementasi`; `false` when the row says that nothing was given.
pub fn read(draft: &mut Draft<'_>, told: &Told<'_>, scene: &mut Scene<'_>) -> bool {
    day_of_service(draft, told, scene);
    let months = draft.record().date("tanggal").and_then(|day| told.months_on(day));
    draft.read_all(&APART, months, scene);
    let counted = draft.spec("jenis").is_some_and(|spec| spec.format == Format::Capsules);
    let given = if counted { vitamin_a::of_supplement(draft, months, scene) } else { true };
    if !counted {
        draft.read("jenis", scene);
        vitamin_a::check(draft, "jenis", "vit_a_", months, scene);
    }
    let refused = draft.record().get("diberikan") == Some(&Value::Boolean(false));
    if !given || refused || draft.record().get("jumlah") == Some(&Value::Integer(0)) {
        return false;
    }
    set_group(draft, told, scene);
    if draft.record().date("tanggal").is_some() {
        require(draft, scene);
    }
    true
}
