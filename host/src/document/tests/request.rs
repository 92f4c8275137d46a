//! Section D: the upstream request and its credentials.

use serde_json::json;

use super::*;
use crate::contract::{Credential, Placement};
use crate::document::plan::{Body, NamedValue, PathPart, QueryStyle, Value};

fn input(name: &str) -> Value {
    Value::Input(name.to_owned())
}

fn named(name: &str, value: Value) -> NamedValue {
    NamedValue { name: name.to_owned(), value }
}

/// The base document with this parameter in the place of `fields`.
fn parameter(text: &str) -> (&'static str, String) {
    ("{name: fields, in: query, type: array}", text.to_owned())
}

#[test]
fn the_url_is_base_and_path() {
    let plan = plan(&[("https://api.example.com/v1", "https://API.example.com:443/v%201/")]);
    let (_, request) = find(&plan, "get-user");
    assert_eq!(
        (request.method.as_str(), request.scheme.as_str(), request.authority.as_str()),
        ("GET", "https", "api.example.com")
    );
    assert_eq!(
        request.path,
        [
            PathPart::Literal("/v%201/orgs/".to_owned()),
            PathPart::Value(input("orgId")),
            PathPart::Literal("/users/".to_owned()),
            PathPart::Value(input("id")),
        ]
    );
    assert_eq!(plan.description.upstreams[0].base_url, "https://api.example.com/v%201");
}

#[test]
fn base_uris_and_paths_that_can_not_be_used() {
    let base = "13:16 capability.consumes[0].baseUri";
    for uri in ["api.example.com", "ftp://a.b", "https://u:p@a.b", "https://a.b?x=1", "https://a.b#x", "'https://a b'"]
    {
        check(&[("https://api.example.com/v1", uri)], &[&format!("error AL031 {base}")]);
    }
    let consumed = "error AL030 17:17 capability.consumes[0].resources[0].path";
    for path in ["orgs", "/a?b=c", "/a/../b", "'/{a'", "/a%2e/%2e%2e/"] {
        check(&[("path: /orgs/{orgId}/users/{id}", &format!("path: {path}"))], &[consumed]);
    }
    let exposed = "error AL030 34:17 capability.exposes[0].resources[0].path";
    for path in ["v1", "/v1/x-{id}", "/{id}/{id}", "/v1//x", "/v1/{*rest}"] {
        check(&[("path: /v1/orgs/{orgid}/users/{id}", &format!("path: {path}"))], &[exposed]);
    }
}

#[test]
fn styles_of_query_parameters() {
    for (text, style) in [
        ("", QueryStyle::FormExploded),
        (", style: form", QueryStyle::FormExploded),
        (", explode: true", QueryStyle::FormExploded),
        (", explode: false", QueryStyle::Form),
        (", style: form, explode: false", QueryStyle::Form),
        (", style: spaceDelimited", QueryStyle::SpaceDelimited),
        (", style: pipeDelimited, explode: false", QueryStyle::PipeDelimited),
        (", style: pipeDelimited, explode: true", QueryStyle::FormExploded),
        (", style: deepObject, explode: true", QueryStyle::DeepObject),
    ] {
        let (from, to) = parameter(&format!("{{name: fields, in: query, type: array{text}}}"));
        let plan = plan(&[(from, &to)]);
        assert_eq!(find(&plan, "get-user").1.query[0].style, style, "{text}");
    }
    let at = "capability.consumes[0].resources[0].operations[0].inputParameters[2]";
    let (from, to) = parameter("{name: fields, in: query, style: matrix}");
    check(&[(from, &to)], &[&format!("error AL009 24:52 {at}.style")]);
    let (from, to) = parameter("{name: fields, in: header, explode: true}");
    check(&[(from, &to)], &[&format!("error AL009 24:19 {at}")]);
}

#[test]
fn headers_cookies_and_constants() {
    for (text, headers, cookies) in [
        ("{name: X-Fields, in: header}", vec![named("X-Fields", input("f"))], vec![]),
        ("{name: fields, in: cookie}", vec![], vec![named("fields", input("f"))]),
    ] {
        let (from, to) = parameter(text);
        let name = headers.first().or(cookies.first()).map(|value: &NamedValue| value.name.clone()).unwrap();
        let plan = plan(&[
            (from, &to),
            ("fields: rest.fields}", &format!("{name}: rest.f}}")),
            ("fields: tools.fields}", &format!("{name}: tools.f}}")),
        ]);
        let (_, request) = find(&plan, "get-user");
        assert_eq!((&request.headers, &request.cookies), (&headers, &cookies));
    }
    let (from, to) = parameter("{name: fields, in: query, type: integer, value: 7}");
    let plan = plan(&[(from, &to), (", fields: rest.fields}", "}"), (", fields: tools.fields}", "}")]);
    let (get, request) = find(&plan, "get-user");
    assert_eq!(request.query[0].value, Value::Constant(json!(7)));
    assert!(get.input_schema["properties"].get("fields").is_none());
}

