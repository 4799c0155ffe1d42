//! Coverage: the shipped cases together touch every line that can write, and a line without a case is named.

use posyandu_gateway::config::assets;
use posyandu_gateway::mapping::case::Case;
use posyandu_gateway::mapping::coverage::Coverage;

/// Percent of template lines, and of concept map lines, that the shipped cases must touch.
const COVERAGE_AT_LEAST: [&str; 2] = ["100.0", "100.0"];

fn untouched(figure: &posyandu_gateway::mapping::coverage::Figure) -> String {
    figure.untouched.iter().map(|(file, line)| format!("{file}:{line}\n")).collect()
}

#[test]
fn the_shipped_cases_touch_every_line() {
    let rules = assets::rules(None).unwrap();
    let mut coverage = Coverage::new(&rules.mappings);
    for (file, text) in assets::mapping_cases(None).unwrap() {
        coverage.take(&Case::parse(&file, &text, &rules.mappings).unwrap());
    }
    let [templates, concept_maps] = [coverage.templates(), coverage.concept_maps()];
    assert!(templates.all > 500 && concept_maps.all > 20, "{templates:?} {concept_maps:?}");
    let told = format!("{}{}", untouched(&templates), untouched(&concept_maps));
    assert_eq!([templates.percent(), concept_maps.percent()], COVERAGE_AT_LEAST, "{told}");
}

#[test]
fn a_line_that_no_case_touches_is_named() {
    let rules = assets::rules(None).unwrap();
    let mut coverage = Coverage::new(&rules.mappings);
    let cases = assets::mapping_cases(None).unwrap();
    assert_eq!(coverage.templates().touched, 0, "nothing is touched before the first case");
    for (file, text) in cases.iter().filter(|(file, _)| file == "tests/hanya_berat.yaml") {
        coverage.take(&Case::parse(file, text, &rules.mappings).unwrap());
    }
    let files = assets::mapping_texts(None).unwrap();
    let figure = coverage.templates();
    assert!(figure.touched > 50, "{figure:?}");
    let of_toddlers = figure
        .untouched
        .iter()
        .filter(|(file, _)| ["kunjungan.yaml", "kunjungan_balita.yaml"].iter().any(|name| file.ends_with(name)));
    let texts: Vec<&str> = of_toddlers.map(|(file, line)| files[file].lines().nth(line - 1).unwrap().trim()).collect();
    assert!(texts.contains(&"value: {$field: lila}"), "{texts:#?}");
    assert!(texts.contains(&"- $when: {alasan: imunisasi}"), "{texts:#?}");
    assert!(!texts.contains(&"value: {$field: bb}"), "{texts:#?}");
    assert_eq!(coverage.concept_maps().touched, 0);
}

/// A visit that an error stops is sent to nobody, so it proves nothing about the lines it went through.
#[test]
fn a_stopped_visit_touches_nothing() {
    let rules = assets::rules(None).unwrap();
    let mut coverage = Coverage::new(&rules.mappings);
    for (file, text) in assets::mapping_cases(None).unwrap() {
        if file == "tests/lokasi_belum_ada.yaml" {
            coverage.take(&Case::parse(&file, &text, &rules.mappings).unwrap());
        }
    }
    assert_eq!(coverage.templates().touched, 0);
}
