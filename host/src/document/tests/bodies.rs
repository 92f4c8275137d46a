//! `body` of a consumed operation: each kind, the templates in it, and the inputs that follow from them.

use serde_json::json;

use super::*;
use crate::contract::Location;
use crate::document::plan::{Body, Escape, FormPart, JsonNode, NamedValue, TemplatePart, TextBody, TextPart, Value};

/// The base document's PUT with this body in the place of its parameter.
fn with_body(body: &str) -> [(&'static str, String); 1] {
    let parameter = "              inputParameters:\n                - {name: orgId, in: path}\n                - {name: body, in: body, type: object, required: true}\n";
    [(parameter, format!("              body: {body}\n"))]
}

fn changes<'a>(changes: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    changes.iter().map(|(from, to)| (*from, to.as_str())).collect()
}

fn compiled(body: &str) -> (Operation, Body) {
    let plan = plan(&changes(&with_body(body)));
    let (operation, request) = find(&plan, "put");
    (operation.clone(), request.body.clone())
}

fn input(name: &str) -> Value {
    Value::Input(name.to_owned())
}

fn constant(json: serde_json::Value) -> JsonNode {
    JsonNode::Value(Value::Constant(json))
}

fn template(before: &str, name: &str) -> Value {
    Value::Template(vec![TemplatePart::Text(before.to_owned()), TemplatePart::Input(name.to_owned())])
}

fn text(media_type: &str, parts: Vec<TextPart>) -> Body {
    Body::Text(TextBody { media_type: media_type.to_owned(), parts })
}

fn hole(name: &str, escape: Escape) -> TextPart {
    TextPart::Hole(input(name), escape)
}

fn plain(text: &str) -> TextPart {
    TextPart::Text(text.to_owned())
}

#[test]
fn each_kind_of_body() {
    let members = |names: &[(&str, u32)]| JsonNode::Object(names.iter().map(|(n, i)| ((*n).to_owned(), *i)).collect());
    for (body, expected) in [
        ("{type: json, data: {}}", Body::Json(Value::Constant(json!({})))),
        ("{type: json, data: [1, null, a]}", Body::Json(Value::Constant(json!([1, null, "a"])))),
        ("{type: json, data: '{{all}}'}", Body::Json(input("all"))),
        (
            "{type: json, data: {a: '{{x}}', b: 'is {{x}}', c: {d: null}, e: ['{{y}}', 1]}}",
            Body::JsonTree(vec![
                members(&[("a", 1), ("b", 2), ("c", 3), ("e", 4)]),
                JsonNode::Value(input("x")),
                JsonNode::Value(template("is ", "x")),
                constant(json!({"d": null})),
                JsonNode::Array(vec![5, 6]),
                JsonNode::Value(input("y")),
                constant(json!(1)),
            ]),
        ),
        // What stands between quotes is text, what doesn't is a value.
        (
            r#"'{"a": {{x}}, "b": "{{y}}", "c": "\"{{y}}", "d": [{"e":{{z}}}]}'"#,
            Body::JsonTree(vec![
                members(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]),
                JsonNode::Value(input("x")),
                JsonNode::Value(Value::Template(vec![TemplatePart::Input("y".to_owned())])),
                JsonNode::Value(template("\"", "y")),
                JsonNode::Array(vec![5]),
                members(&[("e", 6)]),
                JsonNode::Value(input("z")),
            ]),
        ),
        ("{type: raw, data: '{\"a\": 1}'}", Body::Json(Value::Constant(json!({"a": 1})))),
        (
            "{type: text, data: 'Dear {{name}}'}",
            text("text/plain; charset=utf-8", vec![plain("Dear "), hole("name", Escape::None)]),
        ),
        (
            "{type: xml, data: '<a>{{x}}</a>'}",
            text("application/xml", vec![plain("<a>"), hole("x", Escape::Xml), plain("</a>")]),
        ),
        ("{type: xml, data: '{{x}}'}", text("application/xml", vec![hole("x", Escape::None)])),
        (
            "{type: sparql, data: 'SELECT * { ?s <http://a/{{i}}> \"{{s}}\" } LIMIT {{n}}'}",
            text(
                "application/sparql-query",
                vec![
                    plain("SELECT * { ?s <http://a/"),
                    hole("i", Escape::SparqlIri),
                    plain("> \""),
                    hole("s", Escape::SparqlString),
                    plain("\" } LIMIT "),
                    hole("n", Escape::SparqlTerm),
                ],
            ),
        ),
        (
            "{type: formUrlEncoded, data: 'a=1&b={{b}}'}",
            text("application/x-www-form-urlencoded", vec![plain("a=1&b="), hole("b", Escape::Form)]),
        ),
        (
            "{type: formUrlEncoded, data: {a: '{{x}}', b: 7, c: 'c{{y}}'}}",
            Body::Form(vec![
                NamedValue { name: "a".to_owned(), value: input("x") },
                NamedValue { name: "b".to_owned(), value: Value::Constant(json!(7)) },
                NamedValue { name: "c".to_owned(), value: template("c", "y") },
            ]),
        ),
        (
            "{type: multipartForm, data: [{name: f, value: '{{x}}', filename: '{{n}}.csv', contentType: text/csv}]}",
            Body::Multipart(vec![FormPart {
                name: "f".to_owned(),
                value: input("x"),
                filename: Some(Value::Template(vec![
                    TemplatePart::Input("n".to_owned()),
                    TemplatePart::Text(".csv".to_owned()),
                ])),
                content_type: Some(Value::Constant(json!("text/csv"))),
            }]),
        ),
    ] {
        assert_eq!(compiled(body).1, expected, "{body}");
    }
}

