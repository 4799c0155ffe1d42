//! YAML as a tree in which every node knows its line and column.
//!
//! It must not know what a mapping is. Anchors, aliases and tags are refused: a mapping file is read by people
//! who know spreadsheets, and what stands there is what is sent.

use granit_parser::{Event, Marker, Parser, ScalarStyle};

use super::problem::Problem;

/// Deepest nesting of a mapping file; FHIR resources stay far below.
const DEPTH_AT_MOST: usize = 40;

/// Position of a node: line and column, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A node with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it starts.
    pub position: Position,
    /// What it is.
    pub content: Content,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Content {
    /// A text, number, truth value or null; `quoted` texts are never numbers.
    Scalar {
        /// The text as written.
        text: String,
        /// Whether it stood in quotes or as a block.
        quoted: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// Members in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A member's name with its place.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it stands.
    pub position: Position,
    /// The name.
    pub name: String,
}

impl Node {
    /// The members, if this is a map.
    #[must_use]
    pub fn members(&self) -> Option<&[(Key, Node)]> {
        match &self.content {
            Content::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The entries, if this is a list.
    #[must_use]
    pub fn entries(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text, if this is a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether this is a number or truth value rather than a text.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        match &self.content {
            Content::Scalar { text, quoted: false } => {
                matches!(text.as_str(), "true" | "false") || serde_json::from_str::<serde_json::Number>(text).is_ok()
            }
            _ => false,
        }
    }

    /// A member by name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Node> {
        self.members()?.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// A problem at this node.
    #[must_use]
    pub fn problem(&self, file: &str, text: impl Into<String>) -> Problem {
        self.position.problem(file, text)
    }
}

impl Position {
    /// A problem at this position.
    #[must_use]
    pub fn problem(self, file: &str, text: impl Into<String>) -> Problem {
        Problem { file: file.to_owned(), line: self.line, column: self.column, text: text.into(), suggestion: None }
    }

    fn of(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

/// Reads one YAML document.
///
/// # Errors
/// A problem with its position when the text is not YAML, is empty, is nested too deep, repeats a member or uses
/// an anchor, alias or non-text key.
pub fn parse(file: &str, text: &str) -> Result<Node, Problem> {
    let mut builder = Builder { file, open: Vec::new(), root: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = Position::of(error.marker());
            at.problem(file, format!("this is not valid YAML: {}", error.info()))
        })?;
        builder.take(event, Position::of(&span.start))?;
    }
    builder.root.ok_or_else(|| Position { line: 1, column: 1 }.problem(file, "the file is empty"))
}

enum Open {
    List(Position, Vec<Node>),
    Map(Position, Vec<(Key, Node)>, Option<Key>),
}

struct Builder<'a> {
    file: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, position: Position) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, ..) => {
                let quoted = style != ScalarStyle::Plain;
                self.put(Node { position, content: Content::Scalar { text: text.into_owned(), quoted } })
            }
            Event::SequenceStart(..) => self.descend(Open::List(position, Vec::new()), position),
            Event::MappingStart(..) => self.descend(Open::Map(position, Vec::new(), None), position),
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop() {
                    Some(Open::List(position, entries)) => Node { position, content: Content::List(entries) },
                    Some(Open::Map(position, members, _)) => Node { position, content: Content::Map(members) },
                    None => return Ok(()),
                };
                self.put(node)
            }
            Event::Alias(..) | Event::UnresolvedAlias(..) => {
                Err(position.problem(self.file, "aliases (`*name`) are not allowed here: write the content out"))
            }
            _ => Ok(()),
        }
    }

    fn descend(&mut self, open: Open, position: Position) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_AT_MOST {
            return Err(position.problem(self.file, format!("nested deeper than {DEPTH_AT_MOST} levels")));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, node: Node) -> Result<(), Problem> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, entries)) => entries.push(node),
            Some(Open::Map(_, members, waiting)) => match waiting.take() {
                Some(key) => members.push((key, node)),
                None => {
                    let Content::Scalar { text, .. } = node.content else {
                        return Err(node.position.problem(self.file, "a member's name must be plain text"));
                    };
                    if members.iter().any(|(key, _)| key.name == text) {
                        return Err(node.position.problem(self.file, format!("`{text}` stands twice")));
                    }
                    *waiting = Some(Key { position: node.position, name: text });
                }
            },
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nodes_know_their_line_and_column() {
        let root = parse("a.yaml", "one: 1\ntwo:\n  - x: \"y\"\n").unwrap();
        let x = &root.member("two").unwrap().entries().unwrap()[0];
        assert_eq!(x.member("x").unwrap().position, Position { line: 3, column: 8 });
    }

    #[test]
    fn a_repeated_member_and_an_alias_are_refused_with_their_place() {
        assert_eq!(parse("a.yaml", "a: 1\na: 2\n").unwrap_err().to_string(), "a.yaml:2:1: `a` stands twice");
        assert!(parse("a.yaml", "a: &x 1\nb: *x\n").unwrap_err().text.contains("aliases"));
    }
}
