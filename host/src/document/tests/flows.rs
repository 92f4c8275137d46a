//! Steps with their mappings, and aggregates whose flows are exposed.

use serde_json::json;

use super::*;
use crate::contract::{Effects, Location};
use crate::document::plan::{
    Flow, Form, Gather, Keep, Origin, Outcome, Part, PathPart, Shape, Step, Task, TemplatePart, Value,
};

/// A flow of two calls and a lookup, kept in an aggregate and exposed over REST and as a tool.
const FLOWS: &str = include_str!("flows.yaml");

const STEP: &str = "capability.aggregates[0].functions[0].steps";
const LIST: &str = "{type: call, name: list-crew, call: registry.list-crew, with: {page: 1}}";
const LOOKUP: &str = "{type: lookup, name: find-crew, index: list-crew, match: id, lookupValue: $.get-ship.crew, outputParameters: [name]}";
const MAPPINGS: &str = "          mappings:
            - {targetName: ship.imo, value: $.get-ship.imo-number}
            - {targetName: ship.crew, value: $.find-crew}
";

fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(FLOWS.to_owned(), |source, (from, to)| {
        assert!(source.contains(from), "the document has no {from:?}");
        source.replacen(from, to, 1)
    })
}

fn plan(changes: &[(&str, &str)]) -> Plan {
    compile(&changed(changes), Mode::Strict).unwrap_or_else(|diagnostics| panic!("{changes:?}\n{diagnostics:#?}")).plan
}

/// The operation of the document, and its flow.
fn flow(changes: &[(&str, &str)]) -> (Operation, Flow) {
    let plan = plan(changes);
    assert_eq!(plan.actions.len(), 1, "{:?}", plan.description.operations);
    match &plan.actions[0] {
        Action::Flow(flow) => (plan.description.operations[0].clone(), flow.clone()),
        other => panic!("no flow: {other:?}"),
    }
}

fn check(changes: &[(&str, &str)], expected: &[&str]) {
    let expected: Vec<_> = expected.iter().map(|text| text.replace("@steps", STEP)).collect();
    assert_eq!(diagnose(&changed(changes), Mode::Tolerant), expected, "{changes:?}");
}

fn part(step: usize, path: &str) -> Value {
    Value::Step(Part { step, path: path.to_owned() })
}

fn leaf(value: Value) -> Shape {
    Shape { origin: Origin::Value(value), form: Form::AsItIs }
}

fn object(members: Vec<(&str, Shape)>) -> Shape {
    let members = members.into_iter().map(|(name, shape)| (name.to_owned(), shape));
    Shape { origin: Origin::Whole, form: Form::Object(members.collect()) }
}

#[test]
fn a_flow_is_one_operation_over_rest_and_as_a_tool() {
    let (operation, flow) = flow(&[]);
    assert_eq!((operation.name.as_str(), operation.tool.as_deref()), ("of-ship", Some("ship-crew")));
    assert_eq!(operation.description, "The crew of a ship by name");
    let schema = json!({
        "type": "object",
        "properties": {"imo": {"type": "string", "description": "The ship"}},
        "required": ["imo"],
        "additionalProperties": false,
    });
    assert_eq!(operation.input_schema, schema);
    let route = operation.route.unwrap();
    assert_eq!((route.path.as_str(), route.parameters[0].location), ("/ships/{imo}/crew", Location::Path));
    assert_eq!(operation.effects, Effects { read_only: true, destructive: false, idempotent: true, open_world: true });

    let [get, list, find] = flow.steps.as_slice() else { panic!("{:?}", flow.steps) };
    let short = |step: &Step| (step.name.clone(), step.after.clone());
    assert_eq!(
        [get, list, find].map(short),
        [("get-ship".to_owned(), vec![]), ("list-crew".to_owned(), vec![]), ("find-crew".to_owned(), vec![0, 1]),]
    );
    assert!(matches!(&get.task, Task::Ask(request, Keep::Value(..)) if request.method == "GET"));
    let Task::Find(lookup) = &find.task else { panic!("{find:?}") };
    assert_eq!((lookup.index.step, lookup.index.path.as_str(), lookup.key.as_str()), (1, "$", "id"));
    assert_eq!((&lookup.wanted, lookup.fields.as_slice()), (&part(0, "$.crew"), ["name".to_owned()].as_slice()));
    let ship = object(vec![("imo", leaf(part(0, "$['imo-number']"))), ("crew", leaf(part(2, "$")))]);
    assert_eq!(flow.outcome, Outcome::Made { source: None, shapes: vec![object(vec![("ship", ship)])] });
}

