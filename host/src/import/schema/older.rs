//! What Swagger 2.0 and OpenAPI 3.0 say in their own way: that a value may be null, that a bound excludes itself.

use serde_json::{Map, Value, json};

/// Whether null is allowed too.
pub fn is_nullable(keywords: &Map<String, Value>) -> bool {
    ["nullable", "x-nullable"].iter().any(|it| keywords.get(*it) == Some(&Value::Bool(true)))
}

/// What Swagger 2.0 and OpenAPI 3.0 say in their own way, as 2020-12 says it.
pub fn modernise(keywords: &Map<String, Value>, out: &mut Map<String, Value>) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if keywords.get(exclusive) == Some(&Value::Bool(true))
            && let Some(value) = out.shift_remove(bound)
        {
            out.insert(exclusive.to_owned(), value);
        }
    }
    if is_nullable(keywords) {
        make_nullable(out);
    }
}

/// Allows null too.
pub fn make_nullable(schema: &mut Map<String, Value>) {
    let null = || Value::from("null");
    let has_type = schema.contains_key("type");
    match schema.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&null()) => types.push(null()),
        Some(kind @ Value::String(_)) if *kind != "null" => *kind = json!([kind.take(), "null"]),
        _ => {}
    }
    match schema.get_mut("enum") {
        Some(Value::Array(values)) if !values.contains(&Value::Null) => values.push(Value::Null),
        _ => {}
    }
    // With a type, null conforms to what is left only if the parts allow it.
    if ["allOf", "anyOf", "oneOf"].iter().any(|it| schema.contains_key(*it)) {
        let description = schema.shift_remove("description");
        let whole = std::mem::take(schema);
        if let Some(description) = description {
            schema.insert("description".to_owned(), description);
        }
        schema.insert("anyOf".to_owned(), json!([whole, {"type": "null"}]));
    } else if !has_type && schema.contains_key("properties") {
        schema.insert("type".to_owned(), json!(["object", "null"]));
    }
}
