//! Section E, and of section G what isn't carried out yet: never ignored, always said.

use serde_json::{Value as Json, json};

use super::super::plan::{
    Answer, Binary, ElementSelector, Form, Gather, Origin, RawFormat, Shape, TemplatePart, Value,
};
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

/// The operation with these outputs: its schema, and what becomes of the answer.
fn outputs(outputs: &str) -> (Option<Json>, Answer) {
    let call = format!("call: users.get\n              outputParameters: {outputs}\n");
    let plan = plan(&[("call: users.get\n", &call)]);
    let (operation, action) = find_action(&plan, "get-user");
    match action {
        Action::Call(call) => (operation.output_schema.clone(), call.answer.clone()),
        Action::Made(_) | Action::Flow(_) | Action::Constant(_) | Action::Pages(_) => panic!("it makes one call"),
    }
}

fn shaped(shape: Shape) -> Answer {
    Answer::Shaped(RawFormat::Json, shape)
}

fn of(path: &str, form: Form) -> Shape {
    Shape { origin: Origin::Path(path.to_owned()), form }
}

fn whole(form: Form) -> Shape {
    Shape { origin: Origin::Whole, form }
}

fn value(value: Value, form: Form) -> Shape {
    Shape { origin: Origin::Value(value), form }
}

fn object<const N: usize>(members: [(&str, Shape); N]) -> Form {
    Form::Object(members.map(|(name, shape)| (name.to_owned(), shape)).to_vec())
}

fn array(gather: Gather, item: Shape) -> Form {
    Form::Array(gather, Box::new(item))
}

#[test]
fn a_result_is_made_of_what_mappings_select() {
    let text = Form::Text(None);
    for (written, expected) in [
        ("[{type: object, mapping: $.data}]", of("$.data", Form::AsItIs)),
        ("[{type: array, mapping: $.user-ids}]", of("$[\"user-ids\"]", Form::AsItIs)),
        ("[{type: string, mapping: $.}]", whole(text.clone())),
        ("[{name: id, type: string, value: $.id, maxLength: 8}]", of("$.id", Form::Text(Some(8)))),
        ("[{type: integer, mapping: $.n}]", of("$.n", Form::Integer)),
        ("[{type: number, mapping: $.n}]", of("$.n", Form::Number)),
        ("[{type: boolean, mapping: $.n}]", of("$.n", Form::Boolean)),
        ("[{type: array, mapping: '$.l[*].id'}]", of("$.l[*].id", array(Gather::Every, Shape::WHOLE))),
        (
            "[{type: array, mapping: $.l, items: {type: string, mapping: $.name}}]",
            of("$.l", array(Gather::Items, of("$.name", text.clone()))),
        ),
        ("[{type: array, mapping: $., items: {type: number}}]", whole(array(Gather::Items, whole(Form::Number)))),
        ("[{type: object, mapping: $., properties: {}}]", whole(object([]))),
        (
            "[{type: object, properties: {a: {type: string, mapping: $.x.y}, b: {type: number}}}]",
            whole(object([("a", of("$.x.y", text.clone())), ("b", of("$[\"b\"]", Form::Number))])),
        ),
    ] {
        assert_eq!(outputs(written).1, shaped(expected), "{written}");
    }
}

#[test]
fn nested_objects_group_members_or_are_members() {
    let text = || Form::Text(None);
    let nested = |inner: &str| outputs(&format!("[{{type: object, properties: {{o: {inner}}}}}]")).1;
    for (inner, expected) in [
        // Its properties say where they come from: in the same source.
        ("{type: object, properties: {c: {type: string, mapping: $.d}}}", whole(object([("c", of("$.d", text()))]))),
        // They don't: it looks like the answer.
        ("{type: object, properties: {c: {type: string}}}", of("$[\"o\"]", object([("c", of("$[\"c\"]", text()))]))),
        (
            "{type: object, mapping: $.p, properties: {c: {type: string}}}",
            of("$.p", object([("c", of("$[\"c\"]", text()))])),
        ),
        ("{type: object}", of("$[\"o\"]", Form::AsItIs)),
    ] {
        assert_eq!(nested(inner), shaped(whole(object([("o", expected)]))), "{inner}");
    }
}

#[test]
fn constants_and_texts_with_inputs() {
    let input = |name: &str| Value::Input(name.to_owned());
    for (written, expected) in [
        ("[{type: object, const: {a: 1}}]", value(Value::Constant(json!({"a": 1})), Form::AsItIs)),
        ("[{type: string, const: $5}]", value(Value::Constant(json!("$5")), Form::AsItIs)),
        ("[{type: string, value: v}]", value(Value::Constant(json!("v")), Form::Text(None))),
        ("[{type: string, value: '{{id}}'}]", value(input("id"), Form::Text(None))),
        ("[{type: number, value: rest.id}]", value(input("id"), Form::Number)),
    ] {
        assert_eq!(outputs(written).1, shaped(expected), "{written}");
    }
}

