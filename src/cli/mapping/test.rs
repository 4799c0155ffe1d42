//! `mapping test`: runs the cases, and tells which lines of the mapping files no case touches.
//!
//! It must not decide what is right: the cases say what is expected.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::{Format, installation, print, rules};
use crate::config::Config;
use crate::config::assets::{self, Rules};
use crate::mapping::case::{self, Case, CaseResult};
use crate::mapping::coverage::{Coverage, Figure};

/// Runs the cases of the configured mapping files, or writes down what they yield.
pub(super) fn run(
    config: &Config,
    loaded: &Rules,
    format: Format,
    bless: bool,
    coverage: bool,
) -> anyhow::Result<Exit> {
    let folder = installation::mapping_folder(config);
    anyhow::ensure!(!bless || folder.is_some(), "--bless writes files: name their folder with --directory");
    let cases = parsed(folder.as_deref(), loaded)?;
    if let (true, Some(folder)) = (bless, &folder) {
        return written(folder, loaded, &cases);
    }
    let mut touched = Coverage::new(&loaded.mappings);
    let (mut failed, mut disputed) = (Vec::new(), BTreeSet::new());
    for (file, _, case) in &cases {
        touched.take(case);
        let mut result = case::run(&loaded.mappings, case);
        let held = rules::hold(loaded, case);
        disputed.extend(held.disputed);
        result.passed &= held.broken.is_empty();
        result.differences.extend(held.broken);
        if !result.passed {
            failed.push((file.as_str(), result));
        }
    }
    let passed = cases.len() - failed.len();
    let told = coverage.then(|| told(&touched, folder.as_deref())).transpose()?;
    print::result(&match format {
        Format::Json => as_json(passed, &failed, &disputed, told.as_ref()).to_string(),
        _ => as_text(passed, &failed, &disputed, told.as_ref()),
    });
    Ok(if failed.is_empty() { Exit::Fine } else { Exit::NeedsAttention })
}

/// File, text and case of each case.
fn parsed(folder: Option<&Path>, rules: &Rules) -> anyhow::Result<Vec<(String, String, Case)>> {
    let texts = assets::mapping_cases(folder)?;
    anyhow::ensure!(!texts.is_empty(), "there is no case in tests/ beside the mapping files");
    let mut cases = Vec::with_capacity(texts.len());
    for (file, text) in texts {
        let case = Case::parse(&file, &text, &rules.mappings).map_err(|problems| {
            problems.iter().for_each(|problem| installation::problem_told(problem, Some(&text)));
            anyhow::anyhow!("{file} is no mapping case")
        })?;
        cases.push((file, text, case));
    }
    Ok(cases)
}

fn written(folder: &Path, rules: &Rules, cases: &[(String, String, Case)]) -> anyhow::Result<Exit> {
    for (file, text, case) in cases {
        let path = folder.join(file);
        std::fs::write(&path, case::bless(&rules.mappings, case, text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    print::note(&format!("{} cases written; read them before you keep them", cases.len()));
    Ok(Exit::Fine)
}

/// A figure and the text of each line that no case touches.
struct Told {
    what: &'static str,
    figure: Figure,
    texts: Vec<String>,
}

fn told(touched: &Coverage<'_>, folder: Option<&Path>) -> anyhow::Result<[Told; 2]> {
    let files = assets::mapping_texts(folder)?;
    Ok([("template lines", touched.templates()), ("concept map lines", touched.concept_maps())].map(
        |(what, figure)| {
            let text = |(file, line): &(String, usize)| {
                files.get(file).and_then(|text| text.lines().nth(line.saturating_sub(1))).unwrap_or_default()
            };
            let texts = figure.untouched.iter().map(|place| text(place).trim().to_owned()).collect();
            Told { what, figure, texts }
        },
    ))
}

fn as_text(
    passed: usize,
    failed: &[(&str, CaseResult)],
    disputed: &BTreeSet<String>,
    told: Option<&[Told; 2]>,
) -> String {
    let mut lines = Vec::new();
    for (file, result) in failed {
        lines.push(format!("FAILED {file}: {}", result.name));
        lines.extend(result.differences.iter().map(|difference| format!("  {difference}")));
    }
    lines.extend(disputed.iter().map(|sentence| format!("disputed {sentence}")));
    lines.push(format!("{passed} passed, {} failed", failed.len()));
    for Told { what, figure, texts } in told.into_iter().flatten() {
        let (touched, all) = (figure.touched, figure.all);
        lines.push(format!("{what}: {touched} of {all} touched by a case ({} %)", figure.percent()));
        for ((file, line), text) in figure.untouched.iter().zip(texts) {
            lines.push(format!("  {file}:{line}: {text}"));
        }
    }
    lines.join("\n")
}

fn as_json(
    passed: usize,
    failed: &[(&str, CaseResult)],
    disputed: &BTreeSet<String>,
    told: Option<&[Told; 2]>,
) -> Value {
    let list: Vec<Value> = failed
        .iter()
        .map(|(file, result)| json!({"file": file, "case": result.name, "differences": result.differences}))
        .collect();
    let mut all = json!({"passed": passed, "failed": list, "disputed": disputed});
    let figure = |Told { figure, texts, .. }: &Told| {
        let untouched = figure.untouched.iter().zip(texts);
        let untouched: Vec<Value> =
            untouched.map(|((file, line), text)| json!({"file": file, "line": line, "text": text})).collect();
        json!({"touched": figure.touched, "all": figure.all, "untouched": untouched})
    };
    if let Some([templates, concept_maps]) = told {
        all["coverage"] = json!({"template_lines": figure(templates), "concept_map_lines": figure(concept_maps)});
    }
    all
}
