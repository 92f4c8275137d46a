//! A parameter as a document writes it: the keywords of its schema beside its name.
//!
//! What is written in a URL, header or cookie is text and has one type; a body may have any schema.

use serde_json::{Map, Value, json};

use super::{
    notes::Notes,
    parameter::{Location, Parameter, Style},
    place::Place,
    schema::{is_small, tidy},
};

/// The keywords that may stand beside a parameter's name.
const BESIDE: [&str; 24] = [
    "enum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "default",
    "examples",
    "deprecated",
];
/// Those of them that say something about text in a URL.
const OF_ALTERNATIVES: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Writes a parameter whose schema is written out.
pub fn parameter(parameter: &Parameter, place: &str, notes: &mut Notes) -> Value {
    let place = Place::whole(format!("{place} (parameter {})", parameter.name));
    let mut schema = parameter.schema.rendered.clone();
    add_beside(&mut schema, &parameter.keywords, &place, notes);
    let mut written = Map::new();
    written.insert("name".to_owned(), parameter.name.as_str().into());
    written.insert("in".to_owned(), parameter.location.to_string().into());
    let mut keywords = match parameter.location {
        Location::Body => in_body(schema, parameter.required),
        Location::Field if schema.get("type") == Some(&json!("object")) => in_body(schema, parameter.required),
        _ => in_text(schema, &place, notes),
    };
    for key in ["type", "description"] {
        if let Some(value) = keywords.shift_remove(key) {
            written.insert(key.to_owned(), value);
        }
    }
    if parameter.required {
        written.insert("required".to_owned(), true.into());
    }
    match &parameter.style {
        Some(Style::Form) => {
            written.extend([("style".to_owned(), json!("form")), ("explode".to_owned(), json!(false))])
        }
        Some(Style::Named(name)) => drop(written.insert("style".to_owned(), name.as_str().into())),
        None => {}
    }
    written.extend(keywords);
    written.into()
}

/// What is said beside a schema counts for more than what the schema says, but for its examples.
fn add_beside(schema: &mut Map<String, Value>, beside: &Map<String, Value>, place: &Place<'_>, notes: &mut Notes) {
    for (keyword, value) in beside {
        match (keyword.as_str(), value) {
            ("description", Value::String(text)) if tidy(text).is_empty() => {}
            ("description", Value::String(text)) => drop(schema.insert(keyword.clone(), tidy(text).into())),
            ("examples", Value::Array(examples)) => {
                let small: Vec<Value> = examples.iter().filter(|it| is_small(it)).cloned().collect();
                if small.len() < examples.len() {
                    notes.left_out("an example that is large", place);
                }
                if !small.is_empty() && !schema.contains_key("examples") {
                    schema.insert(keyword.clone(), small.into());
                }
            }
            _ => drop(schema.insert(keyword.clone(), value.clone())),
        }
    }
    let title = schema.shift_remove("title");
    if let (Some(title), false) = (title, schema.contains_key("description")) {
        schema.insert("description".to_owned(), title);
    }
}

/// A schema for a JSON value. What can't stand beside a name stands in an `allOf`, as does what its members need: `required` is about
/// the parameter.
fn in_body(mut schema: Map<String, Value>, is_required: bool) -> Map<String, Value> {
    let has_type =
        matches!(schema.get("type"), None | Some(Value::String(_))) && schema.get("type") != Some(&json!("null"));
    let may_stand = |keyword: &String| {
        matches!(keyword.as_str(), "type" | "description" | "required") || BESIDE.contains(&keyword.as_str())
    };
    if !has_type || !schema.keys().all(may_stand) {
        let mut outer = Map::new();
        for keyword in ["description", "examples", "deprecated"] {
            if let Some(value) = schema.shift_remove(keyword) {
                outer.insert(keyword.to_owned(), value);
            }
        }
        if schema.get("type") == Some(&json!("object")) {
            outer.insert("type".to_owned(), json!("object"));
        }
        outer.insert("allOf".to_owned(), json!([schema]));
        return outer;
    }
    let is_object = schema.get("type") == Some(&json!("object"));
    if (is_required || !is_object)
        && let Some(required) = schema.shift_remove("required")
    {
        let part = json!({"required": required});
        match schema.get_mut("allOf") {
            Some(Value::Array(parts)) => parts.push(part),
            _ => drop(schema.insert("allOf".to_owned(), json!([part]))),
        }
    }
    schema
}

