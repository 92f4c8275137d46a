//! The steps of a flow: which of them wait for which, and what is kept of each answer.
//!
//! Steps that read run side by side unless one refers to another. One that may change something keeps its place: it waits for
//! all before it, and those behind it wait for it, so that what a document checks first is checked first.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Map;

use super::{Bindings, Fed, Feed, answer};
use crate::document::diagnostic::Code;
use crate::document::model::{self, Consumed, Flow, Parameter, RawAnswer, Task};
use crate::document::plan::{self, Form, Keep, Origin, Outcome, QueryStyle, RawFormat, Shape, TemplatePart, Value};
use crate::document::report::Report;
use crate::document::tree::Placed;

/// A flow that can be carried out.
pub struct Made {
    /// What it means.
    pub plan: plan::Flow,
    /// The call whose answer is the result, by its place among the calls.
    pub answered_by: Option<usize>,
}

/// The calls among the steps.
pub fn calls(flow: &Flow) -> Vec<&model::Call> {
    let calls = flow.steps.iter().filter_map(|step| match &step.task {
        Task::Call(call) => Some(call),
        Task::Lookup(_) => None,
    });
    calls.collect()
}

/// The inputs that lookups and mappings use, as if each were fed to a parameter of which nothing is known.
pub fn other_feeds<'a>(flow: &Flow) -> Vec<Feed<'a>> {
    let wanted = flow.steps.iter().filter_map(|step| match &step.task {
        Task::Lookup(lookup) => Some(&lookup.wanted),
        Task::Call(_) => None,
    });
    let values = wanted.chain(flow.mappings.iter().map(|mapping| &mapping.value));
    let feeds = values.map(|Placed { at, value }| {
        let parameter = Parameter {
            name: Placed { at: at.clone(), value: String::new() },
            location: None,
            schema: Map::new(),
            required: None,
            style: QueryStyle::FormExploded,
            constant: None,
        };
        Feed { parameter: Cow::Owned(parameter), value: value.clone(), at: at.clone() }
    });
    feeds.collect()
}

/// Makes the plan of a flow whose calls are fed like this. `None` after an error.
pub fn make(flow: &Flow, fed: &[Fed], bindings: &Bindings, shape: Option<Shape>, report: &Report) -> Option<Made> {
    let needs: Vec<BTreeSet<usize>> = needs_of(flow, fed);
    let changing = changing(flow, fed);
    let order = sort(&needs, &changing).map_err(|cycle| report_cycle(flow, &cycle, report)).ok()?;
    let after = keep_changes_in_place(&order, needs.clone(), &changing);
    let mut used: BTreeSet<usize> = needs.into_iter().flatten().collect();
    used.extend(shape.iter().flat_map(Shape::values).flat_map(steps_of));
    let outcome = outcome(flow, fed, &used, bindings, shape);
    used.extend(flow.mappings.iter().flat_map(|mapping| steps_of(&mapping.value.value)));
    let answered_by = match outcome {
        Outcome::Answer(step) | Outcome::Made { source: Some(step), .. } => {
            used.insert(step);
            Some(flow.steps[..step].iter().filter(|step| is_call(step)).count())
        }
        Outcome::Made { source: None, .. } => None,
    };
    if let (Outcome::Answer(_), Some(last)) = (&outcome, fed.last()) {
        check_last(last, report)?;
    }
    let mut fed = fed.iter();
    let mut steps = Vec::with_capacity(flow.steps.len());
    for (index, (step, after)) in flow.steps.iter().zip(after).enumerate() {
        let task = match &step.task {
            Task::Call(call) => {
                let fed = fed.next()?;
                let keep = match &outcome {
                    Outcome::Answer(answering) if *answering == index => Keep::Answer,
                    // What nobody asks for needn't be read.
                    _ if used.contains(&index) => read(call, fed.called.consumed, report)?,
                    _ => Keep::Nothing,
                };
                plan::Task::Ask(Box::new(fed.request()?), keep)
            }
            Task::Lookup(lookup) => plan::Task::Find(plan::Lookup {
                index: lookup.index.value.clone(),
                key: lookup.key.clone(),
                wanted: bindings.apply(&lookup.wanted.value),
                fields: lookup.fields.clone(),
            }),
        };
        steps.push(plan::Step { name: step.name.value.clone(), after: after.into_iter().collect(), task });
    }
    Some(Made { plan: plan::Flow { steps, outcome }, answered_by })
}

