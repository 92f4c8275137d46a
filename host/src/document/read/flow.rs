//! `steps` and `mappings`: what several calls come to together.
//!
//! Follows no `call`, and doesn't look at the order of the steps; that is the work of `link`.

use super::action::read_with;
use super::argument::{self, Scope};
use super::{check_name, declared, output};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, text_of};
use crate::document::model::{Call, Flow, Lookup, Mapping, Step, Task};
use crate::document::plan::Shape;
use crate::document::report::Report;
use crate::document::tree::{Kind, Node, Place, Placed};

/// The most steps of one flow. Each may be a request, and a grant allows 100 of them for one call if it doesn't say otherwise; flows
/// that people have written have two to ten.
const MAX_STEPS: usize = 50;

/// The most names in one target. Results that people read are a few levels deep, and each level costs the compiler stack.
const MAX_TARGET: usize = 16;

/// The keys of steps: those of one that isn't understood may all be right.
const KEYS: [&str; 10] = [
    "call",
    "with",
    "index",
    "match",
    "lookupValue",
    "outputParameters",
    "file",
    "language",
    "location",
    "dependencies",
];

/// Reads the steps of a flow that stand at `at`, and its mappings.
pub fn read(fields: &mut Fields, at: &Place, scope: &Scope, report: &Report) -> Option<Flow> {
    let nodes = fields.required_list("steps");
    if nodes.len() > MAX_STEPS {
        report
            .error(Code::Limit, at, format!("too many steps: {}", nodes.len()))
            .expected(format!("at most {MAX_STEPS}"))
            .hint("split the flow, or write this provider by hand with the SDK");
        fields.ignore(&["mappings", "outputParameters"]);
        return None;
    }
    let names: Vec<Placed<&str>> = nodes.iter().filter_map(name_of).collect();
    let all_differ = check_names(&names, report);
    let names: Vec<&str> = names.iter().map(|name| name.value).collect();
    let scope = Scope { steps: &names, ..*scope };
    // A step that can't be read is missing where the others refer to it by its number.
    let steps: Vec<_> = nodes.iter().map(|node| read_step(node, &scope, report)).collect();
    let mappings: Vec<_> = fields.list("mappings").iter().map(|node| read_mapping(node, &scope, report)).collect();
    let outputs = read_outputs(fields, &scope, report);
    let steps = steps.into_iter().collect::<Option<Vec<_>>>()?;
    let mappings = mappings.into_iter().collect::<Option<Vec<_>>>()?;
    all_differ?;
    check_targets(&mappings, report);
    let outputs = outputs?;
    check_outputs(&outputs, &mappings, report);
    if steps.iter().all(|step| matches!(step.task, Task::Lookup(_))) {
        report.error(Code::InvalidValue, at, "no step calls anything").expected("at least one step of type call");
        return None;
    }
    Some(Flow { at: at.clone(), steps, mappings, outputs })
}

/// What mappings make has types alone. Without mappings the outputs are made of the last answer, and are read as those of a call.
fn read_outputs(fields: &mut Fields, scope: &Scope, report: &Report) -> Option<Vec<(Placed<String>, Shape)>> {
    if fields.list("mappings").is_empty() {
        return Some(Vec::new());
    }
    let nodes = fields.list("outputParameters");
    if let Some(node) = nodes.iter().find(|node| declared::has_origin(node)) {
        // The whole of it is what there would be without.
        if output::read_parameters(fields, scope, report).is_none() {
            return Some(Vec::new());
        }
        report
            .not_supported(&node.at, "an output parameter with a source of its own beside mappings")
            .expected("its name and type: the mapping of this name makes it");
        return None;
    }
    declared::read_all(nodes, report)
}

/// Each output is made by a mapping.
fn check_outputs(outputs: &[(Placed<String>, Shape)], mappings: &[Mapping], report: &Report) {
    let targets: Vec<&str> = mappings.iter().filter_map(|it| Some(it.target.value.first()?.as_str())).collect();
    for (name, _) in outputs.iter().filter(|(name, _)| !targets.contains(&name.value.as_str())) {
        report
            .warning(Code::UnknownParameter, &name.at, format!("no mapping makes this output: {}", name.value))
            .expected(format!("one of: {}", targets.join(", ")))
            .hint(format!("add to `mappings`: {{target: {}, value: $.…}}", name.value))
            .did_you_mean(&name.value, targets.iter().copied());
    }
}

/// The name of a step, before the step is read: steps refer to each other.
fn name_of(node: &Node) -> Option<Placed<&str>> {
    let Kind::Mapping(entries) = &node.kind else { return None };
    entries.iter().find(|entry| entry.key == "name").and_then(|entry| match &entry.value.kind {
        Kind::Text(name) => Some(Placed { at: entry.value.at.clone(), value: name.as_str() }),
        _ => None,
    })
}

