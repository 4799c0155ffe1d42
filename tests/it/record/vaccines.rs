//! Every vaccine name found in the field is known with its antigen and dose, or refused by name.

use posyandu_gateway::record::antigen::{Antigens, VaccineRead};

/// Names that were collected in the field; one without an antigen is refused, one without a dose names none.
const NAMES: &str = include_str!("../../fixtures/nama-vaksin/alias.csv");
/// How many were collected.
const COLLECTED: usize = 145;

#[test]
fn every_collected_name_is_read_as_listed() {
    let antigens = Antigens::built_in().unwrap();
    let mut reader = csv::Reader::from_reader(NAMES.as_bytes());
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in reader.records() {
        let line = line.unwrap();
        let (name, antigen, dose) = (line[0].to_owned(), line[1].to_owned(), line[2].parse::<i64>().ok());
        let expected = if antigen.is_empty() { VaccineRead::Unknown } else { VaccineRead::Known { antigen, dose } };
        let found = antigens.read(&name);
        if found != expected {
            wrong.push(format!("{name}: {found:?}, {expected:?} was expected"));
        }
        count += 1;
    }
    assert_eq!(count, COLLECTED);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_name_without_its_dose_waits_for_one() {
    super::check(
        super::register,
        &[
            (&[("Imunisasi", "DPT")], &[("immunization.dose_missing", super::ERROR)]),
            (&[("Imunisasi", "Meningitis")], &[("immunization.unknown_antigen", super::ERROR)]),
            (&[("Imunisasi", "Rotarix 2")], &[("immunization.unknown_antigen", super::ERROR)]),
        ],
    );
}