#[test]
fn several_outputs_are_members_or_alternatives() {
    let text = || Form::Text(None);
    let (_, named) = outputs("[{name: a, type: string, mapping: $.x}, {name: b, type: string}]");
    assert_eq!(named, shaped(whole(object([("a", of("$.x", text())), ("b", of("$[\"b\"]", text()))]))));
    let (_, unnamed) = outputs("[{type: string, mapping: $.x}, {type: object, mapping: $.}]");
    assert_eq!(unnamed, shaped(whole(Form::FirstOf(vec![of("$.x", text()), Shape::WHOLE]))));
}

#[test]
fn outputs_that_can_not_be_used() {
    for (outputs, expected) in [
        ("{type: string, mapping: data}", "error AL033 39:58 @get.outputParameters[0].mapping"),
        ("{type: string, value: '$.a['}", "error AL033 39:56 @get.outputParameters[0].value"),
        ("{type: string, mapping: \"$[?match(@.a, 'x')]\"}", "error AL033 39:58 @get.outputParameters[0].mapping"),
        ("{type: text, mapping: $.}", "error AL007 39:41 @get.outputParameters[0].type"),
        ("{mapping: $.a}", "error AL005 39:34 @get.outputParameters[0]"),
        ("{type: number, const: x}", "error AL006 39:56 @get.outputParameters[0].const"),
        ("{type: string, mapping: $.a, maxLength: -1}", "error AL006 39:74 @get.outputParameters[0].maxLength"),
        ("{type: object, properties: [a]}", "error AL006 39:61 @get.outputParameters[0].properties"),
        ("{type: string, mapping: $.a, value: b}", "warning AL007 39:58 @get.outputParameters[0].mapping"),
        ("{type: string, mapping: $.a, sum: 1}", "warning AL004 39:63 @get.outputParameters[0].sum"),
        ("{name: a, type: string}, {type: string}", "error AL007 39:15 @get.outputParameters"),
        ("{name: a, type: string}, {name: a, type: string}", "error AL021 39:66 @get.outputParameters[1].name"),
        ("{type: string, value: '{{env.API_KEY}}'}", "error AL042 39:56 @get.outputParameters[0].value"),
    ] {
        let call = format!("call: users.get\n              outputParameters: [{outputs}]\n");
        check(&[("call: users.get\n", &call)], &[expected]);
    }
}

#[test]
fn the_schema_of_a_result_follows_from_its_shape() {
    for (written, expected) in [
        ("[{type: object, mapping: $.a}]", None),
        (
            "[{type: string, mapping: $.a, maxLength: 3, description: D}]",
            Some(json!({"type": ["string", "null"], "maxLength": 3, "description": "D"})),
        ),
        ("[{type: number, const: 1}]", Some(json!({"type": "number", "const": 1}))),
        (
            "[{type: array, mapping: '$[*]', items: {type: integer}}]",
            Some(json!({"type": "array", "items": {"type": ["integer", "null"]}})),
        ),
        (
            "[{type: array, mapping: $.a, items: {type: boolean}}]",
            Some(json!({"type": ["array", "null"], "items": {"type": ["boolean", "null"]}})),
        ),
        (
            "[{type: object, properties: {b: {type: string}, a: {type: object, mapping: $.x, properties: {}}}}]",
            Some(json!({
                "type": "object",
                "properties": {
                    "b": {"type": ["string", "null"]},
                    "a": {"type": ["object", "null"], "properties": {}, "required": []},
                },
                "required": ["b", "a"],
            })),
        ),
    ] {
        assert_eq!(outputs(written).0, expected, "{written}");
    }
}

/// The answer of the operation with these keys beside the name of the consumed one.
fn raw(keys: &str) -> Answer {
    let plan = plan(&[("name: get\n", &format!("name: get\n              {keys}\n"))]);
    match find_action(&plan, "get-user").1 {
        Action::Call(call) => call.answer.clone(),
        Action::Made(_) | Action::Flow(_) | Action::Constant(_) | Action::Pages(_) => panic!("it makes one call"),
    }
}

