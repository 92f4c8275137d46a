//! The schemas of operations as parts of a document.
//!
//! A schema's references are to places in itself. In a document they would mean places in the document: a schema that has any becomes
//! a component, and its references lead there.

use serde_json::{Map, Value, json};

/// The schemas of a document that have names.
pub(super) struct Schemas {
    pub(super) all: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new(all: Map<String, Value>) -> Self {
        Self { all }
    }

    /// Adds a schema under a name, and gives a reference to it.
    pub(super) fn add(&mut self, name: &str, schema: &Value) -> Value {
        let place = format!("#/components/schemas/{name}");
        self.all.insert(name.to_owned(), moved(schema, &place));
        json!({"$ref": place})
    }

    /// A property of a schema in place. What it refers to is added under the name of the whole.
    pub(super) fn property(&mut self, name: &str, whole: &Value, property: &str) -> Value {
        let part = &whole["properties"][property];
        if !refers(part) {
            return part.clone();
        }
        if !self.all.contains_key(name) {
            self.add(name, whole);
        }
        moved(part, &format!("#/components/schemas/{name}"))
    }
}

/// The schema with its references to itself leading to `place`. What makes it a document of its own is left out.
fn moved(schema: &Value, place: &str) -> Value {
    let mut schema = schema.clone();
    if let Some(members) = schema.as_object_mut() {
        members.retain(|keyword, _| !matches!(keyword.as_str(), "$schema" | "$id" | "id"));
    }
    walk(&mut schema, &mut |reference| {
        if let Some(pointer) = reference.strip_prefix('#') {
            *reference = format!("{place}{pointer}");
        }
    });
    schema
}

fn refers(schema: &Value) -> bool {
    let mut found = false;
    walk(&mut schema.clone(), &mut |_| found = true);
    found
}

/// Visits all references of a schema; none in values that only look like one.
fn walk(schema: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(|it| walk(it, visit)),
        Value::Object(keywords) => {
            for (keyword, value) in keywords {
                match (keyword.as_str(), value) {
                    ("$ref", Value::String(reference)) => visit(reference),
                    ("const" | "default" | "enum" | "example" | "examples", _) => {}
                    (
                        "$defs" | "definitions" | "dependentSchemas" | "patternProperties" | "properties",
                        Value::Object(members),
                    ) => members.values_mut().for_each(|it| walk(it, visit)),
                    (_, value) => walk(value, visit),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_to_where_the_schema_is() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "https://example.com/x",
            "properties": {
                "$ref": {"$ref": "#/$defs/a"},
                "default": {"$ref": "#"},
                "const": {"enum": [{"$ref": "#/$defs/a"}]},
                "list": {"items": [{"anyOf": [{"$ref": "#/$defs/b~1c"}]}]},
            },
            "$defs": {"a": {"id": "no keyword", "properties": {"id": {}}}},
        });
        let mut schemas = Schemas::new(Map::new());
        let place = "#/components/schemas/p.op";
        assert_eq!(schemas.add("p.op", &schema), json!({"$ref": place}));
        assert_eq!(
            schemas.all["p.op"],
            json!({
                "properties": {
                    "$ref": {"$ref": format!("{place}/$defs/a")},
                    "default": {"$ref": place},
                    "const": {"enum": [{"$ref": "#/$defs/a"}]},
                    "list": {"items": [{"anyOf": [{"$ref": format!("{place}/$defs/b~1c")}]}]},
                },
                "$defs": {"a": {"id": "no keyword", "properties": {"id": {}}}},
            })
        );
    }

    #[test]
    fn a_property_takes_along_what_it_refers_to_and_nothing_else() {
        let whole = json!({"properties": {"a": {"type": "string"}, "b": {"items": {"$ref": "#/properties/a"}}}});
        let mut schemas = Schemas::new(Map::new());
        assert_eq!(schemas.property("p.op", &whole, "a"), json!({"type": "string"}));
        assert!(schemas.all.is_empty());
        let b = schemas.property("p.op", &whole, "b");
        assert_eq!(b, json!({"items": {"$ref": "#/components/schemas/p.op/properties/a"}}));
        assert_eq!(schemas.all["p.op"]["properties"]["a"], json!({"type": "string"}));
    }
}
