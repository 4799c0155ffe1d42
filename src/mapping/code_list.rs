//! The packaged code list: every code that may leave, with its system, certainty and origin.
//!
//! A code that does not stand here cannot be used by a template or a concept map. It must not be filled from memory.

use std::collections::BTreeMap;

use super::problem::Problem;

/// All codes that may be sent.
#[derive(Debug, Default)]
pub struct CodeList {
    codes: BTreeMap<(String, String), String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    system: String,
    code: String,
    display: String,
    certainty: String,
    source: String,
}

impl CodeList {
    /// Reads the list (CSV: system, code, display, certainty, source).
    ///
    /// # Errors
    /// The line that cannot be read, or a code without an origin.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problem> {
        let mut codes = BTreeMap::new();
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        for line in reader.deserialize::<Line>() {
            let line = line.map_err(|error| {
                let line = error.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(1));
                Problem { file: file.to_owned(), line, column: 1, text: error.to_string(), suggestion: None }
            })?;
            if line.source.is_empty() || line.certainty.is_empty() {
                let text = format!("code `{}` needs a certainty and a source", line.code);
                return Err(Problem { file: file.to_owned(), line: 1, column: 1, text, suggestion: None });
            }
            codes.insert((line.system, line.code), line.display);
        }
        Ok(Self { codes })
    }

    /// Whether a code stands in the list.
    #[must_use]
    pub fn holds(&self, system: &str, code: &str) -> bool {
        self.codes.contains_key(&(system.to_owned(), code.to_owned()))
    }

    /// The nearest thing to say about a code that is not in the list.
    #[must_use]
    pub fn suggestion(&self, system: &str, code: &str) -> Option<String> {
        let codes = || self.codes.keys().filter(|(known, _)| known == system).map(|(_, code)| code.as_str());
        if codes().next().is_none() {
            return super::problem::nearest(system, self.codes.keys().map(|(system, _)| system.as_str()));
        }
        super::problem::nearest(code, codes())
    }
}
