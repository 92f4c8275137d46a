//! Section C: what a caller gives.

use serde_json::{Value as Json, json};

use super::*;
use crate::contract::Location;

/// The base document with `inputParameters` for the first REST operation.
fn declared(inputs: &str) -> (&'static str, String) {
    ("call: users.get\n", format!("inputParameters: [{inputs}]\n              call: users.get\n"))
}

/// The input schema of the first REST operation.
fn schema(changes: &[(&str, &str)]) -> Json {
    find(&plan(changes), "get-user").0.input_schema.clone()
}

/// Input, place and name in the request of the first REST operation.
fn places(changes: &[(&str, &str)]) -> Vec<(String, Location, String)> {
    let plan = plan(changes);
    let route = find(&plan, "get-user").0.route.clone().unwrap();
    route.parameters.into_iter().map(|p| (p.input, p.location, p.name)).collect()
}

fn place(input: &str, location: Location, name: &str) -> (String, Location, String) {
    (input.to_owned(), location, name.to_owned())
}

#[test]
fn inputs_are_derived_from_with_and_the_called_operation() {
    let derived = json!({
        "type": "object",
        "properties": {
            "orgId": {"type": "string", "description": "An organization"},
            "id": {"type": "string"},
            "fields": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["orgId", "id"],
        "additionalProperties": false,
    });
    assert_eq!(schema(&[]), derived);
    // Members are in the order of the document: it is what people and agents read.
    assert_eq!(schema(&[]).to_string(), derived.to_string());
    assert_eq!(
        places(&[]),
        [
            place("orgId", Location::Path, "orgid"),
            place("id", Location::Path, "id"),
            place("fields", Location::Query, "fields"),
        ]
    );
}

#[test]
fn a_derived_input_has_the_name_that_with_gives_it() {
    let places = places(&[("fields: rest.fields}", "fields: rest.only}")]);
    assert_eq!(places[2], place("only", Location::Query, "only"));
    let schema = schema(&[("fields: rest.fields}", "fields: 'a,{{x}}'}")]);
    assert_eq!(schema["properties"]["x"], json!({"type": "string"}));
}

#[test]
fn what_is_not_in_the_exposed_path_is_given_in_the_query() {
    let plan = plan(&[
        ("- method: PUT\n", "- method: PUT\n              with: {orgId: rest.id, id: rest.id, body: rest.b}\n"),
        ("/v1/orgs/{orgid}/users/{id}\n", "/v1/{id}\n"),
        ("orgId: rest.orgId", "orgId: rest.org"),
    ]);
    let route = find(&plan, "get-user").0.route.clone().unwrap();
    assert_eq!(route.parameters[0].location, Location::Query);
    assert!(find(&plan, "get-user").0.input_schema["required"].as_array().unwrap().contains(&json!("org")));
}

#[test]
fn types_and_keywords() {
    let property = |parameter: &str| {
        schema(&[("{name: fields, in: query, type: array}", &format!("{{name: fields, in: query, {parameter}}}"))])
                ["properties"]["fields"]
                .clone()
    };
    for (parameter, expected) in [
        ("description: d", json!({"type": "string", "description": "d"})),
        ("type: array", json!({"type": "array", "items": {"type": "string"}})),
        (
            "type: array, items: {type: integer}, minItems: 1",
            json!({"type": "array", "items": {"type": "integer"}, "minItems": 1}),
        ),
        (
            "type: integer, minimum: 1, maximum: 1.5, default: 2",
            json!({"type": "integer", "minimum": 1, "maximum": 1.5, "default": 2}),
        ),
        (
            "type: string, enum: [a, b], minLength: 1, maxLength: 2, pattern: '^a', format: uuid",
            json!({"type": "string", "enum": ["a", "b"], "minLength": 1, "maxLength": 2, "pattern": "^a", "format": "uuid"}),
        ),
        (
            "type: object, properties: {a: {type: string}}, required: [a], additionalProperties: false",
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}),
        ),
    ] {
        assert_eq!(property(parameter), expected, "{parameter}");
    }
    let at = "capability.consumes[0].resources[0].operations[0].inputParameters[2]";
    for (parameter, expected) in [
        ("type: array, minItems: x", format!("error AL006 24:68 {at}.minItems")),
        ("enum: []", format!("error AL006 24:51 {at}.enum")),
        ("pattern: 1", format!("error AL006 24:54 {at}.pattern")),
        ("required: [a]", format!("error AL006 24:55 {at}.required")),
        ("patern: a", format!("warning AL004 24:45 {at}.patern")),
        ("type: [string]", format!("error AL006 24:51 {at}.type")),
    ] {
        let parameter = format!("{{name: fields, in: query, {parameter}}}");
        check(&[("{name: fields, in: query, type: array}", &parameter)], &[&expected]);
    }
}

