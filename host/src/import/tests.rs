//! Descriptions and what is made of them. Whole documents are goldens, see `tests/suite/import.rs`.

mod forms;
mod large;
mod parameters;
mod security;

use serde_json::{Value, json};

use super::*;
use crate::document::{self, Mode};

/// A document as the compiler reads it, and what is said about it. Whatever is imported can be compiled.
fn import(description: &Value, options: &Options) -> (Value, Vec<String>) {
    let imported = openapi(&description.to_string(), options).unwrap_or_else(|e| panic!("{e}"));
    let compiled = document::compile(&imported.document, Mode::Strict);
    let plan = compiled.unwrap_or_else(|e| panic!("{e:#?}\n{}", imported.document)).plan;
    // A REST operation and its tool are one.
    assert_eq!(plan.description.operations.len(), imported.operations, "{}", imported.document);
    assert!(plan.description.operations.iter().all(|it| it.route.is_some() && it.tool.is_some()));
    let document = serde_saphyr::from_str(&imported.document).expect("YAML");
    (document, imported.notes.iter().map(ToString::to_string).collect())
}

/// A description with one operation.
fn with_operation(path: &str, method: &str, operation: Value) -> Value {
    json!({"openapi": "3.0.3", "info": {"title": "T"}, "servers": [{"url": "https://t.example"}], "paths": {path: {method: operation}}})
}

/// The first consumed operation of an imported document.
fn first(document: &Value) -> &Value {
    &document["capability"]["consumes"][0]["resources"][0]["operations"][0]
}

#[test]
fn an_operation_that_needs_what_cannot_be_sent_is_left_out() {
    for (operation, said) in [
        (
            json!({"parameters": [{"name": "p", "in": "header", "required": true, "schema": {"type": "object"}}]}),
            "left out: it needs the parameter \"p\", and an object can't be written in a header",
        ),
        (
            json!({"requestBody": {"required": true, "content": {"application/xml": {}}}}),
            "left out: it needs a body that is neither JSON nor a form: application/xml",
        ),
        (json!({"requestBody": {"$ref": "body.yaml"}}), "left out: its body: reference leads out of the description"),
    ] {
        let mut described = with_operation("/x", "post", operation.clone());
        let alone = openapi(&described.to_string(), &Options::default()).unwrap_err().to_string();
        assert!(alone.starts_with("no operation to import: each one is left out\n") && alone.contains(said), "{alone}");
        described["paths"]["/y"] = json!({"get": {}});
        let (document, notes) = import(&described, &Options::default());
        assert_eq!(first(&document)["name"], "get-y");
        assert!(
            notes.iter().any(|note| note == &format!("paths./x.post: {said}") || note.contains(said)),
            "{operation}: {notes:?}"
        );
    }
}

#[test]
fn a_body_is_one_input_whatever_its_schema() {
    let body = |is_required: bool, schema: Value| {
        let content = json!({"application/json": {"schema": schema}});
        let operation = json!({"requestBody": {"required": is_required, "content": content}});
        let (document, _) = import(&with_operation("/x", "post", operation), &Options::default());
        first(&document)["inputParameters"][0].clone()
    };
    let named = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    for (is_required, schema, expected) in [
        (
            true,
            named.clone(),
            json!({"name": "body", "in": "body", "type": "object", "required": true, "properties": {"a": {"type": "string"}}, "allOf": [{"required": ["a"]}]}),
        ),
        (
            false,
            named,
            json!({"name": "body", "in": "body", "type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}),
        ),
        (true, json!({}), json!({"name": "body", "in": "body", "required": true})),
        (
            true,
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"name": "body", "in": "body", "required": true, "oneOf": [{"type": "string"}, {"type": "integer"}]}),
        ),
        (
            false,
            json!({"type": "string", "nullable": true, "description": "D."}),
            json!({"name": "body", "in": "body", "description": "D.", "allOf": [{"type": ["string", "null"]}]}),
        ),
        (
            true,
            json!({"not": {"type": "string"}}),
            json!({"name": "body", "in": "body", "required": true, "allOf": [{"not": {"type": "string"}}]}),
        ),
    ] {
        assert_eq!(body(is_required, schema.clone()), expected, "{schema}");
    }
}

#[test]
fn names_that_agents_cannot_be_given_are_said_in_another_way() {
    let operation = json!({"parameters": [
        {"name": "filter[kind]", "in": "query", "schema": {"type": "string"}},
        {"name": "filter(kind)", "in": "query", "schema": {"type": "string"}},
        {"name": "plain", "in": "query", "schema": {"type": "string"}},
    ]});
    let (document, _) = import(&with_operation("/x", "get", operation), &Options::default());
    let exposes = &document["capability"]["exposes"];
    let with =
        json!({"filter[kind]": "tools.filter_kind", "filter(kind)": "tools.filter_kind-2", "plain": "tools.plain"});
    assert_eq!(exposes[1]["tools"][0]["with"], with);
    assert_eq!(exposes[0]["resources"][0]["operations"][0]["with"]["filter[kind]"], "rest.filter_kind");
}

#[test]
fn operations_are_named_once_and_short() {
    let long = "veryLongWords".repeat(9);
    let described = json!({
        "openapi": "3.1.0", "info": {"title": "T"}, "servers": [{"url": "https://t.example"}],
        "paths": {
            "/a": {"get": {"operationId": "getA"}, "post": {"operationId": "get_a"}, "put": {}},
            "/b/{id}.json": {"get": {"operationId": "日本"}},
            "/c": {"get": {"operationId": long}, "post": {"operationId": long}},
        },
    });
    let (document, _) = import(&described, &Options::default());
    let tools = document["capability"]["exposes"][1]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names[..4], ["get-a", "get-a-2", "put-a", "get-b-id-json"]);
    assert!(names.iter().all(|it| it.len() <= 64), "{names:?}");
    assert_ne!(names[4], names[5]);
}

