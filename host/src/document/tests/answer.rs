//! Section E, and of section G what isn't carried out yet: never ignored, always said.

use serde_json::json;

use super::*;

#[test]
fn the_answer_is_handed_on_as_it_is() {
    for outputs in
        ["[{type: object, mapping: $.}]", "[{type: array, mapping: $}]", "[{name: r, type: object, value: $.}]", "[]"]
    {
        plan(&[("call: users.get\n", &format!("call: users.get\n              outputParameters: {outputs}\n"))]);
    }
    plan(&[(
        "name: get\n",
        "name: get\n              outputRawFormat: json\n              outputParameters: [{name: r, type: object, value: $.}]\n",
    )]);
}

#[test]
fn shaping_is_not_supported_yet() {
    for (output, place) in [
        ("{type: object, mapping: $.data}", "39:58 @get.outputParameters[0].mapping"),
        ("{type: string, mapping: $.}", "39:41 @get.outputParameters[0].type"),
        ("{type: object, mapping: $., properties: {}}", "39:62 @get.outputParameters[0].properties"),
        ("{type: array, mapping: $., items: {type: string}}", "39:61 @get.outputParameters[0].items"),
        ("{type: object, const: 1}", "39:49 @get.outputParameters[0].const"),
        ("{type: object}", "39:34 @get.outputParameters[0]"),
        ("{type: object, mapping: $.}, {type: object, mapping: $.}", "39:15 @get.outputParameters"),
    ] {
        let call = format!("call: users.get\n              outputParameters: [{output}]\n");
        check(&[("call: users.get\n", &call)], &[&format!("error AL009 {place}")]);
    }
    for format in ["xml", "csv", "binary"] {
        let at = "error AL009 20:32 capability.consumes[0].resources[0].operations[0].outputRawFormat";
        check(&[("name: get\n", &format!("name: get\n              outputRawFormat: {format}\n"))], &[at]);
    }
}

#[test]
fn output_schemas() {
    let consumed = ("name: get\n", "name: get\n              outputSchema: {type: object, title: C}\n");
    let exposed = ("call: users.get\n", "call: users.get\n              outputSchema: {type: object, title: E}\n");
    let schema = |changes: &[(&str, &str)]| find(&plan(changes), "get-user").0.output_schema.clone();
    assert_eq!(schema(&[]), None);
    assert_eq!(schema(&[consumed]), Some(json!({"type": "object", "title": "C"})));
    assert_eq!(schema(&[consumed, exposed]), Some(json!({"type": "object", "title": "E"})));
    let text = ("name: get\n", "name: get\n              outputSchema: table.x\n");
    check(&[text], &["warning AL007 20:29 capability.consumes[0].resources[0].operations[0].outputSchema"]);
}

#[test]
fn what_is_not_supported_yet_is_said() {
    let api = "capability.consumes[0]";
    let rest = "capability.exposes[0]";
    let mcp = "capability.exposes[1]";
    for (from, to, place) in [
        ("      authentication: {type", "      tunnel: {}\n      authentication: {type", &format!("14:7 {api}.tunnel")),
        ("type: http", "type: grpc", &format!("11:13 {api}.type")),
        (
            "in: query, type: array",
            "in: environment",
            &format!("24:38 {api}.resources[0].operations[0].inputParameters[2].in"),
        ),
        (
            "            - name: get-user",
            "            - responses: []\n              name: get-user",
            &format!("36:15 {rest}.resources[0].operations[0].responses"),
        ),
        (
            "          operations:\n            - name: get-user",
            "          forward: {}\n          operations:\n            - name: get-user",
            &format!("35:11 {rest}.resources[0].forward"),
        ),
        ("call: users.get\n", "outputParameters: [{type: string, value: x}]\n", "38:15 @get.outputParameters"),
        ("namespace: users-mcp", "namespace: users-mcp\n      prompts: []", &format!("44:7 {mcp}.prompts")),
        ("namespace: users-mcp", "namespace: users-mcp\n      resources: []", &format!("44:7 {mcp}.resources")),
        ("type: mcp", "type: skill", &format!("42:13 {mcp}.type")),
        ("type: mcp", "type: control", &format!("42:13 {mcp}.type")),
    ] {
        check(&[(from, to)], &[&format!("error AL009 {place}")]);
    }
}
