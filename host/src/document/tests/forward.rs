//! `forward`: requests below a path become operations that hand them on.

use serde_json::json;

use super::*;
use crate::contract::{Location, Parameter};
use crate::document::plan::{Body, NamedValue, PathPart, QueryParameter, QueryStyle, TemplatePart, Value};

/// The base document with one resource more.
fn with_resource(resource: &str) -> String {
    changed(&[("    - type: mcp\n", &format!("        - {resource}\n    - type: mcp\n"))])
}

/// The operations and requests that it adds.
fn added(source: &str) -> Vec<(Operation, Request)> {
    let compiled = compile(source, Mode::Strict).unwrap_or_else(|problems| panic!("{source}\n{problems:?}"));
    let Plan { description, actions, .. } = compiled.plan;
    let all = description.operations.into_iter().zip(actions);
    let request = |action| {
        let Action::Call(call) = action else { panic!("it makes one call") };
        call.request
    };
    all.skip(2).map(|(operation, action)| (operation, request(action))).collect()
}

#[test]
fn each_method_is_an_operation_that_hands_everything_on() {
    let source = with_resource(
        "{path: '/api/{{path}}', name: all, forward: {targetNamespace: users, trustedHeaders: [X-Trace, Accept]}}",
    );
    let all = added(&source);
    let names: Vec<&str> = all.iter().map(|(operation, _)| operation.name.as_str()).collect();
    assert_eq!(names, ["all-get", "all-post", "all-put", "all-patch", "all-delete"]);
    let (post, request) = &all[1];
    assert_eq!(post.tool, None);
    assert!(!post.effects.read_only && post.effects.destructive);
    let route = post.route.clone().unwrap();
    assert_eq!((route.method.as_str(), route.path.as_str()), ("POST", "/api/{*path}"));
    let parameter =
        |input: &str, location, name: &str| Parameter { input: input.to_owned(), location, name: name.to_owned() };
    assert_eq!(
        route.parameters,
        [
            parameter("path", Location::Path, "path"),
            parameter("query", Location::RawQuery, "query"),
            parameter("x-trace", Location::Header, "x-trace"),
            parameter("accept", Location::Header, "accept"),
            parameter("", Location::RawBody, ""),
        ]
    );
    let inputs: Vec<&String> = post.input_schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(inputs, ["path", "query", "x-trace", "accept"]);
    assert_eq!(post.input_schema["required"], json!(["path"]));
    assert_eq!((request.method.as_str(), request.authority.as_str()), ("POST", "api.example.com"));
    assert_eq!(request.path, [PathPart::Literal("/v1/".to_owned()), PathPart::Rest("path".to_owned())]);
    let query = QueryParameter {
        name: "query".to_owned(),
        value: Value::Input("query".to_owned()),
        style: QueryStyle::Verbatim,
    };
    assert_eq!(request.query, [query]);
    let header = |name: &str| NamedValue {
        name: name.to_owned(),
        value: Value::Template(vec![TemplatePart::Input(name.to_owned())]),
    };
    assert_eq!(request.headers, [header("x-trace"), header("accept")]);
    assert_eq!(request.body, Body::Streamed);
    let (get, request) = &all[0];
    assert!(get.effects.read_only);
    assert!(!get.route.as_ref().unwrap().has(Location::RawBody));
    assert_eq!(request.body, Body::Empty);
}

#[test]
fn what_an_api_always_sends_is_sent_with_what_is_handed_on() {
    let source = with_resource("{path: '/api/{path}', forward: {targetNamespace: users, trustedHeaders: [X-V]}}").replace(
        "      resources:\n        - name: user\n",
        "      inputParameters: [{name: X-V, in: header, value: '1'}, {name: k, in: query, value: 2}]\n      resources:\n        - name: user\n",
    );
    let (_, request) = &added(&source)[0];
    assert_eq!(request.headers, [NamedValue { name: "X-V".to_owned(), value: Value::Constant(json!("1")) }]);
    assert_eq!(request.query[1].name, "k");
}

#[test]
fn a_path_without_a_variable_is_one_place_and_its_operations_come_first() {
    let source = with_resource(
        "{path: /v1/here, forward: {targetNamespace: users}, operations: [{method: PUT, call: users.put, inputParameters: [{name: orgId}, {name: id}, {name: body, in: body}]}]}",
    );
    let all = added(&source);
    let served: Vec<(&str, &str)> = all
        .iter()
        .map(|(operation, _)| (operation.name.as_str(), operation.route.as_ref().unwrap().method.as_str()))
        .collect();
    assert_eq!(
        served,
        [
            ("put-2", "PUT"),
            ("forward-get", "GET"),
            ("forward-post", "POST"),
            ("forward-patch", "PATCH"),
            ("forward-delete", "DELETE")
        ]
    );
    assert_eq!(all[1].1.path, [PathPart::Literal("/v1".to_owned())]);
}

