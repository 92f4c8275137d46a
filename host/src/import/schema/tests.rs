//! Schemas as they stand in descriptions, and what is written of them.

use super::*;

/// What is written of a schema in a description that has these components too, and what is said about it.
fn render(version: Version, direction: Direction, components: Value, schema: Value) -> (Value, Vec<String>) {
    let root = json!({"components": {"schemas": components}});
    let mut notes = Notes::default();
    let renderer = Renderer::new(Refs(&root), version);
    let rendered = renderer.render(&schema, &Place::whole("here"), direction, 24 << 10, &mut notes);
    (rendered.schema.into(), notes.into_list().iter().map(ToString::to_string).collect())
}

fn check(version: Version, schema: Value, expected: Value) {
    let (written, notes) = render(version, Direction::Request, json!({}), schema.clone());
    assert_eq!((&written, notes), (&expected, vec![]), "{schema}");
}

#[test]
fn keywords_of_older_versions_are_said_anew() {
    for (schema, expected) in [
        (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
        (json!({"type": "string", "x-nullable": true}), json!({"type": ["string", "null"]})),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"nullable": true, "description": "D.", "oneOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"description": "D.", "anyOf": [{"oneOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "null"}]}),
        ),
        (
            json!({"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false}),
            json!({"type": "number", "maximum": 9, "exclusiveMinimum": 0}),
        ),
        (json!({"type": "string", "example": "x"}), json!({"type": "string", "examples": ["x"]})),
        (json!({"type": "array", "minItems": 1.0, "items": {}}), json!({"type": "array", "minItems": 1, "items": {}})),
        (
            json!({"type": "object", "additionalProperties": false}),
            json!({"type": "object", "additionalProperties": false}),
        ),
        (json!({"type": "string", "description": " a \n  b\t\n"}), json!({"type": "string", "description": "a\n  b"})),
    ] {
        check(Version::OpenApi30, schema, expected);
    }
    for (schema, expected) in [
        (json!({"type": ["string", "null"]}), json!({"type": ["string", "null"]})),
        (json!({"const": 1, "examples": [1]}), json!({"const": 1, "examples": [1]})),
        (json!({"exclusiveMinimum": 1}), json!({"exclusiveMinimum": 1})),
        (json!({"dependentRequired": {"a": ["b"]}}), json!({"dependentRequired": {"a": ["b"]}})),
        (json!({"prefixItems": [{"type": "string"}, true]}), json!({"prefixItems": [{"type": "string"}, true]})),
    ] {
        check(Version::OpenApi31, schema, expected);
    }
}

#[test]
fn what_can_be_folded_of_all_of_is() {
    let base = json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]});
    for (schema, expected) in [
        (
            json!({"description": "Mine.", "allOf": [{"$ref": "#/components/schemas/Base"}]}),
            json!({"type": "object", "description": "Mine.", "required": ["id"], "properties": {"id": {"type": "string"}}}),
        ),
        (
            json!({"allOf": [
                {"$ref": "#/components/schemas/Base"},
                {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n", "id"]},
            ]}),
            json!({
                "type": "object",
                "required": ["id", "n"],
                "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
            }),
        ),
        (
            json!({"allOf": [{"minLength": 1}, {"minLength": 2}], "type": "string"}),
            json!({"type": "string", "minLength": 1, "allOf": [{"minLength": 2}]}),
        ),
        (
            json!({"allOf": [
                {"$ref": "#/components/schemas/Base"},
                {"properties": {"n": true}, "additionalProperties": false},
            ]}),
            json!({
                "type": "object", "required": ["id"], "properties": {"id": {"type": "string"}},
                "allOf": [{"properties": {"n": true}, "additionalProperties": false}],
            }),
        ),
    ] {
        let (written, notes) = render(Version::OpenApi30, Direction::Request, json!({"Base": base}), schema.clone());
        assert_eq!((&written, notes), (&expected, vec![]), "{schema}");
    }
}

