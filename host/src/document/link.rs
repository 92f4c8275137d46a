//! An exposure and the consumed operations that it calls -> one offer: an operation with what carries it out.
//!
//! Follows `call` and `with`; what the inputs look like is the work of `inputs`, which flow a `ref` means that of `subject`.

mod answer;
mod bind;
mod flow;
mod pages;
mod request;
mod resource;
mod subject;
mod weight;

use std::borrow::Cow;

use serde_json::Value as Json;

use self::bind::Bindings;
pub use self::{flow::reads, subject::Subject, weight::weight};
use super::body;
use super::diagnostic::Code;
use super::inputs::{self, Inputs};
use super::model::{self, Argument, Consumed, Consumes, Document, Exposure, Outputs, Parameter, Surface, With};
use super::names::{Match, find_match};
use super::plan::{Action, Call, Request, TemplatePart, Value};
use super::report::Report;
use super::tree::{Place, Placed};
use crate::contract::Location;

/// An exposure whose references are followed.
pub struct Offer<'a> {
    /// What the document says about it.
    pub subject: Subject<'a>,
    /// What is called, in the order of the document.
    pub calls: Vec<Called<'a>>,
    /// The schema of what is the result as it comes, if that is known; `None` if the result is made of it or of several answers.
    pub answer_schema: Option<Cow<'a, Json>>,
    /// What the caller gives.
    pub inputs: Inputs,
    /// What carries it out.
    pub action: Action,
}

/// A consumed operation, and the API that it is one of.
#[derive(Clone, Copy)]
pub struct Called<'a> {
    /// The API.
    pub consumes: &'a Consumes,
    /// The operation.
    pub consumed: &'a Consumed,
}

/// What one parameter of the called operation gets.
#[derive(Clone)]
pub struct Feed<'a> {
    /// The parameter.
    pub parameter: Cow<'a, Parameter>,
    /// The value.
    pub value: Value,
    /// Where the document says so.
    pub at: Place,
}

/// A call whose parameters are fed.
struct Fed<'a> {
    call: &'a model::Call,
    called: Called<'a>,
    feeds: Vec<Feed<'a>>,
}

/// Follows the references of one exposure. `None` after an error.
pub fn link<'a>(exposure: &'a Exposure, document: &'a Document, report: &Report) -> Option<Offer<'a>> {
    let subject = Subject::of(exposure, document, report)?;
    let calls = match subject.action {
        model::Action::Call(call) => vec![call],
        model::Action::Flow(flow) => flow::calls(flow),
        model::Action::Mock(_) | model::Action::Constant(_) => Vec::new(),
        // Reading leaves none in an aggregate.
        model::Action::Reference(_) => return None,
    };
    if let (model::Action::Mock(_), Some(_), Some(_)) = (subject.action, subject.shared, &exposure.outputs) {
        report.not_supported(exposure.action.at(), "outputParameters beside a ref to a mock").expected("one of them");
        return None;
    }
    let fed: Vec<_> = calls.into_iter().map(|call| feed(call, &subject, document, report)).collect();
    let mut fed = fed.into_iter().collect::<Option<Vec<_>>>()?;
    let (bindings, feeds) = bind::bind(&subject, feeds_of(&subject, &fed), report)?;
    for feed in fed.iter_mut().flat_map(|fed| &mut fed.feeds) {
        feed.value = bindings.apply(&feed.value);
    }
    fed.iter().for_each(|fed| fed.check(&subject, report));
    let feeds = [feeds, feed_outputs(exposure.outputs.as_ref())].concat();
    let inputs = inputs::collect(&subject, &feeds, report);
    let shape = subject.outputs().map(|outputs| match &exposure.outputs {
        Some(own) => own.shape.clone(),
        None => outputs.shape.clone().with_values(&|value| bindings.apply(value)),
    });
    let calls: Vec<Called> = fed.iter().map(|fed| fed.called).collect();
    answer::check_told(&subject, &calls, report)?;
    let (action, answered_by) = match (subject.action, fed.as_slice()) {
        (model::Action::Constant(resource), _) => (Action::Constant(resource.value.clone()), None),
        (model::Action::Flow(flow), fed) => {
            let flow = flow::make(flow, fed, &bindings, shape, report)?;
            let answered_by = flow.answered_by.map(|call| calls[call].consumed);
            (Action::Flow(flow.plan), answered_by)
        }
        (_, [only @ Fed { call: model::Call { paginate: Some(asked), .. }, .. }]) => {
            (Action::Pages(Box::new(pages::make(only, asked, shape)?)), Some(only.called.consumed))
        }
        (_, [only]) => {
            let consumed = only.called.consumed;
            let answer = answer::make(&subject, consumed, shape, report)?;
            (Action::Call(Box::new(Call { request: only.request()?, answer })), Some(consumed))
        }
        _ => (Action::Made(shape?), None),
    };
    answer::check_schema(&subject, &action, answered_by, report)?;
    if let Surface::Resource(readable) = &exposure.surface {
        resource::check(readable, &subject, &calls, answered_by, report);
    }
    let answer_schema = match fed.as_slice() {
        [Fed { call: model::Call { paginate: Some(asked), .. }, called, .. }] => {
            Some(Cow::Owned(pages::schema(called.consumed, asked)))
        }
        _ => answered_by.and_then(|consumed| consumed.output_schema.as_ref()).map(Cow::Borrowed),
    };
    Some(Offer { subject, calls, answer_schema, inputs, action })
}