/// Without mappings the last call gives the result: its answer, or what the outputs make of it.
fn outcome(flow: &Flow, fed: &[Fed], needed: &BTreeSet<usize>, bindings: &Bindings, shape: Option<Shape>) -> Outcome {
    if !flow.mappings.is_empty() {
        let mapped = mapped(&flow.mappings, bindings);
        let typed = typed(flow, &mapped);
        // What is declared beside a `ref` is made of what the mappings make.
        let shapes = std::iter::once(mapped).chain(typed).chain(shape).collect();
        return Outcome::Made { source: None, shapes };
    }
    match flow.steps.iter().rposition(is_call) {
        // What is handed on isn't read, and so can't be what another step needs.
        Some(last) if shape.is_none() && !needed.contains(&last) && is_handed_on(fed) => Outcome::Answer(last),
        last => Outcome::Made { source: last, shapes: shape.into_iter().collect() },
    }
}

/// Whether the answer of the last call is a result as it comes.
fn is_handed_on(fed: &[Fed]) -> bool {
    fed.last().is_some_and(|last| match &last.called.consumed.answer {
        RawAnswer::Data(format) => matches!(format, RawFormat::Json | RawFormat::Text),
        RawAnswer::Bytes(_) => true,
    })
}

/// The last answer of a flow is handed on as it comes: what is said of bytes couldn't be kept. `None` after an error.
fn check_last(last: &Fed, report: &Report) -> Option<()> {
    match &last.called.consumed.answer {
        RawAnswer::Bytes(binary) if binary.max_size.is_some() || binary.media_type.is_some() => {
            report
                .not_supported(&last.call.operation.at, "maxBinarySize or outputMediaType of the last step of a flow")
                .expected("an operation that says neither");
            None
        }
        _ => Some(()),
    }
}

/// What is kept of an answer that others need. `None` after an error.
fn read(call: &model::Call, consumed: &Consumed, report: &Report) -> Option<Keep> {
    match &consumed.answer {
        RawAnswer::Data(format) => Some(Keep::Value(format.clone(), answer::shape_for(format, consumed.seen.clone()))),
        RawAnswer::Bytes(_) => {
            report
                .error(Code::InvalidValue, &call.operation.at, "bytes have nothing that a step could refer to")
                .expected("an operation whose `outputRawFormat` can be read")
                .hint("name the `outputRawFormat` that the answer really has, or refer to another step");
            None
        }
    }
}

fn is_call(step: &model::Step) -> bool {
    matches!(step.task, Task::Call(_))
}

/// The object that mappings make; dots in their targets nest.
fn mapped(mappings: &[model::Mapping], bindings: &Bindings) -> Shape {
    let leaves: Vec<(&[String], Shape)> =
        mappings.iter().map(|it| (&*it.target.value, leaf(bindings.apply(&it.value.value)))).collect();
    nest(&leaves)
}

/// What the declared outputs make of the object; `None` if nothing is declared.
fn typed(flow: &Flow, mapped: &Shape) -> Option<Shape> {
    let Form::Object(members) = &mapped.form else { return None };
    let typed = members.iter().map(|(member, _)| {
        let declared = flow.outputs.iter().find(|(name, _)| name.value == *member);
        let shape = declared.map_or_else(|| Shape::member(member, Form::AsItIs), |(_, shape)| shape.clone());
        (member.clone(), shape)
    });
    let form = Form::Object(typed.collect());
    (!flow.outputs.is_empty()).then_some(Shape { origin: Origin::Whole, form })
}

