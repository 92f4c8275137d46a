//! What requests give, and what is told about wrong ones: lists.

use super::*;
use crate::contract::{Audience, Effects, Route};
use http::HeaderValue;
use serde_json::json;

fn operation(parameters: &[(&str, Location, &str)], properties: Value) -> Operation {
    let parameters = parameters.iter().map(|(input, location, name)| Parameter {
        input: (*input).to_owned(),
        location: *location,
        name: (*name).to_owned(),
    });
    Operation {
        name: "op".to_owned(),
        title: None,
        description: String::new(),
        input_schema: json!({"type": "object", "properties": properties}),
        output_schema: None,
        effects: Effects { read_only: true, destructive: false, idempotent: true, open_world: true },
        audience: Audience::Anyone,
        route: Some(Route { method: "PUT".to_owned(), path: "/{id}".to_owned(), parameters: parameters.collect() }),
        tool: None,
    }
}

/// An operation with one input in each part of a request, and with names on the wire that differ.
fn rich() -> Operation {
    operation(
        &[
            ("id", Location::Path, "id"),
            ("size", Location::Query, "page-size"),
            ("ids", Location::Query, "ids"),
            ("trace", Location::Header, "X-Trace"),
            ("tags", Location::Header, "x-tags"),
            ("session", Location::Cookie, "sid"),
            ("name", Location::BodyMember, "name"),
            ("age", Location::BodyMember, "Age"),
        ],
        json!({
            "id": {"type": "string"},
            "size": {"type": "integer"},
            "ids": {"type": "array", "items": {"type": "string"}},
            "trace": {"type": "boolean"},
            "tags": {"type": "array"},
            "session": {"type": "string"},
            "name": {"type": "string"},
            "age": {"type": "integer"},
        }),
    )
}

struct Case {
    id: &'static str,
    query: &'static str,
    headers: &'static [(&'static str, &'static [u8])],
    body: &'static str,
}

const EMPTY: Case = Case { id: "7", query: "", headers: &[], body: "" };

fn read_case(operation: &Operation, case: &Case) -> Input {
    let headers = case
        .headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()));
    let mut map = HeaderMap::new();
    headers.for_each(|(name, value)| {
        map.append(name, value);
    });
    let source = Source {
        variables: &[("id".to_owned(), case.id.to_owned())],
        query: case.query,
        headers: &map,
        body: &Received::Json(case.body.into()),
    };
    read(operation, &source)
}

fn gives(operation: &Operation, case: &Case, expected: &Value) {
    let input = read_case(operation, case);
    assert_eq!(input.problems, vec![]);
    assert_eq!(&Value::Object(input.values), expected);
}

fn refuses(operation: &Operation, case: &Case, expected: &[&str]) {
    let failure = Failure::InvalidInput(read_case(operation, case).problems);
    assert_eq!(failure.to_string(), format!("invalid input: {}", expected.join("; ")));
}

