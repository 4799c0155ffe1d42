//! The description of the interface (OpenAPI 3.1), made from the record schemas when the gateway starts.
//!
//! It must say what is so: the tests let a checker compare every answer with it.

use serde_json::{Map, Value, json};

use super::Limits;
use super::negotiation::{JSON, NDJSON};
use super::problem::PROBLEM;
use super::watch::CHECKS;
use crate::ingest::intake::fields::{Dataset, ELEMENTS_MAX, Fields, PERSON, is_derived, is_owed};
use crate::ingest::intake::written::{ID_LENGTH_MAX, ID_PATTERN};
use crate::observed::MEDIA_TYPE;

/// The document.
#[must_use]
pub fn document(fields: &Fields, limits: &Limits) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "posyandu-gateway",
            "version": "1",
            "description": "Takes records of posyandu apps. Every record is checked, stored and answered for; what is \
                accepted is sent to SATUSEHAT by the gateway itself.",
        },
        "paths": {
            "/v1/records": {"post": post(limits)},
            "/openapi.json": {"get": get("description", "This description.", &json!({"type": "object"}), &[])},
            "/healthz": {"get": get("health", "The gateway is alive: its main loop made progress lately.", &json!({
                "type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}
            }), &[(503, "The main loop hangs.")])},
            "/readyz": {"get": ready()},
            "/metrics": {"get": metrics()},
        },
        "components": {
            "schemas": schemas(fields),
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "The token of the sender, given by the puskesmas.",
                },
                "scrape": {
                    "type": "http", "scheme": "bearer",
                    "description": "The token in `[http] scrape_token_file`.",
                },
            },
        },
    })
}

fn post(limits: &Limits) -> Value {
    let (bytes, record, depth, records) = (limits.body_bytes, limits.record.bytes, limits.record.depth, limits.records);
    let list = json!({"type": "array", "items": {"$ref": "#/components/schemas/Record"}, "maxItems": records});
    let items = json!({"type": "array", "items": {"$ref": "#/components/schemas/Item"}});
    let mut responses = json!({"200": {
        "description": "One item per record, in order. A record is durable when its item says `accepted`.",
        "content": {
            JSON: {"schema": items},
            NDJSON: {"schema": {"type": "string", "description": "One item a line, each as in the array."}},
        },
    }});
    for (status, description) in [
        (400, "The body broke off; `taken` records were answered for and need not, but may, be sent again."),
        (401, "No valid token."),
        (406, "No such kind of answer."),
        (408, "The body came too slowly."),
        (413, "The body has too many bytes or records."),
        (415, "Neither JSON nor NDJSON, compressed, or not UTF-8."),
        (422, "The body is no JSON from `line` and `byte` on."),
        (429, "This sender has too many requests open."),
        (500, "A failure of the gateway."),
        (503, "The gateway is full, has just started, or cannot store."),
    ] {
        responses[status.to_string()] = problem(status, description);
    }
    json!({
        "operationId": "takeRecords",
        "summary": "Take records",
        "description": format!(
            "An array of records, one record, or one record a line. The same record again is `unchanged`; the same \
             `id` with other content is its next version; a record with only `id` and `withdrawn` no longer counts \
             (what SATUSEHAT holds already stays there). A problem of one record is in its item and never stops the \
             others. `null` is as good as a missing member. At most {bytes} bytes and {records} records a request, \
             {record} bytes and {depth} levels a record."
        ),
        "security": [{"token": []}],
        "parameters": [{
            "name": "Accept-Language", "in": "header", "required": false,
            "description": "`en` for English sentences, else Indonesian.",
            "schema": {"type": "string", "enum": ["id", "en"]},
        }],
        "requestBody": {
            "required": true,
            "content": {
                JSON: {"schema": {"oneOf": [list, {"$ref": "#/components/schemas/Record"}]}, "example": [example()]},
                NDJSON: {"schema": {"type": "string", "description": "One record a line."}},
            },
        },
        "responses": responses,
    })
}

/// A sound record of nobody: no province has the code 10.
fn example() -> Value {
    json!({
        "id": "kunjungan-1",
        "sasaran": {
            "nik": "1001011003230001", "nama": "Anak Contoh", "jenis_kelamin": "L", "tanggal_lahir": "2023-03-10",
            "posyandu": "Melati 1",
        },
        "kunjungan_balita": {"tanggal": "2026-11-18", "bb": 14.2, "pb_tb": 97.5, "cara_ukur": "berdiri"},
    })
}

fn get(id: &str, description: &str, schema: &Value, problems: &[(u16, &str)]) -> Value {
    let mut responses = json!({"200": {"description": description, "content": {JSON: {"schema": schema}}}});
    responses["406"] = problem(406, "No such kind of answer.");
    for (status, description) in problems {
        responses[status.to_string()] = problem(*status, description);
    }
    json!({"operationId": id, "summary": description, "security": [], "responses": responses})
}