fn leaf(value: Value) -> Shape {
    Shape { origin: Origin::Value(value), form: Form::AsItIs }
}

fn nest(leaves: &[(&[String], Shape)]) -> Shape {
    let mut members: Vec<(String, Shape)> = Vec::new();
    for (target, shape) in leaves {
        let [name, inside @ ..] = target else { continue };
        if members.iter().any(|(member, _)| member == name) {
            continue;
        }
        let shape = match inside {
            [] => shape.clone(),
            _ => {
                let below = leaves.iter().filter(|(target, _)| target.first() == Some(name));
                nest(&below.map(|(target, shape)| (&target[1..], shape.clone())).collect::<Vec<_>>())
            }
        };
        members.push((name.clone(), shape));
    }
    Shape { origin: Origin::Whole, form: Form::Object(members) }
}

/// The steps whose results each step needs.
fn needs_of(flow: &Flow, fed: &[Fed]) -> Vec<BTreeSet<usize>> {
    let mut fed = fed.iter();
    let needs = flow.steps.iter().map(|step| match &step.task {
        Task::Call(_) => {
            let feeds = fed.next().into_iter().flat_map(|fed| &fed.feeds);
            feeds.flat_map(|feed| steps_of(&feed.value)).collect()
        }
        Task::Lookup(lookup) => {
            let wanted = steps_of(&lookup.wanted.value);
            std::iter::once(lookup.index.value.step).chain(wanted).collect()
        }
    });
    needs.collect()
}

/// The steps of whose results a value is made.
fn steps_of(value: &Value) -> Vec<usize> {
    match value {
        Value::Step(part) => vec![part.step],
        Value::Input(_) | Value::Constant(_) => Vec::new(),
        Value::Template(parts) => {
            let steps = parts.iter().filter_map(|part| match part {
                TemplatePart::Step(part) => Some(part.step),
                TemplatePart::Text(_) | TemplatePart::Input(_) => None,
            });
            steps.collect()
        }
    }
}

/// The order of the document, but for steps that others need: they come before those. A step that may change something never comes
/// before one that stands before it, unless that needs what is changed. The error is steps that wait for each other.
fn sort(needs: &[BTreeSet<usize>], changing: &[bool]) -> Result<Vec<usize>, Vec<usize>> {
    let before = keep_checks_before(needs, changing);
    let mut order: Vec<usize> = Vec::with_capacity(before.len());
    while let Some(mut next) = (0..before.len()).find(|step| !order.contains(step)) {
        let mut way = vec![next];
        while let Some(&need) = before[next].iter().find(|need| !order.contains(need)) {
            if let Some(start) = way.iter().position(|step| *step == need) {
                let mut cycle = way.split_off(start);
                cycle.sort_unstable();
                return Err(cycle);
            }
            way.push(need);
            next = need;
        }
        order.push(next);
    }
    Ok(order)
}

/// What each step needs, and for one that may change something also those that stand before it and don't need it.
fn keep_checks_before(needs: &[BTreeSet<usize>], changing: &[bool]) -> Vec<BTreeSet<usize>> {
    let all_needs: Vec<BTreeSet<usize>> = (0..needs.len()).map(|step| all_needs(step, needs)).collect();
    let before = needs.iter().enumerate().map(|(step, own)| {
        let checks = (0..step).filter(|check| changing[step] && !all_needs[*check].contains(&step));
        own.iter().copied().chain(checks).collect()
    });
    before.collect()
}

/// What a step needs, and what that needs.
fn all_needs(step: usize, needs: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    let mut new = vec![step];
    while let Some(step) = new.pop() {
        new.extend(needs[step].iter().filter(|need| all.insert(**need)));
    }
    all
}

