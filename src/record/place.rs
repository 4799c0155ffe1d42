//! Rows about posyandu themselves: the register, and the days they open.
//!
//! It must not look a posyandu up; intake does.

use std::sync::Arc;

use super::Value;
use super::draft::{Draft, Scene};
use super::occasion::{Told, check_day, require};
use crate::issue::{Code, Issue};

/// Fills the fields of `posyandu`.
pub fn read(draft: &mut Draft<'_>, scene: &mut Scene<'_>) {
    let schema = Arc::clone(&draft.record().schema);
    for field in &schema.fields {
        draft.read(&field.name, scene);
        let unwritten = draft.cell(&field.name, scene.row).is_none();
        if field.required && unwritten {
            draft.report(Issue::error(Code::Required, "field.missing"), &field.name, scene);
        }
    }
    if let (Some(Value::Time(opens)), Some(Value::Time(closes))) =
        (draft.record().get("jam_buka"), draft.record().get("jam_tutup"))
        && closes <= opens
    {
        draft.report(Issue::error(Code::Invariant, "posyandu.hours"), "jam_tutup", scene);
    }
}

/// Fills the fields of `hari_buka`. A day that is only planned may lie ahead.
pub fn read_opening_day(draft: &mut Draft<'_>, scene: &mut Scene<'_>) {
    draft.read_all(&[], None, scene);
    require(draft, scene);
    let held = draft.record().text("status") == Some("terlaksana");
    if held && draft.record().date("tanggal").is_some() {
        check_day(draft, &Told::default(), scene, "date.before_birth");
    }
}
