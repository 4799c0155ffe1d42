//! The corpus: every kind of file and mess of the field, against what its expectation file says must come of each.
//!
//! All differences are reported at once, by file and row. Rows are counted against the number that the generator of
//! the corpus wrote down, never against a count of our own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::{Date, date};
use posyandu_gateway::issue::Issue;
use posyandu_gateway::record::RowOutcome;
use posyandu_gateway::record::reader::Reader;
use posyandu_gateway::record::schema::Schemas;
use posyandu_gateway::source::problem::SourceError;
use posyandu_gateway::source::profile::{self, Kind, Profile};
use posyandu_gateway::source::{self, Location, Reading};
use posyandu_gateway::words::{self, Language};

/// The day of all visits of the corpus, and of reading it.
const TODAY: Date = date(2026, 11, 18);
/// Fewer files than this would no longer cover the field.
const FILES_MIN: usize = 60;
/// Largest file, in bytes: the corpus stays small enough to be read in one go.
const FILE_BYTES_MAX: u64 = 60_000;

/// Sheet (empty in delimited text) and row.
type At = (String, String);

/// What must come of one file.
#[derive(Default)]
struct Expected {
    profile: String,
    rows: Option<usize>,
    refused: Option<String>,
    /// Column (empty when the row is meant) and outcome.
    at: BTreeMap<At, Vec<(String, String)>>,
}

/// What came of one row.
#[derive(Default)]
struct Found {
    skipped: Option<&'static str>,
    issues: Vec<Issue>,
    outcome: RowOutcome,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus")
}

fn expected() -> BTreeMap<String, Expected> {
    let mut all: BTreeMap<String, Expected> = BTreeMap::new();
    let mut lines = csv::Reader::from_path(folder().join("harapan.csv")).unwrap();
    for line in lines.records() {
        let line = line.unwrap();
        let [file, profile, sheet, row, column, outcome] = [0, 1, 2, 3, 4, 5].map(|at| line[at].to_owned());
        let expected = all.entry(file).or_default();
        expected.profile = profile;
        match outcome.split_once(':') {
            Some(("baris", count)) => expected.rows = Some(count.parse().unwrap()),
            Some(("tolak", rule)) => expected.refused = Some(rule.to_owned()),
            _ => expected.at.entry((sheet, row)).or_default().push((column, outcome)),
        }
    }
    all
}

fn profiles() -> BTreeMap<String, Arc<Profile>> {
    let each = profile::built_in().into_iter().map(|(file, text)| Profile::parse(&file, &text).unwrap());
    each.map(|profile| (profile.name.clone(), Arc::new(profile))).collect()
}

/// The sheet of a place: `file.xlsx [sheet]`.
fn sheet_of(file: &str, place: &str) -> String {
    let behind = place.strip_prefix(file).unwrap_or(place).trim();
    behind.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(behind).to_owned()
}

async fn read(
    profile: &Arc<Profile>,
    reader: &Reader,
    file: &str,
    odd: &mut Vec<String>,
) -> Result<BTreeMap<At, Found>, Issue> {
    let location =
        Location::file_at("korpus", folder().join("berkas").join(file), env!("CARGO_BIN_EXE_posyandu-gateway").into());
    let mut found = BTreeMap::new();
    let told = |error: SourceError| error.issue(&location);
    let mut rows = source::open(profile, &location).await.map_err(told)?;
    while let Some(reading) = rows.next().await.map_err(told)? {
        let (place, one) = match reading {
            Reading::Row(row) => {
                let outcome = reader.read(&row, TODAY);
                (row.place, Found { issues: outcome.issues.clone(), outcome, ..Found::default() })
            }
            Reading::Skipped { place, reason } => (place, Found { skipped: Some(reason.name()), ..Found::default() }),
            Reading::Broken(issue) => (issue.place.clone().unwrap(), Found { issues: vec![issue], ..Found::default() }),
        };
        let at = (sheet_of(file, &place.file), place.row);
        if found.insert(at.clone(), one).is_some() {
            odd.push(format!("{file}: {at:?} was given twice"));
        }
    }
    Ok(found)
}

/// The sentence of an issue in both languages, or what is wrong with it.
fn incomplete(issue: &Issue) -> Option<String> {
    let bad = [Language::Indonesian, Language::English].into_iter().find_map(|language| {
        let sentence = words::of_issue(language, issue);
        (!words::knows(&issue.rule) || sentence.contains('{') || !sentence.ends_with('.')).then_some(sentence)
    });
    bad.map(|sentence| format!("the sentence of {} is not complete: {sentence}", issue.rule))
}

/// Whether a record of the row holds the value of `dataset.field=value`.
fn holds(outcome: &RowOutcome, wanted: &str) -> Result<(), String> {
    let (name, value) = wanted.split_once('=').unwrap();
    let (dataset, field) = name.split_once('.').unwrap();
    let mut seen = Vec::new();
    for record in outcome.records.iter().filter(|record| record.schema.dataset == dataset) {
        let json: serde_json::Value = serde_json::from_str(&record.to_json()).unwrap();
        seen.push(match &json[field] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        });
    }
    let same = |one: &String| {
        one == value || one.parse::<f64>().ok().zip(value.parse::<f64>().ok()).is_some_and(|(one, two)| one == two)
    };
    if seen.iter().any(same) { Ok(()) } else { Err(format!("{name} must be {value}, found {seen:?}")) }
}