fn read_step(node: &Node, scope: &Scope, report: &Report) -> Option<Step> {
    let mut fields = Fields::of(node, "a step", report)?;
    let name = fields.required_text("name", "the name by which other steps refer to it");
    fields.refuse(&["paginate"]);
    let task = read_task(&mut fields, scope, report);
    fields.finish();
    Some(Step { name: check_name(name?, report)?, task: task? })
}

fn read_task(fields: &mut Fields, scope: &Scope, report: &Report) -> Option<Task> {
    const EXPECTED: &str = "call or lookup";
    let Some(kind) = fields.required_text("type", EXPECTED) else {
        fields.ignore(&KEYS);
        return None;
    };
    match kind.value {
        "call" => {
            let with = read_with(fields, scope, report);
            let call = fields.required_text("call", "<namespace of consumes>.<operation>")?;
            let operation = Placed { at: call.at, value: call.value.to_owned() };
            Some(Task::Call(Call { operation, with, paginate: None }))
        }
        "lookup" => read_lookup(fields, scope, report).map(Task::Lookup),
        "script" => {
            fields.ignore(&KEYS);
            report
                .not_supported(&kind.at, "a script step, a document holds no code")
                .expected(EXPECTED)
                .hint("write this provider by hand with the SDK: it is a component like any other");
            None
        }
        other => {
            fields.ignore(&KEYS);
            report
                .error(Code::InvalidValue, &kind.at, format!("unknown type of step: {other}"))
                .expected(EXPECTED)
                .did_you_mean(other, ["call", "lookup"]);
            None
        }
    }
}

fn read_lookup(fields: &mut Fields, scope: &Scope, report: &Report) -> Option<Lookup> {
    let index = fields.required_text("index", "the name of the step whose result is searched");
    let key = fields.required_text("match", "the name of the member that is compared");
    let wanted = fields.node("lookupValue");
    if wanted.is_none() {
        fields.missing("lookupValue").expected("what is looked for, e.g. `$.find-order.customerId`");
    }
    let names = fields.required_list("outputParameters").iter().map(|node| text_of(node, report));
    let names: Vec<_> = names.map(|name| name.map(|name| name.value.to_owned())).collect();
    let index = index.and_then(|index| {
        let path = if index.value.starts_with('$') { index.value.to_owned() } else { format!("$.{}", index.value) };
        let part = argument::read_part(&path, &index.at, scope, report)?;
        Some(Placed { at: index.at, value: part })
    });
    let wanted = wanted.and_then(|node| argument::read_placed(node, scope, report));
    Some(Lookup {
        index: index?,
        key: key?.value.to_owned(),
        wanted: wanted?,
        fields: names.into_iter().collect::<Option<_>>()?,
    })
}

fn read_mapping(node: &Node, scope: &Scope, report: &Report) -> Option<Mapping> {
    let mut fields = Fields::of(node, "a mapping", report)?;
    // The releases of the format don't agree.
    let old = fields.text("targetName");
    let target = match old {
        Some(old) => Some(old),
        None => fields.required_text("target", "the name of a member of the result, e.g. `route.from`"),
    };
    let value = fields.node("value");
    if value.is_none() {
        fields.missing("value").expected("a part of a step's result, e.g. `$.find-order.id`");
    }
    let value = value.and_then(|node| argument::read_placed(node, scope, report));
    fields.finish();
    Some(Mapping { target: read_target(target?, report)?, value: value? })
}

fn read_target(text: Placed<&str>, report: &Report) -> Option<Placed<Vec<String>>> {
    if text.value.split('.').count() > MAX_TARGET {
        report
            .error(Code::Limit, &text.at, "target has too many names")
            .expected(format!("at most {MAX_TARGET} names with dots between them"));
        return None;
    }
    let names: Vec<String> = text.value.split('.').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        report
            .error(Code::InvalidName, &text.at, format!("target can't be used: {:?}", text.value))
            .expected("names with dots between them, e.g. `route.from`");
        return None;
    }
    Some(Placed { at: text.at, value: names })
}

fn check_names(names: &[Placed<&str>], report: &Report) -> Option<()> {
    let mut all_differ = Some(());
    for (index, name) in names.iter().enumerate() {
        if let Some(earlier) = names[..index].iter().find(|earlier| earlier.value == name.value) {
            let what = format!("step `{}`", name.value);
            report.duplicate(Code::DuplicateName, &name.at, &what, &earlier.at);
            all_differ = None;
        }
    }
    all_differ
}

/// No two mappings write the same member, or one the inside of the other.
fn check_targets(mappings: &[Mapping], report: &Report) {
    for (index, mapping) in mappings.iter().enumerate() {
        let target = &mapping.target.value;
        let collides = |earlier: &&Mapping| {
            let other = &earlier.target.value;
            target.starts_with(other) || other.starts_with(target)
        };
        if let Some(earlier) = mappings[..index].iter().find(collides) {
            let what = format!("target `{}`", target.join("."));
            report.duplicate(Code::DuplicateName, &mapping.target.at, &what, &earlier.target.at);
        }
    }
}
