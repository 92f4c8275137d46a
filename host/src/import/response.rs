//! What an operation promises of its answer: the schema of its successes, if all of them are JSON.

use serde_json::{Value, json};

use super::{
    fit::Wanted,
    notes::Notes,
    place::Place,
    schema::Direction,
    select::Chosen,
    source::{Source, Version},
};

/// The schema of a successful result. A tool that promises one has to answer with JSON each time.
pub fn read(source: &Source, chosen: &Chosen<'_>, notes: &mut Notes) -> Option<Wanted> {
    let place = format!("{}.responses", chosen.place());
    let place = Place::whole(place);
    let mut schemas: Vec<(Value, String)> = Vec::new();
    let (mut has_empty, mut has_other) = (false, false);
    for (status, response) in successes(chosen.operation, &place, notes) {
        let (response, here) = match source.refs().follow(response, place.key(status)) {
            Ok(found) => found,
            Err(reason) => {
                notes.say(&place.key(status), format!("left out: {reason}"));
                has_other = true;
                continue;
            }
        };
        for key in ["headers", "links"].into_iter().filter(|key| response.get(*key).is_some()) {
            notes.left_out(&format!("{key} of an answer"), &here);
        }
        match content(source, chosen, response, &here, notes) {
            Content::Empty => has_empty = true,
            Content::Other => has_other = true,
            Content::Json(schema, at) => schemas.push((schema, at)),
        }
    }
    schemas.dedup_by(|later, earlier| later.0 == earlier.0);
    if !schemas.is_empty() && (has_empty || has_other) {
        notes.say(&place, "some successes aren't JSON: no outputSchema, it would promise JSON each time");
        return None;
    }
    match schemas.len() {
        0 => None,
        1 => schemas.pop().map(|(schema, at)| Wanted::new(schema, at, Direction::Response)),
        _ => {
            let all: Vec<Value> = schemas.into_iter().map(|(schema, _)| schema).collect();
            Some(Wanted::new(json!({"anyOf": all}), place.to_string(), Direction::Response))
        }
    }
}

/// The answers that are successes, by their status; the default where there is none.
fn successes<'a>(operation: &'a Value, place: &Place<'_>, notes: &mut Notes) -> Vec<(&'a str, &'a Value)> {
    let all = operation.get("responses").and_then(Value::as_object);
    let all: Vec<(&str, &Value)> = all.into_iter().flatten().map(|(status, it)| (status.as_str(), it)).collect();
    let mut found: Vec<(&str, &Value)> = all.iter().filter(|(status, _)| status.starts_with('2')).copied().collect();
    found.sort_by_key(|(status, _)| *status);
    if found.is_empty() {
        found = all.iter().filter(|(status, _)| *status == "default").copied().collect();
    }
    for (status, _) in all.iter().filter(|(status, _)| found.iter().all(|(known, _)| known != status)) {
        notes.left_out("the schema of an error, which is handed on as it comes", &place.key(status));
    }
    found
}

enum Content {
    Empty,
    Json(Value, String),
    /// Something that isn't JSON, or JSON of which nothing is said.
    Other,
}

fn content(source: &Source, chosen: &Chosen<'_>, response: &Value, place: &Place<'_>, notes: &mut Notes) -> Content {
    if source.version == Version::Swagger2 {
        return swagger_content(source, chosen, response, place, notes);
    }
    let media = response.get("content").and_then(Value::as_object).filter(|it| !it.is_empty());
    let Some(media) = media else {
        return Content::Empty;
    };
    let here = place.key("content");
    for other in media.keys().filter(|it| !is_json(it)) {
        notes.left_out(&format!("{other} as an answer: it is handed on as it comes"), &here);
    }
    let Some((kind, json)) = media.iter().find(|(kind, _)| is_json(kind)) else {
        return Content::Other;
    };
    match json.get("schema") {
        Some(schema) => Content::Json(schema.clone(), here.key(kind).key("schema").to_string()),
        None => Content::Other,
    }
}

fn swagger_content(
    source: &Source,
    chosen: &Chosen<'_>,
    response: &Value,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Content {
    let Some(schema) = response.get("schema") else {
        return Content::Empty;
    };
    let produced = chosen.operation.get("produces").or_else(|| source.get("produces")).and_then(Value::as_array);
    let produced: Vec<&str> = produced.into_iter().flatten().filter_map(Value::as_str).collect();
    let is_file = schema.get("type").is_some_and(|it| it == "file");
    if is_file || !(produced.is_empty() || produced.iter().any(|it| is_json(it))) {
        notes.left_out("an answer that isn't JSON: it is handed on as it comes", place);
        return Content::Other;
    }
    Content::Json(schema.clone(), place.key("schema").to_string())
}

/// Whether a media type, or a range of them, is JSON.
pub fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(media.as_str(), "application/json" | "text/json" | "*/*" | "application/*") || media.ends_with("+json")
}
