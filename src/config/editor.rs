//! JSON Schemas of mapping files and source profiles, for editors: what may stand where, with completion.
//!
//! Made from the program's own lists, so that an editor accepts what the program accepts. It must not replace the
//! program's checks: whether the result is FHIR, only `mapping test` and `check` tell.

use serde_json::{Map, Value, json};

use crate::mapping::template::Certainty;
use crate::mapping::vocabulary::{FILE_KEYS, INSTRUCTIONS, RESOURCE_KEYS};
use crate::record::group::GROUPS;
use crate::record::schema::{Schema, Schemas};
use crate::resource::profile::Profiles;
use crate::source::profile;

/// The dialect of both schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Records whose fields every template may read, with the prefix it writes.
const SHARED: [&str; 4] = ["sasaran", "posyandu", "kunjungan", "pendaftaran"];

/// The schema of a mapping file.
#[must_use]
pub fn mapping(schemas: &Schemas, profiles: &Profiles) -> Value {
    let datasets: Vec<&String> = schemas.0.keys().collect();
    let only_own_fields = |schema: &Schema| {
        json!({
            "if": {"properties": {"dataset": {"const": schema.dataset}}},
            "then": {"properties": {"not_reported": {"propertyNames": {"enum": names(schema)}}}},
        })
    };
    let texts = json!({"type": "object", "additionalProperties": {"type": "string", "minLength": 1}});
    let mut properties = Map::new();
    for key in FILE_KEYS {
        let value = match key {
            "dataset" => json!({"enum": datasets, "description": "The record that is mapped; kunjungan is the visit."}),
            "version" => json!({"type": ["string", "number"], "description": "The author's version."}),
            "must_yield" => json!({"type": "boolean", "description": "A record without a resource is an issue."}),
            "switches" | "not_reported" => texts.clone(),
            "resources" => json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/resource"}}),
            _ => json!({"type": "string", "minLength": 1}),
        };
        properties.insert(key.to_owned(), value);
    }
    json!({
        "$schema": DIALECT,
        "title": "posyandu-gateway: mapping file",
        "type": "object",
        "additionalProperties": false,
        "required": ["mapping", "dataset", "version", "resources"],
        "properties": properties,
        "allOf": schemas.0.values().map(|schema| only_own_fields(schema)).collect::<Vec<_>>(),
        "$defs": {
            "resource": resource(profiles),
            "part": part(),
            "tests": {
                "type": "object", "minProperties": 1, "propertyNames": {"$ref": "#/$defs/field"},
                "additionalProperties": {"$ref": "#/$defs/question"},
            },
            "question": question(),
            "field": {"enum": all_fields(schemas), "description": "A field of the record, sasaran, posyandu or visit."},
        },
    })
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields.iter().map(|field| field.name.as_str()).collect()
}

/// Every field that some template may name, each once.
fn all_fields(schemas: &Schemas) -> Vec<String> {
    let own = schemas.0.values().flat_map(|schema| names(schema)).map(str::to_owned);
    let shared = SHARED.iter().filter_map(|dataset| schemas.0.get(*dataset));
    let shared = shared.flat_map(|schema| names(schema).into_iter().map(|name| format!("{}.{name}", schema.dataset)));
    own.chain(shared).collect::<std::collections::BTreeSet<String>>().into_iter().collect()
}

fn resource(profiles: &Profiles) -> Value {
    let mut properties = Map::new();
    for key in RESOURCE_KEYS {
        let value = match key {
            "certainty" => json!({
                "enum": Certainty::ALL.map(Certainty::word),
                "description": "official: seen in an official sample; third_party: known from others; guess: off until \
                    its switch is turned on",
            }),
            "when" => json!({"$ref": "#/$defs/tests"}),
            "resource" => json!({
                "allOf": [{"$ref": "#/$defs/part"}],
                "type": "object", "required": ["resourceType"],
                "properties": {"resourceType": {"enum": profiles.resource_types().collect::<Vec<_>>()}},
            }),
            _ => json!({"type": "string", "minLength": 1}),
        };
        properties.insert(key.to_owned(), value);
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "certainty", "source", "resource"],
        "properties": properties,
        "if": {"properties": {"certainty": {"const": Certainty::Guess.word()}}},
        "then": {"required": ["switch"]},
    })
}

