//! `with` beside `ref`: what each input of a flow gets, put in the place of the input.

use std::borrow::Cow;

use super::{Feed, Subject, inputs_of};
use crate::document::diagnostic::Code;
use crate::document::inputs;
use crate::document::model::{Argument, Parameter, Reference, SharedFlow, With};
use crate::document::plan::{TemplatePart, Value};
use crate::document::report::Report;

use serde_json::Value as Json;

/// What the inputs of a flow stand for; `None` = for themselves.
pub struct Bindings(Option<Vec<(String, Value)>>);

/// Finds what the inputs stand for, and what is fed by the caller: the flow's inputs, or else the parameters of its calls. `None`
/// after an error.
pub fn bind<'a>(subject: &Subject<'a>, feeds: Vec<Feed<'a>>, report: &Report) -> Option<(Bindings, Vec<Feed<'a>>)> {
    match subject.shared {
        Some((Reference { with: With::Unreadable, .. }, _)) => None,
        Some((Reference { with: With::Arguments(arguments), .. }, flow)) => {
            let inputs = inputs_of_flow(flow, &feeds);
            let fed: Vec<_> = arguments.iter().filter_map(|it| feed_input(it, flow, &inputs, report)).collect();
            check_required(subject, flow, &inputs, arguments, report)?;
            let bound = fed.iter().map(|feed| (feed.parameter.name.value.clone(), feed.value.clone()));
            Some((Bindings(Some(bound.collect())), fed))
        }
        _ => Some((Bindings(None), feeds)),
    }
}

/// The inputs of a flow, as it declares them, or else as its calls want them.
fn inputs_of_flow<'a>(flow: &'a SharedFlow, feeds: &[Feed<'a>]) -> Vec<Cow<'a, Parameter>> {
    if let Some(declared) = &flow.inputs {
        return declared.iter().map(Cow::Borrowed).collect();
    }
    let mut names: Vec<&str> = Vec::new();
    for name in feeds.iter().flat_map(|feed| inputs_of(&feed.value)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().filter_map(|name| inputs::derive_input(name, feeds)).map(Cow::Owned).collect()
}

fn feed_input<'a>(
    argument: &Argument,
    flow: &SharedFlow,
    inputs: &[Cow<'a, Parameter>],
    report: &Report,
) -> Option<Feed<'a>> {
    let name = &argument.parameter.value;
    let found = inputs.iter().find(|input| input.name.value == *name);
    if found.is_none() {
        let known: Vec<&str> = inputs.iter().map(|input| input.name.value.as_str()).collect();
        let called = &flow.name.value;
        report
            .warning(Code::UnknownParameter, &argument.parameter.at, format!("{called} has no such input: {name}"))
            .expected(format!("one of: {}", known.join(", ")))
            .hint("remove it; it is never used")
            .did_you_mean(name, known.iter().copied());
    }
    Some(Feed { parameter: found?.clone(), value: argument.value.value.clone(), at: argument.value.at.clone() })
}

fn check_required(
    subject: &Subject,
    flow: &SharedFlow,
    inputs: &[Cow<Parameter>],
    arguments: &[Argument],
    report: &Report,
) -> Option<()> {
    let is_given = |input: &Parameter| arguments.iter().any(|it| it.parameter.value == input.name.value);
    let mut missing = inputs.iter().filter(|input| input.is_required() && !is_given(input)).peekable();
    let nothing_is = missing.peek().is_none().then_some(());
    for input in missing {
        let (at, called, name) = (subject.exposure.action.at(), &flow.name.value, &input.name.value);
        report
            .error(Code::UnfedParameter, at, format!("{called} needs an input that nothing gives: {name}"))
            .hint(format!("add `{name}: …` under `with`"));
    }
    nothing_is
}

impl Bindings {
    /// A value of the flow, as a value of the exposure.
    pub fn apply(&self, value: &Value) -> Value {
        let Some(bound) = &self.0 else {
            return value.clone();
        };
        // An input that isn't given is absent, and null is never sent.
        let absent = Value::Constant(Json::Null);
        let find = |name: &str| bound.iter().find(|(input, _)| input == name).map_or(&absent, |(_, value)| value);
        match value {
            Value::Input(name) => find(name).clone(),
            Value::Template(parts) => {
                let mut replaced = Vec::new();
                for part in parts {
                    match part {
                        TemplatePart::Input(name) => match find(name) {
                            Value::Input(name) => replaced.push(TemplatePart::Input(name.clone())),
                            Value::Constant(Json::Null) => return absent,
                            Value::Constant(Json::String(text)) => replaced.push(TemplatePart::Text(text.clone())),
                            Value::Constant(other) => replaced.push(TemplatePart::Text(other.to_string())),
                            Value::Template(parts) => replaced.extend(parts.iter().cloned()),
                            Value::Step(part) => replaced.push(TemplatePart::Step(part.clone())),
                        },
                        other => replaced.push(other.clone()),
                    }
                }
                Value::Template(replaced)
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn inputs_are_replaced_by_what_they_get() {
        let input = |name: &str| Value::Input(name.to_owned());
        let text = |text: &str| TemplatePart::Text(text.to_owned());
        let bindings = Bindings(Some(vec![
            ("id".to_owned(), input("user")),
            ("size".to_owned(), Value::Constant(json!(7))),
            ("long".to_owned(), Value::Template(vec![text("x-"), TemplatePart::Input("y".to_owned())])),
        ]));
        let template = |name: &str| Value::Template(vec![text("a"), TemplatePart::Input(name.to_owned())]);
        for (value, expected) in [
            (input("id"), input("user")),
            (input("none"), Value::Constant(Json::Null)),
            (template("id"), template("user")),
            (template("size"), Value::Template(vec![text("a"), text("7")])),
            (template("long"), Value::Template(vec![text("a"), text("x-"), TemplatePart::Input("y".to_owned())])),
            (template("none"), Value::Constant(Json::Null)),
            (Value::Constant(json!("id")), Value::Constant(json!("id"))),
        ] {
            assert_eq!(bindings.apply(&value), expected, "{value:?}");
        }
        assert_eq!(Bindings(None).apply(&input("id")), input("id"));
    }
}