/// A schema for what is written as text: one type, and what can be said of a value of it.
fn in_text(schema: Map<String, Value>, place: &Place<'_>, notes: &mut Notes) -> Map<String, Value> {
    let mut schema = without_null(schema);
    if let Some(constant) = schema.shift_remove("const") {
        schema.insert("enum".to_owned(), json!([constant]));
    }
    let kind = one_type(&schema, place, notes);
    let left: Vec<String> = schema
        .keys()
        .filter(|keyword| !matches!(keyword.as_str(), "type" | "description"))
        .filter(|keyword| !BESIDE.contains(&keyword.as_str()) || OF_ALTERNATIVES.contains(&keyword.as_str()))
        .cloned()
        .collect();
    for keyword in left.iter().filter(|it| schema.shift_remove(it.as_str()).is_some()) {
        // Members that are required come with the object or don't.
        notes.left_out(&format!("{keyword} of a parameter that is written as text"), place);
    }
    if kind == "string"
        && let Some(Value::Array(values)) = schema.get_mut("enum")
    {
        // `enum: [1, 2]` beside `type: string`: nobody put them in quotes.
        values.iter_mut().filter(|it| it.is_number() || it.is_boolean()).for_each(|it| *it = it.to_string().into());
    }
    schema.insert("type".to_owned(), kind.into());
    schema
}

/// Null is what isn't sent.
fn without_null(mut schema: Map<String, Value>) -> Map<String, Value> {
    let is_null = |it: &Value| it.get("type").is_some_and(|kind| kind == "null");
    for keyword in ["anyOf", "oneOf"] {
        let Some(Value::Array(alternatives)) = schema.get(keyword) else {
            continue;
        };
        let others: Vec<&Value> = alternatives.iter().filter(|it| !is_null(it)).collect();
        if let [Value::Object(only)] = others.as_slice() {
            let only = only.clone();
            schema.shift_remove(keyword);
            for (keyword, value) in only {
                schema.entry(keyword).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|it| it != "null");
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|it| !it.is_null());
        if values.is_empty() {
            schema.shift_remove("enum");
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.shift_remove("default");
    }
    schema
}

/// The type of a value that is written as text.
fn one_type(schema: &Map<String, Value>, place: &Place<'_>, notes: &mut Notes) -> &'static str {
    let known =
        |kind: &str| ["string", "integer", "number", "boolean", "object", "array"].into_iter().find(|it| *it == kind);
    let stated: Vec<&Value> = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().collect(),
        Some(kind) => vec![kind],
        None => alternatives(schema).filter_map(|it| it.get("type")).collect(),
    };
    match stated.as_slice() {
        [] if schema.contains_key("items") => "array",
        [] if schema.contains_key("properties") => "object",
        [] => of_values(schema.get("enum")),
        [first, rest @ ..] if rest.iter().all(|it| it == first) => first.as_str().and_then(known).unwrap_or("string"),
        several if several.iter().all(|it| *it == "integer" || *it == "number") => "number",
        _ => {
            notes.say(place, "it can be of several types: taken as text");
            "string"
        }
    }
}

fn alternatives(schema: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    OF_ALTERNATIVES.iter().filter_map(|it| schema.get(*it)?.as_array()).flatten()
}

fn of_values(values: Option<&Value>) -> &'static str {
    let values: Vec<&Value> = values.and_then(Value::as_array).into_iter().flatten().collect();
    match values.as_slice() {
        [] => "string",
        all if all.iter().all(|it| it.is_i64() || it.is_u64()) => "integer",
        all if all.iter().all(|it| it.is_number()) => "number",
        all if all.iter().all(|it| it.is_boolean()) => "boolean",
        _ => "string",
    }
}
