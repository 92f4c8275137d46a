//! Section B: names, `call`, `with`, path variables, secrets.

use super::*;
use crate::contract::{Credential, Location, Placement};
use crate::document::plan::{PathPart, TemplatePart, Value};

/// The second REST operation taken out, for changes that concern the first one only.
const NO_PUT: (&str, &str) = ("            - method: PUT\n              call: users.put\n", "");

#[test]
fn call_names_a_consumed_operation() {
    check_each(&[
        ("call: users.get\n", "call: users.git\n", "error AL023 38:21 @get.call"),
        ("call: users.get\n", "call: user.get\n", "error AL023 38:21 @get.call"),
        ("call: users.get\n", "call: get\n", "error AL023 38:21 @get.call"),
        ("call: users.get\n", "call: [users.get]\n", "error AL006 38:21 @get.call"),
        ("              call: users.get\n", "", "error AL005 36:15 @get"),
    ]);
    let hint = |to| errors(&changed(&[("call: users.get\n", to)]))[0].hint.clone();
    assert_eq!(hint("call: users.git\n").as_deref(), Some("did you mean `users.get`?"));
    assert_eq!(hint("call: users.qqqqqq\n"), None);
}

#[test]
fn a_namespace_may_hold_dots() {
    let other = "    - {namespace: users.get, baseUri: https://b.example, resources: [{path: /, operations: [{name: x, method: GET}]}]}\n  exposes:";
    let plan = plan(&[
        ("  exposes:", other),
        ("call: users.put", "call: users.get.x"),
        ("- method: PUT", "- method: PUT\n              inputParameters: [{name: orgId}, {name: id}]"),
    ]);
    assert_eq!(find(&plan, "x").1.authority, "b.example");
}

#[test]
fn names_stand_once() {
    check(
        &[("- name: put", "- name: get"), NO_PUT],
        &["error AL021 25:21 capability.consumes[0].resources[0].operations[1].name"],
    );
    check_each(&[
        (
            "- method: PUT",
            "- name: get-user\n              method: PUT",
            "error AL021 40:21 capability.exposes[0].resources[0].operations[1].name",
        ),
        ("- method: PUT", "- method: GET", "error AL022 40:23 capability.exposes[0].resources[0].operations[1].method"),
        (
            "{name: id, in: path}",
            "{name: orgId, in: path}",
            "error AL021 23:26 capability.consumes[0].resources[0].operations[0].inputParameters[1].name",
        ),
        (
            "API_KEY: UPSTREAM_KEY",
            "API_KEY: A\n  - namespace: env\n    keys:\n      API_KEY: B",
            "error AL021 11:7 binds[1].keys.API_KEY",
        ),
    ]);
    let twice = "        - {name: user-get, call: users.put}\n";
    let source = format!("{BASE}{twice}");
    assert_eq!(diagnose(&source, Mode::Tolerant), ["error AL021 50:18 capability.exposes[1].tools[1].name"]);
    assert_eq!(errors(&source)[0].message, "tool `user-get` stands twice, in lines 45 and 50");
}

#[test]
fn a_route_is_the_same_whatever_its_variables_are_called() {
    let other = "        - path: /v1/orgs/{{a}}/users/{b}\n          operations:\n            - {method: GET, call: users.get, with: {orgId: rest.a, id: rest.b}}\n    - type: mcp";
    check(
        &[("    - type: mcp", other)],
        &["error AL022 44:24 capability.exposes[0].resources[1].operations[0].method"],
    );
}

#[test]
fn names_are_plain() {
    check_each(&[
        ("name: get-user", "name: get user", "error AL020 36:21 @get.name"),
        ("name: user-get", "name: ''", "error AL020 45:17 capability.exposes[1].tools[0].name"),
        ("API_KEY: UPSTREAM_KEY", "API_KEY: A\n      'A B': C", "error AL020 9:7 binds[0].keys.A B"),
    ]);
}

