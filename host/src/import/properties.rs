//! Whatever description there is: it becomes a document that is compiled without a complaint, or there is a reason.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use super::*;
use crate::document::{self, Mode};

fn name() -> impl Strategy<Value = String> {
    let odd = select(vec![
        "id",
        "ID",
        "filter[a]",
        "X-Trace",
        "Accept",
        "body",
        "$top",
        "a b",
        "é",
        "",
        "Content-Length",
        "type",
        "{x}",
    ]);
    prop_oneof![odd.prop_map(str::to_owned), "[a-zA-Z]{1,8}"]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ a-zA-Z.:#'\"{}\n-]{0,40}", ".{0,20}", "([a-z]{2,9} ){20,40}"]
}

/// A schema, its references among those that there are and one that isn't.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(vec!["A", "B", "C", "None"]).prop_map(|to| json!({"$ref": format!("#/components/schemas/{to}")})),
        select(vec![
            json!({}),
            json!(true),
            json!(false),
            json!(7),
            json!({"type": "file"}),
            json!({"type": "null"}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
            json!({"type": "string", "pattern": "(?=a)b"}),
            json!({"type": "string", "format": "date-time", "default": 3, "example": {"a": [1]}}),
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true, "multipleOf": 0}),
            json!({"type": "number", "minLength": "x", "enum": []}),
            json!({"const": {"a": 1}, "x-y": [1], "deprecated": true, "title": "T"}),
        ]),
        (select(vec!["string", "integer", "number", "boolean", "array", "object"]), text(), any::<bool>()).prop_map(
            |(kind, text, flag)| json!({"type": kind, "description": text, "nullable": flag, "readOnly": flag})
        ),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (vec((name(), inner.clone()), 0..4), vec(name(), 0..3), any::<bool>()).prop_map(|(members, required, closed)| {
                let members: Map<String, Value> = members.into_iter().collect();
                json!({"type": "object", "properties": members, "required": required, "additionalProperties": closed})
            }),
            inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
            (select(vec!["allOf", "anyOf", "oneOf"]), vec(inner.clone(), 0..3), any::<bool>())
                .prop_map(|(keyword, parts, flag)| json!({keyword: parts, "nullable": flag})),
            inner.prop_map(|not| json!({"not": not, "description": "Not that."})),
        ]
    })
}

fn parameter() -> impl Strategy<Value = Value> {
    let place = select(vec!["path", "query", "header", "cookie", "body", "formData", "nowhere"]);
    let style = select(vec!["form", "simple", "spaceDelimited", "pipeDelimited", "deepObject", "matrix", "none"]);
    (name(), place, style, any::<(bool, bool)>(), schema(), text()).prop_map(
        |(name, place, style, (explode, required), schema, text)| {
            let mut parameter =
                json!({"name": name, "in": place, "required": required, "schema": schema, "description": text});
            if style != "none" {
                parameter["style"] = style.into();
                parameter["explode"] = explode.into();
            }
            parameter
        },
    )
}

fn operation() -> impl Strategy<Value = Value> {
    let media = select(vec!["application/json", "application/x+json", "text/csv", "*/*", "multipart/form-data"]);
    let status = select(vec!["200", "201", "204", "2XX", "default", "404"]);
    let security = select(vec![
        json!([]),
        json!([{}]),
        json!([{"key": []}]),
        json!([{"key": [], "oauth": []}]),
        json!([{"none": []}]),
    ]);
    let parts = (
        vec(parameter(), 0..5),
        proptest::option::of((media.clone(), schema(), any::<bool>())),
        vec((status, media, schema()), 0..3),
    );
    (parts, name(), text(), proptest::option::of(security)).prop_map(
        |((parameters, body, answers), id, summary, security)| {
            let mut operation = json!({"operationId": id, "summary": summary, "parameters": parameters});
            if let Some((media, schema, required)) = body {
                operation["requestBody"] = json!({"required": required, "content": {media: {"schema": schema}}});
            }
            let answers = answers
                .into_iter()
                .map(|(status, media, schema)| (status.to_owned(), json!({"content": {media: {"schema": schema}}})));
            operation["responses"] = Value::Object(answers.collect());
            if let Some(security) = security {
                operation["security"] = security;
            }
            operation
        },
    )
}

fn description() -> impl Strategy<Value = Value> {
    let path = select(vec![
        "/",
        "/a",
        "/a/",
        "/a/{id}",
        "/a/{id}.json",
        "/{id}:go",
        "/{ID}/{id}",
        "/a b/{x y}",
        "/a?b=c",
        "a",
        "/{a}{b}/é",
    ]);
    let method = select(vec!["get", "post", "put", "patch", "delete", "head"]);
    let version = select(vec!["3.0.3", "3.1.0"]);
    let operations = vec((path, method, operation()), 1..5);
    (version, text(), operations, [schema(), schema(), schema()]).prop_map(|(version, title, operations, [a, b, c])| {
        let mut paths = json!({});
        for (path, method, operation) in operations {
            paths[path][method] = operation;
        }
        json!({
            "openapi": version,
            "info": {"title": title, "description": title},
            "servers": [{"url": "https://t.example/v1"}],
            "paths": paths,
            "components": {
                "schemas": {"A": a, "B": b, "C": c},
                "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}, "oauth": {"type": "oauth2"}},
            },
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn any_description_becomes_a_document_without_errors(described in description()) {
        let imported = match openapi(&described.to_string(), &Options::default()) {
            Ok(imported) => imported,
            Err(ImportError::Nothing(_)) => return Ok(()),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let again = openapi(&described.to_string(), &Options::default());
        prop_assert_eq!(again.as_ref(), Ok(&imported));
        let compiled = document::compile(&imported.document, Mode::Strict);
        let plan = compiled.map_err(|e| TestCaseError::fail(format!("{e:#?}\n{}", imported.document)))?.plan;
        prop_assert_eq!(plan.description.operations.len(), imported.operations, "{}", imported.document);
        for operation in &plan.description.operations {
            let schemas = [Some(&operation.input_schema), operation.output_schema.as_ref()];
            for schema in schemas.into_iter().flatten() {
                let built = jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex()).build(schema);
                prop_assert!(built.is_ok(), "{:?}\n{}", built.err(), schema);
            }
        }
    }
}
