//! `forward`: requests below a path, handed on to an API that is consumed. Each method becomes an operation.
//!
//! What may be asked for is what the API's base URI and the grant allow, as for any request; the mediator adds the credentials.

use std::collections::HashSet;

use serde_json::{Map, json};

use super::assemble::effects;
use super::diagnostic::Code;
use super::model::{Consumes, Document, Forward, Hints, Parameter as Declared, Semantics, Surface};
use super::names::free_name;
use super::plan::{
    Action, Answer, Body, Call, NamedValue, PathPart, QueryParameter, QueryStyle, Request, TemplatePart, Value,
};
use super::report::Report;
use crate::{
    contract::{Location, Operation, Parameter, Route},
    grant::Destination,
};

/// The methods that are handed on; HEAD comes as GET, and OPTIONS is the host's.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// A forward whose target is found.
pub struct Handover<'a> {
    /// What the document says about it.
    pub forward: &'a Forward,
    /// The API.
    pub consumes: &'a Consumes,
    /// The methods that no operation of the same path has.
    pub methods: Vec<&'static str>,
}

/// Finds the targets of all forwards.
pub fn link<'a>(document: &'a Document, report: &Report) -> Vec<Handover<'a>> {
    document.forwards.iter().filter_map(|forward| link_one(forward, document, report)).collect()
}

fn link_one<'a>(forward: &'a Forward, document: &'a Document, report: &Report) -> Option<Handover<'a>> {
    let target = &forward.target;
    let Some(consumes) = document.consumes.iter().find(|api| api.namespace.value == target.value) else {
        let known = document.consumes.iter().map(|api| api.namespace.value.as_str());
        report
            .error(
                Code::UnknownReference,
                &target.at,
                format!("nothing that is consumed has this name: {}", target.value),
            )
            .expected("a namespace of consumes")
            .did_you_mean(&target.value, known);
        return None;
    };
    if let Some(other) = document.consumes.iter().find(|api| lies_within(api, consumes)) {
        report
            .error(
                Code::InvalidBaseUri,
                &target.at,
                format!("forward would reach another API, with its credentials: {}", other.namespace.value),
            )
            .expected("an API below whose baseUri there is no other one that has other credentials");
        return None;
    }
    Some(Handover { forward, consumes, methods: free_methods(forward, document) })
}

/// The mediator goes by the address: what is asked for below the other's base URI gets the other's credentials.
fn lies_within(api: &Consumes, outer: &Consumes) -> bool {
    let at = |it: &Consumes| Destination::parse(&it.base.as_ref()?.to_url()).ok();
    let (Some(inner), Some(base)) = (at(api), at(outer)) else { return false };
    !std::ptr::eq(api, outer) && api.credentials != outer.credentials && inner.is_within(&base)
}

/// Operations come first.
fn free_methods(forward: &Forward, document: &Document) -> Vec<&'static str> {
    let taken: HashSet<&str> = document
        .exposures
        .iter()
        .filter_map(|exposure| match &exposure.surface {
            Surface::Rest(Some(route)) if route.path.value.to_text() == forward.path => {
                Some(route.method.value.as_str())
            }
            _ => None,
        })
        .collect();
    METHODS.into_iter().filter(|method| !taken.contains(method)).collect()
}

