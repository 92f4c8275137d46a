//! Access tokens that a document declares, operations with credentials of their own, addresses that only the operator knows.

use super::*;
use crate::contract::{Credential, Placement, TokenRequest, Upstream};
use crate::document::plan::{Answer, Value};

const AUTHENTICATION: &str = "{type: bearer, token: \"{{env.API_KEY}}\"}";
const AT: &str = "capability.consumes[0]";

fn upstreams(changes: &[(&str, &str)]) -> Vec<Upstream> {
    let source = changed(changes);
    compile(&source, Mode::Tolerant).unwrap_or_else(|e| panic!("{e:?}")).plan.description.upstreams
}

#[test]
fn an_access_token_is_declared() {
    let declared = |more: &str| {
        let oauth2 = format!(
            "{{type: oauth2, tokenEndpoint: 'https://id.example/token', clientId: me, clientSecret: '{{{{env.API_KEY}}}}'{more}}}"
        );
        upstreams(&[(AUTHENTICATION, &oauth2)])[0].credentials.clone()
    };
    let expected = |scope: Option<&str>, audience: Option<&str>, resource: Option<&str>| {
        let request = TokenRequest {
            url: "https://id.example/token".to_owned(),
            client_id: "me".to_owned(),
            scope: scope.map(str::to_owned),
            audience: audience.map(str::to_owned),
            resource: resource.map(str::to_owned),
        };
        [Credential { placement: Placement::OAuth2(request), value: "{{API_KEY}}".to_owned() }]
    };
    assert_eq!(declared(""), expected(None, None, None));
    assert_eq!(declared(", scopes: []"), expected(None, None, None));
    assert_eq!(declared(", scopes: [read, 'a:b/c']"), expected(Some("read a:b/c"), None, None));
    assert_eq!(declared(", scopes: read write"), expected(Some("read write"), None, None));
    assert_eq!(
        declared(", audience: us, resource: 'https://us.example', authorizationServerUri: 'https://id.example'"),
        expected(None, Some("us"), Some("https://us.example"))
    );
}

#[test]
fn mistakes_in_what_a_token_is_fetched_with() {
    let whole = "type: oauth2, tokenEndpoint: 'https://id.example/token', clientId: me, clientSecret: '{{API_KEY}}'";
    let at = format!("{AT}.authentication");
    for (to, said, from, key) in [
        (whole.replace("'{{API_KEY}}'", "plain"), "warning AL041", "plain", ".clientSecret"),
        (whole.replace(": me", ": '{{NONE}}'"), "error AL040", "'{{NONE}}'", ".clientId"),
        (whole.replace("https://id.example/token", "/token"), "error AL031", "'/token'", ".tokenEndpoint"),
        (whole.replace("id.example", "{{API_KEY}}"), "error AL009", "'https", ".tokenEndpoint"),
        (whole.replace("tokenEndpoint: 'https://id.example/token', ", ""), "error AL005", "", ""),
        (whole.replace(", clientSecret: '{{API_KEY}}'", ""), "error AL005", "", ""),
        (format!("{whole}, scopes: ['a b', 'c\"']"), "error AL007", "'c", ".scopes[1]"),
        (format!("{whole}, scopes: 12"), "error AL006", "12", ".scopes"),
        (format!("{whole}, audience: 'x{{{{API_KEY}}}}'"), "error AL007", "'x", ".audience"),
        (format!("{whole}, tokenValidation: jwks"), "error AL009", "tokenValidation", ".tokenValidation"),
        (format!("{whole}, realm: r"), "warning AL004", "realm", ".realm"),
    ] {
        let to = format!("{{{to}}}");
        let column = 23 + to.find(from).expect("it stands there");
        let found = diagnose(&changed(&[(AUTHENTICATION, &to)]), Mode::Tolerant);
        assert_eq!(found, [format!("{said} 14:{column} {at}{key}")], "{to}");
    }
}

