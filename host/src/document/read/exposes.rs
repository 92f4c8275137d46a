//! `exposes`: REST operations, MCP tools, and what else there can be: resources, prompts, skills, what is handed on.

use std::collections::HashMap;

use super::argument::Scope;
use super::forward;
use super::parameter::{self, Owner};
use super::{
    TITLE, action, audience, check_name, control, format, freshness, note, output, path, prompts, read_method,
    resources, responses, skills,
};
use crate::contract::{Freshness, Piece, UriTemplate, WrittenPrompt};
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::files::Files;
use crate::document::imports::is_import;
use crate::document::located::Given;
use crate::document::model::{
    Action, Exposure, Forward, Hints, Outputs, Parameter, Readable, RestRoute, Secrets, Surface,
};
use crate::document::names::{Match, find_match};
use crate::document::report::Report;
use crate::document::tree::{Node, Placed};
use crate::document::uri::PathTemplate;

/// The methods that a REST operation can have; HEAD and OPTIONS are the host's.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// Where an expose listens: the host's own listeners win.
const LISTENER: [&str; 3] = ["port", "address", "transport"];

/// The types of exposes.
const TYPES: &str = "rest, mcp or skill";

/// The most operations, tools and resources together. The largest real document has 38; each is looked up among all the others.
const MAX_EXPOSURES: usize = 5_000;

/// The most resources that are handed on: each is five operations, and is held against all the others.
const MAX_FORWARDS: usize = 200;

/// Reads all exposes.
pub fn read(nodes: &[Node], secrets: &Secrets, files: &Files, report: &Report) -> (Vec<Exposure>, Beside) {
    let nodes: Vec<&Node> = nodes.iter().filter(|node| !is_import("exposes", node)).collect();
    let siblings = skills::Siblings::of(&nodes);
    let given = Given::of(files);
    let around = Around { secrets, given: &given, siblings: &siblings };
    let mut beside = Beside::default();
    let mut exposures: Vec<_> =
        nodes.into_iter().flat_map(|node| read_expose(node, &around, &mut beside, report)).collect();
    if let Some(extra) = exposures.get(MAX_EXPOSURES) {
        report
            .error(Code::Limit, extra.action.at(), format!("too many operations and tools: {}", exposures.len()))
            .expected(format!("at most {MAX_EXPOSURES}"))
            .hint("split the document: one capability per file");
        exposures.truncate(MAX_EXPOSURES);
    }
    let forwards = &mut beside.forwards;
    if let Some(extra) = forwards.get(MAX_FORWARDS) {
        report
            .error(Code::Limit, &extra.target.at, format!("too many forwards: {}", forwards.len()))
            .expected(format!("at most {MAX_FORWARDS}"))
            .hint("split the document: one capability per file");
        forwards.truncate(MAX_FORWARDS);
    }
    report_duplicates(&exposures, report);
    report_duplicate_forwards(forwards, report);
    report_duplicate_prompts(&beside.prompts, report);
    (exposures, beside)
}

/// What exposes have besides what is called.
#[derive(Default)]
pub struct Beside {
    /// What is handed on.
    pub forwards: Vec<Forward>,
    /// What is suggested to ask a model.
    pub prompts: Vec<Placed<WrittenPrompt>>,
    /// How long what is listed and read may be kept, if there is any of that.
    pub freshness: Option<Freshness>,
}

/// What is known around an expose.
struct Around<'a> {
    secrets: &'a Secrets,
    given: &'a Given<'a>,
    siblings: &'a skills::Siblings<'a>,
}

