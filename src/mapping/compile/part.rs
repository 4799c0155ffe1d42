//! Compiles each kind of template part. Only `value` is entered from outside; it must not read files or run plans.

use super::super::plan::{Asked, Check, Operation, Pointer, Slot};
use super::super::problem::nearest;
use super::super::template::{Part, Template, Test};
use super::super::tree::Position;
use super::piece::{Piece, extend, place, push_text};
use super::{Compiler, IDENTIFIER_SYSTEM, Known, Leaf};
use crate::record::schema::Kind;

impl Compiler<'_> {
    pub(super) fn value(&mut self, template: &Template, path: &str, known: &Known, lineage: &mut Vec<Leaf>) -> Piece {
        let at = template.position;
        let mut leaf = |slots: Vec<Slot>| lineage.push(Leaf { path: path.to_owned(), slots, position: at });
        match &template.part {
            Part::Constant(json) => {
                leaf(Vec::new());
                Piece::sure(vec![Operation::Text(json.clone())])
            }
            Part::Field(name) => self.field_value(at, name, known, &mut leaf),
            Part::Optional(name) => match self.slot(at, name) {
                Some(slot) => {
                    leaf(vec![slot]);
                    let filled = vec![Check { slot, question: Asked::Present }];
                    Piece::sure(vec![Operation::Field(slot)]).guarded(filled)
                }
                None => Piece::sure(Vec::new()),
            },
            Part::Date(name) => self.day(at, name, known, &mut leaf),
            Part::Instant(date, time) => self.instant(at, date, time, known, &mut leaf),
            Part::Identifier(kind) => {
                leaf(Vec::new());
                Piece::sure(vec![
                    Operation::Text(format!("{{\"system\":\"{IDENTIFIER_SYSTEM}{kind}/")),
                    Operation::Organization,
                    Operation::Text("\",\"value\":\"".to_owned()),
                    Operation::OwnIdentifier,
                    Operation::Text("\"}".to_owned()),
                ])
            }
            Part::Reference(target) => self.reference(at, target, &mut leaf),
            Part::OptionalReference(target) => {
                let piece = self.reference(at, target, &mut leaf);
                // Without its target it writes `{}`, which is then left out like any empty object.
                let operations = vec![Operation::WherePresent(piece.operations)];
                Piece { operations, checks: Vec::new(), may_be_empty: true }
            }
            Part::Translate(field, (map_at, map)) => {
                if !path.ends_with(']') {
                    self.problem(
                        at,
                        "`$translate` yields codings, so it must be an entry of a list (`- $translate: …`)",
                    );
                }
                Piece::sure(self.translate(at, field, *map_at, map, known, &mut leaf))
            }
            Part::List(entries) => self.list(entries, path, known, lineage),
            Part::Object(tests, members) => self.object(at, tests, members, path, known, lineage),
            Part::Conditional(tests, inner) => {
                let mut known = known.clone();
                let checks = self.checks(tests, &mut known);
                let piece = self.value(inner, path, &known, lineage);
                piece.guarded(checks)
            }
        }
    }

    fn field_value(&mut self, at: Position, name: &str, known: &Known, leaf: &mut impl FnMut(Vec<Slot>)) -> Piece {
        let Some(slot) = self.slot(at, name) else { return Piece::sure(Vec::new()) };
        leaf(vec![slot]);
        if !known.filled.contains(&slot) {
            let text = format!("`{name}` may be empty here");
            let advice = format!("add `$when: {{{name}: present}}` around it, or write `$optional: {name}`");
            self.suggest(at, text, Some(advice));
        }
        Piece::sure(vec![Operation::Field(slot)])
    }

    fn day(&mut self, at: Position, name: &str, known: &Known, leaf: &mut impl FnMut(Vec<Slot>)) -> Piece {
        let Some(slot) = self.slot(at, name) else { return Piece::sure(Vec::new()) };
        leaf(vec![slot]);
        if self.field(slot).kind != Kind::Date {
            self.problem(at, format!("`{name}` is not a {:?}", Kind::Date));
        } else if !known.filled.contains(&slot) {
            self.problem(at, format!("`{name}` may be empty here: add a `$when` around it"));
        }
        Piece::sure(vec![Operation::Day(slot)])
    }

    fn instant(
        &mut self,
        at: Position,
        date: &str,
        time: &str,
        known: &Known,
        leaf: &mut impl FnMut(Vec<Slot>),
    ) -> Piece {
        let (Some(day), Some(hour)) = (self.slot(at, date), self.slot(at, time)) else {
            return Piece::sure(Vec::new());
        };
        leaf(vec![day, hour]);
        for (slot, written, kind) in [(day, date, Kind::Date), (hour, time, Kind::Time)] {
            if self.field(slot).kind != kind {
                self.problem(at, format!("`{written}` is not a {kind:?}"));
            } else if !known.filled.contains(&slot) {
                self.problem(at, format!("`{written}` may be empty here: add a `$when` around it"));
            }
        }
        Piece::sure(vec![Operation::Instant(day, hour)])
    }

    fn reference(&mut self, at: Position, target: &str, leaf: &mut impl FnMut(Vec<Slot>)) -> Piece {
        let own = self.file.resources.iter().position(|resource| resource.name == target);
        let visit = self.scope.visit_resources.iter().position(|name| name == target);
        let is_visit_file = self.scope.own.dataset == self.scope.visit.dataset;
        let pointer = match target {
            "patient" => Some(Pointer::Patient),
            "practitioner" => Some(Pointer::Practitioner),
            "puskesmas" => Some(Pointer::Puskesmas),
            "location" => self.slot(at, "posyandu.id_lokasi_satusehat").map(Pointer::Location),
            "posyandu" => self.slot(at, "id_organisasi_satusehat").map(Pointer::Posyandu),
            _ if is_visit_file => own.map(Pointer::Visit),
            _ => own.map(Pointer::Own).or(visit.map(Pointer::Visit)),
        };
        leaf(match &pointer {
            Some(Pointer::Location(slot) | Pointer::Posyandu(slot)) => vec![*slot],
            _ => Vec::new(),
        });
        match pointer {
            Some(pointer) => Piece::sure(vec![Operation::Reference(pointer)]),
            None => {
                let own = self.file.resources.iter().map(|resource| resource.name.as_str());
                let names = own.chain(self.scope.visit_resources.iter().map(String::as_str)).chain([
                    "patient",
                    "practitioner",
                    "puskesmas",
                    "location",
                    "posyandu",
                ]);
                let suggestion = nearest(target, names);
                self.suggest(at, format!("no resource of the visit is called `{target}`"), suggestion);
                Piece::sure(Vec::new())
            }
        }
    }

    fn translate(
        &mut self,
        at: Position,
        field: &str,
        map_at: Position,
        map: &str,
        known: &Known,
        leaf: &mut impl FnMut(Vec<Slot>),
    ) -> Vec<Operation> {
        let Some(slot) = self.slot(at, field) else { return Vec::new() };
        leaf(vec![slot]);
        if !known.filled.contains(&slot) {
            self.problem(at, format!("`{field}` may be empty here: add `$when: {{{field}: present}}` around it"));
        }
        let Some(table) = self.scope.concept_maps.get(map).cloned() else {
            let suggestion = nearest(map, self.scope.concept_maps.keys().map(String::as_str));
            self.suggest(map_at, format!("there is no concept map `{map}`"), suggestion);
            return Vec::new();
        };
        let Kind::Code(all) = self.field(slot).kind.clone() else {
            self.problem(at, format!("`{field}` is not a coded field, so it cannot be translated"));
            return Vec::new();
        };
        let words = known.words.get(&slot).unwrap_or(&all);
        for word in words.iter().filter(|word| table.target(word).is_none()) {
            let advice = format!("add a line to {} or mark it `not-reported`", table.file);
            self.suggest(at, format!("`{field}` can be `{word}`, which `{map}` does not translate"), Some(advice));
        }
        vec![Operation::Codings(slot, table)]
    }

    fn list(&mut self, entries: &[Template], path: &str, known: &Known, lineage: &mut Vec<Leaf>) -> Piece {
        let mut operations = Vec::new();
        push_text(&mut operations, "[");
        let mut all_before_sure = true;
        let mut any_sure = false;
        for (index, entry) in entries.iter().enumerate() {
            let piece = self.value(entry, &format!("{path}[{index}]"), known, lineage);
            let sure = piece.is_sure();
            if sure && all_before_sure {
                if index > 0 {
                    push_text(&mut operations, ",");
                }
                extend(&mut operations, piece.operations);
            } else {
                extend(&mut operations, place(piece, None));
            }
            all_before_sure &= sure;
            any_sure |= sure;
        }
        push_text(&mut operations, "]");
        Piece { operations, checks: Vec::new(), may_be_empty: !any_sure }
    }

    fn object(
        &mut self,
        at: Position,
        tests: &[Test],
        members: &[(String, Template)],
        path: &str,
        known: &Known,
        lineage: &mut Vec<Leaf>,
    ) -> Piece {
        let mut known = known.clone();
        let checks = self.checks(tests, &mut known);
        self.code_is_listed(at, members);
        self.unit_agrees(members);
        let mut operations = Vec::new();
        let mut unsure = Vec::new();
        push_text(&mut operations, "{");
        let mut first = true;
        for (name, member) in members {
            let piece = self.value(member, &format!("{path}.{name}"), &known, lineage);
            if piece.is_sure() {
                push_text(&mut operations, &format!("{}\"{name}\":", if first { "" } else { "," }));
                extend(&mut operations, piece.operations);
                first = false;
            } else {
                unsure.push(place(piece, Some(name)));
            }
        }
        for operations_of_member in unsure {
            extend(&mut operations, operations_of_member);
        }
        push_text(&mut operations, "}");
        Piece { operations, checks: Vec::new(), may_be_empty: first }.guarded(checks)
    }
}
