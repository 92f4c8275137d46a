//! `responses`, `responseBinary` and a tool's `binary`: what of them is published, and what is said of the rest.

use serde_json::{Value as Json, json};

use super::super::plan::{Answer, Binary};
use super::*;

const BINARY: (&str, &str) = ("name: get\n", "name: get\n              outputRawFormat: binary\n");

/// The change that adds keys to the first REST operation.
fn with(keys: &str) -> String {
    format!("name: get-user\n              {keys}\n")
}

fn schema(keys: &str) -> Option<Json> {
    find(&plan(&[("name: get-user\n", &with(keys))]), "get-user").0.output_schema.clone()
}

#[test]
fn the_first_success_says_what_the_result_is_like() {
    let of = |title: &str| Some(json!({"type": "object", "title": title}));
    let content = "content: {application/json: {schema: {type: object, title: A}}}";
    for (keys, expected) in [
        (format!("responses: {{'200': {{description: d, {content}}}}}"), of("A")),
        (format!("responses: {{2XX: {{{content}}}}}"), of("A")),
        ("responses: {'204': {description: d}}".to_owned(), None),
        ("responses: {'200': {content: {text/plain: {}}}}".to_owned(), None),
    ] {
        assert_eq!(schema(&keys), expected, "{keys}");
    }
}

#[test]
fn bytes_get_the_media_type_that_is_said() {
    for keys in [
        "responseBinary: {mediaType: image/png, status: 200, description: d}",
        "responses: {'200': {content: {image/png: {binary: true}}}}",
    ] {
        let plan = plan(&[BINARY, ("name: get-user\n", &with(keys))]);
        let Action::Call(call) = find_action(&plan, "get-user").1 else { panic!("it calls something") };
        assert_eq!(call.answer, Answer::Binary(Binary { media_type: Some("image/png".to_owned()), max_size: None }));
    }
    plan(&[BINARY, ("hints: {readOnly: true}", "binary: true")]);
    plan(&[("hints: {readOnly: true}", "binary: false")]);
}

#[test]
fn what_is_not_published_is_said() {
    for (keys, expected) in [
        ("responses: {'404': {description: d}}", "warning AL095 37:27 @get.responses.404"),
        ("responses: {200: {}, 201: {}}", "warning AL095 37:36 @get.responses.201"),
        (
            "responses: {200: {content: {application/json: {schema: {}}}}}\n              outputSchema: {type: object}",
            "warning AL095 40:21 @get.call",
        ),
        (
            "responses: {'200': {content: {application/json: {}, text/csv: {}}}}",
            "warning AL095 37:67 @get.responses.200.content.text/csv",
        ),
        (
            "responses: {'200': {content: {text/csv: {schema: {}}}}}",
            "warning AL095 37:64 @get.responses.200.content.text/csv.schema",
        ),
        ("responses: []", "error AL006 37:26 @get.responses"),
        ("responses: {ok: {}}", "error AL007 37:27 @get.responses.ok"),
        ("responses: {'200': {content: {png: {}}}}", "error AL007 37:45 @get.responses.200.content.png"),
        (
            "responses: {'200': {content: {image/png: {binary: true}}}}",
            "error AL007 37:45 @get.responses.200.content.image/png",
        ),
        ("responses: {'200': {headers: {}}}", "warning AL004 37:35 @get.responses.200.headers"),
        ("responseBinary: {mediaType: image/png}", "error AL007 37:15 @get.responseBinary"),
        ("responseBinary: {status: 200}", "error AL005 37:31 @get.responseBinary"),
    ] {
        check(&[("name: get-user\n", &with(keys))], &[expected]);
    }
    let status = with("responseBinary: {mediaType: image/png, status: 201}");
    check(&[BINARY, ("name: get-user\n", &status)], &["warning AL095 38:62 @get.responseBinary.status"]);
    let both = with("responseBinary: {mediaType: image/png}\n              responses: {}");
    check(&[BINARY, ("name: get-user\n", &both)], &["error AL007 38:15 @get.responseBinary"]);
    check(&[("hints: {readOnly: true}", "binary: true")], &["error AL007 47:11 capability.exposes[1].tools[0].binary"]);
}