#[test]
fn what_only_the_other_side_sets_is_not_there_nor_required() {
    let components = json!({"Id": {"type": "string", "readOnly": true}});
    let schema = json!({
        "type": "object",
        "properties": {
            "id": {"$ref": "#/components/schemas/Id"},
            "created": {"type": "string", "readOnly": true},
            "password": {"type": "string", "writeOnly": true},
            "name": {"type": "string"},
        },
        "required": ["id", "password", "name"],
    });
    let (sent, _) = render(Version::OpenApi30, Direction::Request, components.clone(), schema.clone());
    assert_eq!(sent["required"], json!(["password", "name"]));
    assert_eq!(sent["properties"], json!({"password": {"type": "string"}, "name": {"type": "string"}}));
    let (received, notes) = render(Version::OpenApi30, Direction::Response, components, schema);
    assert_eq!(received["required"], json!(["id", "name"]));
    assert_eq!(received["properties"].as_object().unwrap().len(), 3);
    assert_eq!(notes, [""; 0]);
}

#[test]
fn a_schema_that_refers_to_itself_ends_in_a_free_value() {
    let node = json!({
        "type": "object",
        "description": "A node.",
        "properties": {"next": {"$ref": "#/components/schemas/Node"}, "all": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}},
    });
    let (written, notes) = render(
        Version::OpenApi30,
        Direction::Response,
        json!({"Node": node}),
        json!({"$ref": "#/components/schemas/Node"}),
    );
    let free = json!({"type": "object", "description": "A node."});
    assert_eq!(written["properties"], json!({"next": free, "all": {"type": "array", "items": free}}));
    assert_eq!(notes, ["components.schemas.Node: schema refers to itself: there it is a free value"]);
    // A circle of nothing but references, and one of `allOf`.
    let circle = json!({"A": {"$ref": "#/components/schemas/B"}, "B": {"allOf": [{"$ref": "#/components/schemas/A"}]}});
    let (written, _) =
        render(Version::OpenApi30, Direction::Request, circle, json!({"$ref": "#/components/schemas/A"}));
    assert_eq!(written, json!({}));
}

#[test]
fn what_would_be_too_large_is_cut_where_it_is_deepest() {
    // Each level twice as many as the one above: 2^40 in all.
    let mut components = Map::new();
    for level in 0..40 {
        let below = json!({"$ref": format!("#/components/schemas/L{}", level + 1)});
        components
            .insert(format!("L{level}"), json!({"type": "object", "properties": {"left": below, "right": below}}));
    }
    components.insert("L40".to_owned(), json!({"type": "string"}));
    let (written, notes) =
        render(Version::OpenApi30, Direction::Response, components.into(), json!({"$ref": "#/components/schemas/L0"}));
    assert_eq!(written.pointer("/properties/left/properties/right/type"), Some(&json!("object")));
    assert!(written.to_string().len() < 24 << 10, "{}", written.to_string().len());
    assert!(depth(&written) <= MAX_DEPTH);
    assert!(notes.len() == 1 && notes[0].contains("levels deep is a free value"), "{notes:?}");
}

#[test]
fn what_is_left_out_is_said_with_its_place() {
    let schema = json!({
        "type": "object",
        "x-vendor": 1,
        "xml": {"name": "a"},
        "properties": {
            "a": {"type": "string", "pattern": "(?<=x)y", "x-vendor": 2},
            "b": {"type": "text", "minLength": -1},
            "c": {"$ref": "https://example.com/schema.json", "description": "Elsewhere."},
            "d": {"$ref": "#/components/schemas/None"},
            "e": 7,
        },
    });
    let (written, notes) = render(Version::OpenApi30, Direction::Request, json!({}), schema);
    assert_eq!(
        written["properties"],
        json!({"a": {"type": "string"}, "b": {}, "c": {"description": "Elsewhere."}, "d": {}, "e": {}})
    );
    let expected = [
        "here.properties.a.pattern: left out: not a regular expression that is matched in linear time",
        "here.properties.b.type: left out: it has no usable value",
        "here.properties.b.minLength: left out: it has no usable value",
        "here.properties.c: reference leads out of the description and isn't followed: https://example.com/schema.json; taken as anything",
        "here.properties.d: reference leads to nothing: #/components/schemas/None; taken as anything",
        "here.properties.e: schema isn't a mapping: taken as anything",
        "here.properties.a: left out: x-vendor, here and in another place",
        "here: left out: xml",
    ];
    assert_eq!(notes, expected);
}
