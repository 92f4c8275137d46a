//! A description as large as the largest: how much becomes of it, counted.

use serde_json::json;

use super::*;

/// Many operations, each with schemas that share what lies deep below them: 1.5 MB.
fn large() -> Value {
    const SCHEMAS: usize = 1_000;
    const OPERATIONS: usize = 400;
    let mut schemas = serde_json::Map::new();
    for index in 0..SCHEMAS {
        let mut properties = serde_json::Map::new();
        for field in 0..8 {
            let text = format!(
                "The field number {field} of the thing number {index}, with more than a few words about what it means, who may change it, and what becomes of it afterwards."
            );
            properties.insert(format!("field{field}"), json!({"type": "string", "description": text}));
        }
        for next in [index * 3 + 1, index * 3 + 2, index / 2] {
            let reference = format!("#/components/schemas/Thing{}", next % SCHEMAS);
            properties.insert(format!("thing{next}"), json!({"$ref": reference}));
        }
        schemas.insert(format!("Thing{index}"), json!({"type": "object", "properties": properties}));
    }
    let mut paths = serde_json::Map::new();
    for index in 0..OPERATIONS {
        let schema =
            json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/Thing{}", index % SCHEMAS)}}});
        let operation = json!({
            "operationId": format!("changeThing{index}"),
            "description": "Changes a thing.",
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "requestBody": {"required": true, "content": schema},
            "responses": {"200": {"description": "It.", "content": schema}},
        });
        paths.insert(format!("/things{index}/{{id}}"), json!({"put": operation}));
    }
    json!({"openapi": "3.0.3", "info": {"title": "Large"}, "servers": [{"url": "https://t.example"}], "paths": paths, "components": {"schemas": schemas}})
}

#[test]
fn a_large_description_becomes_a_document_within_the_limits() {
    let described = large();
    assert!(described.to_string().len() > 1_500_000, "{}", described.to_string().len());
    let (document, notes) = import(&described, &Options::default());
    let resources = document["capability"]["consumes"][0]["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 400);
    let written: Vec<usize> =
        resources.iter().map(|it| it["operations"][0]["outputSchema"].to_string().len()).collect();
    // Each has its share, and none more.
    assert!(
        written.iter().all(|it| (500..4_000).contains(it)),
        "{:?} {:?}",
        written.iter().min(),
        written.iter().max()
    );
    assert!(document.to_string().len() < 4 << 20);
    let cut = notes.iter().filter(|it| it.contains("schema is large")).count();
    let circles = notes.iter().filter(|it| it.contains("refers to itself")).count();
    assert_eq!((cut, cut + circles), (800, notes.len()), "{:?}", notes.first());
}

#[test]
fn what_does_not_fit_into_one_document_says_what_to_do() {
    let mut described = large();
    let paths = described["paths"].as_object_mut().unwrap();
    for index in 0..1_700 {
        paths.insert(format!("/more{index}"), json!({"get": {}}));
    }
    let told = openapi(&described.to_string(), &Options::default()).unwrap_err().to_string();
    assert_eq!(
        told,
        "too much for one document: 2100 operations; expected at most 2000; choose with --tag, --path or --operation"
    );
    let some = Options { paths: vec!["/more*".to_owned()], ..Options::default() };
    assert_eq!(openapi(&described.to_string(), &some).unwrap().operations, 1_700);
}
