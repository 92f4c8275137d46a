//! Parameters in every place and style, and those that can't be carried over.

use serde_json::json;

use super::*;

fn parameters(parameters: Value) -> (Value, Vec<String>) {
    let described = with_operation("/x/{id}", "get", json!({"parameters": parameters}));
    let (document, notes) = import(&described, &Options::default());
    (first(&document)["inputParameters"].clone(), notes)
}

#[test]
fn parameters_keep_their_place_and_style() {
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
    let list = json!({"type": "array", "items": {"type": "string"}});
    for (parameter, expected) in [
        (json!({"in": "query", "schema": list}), json!({"in": "query", "type": "array", "items": {"type": "string"}})),
        (
            json!({"in": "query", "explode": false, "schema": list}),
            json!({"in": "query", "type": "array", "style": "form", "explode": false, "items": {"type": "string"}}),
        ),
        (
            json!({"in": "query", "style": "spaceDelimited", "explode": false, "schema": list}),
            json!({"in": "query", "type": "array", "style": "spaceDelimited", "items": {"type": "string"}}),
        ),
        (
            json!({"in": "query", "style": "pipeDelimited", "explode": true, "schema": list}),
            json!({"in": "query", "type": "array", "items": {"type": "string"}}),
        ),
        (
            json!({"in": "query", "style": "deepObject", "schema": {"type": "object"}}),
            json!({"in": "query", "type": "object", "style": "deepObject"}),
        ),
        (
            json!({"in": "header", "schema": list}),
            json!({"in": "header", "type": "array", "items": {"type": "string"}}),
        ),
        (
            json!({"in": "cookie", "required": true, "schema": {"type": "integer", "default": 1}}),
            json!({"in": "cookie", "type": "integer", "required": true, "default": 1}),
        ),
        (json!({"in": "query"}), json!({"in": "query", "type": "string"})),
        (
            json!({"in": "query", "description": "Mine.", "deprecated": true, "examples": {"a": {"value": "x"}}, "schema": {"description": "Its."}}),
            json!({"in": "query", "type": "string", "description": "Mine.", "deprecated": true, "examples": ["x"]}),
        ),
        (
            json!({"in": "query", "schema": {"type": "string", "enum": [1, true, null], "nullable": true}}),
            json!({"in": "query", "type": "string", "enum": ["1", "true"]}),
        ),
    ] {
        let mut parameter = parameter;
        parameter["name"] = "p".into();
        let (written, notes) = parameters_of(&[id.clone(), parameter.clone()]);
        let mut expected = expected;
        expected["name"] = "p".into();
        assert_eq!((&written[1], notes), (&expected, vec![]), "{parameter}");
    }
}

fn parameters_of(list: &[Value]) -> (Value, Vec<String>) {
    parameters(list.to_vec().into())
}

#[test]
fn parameters_that_cannot_be_carried_over_are_named() {
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
    for (parameter, said) in [
        (json!({"name": "p", "in": "query", "$ref": "other.yaml#/p"}), "reference leads out of the description"),
        (json!({"name": "p", "in": "path", "required": true}), "left out: the path has no such variable"),
        (json!({"name": "Authorization", "in": "header"}), "left out: OpenAPI has another place"),
        (json!({"name": "Content-Length", "in": "header"}), "left out: a plugin can't send a field of this name"),
        (json!({"name": "bad name", "in": "cookie"}), "left out: a plugin can't send a field of this name"),
        (
            json!({"name": "id", "in": "query"}),
            "parameter \"id\" in: query is left out: a parameter in: path has the name",
        ),
        (
            json!({"name": "p", "in": "header", "schema": {"type": "object"}}),
            "left out: an object can't be written in a header",
        ),
        (
            json!({"name": "p", "in": "cookie", "schema": {"type": "array"}}),
            "left out: a list can't be written as several cookies",
        ),
        (json!({"name": "p", "in": "nowhere"}), "left out: nothing stands in: nowhere"),
        (json!({"in": "query"}), "left out: it has no usable name"),
        (json!({"name": "p", "in": "query", "allowReserved": true}), "reserved characters in its value are encoded"),
        (json!({"name": "p", "in": "query", "content": {"text/csv": {}}}), "taken as text, which has to be text/csv"),
        (
            json!({"name": "p", "in": "query", "schema": {"oneOf": [{"type": "string"}, {"type": "integer"}]}}),
            "(parameter p): it can be of several types: taken as text",
        ),
    ] {
        let (_, notes) = parameters_of(&[id.clone(), parameter.clone()]);
        assert!(
            notes.iter().any(|note| note.starts_with("paths./x/{id}.get") && note.contains(said)),
            "{parameter}: {notes:?}"
        );
    }
    let (written, notes) = parameters_of(&[]);
    assert_eq!(written, json!([{"name": "id", "in": "path", "type": "string", "required": true}]));
    assert_eq!(notes, ["paths./x/{id}.get: no parameter declares the path's variable id: taken as text"]);
}