#[test]
fn an_operation_has_credentials_of_its_own() {
    let own = "- name: put\n              authentication: {type: apikey, key: X-Admin, value: '{{API_KEY}}'}";
    let shared = "resources:\n        - name: user";
    let with_header =
        format!("inputParameters: [{{name: X-Key, in: header, value: '{{{{API_KEY}}}}'}}]\n      {shared}");
    let source = changed(&[("- name: put", own), (shared, &with_header)]);
    let plan = compile(&source, Mode::Tolerant).unwrap_or_else(|e| panic!("{e:?}")).plan;
    let header =
        |name: &str, value: &str| Credential { placement: Placement::Header(name.to_owned()), value: value.to_owned() };
    let upstream = |method: &str, credential: Credential, name: Option<&str>| Upstream {
        base_url: "https://api.example.com/v1".to_owned(),
        methods: vec![method.to_owned()],
        credentials: vec![credential, header("x-key", "{{API_KEY}}")],
        name: name.map(str::to_owned),
    };
    assert_eq!(
        plan.description.upstreams,
        [
            upstream("GET", header("authorization", "Bearer {{API_KEY}}"), None),
            upstream("PUT", header("x-admin", "{{API_KEY}}"), Some("users.put")),
        ]
    );
    let named: Vec<Option<&Value>> = plan
        .actions
        .iter()
        .map(|action| match action {
            Action::Call(call) if call.answer == Answer::HandedOn => {
                call.request.headers.iter().find(|it| it.name == "airlock-upstream").map(|it| &it.value)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(named, [None, Some(&Value::Constant("users.put".into()))]);
    let wrong = "- name: put\n              authentication: {type: bearer}";
    check(&[("- name: put", wrong)], &[&format!("error AL005 26:31 {AT}.resources[0].operations[1].authentication")]);
}

#[test]
fn a_document_does_not_say_itself_which_credentials_a_request_gets() {
    let place = format!("{AT}.resources[0].operations[0].inputParameters[2].name");
    check(
        &[
            ("{name: fields, in: query, type: array}", "{name: Airlock-Upstream, in: header}"),
            (", fields: rest.fields", ""),
            (", fields: tools.fields", ""),
        ],
        &[&format!("error AL032 24:26 {place}")],
    );
}

#[test]
fn a_host_may_be_left_to_the_operator() {
    let binds = ("API_KEY: UPSTREAM_KEY", "API_KEY: UPSTREAM_KEY\n      API_HOST: API_HOST");
    let base = |uri: &str| upstreams(&[binds, ("https://api.example.com/v1", &format!("'{uri}'"))])[0].base_url.clone();
    for (uri, expected) in [
        ("https://{{env.API_HOST}}", "https://api_host.invalid"),
        ("https://{{API_HOST}}/v1", "https://api_host.invalid/v1"),
        ("HTTP://{{API_HOST}}:8080/v1/", "http://api_host.invalid:8080/v1"),
        ("{{API_HOST}}", "https://api_host.invalid"),
        ("{{env.API_HOST}}/v1", "https://api_host.invalid/v1"),
    ] {
        assert_eq!(base(uri), expected, "{uri}");
    }
    for (uri, code) in [
        ("https://eu.{{API_HOST}}/v1", "AL009"),
        ("https://{{API_HOST}}.example.com/v1", "AL009"),
        ("https://api.example.com/{{API_HOST}}", "AL009"),
        ("https://{{API_HOST}}:{{API_KEY}}/v1", "AL009"),
        ("{{API_HOST}}://api.example.com", "AL031"),
        ("ftp://{{API_HOST}}", "AL009"),
        ("https://user@{{API_HOST}}", "AL009"),
        ("https://{{API_HOST", "AL009"),
        ("https://{{rest.host}}/v1", "AL040"),
        ("https://{{API_HOST}}/v1?x=1", "AL031"),
        ("https://{{API_HOST}}:0/v1", "AL031"),
        ("https://{{API_HOST}}/{x}", "AL031"),
    ] {
        check(
            &[binds, ("https://api.example.com/v1", &format!("'{uri}'"))],
            &[&format!("error {code} 14:16 {AT}.baseUri")],
        );
    }
    check(
        &[
            ("API_KEY: UPSTREAM_KEY", "API_KEY: UPSTREAM_KEY\n      Api_Key: OTHER"),
            ("https://api.example.com/v1", "'https://{{API_KEY}}'"),
        ],
        &[&format!("error AL043 14:16 {AT}.baseUri")],
    );
}