#[test]
fn the_api_is_where_its_servers_say() {
    let base = |description: Value, options: &Options| {
        openapi(&description.to_string(), options).map(|it| {
            let document: Value = serde_saphyr::from_str(&it.document).unwrap();
            let apis = document["capability"]["consumes"].as_array().unwrap();
            apis.iter().map(|api| api["baseUri"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })
    };
    let with = |key: &str, value: Value| {
        let mut described = with_operation("/x", "get", json!({}));
        described.as_object_mut().unwrap().remove("servers");
        described[key] = value;
        described
    };
    let at = |address: &str| Options { address: Some(Url::parse(address).unwrap()), ..Options::default() };
    let variables =
        json!([{"url": "https://{h}/{v}", "variables": {"h": {"default": "t.example"}, "v": {"default": 2}}}]);
    assert_eq!(base(with("servers", variables), &Options::default()).unwrap(), ["https://t.example/2"]);
    let relative = with("servers", json!([{"url": "../v1"}]));
    assert_eq!(
        base(relative.clone(), &at("https://t.example/docs/a/openapi.json")).unwrap(),
        ["https://t.example/docs/v1"]
    );
    assert_eq!(base(with("x-none", json!(1)), &at("http://t.example/openapi.json")).unwrap(), ["http://t.example"]);
    for described in [
        relative,
        with("servers", json!([{"url": "https://{h}/"}])),
        with("servers", json!([{"url": "ftp://t.example"}])),
    ] {
        let error = base(described.clone(), &Options::default()).unwrap_err();
        assert!(
            matches!(&error, ImportError::Server(_)) && error.to_string().contains("--server"),
            "{described}: {error}"
        );
        let given = Options { server: Some("https://given.example/".to_owned()), ..Options::default() };
        assert_eq!(base(described, &given).unwrap(), ["https://given.example"]);
    }
    let mut two = with_operation("/x", "get", json!({}));
    two["paths"]["/y"] = json!({"get": {"servers": [{"url": "https://other.example"}]}});
    assert_eq!(base(two, &Options::default()).unwrap(), ["https://t.example", "https://other.example"]);
    let swagger = |more: Value| {
        let mut described = json!({"swagger": "2.0", "info": {"title": "T"}, "paths": {"/x": {"get": {}}}});
        described.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        described
    };
    for (more, expected) in [
        (json!({"host": "t.example:81", "basePath": "/v1/", "schemes": ["http"]}), "http://t.example:81/v1"),
        (json!({"host": "t.example", "schemes": ["http", "https"]}), "https://t.example"),
        (json!({"host": "t.example"}), "https://t.example"),
    ] {
        assert_eq!(base(swagger(more), &Options::default()).unwrap(), [expected]);
    }
    assert_eq!(
        base(swagger(json!({"basePath": "/v2"})), &at("http://t.example/swagger.json")).unwrap(),
        ["http://t.example/v2"]
    );
}

#[test]
fn operations_are_chosen_by_tag_path_and_id() {
    let described = json!({
        "openapi": "3.0.0", "info": {"title": "T"}, "servers": [{"url": "https://t.example"}],
        "paths": {
            "/a": {"get": {"operationId": "listA", "tags": ["one"]}, "post": {"operationId": "addA", "tags": ["one", "two"]}},
            "/a/{id}": {"get": {"operationId": "getA", "tags": ["two"], "parameters": [{"name": "id", "in": "path", "required": true}]}},
        },
    });
    let chosen = |tags: &[&str], paths: &[&str], operations: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let options =
            Options { tags: owned(tags), paths: owned(paths), operations: owned(operations), ..Options::default() };
        openapi(&described.to_string(), &options).map(|it| it.operations).map_err(|e| e.to_string())
    };
    for (tags, paths, operations, expected) in [
        (&[][..], &[][..], &[][..], 3),
        (&["two"], &[], &[], 2),
        (&["one", "two"], &[], &[], 3),
        (&["two"], &["/a"], &[], 1),
        (&[], &["/a/*"], &[], 1),
        (&[], &[], &["listA", "get-a"], 2),
    ] {
        assert_eq!(chosen(tags, paths, operations), Ok(expected), "{tags:?} {paths:?} {operations:?}");
    }
    for (tags, paths, operations, said) in [
        (&["three"][..], &[][..], &[][..], "no tag three; there are: one, two"),
        (&[], &["/b"], &[], "no path /b; there are: /a, /a/{id}"),
        (&[], &[], &["nothing"], "no operation nothing; there are: listA, addA, getA"),
        (&["one"], &["/a/*"], &[], "the description has none that --tag, --path and --operation all allow"),
    ] {
        let told = chosen(tags, paths, operations).unwrap_err();
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn a_namespace_is_a_name_and_no_path_of_the_hosts_own() {
    let described = with_operation("/x", "get", json!({})).to_string();
    let named = |name: &str| openapi(&described, &Options { namespace: Some(name.to_owned()), ..Options::default() });
    assert!(named("mine").unwrap().document.contains("path: /mine/x\n"));
    for name in ["", "a b", "docs", "openapi", "x/y"] {
        assert_eq!(named(name), Err(ImportError::Namespace(name.to_owned())));
    }
    let own = described.replace("\"title\":\"T\"", "\"title\":\"Docs\"");
    assert!(openapi(&own, &Options::default()).unwrap().document.contains("path: /docs-api/x\n"));
}