#[test]
fn raw_formats() {
    let data = |format: RawFormat| Answer::Shaped(format, Shape::WHOLE);
    let bytes = |media_type: Option<&str>, max_size| {
        Answer::Binary(Binary { media_type: media_type.map(str::to_owned), max_size })
    };
    let table = ElementSelector { tag: Some("table".to_owned()), id: None, classes: vec!["x".to_owned()] };
    for (keys, expected) in [
        ("outputRawFormat: json", Answer::HandedOn),
        ("outputRawFormat: text", Answer::HandedOn),
        ("outputRawFormat: xml", data(RawFormat::Xml)),
        ("outputRawFormat: csv", data(RawFormat::Delimited(','))),
        ("outputRawFormat: tsv", data(RawFormat::Delimited('\t'))),
        ("outputRawFormat: psv", data(RawFormat::Delimited('|'))),
        ("outputRawFormat: yaml", data(RawFormat::Yaml)),
        ("{outputRawFormat: markdown", data(RawFormat::Markdown(None))),
        (
            "outputRawFormat: markdown\n              outputSchema: '## R'",
            data(RawFormat::Markdown(Some("## R".to_owned()))),
        ),
        ("outputRawFormat: html", data(RawFormat::Html(Vec::new()))),
        ("outputRawFormat: html\n              outputSchema: Table.x", data(RawFormat::Html(vec![vec![table]]))),
        ("outputRawFormat: yaml\n              outputMediaType: application/json", data(RawFormat::Yaml)),
        ("outputRawFormat: binary", Answer::HandedOn),
        ("outputRawFormat: binary\n              maxBinarySize: 5MiB", bytes(None, Some(5 << 20))),
        ("outputRawFormat: binary\n              outputMediaType: image/png", bytes(Some("image/png"), None)),
    ] {
        assert_eq!(raw(keys.trim_start_matches('{')), expected, "{keys}");
    }
    let exposed = ("type: rest\n", "type: rest\n      maxBinarySize: 1KiB\n");
    let consumed =
        ("name: get\n", "name: get\n              outputRawFormat: binary\n              maxBinarySize: 1MiB\n");
    let plan = plan(&[consumed, exposed]);
    let Action::Call(call) = find_action(&plan, "get-user").1 else { panic!("it calls something") };
    assert_eq!(call.answer, bytes(None, Some(1 << 10)));
}

#[test]
fn raw_formats_that_can_not_be_used() {
    let api = "capability.consumes[0].resources[0].operations[0]";
    for (keys, expected) in [
        ("outputRawFormat: avro", format!("error AL009 20:32 {api}.outputRawFormat")),
        ("outputRawFormat: protobuf", format!("error AL009 20:32 {api}.outputRawFormat")),
        ("outputRawFormat: html\n              outputSchema: a > b", format!("error AL094 21:29 {api}.outputSchema")),
        ("outputRawFormat: jsn", format!("error AL007 20:32 {api}.outputRawFormat")),
        ("outputMediaType: image/png", format!("warning AL095 20:32 {api}.outputMediaType")),
        ("outputMediaType: application/json", format!("warning AL095 20:32 {api}.outputMediaType")),
        ("maxBinarySize: 5", format!("error AL007 20:30 {api}.maxBinarySize")),
    ] {
        check(&[("name: get\n", &format!("name: get\n              {keys}\n"))], &[&expected]);
    }
    let shaped =
        ("call: users.get\n", "call: users.get\n              outputParameters: [{type: string, mapping: $.a}]\n");
    let binary = ("name: get\n", "name: get\n              outputRawFormat: binary\n");
    check(&[binary, shaped], &["error AL007 39:21 @get.call"]);
}

#[test]
fn lists_in_xml_may_have_one_element() {
    let xml = ("name: get\n", "name: get\n              outputRawFormat: xml\n");
    let list = (
        "call: users.get\n",
        "call: users.get\n              outputParameters: [{type: object, properties: {l: {type: array, mapping: $.l, items: {type: string}}}}]\n",
    );
    let plan = plan(&[xml, list]);
    let Action::Call(call) = find_action(&plan, "get-user").1 else { panic!("it calls something") };
    let items = of("$.l", array(Gather::ItemsOrOne, whole(Form::Text(None))));
    assert_eq!(call.answer, Answer::Shaped(RawFormat::Xml, whole(object([("l", items)]))));
}