/// What the calls, lookups, mappings and outputs take of the inputs; the exposure's own outputs take theirs from its caller.
fn feeds_of<'a>(subject: &Subject<'a>, fed: &[Fed<'a>]) -> Vec<Feed<'a>> {
    let mut feeds: Vec<Feed> = fed.iter().flat_map(|fed| fed.feeds.clone()).collect();
    if let model::Action::Flow(flow) = subject.action {
        feeds.extend(flow::other_feeds(flow));
    }
    if subject.exposure.outputs.is_none() {
        feeds.extend(feed_outputs(subject.outputs()));
    }
    feeds
}

/// What the result takes of the inputs.
fn feed_outputs<'a>(outputs: Option<&'a Outputs>) -> Vec<Feed<'a>> {
    let parameters = outputs.into_iter().flat_map(|outputs| &outputs.parameters);
    let feeds = parameters.map(|parameter| Feed {
        parameter: Cow::Borrowed(parameter),
        value: Value::Input(parameter.name.value.clone()),
        at: parameter.name.at.clone(),
    });
    feeds.collect()
}

/// Follows one call, and finds what its parameters get. `None` after an error.
fn feed<'a>(call: &'a model::Call, subject: &Subject, document: &'a Document, report: &Report) -> Option<Fed<'a>> {
    let called = find_called(&call.operation, document, report)?;
    let consumed = called.consumed;
    // Without a usable path the parameters aren't known; what would be said about them would be wrong.
    consumed.path.as_ref()?;
    let feeds = match &call.with {
        With::Arguments(arguments) => feed_arguments(arguments, consumed, report),
        With::SameNames => feed_same_names(call, subject, consumed),
        With::Unreadable => return None,
    };
    let feeds = pages::fill(feeds, call, consumed, report)?;
    Some(Fed { call, called, feeds: with_constants(body::with_variables(feeds, consumed), consumed) })
}

impl Fed<'_> {
    fn check(&self, subject: &Subject, report: &Report) {
        self.feeds.iter().for_each(|feed| report.uses(&feed.parameter.name.at));
        check_constants(&self.feeds, report);
        check_required(subject, self.call, self.called.consumed, &self.feeds, report);
    }

    fn request(&self) -> Option<Request> {
        let Called { consumes, consumed } = self.called;
        request::make(consumes, consumed, consumed.path.as_ref()?, &self.feeds)
    }
}

/// The operation that a `call` means, if there is one.
fn called<'a>(call: &Placed<String>, document: &'a Document) -> Option<Called<'a>> {
    document.consumes.iter().find_map(|consumes| {
        let name = call.value.strip_prefix(&consumes.namespace.value)?.strip_prefix('.')?;
        let consumed = consumes.operations.iter().find(|operation| operation.name.value == name)?;
        Some(Called { consumes, consumed })
    })
}

