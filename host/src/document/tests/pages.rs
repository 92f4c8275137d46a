//! Lists in pages: what a plan says of them, and what is wrong with them.

use serde_json::json;

use super::super::plan::{
    Beyond, Bound, Counted, CountedBy, Form, Gather, NextToken, Origin, PageOrder, Pages, RawFormat, Shape, Value,
};
use super::super::{Files, check as checked, migrate};
use super::*;

/// A document whose consumed operation and whose tool have these keys, each a line of its own.
fn document(consumed: &str, tool: &str) -> String {
    let lines = |text: &str, indent: usize| -> String {
        text.lines().map(|line| format!("{}{}\n", " ".repeat(indent), line.trim())).collect()
    };
    format!(
        "naftiko: 1.0.0-alpha2\ncapability:\n  consumes:\n    - type: http\n      namespace: up\n      baseUri: https://up.test\n      \
         resources:\n        - path: /users\n          operations:\n            - name: list\n              method: GET\n              \
         description: Lists users\n              inputParameters: [{{name: p, in: query, type: integer}}, {{name: n, in: query}}, {{name: q, in: \
         query}}, {{name: h, in: header}}]\n{}  exposes:\n    - type: mcp\n      namespace: tools\n      tools:\n        - name: users\n          \
         call: up.list\n{}",
        lines(consumed, 14),
        lines(tool, 10),
    )
}

fn pages(consumed: &str, tool: &str) -> (Operation, Pages) {
    let source = document(consumed, tool);
    let Ok(Compiled { plan, .. }) = compile(&source, Mode::Strict) else {
        panic!("{source}\n{:?}", diagnose(&source, Mode::Strict))
    };
    match (plan.description.operations.as_slice(), plan.actions.as_slice()) {
        ([operation], [Action::Pages(pages)]) => (operation.clone(), *pages.clone()),
        other => panic!("{other:?}"),
    }
}

const ALL: &str = "paginate: {maxItems: 500}";

fn counted(parameter: &str, start: u64, by: CountedBy, size: Option<u32>, total: Option<&str>) -> PageOrder {
    let total = total.map(str::to_owned);
    PageOrder::Counted(Counted { parameter: parameter.to_owned(), start, by, size, total })
}

#[test]
fn a_plan_says_how_pages_follow_each_other() {
    let path = |path: &str| NextToken::Path(path.to_owned());
    for (written, items, order, inputs) in [
        (
            "{type: token, items: $.data, parameter: p, next: $.nextToken}",
            "$.data",
            PageOrder::Token("p".to_owned(), path("$.nextToken")),
            vec!["n", "q", "h"],
        ),
        (
            "{type: token, parameter: p, nextHeader: X-Next}",
            "$",
            PageOrder::Token("p".to_owned(), NextToken::Header("x-next".to_owned())),
            vec!["n", "q", "h"],
        ),
        (
            "{type: page, items: $., parameter: p, sizeParameter: n, size: 50}",
            "$",
            counted("p", 1, CountedBy::Pages, Some(50), None),
            vec!["q", "h"],
        ),
        (
            "{type: page, parameter: p, start: 0, total: $.meta.total}",
            "$",
            counted("p", 0, CountedBy::Pages, None, Some("$.meta.total")),
            vec!["n", "q", "h"],
        ),
        (
            "{type: offset, parameter: p, size: 7}",
            "$",
            counted("p", 0, CountedBy::Items, Some(7), None),
            vec!["n", "q", "h"],
        ),
        ("{type: link}", "$", PageOrder::Link(None), vec!["p", "n", "q", "h"]),
        (
            "{type: link, next: $.links.next}",
            "$",
            PageOrder::Link(Some("$.links.next".to_owned())),
            vec!["p", "n", "q", "h"],
        ),
    ] {
        let (operation, pages) = pages(&format!("pagination: {written}"), ALL);
        assert_eq!((pages.items.as_str(), pages.order), (items, order), "{written}");
        assert_eq!(pages.bound, Bound { most: 500, beyond: Beyond::Fail });
        let properties = operation.input_schema["properties"].as_object().expect("an object");
        assert_eq!(properties.keys().collect::<Vec<_>>(), inputs, "what is filled is no input: {written}");
    }
}

