//! Two mappings side by side on the same records: which resources come, go or change, and which elements.
//!
//! Values are shown only when they stand in the mapping files themselves; everything else may be about a person and is
//! masked. It must not map anything.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::element::Written;
use super::set::MappingSet;
use super::tree::{Content, Node};
use crate::redact::MASK;

/// A resource that a mapping made.
#[derive(Debug)]
pub struct Made {
    /// The dataset it came from.
    pub dataset: String,
    /// Its business identifier, or any name that both mappings give it.
    pub identifier: String,
    /// Its content.
    pub content: Node,
}

/// Resources of one dataset.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Only the new mapping makes them.
    pub added: u64,
    /// Only the old mapping made them.
    pub removed: u64,
    /// Both make them, with another content.
    pub changed: u64,
    /// Both make them, and they are equal.
    pub equal: u64,
}

/// A change of one element: dataset, path, old and new value; `None` where there is none.
pub type Change = (String, String, Option<String>, Option<String>);

/// What differs between two mappings.
#[derive(Debug, Default)]
pub struct Comparison {
    constants: BTreeSet<String>,
    /// Visits or cases compared.
    pub visits: u64,
    /// Those in which something differs.
    pub differing: u64,
    /// Those that only the old mapping refused.
    pub freed: u64,
    /// Those that only the new mapping refuses.
    pub stopped: u64,
    /// By dataset.
    pub datasets: BTreeMap<String, Counts>,
    /// How often each element changes in one way.
    pub elements: BTreeMap<Change, u64>,
}

impl Comparison {
    /// Nothing compared yet.
    #[must_use]
    pub fn new(old: &MappingSet, new: &MappingSet) -> Self {
        let mut constants = BTreeSet::new();
        for set in [old, new] {
            for element in set.all().flat_map(|mapping| &mapping.plans).flat_map(|plan| &plan.elements) {
                if let Written::Constant(json) = &element.content {
                    constants.insert(serde_json::from_str(json).unwrap_or_else(|_| json.clone()));
                }
            }
            for row in set.concept_maps.values().flat_map(|map| map.lines()) {
                constants.extend([row.system.clone(), row.code.clone(), row.display.clone()]);
            }
        }
        Self { constants, ..Self::default() }
    }

    /// Adds a visit: what each mapping made of it; `None` means that the mapping refused it.
    pub fn add(&mut self, old: Option<Vec<Made>>, new: Option<Vec<Made>>) {
        self.visits += 1;
        match (&old, &new) {
            (None, Some(_)) => self.freed += 1,
            (Some(_), None) => self.stopped += 1,
            _ => {}
        }
        let mut before: BTreeMap<String, Made> =
            old.into_iter().flatten().map(|made| (made.identifier.clone(), made)).collect();
        let mut differs = false;
        for made in new.into_iter().flatten() {
            let counts = self.datasets.entry(made.dataset.clone()).or_default();
            let Some(was) = before.remove(&made.identifier) else {
                counts.added += 1;
                differs = true;
                continue;
            };
            let changes = self.changes(&was, &made);
            let counts = self.datasets.entry(made.dataset).or_default();
            if changes.is_empty() {
                counts.equal += 1;
                continue;
            }
            counts.changed += 1;
            differs = true;
            for change in changes {
                *self.elements.entry(change).or_default() += 1;
            }
        }
        for gone in before.into_values() {
            self.datasets.entry(gone.dataset).or_default().removed += 1;
            differs = true;
        }
        self.differing += u64::from(differs);
    }

    fn changes(&self, old: &Made, new: &Made) -> Vec<Change> {
        let (mut before, mut now) = (BTreeMap::new(), BTreeMap::new());
        let kind = new.content.member("resourceType").and_then(Node::text).unwrap_or_default();
        flatten(kind, &old.content, &mut before);
        flatten(kind, &new.content, &mut now);
        let paths: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let differing = paths.into_iter().filter(|path| before.get(*path) != now.get(*path));
        let shown = |value: Option<&String>| value.map(|value| self.shown(value));
        differing
            .map(|path| (new.dataset.clone(), path.clone(), shown(before.get(path)), shown(now.get(path))))
            .collect()
    }

    fn shown(&self, value: &str) -> String {
        if self.constants.contains(value) { value.to_owned() } else { MASK.to_owned() }
    }
}

/// Every scalar of a tree by its path.
fn flatten(path: &str, node: &Node, into: &mut BTreeMap<String, String>) {
    match &node.content {
        Content::Scalar { text, .. } => {
            into.insert(path.to_owned(), text.clone());
        }
        Content::List(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), entry, into);
            }
        }
        Content::Map(members) => {
            for (key, member) in members {
                flatten(&format!("{path}.{}", key.name), member, into);
            }
        }
    }
}
