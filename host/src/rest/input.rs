//! Makes an operation's input object of the parts of a request. Everything that is wrong is collected, not the first thing only.
//!
//! Values in, values out: the body has been received by then, and conforming to the schema is checked in `invoke`.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, header};
use serde_json::{Map, Value};

use super::{body::Received, query::Query};
use crate::{
    catalog::OperationRef,
    coerce::{Encoding, Texts, coerce},
    contract::{Extent, Location, Operation, Parameter, variable},
    failure::{Failure, InputProblem},
};

/// How many problems of one request are told. Enough to mend a form; a query of 10 000 unknown keys needs no more.
const MAX_PROBLEMS: usize = 20;

/// How much of a name that isn't the operation's own is repeated: enough to recognise it.
const MAX_SHOWN: usize = 100;

/// The parts of a request that inputs are made of.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The path's variables by name, still encoded.
    pub(super) variables: &'a [(String, String)],
    /// The query, without the question mark.
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Received,
}

/// What was read: the input, as far as it could be, and what was wrong.
#[derive(Debug, Default)]
pub(super) struct Input {
    values: Map<String, Value>,
    problems: Vec<InputProblem>,
    /// The inputs that were given but couldn't be read: what else is wrong with them isn't known.
    unread: HashSet<String>,
}

/// The parameters of an operation's route.
pub(super) fn parameters(operation: &Operation) -> &[Parameter] {
    operation.route.as_ref().map_or(&[], |route| &route.parameters)
}

/// Whether a parameter is filled by the body.
pub(super) fn is_in_body(parameter: &Parameter) -> bool {
    matches!(parameter.location, Location::Body | Location::BodyMember)
}

/// Whether a header field of this name fills one of its inputs.
pub(super) fn takes_header(operation: &Operation, name: &HeaderName) -> bool {
    let mut parameters = parameters(operation).iter();
    parameters.any(|it| it.location == Location::Header && it.name.eq_ignore_ascii_case(name.as_str()))
}

/// Reads the input of an operation from a request.
pub(super) fn read(operation: &Operation, source: &Source<'_>) -> Input {
    let mut input = Input::default();
    let query = match parameters(operation).iter().find(|it| it.location == Location::RawQuery) {
        Some(whole) => {
            input.give_text(whole, source.query);
            Query::default()
        }
        None => Query::parse(source.query),
    };
    for parameter in parameters(operation) {
        if let Some(rest) = rest_of_path(operation, parameter, source) {
            input.give_text(parameter, rest);
            continue;
        }
        let schema = &operation.input_schema["properties"][&parameter.input];
        match texts(parameter, &query, source) {
            Ok(Some(texts)) => input.read_texts(parameter, &texts, schema),
            Ok(None) => {}
            Err(NotText) => input.fault(parameter, None, "expected UTF-8 text"),
        }
    }
    input.refuse_unknown_keys(parameters(operation), &query);
    input.read_body(parameters(operation), source.body);
    input
}

/// What remains of the path, for the variable that stands for it: as it came, because only so it is known which slashes divide it.
fn rest_of_path<'a>(operation: &Operation, parameter: &Parameter, source: &Source<'a>) -> Option<&'a str> {
    let last = operation.route.as_ref()?.path.rsplit('/').next()?;
    let is_rest = parameter.location == Location::Path && variable(last) == Some((&parameter.name, Extent::Rest));
    let value = source.variables.iter().find(|(name, _)| is_rest && *name == parameter.name)?;
    Some(&value.1)
}

/// A header's bytes aren't UTF-8.
struct NotText;

/// The texts that a request gives for a parameter, if it gives any.
fn texts<'a>(parameter: &Parameter, query: &Query<'a>, source: &Source<'a>) -> Result<Option<Texts<'a>>, NotText> {
    let name = parameter.name.as_str();
    let (values, encoding) = match parameter.location {
        Location::Path => {
            let of_name = source.variables.iter().filter(|(variable, _)| variable == name);
            (of_name.map(|(_, value)| value.as_str()).collect(), Encoding::Path)
        }
        Location::Query => (query.values(name), Encoding::Query),
        Location::Header => (header_values(source.headers, name)?, Encoding::Header),
        Location::Cookie => (cookies(source.headers, name)?, Encoding::Cookie),
        Location::Body | Location::BodyMember | Location::RawQuery | Location::RawBody => return Ok(None),
    };
    Ok((!values.is_empty()).then_some(Texts { values, encoding }))
}

fn header_values<'a>(headers: &'a HeaderMap, name: &str) -> Result<Vec<&'a str>, NotText> {
    // A name that can't be a header's is in no request.
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        return Ok(Vec::new());
    };
    let values = headers.get_all(name).iter();
    values.map(|value| str::from_utf8(value.as_bytes()).map_err(|_| NotText)).collect()
}

fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> Result<Vec<&'a str>, NotText> {
    let fields = header_values(headers, header::COOKIE.as_str())?;
    let pairs = fields.into_iter().flat_map(|field| field.split(';'));
    let named = pairs.filter_map(|pair| pair.trim().split_once('='));
    Ok(named.filter(|(cookie, _)| *cookie == name).map(|(_, value)| value).collect())
}