#[test]
fn a_text_without_a_kind_is_what_its_header_says() {
    let xml = "'<a>{{x}}</a>'\n              inputParameters: [{name: content-type, in: header, value: application/soap+xml; charset=utf-8}]";
    assert_eq!(
        compiled(xml).1,
        text("application/soap+xml", vec![plain("<a>"), hole("x", Escape::Xml), plain("</a>")])
    );
    let at = "27:21 capability.consumes[0].resources[0].operations[1].body";
    check(&changes(&with_body("'<a/>'")), &[&format!("error AL007 {at}")]);
}

#[test]
fn templates_become_inputs() {
    for (body, properties, required, locations) in [
        (
            "{type: json, data: {a: '{{x}}', b: 'is {{y}}'}}",
            json!({"id": {"type": "string"}, "orgId": {"type": "string"}, "x": {}, "y": {"type": "string"}}),
            json!(["orgId", "id"]),
            vec![("x", Location::BodyMember), ("y", Location::BodyMember)],
        ),
        (
            "{type: text, data: 'a {{x}}'}",
            json!({"id": {"type": "string"}, "orgId": {"type": "string"}, "x": {"type": "string"}}),
            json!(["orgId", "id", "x"]),
            vec![("x", Location::BodyMember)],
        ),
        (
            "{type: json, data: '{{all}}'}",
            json!({"id": {"type": "string"}, "orgId": {"type": "string"}, "all": {}}),
            json!(["orgId", "id"]),
            vec![("all", Location::Body)],
        ),
        // A declared parameter says what a variable is.
        (
            "{type: json, data: {a: '{{x}}'}}\n              inputParameters: [{name: x, in: body, type: integer, required: true}]",
            json!({"id": {"type": "string"}, "orgId": {"type": "string"}, "x": {"type": "integer"}}),
            json!(["x", "orgId", "id"]),
            vec![("x", Location::BodyMember)],
        ),
    ] {
        let (operation, _) = compiled(body);
        assert_eq!(operation.input_schema["properties"], properties, "{body}");
        let sorted = |list: &serde_json::Value| {
            let mut names: Vec<String> = serde_json::from_value(list.clone()).unwrap();
            names.sort();
            names
        };
        assert_eq!(sorted(&operation.input_schema["required"]), sorted(&required), "{body}");
        let route = operation.route.unwrap();
        let in_body = route.parameters.iter().filter(|it| it.location != Location::Path);
        assert_eq!(in_body.map(|it| (it.name.as_str(), it.location)).collect::<Vec<_>>(), locations, "{body}");
    }
}

#[test]
fn with_says_what_a_variable_gets() {
    let mut changed = with_body("{type: json, data: {a: '{{x}}', b: 'is {{y}}', c: '{{z}}'}}").to_vec();
    changed.push((
        "call: users.put",
        "call: users.put\n              with: {orgId: rest.orgId, id: rest.id, x: rest.title, y: 'm{{n}}', z: 7}"
            .to_owned(),
    ));
    let plan = plan(&changes(&changed));
    let (operation, request) = find(&plan, "put");
    let Body::JsonTree(nodes) = &request.body else { panic!("{:?}", request.body) };
    let is_mn = vec![
        TemplatePart::Text("is ".to_owned()),
        TemplatePart::Text("m".to_owned()),
        TemplatePart::Input("n".to_owned()),
    ];
    assert_eq!(
        nodes[1..],
        [JsonNode::Value(input("title")), JsonNode::Value(Value::Template(is_mn)), constant(json!(7))]
    );
    let names: Vec<&String> = operation.input_schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["orgId", "id", "title", "n"]);
}

#[test]
fn mistakes_in_bodies() {
    let at = "capability.consumes[0].resources[0].operations[1].body";
    for (body, expected) in [
        ("{type: yaml, data: x}", format!("error AL007 27:28 {at}.type")),
        ("{type: json}", format!("error AL005 27:21 {at}")),
        ("{data: {}}", format!("error AL005 27:21 {at}")),
        ("7", format!("error AL006 27:21 {at}")),
        ("{type: json, data: '{\"a\": {{x}'}", format!("error AL007 27:40 {at}.data")),
        ("{type: json, data: '{\"a\": \"\\uF8FF\", \"b\": {{x}}}'}", format!("error AL007 27:40 {at}.data")),
        ("{type: json, data: {'{{k}}': 1}}", format!("error AL009 27:40 {at}.data")),
        ("{type: json, data: {a: '{{env.API_KEY}}'}}", format!("error AL042 27:40 {at}.data")),
        ("{type: text, data: 'key {{API_KEY}}'}", format!("error AL042 27:40 {at}.data")),
        ("{type: text, data: {}}", format!("error AL006 27:40 {at}.data")),
        ("{type: formUrlEncoded, data: {a: [1]}}", format!("error AL006 27:54 {at}.data.a")),
        ("{type: multipartForm, data: {a: b}}", format!("error AL006 27:49 {at}.data")),
        ("{type: multipartForm, data: [{value: b}]}", format!("error AL005 27:50 {at}.data[0]")),
        (
            "{type: multipartForm, data: [{name: a, value: b, contentType: \"a\\r\\nx: y\"}]}",
            format!("error AL007 27:83 {at}.data[0].contentType"),
        ),
        ("{type: json, data: {}, charset: x}", format!("warning AL004 27:44 {at}.charset")),
    ] {
        check(&changes(&with_body(body)), &[&expected]);
    }
    let unused = "{type: json, data: {}}\n              inputParameters: [{name: x, in: body}]";
    let parameter = "28:40 capability.consumes[0].resources[0].operations[1].inputParameters[0].name";
    check(&changes(&with_body(unused)), &[&format!("warning AL024 {parameter}")]);
}