#[test]
fn declared_inputs_are_what_the_document_says() {
    let (from, to) = declared(
        "{name: orgid, in: path, type: string, minLength: 3}, {name: id, in: path}, {name: all, in: header, type: boolean, description: d, required: true}",
    );
    let changes = [
        (from, to.as_str()),
        ("orgId: rest.orgId", "orgId: rest.orgid"),
        ("fields: rest.fields}", "fields: rest.all}"),
    ];
    assert_eq!(
        schema(&changes),
        json!({
            "type": "object",
            "properties": {
                "orgid": {"type": "string", "minLength": 3, "description": "An organization"},
                "id": {"type": "string"},
                "all": {"type": "boolean", "description": "d"},
            },
            "required": ["orgid", "id", "all"],
            "additionalProperties": false,
        })
    );
    assert_eq!(places(&changes)[2], place("all", Location::Header, "all"));
}

#[test]
fn inputs_of_the_resource_hold_for_its_operations() {
    let resource = "        - path: /v1/orgs/{orgid}/users/{id}\n          inputParameters:\n            - {name: orgId, in: path, type: string, pattern: '^o'}\n            - {name: fields, in: query, type: array}\n";
    let schema = schema(&[
        ("        - path: /v1/orgs/{orgid}/users/{id}\n", resource),
        ("            - method: PUT\n              call: users.put\n", ""),
    ]);
    assert_eq!(schema["properties"]["orgId"]["pattern"], "^o");
    // A variable of the path needs no declaration.
    assert_eq!(schema["properties"]["id"], json!({"type": "string"}));
}

#[test]
fn a_reference_to_an_input_that_is_not_declared_is_an_error() {
    let (from, to) = declared("{name: orgId, in: path}, {name: id, in: path}, {name: filds}");
    check(&[(from, &to)], &["error AL024 40:62 @get.with.fields"]);
    let found = errors(&changed(&[(from, &to)]));
    assert_eq!(found[0].hint.as_deref(), Some("did you mean `filds`?"));
}

#[test]
fn required() {
    let tool = |inputs: &str| {
        let plan = plan(&[(
            "call: users.get\n          with: {orgId: tools.orgId",
            &format!("inputParameters: [{inputs}]\n          call: users.get\n          with: {{orgId: tools.orgId"),
        )]);
        let mut operations = plan.description.operations.into_iter();
        let tool = operations.find(|operation| operation.tool.as_deref() == Some("user-get"));
        tool.unwrap().input_schema["required"].clone()
    };
    assert_eq!(tool("{name: orgId}, {name: id}, {name: fields}"), json!(["orgId", "id", "fields"]));
    assert_eq!(tool("{name: orgId}, {name: id}, {name: fields, required: false}"), json!(["orgId", "id"]));
    // Without it the path couldn't be made.
    assert_eq!(
        tool("{name: orgId, required: false}, {name: id}, {name: fields, required: false}"),
        json!(["orgId", "id"])
    );
    // Of a REST operation: what is in the path, and what the called operation needs.
    let (from, to) = declared("{name: orgId, in: path}, {name: id, in: path}, {name: fields, in: query}");
    assert_eq!(schema(&[(from, &to)])["required"], json!(["orgId", "id"]));
    // What the declaration leaves open is taken from the called operation.
    assert_eq!(schema(&[(from, &to)])["properties"]["fields"]["type"], "array");
}

#[test]
fn one_body_parameter_is_the_body_several_are_members() {
    let body = |parameters: &str| {
        let plan = plan(&[("- {name: body, in: body, type: object, required: true}", parameters)]);
        let route = find(&plan, "put").0.route.clone().unwrap();
        let in_body = |p: &crate::contract::Parameter| matches!(p.location, Location::Body | Location::BodyMember);
        route.parameters.into_iter().filter(in_body).map(|p| (p.input, p.location)).collect::<Vec<_>>()
    };
    let one = "- {name: body, in: body, type: object, required: true}";
    let two = "- {name: a, in: body}\n                - {name: b, in: body, type: integer}";
    assert_eq!(body(one), [("body".to_owned(), Location::Body)]);
    assert_eq!(body(two), [("a".to_owned(), Location::BodyMember), ("b".to_owned(), Location::BodyMember)]);
}

#[test]
fn an_input_in_the_path_must_be_in_the_path() {
    let (from, to) = declared("{name: orgId, in: path}, {name: id, in: path}, {name: fields, in: path}");
    check(&[(from, &to)], &["error AL026 38:87 @get.inputParameters[2].name"]);
}
