//! Which exposed things are one operation, and what it says about itself.

use super::*;
use crate::contract::Effects;

/// The names of the operations with method and tool.
fn names(plan: &Plan) -> Vec<(String, Option<String>, Option<String>)> {
    let operations = plan.description.operations.iter();
    operations.map(|o| (o.name.clone(), o.route.as_ref().map(|route| route.method.clone()), o.tool.clone())).collect()
}

fn row(name: &str, method: &str, tool: &str) -> (String, Option<String>, Option<String>) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (name.to_owned(), some(method), some(tool))
}

#[test]
fn a_rest_operation_and_a_tool_that_mean_the_same_are_one() {
    let plan = plan(&[]);
    assert_eq!(names(&plan), [row("get-user", "GET", "user-get"), row("put", "PUT", "")]);
    assert_eq!(plan.actions.len(), 2);
    let (get, _) = find(&plan, "get-user");
    assert_eq!(get.description, "Get one user of an organization");
}

#[test]
fn what_differs_is_two() {
    for (from, to) in [
        ("fields: tools.fields}", "fields: tools.only}"),
        ("fields: tools.fields}", "fields: a}"),
        (", fields: tools.fields}", "}"),
        ("          hints:", "          outputSchema: {}\n          hints:"),
        (
            "          hints:",
            "          inputParameters: [{name: orgId}, {name: id}, {name: fields}]\n          hints:",
        ),
    ] {
        let plan = plan(&[(from, to)]);
        assert_eq!(
            names(&plan),
            [row("get-user", "GET", ""), row("put", "PUT", ""), row("user-get", "", "user-get")],
            "{to}"
        );
    }
}

#[test]
fn the_order_of_inputs_makes_no_difference() {
    let plan = plan(&[(
        "{orgId: tools.orgId, id: tools.id, fields: tools.fields}",
        "{fields: tools.fields, id: tools.id, orgId: tools.orgId}",
    )]);
    assert_eq!(names(&plan).len(), 2);
}

#[test]
fn names_that_the_document_leaves_open() {
    let tool = |name: &str| format!("- name: {name}\n          description");
    let renamed = ("- name: user-get\n          description", tool("put"));
    let plan = plan(&[(renamed.0, &renamed.1), ("fields: tools.fields}", "fields: x}")]);
    // A REST operation takes the name of what it calls; a tool whose name is taken gets another, as an operation only.
    assert_eq!(names(&plan), [row("get-user", "GET", ""), row("put", "PUT", ""), row("put-2", "", "put")]);
}

#[test]
fn a_second_tool_is_an_operation_of_its_own() {
    let source = format!(
        "{BASE}        - {{name: again, call: users.get, with: {{orgId: tools.orgId, id: tools.id, fields: tools.fields}}}}\n"
    );
    let compiled = compile(&source, Mode::Strict).unwrap();
    assert_eq!(names(&compiled.plan)[2], row("again", "", "again"));
}

#[test]
fn effects_follow_from_hints_and_method() {
    let effects = |changes: &[(&str, &str)], name: &str| find(&plan(changes), name).0.effects;
    let expected =
        |read_only, destructive, idempotent, open_world| Effects { read_only, destructive, idempotent, open_world };
    assert_eq!(effects(&[], "get-user"), expected(true, false, true, true));
    assert_eq!(effects(&[], "put"), expected(false, true, true, true));
    let hints = "hints: {readOnly: false, destructive: true, idempotent: false, openWorld: false}";
    assert_eq!(effects(&[("hints: {readOnly: true}", hints)], "get-user"), expected(false, true, false, false));
    for (hints, wanted) in [
        ("hints: {readOnly: false}", expected(false, true, true, true)),
        ("hints: {readOnly: false, destructive: false}", expected(false, false, true, true)),
        ("hints: {destructive: true}", expected(true, true, true, true)),
    ] {
        assert_eq!(effects(&[("hints: {readOnly: true}", hints)], "get-user"), wanted, "{hints}");
    }
    for (method, wanted) in [
        ("DELETE", expected(false, true, true, true)),
        ("POST", expected(false, true, false, true)),
        ("PATCH", expected(false, true, false, true)),
        ("HEAD", expected(true, false, true, true)),
    ] {
        let consumed = ("method: PUT\n              input", format!("method: {method}\n              input"));
        assert_eq!(effects(&[(consumed.0, &consumed.1)], "put"), wanted, "{method}");
    }
}

#[test]
fn descriptions_and_titles() {
    let get = |changes: &[(&str, &str)]| find(&plan(changes), "get-user").0.clone();
    let short = ("name: get-user", "name: get-user\n              description: Get");
    let long =
        ("name: get-user", "name: get-user\n              description: Get one user of an organization, or fail");
    let no_tool = ("          description: Get one user of an organization\n", "");
    let consumed = ("name: get\n", "name: get\n              description: Of the API\n              title: T\n");
    assert_eq!(get(&[short]).description, "Get one user of an organization");
    assert_eq!(get(&[long]).description, "Get one user of an organization, or fail");
    assert_eq!(get(&[no_tool, consumed]).description, "Of the API");
    assert_eq!(get(&[no_tool]).description, "GET /orgs/{orgId}/users/{id}");
    assert_eq!(get(&[consumed]).title.as_deref(), Some("T"));
    for key in ["display", "label", "title"] {
        let tool = format!("name: user-get\n          {key}: A user");
        assert_eq!(get(&[("name: user-get", &tool)]).title.as_deref(), Some("A user"));
    }
}

#[test]
fn upstreams_are_what_is_used() {
    let other = "    - {namespace: other, baseUri: https://other.example, resources: [{path: /, operations: [{name: x, method: GET}]}]}\n  exposes:";
    let plan = plan(&[("  exposes:", other)]);
    let upstreams: Vec<_> =
        plan.description.upstreams.iter().map(|u| (u.base_url.as_str(), u.methods.join(" "))).collect();
    assert_eq!(upstreams, [("https://api.example.com/v1", "GET PUT".to_owned())]);
    assert_eq!((plan.description.title.as_str(), plan.description.summary.as_str()), ("Users", "About users"));
}

#[test]
fn a_tool_alone_or_a_rest_operation_alone_is_fine() {
    let mcp = BASE.find("    - type: mcp").unwrap();
    let rest = BASE.find("    - type: rest").unwrap();
    assert_eq!(names(&compile(&BASE[..mcp], Mode::Strict).unwrap().plan).len(), 2);
    let only_mcp = format!("{}{}", &BASE[..rest], &BASE[mcp..]);
    assert_eq!(names(&compile(&only_mcp, Mode::Strict).unwrap().plan), [row("user-get", "", "user-get")]);
}