impl Input {
    /// The input object, if nothing was wrong. Otherwise everything that is: the schema's word on what could be read as well.
    pub(super) fn complete(self, operation: &OperationRef) -> Result<Value, Failure> {
        let Self { values, mut problems, unread } = self;
        let values = Value::Object(values);
        if problems.is_empty() {
            return Ok(values);
        }
        if let Err(Failure::InvalidInput(more)) = operation.validate(&values) {
            problems.extend(more.into_iter().filter(|problem| !is_about(problem, &unread)));
        }
        problems.truncate(MAX_PROBLEMS);
        Err(Failure::InvalidInput(problems))
    }

    fn read_texts(&mut self, parameter: &Parameter, texts: &Texts<'_>, schema: &Value) {
        match coerce(texts, schema) {
            Ok(value) => self.give(parameter, value),
            Err(misfit) => self.fault(parameter, misfit.item, &misfit.message),
        }
    }

    fn read_body(&mut self, parameters: &[Parameter], body: &Received) {
        match body {
            // What isn't wanted is refused rather than dropped: the caller meant something by it.
            Received::Unwanted => {
                self.report(None, "the operation takes no body; got: one that isn't empty".to_owned())
            }
            Received::Unread(..) => {}
            Received::Json(text) if text.is_empty() => {}
            Received::Json(text) => match serde_json::from_slice(text) {
                Ok(document) => self.fill_from(parameters, document),
                Err(e) => self.fault_in_body(parameters, format!("the request's body is not JSON: {e}")),
            },
        }
    }

    fn fill_from(&mut self, parameters: &[Parameter], document: Value) {
        if let Some(whole) = parameters.iter().find(|it| it.location == Location::Body) {
            return self.give(whole, document);
        }
        let Value::Object(members) = document else {
            return self.fault_in_body(parameters, "the request's body is not a JSON object".to_owned());
        };
        for (name, value) in members {
            let is_named = |it: &&Parameter| it.location == Location::BodyMember && it.name == name;
            match parameters.iter().find(is_named) {
                Some(parameter) => self.give(parameter, value),
                None => self.refuse_unknown(&name, "unknown member of the request's body"),
            }
        }
    }

    fn refuse_unknown_keys(&mut self, parameters: &[Parameter], query: &Query<'_>) {
        for (name, malformed) in &query.malformed {
            self.refuse_unknown(name, &format!("the name of this query parameter {malformed}"));
        }
        let is_known = |name: &str| parameters.iter().any(|it| it.location == Location::Query && it.name == name);
        for (name, _) in query.pairs.iter().filter(|(name, _)| !is_known(name)) {
            self.refuse_unknown(name, "unknown query parameter");
        }
    }

    /// A text as it came; an empty one is absent.
    fn give_text(&mut self, parameter: &Parameter, text: &str) {
        if !text.is_empty() {
            self.give(parameter, text.into());
        }
    }

    fn give(&mut self, parameter: &Parameter, value: Value) {
        if self.values.contains_key(&parameter.input) {
            return self.fault(parameter, None, "expected in one part of the request; got: in two");
        }
        self.values.insert(parameter.input.clone(), value);
    }

    fn fault(&mut self, parameter: &Parameter, item: Option<usize>, message: &str) {
        self.unread.insert(parameter.input.clone());
        let place = match item {
            Some(item) => format!("{}/{item}", parameter.input),
            None => parameter.input.clone(),
        };
        self.report(Some(place), format!("{message} ({})", on_the_wire(parameter)));
    }

    fn fault_in_body(&mut self, parameters: &[Parameter], message: String) {
        let inputs = parameters.iter().filter(|it| is_in_body(it)).map(|it| it.input.clone());
        self.unread.extend(inputs);
        self.report(None, message);
    }

    fn refuse_unknown(&mut self, name: &str, message: &str) {
        self.report(Some(name.chars().take(MAX_SHOWN).collect()), message.to_owned());
    }

    /// Says a problem once, however often it occurs.
    fn report(&mut self, parameter: Option<String>, message: String) {
        let problem = InputProblem { parameter, message };
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Whether a problem is about one of these inputs, or about something inside of one.
fn is_about(problem: &InputProblem, inputs: &HashSet<String>) -> bool {
    let Some(path) = &problem.parameter else {
        return false;
    };
    let leads_to = |input: &String| {
        let rest = path.strip_prefix(input.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    inputs.iter().any(leads_to)
}

/// Where the caller finds what it has sent: the input may have another name on the wire.
fn on_the_wire(parameter: &Parameter) -> String {
    let name = &parameter.name;
    match parameter.location {
        Location::Path => format!("path variable {name}"),
        Location::Query => format!("query parameter {name}"),
        Location::Header => format!("header {name}"),
        Location::Cookie => format!("cookie {name}"),
        Location::Body | Location::RawBody => "request body".to_owned(),
        Location::BodyMember => format!("body member {name}"),
        Location::RawQuery => "query".to_owned(),
    }
}