#[test]
fn each_part_of_a_request_fills_its_inputs() {
    for (case, expected) in [
        (EMPTY, json!({"id": "7"})),
        (Case { id: "a%2Fb", ..EMPTY }, json!({"id": "a/b"})),
        (Case { query: "page-size=5&ids=a,b", ..EMPTY }, json!({"id": "7", "size": 5, "ids": ["a", "b"]})),
        (Case { query: "ids=a%2C&ids=b,c&", ..EMPTY }, json!({"id": "7", "ids": ["a,", "b,c"]})),
        (Case { query: "ids=", ..EMPTY }, json!({"id": "7", "ids": []})),
        (Case { query: "%70age%2Dsize=5", ..EMPTY }, json!({"id": "7", "size": 5})),
        (Case { headers: &[("x-trace", b"true"), ("x-other", b"1")], ..EMPTY }, json!({"id": "7", "trace": true})),
        (
            Case { headers: &[("x-tags", b"a, b"), ("x-tags", b"c")], ..EMPTY },
            json!({"id": "7", "tags": ["a", "b", "c"]}),
        ),
        (Case { headers: &[("cookie", b"a=1; sid=x=y; SID=z")], ..EMPTY }, json!({"id": "7", "session": "x=y"})),
        (Case { headers: &[("cookie", b"a=1"), ("cookie", b"sid=s")], ..EMPTY }, json!({"id": "7", "session": "s"})),
        (Case { body: r#"{"name": "n", "Age": null}"#, ..EMPTY }, json!({"id": "7", "name": "n", "age": null})),
        (Case { body: "{}", ..EMPTY }, json!({"id": "7"})),
    ] {
        gives(&rich(), &case, &expected);
    }
}

#[test]
fn the_whole_body_is_an_input_whatever_its_type() {
    let whole = operation(&[("doc", Location::Body, "")], json!({"doc": {}}));
    for (body, expected) in [
        ("", json!({})),
        ("[1]", json!({"doc": [1]})),
        ("null", json!({"doc": null})),
        (r#"{"a": {"b": 1.0}}"#, json!({"doc": {"a": {"b": 1.0}}})),
    ] {
        gives(&whole, &Case { body, ..EMPTY }, &expected);
    }
}

#[test]
fn everything_that_is_wrong_is_told() {
    let operation = rich();
    for (case, expected) in [
        (
            Case { id: "%zz", ..EMPTY },
            &[
                "id: is not percent-encoded properly: a % must be followed by two hexadecimal digits, and written as %25 itself (path variable id)",
            ][..],
        ),
        (Case { id: "%ff", ..EMPTY }, &["id: is not UTF-8 once it is percent-decoded (path variable id)"]),
        (
            Case { query: "page-size=x&siz=1&siz=2&%zz=3", body: "[]", ..EMPTY },
            &[
                "size: expected an integer; got: text that isn't (query parameter page-size)",
                "%zz: the name of this query parameter is not percent-encoded properly: a % must be followed by two hexadecimal digits, and written as %25 itself",
                "siz: unknown query parameter",
                "the request's body is not a JSON object",
            ],
        ),
        (
            Case { query: "page-size=1&page-size=2", ..EMPTY },
            &["size: expected one value; got: 2 (query parameter page-size)"],
        ),
        (Case { headers: &[("x-trace", b"\xff")], ..EMPTY }, &["trace: expected UTF-8 text (header X-Trace)"]),
        (
            Case { headers: &[("cookie", b"sid=1; sid=2")], ..EMPTY },
            &["session: expected one value; got: 2 (cookie sid)"],
        ),
        (Case { body: r#"{"age": 1, "name": "n"}"#, ..EMPTY }, &["age: unknown member of the request's body"]),
        (
            Case { body: "{\n  \"name\": x}", ..EMPTY },
            &["the request's body is not JSON: expected value at line 2 column 11"],
        ),
        (Case { body: "{} {}", ..EMPTY }, &["the request's body is not JSON: trailing characters at line 1 column 4"]),
    ] {
        refuses(&operation, &case, expected);
    }
}

#[test]
fn a_body_that_nothing_is_made_of_is_told_with_the_rest() {
    let source = Source { variables: &[], query: "a=1", headers: &HeaderMap::new(), body: &Received::Unwanted };
    let failure = Failure::InvalidInput(read(&operation(&[], json!({})), &source).problems);
    assert_eq!(
        failure.to_string(),
        "invalid input: a: unknown query parameter; the operation takes no body; got: one that isn't empty"
    );
}

#[test]
fn an_input_that_is_given_twice_is_refused() {
    let twice =
        operation(&[("id", Location::Path, "id"), ("id", Location::Query, "id")], json!({"id": {"type": "string"}}));
    let case = Case { query: "id=8", ..EMPTY };
    refuses(&twice, &case, &["id: expected in one part of the request; got: in two (query parameter id)"]);
}

#[test]
fn what_is_repeated_is_bounded() {
    let query: String = (0..1000).map(|n| format!("{n}{}=1&", "x".repeat(1000))).collect();
    let query: &'static str = query.leak();
    let input = read_case(&rich(), &Case { query, ..EMPTY });
    assert_eq!(input.problems.len(), MAX_PROBLEMS);
    let longest = input.problems.iter().filter_map(|it| it.parameter.as_ref()).map(String::len).max();
    assert_eq!(longest, Some(MAX_SHOWN));
}

#[test]
fn what_could_not_be_read_is_not_missing() {
    let input = read_case(&rich(), &Case { query: "ids=%zz", body: "{", ..EMPTY });
    for (parameter, known) in [
        (Some("ids"), true),
        (Some("ids/0"), true),
        (Some("name"), true),
        (Some("age"), true),
        (Some("names"), false),
        (Some("id"), false),
        (None, false),
    ] {
        let parameter = parameter.map(str::to_owned);
        let problem = InputProblem { parameter, message: String::new() };
        assert_eq!(is_about(&problem, &input.unread), known, "{problem:?}");
    }
}
