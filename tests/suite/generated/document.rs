//! Made-up operations as one document, in each way in which the format lets one write it: lists of named things, maps that are keyed by the
//! names, and parts that are imported from another file. All of them say the same.

use serde_json::{Map, Value, json};

/// What one made-up operation adds to a document.
pub struct Offer {
    /// Resources of the consumed API.
    pub consumed: Vec<Value>,
    /// A resource of the REST expose.
    pub rest: Value,
    pub tool: Value,
    /// What both of them refer to, if they refer to anything.
    pub function: Option<Value>,
}

/// The document, as lists.
pub fn of(offers: Vec<Offer>) -> Value {
    let (mut consumed, mut rest, mut tools, mut functions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for offer in offers {
        consumed.extend(offer.consumed);
        rest.push(offer.rest);
        tools.push(offer.tool);
        functions.extend(offer.function);
    }
    let mut document = json!({
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Generated", "description": "Made up."},
        "capability": {
            "consumes": [
                {"type": "http", "namespace": "api", "baseUri": "http://upstream.test/base", "resources": consumed},
            ],
            "exposes": [
                {"type": "rest", "namespace": "generated-rest", "resources": rest},
                {"type": "mcp", "namespace": "generated-mcp", "tools": tools},
            ],
        },
    });
    if !functions.is_empty() {
        let aggregate = json!({"namespace": "shared", "label": "Shared", "functions": functions});
        document["capability"]["aggregates"] = json!([aggregate]);
    }
    document
}

/// The same in the newer shape: maps that are keyed by the names.
pub fn keyed(document: &Value) -> Value {
    let mut capability = document["capability"].clone();
    for (part, entries) in capability.as_object_mut().expect("an object") {
        for entry in entries.as_array_mut().expect("a list") {
            key_sections(entry);
        }
        // The ones that a list of the newer releases is for.
        if part == "aggregates" {
            *entries = by_key(entries, "namespace");
        }
    }
    json!({
        "ikanos": "1.0.0-beta5",
        "info": {"display": document["info"]["label"], "description": document["info"]["description"]},
        "capability": capability,
    })
}

/// Keys the sections of an entry, and all sections inside of them. Schemas, bodies and values have keys of the same names, and stay as they are.
fn key_sections(entry: &mut Value) {
    let Value::Object(members) = entry else { return };
    if let Some(functions) = members.shift_remove("functions") {
        members.insert("flows".to_owned(), functions);
    }
    if let Some(label) = members.shift_remove("label") {
        members.insert("display".to_owned(), label);
    }
    for name in
        ["resources", "operations", "inputParameters", "outputParameters", "tools", "functions", "flows", "steps"]
    {
        let Some(section) = members.get_mut(name) else { continue };
        let Value::Array(items) = section else { continue };
        items.iter_mut().for_each(key_sections);
        if items.iter().all(|item| item["name"].is_string()) && !items.is_empty() {
            *section = by_key(section, "name");
        }
    }
    for mapping in members.get_mut("mappings").and_then(Value::as_array_mut).into_iter().flatten() {
        let mapping = mapping.as_object_mut().expect("a mapping");
        let target = mapping.shift_remove("targetName").expect("a target");
        mapping.insert("target".to_owned(), target);
    }
}

fn by_key(list: &Value, key: &str) -> Value {
    let entry = |item: &Value| {
        let mut item = item.as_object().expect("an object").clone();
        let name = item.shift_remove(key).expect("a name");
        (name.as_str().expect("text").to_owned(), Value::Object(item))
    };
    Value::Object(list.as_array().expect("a list").iter().map(entry).collect())
}

/// The same with its parts in another file, which is second: what it consumes, under another name there, and its aggregates.
pub fn imported(document: &Value, file: &str) -> (Value, Value) {
    let mut importing = document.clone();
    let mut parts = Map::from_iter([("ikanos".to_owned(), json!("1.0.0-beta5"))]);
    let capability = importing["capability"].as_object_mut().expect("an object");
    let mut consumes = capability["consumes"].clone();
    consumes[0]["namespace"] = json!("of-the-file");
    parts.insert("consumes".to_owned(), consumes);
    capability
        .insert("consumes".to_owned(), json!([{"from": format!("./{file}"), "import": "of-the-file", "as": "api"}]));
    if let Some(aggregates) = capability.get_mut("aggregates") {
        let import = json!([{"location": format!("./{file}"), "import": "shared"}]);
        parts.insert("aggregates".to_owned(), std::mem::replace(aggregates, import));
    }
    (importing, Value::Object(parts))
}
