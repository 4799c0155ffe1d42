//! The shape of a mapping file: FHIR skeletons with a small closed set of instructions inside.
//!
//! Only reads the shape; whether names exist and types fit is `compile`'s business. There are no loops, no
//! arithmetic and no I/O, and none may be added: a mapping must stay readable by a nutritionist.

use std::collections::BTreeMap;

use super::problem::{Problem, nearest};
use super::tree::{Content, Node, Position};
use super::vocabulary::{FILE_KEYS, INSTRUCTIONS, RESOURCE_KEYS};

/// How well a piece of mapping is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Seen in an official request body or stated in official documentation.
    Official,
    /// Known from third parties only.
    ThirdParty,
    /// An inference; off until its switch is turned on in the configuration.
    Guess,
}

impl Certainty {
    /// All of them, the best founded first.
    pub const ALL: [Self; 3] = [Self::Official, Self::ThirdParty, Self::Guess];

    /// Reads the word used in files.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "official" => Some(Self::Official),
            "third_party" => Some(Self::ThirdParty),
            "guess" => Some(Self::Guess),
            _ => None,
        }
    }

    /// The word used in files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Official => "official",
            Self::ThirdParty => "third_party",
            Self::Guess => "guess",
        }
    }
}

/// A mapping file as written.
#[derive(Debug)]
pub struct MappingFile {
    /// File name for messages.
    pub file: String,
    /// The dataset whose records it maps; `kunjungan` stands for the visit itself.
    pub dataset: String,
    /// Where the dataset's name stands.
    pub dataset_position: Position,
    /// Version text chosen by the author.
    pub version: String,
    /// Switch name → what turning it on means.
    pub switches: BTreeMap<String, String>,
    /// Columns of the record that are knowingly not reported, with the reason.
    pub not_reported: BTreeMap<String, (Position, String)>,
    /// Whether a record that yields no resource is an issue: what it says would be lost in silence.
    pub must_yield: bool,
    /// The resources it may yield, in order.
    pub resources: Vec<ResourceTemplate>,
}

/// One resource of a mapping file.
#[derive(Debug)]
pub struct ResourceTemplate {
    /// Name inside the visit; part of the business identifier, so it must never change.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// How well it is founded.
    pub certainty: Certainty,
    /// The switch that a guess waits for.
    pub switch: Option<(Position, String)>,
    /// Where the shape and codes come from.
    pub source: String,
    /// Present only when these hold.
    pub when: Vec<Test>,
    /// FHIR resource type.
    pub resource_type: String,
    /// The skeleton.
    pub skeleton: Template,
}

/// A node of the skeleton.
#[derive(Debug)]
pub struct Template {
    /// Where it stands.
    pub position: Position,
    /// What it yields.
    pub part: Part,
}

/// What a node of the skeleton yields.
#[derive(Debug)]
pub enum Part {
    /// A constant, as JSON text.
    Constant(String),
    /// An object; present only when the tests hold.
    Object(Vec<Test>, Vec<(String, Template)>),
    /// A list.
    List(Vec<Template>),
    /// Any value, present only when the tests hold (`$when` with `$value`).
    Conditional(Vec<Test>, Box<Template>),
    /// A record field that is certainly there.
    Field(String),
    /// A record field; the element is left out when it is empty.
    Optional(String),
    /// A date field as a FHIR dateTime on that calendar day.
    Date(String),
    /// Date and time fields of the posyandu's zone as a UTC instant.
    Instant(String, String),
    /// The resource's business identifier of this kind.
    Identifier(String),
    /// A reference to another resource of the visit, or to patient, practitioner, puskesmas or location.
    Reference(String),
    /// A reference to another resource of the visit; the element is left out when that one is not present.
    OptionalReference(String),
    /// The codings that a concept map gives for a coded field.
    Translate(String, (Position, String)),
}

/// One test of a `when`.
#[derive(Clone, Debug)]
pub struct Test {
    /// Where it stands.
    pub position: Position,
    /// The record field.
    pub field: String,
    /// What is asked of it.
    pub question: Question,
}

/// What a test asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// The field is filled.
    Present,
    /// The field is empty.
    Absent,
    /// The field has one of these values, as written.
    In(Vec<String>),
    /// A number at least this; with `Below` on the same field both ends of a range.
    AtLeast(String),
    /// A number below this.
    Below(String),
}