#[test]
fn the_newer_names_of_keys_mean_the_same() {
    let newer = flow(&[("functions:", "flows:"), ("{targetName: ship.imo", "{target: ship.imo")]);
    assert_eq!(newer.1, flow(&[]).1);
}

#[test]
fn steps_may_stand_in_an_exposure_itself() {
    let steps = "steps: [{type: call, name: a, call: registry.get-ship, with: {imo: tools.imo}}]}";
    let plan = plan(&[("{name: ship-crew, ref: crew.of-ship}", &format!("{{name: own, description: d, {steps}"))]);
    let (operation, Action::Flow(flow)) = find_action(&plan, "own") else { panic!("no flow") };
    assert_eq!(operation.input_schema["properties"], json!({"imo": {"type": "string", "description": "Its number"}}));
    assert_eq!(flow.outcome, Outcome::Answer(0));
    assert!(matches!(flow.steps[0].task, Task::Ask(_, Keep::Answer)));
}

#[test]
fn values_refer_to_steps_inputs_or_nothing() {
    let value = |text: &str| {
        let list = format!("{{type: call, name: list-crew, call: registry.list-crew, with: {{ship: {text}}}}}");
        let (_, flow) = flow(&[(LIST, &list)]);
        let Task::Ask(request, _) = &flow.steps[1].task else { panic!("no request") };
        (request.query[0].value.clone(), flow.steps[1].after.clone())
    };
    let text = |text: &str| TemplatePart::Text(text.to_owned());
    for (written, expected, after) in [
        ("$.get-ship.id", part(0, "$.id"), vec![0]),
        ("$.get-ship", part(0, "$"), vec![0]),
        ("\"$['get-ship'].a.b[0]\"", part(0, "$.a.b[0]"), vec![0]),
        ("\"$.get-ship.list[?@.x > 1].First Name\"", part(0, "$.list[?@.x > 1]['First Name']"), vec![0]),
        ("'{{get-ship.id}}'", part(0, "$.id"), vec![0]),
        ("'{{$.get-ship.id}}'", part(0, "$.id"), vec![0]),
        (
            "'x-{{get-ship.a-b}}'",
            Value::Template(vec![text("x-"), TemplatePart::Step(Part { step: 0, path: "$['a-b']".to_owned() })]),
            vec![0],
        ),
        ("crew.imo", Value::Input("imo".to_owned()), vec![]),
        ("'{{imo}}'", Value::Input("imo".to_owned()), vec![]),
        ("get-ship.id", Value::Constant("get-ship.id".into()), vec![]),
        ("$5", Value::Constant("$5".into()), vec![]),
    ] {
        assert_eq!(value(written), (expected, after), "{written}");
    }
    // Outside of a flow there are no steps.
    let plan = super::plan(&[("fields: rest.fields}", "fields: $.get.id}")]);
    assert_eq!(find(&plan, "get-user").1.query[0].value, Value::Constant("$.get.id".into()));
}

