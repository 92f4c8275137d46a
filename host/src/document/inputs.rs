//! What a caller gives: the input schema of an offer, and where in a REST request each input stands.

mod resource;

use serde_json::{Map, Value as Json, json};

use super::diagnostic::Code;
use super::link::{Feed, Subject, inputs_of};
use super::model::{Parameter as Declared, RestRoute, Surface, settle_body};
use super::names::{Match, find_match};
use super::plan::{QueryStyle, Value};
use super::report::Report;
use super::tree::{Place, Placed};
use crate::contract::{Location, Parameter, Route, UriTemplate};

/// What a caller gives.
pub struct Inputs {
    /// JSON Schema of the input object.
    pub schema: Json,
    /// Where it stands in a REST request; `None` for a tool.
    pub route: Option<Route>,
    /// The URI by which a resource is read, its variables named as the inputs that they give; `None` for anything else, and after an error.
    pub uri: Option<UriTemplate>,
}

/// One input.
struct Input {
    name: String,
    /// Where the document speaks of it.
    at: Place,
    schema: Map<String, Json>,
    required: bool,
    location: Location,
    /// Its name in a REST request.
    wire_name: String,
}

/// The names of the inputs that an exposure declares: its parameters, and the variables of its path that none of them
/// matches. `None` if it declares none, so that they are derived.
pub fn declared_names<'a>(subject: &Subject<'a>) -> Option<Vec<&'a str>> {
    let declared = subject.inputs()?;
    let mut names: Vec<&'a str> = declared.iter().map(|input| input.name.value.as_str()).collect();
    if let Some(route) = route_of(subject) {
        let free = route.path.value.variables().filter(|variable| find_match(variable, names.clone()) == Match::None);
        let free: Vec<&'a str> = free.collect();
        names.extend(free);
    }
    Some(names)
}

/// Collects the inputs of an exposure whose parameters are fed like this.
pub fn collect(subject: &Subject, feeds: &[Feed], report: &Report) -> Inputs {
    let mut inputs = match subject.inputs() {
        Some(declared) => declared.iter().map(|input| declare(input, subject, feeds)).collect(),
        None => Vec::new(),
    };
    check_references(subject, feeds, report);
    note_uses(subject, feeds, report);
    derive(subject, feeds, &mut inputs);
    if let Some(route) = route_of(subject) {
        name_variables(route, &mut inputs, report);
        check_locations(&inputs, route, report);
        settle_body(inputs.iter_mut().map(|input| &mut input.location));
    }
    let uri = match &subject.exposure.surface {
        Surface::Resource(readable) => {
            readable.uri.as_ref().and_then(|uri| resource::name_variables(uri, &inputs, report))
        }
        Surface::Rest(_) | Surface::Tool(_) => None,
    };
    Inputs { schema: object_schema(&inputs), route: route_of(subject).map(|route| make_route(route, &inputs)), uri }
}

fn route_of<'a>(subject: &Subject<'a>) -> Option<&'a RestRoute> {
    match &subject.exposure.surface {
        Surface::Rest(route) => route.as_ref(),
        Surface::Tool(_) | Surface::Resource(_) => None,
    }
}

/// An input as declared; what the declaration leaves open is taken from the parameter that it feeds.
fn declare(declared: &Declared, subject: &Subject, feeds: &[Feed]) -> Input {
    let name = &declared.name.value;
    let derived = derive_one(name, &declared.name.at, feeds);
    let by_default = matches!(subject.exposure.surface, Surface::Tool(_) | Surface::Resource(_));
    Input {
        name: name.clone(),
        at: declared.name.at.clone(),
        schema: complete(&declared.schema, &derived.schema),
        required: declared.required.unwrap_or(by_default) || derived.required,
        location: declared.location.unwrap_or(derived.location),
        wire_name: name.clone(),
    }
}

/// A declared schema without a type says too little to validate with; then the derived one is its base.
fn complete(declared: &Map<String, Json>, derived: &Map<String, Json>) -> Map<String, Json> {
    if declared.contains_key("type") {
        let mut schema = declared.clone();
        if let (None, Some(description)) = (declared.get("description"), derived.get("description")) {
            schema.insert("description".to_owned(), description.clone());
        }
        return schema;
    }
    let mut schema = derived.clone();
    schema.extend(declared.clone());
    schema
}

/// Adds each input that a parameter is fed with and that isn't there yet.
fn derive(subject: &Subject, feeds: &[Feed], inputs: &mut Vec<Input>) {
    let allowed = declared_names(subject);
    for feed in feeds {
        for name in inputs_of(&feed.value) {
            let is_known = inputs.iter().any(|input| input.name == name);
            let is_allowed = allowed.as_ref().is_none_or(|names| names.contains(&name));
            if !is_known && is_allowed {
                inputs.push(derive_one(name, &feed.at, feeds));
            }
        }
    }
}

/// The input of this name as a parameter of its own; `None` if nothing is fed by it.
pub fn derive_input(name: &str, feeds: &[Feed]) -> Option<Declared> {
    let feed = feeds.iter().find(|feed| inputs_of(&feed.value).contains(&name))?;
    let Input { name, at, schema, required, location, .. } = derive_one(name, &feed.at, feeds);
    let name = Placed { at, value: name };
    let style = QueryStyle::FormExploded;
    Some(Declared { name, location: Some(location), schema, required: Some(required), style, constant: None })
}