#[test]
fn an_api_that_is_forwarded_to_needs_no_resources() {
    let api = "    - {type: http, namespace: files, baseUri: https://files.example}\n  exposes:";
    let source = with_resource("{path: '/files/{p}', forward: {targetNamespace: files}}").replace("  exposes:", api);
    let (_, request) = &added(&source)[0];
    assert_eq!(request.authority, "files.example");
    assert_eq!(diagnose(&changed(&[("  exposes:", api)]), Mode::Tolerant), ["error AL005 30:7 capability.consumes[1]"]);
}

#[test]
fn mistakes_in_forwards() {
    let at = "capability.exposes[0].resources[1]";
    for (resource, expected) in [
        ("{path: '/api/{p}', forward: {}}", vec![format!("error AL005 42:39 {at}.forward")]),
        (
            "{path: '/api/{p}', forward: {targetNamespace: user}}",
            vec![format!("error AL023 42:57 {at}.forward.targetNamespace")],
        ),
        ("{path: '/api/{p}/x', forward: {targetNamespace: users}}", vec![format!("error AL026 42:18 {at}.path")]),
        ("{path: '/{o}/{p}', forward: {targetNamespace: users}}", vec![format!("error AL026 42:18 {at}.path")]),
        (
            "{path: '/api/{p}', forward: {targetNamespace: users, trustedHeaders: [Authorization, Cookie]}}",
            vec![
                format!("error AL032 42:81 {at}.forward.trustedHeaders[0]"),
                format!("error AL032 42:96 {at}.forward.trustedHeaders[1]"),
            ],
        ),
        (
            "{path: '/api/{p}', forward: {targetNamespace: users, trustedHeaders: [Host, \"a\\r\\nb\"]}}",
            vec![
                format!("error AL032 42:81 {at}.forward.trustedHeaders[0]"),
                format!("error AL032 42:87 {at}.forward.trustedHeaders[1]"),
            ],
        ),
        (
            "{path: '/api/{p}', forward: {targetNamespace: users, trustedHeaders: [X-Forwarded-For]}}",
            vec![format!("error AL032 42:81 {at}.forward.trustedHeaders[0]")],
        ),
        (
            "{path: '/api/{p}', inputParameters: [{name: q}], forward: {targetNamespace: users}}",
            vec![format!("warning AL024 42:55 {at}.inputParameters[0].name")],
        ),
        (
            "{path: '/api/{p}', forward: {targetNamespace: users, timeout: 3}}",
            vec![format!("warning AL004 42:64 {at}.forward.timeout")],
        ),
    ] {
        assert_eq!(diagnose(&with_resource(resource), Mode::Tolerant), expected, "{resource}");
    }
    let twice = "{path: '/api/{p}', forward: {targetNamespace: users}}\n        - {path: '/api/{q}', forward: {targetNamespace: users}}";
    let second = "error AL022 43:57 capability.exposes[0].resources[2].forward.targetNamespace";
    assert_eq!(diagnose(&with_resource(twice), Mode::Tolerant), [second]);
}

#[test]
fn no_forward_leads_to_an_api_with_other_credentials() {
    let other = |authority: &str, path: &str, authentication: &str| {
        let api = format!(
            "    - {{type: http, namespace: admin, baseUri: 'https://{authority}{path}', {authentication}resources: [{{path: /x, \
             operations: [{{name: x, method: GET}}]}}]}}\n"
        );
        with_resource("{path: '/api/{{path}}', name: all, forward: {targetNamespace: users}}").replacen(
            "    - type: http\n",
            &format!("{api}    - type: http\n"),
            1,
        )
    };
    for (source, is_refused) in [
        (other("api.example.com", "/v1/admin", ""), true),
        (other("API.example.com:443", "/v1", ""), true),
        (other("api.example.com", "/v1/admin", "authentication: {type: bearer, token: '{{API_KEY}}'}, "), false),
        (other("api.example.com", "/v10", ""), false),
        (other("api.example.com", "", ""), false),
        (other("admin.example.com", "/v1/admin", ""), false),
    ] {
        let found = match compile(&source, Mode::Tolerant) {
            Ok(_) => Vec::new(),
            Err(diagnostics) => diagnostics,
        };
        assert_eq!(found.iter().any(|it| it.code.as_str() == "AL031"), is_refused, "{source}\n{found:?}");
        assert!(is_refused || found.is_empty(), "{found:?}");
    }
}
