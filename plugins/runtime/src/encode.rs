//! Values as text in the parts of a request. Pure.

use airlock_sdk::{Failure, invalid_input};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use crate::bindings::airlock::capability::plan::QueryStyle;

/// What RFC 3986 calls unreserved stays as it is; all else is encoded. So a value can end neither its segment nor its query
/// parameter, whatever it holds.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes everything but unreserved characters.
pub fn percent(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// What ends the angle brackets of an address, and what can't be in one (RFC 3987).
const NOT_IN_IRI: &AsciiSet =
    &CONTROLS.add(b' ').add(b'<').add(b'>').add(b'"').add(b'{').add(b'}').add(b'|').add(b'^').add(b'`').add(b'\\');

/// Percent-encodes what can't stand in an address.
pub fn percent_iri(text: &str) -> String {
    utf8_percent_encode(text, NOT_IN_IRI).to_string()
}

/// A scalar as text; arrays and objects as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// A value as (a part of) one path segment.
///
/// # Errors
/// `invalid-input` for a value that is empty or would climb: `.` and `..`.
pub fn path_segment(parameter: &str, value: &Value) -> Result<String, Failure> {
    let text = match value {
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => text(other),
    };
    match text.as_str() {
        "" => Err(invalid_input(parameter, "is part of the path and must not be empty")),
        "." | ".." => Err(invalid_input(parameter, format!("is part of the path and must not be: {text}"))),
        text => Ok(percent(text)),
    }
}

/// How often an escape may be escaped. 4: servers behind servers undo it once each, and more than two is no accident.
const MAX_ESCAPES: usize = 4;

/// Segments as they came, which must not climb however they are read: escapes are undone until none is left, and a backslash counts as a
/// slash.
///
/// # Errors
/// `invalid-input` for segments that climb, and for what no path can hold.
pub fn rest_of_path(parameter: &str, text: &str) -> Result<String, Failure> {
    let refused = |what: &str| Err(invalid_input(parameter, format!("is part of the path and must not {what}")));
    if text.contains(['?', '#', ' ', '\\']) {
        return refused("hold a space, ?, # or \\");
    }
    let mut read = text.to_owned();
    for _ in 0..=MAX_ESCAPES {
        if read.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
            return refused("hold the segments . and ..");
        }
        if read.contains(|c: char| c.is_control()) {
            return refused("hold control characters");
        }
        let decoded = percent_decode_str(&read).decode_utf8_lossy().into_owned();
        if decoded == read {
            return Ok(text.to_owned());
        }
        read = decoded;
    }
    refused("be escaped again and again")
}

/// Adds a query as it came, but for the pairs whose keys are taken, or are members of what is. Some servers split at semicolons too.
pub fn append_verbatim(query: &mut String, text: &str, taken: &[String]) {
    let is_taken = |part: &str| {
        let key = part.split('=').next().unwrap_or_default().replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy();
        let is_of = |name: &String| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('['));
        taken.iter().any(is_of)
    };
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if !pair.split(';').any(is_taken) {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.push_str(pair);
        }
    }
}

/// Adds `name` with `value` to a query. Null is not sent, and neither are nulls in an array or object, nor an empty array:
/// there is nothing to send.
pub fn append_query(query: &mut String, name: &str, value: &Value, style: QueryStyle) {
    match value {
        Value::Null => {}
        Value::Array(items) => append_array(query, name, &present(items.iter()), style),
        Value::Object(members) => append_object(query, name, members, style),
        scalar => append_pair(query, &percent(name), &percent(&text(scalar))),
    }
}

fn append_array(query: &mut String, name: &str, items: &[String], style: QueryStyle) {
    let name = percent(name);
    match separator(style) {
        _ if items.is_empty() => {}
        Some(separator) => append_pair(query, &name, &items.join(separator)),
        None => {
            for item in items {
                append_pair(query, &name, item);
            }
        }
    }
}

fn append_object(query: &mut String, name: &str, members: &serde_json::Map<String, Value>, style: QueryStyle) {
    let members = members.iter().filter(|(_, value)| !value.is_null());
    match (style, separator(style)) {
        (QueryStyle::DeepObject, _) => {
            for (key, value) in members {
                append_pair(query, &percent(&format!("{name}[{key}]")), &percent(&text(value)));
            }
        }
        (_, Some(separator)) => {
            let parts: Vec<String> = members.flat_map(|(key, value)| [percent(key), percent(&text(value))]).collect();
            if !parts.is_empty() {
                append_pair(query, &percent(name), &parts.join(separator));
            }
        }
        (_, None) => {
            for (key, value) in members {
                append_pair(query, &percent(key), &percent(&text(value)));
            }
        }
    }
}

