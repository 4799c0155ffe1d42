//! Mapping cases: records in, resources out, written so that a nutritionist can read and correct them.
//!
//! A case is run through the same plans as real visits. Business identifiers are made up from the resource's name and
//! the record's number, and references inside the visit are shown by them. It must not check FHIR nor touch files.

mod alone;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;

use super::block;
use super::compile::read_as;
use super::difference;
use super::head::visit_record;
use super::problem::{Problem, nearest};
use super::set::MappingSet;
use super::tree::{self, Content, Key, Node, Position};
use super::visit::{Draft, Visit};
use crate::clock::Zone;
use crate::issue::{Issue, Place, Severity};
use crate::record::fingerprint::canonical;
use crate::record::schema::{Kind, Schema};
use crate::record::{Record, Value};

/// Keys of a case file; what is expected comes last. A case of a visit has `records`; one of a person or posyandu has
/// `registers` and the `day` instead.
const KEYS: [&str; 11] = [
    "case",
    "posyandu",
    "sasaran",
    "organization",
    "switches",
    "registers",
    "day",
    "kunjungan",
    "records",
    "resources",
    "issues",
];

/// A case as read.
#[derive(Debug)]
pub struct Case {
    /// File it stands in.
    pub file: String,
    /// What it shows.
    pub name: String,
    organization: String,
    zone: Zone,
    posyandu: Record,
    sasaran: Record,
    visit: Record,
    records: Vec<Record>,
    switches: BTreeSet<String>,
    resources: Option<Node>,
    issues: Option<Node>,
    /// Line on which the expectations begin; `None` when there are none yet.
    expected_from: Option<usize>,
}

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// What the case shows.
    pub name: String,
    /// Whether everything came as expected.
    pub passed: bool,
    /// Each difference: path, what was expected, what came.
    pub differences: Vec<String>,
}

impl Case {
    /// Reads a case file.
    ///
    /// # Errors
    /// Every mistake found, with its place.
    pub fn parse(file: &str, text: &str, set: &MappingSet) -> Result<Self, Vec<Problem>> {
        let root = tree::parse(file, text).map_err(|problem| vec![problem])?;
        let mut reader = Reader { file, set, problems: Vec::new() };
        let case = reader.case(&root);
        case.filter(|_| reader.problems.is_empty()).ok_or(reader.problems)
    }

    /// Hands the case's visit to `use_visit`, so that other checks can be made on it.
    pub fn with_visit<T>(&self, use_visit: impl FnOnce(&Visit<'_>, &BTreeSet<String>) -> T) -> T {
        let records: Vec<(&Record, [u8; 32])> =
            (1..).zip(&self.records).map(|(number, record)| (record, key_of(number))).collect();
        let visit = Visit {
            organization: &self.organization,
            zone: self.zone,
            posyandu: &self.posyandu,
            sasaran: &self.sasaran,
            visit: &self.visit,
            key: key_of(0),
            records: &records,
        };
        use_visit(&visit, &self.switches)
    }
}

/// Runs a case and compares.
#[must_use]
pub fn run(set: &MappingSet, case: &Case) -> CaseResult {
    let (resources, issues) = drafted(set, case);
    let mut differences = Vec::new();
    if case.resources.is_none() && case.issues.is_none() {
        differences.push("nothing is expected yet: neither `resources` nor `issues` stands in the case".to_owned());
    }
    let nothing = list(Vec::new(), Position::default());
    for (name, expected, came) in [("resources", &case.resources, &resources), ("issues", &case.issues, &issues)] {
        difference::find(name, expected.as_ref().unwrap_or(&nothing), came, &mut differences);
    }
    CaseResult { name: case.name.clone(), passed: differences.is_empty(), differences }
}

/// The text of the case file with what comes out now as what is expected; everything above is kept as it stands.
#[must_use]
pub fn bless(set: &MappingSet, case: &Case, text: &str) -> String {
    let kept = case.expected_from.map_or(usize::MAX, |line| line - 1);
    let mut out: String = text.split_inclusive('\n').take(kept).collect();
    if !out.ends_with('\n') {
        out.push('\n');
    }
    let (resources, issues) = drafted(set, case);
    for (name, node) in [("resources", resources), ("issues", issues)] {
        if node.entries().is_some_and(|entries| !entries.is_empty()) {
            block::write(name, &node, &mut out);
        }
    }
    out
}

/// Business identifiers of a case: the resource's name in capitals and the record's number, 0 for the visit itself.
#[must_use]
pub fn identify(name: &str, key: &[u8; 32]) -> String {
    format!("{}-{}", name.to_uppercase(), u16::from_be_bytes([key[0], key[1]]))
}

fn key_of(number: u16) -> [u8; 32] {
    let mut key = [0; 32];
    key[..2].copy_from_slice(&number.to_be_bytes());
    key
}

/// The resources and issues of a case as trees. A visit that an error stops yields no resources.
fn drafted(set: &MappingSet, case: &Case) -> (Node, Node) {
    case.with_visit(|visit, switches| {
        let Draft { resources, issues } = set.draft(visit, switches, &identify);
        let at = Position::default();
        let stopped = issues.iter().any(Issue::is_error);
        let issues = issues.iter().map(issue_node).collect();
        let mut nodes = Vec::new();
        for resource in resources.iter().filter(|_| !stopped) {
            let mut json = resource.json.clone();
            for other in &resources {
                let name = format!("{}/{}", other.plan.resource_type, other.identifier);
                json = json.replace(&other.full_url, &name);
            }
            // JSON is YAML too; reading it as such keeps every digit of a number.
            let node = tree::parse(&resource.plan.name, &json);
            nodes.push(node.unwrap_or_else(|problem| scalar(problem.to_string(), at)));
        }
        (list(nodes, at), list(issues, at))
    })
}

fn issue_node(issue: &Issue) -> Node {
    let severity = match issue.severity {
        Severity::Information => "information",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let fixed = [("rule", issue.rule.to_string()), ("severity", severity.to_owned())];
    let arguments = issue.arguments.iter().map(|(name, value)| (name.as_ref(), value.clone()));
    let members = fixed.into_iter().chain(arguments).map(|(name, value)| {
        let position = Position::default();
        (Key { position, name: name.to_owned() }, scalar(value, position))
    });
    Node { position: Position::default(), content: Content::Map(members.collect()) }
}

fn scalar(text: String, position: Position) -> Node {
    Node { position, content: Content::Scalar { text, quoted: true } }
}

fn list(entries: Vec<Node>, position: Position) -> Node {
    Node { position, content: Content::List(entries) }
}

struct Reader<'a> {
    file: &'a str,
    set: &'a MappingSet,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, at: Position, text: impl Into<String>) {
        self.problems.push(at.problem(self.file, text));
    }

