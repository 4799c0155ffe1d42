//! Mapping files, schemas, profiles and the sample city, as they travel inside the binary or stand in a folder.
//!
//! It must not interpret them; it hands names and texts to the modules that do.

use std::collections::BTreeMap;
use std::path::Path;

use rust_embed::RustEmbed;

use crate::growth::Standards;
use crate::mapping::problem::Problem;
use crate::mapping::set::{Files, MappingSet};
use crate::record::schema::Schemas;
use crate::resource::profile::Profiles;
use crate::resource::proof;
use crate::source::profile;

#[derive(RustEmbed)]
#[folder = "mappings"]
struct Mappings;

#[derive(RustEmbed)]
#[folder = "schemas/profile"]
struct ProfileFiles;

/// The platform's published rules.
const PUBLISHED_RULES: &str = include_str!("../../schemas/rule/satusehat.csv");

#[derive(RustEmbed)]
#[folder = "tests/fixtures/kota-contoh"]
struct SampleCity;

/// Everything that decides how records are read and mapped.
#[derive(Debug)]
pub struct Rules {
    /// Record schemas.
    pub schemas: Schemas,
    /// Growth standards.
    pub standards: Standards,
    /// Checked mappings.
    pub mappings: MappingSet,
    /// SATUSEHAT's rules that are checked before queueing.
    pub profiles: Profiles,
}

/// Why the rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// Mistakes in mapping files.
    #[error("{} mistake(s) in the mapping files", .0.len())]
    Mapping(Vec<Problem>),
    /// A schema or profile cannot be read.
    #[error("a built-in schema cannot be read: {0}")]
    Schema(String),
    /// A growth standard cannot be read.
    #[error("a built-in growth standard cannot be read")]
    Standards(#[from] crate::growth::GrowthError),
    /// A folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Loads and proves the rules; `folder` holds own mapping files, `None` means the built-in ones.
///
/// # Errors
/// All mistakes in the mapping files, or what cannot be read.
pub fn rules(folder: Option<&Path>) -> Result<Rules, AssetsError> {
    let rules = compiled(folder)?;
    let problems = proof::prove(&rules.mappings, &rules.profiles);
    if problems.is_empty() { Ok(rules) } else { Err(AssetsError::Mapping(problems)) }
}

/// The rules for work: own mapping files are proved again, the built-in ones were proved by the tests of this build.
///
/// # Errors
/// As [`rules`].
pub fn rules_for_work(folder: Option<&Path>) -> Result<Rules, AssetsError> {
    if folder.is_some() { rules(folder) } else { compiled(None) }
}

fn compiled(folder: Option<&Path>) -> Result<Rules, AssetsError> {
    let schemas = Schemas::built_in().map_err(|error| AssetsError::Schema(error.to_string()))?;
    let profile_texts = embedded::<ProfileFiles>("");
    let profile_texts = profile_texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let profiles =
        Profiles::parse(profile_texts, PUBLISHED_RULES).map_err(|error| AssetsError::Schema(error.to_string()))?;
    let files = mapping_files(folder)?;
    let mappings = MappingSet::load(&files, &schemas).map_err(AssetsError::Mapping)?;
    let standards = Standards::built_in()?;
    Ok(Rules { schemas, standards, mappings, profiles })
}

fn mapping_files(folder: Option<&Path>) -> Result<Files, AssetsError> {
    let all = match folder {
        Some(folder) => on_disk(folder)?,
        None => embedded::<Mappings>(""),
    };
    let shown = |name: &str| match folder {
        Some(folder) => folder.join(name).display().to_string(),
        None => format!("mappings/{name}"),
    };
    let mut files = Files::default();
    for (name, text) in all {
        let file = shown(&name);
        match name.split_once('/') {
            None if name == "codes.csv" => files.codes = (file, text),
            None if has_extension(&name, "yaml") => files.templates.push((file, text)),
            Some(("concept_maps", _)) => files.concept_maps.push((file, text)),
            _ => {}
        }
    }
    Ok(files)
}

/// The mapping files' texts by the names that messages give them.
///
/// # Errors
/// When the folder cannot be read.
pub fn mapping_texts(folder: Option<&Path>) -> Result<BTreeMap<String, String>, AssetsError> {
    let files = mapping_files(folder)?;
    Ok(files.templates.into_iter().chain(files.concept_maps).chain([files.codes]).collect())
}

/// The mapping test cases: file name and text.
///
/// # Errors
/// When the folder cannot be read.
pub fn mapping_cases(folder: Option<&Path>) -> Result<Vec<(String, String)>, AssetsError> {
    Ok(match folder {
        Some(folder) => on_disk(folder)?.into_iter().filter(|(name, _)| name.starts_with("tests/")).collect(),
        None => embedded::<Mappings>("tests/"),
    })
}

/// A source profile: the built-in one of that name, or the text of a file when the name is a path.
///
/// # Errors
/// When the file cannot be read. `Ok(None)` when no built-in profile has that name.
pub fn source_profile(name: &str, base: &Path) -> Result<Option<(String, String)>, AssetsError> {
    if has_extension(name, "yaml") {
        let path = base.join(name);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| AssetsError::Read { path: path.display().to_string(), source })?;
        return Ok(Some((path.display().to_string(), text)));
    }
    Ok(profile::built_in().into_iter().find(|(file, _)| stem(file) == name))
}

/// Names of the built-in source profiles.
#[must_use]
pub fn source_profile_names() -> Vec<String> {
    profile::built_in().iter().map(|(name, _)| stem(name).to_owned()).collect()
}

/// The sample city's files: name and content.
#[must_use]
pub fn sample_city() -> Vec<(String, Vec<u8>)> {
    // The scripts that made the sample are for developers.
    let for_people =
        |name: &str| ["csv", "xlsx", "sqlite", "json", "yaml", "toml"].iter().any(|kind| has_extension(name, kind));
    SampleCity::iter()
        .filter(|name| for_people(name))
        .filter_map(|name| SampleCity::get(&name).map(|file| (name.to_string(), file.data.into_owned())))
        .collect()
}

fn embedded<Folder: RustEmbed>(prefix: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Folder::iter()
        .filter(|name| name.starts_with(prefix))
        .filter_map(|name| {
            let text = String::from_utf8(Folder::get(&name)?.data.into_owned()).ok()?;
            Some((name.to_string(), text))
        })
        .collect();
    files.sort();
    files
}

fn on_disk(folder: &Path) -> Result<Vec<(String, String)>, AssetsError> {
    let mut files = Vec::new();
    for inside in ["", "concept_maps", "tests"] {
        let path = folder.join(inside);
        let failed = |source| AssetsError::Read { path: path.display().to_string(), source };
        if !inside.is_empty() && !path.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let name = if inside.is_empty() { name } else { format!("{inside}/{name}") };
                files.push((name, std::fs::read_to_string(entry.path()).map_err(failed)?));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn stem(name: &str) -> &str {
    Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name)
}
