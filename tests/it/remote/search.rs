//! Looking up: reads, searches over pages, and persons who are confirmed or left to a human.

use super::*;

#[tokio::test]
async fn reads_tell_absent_from_hidden_and_from_a_wrong_address() {
    let server = serve(|_, path, _| {
        let outcome = |status: StatusCode, code: &str, severity: &str| {
            let issue = json!([{"severity": severity, "code": code, "details": {"text": "storage_error"}}]);
            (status, axum::Json(json!({"resourceType": "OperationOutcome", "issue": issue}))).into_response()
        };
        match path.rsplit('/').next().unwrap() {
            "there" => axum::Json(json!({"resourceType": "Patient", "id": "there", "name": NAME})).into_response(),
            "absent" => outcome(StatusCode::NOT_FOUND, "no-store", "error"),
            "hidden" => outcome(StatusCode::OK, "suppressed", "information"),
            "other" => axum::Json(json!({"resourceType": "Patient", "id": "somebody"})).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    })
    .await;
    let remote = remote(&server);
    let there = remote.read("Patient", "there").await;
    assert!(matches!(there, ReadAnswer::Found(_)));
    quiet(&format!("{there:?}"));
    assert_eq!(remote.read("Patient", "absent").await, ReadAnswer::Absent);
    assert_eq!(remote.read("Patient", "hidden").await, ReadAnswer::Hidden);
    let ReadAnswer::Failed(wrong) = remote.read("Patient", "wrong").await else {
        panic!("a wrong address is no absence")
    };
    assert_eq!(wrong.class, Class::Configuration);
    assert!(matches!(remote.read("Patient", "other").await, ReadAnswer::Failed(_)));
}

#[tokio::test]
async fn searches_follow_the_page_token_only_and_keep_what_matches() {
    let server = serve(|_, path, _| {
        let encounter = |id: &str, value: &str| {
            json!({"resourceType": "Encounter", "id": id, "identifier": [{"system": "s", "value": value}]})
        };
        if path.contains("_page_token=a%2Fb") {
            return page("Encounter", &[encounter("3", "A"), encounter("1", "A")], None);
        }
        let hidden = json!({"resourceType": "OperationOutcome", "issue": [{"code": "suppressed"}]});
        let stranger = json!({"resourceType": "Patient", "id": "9"});
        let next = "https://elsewhere.example/steal?_count=1&_page_token=a%2Fb";
        page("Encounter", &[encounter("1", "A"), hidden, stranger, encounter("2", "B")], Some(next))
    })
    .await;
    let answer = remote(&server).find_by_identifier("Encounter", "s", "A").await;
    let SearchAnswer::Found(matches) = answer else { panic!("a search that failed") };
    let ids: Vec<_> = matches.resources.iter().map(|one| one.reveal()["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "3"]);
    assert_eq!((matches.hidden, matches.complete), (1, true));
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].starts_with("/fhir-r4/v1/Encounter?identifier=s%7CA&_page_token="));
}

#[tokio::test]
async fn a_page_token_that_repeats_ends_the_search_as_incomplete() {
    let server = serve(|_, _, _| page("Encounter", &[], Some("http://x/?_page_token=same"))).await;
    let SearchAnswer::Found(matches) = remote(&server).search("Encounter", &[]).await else { panic!("failed") };
    assert!(!matches.complete);
    assert_eq!(server.seen.lock().unwrap().len(), 2);
}

async fn who(first: Vec<Value>, second: Vec<Value>) -> (IdentityAnswer, usize) {
    let server = serve(move |_, path, _| {
        let hits = if path.contains("name=") { &first } else { &second };
        page("Patient", hits, None)
    })
    .await;
    let person = PersonQuery {
        nik: Personal::new(NIK.into()),
        name: Personal::new(NAME.into()),
        birth_date: Personal::new(date(2023, 12, 5)),
        gender: Some("female".into()),
    };
    let answer = remote(&server).patient(&person).await;
    quiet(&format!("{answer:?} {person:?}"));
    let calls = server.seen.lock().unwrap().len();
    (answer, calls)
}

#[tokio::test]
async fn a_patient_is_confirmed_and_never_guessed() {
    let patient = |id: &str, nik: &str, gender: &str| {
        json!({"resourceType": "Patient", "id": id, "birthDate": "2023-12-05", "gender": gender,
            "identifier": [{"system": "https://fhir.kemkes.go.id/id/nik", "value": nik}]})
    };
    let me = patient("P00000000001", NIK, "female");
    let masked = patient("P00000000001", "################", "female");
    let stranger = patient("P00000000002", "1001014512230002", "female");
    let twin = patient("P00000000003", NIK, "female");
    let boy = patient("P00000000001", NIK, "male");
    let found = IdentityAnswer::Found(Personal::new("P00000000001".into()));
    assert_eq!(who(vec![me.clone()], vec![]).await, (found.clone(), 1));
    assert_eq!(who(vec![me.clone(), stranger.clone()], vec![]).await, (found, 1));
    assert_eq!(who(vec![me.clone(), twin], vec![]).await, (IdentityAnswer::Ambiguous(2), 1));
    assert_eq!(who(vec![boy], vec![]).await, (IdentityAnswer::Mismatch, 1));
    assert_eq!(who(vec![], vec![masked]).await, (IdentityAnswer::Mismatch, 2));
    assert_eq!(who(vec![stranger], vec![]).await, (IdentityAnswer::NotFound, 2));
}
