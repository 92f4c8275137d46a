//! Documents about made-up operations. Those of our own documents are goldens, see `tests/suite/openapi.rs`.

use super::*;
use crate::contract::{Audience, Effects, Location, Parameter};

fn operation(method: &str, path: &str, schema: Value, parameters: &[(&str, Location, &str)]) -> Operation {
    let parameters = parameters.iter().map(|(input, location, name)| Parameter {
        input: (*input).to_owned(),
        location: *location,
        name: (*name).to_owned(),
    });
    Operation {
        name: format!("{}-it", method.to_ascii_lowercase()),
        title: None,
        description: "Does it. And more.".to_owned(),
        input_schema: schema,
        output_schema: None,
        effects: Effects { read_only: true, destructive: false, idempotent: true, open_world: true },
        audience: Audience::Anyone,
        route: Some(Route { method: method.to_owned(), path: path.to_owned(), parameters: parameters.collect() }),
        tool: None,
    }
}

fn render_all(operations: &[(&str, Operation)]) -> Value {
    let about = About { title: "T", description: "D", access: Access::Open };
    let entries = operations
        .iter()
        .filter_map(|(plugin, operation)| Some(Entry { plugin, operation, route: operation.route.as_ref()? }));
    document(&about, &operations.iter().map(|(plugin, _)| (*plugin, "S")).collect(), entries)
}

#[test]
fn a_parameter_is_described_where_it_stands() {
    let schema = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Which one."},
            "n": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "filter": {"type": "object"},
            "trace": {"type": "array"},
            "sid": {"type": "string"},
        },
        "required": ["id", "n"],
    });
    let parameters = [
        ("id", Location::Path, "id"),
        ("n", Location::Query, "size"),
        ("tags", Location::Query, "tag"),
        ("filter", Location::Query, "filter"),
        ("trace", Location::Header, "x-trace"),
        ("sid", Location::Cookie, "sid"),
        // The same place again: one of them is described.
        ("sid", Location::Query, "size"),
    ];
    let document = render_all(&[("p", operation("GET", "/a/{id}", schema, &parameters))]);
    let get = &document["paths"]["/a/{id}"]["get"];
    assert_eq!(get["operationId"], "p.get-it");
    assert_eq!(get["summary"], "Does it");
    assert_eq!(get["requestBody"], Value::Null);
    assert_eq!(
        get["parameters"],
        json!([
            {
                "name": "id", "in": "path", "description": "Which one.", "required": true,
                "schema": {"type": "string", "description": "Which one."},
            },
            {"name": "size", "in": "query", "required": true, "schema": {"type": "integer"}},
            {"name": "tag", "in": "query", "explode": true, "schema": {"type": "array", "items": {"type": "string"}}},
            {"name": "filter", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
            {"name": "x-trace", "in": "header", "explode": false, "schema": {"type": "array"}},
            {"name": "sid", "in": "cookie", "schema": {"type": "string"}},
        ])
    );
}

#[test]
fn a_body_is_one_input_or_made_of_several() {
    let schema = json!({
        "type": "object",
        "properties": {"whole": {"type": "object", "description": "All."}, "a": {"$ref": "#/$defs/a"}, "b": {}},
        "required": ["a"],
        "$defs": {"a": {"type": "integer"}},
    });
    let whole = operation("PUT", "/a", schema.clone(), &[("whole", Location::Body, "")]);
    let members =
        operation("POST", "/a", schema, &[("a", Location::BodyMember, "A"), ("b", Location::BodyMember, "b")]);
    let document = render_all(&[("p", whole), ("p", members)]);
    assert_eq!(
        document["paths"]["/a"]["put"]["requestBody"],
        json!({
            "required": false,
            "content": {"application/json": {"schema": {"type": "object", "description": "All."}}},
            "description": "All.",
        })
    );
    assert_eq!(
        document["paths"]["/a"]["post"]["requestBody"],
        json!({
            "required": true,
            "content": {"application/json": {"schema": {
                "type": "object",
                "properties": {"A": {"$ref": "#/components/schemas/p.post-it.input/$defs/a"}, "b": {}},
                "additionalProperties": false,
                "required": ["A"],
            }}},
        })
    );
    assert_eq!(document["components"]["schemas"]["p.post-it.input"]["$defs"]["a"], json!({"type": "integer"}));
}