/// What differs at one row.
fn differences(expected: &[(String, String)], found: &Found) -> Vec<String> {
    let mut odd: Vec<String> = found.issues.iter().filter_map(incomplete).collect();
    let rules: Vec<&str> = found.issues.iter().map(|issue| &*issue.rule).collect();
    let listed = |rule: &str| expected.iter().any(|(_, outcome)| outcome.strip_prefix("issue:") == Some(rule));
    for issue in found.issues.iter().filter(|issue| issue.is_error() && !listed(&issue.rule)) {
        let column = issue.place.as_ref().and_then(|place| place.column.clone()).unwrap_or_default();
        odd.push(format!("not expected: {} at `{column}`", issue.rule));
    }
    for (column, outcome) in expected {
        let (kind, argument) = outcome.split_once(':').unwrap_or((outcome, ""));
        let difference = match kind {
            "terbaca" if found.skipped.is_some() || found.issues.iter().any(Issue::is_error) => {
                Some(format!("must be read, found {:?} {rules:?}", found.skipped))
            }
            "terbaca" => None,
            "lewat" => (found.skipped != Some(argument))
                .then(|| format!("must be passed over as {argument}, found {:?} {rules:?}", found.skipped)),
            "issue" => {
                let fits = |issue: &&Issue| {
                    let at = issue.place.as_ref().and_then(|place| place.column.as_deref());
                    issue.rule == argument && (column.is_empty() || at == Some(column))
                };
                let none = !found.issues.iter().any(|issue| fits(&issue));
                none.then(|| format!("must report {argument} at `{column}`, found {:?} {rules:?}", found.skipped))
            }
            "nilai" => holds(&found.outcome, argument).err(),
            _ => Some(format!("unknown outcome {outcome}")),
        };
        odd.extend(difference);
    }
    odd
}

fn compare(file: &str, expected: &Expected, found: &BTreeMap<At, Found>) -> Vec<String> {
    let mut odd = Vec::new();
    let (rows, wanted) = (found.len(), expected.rows);
    if wanted != Some(rows) {
        let skipped = found.values().filter(|one| one.skipped.is_some()).count();
        let held = found.values().filter(|one| one.issues.iter().any(Issue::is_error)).count();
        let read = rows - skipped - held;
        odd.push(format!("{file}: {wanted:?} rows, found {rows} = {read} read + {held} issue + {skipped} skipped"));
    }
    let none = Vec::new();
    for (at, one) in found {
        let differences = differences(expected.at.get(at).unwrap_or(&none), one);
        odd.extend(differences.into_iter().map(|difference| format!("{file} {at:?}: {difference}")));
    }
    let missing = expected.at.iter().filter(|(at, _)| !found.contains_key(*at));
    odd.extend(missing.map(|(at, outcomes)| format!("{file} {at:?}: not given; expected {outcomes:?}")));
    odd
}

#[tokio::test]
async fn every_file_is_read_or_refused_as_written_down() {
    let (schemas, profiles) = (Schemas::built_in().unwrap(), profiles());
    let mut odd = Vec::new();
    for (file, expected) in expected() {
        let profile = profiles.get(&expected.profile).unwrap_or_else(|| panic!("no profile {}", expected.profile));
        let reader = Reader::new(Arc::clone(profile), &schemas).unwrap();
        match (read(profile, &reader, &file, &mut odd).await, &expected.refused) {
            (Ok(found), None) => odd.extend(compare(&file, &expected, &found)),
            (Ok(found), Some(rule)) => {
                odd.push(format!("{file}: must be refused as {rule}, but {} rows were given", found.len()));
            }
            (Err(issue), refused) => {
                odd.extend(incomplete(&issue).map(|told| format!("{file}: {told}")));
                if refused.as_deref() != Some(&*issue.rule) {
                    let why = words::of_issue(Language::English, &issue);
                    odd.push(format!("{file}: refused as {} ({why}), expected {refused:?}", issue.rule));
                }
            }
        }
    }
    assert!(odd.is_empty(), "{} differences:\n  {}", odd.len(), odd.join("\n  "));
}

#[test]
fn the_folder_and_the_expectations_name_the_same_files() {
    let expected = expected();
    let named: BTreeSet<String> = expected.keys().cloned().collect();
    let entries = std::fs::read_dir(folder().join("berkas")).unwrap().map(Result::unwrap);
    let kept: BTreeMap<String, u64> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())).collect();
    assert_eq!(kept.keys().cloned().collect::<BTreeSet<_>>(), named);
    assert!(named.len() >= FILES_MIN, "{} files", named.len());
    let large: Vec<&String> = kept.iter().filter(|(_, bytes)| **bytes > FILE_BYTES_MAX).map(|(name, _)| name).collect();
    assert!(large.is_empty(), "too large: {large:?}");
    for (file, expected) in &expected {
        assert!(expected.rows.is_some() != expected.refused.is_some(), "{file} needs either a count or a refusal");
    }
}

#[test]
fn every_shipped_profile_of_files_is_read_at_least_twice() {
    let expected = expected();
    for profile in profiles().values().filter(|profile| profile.kind == Kind::File) {
        let files = expected.values().filter(|one| one.profile == profile.name && one.refused.is_none()).count();
        assert!(files >= 2, "{} is read from {files} file(s)", profile.name);
    }
}