#[test]
fn values_of_with() {
    let value = |text: &str| {
        let plan = plan(&[("fields: rest.fields}", &format!("fields: {text}}}"))]);
        find(&plan, "get-user").1.query[0].value.clone()
    };
    let input = |name: &str| Value::Input(name.to_owned());
    let constant = |json| Value::Constant(json);
    for (text, expected) in [
        ("users-rest.p", input("p")),
        ("rest.p", input("p")),
        ("tools.p", input("p")),
        ("mcp.p", input("p")),
        ("'rest.a.b-c[0]'", input("a.b-c[0]")),
        ("'{{p}}'", input("p")),
        ("application/vnd.a.b", constant("application/vnd.a.b".into())),
        ("users-mcp.p", constant("users-mcp.p".into())),
        ("''", constant("".into())),
        ("12", constant(12.into())),
        ("true", constant(true.into())),
        ("[a, 1]", constant(serde_json::json!(["a", 1]))),
        (
            "'a-{{p}}-{{ q }}'",
            Value::Template(vec![
                TemplatePart::Text("a-".to_owned()),
                TemplatePart::Input("p".to_owned()),
                TemplatePart::Text("-".to_owned()),
                TemplatePart::Input("q".to_owned()),
            ]),
        ),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn mistakes_in_with() {
    check_each(&[
        ("fields: rest.fields}", "field: rest.fields}", "warning AL024 39:54 @get.with.field"),
        ("fields: rest.fields}", "fields: '{{p'}", "error AL007 39:62 @get.with.fields"),
        ("fields: rest.fields}", "fields: '{{#p}}{{/p}}'}", "error AL007 39:62 @get.with.fields"),
        ("fields: rest.fields}", "fields: ['{{p}}']}", "error AL009 39:62 @get.with.fields"),
        ("fields: rest.fields}", "orgid: rest.x}", "error AL021 39:61 @get.with.orgid"),
    ]);
    let short_path = ("/v1/orgs/{orgid}/users/{id}\n", "/v1/{id}\n");
    check(&[("{orgId: rest.orgId, id", "{id"), short_path, NO_PUT], &["error AL025 38:21 @get.call"]);
    check(
        &[("{orgId: rest.orgId, id", "{orgId: '..', id"), short_path, NO_PUT],
        &["error AL007 39:29 @get.with.orgId"],
    );
    // Null is never sent.
    check(
        &[("{orgId: rest.orgId, id", "{orgId: null, id"), short_path, NO_PUT],
        &["error AL025 38:21 @get.call", "error AL007 39:29 @get.with.orgId"],
    );
    let header = ("{name: fields, in: query, type: array}", "{name: fields, in: header}");
    check(&[header, ("fields: rest.fields}", "fields: \"a\\r\\nb: c\"}")], &["error AL007 39:62 @get.with.fields"]);
}

#[test]
fn without_with_inputs_map_to_parameters_of_the_same_name() {
    let plan = plan(&[]);
    let (put, request) = find(&plan, "put");
    assert_eq!(put.input_schema["required"], serde_json::json!(["orgId", "body", "id"]));
    assert_eq!(request.path[1], PathPart::Value(Value::Input("orgId".to_owned())));
}

#[test]
fn path_variables_match_loosely() {
    let plan = plan(&[
        ("path: /orgs/{orgId}/users/{id}", "path: /orgs/{{org-Id}}/users/{id}"),
        ("/v1/orgs/{orgid}", "/v1/orgs/{ORG_ID}"),
    ]);
    let (get, request) = find(&plan, "get-user");
    let route = get.route.as_ref().unwrap();
    assert_eq!(route.path, "/v1/orgs/{ORG_ID}/users/{id}");
    let first = &route.parameters[0];
    assert_eq!((first.input.as_str(), first.name.as_str(), first.location), ("orgId", "ORG_ID", Location::Path));
    let values: Vec<_> = request.path.iter().filter(|part| matches!(part, PathPart::Value(_))).collect();
    assert_eq!(values.len(), 2);
}

#[test]
fn path_variables_that_match_nothing_or_too_much() {
    let in_exposed_path = ["error AL026 34:17 capability.exposes[0].resources[0].path"];
    for (from, to) in [
        ("{orgid}/users/{id}\n", "{orgid}/{tenant}/users/{id}\n"),
        ("{orgid}/users/{id}\n", "{orgid}/{ORGID}/users/{id}\n"),
        ("{orgid}/users/{id}\n", "{orgId}/{ORGID}/users/{id}\n"),
        ("fields: rest.fields}", "fields: rest.ORGID}"),
    ] {
        check(&[(from, to), NO_PUT], &in_exposed_path);
    }
    check(
        &[("{name: id, in: path}", "{name: orgID, in: path}"), ("path: /orgs/{orgId}", "path: /orgs/{orgid}"), NO_PUT],
        &["error AL026 17:17 capability.consumes[0].resources[0].path"],
    );
    check(
        &[("{name: id, in: path}", "{name: idd, in: path}")],
        &["error AL026 23:26 capability.consumes[0].resources[0].operations[0].inputParameters[1].name"],
    );
}

#[test]
fn an_undeclared_variable_of_a_consumed_path_is_a_required_string() {
    let plan = plan(&[]);
    let (put, _) = find(&plan, "put");
    assert_eq!(put.input_schema["properties"]["id"], serde_json::json!({"type": "string"}));
}

#[test]
fn secrets() {
    for template in ["{{env.API_KEY}}", "{{API_KEY}}", "{{ API_KEY }}"] {
        let plan = plan(&[("{{env.API_KEY}}", template)]);
        let credential = Credential {
            placement: Placement::Header("authorization".to_owned()),
            value: "Bearer {{API_KEY}}".to_owned(),
        };
        assert_eq!(plan.description.upstreams[0].credentials, [credential]);
    }
    check_each(&[
        ("{{env.API_KEY}}", "{{env.OTHER}}", "error AL040 14:45 capability.consumes[0].authentication.token"),
        ("{{env.API_KEY}}", "{{other.API_KEY}}", "error AL040 14:45 capability.consumes[0].authentication.token"),
        ("{{env.API_KEY}}", "{{OTHER}}", "error AL040 14:45 capability.consumes[0].authentication.token"),
        ("{{env.API_KEY}}", "hunter2", "warning AL041 14:45 capability.consumes[0].authentication.token"),
        ("{{env.API_KEY}}", "{{env.API_KEY", "error AL007 14:45 capability.consumes[0].authentication.token"),
        (
            "{{env.API_KEY}}",
            "{{env.API_KEY}}\\r\\nx: y",
            "error AL007 14:45 capability.consumes[0].authentication.token",
        ),
        ("fields: rest.fields}", "fields: '{{env.API_KEY}}'}", "error AL042 39:62 @get.with.fields"),
        ("fields: rest.fields}", "fields: 'x{{API_KEY}}'}", "error AL042 39:62 @get.with.fields"),
    ]);
    check_each(&[("fields: rest.fields}", "fields: '{{env.OTHER}}'}", "error AL042 39:62 @get.with.fields")]);
    // An input may have the name of a secret, if it is referred to as an input.
    plan(&[("fields: rest.fields}", "fields: rest.API_KEY}")]);
    let unbound = errors(&changed(&[("{{env.API_KEY}}", "{{env.OTHER}}")]));
    assert!(unbound[0].message.contains("env.OTHER"));
    assert_eq!(unbound[0].hint.as_deref(), Some("add to `binds`: {namespace: env, keys: {OTHER: OTHER}}"));
}

#[test]
fn binds_may_stand_in_the_capability() {
    let binds = "binds:\n  - namespace: env\n    keys:\n      API_KEY: UPSTREAM_KEY\ncapability:\n";
    plan(&[(binds, "capability:\n  binds: [{namespace: env, keys: {API_KEY: UPSTREAM_KEY}}]\n")]);
}