/// A place in a resource: a constant, a list, an object, or one instruction alone.
fn part() -> Value {
    let field = json!({"$ref": "#/$defs/field"});
    let text = json!({"type": "string", "minLength": 1});
    let two = |one: &str, other: &str, second: &Value| {
        json!({"type": "object", "additionalProperties": false, "required": [one, other],
            "properties": {one: field, other: second}})
    };
    let takes = |instruction: &str| match instruction {
        "$identifier" | "$reference" | "$optional_reference" => text.clone(),
        "$instant" => two("date", "time", &field),
        "$translate" => two("field", "map", &text),
        _ => field.clone(),
    };
    let mut ways = vec![
        json!({"type": ["string", "number", "boolean"]}),
        json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/part"}}),
    ];
    ways.extend(INSTRUCTIONS.iter().filter(|instruction| **instruction != "$when").map(|instruction| {
        json!({"type": "object", "required": [instruction], "additionalProperties": false,
            "properties": {*instruction: takes(instruction)}})
    }));
    ways.push(json!({
        "type": "object", "required": ["$when", "$value"], "additionalProperties": false,
        "properties": {"$when": {"$ref": "#/$defs/tests"}, "$value": {"$ref": "#/$defs/part"}},
    }));
    ways.push(json!({
        "type": "object", "minProperties": 1, "properties": {"$when": {"$ref": "#/$defs/tests"}},
        "patternProperties": {"^_?[A-Za-z][A-Za-z0-9]*$": {"$ref": "#/$defs/part"}}, "additionalProperties": false,
    }));
    json!({"anyOf": ways})
}

fn question() -> Value {
    let word = json!({"type": ["string", "number", "boolean"]});
    json!({
        "anyOf": [
            word,
            {"type": "array", "minItems": 1, "items": word},
            {"type": "object", "minProperties": 1, "additionalProperties": false,
                "properties": {"at_least": {"type": "number"}, "below": {"type": "number"}}},
        ],
        "description": "present, absent, a word, a list of words, or numbers at_least and below",
    })
}

/// The schema of a source profile.
#[must_use]
pub fn source_profile(schemas: &Schemas) -> Value {
    let mut whole = profile::json_schema();
    whole["title"] = "posyandu-gateway: source profile".into();
    let by_dataset = |value: &dyn Fn(&Schema) -> Value| {
        let members: Map<String, Value> =
            schemas.0.values().map(|schema| (schema.dataset.clone(), value(schema))).collect();
        json!({"type": "object", "additionalProperties": false, "properties": members})
    };
    let fields = |schema: &Schema| {
        let members: Map<String, Value> =
            names(schema).iter().map(|name| ((*name).to_owned(), json!({"$ref": "#/$defs/FieldSpec"}))).collect();
        json!({"type": "object", "additionalProperties": false, "properties": members})
    };
    let groups: Vec<Value> = GROUPS.iter().map(|group| group.name.into()).chain([Value::Null]).collect();
    let told = [
        ("records", by_dataset(&fields)),
        ("repeated", by_dataset(&|schema| json!({"type": "array", "items": fields(schema)}))),
        ("only_with", by_dataset(&|schema| json!({"enum": names(schema)}))),
        ("group", json!({"enum": groups})),
    ];
    for (key, value) in told {
        let Some(place) = whole.pointer_mut(&format!("/$defs/Table/properties/{key}")) else { continue };
        let description = place.get("description").cloned();
        *place = value;
        if let Some(description) = description {
            place["description"] = description;
        }
    }
    whole
}