fn read_expose(node: &Node, around: &Around, beside: &mut Beside, report: &Report) -> Vec<Exposure> {
    let Some(mut fields) = Fields::of(node, "an expose", report) else {
        return Vec::new();
    };
    let Some(kind) = fields.required_text("type", TYPES) else {
        return Vec::new();
    };
    let mut exposures = match kind.value {
        "rest" => read_rest(&mut fields, around.secrets, &mut beside.forwards, report),
        "mcp" => read_mcp(&mut fields, around, beside, report),
        "skill" => read_skills(&mut fields, around, report),
        "control" => {
            control::read(fields, &kind, around.secrets, report);
            return Vec::new();
        }
        other => {
            report.error(Code::InvalidValue, &kind.at, format!("unknown type of expose: {other}")).expected(TYPES);
            return Vec::new();
        }
    };
    let max_binary = format::read_size(&mut fields, report);
    exposures.iter_mut().for_each(|exposure| exposure.max_binary = max_binary);
    fields.ignore(&["description", "tags", "display", "label"]);
    fields.ignore(&LISTENER);
    fields.finish();
    exposures
}

fn read_rest(fields: &mut Fields, secrets: &Secrets, forwards: &mut Vec<Forward>, report: &Report) -> Vec<Exposure> {
    let namespace = read_namespace(fields);
    let audience = audience::read(fields, secrets, report);
    let scope = Scope { namespace: &namespace, own_name: None, secrets, audience, steps: &[] };
    let resources = fields.required_list("resources").iter();
    resources.flat_map(|resource| read_resource(resource, &scope, forwards, report)).collect()
}

fn read_mcp(fields: &mut Fields, around: &Around, beside: &mut Beside, report: &Report) -> Vec<Exposure> {
    let Around { secrets, given, .. } = *around;
    let namespace = read_namespace(fields);
    let audience = audience::read(fields, secrets, report);
    let scope = Scope { namespace: &namespace, own_name: None, secrets, audience, steps: &[] };
    let tools = fields.required_list("tools").iter();
    let tools: Vec<_> = tools.filter_map(|tool| read_tool(tool, &scope, report)).collect();
    let own = freshness::read(fields, audience, report);
    beside.freshness = Some(beside.freshness.map_or(own, |other| other.and(own)));
    beside.prompts.extend(prompts::read_all(fields.list("prompts"), given, report));
    let resources = resources::read_all(fields.list("resources"), &scope, given, report);
    tools.into_iter().chain(resources).collect()
}

fn read_skills(fields: &mut Fields, around: &Around, report: &Report) -> Vec<Exposure> {
    let Around { secrets, given, siblings } = *around;
    let namespace = fields.required_text("namespace", "a name, e.g. `guides`");
    let audience = audience::read(fields, secrets, report);
    let skills = fields.required_list("skills");
    let Some(namespace) = namespace.and_then(|namespace| check_name(namespace, report)) else { return Vec::new() };
    let scope = Scope { namespace: &namespace.value, own_name: None, secrets, audience, steps: &[] };
    skills::read_all(skills, &namespace, &scope, &skills::Around { given, siblings }, report)
}

fn read_namespace(fields: &mut Fields) -> String {
    fields.required_text("namespace", "a name, e.g. `users-rest`").map_or(String::new(), |text| text.value.to_owned())
}

fn read_resource(node: &Node, scope: &Scope, forwards: &mut Vec<Forward>, report: &Report) -> Vec<Exposure> {
    let Some(mut fields) = Fields::of(node, "a resource", report) else {
        return Vec::new();
    };
    fields.ignore(&["name", "description", "tags", "display", "label", "title"]);
    let forward = fields.node("forward");
    let path = path::read(&mut fields, report).filter(|path| check_route(path, report));
    let outer = read_inputs(&mut fields, Owner::Rest, report);
    let operations = match forward {
        Some(_) => fields.list("operations"),
        None => fields.required_list("operations"),
    };
    if let Some(forward) = forward {
        // Where there are operations the inputs are theirs.
        let inputs = if operations.is_empty() { outer.as_deref().unwrap_or_default() } else { &[] };
        let around = forward::Around { resource: node, path: path.as_ref(), inputs, audience: scope.audience };
        forwards.extend(forward::read(forward, &around, report));
    }
    let operations = operations.iter();
    let exposures =
        operations.filter_map(|node| read_operation(node, scope, path.as_ref(), outer.as_deref(), report)).collect();
    fields.finish();
    exposures
}

