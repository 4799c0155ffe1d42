//! All mapping files together: loaded, checked, and known by one version.
//!
//! It must not know where the files come from; the caller hands over names and texts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::code_list::CodeList;
use super::compile::{ResourcePlan, Scope, compile};
use super::concept_map::ConceptMap;
use super::problem::{Problem, nearest};
use super::registration::{ALONE, REGISTRATION};
use super::template::{self, MappingFile};
use super::tree;
use crate::record::schema::{Schema, Schemas};

/// The dataset name that stands for the visit itself.
pub const VISIT: &str = "kunjungan";

/// The mapping files as texts, by file name.
#[derive(Debug, Default, Clone)]
pub struct Files {
    /// Templates: `<dataset>.yaml`.
    pub templates: Vec<(String, String)>,
    /// Concept maps: `<name>.csv`.
    pub concept_maps: Vec<(String, String)>,
    /// The packaged code list.
    pub codes: (String, String),
}

/// One dataset's compiled mapping.
#[derive(Debug)]
pub struct Mapping {
    /// The dataset.
    pub dataset: String,
    /// File it stands in.
    pub file: String,
    /// The author's version.
    pub version: String,
    /// The records' schema.
    pub schema: Arc<Schema>,
    /// What it may yield.
    pub plans: Vec<ResourcePlan>,
    /// Switch name → what turning it on means.
    pub switches: BTreeMap<String, String>,
    /// Whether a record that yields no resource is an issue.
    pub must_yield: bool,
    /// The schema of what stands beside the record: the visit, or the registration of a person or posyandu.
    pub beside: Arc<Schema>,
    /// Fields that are knowingly not reported, with the reason.
    pub not_reported: BTreeMap<String, String>,
}

/// All mappings.
#[derive(Debug)]
pub struct MappingSet {
    /// The visit's own mapping.
    pub visit: Mapping,
    /// The mapping of each dataset.
    pub by_dataset: BTreeMap<String, Mapping>,
    /// The mappings of what a visit stands on, person and posyandu: no part of its Bundle.
    pub alone: BTreeMap<String, Mapping>,
    /// The concept maps by name.
    pub concept_maps: BTreeMap<String, Arc<ConceptMap>>,
    /// Content hash over all files, first 12 hexadecimal digits: stored with everything sent.
    pub version: String,
    /// The person's schema.
    pub sasaran: Arc<Schema>,
    /// The posyandu's schema.
    pub posyandu: Arc<Schema>,
    /// The registration's schema.
    pub registration: Arc<Schema>,
}

impl MappingSet {
    /// Loads and checks all files.
    ///
    /// # Errors
    /// Every mistake found, in file order.
    pub fn load(files: &Files, schemas: &Schemas) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let codes = CodeList::parse(&files.codes.0, &files.codes.1).unwrap_or_else(|problem| {
            problems.push(problem);
            CodeList::default()
        });
        let concept_maps = load_concept_maps(&files.concept_maps, &codes, &mut problems);
        let written: Vec<MappingFile> = files
            .templates
            .iter()
            .filter_map(|(file, text)| {
                let root = tree::parse(file, text).map_err(|problem| problems.push(problem)).ok()?;
                template::read(file, &root).map_err(|found| problems.extend(found)).ok()
            })
            .collect();
        let schema = |dataset: &str| schemas.0.get(dataset);
        let (Some(sasaran), Some(posyandu), Some(visit), Some(registration)) =
            (schema("sasaran"), schema("posyandu"), schema(VISIT), schema(REGISTRATION))
        else {
            let text = "the record schemas sasaran, posyandu, kunjungan and pendaftaran are needed".to_owned();
            let file = "schemas/record".to_owned();
            problems.push(Problem { file, line: 1, column: 1, text, suggestion: None });
            return Err(problems);
        };
        let (concept_maps_read, codes) = (&concept_maps, &codes);
        let world = World { schemas, sasaran, posyandu, visit, registration, concept_maps: concept_maps_read, codes };
        let mut mappings = compile_all(&written, &world, &mut problems);
        let visit_mapping = mappings.remove(VISIT);
        let alone = ALONE.into_iter().filter_map(|dataset| mappings.remove_entry(dataset)).collect();
        match visit_mapping {
            Some(visit) if problems.is_empty() => Ok(Self {
                visit,
                by_dataset: mappings,
                alone,
                concept_maps,
                version: version(files),
                sasaran: Arc::clone(sasaran),
                posyandu: Arc::clone(posyandu),
                registration: Arc::clone(registration),
            }),
            Some(_) => Err(problems),
            None => {
                if problems.is_empty() {
                    let text = "no mapping for the visit itself (dataset `kunjungan`)".to_owned();
                    problems.push(Problem { file: "mappings".to_owned(), line: 1, column: 1, text, suggestion: None });
                }
                Err(problems)
            }
        }
    }

    /// All mappings, the visit's first and those of person and posyandu last.
    pub fn all(&self) -> impl Iterator<Item = &Mapping> {
        std::iter::once(&self.visit).chain(self.by_dataset.values()).chain(self.alone.values())
    }

    /// The mapping of a dataset's records, of the visit or alone.
    #[must_use]
    pub fn of_record(&self, dataset: &str) -> Option<&Mapping> {
        self.by_dataset.get(dataset).or_else(|| self.alone.get(dataset))
    }

    /// Names of all switches.
    #[must_use]
    pub fn switches(&self) -> BTreeSet<&str> {
        self.all().flat_map(|mapping| mapping.switches.keys().map(String::as_str)).collect()
    }
}

