//! What can go wrong, as components of a document: a schema for each type of problem, a response for each status.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    failure::Cause,
    rest::kind::{Kind, URN},
};

/// The statuses that only requests with a body can have.
const OF_BODIES: [u16; 3] = [408, 413, 415];

/// What is told where there is no operation, and what an operation tells of its upstream: what no other response is about.
const OTHERS: [Kind; 3] = [Kind::Call(Cause::UpstreamError), Kind::NoSuchRoute, Kind::MethodNotAllowed];

/// The schemas of all problems: the one that all share, and one for each type.
pub(super) fn schemas() -> Map<String, Value> {
    let types = Kind::all().map(|kind| (name(kind), of_kind(kind)));
    std::iter::once(("Problem".to_owned(), problem())).chain(types).collect()
}

/// A response for each status that an operation has of its own, and one for all others.
pub(super) fn responses() -> Map<String, Value> {
    let own = by_status().into_iter().map(|(status, kinds)| (response_name(status), response(&kinds)));
    own.chain([("ProblemOther".to_owned(), response(&OTHERS))]).collect()
}

/// The responses of an operation to what goes wrong.
pub(super) fn of_operation(has_body: bool) -> impl Iterator<Item = (String, Value)> {
    let statuses = by_status().into_keys();
    let possible = statuses.filter(move |it| has_body || !OF_BODIES.contains(it));
    let own = possible.map(|it| (it.to_string(), reference(&response_name(it))));
    own.chain([("default".to_owned(), reference("ProblemOther"))])
}

fn by_status() -> BTreeMap<u16, Vec<Kind>> {
    let mut by_status = BTreeMap::<u16, Vec<Kind>>::new();
    for kind in Kind::all().filter(|it| !OTHERS.contains(it)) {
        if let Some(status) = kind.status() {
            by_status.entry(status.as_u16()).or_default().push(kind);
        }
    }
    by_status
}

fn response_name(status: u16) -> String {
    format!("Problem{status}")
}

fn reference(response: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{response}")})
}

/// An error of an upstream has the same statuses, and is passed on as it came if it is JSON: also in the form of a problem.
fn response(kinds: &[Kind]) -> Value {
    let titles: Vec<&str> = kinds.iter().map(|it| it.title()).collect();
    let schemas = kinds.iter().map(|it| name(*it)).chain(["Problem".to_owned()]);
    let any: Vec<Value> = schemas.map(|it| json!({"$ref": format!("#/components/schemas/{it}")})).collect();
    let examples: Map<String, Value> =
        kinds.iter().map(|it| (it.name().to_owned(), json!({"value": example(*it)}))).collect();
    json!({
        "description": format!("{}; or an upstream's own error.", titles.join("; ")),
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
        "content": {
            "application/problem+json": {"schema": {"anyOf": any}, "examples": examples},
            "application/*": {"schema": {"description": "An upstream's error in JSON, as it came."}},
        },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "A problem by RFC 9457.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "Which problem it is."},
            "title": {"type": "string", "description": "The same for each problem of the type."},
            "status": {"type": "integer", "description": "The status of the answer."},
            "detail": {"type": "string", "description": "What happened, and what to do about it."},
            "instance": {"type": "string", "format": "uri-reference", "description": "The id of the request."},
        },
    })
}

fn of_kind(kind: Kind) -> Value {
    let mut properties = json!({"type": {"const": format!("{URN}{}", kind.name())}, "title": {"const": kind.title()}});
    if let Some(status) = kind.status() {
        properties["status"] = json!({"const": status.as_u16()});
    }
    for (member, schema) in members(kind) {
        properties[member] = schema;
    }
    json!({
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "type": "object",
        "properties": properties,
        "required": ["type", "title", "status", "detail", "instance"],
    })
}

/// The members that a type of problem has beside the ones of the RFC.
fn members(kind: Kind) -> Vec<(&'static str, Value)> {
    let text = |description: &str| json!({"type": "string", "description": description});
    let Kind::Call(cause) = kind else { return Vec::new() };
    let mut members = vec![("plugin", text("Whose operation it is.")), ("operation", text("Which operation."))];
    match cause {
        Cause::InvalidInput => members.push((
            "errors",
            json!({
                "type": "array",
                "description": "Everything that is wrong with the input.",
                "items": {
                    "type": "object",
                    "properties": {
                        "parameter": {"type": ["string", "null"], "description": "The input, with the path inside it; null if it is no single one."},
                        "message": text("What is wrong and what was expected."),
                    },
                    "required": ["parameter", "message"],
                },
            }),
        )),
        Cause::Denied => {
            members.push(("rule", text("The rule that forbids the request.")));
            members.push(("hint", text("What would allow it.")));
        }
        Cause::UpstreamError => {
            members.push(("upstream_status", json!({"type": "integer", "description": "The upstream's status."})));
        }
        _ => {}
    }
    members
}

fn example(kind: Kind) -> Value {
    let status = kind.status().map_or(404, |it| it.as_u16());
    let mut example = json!({
        "type": format!("{URN}{}", kind.name()),
        "title": kind.title(),
        "status": status,
        "detail": "what happened here, and what to do about it",
        "instance": "d41c7a0de88b2f10-42",
    });
    match kind {
        Kind::Call(Cause::InvalidInput) => {
            example["errors"] = json!([{"parameter": "id", "message": "is required and missing"}]);
        }
        Kind::Call(Cause::UpstreamError) => example["upstream_status"] = status.into(),
        Kind::Call(Cause::Denied) => {
            example["rule"] = "host-not-granted".into();
            example["hint"] = "add to airlock.toml:\n[grants.p]\nhosts = [\"https://api.example.com\"]".into();
        }
        _ => {}
    }
    example
}

/// `invalid-input` as `InvalidInputProblem`.
fn name(kind: Kind) -> String {
    let words = kind.name().split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect::<String>() + "Problem"
}