#[test]
fn parameters_have_what_asks_for_the_first_page() {
    let (_, pages) = pages(
        "pagination: {type: page, parameter: p, sizeParameter: n, size: 50}",
        "paginate: {maxItems: 9, beyond: cut}\nwith: {q: tools.q}",
    );
    let query: Vec<_> = pages.request.query.iter().map(|it| (it.name.as_str(), it.value.clone())).collect();
    let constant = |number: u32| Value::Constant(json!(number));
    assert_eq!(query, [("p", constant(1)), ("n", constant(50)), ("q", Value::Input("q".to_owned()))]);
    assert_eq!(pages.bound, Bound { most: 9, beyond: Beyond::Cut });
}

#[test]
fn results_are_lists_of_what_a_page_has() {
    let user = json!({"$ref": "#/$defs/user"});
    let consumed = "pagination: {type: link, items: $.data}\n\
                    outputSchema: {type: object, properties: {data: {type: array, items: {$ref: '#/$defs/user'}}}, $defs: {user: {type: object}}}";
    let (operation, made) = pages(consumed, ALL);
    let defs = json!({"user": {"type": "object"}});
    assert_eq!(operation.output_schema, Some(json!({"type": "array", "maxItems": 500, "items": user, "$defs": defs})));
    assert_eq!((made.shape, made.format), (Shape::WHOLE, RawFormat::Json));
    let (operation, _) = pages("pagination: {type: link}", ALL);
    assert_eq!(operation.output_schema, Some(json!({"type": "array", "maxItems": 500})));
    let names = "outputParameters: [{type: array, mapping: $, items: {type: string, mapping: $.name}}]";
    let (operation, made) = pages("pagination: {type: link}", &format!("{ALL}\n{names}"));
    let item = Shape { origin: Origin::Path("$.name".to_owned()), form: Form::Text(None) };
    assert_eq!(made.shape, Shape { origin: Origin::Whole, form: Form::Array(Gather::Items, Box::new(item)) });
    let items = json!({"type": ["string", "null"]});
    assert_eq!(operation.output_schema, Some(json!({"type": ["array", "null"], "items": items})));
    let (_, made) = pages("pagination: {type: link, items: $.user}\noutputRawFormat: xml", ALL);
    assert_eq!(made.format, RawFormat::Xml);
}

#[test]
fn what_is_wrong_is_said() {
    let api = "capability.consumes[0].resources[0].operations[0]";
    let tool = "capability.exposes[0].tools[0]";
    let link = "pagination: {type: link}";
    for (consumed, written, expected) in [
        ("pagination: {type: page, parameter: x}", ALL, format!("error AL090 14:51 {api}.pagination.parameter")),
        ("pagination: {type: page, parameter: h}", ALL, format!("error AL090 14:51 {api}.pagination.parameter")),
        ("pagination: {type: page}", ALL, format!("error AL005 14:27 {api}.pagination")),
        ("pagination: {type: pages, parameter: p}", ALL, format!("error AL007 14:34 {api}.pagination.type")),
        ("pagination: {parameter: p}", ALL, format!("error AL005 14:27 {api}.pagination")),
        ("pagination: token", ALL, format!("error AL006 14:27 {api}.pagination")),
        ("pagination: {type: token, parameter: p}", ALL, format!("error AL005 14:27 {api}.pagination")),
        (
            "pagination: {type: token, parameter: p, next: $.a, nextHeader: b}",
            ALL,
            format!("error AL090 14:55 {api}.pagination.next"),
        ),
        ("pagination: {type: link, next: a}", ALL, format!("error AL033 14:46 {api}.pagination.next")),
        ("pagination: {type: link, parameter: p}", ALL, format!("warning AL004 14:40 {api}.pagination.parameter")),
        ("pagination: {type: page, parameter: p, size: 0}", ALL, format!("error AL006 14:60 {api}.pagination.size")),
        (
            "pagination: {type: page, parameter: p, sizeParameter: n}",
            ALL,
            format!("error AL005 14:27 {api}.pagination"),
        ),
        ("pagination: {type: link}\noutputRawFormat: binary", ALL, format!("error AL090 14:15 {api}.pagination")),
        ("", ALL, format!("error AL091 20:11 {tool}.paginate")),
        (link, "paginate:", format!("error AL006 21:19 {tool}.paginate")),
        (link, "paginate: true", format!("error AL006 21:21 {tool}.paginate")),
        (link, "paginate: {}", format!("error AL005 21:21 {tool}.paginate")),
        (link, "paginate: {maxItems: 100001}", format!("error AL006 21:32 {tool}.paginate.maxItems")),
        (link, "paginate: {maxItems: 5, beyond: stop}", format!("error AL007 21:43 {tool}.paginate.beyond")),
        (
            "pagination: {type: page, parameter: p}",
            "paginate: {maxItems: 5}\nwith: {p: tools.p}",
            format!("error AL092 22:21 {tool}.with.p"),
        ),
    ] {
        assert_eq!(diagnose(&document(consumed, written), Mode::Tolerant), [expected], "{consumed} {written}");
    }
    let changing = document(link, ALL).replace("method: GET", "method: POST");
    assert_eq!(diagnose(&changing, Mode::Tolerant), [format!("error AL090 14:15 {api}.pagination")]);
    let step =
        document(link, "").replace("call: up.list", "steps: [{name: a, type: call, call: up.list, paginate: {}}]");
    assert_eq!(diagnose(&step, Mode::Tolerant), [format!("error AL009 20:56 {tool}.steps[0].paginate")]);
    let flow = document(link, ALL).replace("call: up.list", "steps: [{name: a, type: call, call: up.list}]");
    assert_eq!(diagnose(&flow, Mode::Tolerant), [format!("error AL009 21:11 {tool}.paginate")]);
    let mock = document(link, ALL).replace("call: up.list", "outputParameters: [{name: a, type: string, value: b}]");
    assert_eq!(diagnose(&mock, Mode::Tolerant), [format!("error AL091 21:11 {tool}.paginate")]);
}