#[test]
fn mocks_make_their_result_of_the_inputs() {
    let mock = |outputs: &str| {
        plan(&[(
            "call: users.get\n              with: {orgId: rest.orgId, id: rest.id, fields: rest.fields}",
            &format!("outputParameters: {outputs}"),
        )])
    };
    let named = mock("[{name: id, type: integer, value: '{{id}}'}, {name: text, type: string, value: 'of {{orgid}}'}]");
    let (operation, action) = find_action(&named, "get-user");
    let text = Value::Template(vec![TemplatePart::Text("of ".to_owned()), TemplatePart::Input("orgid".to_owned())]);
    let members =
        object([("id", value(Value::Input("id".to_owned()), Form::Integer)), ("text", value(text, Form::Text(None)))]);
    assert_eq!(*action, Action::Made(whole(members)));
    assert_eq!(operation.input_schema["required"], json!(["id", "orgid"]));
    assert_eq!(
        operation.effects,
        crate::contract::Effects { read_only: true, destructive: false, idempotent: true, open_world: false }
    );
    let alone = mock("[{type: array, items: {type: boolean, value: true}}]");
    let item = value(Value::Constant(json!(true)), Form::Boolean);
    assert_eq!(*find_action(&alone, "get-user").1, Action::Made(whole(array(Gather::ItemsOrOne, item))));
    let containers = mock(
        "[{name: l, type: array, items: {type: string, value: '{{id}}'}}, {name: none, type: array}, {name: o, type: object}, \
         {name: p, type: object, properties: {l: {type: array, items: [{name: x, type: integer, value: 1}]}}}]",
    );
    let one = whole(object([("x", value(Value::Constant(json!(1)), Form::Integer))]));
    let members = object([
        ("l", whole(array(Gather::ItemsOrOne, value(Value::Input("id".to_owned()), Form::Text(None))))),
        ("none", value(Value::Constant(json!([])), Form::AsItIs)),
        ("o", Shape::WHOLE),
        ("p", whole(object([("l", whole(array(Gather::ItemsOrOne, one)))]))),
    ]);
    assert_eq!(*find_action(&containers, "get-user").1, Action::Made(whole(members)));
    for (outputs, expected) in [
        ("[{name: a, type: string}]", "error AL005 38:34 @get.outputParameters[0]"),
        ("[{name: a, type: string, mapping: $.a}]", "error AL007 38:67 @get.outputParameters[0].mapping"),
        ("[{name: a, type: string, value: x}, {type: string, value: x}]", "error AL007 38:15 @get.outputParameters"),
    ] {
        let change = format!("outputParameters: {outputs}");
        check(
            &[("call: users.get\n              with: {orgId: rest.orgId, id: rest.id, fields: rest.fields}", &change)],
            &[expected],
        );
    }
    let with_arguments = ("call: users.get\n", "outputParameters: [{name: a, type: string, value: x}]\n");
    check(&[with_arguments], &["warning AL007 39:15 @get.with"]);
}

#[test]
fn what_later_steps_would_see_changes_no_result() {
    assert_eq!(raw("outputParameters: [{name: id, type: string, value: $.id}]"), Answer::HandedOn);
    let api = "capability.consumes[0].resources[0].operations[0]";
    let bad = "name: get\n              outputParameters: [{name: id, type: string, value: id}]\n";
    check(&[("name: get\n", bad)], &[&format!("error AL006 20:66 {api}.outputParameters[0].value")]);
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
fn no_schema_is_promised_of_what_is_no_json() {
    let api = "capability.consumes[0].resources[0].operations[0]";
    for format in ["text", "binary"] {
        let raw = format!("name: get\n              outputRawFormat: {format}\n");
        let with_schema = format!("{raw}              outputSchema: {{type: object}}\n");
        let exposed = ("call: users.get\n", "call: users.get\n              outputSchema: {type: object}\n");
        check(&[("name: get\n", &with_schema)], &[&format!("warning AL007 21:15 {api}.outputSchema")]);
        let compiled = compile(&changed(&[("name: get\n", &with_schema)]), Mode::Tolerant).unwrap();
        assert_eq!(find(&compiled.plan, "get-user").0.output_schema, None, "{format}");
        check(&[("name: get\n", &raw), exposed], &["error AL007 39:21 @get.call"]);
    }
    // What is made of text is JSON.
    let text = ("name: get\n", "name: get\n              outputRawFormat: text\n");
    let made = "call: users.get\n              outputSchema: {type: string}\n              outputParameters: [{type: string, mapping: $.}]\n";
    assert_eq!(
        find_action(&plan(&[text, ("call: users.get\n", made)]), "get-user").0.output_schema,
        Some(json!({"type": "string"}))
    );
}

#[test]
fn what_is_not_supported_yet_is_said() {
    let api = "capability.consumes[0]";
    for (from, to, place) in [
        ("      authentication: {type", "      tunnel: {}\n      authentication: {type", &format!("14:7 {api}.tunnel")),
        ("type: http", "type: grpc", &format!("11:13 {api}.type")),
        (
            "in: query, type: array",
            "in: environment",
            &format!("24:38 {api}.resources[0].operations[0].inputParameters[2].in"),
        ),
    ] {
        check(&[(from, to)], &[&format!("error AL009 {place}")]);
    }
}
