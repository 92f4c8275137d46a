//! An operation of a description -> an operation of a document: its path, its name, its words, its parameters.

use serde_json::Value;

use super::{
    ImportError, Options, body,
    fit::Wanted,
    form::Form,
    names::{self, Taken},
    notes::Notes,
    parameter::{self, Parameter},
    place::Place,
    response,
    schema::tidy,
    select::Chosen,
    server,
    source::Source,
};
use crate::document::PathTemplate;

/// An API: what has one address.
#[derive(Debug)]
pub struct Api {
    /// How `call` names it.
    pub namespace: String,
    /// Its address.
    pub base: String,
    /// Its operations, in the order of the description.
    pub operations: Vec<Operation>,
}

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// Where it stands in the description.
    pub place: String,
    /// The HTTP method in capitals.
    pub method: String,
    /// The upstream's path.
    pub path: String,
    /// Its name, as an operation and as a tool.
    pub name: String,
    /// A few words.
    pub title: Option<String>,
    /// What it does, for the agent that has to choose.
    pub description: String,
    /// What it takes.
    pub parameters: Vec<Parameter>,
    /// How its inputs in the body are sent, if not as JSON.
    pub form: Option<Form>,
    /// What it promises.
    pub output: Option<Wanted>,
    /// What the description demands of whoever calls it; `None` = what it demands of all.
    pub security: Option<Value>,
}

/// Reads operations, and puts those of one address together.
///
/// # Errors
/// There is no usable address.
pub fn read_all(
    source: &Source,
    chosen: Vec<Chosen<'_>>,
    namespace: &str,
    options: &Options,
    notes: &mut Notes,
) -> Result<Vec<Api>, ImportError> {
    let mut apis: Vec<Api> = Vec::new();
    let (mut names, mut namespaces) = (Taken::default(), Taken::default());
    let mut unusable = None;
    for chosen in chosen {
        let base = match server::base(source, &chosen, options, notes) {
            Ok(base) => base,
            Err(reason) => {
                notes.say(&chosen.place(), format!("left out: its address can't be used: {reason}"));
                unusable = Some(reason);
                continue;
            }
        };
        let operation = match read(source, &chosen, &mut names, notes) {
            Ok(operation) => operation,
            Err(reason) => {
                notes.say(&chosen.place(), format!("left out: {reason}"));
                continue;
            }
        };
        match apis.iter_mut().find(|api| api.base == base) {
            Some(api) => api.operations.push(operation),
            None => apis.push(Api { namespace: namespaces.take(namespace), base, operations: vec![operation] }),
        }
    }
    match (apis.is_empty(), unusable) {
        (true, Some(reason)) => Err(ImportError::Server(reason)),
        _ => Ok(apis),
    }
}

fn read(source: &Source, chosen: &Chosen<'_>, names: &mut Taken, notes: &mut Notes) -> Result<Operation, String> {
    let place = chosen.place();
    let template = PathTemplate::parse(chosen.path).map_err(|reason| format!("its path can't be used, {reason}"))?;
    let variables = variables(&template);
    let mut parameters = parameter::read_all(source, chosen, &variables, notes)?;
    let body = body::read(source, chosen, notes)?;
    parameters.extend(body.parameters);
    parameter::name_inputs(&mut parameters);
    note_what_is_left(chosen, notes);
    let title = text_of(chosen.operation, "summary").or_else(|| text_of(chosen.item, "summary"));
    Ok(Operation {
        method: chosen.method.clone(),
        path: template.to_text(),
        name: names.take(&name(chosen)),
        description: description(chosen, title.as_deref()),
        title: title.map(|it| it.lines().next().unwrap_or_default().to_owned()),
        parameters,
        form: body.form,
        output: response::read(source, chosen, notes),
        security: chosen.operation.get("security").cloned(),
        place,
    })
}

fn variables(template: &PathTemplate) -> Vec<String> {
    let mut variables: Vec<String> = Vec::new();
    for name in template.variables() {
        if !variables.iter().any(|known| known == name) {
            variables.push(name.to_owned());
        }
    }
    variables
}

/// What the description calls it, else its method and path.
fn name(chosen: &Chosen<'_>) -> String {
    let own = chosen.id().and_then(names::kebab);
    let told = || names::kebab(&format!("{} {}", chosen.method, chosen.path));
    own.or_else(told).unwrap_or_else(|| chosen.method.to_ascii_lowercase())
}

/// The summary and the description, for somebody who reads nothing else.
fn description(chosen: &Chosen<'_>, title: Option<&str>) -> String {
    let own = text_of(chosen.operation, "description").or_else(|| text_of(chosen.item, "description"));
    let told = match (title, own) {
        (Some(title), Some(own)) if !own.starts_with(title) => {
            let stop = if title.ends_with(['.', '!', '?', ':']) { "" } else { "." };
            format!("{title}{stop}\n\n{own}")
        }
        (_, Some(own)) => own,
        (Some(title), None) => title.to_owned(),
        (None, None) => format!("{} {}", chosen.method, chosen.path),
    };
    match chosen.operation.get("deprecated") {
        Some(Value::Bool(true)) => format!("Deprecated. {told}"),
        _ => told,
    }
}

fn text_of(owner: &Value, key: &str) -> Option<String> {
    owner.get(key).and_then(Value::as_str).map(tidy).filter(|text| !text.is_empty())
}

fn note_what_is_left(chosen: &Chosen<'_>, notes: &mut Notes) {
    const READ: [&str; 13] = [
        "tags",
        "summary",
        "description",
        "operationId",
        "parameters",
        "requestBody",
        "responses",
        "deprecated",
        "security",
        "servers",
        "consumes",
        "produces",
        "schemes",
    ];
    let place = Place::whole(chosen.place());
    for key in chosen.operation.as_object().into_iter().flatten().map(|(key, _)| key) {
        if !READ.contains(&key.as_str()) {
            notes.left_out(key, &place);
        }
    }
}
