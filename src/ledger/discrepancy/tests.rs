//! The table of owners, pair by pair.

use super::*;

/// Who must act, for every class and each of its causes.
const TABLE: [(Class, &[(Cause, Owner)]); 8] = [
    (Class::MissingAtServer, &[(Cause::Server, Owner::Platform)]),
    (Class::DifferentAtServer, &[(Cause::Server, Owner::Platform)]),
    (Class::UnknownToUs, &[(Cause::Ours, Owner::Platform), (Cause::Foreign, Owner::Puskesmas)]),
    (Class::WrongPerson, &[(Cause::Server, Owner::Puskesmas)]),
    (
        Class::ChangedInSource,
        &[
            (Cause::Waits, Owner::Platform),
            (Cause::Data, Owner::Kader),
            (Cause::ServerRefused, Owner::Mapping),
            (Cause::Exhausted, Owner::Platform),
            (Cause::Person, Owner::Puskesmas),
        ],
    ),
    (
        Class::GoneFromSource,
        &[
            (Cause::Decide, Owner::Puskesmas),
            (Cause::Waits, Owner::Platform),
            (Cause::ServerRefused, Owner::Mapping),
            (Cause::Rejected, Owner::Puskesmas),
        ],
    ),
    (
        Class::Refused,
        &[(Cause::Data, Owner::Kader), (Cause::ServerRefused, Owner::Mapping), (Cause::Exhausted, Owner::Platform)],
    ),
    (Class::Blocked, &[(Cause::Person, Owner::Puskesmas), (Cause::Waits, Owner::Platform)]),
];

#[test]
fn every_class_and_cause_has_its_owner() {
    for (class, causes) in TABLE {
        for (cause, expected) in causes {
            assert_eq!(owner(class, *cause), *expected, "{class:?} {cause:?}");
        }
    }
    assert!(Class::ALL.iter().all(|class| TABLE.iter().any(|(known, _)| known == class)));
}

#[test]
fn words_lead_back() {
    assert!(Class::ALL.iter().all(|one| Class::from_word(one.word()) == Some(*one)));
    assert!(Cause::ALL.iter().all(|one| Cause::from_word(one.word()) == Some(*one)));
    assert_eq!(Standing::from_word("reopened"), None);
}
