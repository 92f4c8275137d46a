//! `allOf`, folded into the schema around it where that means the same: most descriptions use it to inherit.

use serde_json::{Map, Value};

/// What only counts the members beside it: folding would count others.
const LOCAL: [&str; 4] = ["additionalProperties", "patternProperties", "unevaluatedProperties", "unevaluatedItems"];
/// What only informs: the outer one is the one that was meant.
const NOTES: [&str; 5] = ["title", "description", "examples", "default", "deprecated"];

/// Adds parts that must all hold.
pub fn merge(schema: &mut Map<String, Value>, parts: Vec<Value>) {
    let mut left = Vec::new();
    // A schema without any keyword of its own becomes its only part.
    let whole = parts.len() == 1 && schema.keys().all(|it| NOTES.contains(&it.as_str()));
    for part in parts {
        match part {
            Value::Object(part) if part.is_empty() => {}
            Value::Bool(true) => {}
            Value::Object(part) => match fold(schema, &part, whole) {
                Some(folded) => *schema = folded,
                None => left.push(Value::Object(part)),
            },
            other => left.push(other),
        }
    }
    if !left.is_empty() {
        match schema.get_mut("allOf") {
            Some(Value::Array(known)) => known.extend(left),
            _ => drop(schema.insert("allOf".to_owned(), left.into())),
        }
    }
}

/// Both as one schema, or `None` if that can't be written without `allOf`.
fn fold(schema: &Map<String, Value>, part: &Map<String, Value>, whole: bool) -> Option<Map<String, Value>> {
    let is_local = |it: &Map<String, Value>| LOCAL.iter().any(|keyword| it.get(*keyword).is_some_and(|it| *it != true));
    if !whole && (is_local(schema) || is_local(part)) {
        return None;
    }
    let mut folded = schema.clone();
    for (keyword, value) in part {
        match folded.get_mut(keyword) {
            None => drop(folded.insert(keyword.clone(), value.clone())),
            Some(known) if known == value => {}
            Some(_) if NOTES.contains(&keyword.as_str()) => {}
            Some(Value::Array(known)) if keyword == "required" => {
                for name in value.as_array()? {
                    if !known.contains(name) {
                        known.push(name.clone());
                    }
                }
            }
            Some(Value::Object(known)) if keyword == "properties" => {
                for (name, schema) in value.as_object()? {
                    match known.get(name) {
                        None => drop(known.insert(name.clone(), schema.clone())),
                        Some(same) if same == schema => {}
                        Some(_) => return None,
                    }
                }
            }
            Some(_) => return None,
        }
    }
    Some(in_order(folded))
}

/// As if the keywords had been written in one place.
fn in_order(mut schema: Map<String, Value>) -> Map<String, Value> {
    let mut ordered = Map::new();
    for (keyword, _) in super::KEYWORDS {
        if let Some(value) = schema.remove(keyword) {
            ordered.insert(keyword.to_owned(), value);
        }
    }
    ordered.extend(schema);
    ordered
}