fn report_cycle(flow: &Flow, cycle: &[usize], report: &Report) {
    let names: Vec<&Placed<String>> = cycle.iter().map(|step| &flow.steps[*step].name).collect();
    let shown: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
    let [first, ..] = names.as_slice() else { return };
    report
        .error(Code::StepCycle, &first.at, format!("steps wait for each other: {}", shown.join(", ")))
        .expected("a step that needs none of the others, to begin with")
        .hint("let each step refer to earlier ones only; one that may change something waits for all before it");
}

/// Which steps may change something, by the methods of their requests (RFC 9110).
fn changing(flow: &Flow, fed: &[Fed]) -> Vec<bool> {
    let mut fed = fed.iter();
    let changing = flow.steps.iter().map(|step| match &step.task {
        Task::Call(_) => fed.next().is_some_and(|fed| !reads(&fed.called.consumed.method)),
        Task::Lookup(_) => false,
    });
    changing.collect()
}

/// Whether a method changes nothing.
pub fn reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

fn keep_changes_in_place(order: &[usize], mut after: Vec<BTreeSet<usize>>, changing: &[bool]) -> Vec<BTreeSet<usize>> {
    let mut last_change = None;
    for (place, &step) in order.iter().enumerate() {
        after[step].extend(last_change);
        if changing[step] {
            after[step].extend(&order[..place]);
            last_change = Some(step);
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_in_order_or_wait_for_each_other() {
        let order = |needs: &[&[usize]], changing: &[usize]| {
            let changing: Vec<bool> = (0..needs.len()).map(|step| changing.contains(&step)).collect();
            sort(&needs.iter().map(|it| it.iter().copied().collect()).collect::<Vec<_>>(), &changing)
        };
        type Case<'a> = (&'a [&'a [usize]], &'a [usize], Result<Vec<usize>, Vec<usize>>);
        let table: [Case; 13] = [
            (&[&[], &[], &[]], &[1], Ok(vec![0, 1, 2])),
            (&[&[1], &[]], &[], Ok(vec![1, 0])),
            // What is needed comes first, and nothing else with it.
            (&[&[2], &[], &[]], &[], Ok(vec![2, 0, 1])),
            (&[&[2], &[], &[]], &[0], Ok(vec![2, 0, 1])),
            // A check stays before what may change something, wherever it takes its values from.
            (&[&[2], &[], &[]], &[1], Ok(vec![2, 0, 1])),
            (&[&[3], &[0], &[], &[]], &[2], Ok(vec![3, 0, 1, 2])),
            // It comes after what it needs, also if that changes something; other checks still come before.
            (&[&[1], &[]], &[1], Ok(vec![1, 0])),
            (&[&[2], &[], &[]], &[2], Ok(vec![1, 2, 0])),
            (&[&[2], &[0], &[]], &[2], Ok(vec![2, 0, 1])),
            (&[&[0]], &[], Err(vec![0])),
            (&[&[], &[2], &[1]], &[], Err(vec![1, 2])),
            (&[&[], &[2], &[3], &[1]], &[3], Err(vec![1, 2, 3])),
            // A check of the first change that needs the second one.
            (&[&[2], &[], &[]], &[1, 2], Err(vec![0, 1, 2])),
        ];
        for (needs, changing, expected) in table {
            assert_eq!(order(needs, changing), expected, "{needs:?} {changing:?}");
        }
    }

    #[test]
    fn what_changes_something_keeps_its_place() {
        let waits = |order: &[usize], changing: &[bool]| {
            let after = keep_changes_in_place(order, vec![BTreeSet::new(); order.len()], changing);
            after.into_iter().map(|steps| steps.into_iter().collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let nothing: [usize; 0] = [];
        assert_eq!(waits(&[0, 1, 2], &[false; 3]), [nothing; 3]);
        assert_eq!(waits(&[0, 1, 2, 3], &[false, false, true, false]), [vec![], vec![], vec![0, 1], vec![2]]);
        assert_eq!(waits(&[0, 1], &[true, true]), [vec![], vec![0]]);
        assert_eq!(waits(&[1, 0], &[true, false]), [vec![1], vec![]]);
    }
}