/// A route's variables are whole segments, each name once.
fn check_route(path: &Placed<PathTemplate>, report: &Report) -> bool {
    let text = path.value.to_text();
    let variables: Vec<&str> = path.value.variables().collect();
    let reason = if path.value.shape().split('/').any(|segment| segment.contains("{}") && segment != "{}") {
        "a variable is only a part of a segment"
    } else if (1..variables.len()).any(|index| variables[..index].contains(&variables[index])) {
        "a variable stands in it twice"
    } else if text.contains("//") {
        "it has an empty segment"
    } else {
        return true;
    };
    report
        .error(Code::InvalidPath, &path.at, format!("path can't be used, {reason}: {text}"))
        .expected("a path like `/users/{id}`, each variable a whole segment and once");
    false
}

fn read_operation(
    node: &Node,
    scope: &Scope,
    path: Option<&Placed<PathTemplate>>,
    outer: Option<&[Parameter]>,
    report: &Report,
) -> Option<Exposure> {
    let mut fields = Fields::of(node, "an operation", report)?;
    let told = responses::read(&mut fields, report);
    let method = read_method(&mut fields, &METHODS, report);
    let route = method.zip(path).map(|(method, path)| RestRoute { method, path: path.clone() });
    let name = fields.text("name");
    let own = read_inputs(&mut fields, Owner::Rest, report);
    let inputs = match (own, outer) {
        (None, None) => None,
        (own, outer) => Some(parameter::inherit(own.unwrap_or_default(), &[outer.unwrap_or_default()])),
    };
    let exposure = read_common(&mut fields, Surface::Rest(route), name, inputs, scope, report);
    fields.finish();
    if let Some(exposure) = exposure.as_ref().filter(|it| it.output_schema.is_some() && told.schema.is_some()) {
        let why = "a schema in `responses` beside `outputSchema`, which says what the result is";
        responses::report_unpublished(exposure.action.at(), why, report);
    }
    exposure.map(|exposure| Exposure {
        output_schema: exposure.output_schema.or(told.schema),
        bytes: told.bytes,
        ..exposure
    })
}

fn read_tool(node: &Node, scope: &Scope, report: &Report) -> Option<Exposure> {
    let mut fields = Fields::of(node, "a tool", report)?;
    let binary = fields.entry("binary").map(|entry| entry.key_at.clone());
    let bytes = binary.filter(|_| fields.boolean("binary") == Some(true)).map(|at| Placed { at, value: None });
    let surface = Surface::Tool(read_hints(fields.node("hints"), report));
    let name = fields.required_text("name", "the tool's name");
    let inputs = read_inputs(&mut fields, Owner::Tool, report);
    let exposure = read_common(&mut fields, surface, name, inputs, scope, report);
    fields.finish();
    exposure.map(|exposure| Exposure { bytes, ..exposure })
}

/// What a REST operation, a tool and a resource have in common.
pub fn read_common(
    fields: &mut Fields,
    surface: Surface,
    name: Option<Placed<&str>>,
    inputs: Option<Vec<Parameter>>,
    scope: &Scope,
    report: &Report,
) -> Option<Exposure> {
    fields.ignore(&["tags"]);
    let title = fields.text_of_any(&TITLE);
    let description = fields.text("description").map(|text| text.value.to_owned());
    let output_schema = output::read_schema(fields, report);
    let action = action::read_exposed(fields, scope, report);
    let mut outputs = action::read_outputs(fields, action.as_ref(), scope, report);
    if let Some(Action::Mock(_)) = action {
        take_variables(&surface, outputs.as_mut()?);
    }
    Some(Exposure {
        surface,
        audience: scope.audience,
        name: name.and_then(|name| check_name(name, report)),
        title,
        description,
        action: action?,
        inputs,
        outputs,
        output_schema,
        max_binary: None,
        bytes: None,
    })
}