    fn unknown<'n>(&mut self, at: Position, text: String, name: &str, known: impl IntoIterator<Item = &'n str>) {
        let mut problem = at.problem(self.file, text);
        problem.suggestion = nearest(name, known);
        self.problems.push(problem);
    }

    fn case(&mut self, root: &Node) -> Option<Case> {
        let expected_from = self.keys(root)?;
        let name = self.text(root, "case")?;
        let organization = self.text(root, "organization")?;
        let set = self.set;
        let posyandu = self.section(root, "posyandu", &set.posyandu)?;
        let registers = root.member("registers").map(|node| (node.position, node.text().unwrap_or_default()));
        let sasaran = self.person(root, registers.map(|(_, dataset)| dataset))?;
        let Some(zone) = posyandu.text("zona_waktu").and_then(Zone::from_name) else {
            self.problem(root.position, "the posyandu needs its `zona_waktu`");
            return None;
        };
        let (records, visit) = match registers {
            Some((at, dataset)) => self.registration(root, at, dataset, &sasaran, &posyandu)?,
            None => {
                let records = self.records(root)?;
                let visit = self.visit(root, sasaran.date("tanggal_lahir"), &records)?;
                (records, visit)
            }
        };
        let switches = self.switches(root);
        let expected = |name: &str| root.member(name).cloned();
        Some(Case {
            file: self.file.to_owned(),
            name,
            organization,
            zone,
            posyandu,
            sasaran,
            visit,
            records,
            switches,
            resources: expected("resources"),
            issues: expected("issues"),
            expected_from,
        })
    }

    /// Checks the outermost keys; the line on which the expectations begin, if there are any.
    fn keys(&mut self, root: &Node) -> Option<Option<usize>> {
        let Some(members) = root.members() else {
            self.problem(root.position, "a case consists of `case`, `posyandu`, `sasaran`, `records` and the like");
            return None;
        };
        let mut from = None;
        for (key, _) in members {
            let expectation = matches!(key.name.as_str(), "resources" | "issues");
            if !KEYS.contains(&key.name.as_str()) {
                self.unknown(key.position, format!("`{}` is not known here", key.name), &key.name, KEYS);
            } else if expectation {
                from = from.or(Some(key.position.line));
            } else if from.is_some() {
                self.problem(key.position, format!("`{}` must stand above `resources` and `issues`", key.name));
            }
        }
        Some(from)
    }

    fn text(&mut self, root: &Node, name: &str) -> Option<String> {
        let text = root.member(name).and_then(Node::text).map(str::to_owned);
        if text.is_none() {
            self.problem(root.position, format!("`{name}` is missing"));
        }
        text
    }

    fn section(&mut self, root: &Node, name: &str, schema: &Arc<Schema>) -> Option<Record> {
        match root.member(name) {
            Some(node) => self.record(node, schema, name),
            None => {
                self.problem(root.position, format!("`{name}` is missing"));
                None
            }
        }
    }

    fn records(&mut self, root: &Node) -> Option<Vec<Record>> {
        let Some(entries) = root.member("records").and_then(Node::entries).filter(|list| !list.is_empty()) else {
            self.problem(root.position, "`records` must list at least one record");
            return None;
        };
        let mut records = Vec::new();
        for (number, entry) in (1..).zip(entries) {
            let Some([(key, node)]) = entry.members() else {
                self.problem(entry.position, "a record is written as `- dataset: {field: value}`");
                continue;
            };
            let Some(mapping) = self.set.by_dataset.get(&key.name) else {
                let known = self.set.by_dataset.keys().map(String::as_str);
                self.unknown(key.position, format!("there is no mapping for `{}`", key.name), &key.name, known);
                continue;
            };
            records.extend(self.record(node, &mapping.schema, &number.to_string()));
        }
        Some(records)
    }

    /// The visit follows from the records; `kunjungan` may state a field otherwise, such as the date of a visit at
    /// which an earlier dose is told.
    fn visit(&mut self, root: &Node, born: Option<Date>, records: &[Record]) -> Option<Record> {
        let date: Option<Date> = records.iter().find_map(|record| record.date("tanggal"));
        let schema = &self.set.visit.schema;
        let groups = schema.index("kelompok_sasaran").and_then(|at| schema.fields.get(at)).map(|field| &field.kind);
        let group = match groups {
            Some(Kind::Code(codes)) => codes.first().map_or("", String::as_str),
            _ => "",
        };
        let borrowed: Vec<&Record> = records.iter().collect();
        let mut visit = visit_record(schema, date?, born, group, &borrowed, self.place("kunjungan"));
        if let Some(node) = root.member("kunjungan") {
            self.fill(node, &mut visit);
        }
        Some(visit)
    }

    fn switches(&mut self, root: &Node) -> BTreeSet<String> {
        let known = self.set.switches();
        let mut switches = BTreeSet::new();
        for node in root.member("switches").and_then(Node::entries).unwrap_or_default() {
            match node.text() {
                Some(name) if known.contains(name) => drop(switches.insert(name.to_owned())),
                name => {
                    let name = name.unwrap_or_default();
                    let text = format!("no mapping has a switch `{name}`");
                    self.unknown(node.position, text, name, known.iter().copied());
                }
            }
        }
        switches
    }

    fn place(&self, row: &str) -> Place {
        Place { file: self.file.into(), row: row.to_owned(), ..Place::default() }
    }

    /// A record that its own schema accepts.
    fn record(&mut self, node: &Node, schema: &Arc<Schema>, row: &str) -> Option<Record> {
        let count = schema.fields.len();
        let (values, columns) = (vec![None; count], vec![None; count]);
        let mut record = Record { values, columns, place: self.place(row), schema: Arc::clone(schema) };
        self.fill(node, &mut record)?;
        for violation in schema.violations(&canonical(&record)) {
            let at = node.member(&violation.field).map_or(node.position, |field| field.position);
            let wrong = if violation.missing { "is missing" } else { "has a value that its schema refuses" };
            self.problem(at, format!("`{}` of `{}` {wrong}", violation.field, schema.dataset));
        }
        Some(record)
    }

    fn fill(&mut self, node: &Node, record: &mut Record) -> Option<()> {
        let schema = Arc::clone(&record.schema);
        let Some(members) = node.members() else {
            self.problem(node.position, format!("`{}` is written as `field: value`", schema.dataset));
            return None;
        };
        for (key, value) in members {
            let Some(index) = schema.index(&key.name) else {
                let text = format!("`{}` has no field `{}`", schema.dataset, key.name);
                self.unknown(key.position, text, &key.name, schema.fields.iter().map(|field| field.name.as_str()));
                continue;
            };
            // Stored measurements have lost their trailing zeros, so those of a case do too.
            let read = match value.text().and_then(|text| read_as(&schema.fields[index].kind, text)) {
                Some(Value::Decimal(number)) => Some(Value::Decimal(number.normalize())),
                read => read,
            };
            if read.is_none() {
                self.problem(value.position, format!("`{}` cannot hold this", key.name));
            }
            record.values[index] = read;
        }
        Some(())
    }
}
