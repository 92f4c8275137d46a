//! `consumes`: the APIs that are called, their resources and operations.

use super::parameter::{self, Owner};
use super::secret::read_secret_text;
use super::{TITLE, authentication, base, body, check_name, format, output, pages, path, read_method};
use crate::contract::{Credential, Placement};
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::imports::is_import;
use crate::document::model::{Consumed, Consumes, Forward, Parameter, Secrets};
use crate::document::report::Report;
use crate::document::tree::{Kind, Node, Placed};
use crate::document::uri::PathTemplate;

/// The methods of upstream requests.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Reads all APIs.
pub fn read(nodes: &[Node], secrets: &Secrets, report: &Report) -> Vec<Consumes> {
    let mut read: Vec<Consumes> = Vec::new();
    let nodes = nodes.iter().filter(|node| !is_import("consumes", node));
    for api in nodes.filter_map(|node| read_api(node, secrets, report)) {
        match read.iter().find(|earlier| earlier.namespace.value == api.namespace.value) {
            Some(earlier) => {
                let what = format!("namespace `{}`", api.namespace.value);
                report.duplicate(Code::DuplicateName, &api.namespace.at, &what, &earlier.namespace.at);
            }
            None => read.push(api),
        }
    }
    read
}

/// An API without resources is of use only if something is forwarded to it.
pub fn check_resources(consumes: &[Consumes], forwards: &[Forward], report: &Report) {
    for api in consumes {
        let is_target = forwards.iter().any(|forward| forward.target.value == api.namespace.value);
        if let Some(at) = api.without_resources.as_ref().filter(|_| !is_target) {
            report
                .error(Code::MissingKey, at, "key is missing: resources")
                .expected("a list with at least one item; an API that requests are forwarded to needs none")
                .hint("add `resources: …` here");
        }
    }
}

fn read_api(node: &Node, secrets: &Secrets, report: &Report) -> Option<Consumes> {
    let mut fields = Fields::of(node, "an API that is consumed", report)?;
    fields.refuse(&["tunnel"]);
    let max_binary = format::read_size(&mut fields, report);
    fields.ignore(&["description", "tags", "display", "label"]);
    if let Some(kind) = fields.text("type").filter(|kind| kind.value != "http") {
        report.not_supported(&kind.at, format!("an API of type {}", kind.value)).expected("http");
    }
    let namespace = fields.required_text("namespace", "the name by which `call` refers to it");
    let base = base::read(&mut fields, secrets, report);
    let shared = read_shared(fields.list("inputParameters"), secrets, report);
    let authentication = fields.node("authentication").and_then(|node| authentication::read(node, secrets, report));
    let without_resources = fields.node("resources").is_none().then(|| fields.at().clone());
    let resources = match without_resources {
        Some(_) => &[],
        None => fields.required_list("resources"),
    };
    let context = Context { shared: &shared, max_binary, secrets };
    let operations = resources.iter().flat_map(|resource| read_resource(resource, &context, report)).collect();
    fields.finish();

    Some(Consumes {
        namespace: check_name(namespace?, report)?,
        base,
        credentials: authentication.into_iter().chain(shared.credentials).collect(),
        shared: shared.parameters,
        operations: without_duplicates(operations, report),
        without_resources,
    })
}

/// What all operations of an API have in common.
struct Shared {
    parameters: Vec<Parameter>,
    credentials: Vec<Credential>,
}

/// Parameters whose value is a template are made of secrets, so they become credentials.
fn read_shared(nodes: &[Node], secrets: &Secrets, report: &Report) -> Shared {
    let (secret, plain): (Vec<&Node>, Vec<&Node>) = nodes.iter().partition(|node| has_template(node));
    Shared {
        parameters: parameter::read_all(plain, Owner::Consumed, report),
        credentials: secret.into_iter().filter_map(|node| read_credential(node, secrets, report)).collect(),
    }
}

fn has_template(node: &Node) -> bool {
    let Kind::Mapping(entries) = &node.kind else {
        return false;
    };
    entries
        .iter()
        .any(|entry| entry.key == "value" && matches!(&entry.value.kind, Kind::Text(text) if text.contains("{{")))
}

