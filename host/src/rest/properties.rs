//! What holds for every request of a caller, whatever is in it: the query against the reading of the `url` crate, values against the types
//! of their schemas.
//!
//! Only checks; the texts come from the corpus and the fuzz target in `tests/fuzz`.

use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    body::Received,
    input::{self, Source},
    query::Query,
};
use crate::{
    coerce::{Encoding, Texts, coerce},
    contract::{Audience, Effects, Location, Operation, Parameter, Route},
    percent,
};

/// A request with these parts.
pub(crate) fn check_request(path: &str, query: &str, cookie: &str, body: &str) {
    check_query(query);
    check_values(path, Encoding::Path);
    check_values(query, Encoding::Query);
    check_values(cookie, Encoding::Header);
    check_input(path, query, cookie, body);
}

/// Names and values are what browsers and servers take them for.
fn check_query(text: &str) {
    let query = Query::parse(text);
    assert!(query.pairs.len() + query.malformed.len() <= text.split('&').count(), "{text:?}");
    if !query.malformed.is_empty() {
        return;
    }
    let others = form_urlencoded::parse(text.as_bytes());
    for ((name, value), (other_name, other_value)) in query.pairs.iter().zip(others) {
        assert_eq!(*name, other_name, "{text:?}");
        if let Ok(value) = percent::decode_query(value) {
            assert_eq!(value, other_value, "{text:?}");
        }
        assert!(query.values(name).iter().any(|one| text.contains(one)), "{text:?}");
    }
}

/// A value that was made has a type of its schema; text that is a string is the text.
fn check_values(text: &str, encoding: Encoding) {
    for kind in ["integer", "number", "boolean", "null", "object", "string"] {
        let scalar = json!({"type": kind});
        if let Ok(value) = coerce(&Texts { values: vec![text], encoding }, &scalar) {
            assert!(is_a(&value, kind), "{text:?} {value}");
        }
        let list = json!({"type": "array", "items": scalar});
        for values in [vec![text], vec![text, text]] {
            if let Ok(value) = coerce(&Texts { values, encoding }, &list) {
                let items = value.as_array().expect("an array was asked for");
                assert!(items.iter().all(|item| is_a(item, kind)), "{text:?} {value}");
            }
        }
    }
    let any = json!({"type": ["integer", "boolean", "string"]});
    let texts = Texts { values: vec![text], encoding };
    match (coerce(&texts, &json!({"type": "string"})), coerce(&texts, &any)) {
        (Ok(string), Ok(value)) => assert_eq!(string, value.as_str().map_or(value.to_string().into(), Value::from)),
        (string, value) => assert_eq!(string.is_ok(), value.is_ok(), "{text:?}"),
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        _ => value.is_string(),
    }
}

/// Reading doesn't panic, whatever is in the parts together.
fn check_input(path: &str, query: &str, cookie: &str, body: &str) {
    let mut headers = HeaderMap::new();
    for name in [header::COOKIE, header::ACCEPT] {
        if let Ok(value) = HeaderValue::from_bytes(cookie.as_bytes()) {
            headers.append(name, value);
        }
    }
    let variables = [("id".to_owned(), path.to_owned())];
    let body = Received::Json(body.as_bytes().to_vec().into());
    let source = Source { variables: &variables, query, headers: &headers, body: &body };
    input::read(&operation(), &source);
}

/// One input in each part of a request.
fn operation() -> Operation {
    let parameter = |name: &str, location| Parameter { input: name.to_owned(), location, name: name.to_owned() };
    let parameters = vec![
        parameter("id", Location::Path),
        parameter("n", Location::Query),
        parameter("list", Location::Query),
        parameter("accept", Location::Header),
        parameter("sid", Location::Cookie),
        parameter("name", Location::BodyMember),
    ];
    Operation {
        name: "op".to_owned(),
        title: None,
        description: String::new(),
        input_schema: json!({"type": "object", "properties": {
            "id": {"type": "string"}, "n": {"type": "integer"}, "list": {"type": "array", "items": {"type": "number"}},
            "accept": {"type": "array"}, "sid": {"type": "string"}, "name": {"type": "string"},
        }}),
        output_schema: None,
        effects: Effects { read_only: true, destructive: false, idempotent: true, open_world: true },
        audience: Audience::Anyone,
        route: Some(Route { method: "PUT".to_owned(), path: "/{id}".to_owned(), parameters }),
        tool: None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// What the fuzz target has found worth keeping: path, query, cookie and body, a line each.
    #[test]
    fn the_corpus_of_the_fuzz_target_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus/inputs");
        let files = fs::read_dir(folder).unwrap();
        let texts: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
        assert!(texts.len() > 10, "{}", texts.len());
        for text in texts {
            let text = String::from_utf8_lossy(&text);
            let mut parts = text.splitn(4, '\n');
            let mut part = || parts.next().unwrap_or_default();
            check_request(part(), part(), part(), part());
        }
    }
}
