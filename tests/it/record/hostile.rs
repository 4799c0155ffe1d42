//! Cells of any content and kind: nothing panics, and no issue shows a person.

use proptest::prelude::*;

use super::*;

/// Texts about a person, which may stand under any header of a row whose cells have slipped.
const PERSONAL: [&str; 6] =
    ["Siti Contoh", "1001014512240001", "1001014512240001.0", "081234567890", "05121995", "Jl. Mawar 12"];

fn kinds() -> impl Strategy<Value = CellKind> {
    prop_oneof![
        Just(CellKind::Text),
        Just(CellKind::Number),
        Just(CellKind::Date),
        Just(CellKind::Boolean),
        Just(CellKind::Error),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "[0-9.,:/' -]{0,20}",
        "[0-9]{1,2}[-/. ][A-Za-z]{3}[-/. ]?[0-9]{0,4}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{0,12}[Z+0-9:-]{0,6}",
        proptest::sample::select(PERSONAL.to_vec()).prop_map(str::to_owned),
    ]
}

/// No part of a person stands in an issue.
fn is_discreet(outcome: &RowOutcome) -> Result<(), TestCaseError> {
    for issue in &outcome.issues {
        for (_, value) in &issue.arguments {
            for personal in PERSONAL.iter().chain(&["Contoh"]) {
                prop_assert!(!value.contains(personal), "{}: {value}", issue.rule);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_cell_breaks_the_reader_and_no_issue_shows_a_person(
        column in 0..REGISTER.len(), text in texts(), kind in kinds(),
    ) {
        let known = reader("register_csv.yaml");
        let mut cells: Vec<(&str, &str, CellKind)> =
            REGISTER.iter().map(|(header, text)| (*header, *text, CellKind::Text)).collect();
        cells[column] = (REGISTER[column].0, &text, kind);
        is_discreet(&read_cells(&known, 0, &cells))?;
    }

    #[test]
    fn no_cell_of_any_group_breaks_the_reader(
        table in 0..groups::TABLES, column in 0_usize..40, text in texts(), kind in kinds(),
    ) {
        let known = groups::profile();
        let mut cells: Vec<(&str, &str, CellKind)> =
            groups::row(table).into_iter().map(|(header, text)| (header, text, CellKind::Text)).collect();
        let column = column % cells.len();
        cells[column] = (cells[column].0, &text, kind);
        is_discreet(&read_cells(&known, table, &cells))?;
    }
}