fn find_called<'a>(call: &Placed<String>, document: &'a Document, report: &Report) -> Option<Called<'a>> {
    let found = called(call, document);
    match &found {
        Some(called) => report.uses(&called.consumed.name.at),
        None => report_unknown_call(call, document, report),
    }
    found
}

fn report_unknown_call(call: &Placed<String>, document: &Document, report: &Report) {
    let qualified = |api: &Consumes| {
        let names = api.operations.iter().map(|operation| &operation.name.value);
        names.map(|name| format!("{}.{name}", api.namespace.value)).collect::<Vec<_>>()
    };
    let known: Vec<String> = document.consumes.iter().flat_map(qualified).collect();
    if known.is_empty() {
        // Nothing could be read, which is reported where it stands.
        return;
    }
    report
        .error(Code::UnknownReference, &call.at, format!("nothing that is consumed has this name: {}", call.value))
        .expected("<namespace of consumes>.<operation>")
        .did_you_mean(&call.value, known.iter().map(String::as_str));
}

fn feed_arguments<'a>(arguments: &[Argument], consumed: &'a Consumed, report: &Report) -> Vec<Feed<'a>> {
    let mut feeds: Vec<Feed<'a>> = Vec::new();
    for argument in arguments {
        let Some(parameter) = find_parameter(&argument.parameter, consumed, report) else {
            continue;
        };
        let earlier = feeds.iter().find(|feed| feed.parameter.name.value == parameter.name.value);
        match earlier {
            Some(earlier) => {
                let what = format!("parameter `{}`", parameter.name.value);
                report.duplicate(Code::DuplicateName, &argument.value.at, &what, &earlier.at);
            }
            None => {
                let Placed { at, value } = argument.value.clone();
                feeds.push(Feed { parameter: Cow::Borrowed(parameter), value, at });
            }
        }
    }
    feeds
}

/// The parameter that a key of `with` means: of this name, else a path variable of nearly this name.
fn find_parameter<'a>(key: &Placed<String>, consumed: &'a Consumed, report: &Report) -> Option<&'a Parameter> {
    if let Some(parameter) = consumed.parameter(&key.value) {
        return Some(parameter);
    }
    let all = consumed.parameters.iter();
    let in_path = all.clone().filter(|parameter| parameter.location == Some(Location::Path));
    let in_path: Vec<&str> = in_path.map(|parameter| parameter.name.value.as_str()).collect();
    match find_match(&key.value, in_path.iter().copied()) {
        Match::One(name) => consumed.parameter(name),
        Match::Several(names) => {
            report
                .error(Code::PathVariable, &key.at, format!("could be several path variables: {}", key.value))
                .expected(format!("exactly one of: {}", names.join(", ")));
            None
        }
        Match::None => {
            let names: Vec<&str> = all.map(|parameter| parameter.name.value.as_str()).collect();
            let called = &consumed.name.value;
            report
                .warning(Code::UnknownParameter, &key.at, format!("{called} has no such parameter: {}", key.value))
                .expected(format!("one of: {}", names.join(", ")))
                .hint("remove it; it is never sent")
                .did_you_mean(&key.value, names.iter().copied());
            None
        }
    }
}

/// Without `with`, each parameter gets the input of its name, if there is one.
fn feed_same_names<'a>(call: &model::Call, subject: &Subject, consumed: &'a Consumed) -> Vec<Feed<'a>> {
    let names = match subject.shared {
        // What feeds the flow's inputs has others; the flow's calls are fed with the flow's.
        Some((model::Reference { with: With::Arguments(_), .. }, flow)) => {
            flow.inputs.as_ref().map(|inputs| inputs.iter().map(|input| input.name.value.as_str()).collect())
        }
        _ => inputs::declared_names(subject),
    };
    let feed = |parameter: &'a Parameter| {
        let own = parameter.name.value.as_str();
        let input = match &names {
            None if parameter.constant.is_some() => return None,
            None => own,
            Some(names) if names.contains(&own) => own,
            Some(names) if parameter.location == Some(Location::Path) => match find_match(own, names.iter().copied()) {
                Match::One(name) => name,
                Match::None | Match::Several(_) => return None,
            },
            Some(_) => return None,
        };
        let value = Value::Input(input.to_owned());
        Some(Feed { parameter: Cow::Borrowed(parameter), value, at: call.operation.at.clone() })
    };
    consumed.parameters.iter().filter_map(feed).collect()
}

