//! Work on one record that must not take the others with it: a mistake of the program ends at the record that met it, or
//! every start would meet it again (faults, row 72).
//!
//! It must not keep what was panicked about: that may hold a person's data.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::issue::{Code, Issue, Place};

/// The rule that stops such a record.
const FAILED: &str = "program.failed";

/// Does some work; when the program fails in it, the issue for the record at `place`.
pub fn contained<T>(place: impl FnOnce() -> Place, work: impl FnOnce() -> T) -> Result<T, Box<Issue>> {
    // What the work changes is thrown away with it, except caches, which hold whole values only.
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Box::new(Issue::error(Code::Exception, FAILED).at(place())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_record_is_an_issue_with_its_place_and_the_next_one_goes_on() {
        let place = || Place { file: "a.csv".into(), row: "7".into(), ..Place::default() };
        let letters = |text: &str| text[1..].len();
        let failed = contained(place, || letters("é")).unwrap_err();
        assert_eq!((failed.rule.as_ref(), failed.place.unwrap().row.as_ref()), (FAILED, "7"));
        assert_eq!(contained(place, || letters("ab")).unwrap(), 1);
    }
}