/// A mock's inputs are the variables of its path or URI too, whether it uses them or not.
fn take_variables(surface: &Surface, outputs: &mut Outputs) {
    let (at, variables): (_, Vec<&str>) = match surface {
        Surface::Rest(Some(route)) => (&route.path.at, route.path.value.variables().collect()),
        Surface::Resource(Readable { uri: Some(uri), .. }) => (&uri.at, uri.value.variables().collect()),
        Surface::Rest(None) | Surface::Tool(_) | Surface::Resource(_) => return,
    };
    for variable in variables {
        let known = outputs.parameters.iter().map(|parameter| parameter.name.value.as_str());
        if find_match(variable, known) == Match::None {
            outputs.parameters.push(Parameter::input(at, variable));
        }
    }
}

pub fn read_inputs(fields: &mut Fields, owner: Owner, report: &Report) -> Option<Vec<Parameter>> {
    fields.node("inputParameters")?;
    let own = parameter::read_all(fields.list("inputParameters"), owner, report);
    Some(parameter::inherit(own, &[]))
}

fn read_hints(node: Option<&Node>, report: &Report) -> Hints {
    let Some(mut fields) = node.and_then(|node| Fields::of(node, "hints", report)) else {
        return Hints::default();
    };
    let hints = Hints {
        read_only: fields.boolean("readOnly"),
        destructive: fields.boolean("destructive"),
        idempotent: fields.boolean("idempotent"),
        open_world: fields.boolean("openWorld"),
    };
    fields.finish();
    hints
}

/// Routes, tools and the names of REST operations are unique in a document.
fn report_duplicates(exposures: &[Exposure], report: &Report) {
    let mut routes = HashMap::new();
    let mut tools = HashMap::new();
    let mut operations = HashMap::new();
    let mut uris = HashMap::new();
    for exposure in exposures {
        let (names, what) = match &exposure.surface {
            Surface::Tool(_) => (&mut tools, "tool"),
            Surface::Resource(readable) => {
                if let Some(uri) = &readable.uri {
                    let what = format!("URI `{}`", uri.value.to_text());
                    note(&mut uris, shape(&uri.value), &uri.at, Code::DuplicateName, &what, report);
                }
                continue;
            }
            Surface::Rest(route) => {
                if let Some(RestRoute { method, path }) = route {
                    let key = (method.value.clone(), path.value.shape());
                    let what = format!("route `{} {}`", method.value, path.value.to_text());
                    note(&mut routes, key, &method.at, Code::DuplicateRoute, &what, report);
                }
                (&mut operations, "operation")
            }
        };
        if let Some(name) = &exposure.name {
            let what = format!("{what} `{}`", name.value);
            note(names, name.value.clone(), &name.at, Code::DuplicateName, &what, report);
        }
    }
}

/// A URI without the names of its variables: equal for those that are the same URIs.
fn shape(uri: &UriTemplate) -> String {
    let nameless = uri.0.iter().map(|piece| match piece {
        Piece::Text(text) => text.as_str(),
        Piece::Variable(_) => "{}",
    });
    nameless.collect()
}

fn report_duplicate_prompts(prompts: &[Placed<WrittenPrompt>], report: &Report) {
    let mut names = HashMap::new();
    for Placed { at, value } in prompts {
        let name = &value.prompt.name;
        note(&mut names, name.clone(), at, Code::DuplicateName, &format!("prompt `{name}`"), report);
    }
}

fn report_duplicate_forwards(forwards: &[Forward], report: &Report) {
    let mut paths = HashMap::new();
    for forward in forwards {
        let shape = forward.path.split("{*").next().unwrap_or_default().to_owned();
        let key = (shape, forward.rest.is_some());
        note(
            &mut paths,
            key,
            &forward.target.at,
            Code::DuplicateRoute,
            &format!("forward of {}", forward.path),
            report,
        );
    }
}