fn ready() -> Value {
    let checks = CHECKS.iter().map(|name| ((*name).to_owned(), json!({"enum": ["ok", "failed"]})));
    let schema = json!({
        "type": "object",
        "required": ["status", "checks"],
        "properties": {
            "status": {"enum": ["ready", "not ready"]},
            "checks": {"type": "object", "required": CHECKS, "properties": checks.collect::<Map<_, _>>()},
        },
    });
    let mut operation = get("readiness", "Everything that work needs is there.", &schema, &[]);
    let mut failed = operation["responses"]["200"].clone();
    failed["description"] = json!("A check failed; it is named.");
    operation["responses"]["503"] = failed;
    operation
}

fn metrics() -> Value {
    let text = json!({"description": "Counters and gauges as OpenMetrics text.", "content": {
        MEDIA_TYPE: {"schema": {"type": "string"}},
    }});
    json!({
        "operationId": "metrics",
        "summary": "Counters and gauges for a monitor. Nothing in it is about a person.",
        "description": "Open on this machine as long as no app sends records; with a sender only with its own token.",
        "security": [{"scrape": []}, {}],
        "responses": {
            "200": text,
            "401": problem(401, "No valid scrape token, or none is configured."),
            "503": problem(503, "The ledger does not answer."),
        },
    })
}

fn problem(status: u16, description: &str) -> Value {
    let mut answer = json!({
        "description": description,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let header =
        |description: &str| json!({"required": true, "description": description, "schema": {"type": "string"}});
    match status {
        401 => answer["headers"] = json!({"WWW-Authenticate": header("Bearer")}),
        429 | 503 => answer["headers"] = json!({"Retry-After": header("Seconds to wait.")}),
        _ => {}
    }
    answer
}

fn schemas(fields: &Fields) -> Value {
    let mut all = Map::new();
    let mut properties = Map::new();
    properties.insert(
        "id".to_owned(),
        json!({
            "type": "string", "minLength": 1, "maxLength": ID_LENGTH_MAX, "pattern": ID_PATTERN,
            "description": "The app's own stable key of this record; it is shown in reports, so it must not tell who \
                is meant: 16 digits in a row are refused.",
        }),
    );
    properties.insert(
        "withdrawn".to_owned(),
        json!({"type": "boolean", "description": "The record was a mistake: it no longer counts."}),
    );
    for (name, dataset) in &fields.datasets {
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        let property = if dataset.is_list() {
            json!({"oneOf": [&reference, {"type": "array", "items": &reference, "maxItems": ELEMENTS_MAX}]})
        } else {
            reference
        };
        properties.insert(name.clone(), property);
        all.insert(name.clone(), schema_of(dataset));
    }
    let record = json!({
        "type": "object", "required": ["id"], "properties": properties, "additionalProperties": false,
        "description": format!("What one row of a register tells: the person (`{PERSON}`) and what was done for them."),
    });
    all.insert("Record".to_owned(), record);
    all.insert("Item".to_owned(), item());
    all.insert("Issue".to_owned(), issue());
    all.insert("Problem".to_owned(), problem_schema());
    Value::Object(all)
}

/// The schema of a dataset without what the gateway fills itself.
fn schema_of(dataset: &Dataset) -> Value {
    let mut document = dataset.schema.document.clone();
    let Some(object) = document.as_object_mut() else { return document };
    object.shift_remove("$schema");
    object.shift_remove("$id");
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|field, _| !is_derived(field));
    }
    if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|field| field.as_str().is_some_and(is_owed));
    }
    document
}

fn item() -> Value {
    json!({
        "type": "object",
        "required": ["id", "outcome", "issues"],
        "additionalProperties": false,
        "properties": {
            "id": {"type": ["string", "null"], "description": "The record's id; null when it had no usable one."},
            "outcome": {
                "enum": ["accepted", "unchanged", "withdrawn", "issue"],
                "description": "`issue`: a person must correct it; it is not used until then.",
            },
            "version": {
                "type": "string", "pattern": "^[0-9a-f]{24}$",
                "description": "What the gateway holds: the same content has the same version. Absent when nothing \
                    was stored.",
            },
            "issues": {"type": "array", "items": {"$ref": "#/components/schemas/Issue"}},
            "left_out": {"type": "integer", "minimum": 1, "description": "Issues not told, to keep the answer short."},
        },
    })
}

fn issue() -> Value {
    json!({
        "type": "object",
        "required": ["rule", "severity", "field", "message"],
        "additionalProperties": false,
        "properties": {
            "rule": {"type": "string", "description": "Stable name of the rule, such as `nik.digits`."},
            "severity": {"enum": ["error", "warning", "information"]},
            "field": {"type": "string", "description": "JSON pointer into the record; empty for all of it."},
            "message": {"type": "string", "description": "What is wrong and what to do, for people."},
        },
    })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457 problem details.",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
            "instance": {"type": "string", "format": "uri", "description": "Names this occurrence."},
            "taken": {
                "type": "integer", "minimum": 0,
                "description": "So many records from the start of the body were answered for and stay as they were \
                    taken.",
            },
            "line": {"type": "integer", "minimum": 1},
            "byte": {"type": "integer", "minimum": 1},
        },
    })
}
