//! Concept maps: the field's words to the platform's codes, as CSV that a health office can edit.
//!
//! Columns after FHIR's ConceptMap. It must never answer for a code it does not hold: no defaults, no nearest code.

use std::collections::BTreeMap;

use super::problem::{Problem, nearest};
use super::template::{Certainty, json_text};

/// A translation table from one local code list to codings of the platform.
#[derive(Debug)]
pub struct ConceptMap {
    /// Name, as templates refer to it.
    pub name: String,
    /// File name for messages.
    pub file: String,
    rows: BTreeMap<String, Target>,
    lines: Vec<Row>,
}

/// What a source code becomes.
#[derive(Debug)]
pub enum Target {
    /// These codings, as the inside of a JSON list, constant and ready to send.
    Codings {
        /// JSON objects separated by commas.
        json: String,
        /// System and code of each, for the check against the code list.
        codes: Vec<(usize, String, String)>,
    },
    /// Knowingly not reported.
    NotReported,
}

/// One line of a concept map, for people.
#[derive(Debug, Clone)]
pub struct Row {
    /// Line in the file, from 1.
    pub line: usize,
    /// The field's word.
    pub source_code: String,
    /// System of the coding; empty when the word is not reported.
    pub system: String,
    /// Its code.
    pub code: String,
    /// Its display.
    pub display: String,
    /// `equivalent`, `wider`, `narrower` or `not-reported`.
    pub relationship: String,
    /// How well it is founded, as written.
    pub certainty: String,
    /// Where it comes from.
    pub note: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    source_system: String,
    source_version: String,
    source_code: String,
    target_system: String,
    target_version: String,
    target_code: String,
    target_display: String,
    relationship: String,
    certainty: String,
    note: String,
}

impl Line {
    fn row(self, line: usize) -> Row {
        // Systems' versions are for provenance; nobody looks a code up by them.
        let _ = (self.source_system, self.source_version, self.target_version);
        Row {
            line,
            source_code: self.source_code,
            system: self.target_system,
            code: self.target_code,
            display: self.target_display,
            relationship: self.relationship,
            certainty: self.certainty,
            note: self.note,
        }
    }
}

impl ConceptMap {
    /// Reads a concept map.
    ///
    /// # Errors
    /// Every mistake with its line.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut rows = BTreeMap::new();
        let mut kept = Vec::new();
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let mut lines = reader.deserialize::<Line>();
        loop {
            let number = usize::try_from(lines.reader().position().line()).unwrap_or(1);
            match lines.next() {
                Some(Ok(line)) => {
                    Self::take(&mut rows, file, number.max(2), &line, &mut problems);
                    kept.push(line.row(number.max(2)));
                }
                Some(Err(error)) => problems.push(Problem {
                    file: file.to_owned(),
                    line: number,
                    column: 1,
                    text: error.to_string(),
                    suggestion: None,
                }),
                None => break,
            }
        }
        if problems.is_empty() {
            Ok(Self { name: name.to_owned(), file: file.to_owned(), rows, lines: kept })
        } else {
            Err(problems)
        }
    }

    fn take(rows: &mut BTreeMap<String, Target>, file: &str, number: usize, line: &Line, problems: &mut Vec<Problem>) {
        let mut wrong = |text: String, suggestion: Option<String>| {
            problems.push(Problem { file: file.to_owned(), line: number, column: 1, text, suggestion });
        };
        if Certainty::from_word(&line.certainty).is_none() {
            let suggestion = nearest(&line.certainty, ["official", "third_party", "guess"]);
            wrong(format!("`{}` is no certainty", line.certainty), suggestion);
        }
        match line.relationship.as_str() {
            "not-reported" => {
                rows.insert(line.source_code.clone(), Target::NotReported);
            }
            "equivalent" | "wider" | "narrower" => {
                let display = match line.target_display.as_str() {
                    "" => String::new(),
                    text => format!(",\"display\":{}", json_text(text)),
                };
                let (system, code) = (json_text(&line.target_system), json_text(&line.target_code));
                let coding = format!("{{\"system\":{system},\"code\":{code}{display}}}");
                let code = (number, line.target_system.clone(), line.target_code.clone());
                match rows.get_mut(&line.source_code) {
                    Some(Target::Codings { json, codes }) => {
                        json.push(',');
                        json.push_str(&coding);
                        codes.push(code);
                    }
                    Some(Target::NotReported) => {
                        wrong(format!("`{}` is both reported and not reported", line.source_code), None);
                    }
                    None => {
                        let target = Target::Codings { json: coding, codes: vec![code] };
                        rows.insert(line.source_code.clone(), target);
                    }
                }
            }
            other => {
                let suggestion = nearest(other, ["equivalent", "wider", "narrower", "not-reported"]);
                wrong(format!("`{other}` is no relationship"), suggestion);
            }
        }
    }

    /// What a source code becomes; `None` when the table does not hold it.
    #[must_use]
    pub fn target(&self, code: &str) -> Option<&Target> {
        self.rows.get(code)
    }

    /// All lines, in the order of the file.
    #[must_use]
    pub fn lines(&self) -> &[Row] {
        &self.lines
    }

    /// All source codes.
    pub fn source_codes(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// Every target code with its line in the file.
    pub fn target_codes(&self) -> impl Iterator<Item = &(usize, String, String)> {
        self.rows.values().flat_map(|target| match target {
            Target::Codings { codes, .. } => codes.as_slice(),
            Target::NotReported => &[],
        })
    }
}