#[test]
fn a_step_that_changes_something_keeps_its_place() {
    let after = |second: &str, third: &str| {
        let (_, flow) = flow(&[(LIST, second), (LOOKUP, third), (MAPPINGS, "")]);
        flow.steps.into_iter().map(|step| step.after).collect::<Vec<_>>()
    };
    let drop = "{type: call, name: drop, call: registry.drop-ship, with: {imo: crew.imo}}";
    let list = "{type: call, name: list, call: registry.list-crew, with: {page: 1}}";
    let needs = "{type: call, name: list, call: registry.list-crew, with: {ship: $.get-ship.id}}";
    for (second, third, expected) in [
        (LIST, list, [vec![], vec![], vec![]]),
        (LIST, needs, [vec![], vec![], vec![0]]),
        (drop, list, [vec![], vec![0], vec![1]]),
        (LIST, drop, [vec![], vec![], vec![0, 1]]),
    ] {
        assert_eq!(after(second, third), expected, "{second} {third}");
    }
    // What a step needs comes before it, wherever it stands.
    let early = "{type: call, name: early, call: registry.drop-ship, with: {imo: $.late.id}}";
    let late = "{type: call, name: late, call: registry.list-crew, with: {page: 1}}";
    assert_eq!(after(early, late), [vec![], vec![0, 2], vec![]]);
    // A check that refers to what comes later is still a check of what stands behind it.
    let check = ("{imo: \"{{imo}}\"}", "{imo: $.late.id}");
    let (_, checked) = flow(&[check, (LIST, drop), (LOOKUP, late), (MAPPINGS, "")]);
    let after: Vec<_> = checked.steps.into_iter().map(|step| step.after).collect();
    assert_eq!(after, [vec![2], vec![0, 2], vec![]]);
}

#[test]
fn without_mappings_the_last_call_answers() {
    let (_, handed_on) =
        flow(&[(LOOKUP, "{type: call, name: last, call: registry.get-ship, with: {imo: crew.imo}}"), (MAPPINGS, "")]);
    assert_eq!(handed_on.outcome, Outcome::Answer(2));
    let keeps: Vec<_> = handed_on
        .steps
        .iter()
        .map(|step| match &step.task {
            Task::Ask(_, keep) => keep.clone(),
            Task::Find(_) => panic!("no lookup is left"),
        })
        .collect();
    assert_eq!(keeps, [Keep::Nothing, Keep::Nothing, Keep::Answer]);
    // What another step needs is read.
    let (_, read) = flow(&[(MAPPINGS, "")]);
    assert_eq!(read.outcome, Outcome::Made { source: Some(1), shapes: vec![] });
}

