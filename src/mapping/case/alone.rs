//! Cases of a person or a posyandu that is registered by itself, without a visit.
//!
//! It must not run anything; it only reads what such a case says beside the ordinary ones.

use std::sync::Arc;

use jiff::civil::Date;

use super::super::registration;
use super::super::tree::{Node, Position};
use super::Reader;
use crate::record::Record;

impl Reader<'_> {
    /// The person of a case; a posyandu is registered without one.
    pub(super) fn person(&mut self, root: &Node, registers: Option<&str>) -> Option<Record> {
        let set = self.set;
        if registers == Some(set.posyandu.dataset.as_str()) && root.member("sasaran").is_none() {
            return Some(registration::empty(&set.sasaran));
        }
        self.section(root, "sasaran", &set.sasaran)
    }

    /// The person or posyandu as the only record, and what follows from it on the day.
    pub(super) fn registration(
        &mut self,
        root: &Node,
        at: Position,
        dataset: &str,
        person: &Record,
        posyandu: &Record,
    ) -> Option<(Vec<Record>, Record)> {
        let Some(day) = self.text(root, "day")?.parse::<Date>().ok() else {
            self.problem(at, "`day` is written as a date, such as 2026-11-18");
            return None;
        };
        let (schema, set) = (Arc::clone(&self.set.registration), self.set);
        if !set.alone.contains_key(dataset) {
            let known = set.alone.keys().map(String::as_str);
            self.unknown(at, format!("no mapping registers `{dataset}`"), dataset, known);
            return None;
        }
        Some(if dataset == person.schema.dataset {
            (vec![person.clone()], registration::person_record(&schema, person, day))
        } else {
            (vec![posyandu.clone()], registration::place_record(&schema, posyandu, day))
        })
    }
}