/// What all mapping files share.
struct World<'a> {
    schemas: &'a Schemas,
    sasaran: &'a Arc<Schema>,
    posyandu: &'a Arc<Schema>,
    visit: &'a Arc<Schema>,
    registration: &'a Arc<Schema>,
    concept_maps: &'a BTreeMap<String, Arc<ConceptMap>>,
    codes: &'a CodeList,
}

fn compile_all(written: &[MappingFile], world: &World<'_>, problems: &mut Vec<Problem>) -> BTreeMap<String, Mapping> {
    let visit_resources: Vec<String> = written
        .iter()
        .filter(|file| file.dataset == VISIT)
        .flat_map(|file| file.resources.iter().map(|resource| resource.name.clone()))
        .collect();
    let mut mappings = BTreeMap::new();
    for file in written {
        let Some(own) = world.schemas.0.get(&file.dataset) else {
            let mut problem =
                file.dataset_position.problem(&file.file, format!("there is no record schema for `{}`", file.dataset));
            problem.suggestion = nearest(&file.dataset, world.schemas.0.keys().map(String::as_str));
            problems.push(problem);
            continue;
        };
        let is_alone = ALONE.contains(&file.dataset.as_str());
        let scope = Scope {
            own,
            sasaran: world.sasaran,
            posyandu: world.posyandu,
            visit: if is_alone { world.registration } else { world.visit },
            visit_resources: if is_alone { &[] } else { &visit_resources },
            concept_maps: world.concept_maps,
            codes: world.codes,
        };
        match compile(file, &scope) {
            Ok(plans) => {
                mappings.insert(file.dataset.clone(), mapping(file, &scope, plans));
            }
            Err(found) => problems.extend(found),
        }
    }
    mappings
}

fn mapping(file: &MappingFile, scope: &Scope<'_>, plans: Vec<ResourcePlan>) -> Mapping {
    Mapping {
        dataset: file.dataset.clone(),
        file: file.file.clone(),
        version: file.version.clone(),
        schema: Arc::clone(scope.own),
        plans,
        switches: file.switches.clone(),
        must_yield: file.must_yield,
        beside: Arc::clone(scope.visit),
        not_reported: file.not_reported.iter().map(|(name, (_, reason))| (name.clone(), reason.clone())).collect(),
    }
}

fn load_concept_maps(
    files: &[(String, String)],
    codes: &CodeList,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Arc<ConceptMap>> {
    let mut maps = BTreeMap::new();
    for (file, text) in files {
        let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".csv");
        match ConceptMap::parse(name, file, text) {
            Ok(map) => {
                for (line, system, code) in map.target_codes().filter(|(_, system, code)| !codes.holds(system, code)) {
                    problems.push(Problem {
                        file: file.clone(),
                        line: *line,
                        column: 1,
                        text: format!("code `{code}` of {system} is not in the packaged code list"),
                        suggestion: codes.suggestion(system, code),
                    });
                }
                maps.insert(name.to_owned(), Arc::new(map));
            }
            Err(found) => problems.extend(found),
        }
    }
    maps
}

fn version(files: &Files) -> String {
    let mut all: Vec<&(String, String)> = files.templates.iter().chain(&files.concept_maps).collect();
    all.push(&files.codes);
    all.sort();
    let mut hash = Sha256::new();
    for (name, text) in all {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..6])
}