#[test]
fn pages_that_nobody_asks_for_are_told_to_the_author() {
    let source = document("pagination: {type: page, parameter: p}", "with: {q: tools.q}");
    let found = checked(&source, &Files::new(), Mode::Tolerant).expect("it compiles").warnings;
    let lint = |code: &str| found.iter().filter(|it| it.code.as_str() == code).count();
    assert_eq!((lint("AL093"), found.len()), (1, 3), "{found:?}");
    let asked = document("pagination: {type: page, parameter: p}", ALL);
    let found = checked(&asked, &Files::new(), Mode::Tolerant).expect("it compiles").warnings;
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn both_shapes_of_the_format_mean_the_same() {
    let old = document("pagination: {type: page, parameter: p, size: 3}", "description: d\npaginate: {maxItems: 5}");
    let new = migrate(&old, &Files::new()).expect("it can be migrated").text;
    assert!(new.contains("ikanos:") && new.contains("pagination: {type: page, parameter: p, size: 3}"), "{new}");
    let plan = |source: &str| compile(source, Mode::Strict).expect("it compiles").plan;
    assert_eq!(plan(&old), plan(&new));
}

#[test]
fn the_schema_for_editors_knows_it() {
    let schema = serde_json::from_str(super::super::SCHEMA).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let is_valid = |consumed: &str, tool: &str| {
        let tree = super::super::tree::parse(&document(consumed, tool), &Default::default()).expect("YAML");
        validator.is_valid(&tree.to_json())
    };
    for order in [
        "type: token, items: $.data, parameter: p, next: $.nextToken",
        "type: token, parameter: p, nextHeader: X-Next",
        "type: page, parameter: p, start: 0, sizeParameter: n, size: 50, total: $.total",
        "type: offset, parameter: p",
        "type: link, next: $.next",
    ] {
        assert!(is_valid(&format!("pagination: {{{order}}}"), "paginate: {maxItems: 5, beyond: cut}"), "{order}");
    }
    for (order, paginate) in [
        ("type: pages, parameter: p", "maxItems: 5"),
        ("type: token, parameter: p, start: 1", "maxItems: 5"),
        ("type: page", "maxItems: 5"),
        ("type: link", "beyond: cut"),
        ("type: link", "maxItems: 0"),
    ] {
        assert!(!is_valid(&format!("pagination: {{{order}}}"), &format!("paginate: {{{paginate}}}")), "{order}");
    }
}