fn read_credential(node: &Node, secrets: &Secrets, report: &Report) -> Option<Credential> {
    let mut fields = Fields::of(node, "a parameter", report)?;
    fields.ignore(&["type", "description", "required", "display", "label", "title", "tags"]);
    let name = fields.required_text("name", "the name of the header or query key");
    let location = fields.required_text("in", "header or query");
    let value = fields.text("value").and_then(|value| read_secret_text(&value, secrets, report));
    fields.finish();
    let (name, location) = (name?, location?);
    let placement = match location.value {
        "header" => Placement::Header(authentication::read_header_name(&name, report)?),
        "query" => Placement::Query(name.value.to_owned()),
        other => {
            report
                .error(Code::MisplacedSecret, &location.at, format!("secret can't be in: {other}"))
                .expected("header or query");
            return None;
        }
    };
    Some(Credential { placement, value: value? })
}

/// What is known where resources stand.
struct Context<'a> {
    /// What all operations have in common.
    shared: &'a Shared,
    /// The most bytes of an answer, if the API says so.
    max_binary: Option<u64>,
    secrets: &'a Secrets,
}

fn read_resource(node: &Node, context: &Context, report: &Report) -> Vec<Consumed> {
    let Some(mut fields) = Fields::of(node, "a resource", report) else {
        return Vec::new();
    };
    fields.ignore(&["name", "description", "tags", "display", "label", "title"]);
    let path = path::read(&mut fields, report);
    let own = parameter::read_all(fields.list("inputParameters"), Owner::Consumed, report);
    let operations = fields.required_list("operations").iter();
    let outer = [own.as_slice(), &context.shared.parameters];
    let operations =
        operations.filter_map(|node| read_operation(node, path.as_ref(), &outer, context, report)).collect();
    fields.finish();
    operations
}

fn read_operation(
    node: &Node,
    path: Option<&Placed<PathTemplate>>,
    outer: &[&[Parameter]],
    context: &Context,
    report: &Report,
) -> Option<Consumed> {
    let mut fields = Fields::of(node, "an operation", report)?;
    fields.ignore(&["tags"]);
    let name = fields.required_text("name", "the name by which `call` refers to it");
    let authentication = fields.node("authentication");
    let credentials = authentication.and_then(|node| authentication::read(node, context.secrets, report));
    let title = fields.text_of_any(&TITLE);
    let description = fields.text("description").map(|text| text.value.to_owned());
    let method = read_method(&mut fields, &METHODS, report);
    let (answer, output_schema) = format::read(&mut fields, context.max_binary, report);
    let seen = output::read_seen(&mut fields, report);
    let own = parameter::read_all(fields.list("inputParameters"), Owner::Consumed, report);
    let template = fields.node("body");
    let pagination = fields.entry("pagination");
    fields.finish();

    let mut parameters = parameter::inherit(own, outer);
    let body = template.and_then(|node| body::read(node, &mut parameters, context.secrets, report));
    let around = pages::Around {
        method: method.as_ref().map(|method| method.value.as_str()),
        parameters: &parameters,
        answer: &answer,
    };
    let pagination = pagination.map(|entry| pages::read(entry, &around, report));
    Some(Consumed {
        name: check_name(name?, report)?,
        title,
        description,
        method: method.map(|method| method.value).unwrap_or_default(),
        path: path.and_then(|path| path::name_variables(path, &mut parameters, report)),
        parameters,
        body,
        output_schema,
        answer,
        seen,
        credentials: credentials.map(|own| [vec![own], context.shared.credentials.clone()].concat()),
        pagination,
    })
}

fn without_duplicates(operations: Vec<Consumed>, report: &Report) -> Vec<Consumed> {
    let mut kept: Vec<Consumed> = Vec::with_capacity(operations.len());
    let mut places = std::collections::HashMap::new();
    for operation in operations {
        let name = operation.name.value.clone();
        match places.get(&name) {
            Some(earlier) => {
                report.duplicate(Code::DuplicateName, &operation.name.at, &format!("operation `{name}`"), earlier);
            }
            None => {
                places.insert(name, operation.name.at.clone());
                kept.push(operation);
            }
        }
    }
    kept
}
