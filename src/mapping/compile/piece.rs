//! A compiled part with the question of whether it will be there, and how parts are put together into JSON.
//!
//! Constants that meet are merged, so that a record pays only for what changes. It must not know schemas.

use super::super::plan::{Check, Operation};

/// The operations of a part and when they yield something.
pub(super) struct Piece {
    /// What writes it.
    pub(super) operations: Vec<Operation>,
    /// It is there only when all of these hold.
    pub(super) checks: Vec<Check>,
    /// It is a list or object that may come out empty, and is then left out.
    pub(super) may_be_empty: bool,
}

impl Piece {
    /// A part that is always there.
    pub(super) fn sure(operations: Vec<Operation>) -> Self {
        Self { operations, checks: Vec::new(), may_be_empty: false }
    }

    /// The same part, there only when these checks hold as well.
    pub(super) fn guarded(mut self, checks: Vec<Check>) -> Self {
        self.checks.splice(0..0, checks);
        self
    }

    /// Whether it is always there.
    pub(super) fn is_sure(&self) -> bool {
        self.checks.is_empty() && !self.may_be_empty
    }
}

/// A member or entry that may be absent: comma and name are written only with it.
pub(super) fn place(piece: Piece, name: Option<&str>) -> Vec<Operation> {
    let mut inner = vec![Operation::Comma];
    if let Some(name) = name {
        push_text(&mut inner, &format!("\"{name}\":"));
    }
    extend(&mut inner, piece.operations);
    if piece.may_be_empty {
        inner = vec![Operation::Prune(inner)];
    }
    if piece.checks.is_empty() { inner } else { vec![Operation::Guard(piece.checks, inner)] }
}

/// Appends constant JSON, merged with constant JSON before it.
pub(super) fn push_text(operations: &mut Vec<Operation>, text: &str) {
    match operations.last_mut() {
        Some(Operation::Text(before)) => before.push_str(text),
        _ => operations.push(Operation::Text(text.to_owned())),
    }
}

/// Appends operations, merging constants where they meet.
pub(super) fn extend(operations: &mut Vec<Operation>, more: Vec<Operation>) {
    for operation in more {
        match operation {
            Operation::Text(text) => push_text(operations, &text),
            other => operations.push(other),
        }
    }
}