/// What stands between the items of one value; `None` where each item is a pair of its own. OpenAPI defines `deepObject` for
/// objects only: an array is exploded.
fn separator(style: QueryStyle) -> Option<&'static str> {
    match style {
        QueryStyle::FormExploded | QueryStyle::DeepObject | QueryStyle::Verbatim => None,
        QueryStyle::Form => Some(","),
        QueryStyle::SpaceDelimited => Some("%20"),
        QueryStyle::PipeDelimited => Some("%7C"),
    }
}

fn present<'a>(items: impl Iterator<Item = &'a Value>) -> Vec<String> {
    items.filter(|item| !item.is_null()).map(|item| percent(&text(item))).collect()
}

fn append_pair(query: &mut String, name: &str, value: &str) {
    query.push(if query.is_empty() { '?' } else { '&' });
    query.push_str(name);
    query.push('=');
    query.push_str(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_value_is_one_segment() {
        for (value, expected) in [
            (json!("plain"), "plain"),
            (json!("a/b?c#d"), "a%2Fb%3Fc%23d"),
            (json!("ä %2F"), "%C3%A4%20%252F"),
            (json!("..."), "..."),
            (json!(7), "7"),
            (json!(true), "true"),
            (json!(["a", "b,c"]), "a%2Cb%2Cc"),
        ] {
            assert_eq!(path_segment("p", &value).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn a_path_value_never_climbs_and_is_never_empty() {
        for value in [json!(""), json!("."), json!(".."), json!([])] {
            let Err(Failure::InvalidInput(error)) = path_segment("id", &value) else {
                panic!("accepted: {value}");
            };
            assert_eq!(error.parameter.as_deref(), Some("id"));
        }
    }

    #[test]
    fn the_rest_of_a_path_never_climbs_however_it_is_read() {
        for text in ["a", "a/b%2Fc", "a//b", "a/...", "%C3%A4/%2B", "a/.b/c..", "%25", "100%"] {
            assert_eq!(rest_of_path("p", text).unwrap(), text);
        }
        for text in [
            "..",
            "a/../b",
            "a/..",
            "a/./b",
            "%2e%2e/a",
            "a/%2E./b",
            "a%2f..%2fb",
            "a%5c..%5cb",
            "a\\..\\b",
            "%252e%252e/a",
            "a%25252f..%25252fb",
            "%252525252525252525252e",
            "a?b",
            "a#b",
            "a b",
            "a%0d%0ab",
            "a%2500b",
        ] {
            assert!(rest_of_path("p", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_query_is_handed_on_but_for_keys_that_are_taken() {
        for (text, expected) in [
            ("a=1;key=x&b=2", "?b=2"),
            ("key[]=1&key%5Ba%5D=2&keys=3", "?keys=3"),
            ("a=1&b=%2C&a=2", "?a=1&b=%2C&a=2"),
            ("key=x&a=1&k%65y=y&key", "?a=1"),
            ("a+b=1&c", "?c"),
            ("", ""),
            ("&&", ""),
        ] {
            let mut query = String::new();
            append_verbatim(&mut query, text, &["key".to_owned(), "a b".to_owned()]);
            assert_eq!(query, expected, "{text}");
        }
    }

    #[test]
    fn query_styles_are_those_of_openapi() {
        use QueryStyle::*;
        let list = json!(["a b", "c,d", null, "e&f"]);
        let object = json!({"x": 1, "gone": null, "y": "p q"});
        for (value, style, expected) in [
            (&list, FormExploded, "?k=a%20b&k=c%2Cd&k=e%26f"),
            (&list, Form, "?k=a%20b,c%2Cd,e%26f"),
            (&list, SpaceDelimited, "?k=a%20b%20c%2Cd%20e%26f"),
            (&list, PipeDelimited, "?k=a%20b%7Cc%2Cd%7Ce%26f"),
            (&list, DeepObject, "?k=a%20b&k=c%2Cd&k=e%26f"),
            (&object, FormExploded, "?x=1&y=p%20q"),
            (&object, Form, "?k=x,1,y,p%20q"),
            (&object, DeepObject, "?k%5Bx%5D=1&k%5By%5D=p%20q"),
            (&json!(""), FormExploded, "?k="),
            (&json!(null), FormExploded, ""),
            (&json!([]), Form, ""),
            (&json!([]), FormExploded, ""),
            (&json!({}), Form, ""),
            (&json!(1.5), Form, "?k=1.5"),
            (&json!(false), FormExploded, "?k=false"),
            (&json!("+&=#"), FormExploded, "?k=%2B%26%3D%23"),
        ] {
            let mut query = String::new();
            append_query(&mut query, "k", value, style);
            assert_eq!(query, expected, "{value} as {style:?}");
        }
    }

    #[test]
    fn a_query_name_is_encoded_too() {
        let mut query = String::from("?a=1");
        append_query(&mut query, "ids[]&x", &json!("v"), QueryStyle::FormExploded);
        assert_eq!(query, "?a=1&ids%5B%5D%26x=v");
    }
}