/// An input as the parameters that it feeds want it. The first that gets it unchanged decides on type and place.
fn derive_one(name: &str, at: &Place, feeds: &[Feed]) -> Input {
    let fed = |feed: &&Feed| inputs_of(&feed.value).contains(&name);
    let whole = feeds.iter().find(|feed| feed.value == Value::Input(name.to_owned()));
    let part = feeds.iter().find(fed);
    let location = match (whole, part) {
        (Some(feed), _) => feed.parameter.location,
        // A part of the body is not the body.
        (None, Some(feed)) if feed.parameter.location == Some(Location::Body) => Some(Location::BodyMember),
        (None, Some(feed)) => feed.parameter.location,
        (None, None) => None,
    };
    let schema = match (whole, part) {
        (Some(feed), _) => feed.parameter.schema.clone(),
        _ => Map::from_iter([("type".to_owned(), json!("string"))]),
    };
    Input {
        name: name.to_owned(),
        at: at.clone(),
        schema,
        required: feeds.iter().filter(fed).any(|feed| feed.parameter.is_required()),
        // What is in the upstream's path but not in the exposed one has to come from somewhere.
        location: location.filter(|location| *location != Location::Path).unwrap_or(Location::Query),
        wire_name: name.to_owned(),
    }
}

/// `with` must not refer to an input that the declaration leaves out.
fn check_references(subject: &Subject, feeds: &[Feed], report: &Report) {
    let Some(declared) = declared_names(subject) else {
        return;
    };
    for feed in feeds {
        for name in inputs_of(&feed.value).into_iter().filter(|name| !declared.contains(name)) {
            report
                .error(Code::UnknownParameter, &feed.at, format!("input isn't declared: {name}"))
                .expected(format!("one of: {}", declared.join(", ")))
                .hint(format!("declare `{name}` under `inputParameters`"))
                .did_you_mean(name, declared.iter().copied());
        }
    }
}

/// Notes which of the declared inputs feed a parameter.
fn note_uses(subject: &Subject, feeds: &[Feed], report: &Report) {
    let feeds_something = |name: &str| feeds.iter().any(|feed| inputs_of(&feed.value).contains(&name));
    let declared = subject.inputs().into_iter().flatten().map(|input| &input.name);
    declared.filter(|name| feeds_something(&name.value)).for_each(|name| report.uses(&name.at));
}

/// Finds the input of each variable of the exposed path.
fn name_variables(route: &RestRoute, inputs: &mut [Input], report: &Report) {
    let mut claimed: Vec<String> = Vec::new();
    for variable in route.path.value.variables() {
        let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
        let text = route.path.value.to_text();
        match find_match(variable, names.iter().map(String::as_str)) {
            Match::One(name) => {
                let input = inputs.iter_mut().find(|input| input.name == name);
                let input = input.expect("the match is one of the inputs");
                if claimed.iter().any(|claimed| claimed == name) {
                    report
                        .error(Code::PathVariable, &route.path.at, format!("two path variables mean one input: {name}"))
                        .hint("name each variable exactly as its input");
                }
                claimed.push(name.to_owned());
                input.location = Location::Path;
                input.wire_name = variable.to_owned();
                input.required = true;
            }
            Match::Several(names) => {
                report
                    .error(
                        Code::PathVariable,
                        &route.path.at,
                        format!("path variable could be several inputs: {variable}"),
                    )
                    .expected(format!("exactly one of: {}", names.join(", ")))
                    .hint("name one of them exactly as in the path");
            }
            Match::None => {
                report
                    .error(Code::PathVariable, &route.path.at, format!("path variable is used by nothing: {variable}"))
                    .expected(format!("each variable of {text} in an operation's `with`"))
                    .hint(format!("add `{variable}: rest.{variable}` under `with`, or take it out of the path"))
                    .did_you_mean(variable, names.iter().map(String::as_str));
            }
        }
    }
}

fn check_locations(inputs: &[Input], route: &RestRoute, report: &Report) {
    let is_variable = |input: &&Input| route.path.value.variables().any(|variable| variable == input.wire_name);
    for input in inputs.iter().filter(|input| input.location == Location::Path).filter(|input| !is_variable(input)) {
        report
            .error(Code::PathVariable, &input.at, format!("input isn't in the path: {}", input.name))
            .expected(format!("a variable `{{{}}}` in {}", input.name, route.path.value.to_text()))
            .did_you_mean(&input.name, route.path.value.variables());
    }
}

fn object_schema(inputs: &[Input]) -> Json {
    let properties = inputs.iter().map(|input| (input.name.clone(), Json::Object(input.schema.clone())));
    let properties: Map<String, Json> = properties.collect();
    let required: Vec<&str> = inputs.iter().filter(|input| input.required).map(|input| input.name.as_str()).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["additionalProperties"] = json!(false);
    schema
}

fn make_route(route: &RestRoute, inputs: &[Input]) -> Route {
    let parameters = inputs.iter().map(|input| Parameter {
        input: input.name.clone(),
        location: input.location,
        name: input.wire_name.clone(),
    });
    Route { method: route.method.value.clone(), path: route.path.value.to_text(), parameters: parameters.collect() }
}
