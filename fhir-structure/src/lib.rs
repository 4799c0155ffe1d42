//! Round trip of the resource types we send through fhir-sdk's R4B model.
//!
//! A crate of its own only because these types compile for long (each carries `contained`, so the whole model):
//! here they are built once, lightly optimised, and an edit of the gateway never rebuilds them. It must not grow
//! generic code, the typed Bundle, or any rule; what is sent is our own JSON, never what comes back from here.

use fhir_sdk::r4b::resources as r4b;

/// Reads `json` as the named resource type and writes it back, so that the caller can see what the model dropped.
///
/// `None` when the type is not one we send. The error is the model's own sentence (English, with position).
#[must_use]
pub fn round_trip(resource_type: &str, json: &str) -> Option<Result<String, String>> {
    Some(match resource_type {
        "Condition" => condition(json),
        "Encounter" => encounter(json),
        "EpisodeOfCare" => episode_of_care(json),
        "Immunization" => immunization(json),
        "Location" => location(json),
        "MedicationDispense" => medication_dispense(json),
        "MedicationRequest" => medication_request(json),
        "MedicationStatement" => medication_statement(json),
        "Observation" => observation(json),
        "Organization" => organization(json),
        "Patient" => patient(json),
        "Procedure" => procedure(json),
        "QuestionnaireResponse" => questionnaire_response(json),
        "RelatedPerson" => related_person(json),
        "ServiceRequest" => service_request(json),
        _ => return None,
    })
}

/// One plain function per type: a generic one would be compiled again wherever it is called.
macro_rules! through {
    ($($name:ident: $kind:ident;)*) => {$(
        fn $name(json: &str) -> Result<String, String> {
            let typed: r4b::$kind = serde_json::from_str(json).map_err(|error| error.to_string())?;
            serde_json::to_string(&typed).map_err(|error| error.to_string())
        }
    )*};
}

through! {
    condition: Condition;
    encounter: Encounter;
    episode_of_care: EpisodeOfCare;
    immunization: Immunization;
    location: Location;
    medication_dispense: MedicationDispense;
    medication_request: MedicationRequest;
    medication_statement: MedicationStatement;
    observation: Observation;
    organization: Organization;
    patient: Patient;
    procedure: Procedure;
    questionnaire_response: QuestionnaireResponse;
    related_person: RelatedPerson;
    service_request: ServiceRequest;
}