impl Handover<'_> {
    /// Its operations, with names that are free, and what carries them out.
    pub fn operations(&self, taken: &mut HashSet<String>) -> Vec<(Operation, Action)> {
        let inputs = Inputs::of(self.forward);
        let operation = |method: &&'static str| {
            let wanted = format!("{}-{}", self.forward.name, method.to_ascii_lowercase());
            let name = free_name(&wanted, |name| taken.contains(name));
            taken.insert(name.clone());
            Some((self.operation(name, method, &inputs), self.action(method, &inputs)?))
        };
        self.methods.iter().filter_map(operation).collect()
    }

    fn operation(&self, name: String, method: &str, inputs: &Inputs) -> Operation {
        let Forward { path, title, description, .. } = self.forward;
        let target = &self.consumes.namespace.value;
        let told = || format!("Hands {method} requests below {path} on to {target}, with path, query and body");
        Operation {
            name,
            title: title.clone(),
            description: description.clone().unwrap_or_else(told),
            input_schema: inputs.schema(),
            output_schema: None,
            effects: effects(&[method], Semantics::default(), Hints::default()),
            audience: self.forward.audience,
            route: Some(Route { method: method.to_owned(), path: path.clone(), parameters: inputs.parameters(method) }),
            tool: None,
        }
    }

    fn action(&self, method: &str, inputs: &Inputs) -> Option<Action> {
        let base = self.consumes.base.as_ref()?;
        let path = match &inputs.rest {
            Some(rest) => vec![PathPart::Literal(format!("{}/", base.prefix)), PathPart::Rest(rest.clone())],
            None if base.prefix.is_empty() => vec![PathPart::Literal("/".to_owned())],
            None => vec![PathPart::Literal(base.prefix.clone())],
        };
        let always = |location: Location| {
            let shared = self.consumes.shared.iter().filter(move |it| it.location == Some(location));
            shared.filter_map(|it: &Declared| Some((it, Value::Constant(it.constant.clone()?))))
        };
        let named = |(it, value): (&Declared, Value)| NamedValue { name: it.name.value.clone(), value };
        let mut query: Vec<QueryParameter> = always(Location::Query)
            .map(|(it, value)| QueryParameter { name: it.name.value.clone(), value, style: it.style })
            .collect();
        let value = Value::Input(inputs.query.clone());
        query.insert(0, QueryParameter { name: inputs.query.clone(), value, style: QueryStyle::Verbatim });
        let mut headers: Vec<NamedValue> = always(Location::Header).map(named).collect();
        for (input, name) in &inputs.headers {
            if headers.iter().all(|it| !it.name.eq_ignore_ascii_case(name)) {
                headers.push(NamedValue { name: name.clone(), value: text(input) });
            }
        }
        let request = Request {
            method: method.to_owned(),
            scheme: base.scheme.clone(),
            authority: base.authority.clone(),
            path,
            query,
            headers,
            cookies: always(Location::Cookie).map(named).collect(),
            body: if takes_body(method) { Body::Streamed } else { Body::Empty },
        };
        Some(Action::Call(Box::new(Call { request, answer: Answer::HandedOn })))
    }
}

/// A header's value is text, whatever it looks like.
fn text(input: &str) -> Value {
    Value::Template(vec![TemplatePart::Input(input.to_owned())])
}

/// A body of the others means nothing (RFC 9110, 9.3), and some servers take it for the next request.
fn takes_body(method: &str) -> bool {
    method != "GET"
}

/// The names of a forward's inputs, each of them once.
struct Inputs {
    rest: Option<String>,
    query: String,
    /// Each with the header's name.
    headers: Vec<(String, String)>,
}

impl Inputs {
    fn of(forward: &Forward) -> Self {
        let mut taken: HashSet<String> = forward.rest.iter().cloned().collect();
        let mut free = |wanted: &str| {
            let name = free_name(wanted, |name| taken.contains(name));
            taken.insert(name.clone());
            name
        };
        let query = free("query");
        let headers = forward.headers.iter().map(|name| (free(name), name.clone())).collect();
        Self { rest: forward.rest.clone(), query, headers }
    }

    fn schema(&self) -> serde_json::Value {
        let mut properties = Map::new();
        if let Some(rest) = &self.rest {
            let description = "The rest of the path, encoded; it never leads out of the API";
            properties.insert(rest.clone(), json!({"type": "string", "minLength": 1, "description": description}));
        }
        properties.insert(self.query.clone(), json!({"type": "string", "description": "The query, encoded"}));
        for (input, _) in &self.headers {
            properties.insert(input.clone(), json!({"type": "string"}));
        }
        let required: Vec<&String> = self.rest.iter().collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }

    fn parameters(&self, method: &str) -> Vec<Parameter> {
        let parameter =
            |input: &str, location, name: &str| Parameter { input: input.to_owned(), location, name: name.to_owned() };
        let mut parameters: Vec<Parameter> =
            self.rest.iter().map(|rest| parameter(rest, Location::Path, rest)).collect();
        parameters.push(parameter(&self.query, Location::RawQuery, &self.query));
        parameters.extend(self.headers.iter().map(|(input, name)| parameter(input, Location::Header, name)));
        if takes_body(method) {
            parameters.push(parameter("", Location::RawBody, ""));
        }
        parameters
    }
}