/// A parameter that always has the same value gets it, unless the exposure says otherwise.
fn with_constants<'a>(mut feeds: Vec<Feed<'a>>, consumed: &'a Consumed) -> Vec<Feed<'a>> {
    for parameter in &consumed.parameters {
        let fed = feeds.iter().any(|feed| feed.parameter.name.value == parameter.name.value);
        if let Some(constant) = parameter.constant.as_ref().filter(|_| !fed) {
            let value = Value::Constant(constant.clone());
            feeds.push(Feed { parameter: Cow::Borrowed(parameter), value, at: parameter.name.at.clone() });
        }
    }
    feeds
}

/// The inputs of which a value is made.
pub fn inputs_of(value: &Value) -> Vec<&str> {
    match value {
        Value::Input(name) => vec![name],
        Value::Constant(_) | Value::Step(_) => Vec::new(),
        Value::Template(parts) => {
            let inputs = parts.iter().filter_map(|part| match part {
                TemplatePart::Input(name) => Some(name.as_str()),
                TemplatePart::Text(_) | TemplatePart::Step(_) => None,
            });
            inputs.collect()
        }
    }
}

/// What never changes is checked now: a path segment is never empty, `.` or `..`, a header has no line break.
fn check_constants(feeds: &[Feed], report: &Report) {
    for feed in feeds {
        let expected = match (feed.parameter.location, &feed.value) {
            (Some(Location::Path), Value::Constant(value)) if !is_segment(value) => {
                "text that isn't empty, `.` or `..`, or a number"
            }
            (Some(Location::Header | Location::Cookie), value) if has_control(value) => {
                "text without control characters"
            }
            _ => continue,
        };
        let name = &feed.parameter.name.value;
        report
            .error(Code::InvalidValue, &feed.at, format!("value can't be sent as this parameter: {name}"))
            .expected(expected);
    }
}

fn is_segment(value: &Json) -> bool {
    match value {
        Json::String(text) => !matches!(text.as_str(), "" | "." | ".."),
        other => other.is_number() || other.is_boolean(),
    }
}

fn has_control(value: &Value) -> bool {
    let in_text = |text: &str| text.contains(|c: char| c.is_control());
    match value {
        Value::Input(_) | Value::Step(_) => false,
        Value::Constant(value) => value.as_str().is_some_and(in_text),
        Value::Template(parts) => parts.iter().any(|part| matches!(part, TemplatePart::Text(text) if in_text(text))),
    }
}

fn check_required(subject: &Subject, call: &model::Call, consumed: &Consumed, feeds: &[Feed], report: &Report) {
    // Null is never sent, so it gives nothing.
    let gives = |feed: &&Feed| feed.value != Value::Constant(Json::Null);
    let fed = |parameter: &Parameter| {
        feeds.iter().filter(gives).any(|feed| feed.parameter.name.value == parameter.name.value)
    };
    let prefix = match (subject.shared, &subject.exposure.surface) {
        (Some((_, flow)), _) => flow.namespace(),
        (None, Surface::Rest(_)) => "rest",
        (None, Surface::Tool(_)) => "tools",
        (None, Surface::Resource(_)) => "mcp",
    };
    for parameter in consumed.parameters.iter().filter(|parameter| parameter.is_required() && !fed(parameter)) {
        let (called, name) = (&consumed.name.value, &parameter.name.value);
        let hint = match call.with {
            With::Arguments(_) => format!("add `{name}: {prefix}.{name}` under `with`"),
            With::SameNames | With::Unreadable => {
                format!("declare an input `{name}` under `inputParameters`")
            }
        };
        report
            .error(
                Code::UnfedParameter,
                &call.operation.at,
                format!("{called} needs a parameter that nothing gives: {name}"),
            )
            .hint(hint);
    }
}