#[test]
fn outputs_of_the_last_answer_may_refer_to_steps() {
    let outputs = "          outputParameters: [{name: of, type: string, value: 'x-{{get-ship.id}}'}, {name: n, type: integer}]\n";
    let (operation, made) =
        flow(&[(LOOKUP, "{type: call, name: last, call: registry.list-crew, with: {page: 2}}"), (MAPPINGS, outputs)]);
    assert_eq!(operation.input_schema["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["imo"]);
    let of = Value::Template(vec![
        TemplatePart::Text("x-".to_owned()),
        TemplatePart::Step(Part { step: 0, path: "$.id".to_owned() }),
    ]);
    let of = Shape { origin: Origin::Value(of), form: Form::Text(None) };
    let shape = object(vec![("of", of), ("n", Shape::member("n", Form::Integer))]);
    assert_eq!(made.outcome, Outcome::Made { source: Some(2), shapes: vec![shape] });
    let is_read = |step: &Step| matches!(&step.task, Task::Ask(_, Keep::Value(..)));
    assert_eq!(made.steps.iter().map(is_read).collect::<Vec<_>>(), [true, false, true]);
    let unknown = outputs.replace("{{get-ship.id}}", "{{$.get-shop.id}}");
    let at = "capability.aggregates[0].functions[0].outputParameters[0].value";
    check(&[(MAPPINGS, &unknown)], &[&format!("error AL023 38:62 {at}")]);
}

#[test]
fn declared_outputs_give_members_their_types() {
    let with = |outputs: &str| [(MAPPINGS, format!("{MAPPINGS}          outputParameters: {outputs}\n"))];
    let shapes = |outputs: &str| {
        let [(from, to)] = &with(outputs);
        let (_, flow) = flow(&[(*from, to.as_str())]);
        let Outcome::Made { shapes, .. } = flow.outcome else { panic!("nothing is made") };
        shapes[1..].to_vec()
    };
    let member = |name: &str, form: Form| (name.to_owned(), Shape::member(name, form));
    let crew = |item: Form| {
        let item = Shape { origin: Origin::Whole, form: item };
        let inside = vec![member("imo", Form::Text(None)), member("crew", Form::Array(Gather::Items, Box::new(item)))];
        vec![Shape { origin: Origin::Whole, form: Form::Object(vec![member("ship", Form::Object(inside))]) }]
    };
    let named = Form::Object(vec![member("name", Form::Text(None))]);
    let ship = |items: &str| {
        format!(
            "[{{name: ship, type: object, properties: {{imo: {{type: string}}, crew: {{type: array, items: {items}}}}}}}]"
        )
    };
    for (items, expected) in [
        ("[{name: name, type: string}]", named.clone()),
        ("{name: {type: string}}", named.clone()),
        ("{type: object, properties: {name: {type: string}}}", named),
        ("{type: integer}", Form::Integer),
        ("{type: object}", Form::AsItIs),
    ] {
        assert_eq!(shapes(&ship(items)), crew(expected), "{items}");
    }
    assert!(shapes("[]").is_empty());
    let at = "capability.aggregates[0].functions[0].outputParameters";
    for (outputs, expected) in [
        ("[{name: shop, type: object}]", format!("warning AL024 41:37 {at}[0].name")),
        ("[{name: ship, type: text}]", format!("error AL007 41:49 {at}[0].type")),
        ("[{name: ship}]", format!("error AL005 41:30 {at}[0]")),
        ("[{name: ship, type: object}, {name: ship, type: object}]", format!("error AL021 41:65 {at}[1].name")),
        ("[{type: object}]", format!("error AL005 41:30 {at}[0]")),
    ] {
        let [(from, to)] = &with(outputs);
        check(&[(*from, to.as_str())], &[expected.as_str()]);
    }
}

#[test]
fn effects_are_those_of_all_calls_unless_the_flow_or_a_hint_says_otherwise() {
    let effects = |semantics: &str, hints: &str, last: &str| {
        let name = "- name: of-ship\n";
        let semantics = format!("{name}          semantics: {semantics}\n");
        let hints = format!("ref: crew.of-ship, hints: {hints}}}\n");
        let tool = "{name: ship-crew, ref: crew.of-ship}\n";
        let tool_with_hints = format!("{{name: ship-crew, {hints}");
        let (operation, _) = flow(&[(name, &semantics), (tool, &tool_with_hints), (LOOKUP, last), (MAPPINGS, "")]);
        let Effects { read_only, destructive, idempotent, open_world } = operation.effects;
        (read_only, destructive, idempotent, open_world)
    };
    let put = "{type: call, name: put, call: registry.put-ship, with: {imo: crew.imo}}";
    let drop = "{type: call, name: drop, call: registry.drop-ship, with: {imo: crew.imo}}";
    for (semantics, hints, last, expected) in [
        ("{}", "{}", LOOKUP, (true, false, true, true)),
        ("{}", "{}", put, (false, true, false, true)),
        ("{safe: true, cacheable: true}", "{}", put, (true, false, true, true)),
        ("{safe: true}", "{}", drop, (true, false, true, true)),
        ("{safe: false}", "{}", LOOKUP, (false, true, false, true)),
        ("{idempotent: true}", "{}", put, (false, true, true, true)),
        ("{safe: true, idempotent: true}", "{readOnly: false, destructive: true}", LOOKUP, (false, true, true, true)),
        ("{safe: true}", "{idempotent: false, openWorld: false}", LOOKUP, (true, false, false, false)),
        ("{}", "{readOnly: true}", put, (true, false, false, true)),
    ] {
        assert_eq!(effects(semantics, hints, last), expected, "{semantics} {hints} {last}");
    }
}

#[test]
fn upstreams_are_those_of_all_calls() {
    let drop = "{type: call, name: drop, call: registry.drop-ship, with: {imo: crew.imo}}";
    let upstreams = plan(&[(LOOKUP, drop), (MAPPINGS, "")]).description.upstreams;
    assert_eq!(upstreams.len(), 1);
    assert_eq!(
        (upstreams[0].base_url.as_str(), upstreams[0].methods.join(" ")),
        ("https://registry.example/v1", "DELETE GET".to_owned())
    );
}

#[test]
fn an_exposure_says_otherwise() {
    let tool = "{name: ship-crew, ref: crew.of-ship}";
    let tool_of = |with: &str| {
        let plan = plan(&[(tool, with)]);
        let (operation, Action::Flow(flow)) = find_action(&plan, "ship-crew") else { panic!("no flow") };
        let Task::Ask(request, _) = &flow.steps[0].task else { panic!("no request") };
        (operation.clone(), request.path[1].clone())
    };
    let (own, path) = tool_of("{name: ship-crew, ref: crew.of-ship, description: Own, with: {imo: tools.number}}");
    assert_eq!(own.description, "Own");
    let input = json!({"number": {"type": "string", "description": "The ship"}});
    assert_eq!((&own.input_schema["properties"], &own.input_schema["required"]), (&input, &json!(["number"])));
    assert_eq!(path, PathPart::Value(Value::Input("number".to_owned())));

    let (fixed, path) = tool_of("{name: ship-crew, ref: crew.of-ship, with: {imo: 7}}");
    assert_eq!(fixed.input_schema["properties"], json!({}));
    assert_eq!(path, PathPart::Value(Value::Constant(json!(7))));

    let inputs = "[{name: imo, type: integer, description: Own, required: false}]";
    let (declared, _) = tool_of(&format!("{{name: ship-crew, ref: crew.of-ship, inputParameters: {inputs}}}"));
    assert_eq!(declared.input_schema["properties"], json!({"imo": {"type": "integer", "description": "Own"}}));
}

#[test]
fn a_flow_may_be_one_call() {
    let steps = FLOWS.find("          steps:").unwrap();
    let exposes = FLOWS.find("  exposes:").unwrap();
    let call = "          call: registry.get-ship\n          with: {imo: crew.imo}\n";
    let source = format!("{}{call}{}", &FLOWS[..steps], &FLOWS[exposes..]);
    let plan = compile(&source, Mode::Strict).unwrap().plan;
    assert!(matches!(plan.actions.as_slice(), [Action::Call(_)]));
}

#[test]
fn mistakes_in_steps() {
    for (from, to, expected) in [
        ("name: list-crew,", "name: get-ship,", "error AL021 36:34 @steps[1].name|error AL023 37:54 @steps[2].index"),
        ("index: list-crew", "index: list-crow", "error AL023 37:54 @steps[2].index"),
        ("$.get-ship.crew", "$.get-shop.crew", "error AL023 37:89 @steps[2].lookupValue"),
        ("$.get-ship.crew", "$", "error AL023 37:89 @steps[2].lookupValue"),
        ("$.get-ship.crew", "'$.get-ship.crew['", "error AL007 37:89 @steps[2].lookupValue"),
        ("$.get-ship.crew", "'$.get-ship[[[[[[[[[[0'", "error AL007 37:89 @steps[2].lookupValue"),
        ("registry.list-crew,", "registry.list-crow,", "error AL023 36:51 @steps[1].call"),
        ("with: {page: 1}", "with: {pages: 1}", "warning AL024 36:78 @steps[1].with.pages"),
        ("with: {page: 1}", "with: {ship: '{{shop}}'}", "error AL024 36:84 @steps[1].with.ship"),
        ("with: {page: 1}", "with: {ship: ['$.get-ship.id']}", "error AL009 36:84 @steps[1].with.ship"),
        ("with: {imo: \"{{imo}}\"}", "with: {}", "error AL025 35:50 @steps[0].call"),
        (LIST, "{type: script, name: list-crew, file: a.js, language: javascript}", "error AL009 36:22 @steps[1].type"),
        (LIST, "{type: loop, name: list-crew}", "error AL007 36:22 @steps[1].type"),
        (LIST, "{name: list-crew, call: registry.list-crew}", "error AL005 36:15 @steps[1]"),
        (", match: id", "", "error AL005 37:15 @steps[2]"),
        (
            "targetName: ship.crew",
            "targetName: a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a",
            "error AL002 40:28 capability.aggregates[0].functions[0].mappings[1].targetName",
        ),
        (", lookupValue: $.get-ship.crew", "", "error AL005 37:15 @steps[2]"),
        (", outputParameters: [name]", "", "error AL005 37:15 @steps[2]"),
        (
            "ship.crew, value",
            "ship.imo, value",
            "error AL021 40:28 capability.aggregates[0].functions[0].mappings[1].targetName",
        ),
        (
            "ship.crew, value",
            "ship, value",
            "error AL021 40:28 capability.aggregates[0].functions[0].mappings[1].targetName",
        ),
        (
            "ship.crew, value",
            "ship..crew, value",
            "error AL020 40:28 capability.aggregates[0].functions[0].mappings[1].targetName",
        ),
        (
            "value: $.find-crew}",
            "value: $.found-crew}",
            "error AL023 40:46 capability.aggregates[0].functions[0].mappings[1].value",
        ),
        (
            "          steps:",
            "          call: registry.list-crew\n          steps:",
            "error AL007 34:11 capability.aggregates[0].functions[0].call",
        ),
    ] {
        // An error in the flow is told once, not again where it is referred to.
        check(&[(from, to)], &expected.split('|').collect::<Vec<_>>());
    }
}

#[test]
fn steps_that_wait_for_each_other() {
    let get = "with: {imo: \"{{imo}}\"}";
    check(&[(get, "with: {imo: $.find-crew.id}")], &["error AL070 35:34 @steps[0].name"]);
    check(&[(get, "with: {imo: '{{get-ship.id}}'}")], &["error AL070 35:34 @steps[0].name"]);
    let diagnostics = errors(&changed(&[(get, "with: {imo: $.find-crew.id}")]));
    assert_eq!(diagnostics[0].message, "steps wait for each other: get-ship, find-crew");
}

#[test]
fn mistakes_in_references() {
    let route = "capability.exposes[0].resources[0].operations[0]";
    let tool = "capability.exposes[1].tools[0]";
    for (from, to, expected) in [
        (
            "{method: GET, ref: crew.of-ship}",
            "{method: GET, ref: crew.of-shop}",
            format!("error AL023 47:34 {route}.ref"),
        ),
        ("{method: GET, ref: crew.of-ship}", "{method: GET, ref: of-ship}", format!("error AL023 47:34 {route}.ref")),
        (
            "GET, ref: crew.of-ship",
            "GET, ref: crew.of-ship, call: registry.get-ship",
            format!("error AL007 47:48 {route}.call"),
        ),
        (
            "ship-crew, ref: crew.of-ship",
            "ship-crew, ref: crew.of-ship, with: {}",
            format!("error AL025 51:34 {tool}.ref"),
        ),
        (
            "ship-crew, ref: crew.of-ship",
            "ship-crew, ref: crew.of-ship, with: {imo: 1, name: 2}",
            format!("warning AL024 51:63 {tool}.with.name"),
        ),
        ("namespace: crew", "namespace: crow", format!("error AL023 47:34 {route}.ref|error AL023 51:34 {tool}.ref")),
    ] {
        let expected: Vec<&str> = expected.split('|').collect();
        check(&[(from, to)], &expected);
    }
    let twice = (
        "  exposes:",
        "    - {label: C, namespace: crew, flows: [{name: of-ship, call: registry.list-crew}]}\n  exposes:",
    );
    check(&[twice], &["error AL021 41:50 capability.aggregates[1].flows[0].name"]);
}

#[test]
fn the_flows_of_all_aggregates_have_a_bound() {
    let aggregate = |namespace: usize| {
        let flows: String = (0..1_700).map(|flow| format!("{{name: f{flow}, call: registry.list-crew}}, ")).collect();
        format!("    - {{namespace: n{namespace}, flows: [{flows}]}}\n")
    };
    let many = format!("{}  exposes:", (0..3).map(aggregate).collect::<String>());
    let told = diagnose(&changed(&[("  exposes:", &many)]), Mode::Tolerant);
    assert!(matches!(told.as_slice(), [one] if one.starts_with("error AL002 43:")), "{told:?}");
}

#[test]
fn a_flow_has_a_bound() {
    let steps = format!("{LIST}\n            - ").replacen("list-crew,", "c@,", 1);
    let many: String = (0..60).map(|number| steps.replace('@', &number.to_string())).collect();
    check(&[(LIST, &format!("{many}{LIST}"))], &["error AL002 34:11 capability.aggregates[0].functions[0].steps"]);
}