#[test]
fn headers_that_a_document_can_not_set() {
    let at = "24:26 capability.consumes[0].resources[0].operations[0].inputParameters[2].name";
    for name in [
        "Host",
        "connection",
        "Content-Length",
        "TE",
        "Proxy-Authorization",
        "Authorization",
        "Cookie",
        "'a b'",
        "upgrade",
        "trailer",
    ] {
        let (from, to) = parameter(&format!("{{name: {name}, in: header}}"));
        let found = diagnose(
            &changed(&[(from, &to), (", fields: rest.fields}", "}"), (", fields: tools.fields}", "}")]),
            Mode::Tolerant,
        );
        assert_eq!(found, [format!("error AL032 {at}")], "{name}");
    }
    for name in ["Host", "Transfer-Encoding", "'X:Y'", "proxy-authorization"] {
        let apikey = format!("{{type: apikey, key: {name}, value:");
        check(&[("{type: bearer, token:", &apikey)], &["error AL032 14:43 capability.consumes[0].authentication.key"]);
    }
}

#[test]
fn bodies() {
    let parameters = "- {name: a, in: body}\n                - {name: b, in: body}";
    let one = plan(&[]);
    assert_eq!(find(&one, "put").1.body, Body::Json(input("body")));
    assert_eq!(find(&one, "get-user").1.body, Body::Empty);
    let two = plan(&[("- {name: body, in: body, type: object, required: true}", parameters)]);
    assert_eq!(find(&two, "put").1.body, Body::JsonMembers(vec![named("a", input("a")), named("b", input("b"))]));
}

#[test]
fn parameters_are_inherited_from_resource_and_api() {
    let plan = plan(&[
        (
            "      resources:\n        - name: user",
            "      inputParameters:\n        - {name: Accept, in: header, value: application/vnd.x}\n        - {name: v, in: query, value: 1}\n      resources:\n        - name: user",
        ),
        (
            "          operations:\n            - name: get\n",
            "          inputParameters:\n            - {name: v, in: query, value: 2}\n            - {name: orgId, in: path, description: of the resource}\n          operations:\n            - name: get\n",
        ),
    ]);
    let (put, request) = find(&plan, "put");
    assert_eq!(request.headers, [named("Accept", Value::Constant(json!("application/vnd.x")))]);
    assert_eq!(request.query[0].value, Value::Constant(json!(2)));
    assert!(put.input_schema["properties"].get("v").is_none());
}

#[test]
fn credentials() {
    let credentials = |from: &str, to: &str| plan(&[(from, to)]).description.upstreams[0].credentials.clone();
    let header =
        |name: &str, value: &str| Credential { placement: Placement::Header(name.to_owned()), value: value.to_owned() };
    let authentication = "{type: bearer, token: \"{{env.API_KEY}}\"}";
    assert_eq!(
        credentials(authentication, "{type: apikey, key: X-Auth-Token, value: '{{env.API_KEY}}'}"),
        [header("x-auth-token", "{{API_KEY}}")]
    );
    assert_eq!(
        credentials(authentication, "{type: apikey, key: key, value: 'a{{API_KEY}}', placement: query}"),
        [Credential { placement: Placement::Query("key".to_owned()), value: "a{{API_KEY}}".to_owned() }]
    );
    for (kind, placement) in [("basic", Placement::Basic), ("digest", Placement::Digest)] {
        for (user, password, value) in
            [("{{env.API_KEY}}", "{{API_KEY}}", "{{API_KEY}}:{{API_KEY}}"), ("me", "a:{{API_KEY}}", "me:a:{{API_KEY}}")]
        {
            let account = format!("{{type: {kind}, username: '{user}', password: '{password}'}}");
            let expected = Credential { placement: placement.clone(), value: value.to_owned() };
            assert_eq!(credentials(authentication, &account), [expected]);
        }
    }
    let shared = "resources:\n        - name: user";
    let with_header =
        format!("inputParameters: [{{name: X-Key, in: header, value: 'k {{{{API_KEY}}}}'}}]\n      {shared}");
    assert_eq!(
        credentials(shared, &with_header),
        [header("authorization", "Bearer {{API_KEY}}"), header("x-key", "k {{API_KEY}}")]
    );
    assert_eq!(credentials(&format!("      authentication: {authentication}\n"), ""), []);
}

#[test]
fn mistakes_in_authentication() {
    let at = "capability.consumes[0].authentication";
    let authentication = "{type: bearer, token: \"{{env.API_KEY}}\"}";
    for (to, expected) in [
        ("{type: basic, username: u, password: p}", format!("warning AL041 14:60 {at}.password")),
        ("{type: basic, username: 'a:b', password: '{{API_KEY}}'}", format!("error AL007 14:47 {at}.username")),
        ("{type: basic, username: '{{NONE}}', password: '{{API_KEY}}'}", format!("error AL040 14:47 {at}.username")),
        ("{type: digest, username: u}", format!("error AL005 14:23 {at}")),
        ("{type: digest, password: '{{API_KEY}}'}", format!("error AL005 14:23 {at}")),
        ("{type: digest, username: u, password: '{{API_KEY}}', realm: r}", format!("warning AL004 14:76 {at}.realm")),
        ("{type: baerer}", format!("error AL007 14:30 {at}.type")),
        ("{type: bearer}", format!("error AL005 14:23 {at}")),
        ("{type: apikey, key: k, value: '{{API_KEY}}', placement: body}", format!("error AL007 14:79 {at}.placement")),
    ] {
        check(&[(authentication, to)], &[&expected]);
    }
}

#[test]
fn a_secret_belongs_to_the_api_not_to_one_parameter() {
    let (from, to) = parameter("{name: fields, in: query, value: '{{env.API_KEY}}'}");
    check(
        &[(from, &to)],
        &["error AL009 24:52 capability.consumes[0].resources[0].operations[0].inputParameters[2].value"],
    );
}