#[test]
fn paths_that_differ_in_names_only_are_one() {
    let with = |method, path, variable| {
        let schema = json!({"type": "object", "properties": {"x": {"type": "string"}}});
        operation(method, path, schema, &[("x", Location::Path, variable)])
    };
    let document = render_all(&[("p", with("GET", "/a/{id}", "id")), ("q", with("PUT", "/a/{key}", "key"))]);
    assert_eq!(document["paths"].as_object().unwrap().len(), 1);
    let item = &document["paths"]["/a/{id}"];
    for method in ["get", "put"] {
        assert_eq!(item[method]["parameters"][0]["name"], "id", "{item}");
    }
    assert_eq!(document["tags"], json!([{"name": "p", "description": "S"}, {"name": "q", "description": "S"}]));
}

#[test]
fn an_operation_answers_what_its_request_can_lead_to() {
    let schema = json!({"type": "object", "properties": {"b": {}}});
    let mut get = operation("GET", "/a", schema.clone(), &[]);
    get.output_schema = Some(json!({"type": "object"}));
    let put = operation("PUT", "/a", schema, &[("b", Location::Body, "")]);
    let document = render_all(&[("p", get), ("p", put)]);
    let statuses = |method: &str| -> Vec<String> {
        document["paths"]["/a"][method]["responses"].as_object().unwrap().keys().cloned().collect()
    };
    let of_get = [
        "200", "204", "2XX", "304", "400", "401", "403", "406", "412", "421", "422", "429", "431", "500", "502", "503",
        "504", "default",
    ];
    assert_eq!(statuses("get"), of_get);
    let put = statuses("put");
    assert!(["408", "413", "415"].iter().all(|it| put.contains(&(*it).to_owned())), "{put:?}");
    let result = &document["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(result["$ref"], "#/components/schemas/p.get-it.output");
    assert_eq!(document["paths"]["/a"]["put"]["responses"]["200"]["content"], Value::Null);
}

#[test]
fn every_type_of_problem_has_its_schema_and_an_example_that_conforms() {
    let document = render_all(&[]);
    let components = &document["components"];
    let mut checked = 0;
    for (name, response) in components["responses"].as_object().unwrap() {
        let content = &response["content"]["application/problem+json"];
        for (kind, example) in content["examples"].as_object().unwrap() {
            let schemas = content["schema"]["anyOf"].as_array().unwrap();
            let conforming = schemas.iter().filter(|it| {
                let schema = json!({"$ref": it["$ref"], "components": components});
                jsonschema::validator_for(&schema).unwrap().is_valid(&example["value"])
            });
            // Its own one, and the one that all share.
            assert_eq!(conforming.count(), 2, "{name} {kind}");
            checked += 1;
        }
    }
    assert_eq!(checked, crate::rest::kind::Kind::all().count());
}

#[test]
fn what_a_caller_has_to_present_is_told() {
    let rendered = |access| document(&About { title: "T", description: "D", access }, &BTreeMap::new(), [].into_iter());
    let (open, known) = (rendered(Access::Open), rendered(Access::Callers));
    assert_eq!((&open["security"], &open["components"]["securitySchemes"]), (&json!([]), &json!({})));
    // Each alternative names a scheme that is there.
    let schemes = known["components"]["securitySchemes"].as_object().unwrap();
    let wanted = known["security"].as_array().unwrap().iter().flat_map(|it| it.as_object().unwrap().keys());
    assert_eq!(wanted.collect::<Vec<_>>(), schemes.keys().collect::<Vec<_>>());
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert_eq!(schemes["key"]["name"], "X-Api-Key");
}