/// Reads a mapping file's shape.
///
/// # Errors
/// Every mistake found, each with its position.
pub fn read(file: &str, root: &Node) -> Result<MappingFile, Vec<Problem>> {
    let mut reader = Reader { file, problems: Vec::new() };
    let mapping = reader.file(root);
    match mapping {
        Some(mapping) if reader.problems.is_empty() => Ok(mapping),
        _ => Err(reader.problems),
    }
}

struct Reader<'a> {
    file: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, at: Position, text: impl Into<String>) {
        self.problems.push(at.problem(self.file, text));
    }

    fn suggest(&mut self, at: Position, text: String, name: &str, candidates: &[&str]) {
        let mut problem = at.problem(self.file, text);
        problem.suggestion = nearest(name, candidates.iter().copied());
        self.problems.push(problem);
    }

    fn file(&mut self, root: &Node) -> Option<MappingFile> {
        self.only(root, &FILE_KEYS)?;
        let (dataset_position, dataset) = self.required(root, "dataset")?;
        let (_, version) = self.required(root, "version")?;
        let _ = self.required(root, "mapping")?;
        let switches = self.named_texts(root, "switches").into_iter().map(|(name, (_, text))| (name, text)).collect();
        let not_reported = self.named_texts(root, "not_reported");
        let must_yield = root.member("must_yield").and_then(Node::text) == Some("true");
        let Some(entries) = root.member("resources").and_then(Node::entries) else {
            self.problem(root.position, "`resources` must list at least one resource");
            return None;
        };
        let resources = entries.iter().filter_map(|entry| self.resource(entry)).collect();
        let file = self.file.to_owned();
        Some(MappingFile { file, dataset, dataset_position, version, switches, not_reported, must_yield, resources })
    }

    fn named_texts(&mut self, root: &Node, name: &str) -> BTreeMap<String, (Position, String)> {
        let Some(node) = root.member(name) else { return BTreeMap::new() };
        let Some(members) = node.members() else {
            self.problem(node.position, format!("`{name}` must be a list of `name: text`"));
            return BTreeMap::new();
        };
        let mut texts = BTreeMap::new();
        for (key, value) in members {
            match value.text() {
                Some(text) if !text.trim().is_empty() => {
                    texts.insert(key.name.clone(), (key.position, text.trim().to_owned()));
                }
                _ => self.problem(value.position, format!("`{}` needs a reason in words", key.name)),
            }
        }
        texts
    }

    fn resource(&mut self, node: &Node) -> Option<ResourceTemplate> {
        self.only(node, &RESOURCE_KEYS)?;
        let (position, name) = self.required(node, "name")?;
        let (at, word) = self.required(node, "certainty")?;
        let Some(certainty) = Certainty::from_word(&word) else {
            self.suggest(at, format!("`{word}` is no certainty"), &word, &["official", "third_party", "guess"]);
            return None;
        };
        let (_, source) = self.required(node, "source")?;
        let switch = node.member("switch").and_then(|node| Some((node.position, node.text()?.to_owned())));
        if certainty == Certainty::Guess && switch.is_none() {
            self.problem(position, format!("`{name}` is a guess, so it needs a `switch`"));
        }
        let when = node.member("when").map(|node| self.tests(node)).unwrap_or_default();
        let Some(body) = node.member("resource") else {
            self.problem(node.position, "`resource` is missing");
            return None;
        };
        let Some(resource_type) = body.member("resourceType").and_then(Node::text).map(str::to_owned) else {
            self.problem(body.position, "`resourceType` is missing");
            return None;
        };
        let skeleton = self.template(body)?;
        Some(ResourceTemplate { name, position, certainty, switch, source, when, resource_type, skeleton })
    }

    fn template(&mut self, node: &Node) -> Option<Template> {
        let position = node.position;
        let part = match &node.content {
            Content::Scalar { text, quoted } => self.constant(position, text, *quoted)?,
            Content::List(entries) if entries.is_empty() => {
                self.problem(position, "an empty list is never sent: leave it out");
                return None;
            }
            Content::List(entries) => Part::List(entries.iter().filter_map(|entry| self.template(entry)).collect()),
            Content::Map(members) => match members.iter().find(|(key, _)| key.name.starts_with('$')) {
                Some((key, value)) if key.name != "$when" => {
                    if members.len() > 1 {
                        self.problem(key.position, format!("`{}` must stand alone", key.name));
                    }
                    self.instruction(key.position, &key.name, value)?
                }
                _ => self.object(node, members)?,
            },
        };
        Some(Template { position, part })
    }

    fn object(&mut self, node: &Node, members: &[(super::tree::Key, Node)]) -> Option<Part> {
        let when = node.member("$when").map(|tests| self.tests(tests)).unwrap_or_default();
        if let Some(value) = node.member("$value") {
            return Some(Part::Conditional(when, Box::new(self.template(value)?)));
        }
        let mut out = Vec::new();
        for (key, value) in members.iter().filter(|(key, _)| key.name != "$when") {
            if let Some(template) = self.template(value) {
                out.push((key.name.clone(), Template { position: key.position, ..template }));
            }
        }
        if out.is_empty() {
            self.problem(node.position, "an empty object is never sent: leave it out");
        }
        Some(Part::Object(when, out))
    }

    fn instruction(&mut self, at: Position, name: &str, value: &Node) -> Option<Part> {
        let text = |reader: &mut Self| {
            let text = value.text().map(str::to_owned);
            if text.is_none() {
                reader.problem(value.position, format!("`{name}` takes a name"));
            }
            text
        };
        match name {
            "$field" => text(self).map(Part::Field),
            "$optional" => text(self).map(Part::Optional),
            "$date" => text(self).map(Part::Date),
            "$identifier" => text(self).map(Part::Identifier),
            "$reference" => text(self).map(Part::Reference),
            "$optional_reference" => text(self).map(Part::OptionalReference),
            "$instant" => {
                self.only(value, &["date", "time"])?;
                Some(Part::Instant(self.required(value, "date")?.1, self.required(value, "time")?.1))
            }
            "$translate" => {
                self.only(value, &["field", "map"])?;
                Some(Part::Translate(self.required(value, "field")?.1, self.required(value, "map")?))
            }
            _ => {
                self.suggest(at, format!("`{name}` is no instruction"), name, &INSTRUCTIONS);
                None
            }
        }
    }

    fn constant(&mut self, at: Position, text: &str, quoted: bool) -> Option<Part> {
        if quoted {
            if text.is_empty() {
                self.problem(at, "an empty text is never sent: leave it out");
                return None;
            }
            return Some(Part::Constant(json_text(text)));
        }
        if matches!(text, "" | "~" | "null") {
            self.problem(at, "an element without a value: give it one or leave it out");
            return None;
        }
        let plain = matches!(text, "true" | "false") || serde_json::from_str::<serde_json::Number>(text).is_ok();
        Some(Part::Constant(if plain { text.to_owned() } else { json_text(text) }))
    }

    fn tests(&mut self, node: &Node) -> Vec<Test> {
        let Some(members) = node.members() else {
            self.problem(node.position, "a `when` is written as `field: what is asked`");
            return Vec::new();
        };
        let mut tests = Vec::new();
        for (key, value) in members {
            for question in self.questions(value) {
                tests.push(Test { position: key.position, field: key.name.clone(), question });
            }
        }
        tests
    }

    fn questions(&mut self, node: &Node) -> Vec<Question> {
        match &node.content {
            Content::Scalar { text, .. } if text == "present" => vec![Question::Present],
            Content::Scalar { text, .. } if text == "absent" => vec![Question::Absent],
            Content::Scalar { text, .. } => vec![Question::In(vec![text.clone()])],
            Content::List(entries) => {
                vec![Question::In(entries.iter().filter_map(|entry| entry.text().map(str::to_owned)).collect())]
            }
            Content::Map(ends) => {
                let _ = self.only(node, &["at_least", "below"]);
                // The lower end first, whichever way round it is written.
                let end = |name: &str| ends.iter().find(|(key, _)| key.name == name)?.1.text().map(str::to_owned);
                let ends = [end("at_least").map(Question::AtLeast), end("below").map(Question::Below)];
                ends.into_iter().flatten().collect()
            }
        }
    }

    fn only(&mut self, node: &Node, known: &[&str]) -> Option<()> {
        let Some(members) = node.members() else {
            self.problem(node.position, format!("expected members ({})", known.join(", ")));
            return None;
        };
        for (key, _) in members.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            self.suggest(key.position, format!("`{}` is not known here", key.name), &key.name, known);
        }
        Some(())
    }

    fn required(&mut self, node: &Node, name: &str) -> Option<(Position, String)> {
        match node.member(name).and_then(|member| Some((member.position, member.text()?.trim().to_owned()))) {
            Some((position, text)) if !text.is_empty() => Some((position, text)),
            _ => {
                self.problem(node.position, format!("`{name}` is missing"));
                None
            }
        }
    }
}

/// A text as a JSON string.
#[must_use]
pub fn json_text(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
