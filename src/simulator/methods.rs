//! Which HTTP methods the platform serves for which type, and what it answers to the others.
//!
//! It must not handle a call. The table is satusehat-api.md, section 3.2: what was recorded or documented.

use super::outcome::{Complaint, Reply};

/// What a call wants to do with a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// GET of a type or of one resource.
    Get,
    /// POST of a new resource.
    Create,
    /// PUT of a whole resource.
    Update,
    /// PATCH of some members.
    Patch,
}

use Wish::{Create, Get, Patch, Update};

/// Methods seen or documented per type.
const SEEN: [(&str, &[Wish]); 17] = [
    ("Organization", &[Get, Create, Update, Patch]),
    ("Location", &[Get, Create, Update, Patch]),
    ("Practitioner", &[Get]),
    ("Patient", &[Get, Create, Patch]),
    ("RelatedPerson", &[Get, Create]),
    ("Encounter", &[Get, Create, Update, Patch]),
    ("EpisodeOfCare", &[Get, Create, Patch]),
    ("Condition", &[Get, Create, Update]),
    ("Observation", &[Get, Create, Update, Patch]),
    ("Procedure", &[Get, Create, Update, Patch]),
    ("Immunization", &[Get, Create, Update, Patch]),
    ("Medication", &[Get, Create]),
    ("MedicationStatement", &[Get, Create]),
    ("MedicationRequest", &[Get, Create]),
    ("MedicationDispense", &[Get, Create]),
    ("QuestionnaireResponse", &[Get, Create]),
    ("ServiceRequest", &[Get, Create]),
];

/// The answer that turns a wish away; `None` when it is served. Unless `only_seen`, what was never tried is served.
pub(super) fn turned_away(kind: &str, wish: Wish, only_seen: bool) -> Option<Reply> {
    let Some((_, seen)) = SEEN.iter().find(|(known, _)| *known == kind) else {
        return Some(not_allowed(kind));
    };
    if seen.contains(&wish) {
        return None;
    }
    match (kind, wish) {
        // Refused on staging in September 2026.
        ("EpisodeOfCare", Update) => {
            let text = "Operation cannot be performed due to consent or privacy rules";
            Some(Reply::refused(403, &[Complaint::processor("forbidden", text, 0)]))
        }
        // Known not to exist. What such a call is answered was not recorded: a wrong path is a guess.
        ("Patient" | "Practitioner", _) => Some(Reply::empty(404)),
        _ => only_seen.then(|| Reply::empty(404)),
    }
}

/// The answer for a type this client has no access to.
pub(super) fn not_allowed(kind: &str) -> Reply {
    let text = format!("Resource {kind} not allowed for current access class");
    Reply::refused(400, &[Complaint::processor("forbidden", &text, 20004)])
}

#[cfg(test)]
mod tests {
    use super::super::check::rules::RESOURCE_TYPES;
    use super::*;

    #[test]
    fn each_accepted_type_has_its_methods() {
        for kind in RESOURCE_TYPES {
            assert!(turned_away(kind, Get, true).is_none() && turned_away(kind, Create, true).is_none(), "{kind}");
        }
        let status = |kind, wish, only_seen| turned_away(kind, wish, only_seen).map(|reply| reply.status);
        assert_eq!(status("EpisodeOfCare", Update, false), Some(403));
        assert_eq!((status("Patient", Update, false), status("Practitioner", Create, false)), (Some(404), Some(404)));
        assert_eq!((status("Condition", Patch, false), status("Condition", Patch, true)), (None, Some(404)));
        assert_eq!(status("Claim", Get, false), Some(400));
    }
}
