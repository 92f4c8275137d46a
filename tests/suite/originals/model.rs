//! What a document means, told a second time and as simply as possible: the requests that callers make of each operation, and the
//! request that the upstream must see. Only what the original documents use: path, query and body, `with` that names inputs.
//!
//! Nothing of the product is used here, or one mistake would be made twice and never be found.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::harness::{Query, Seen};

/// A document's operations, and what its grant must hold.
pub struct Document {
    /// `https://host`.
    pub origin: String,
    /// The names of the secrets.
    pub secrets: Vec<String>,
    pub calls: Vec<Call>,
}

/// One call of one operation over one door.
pub struct Call {
    /// `namespace.operation`.
    pub operation: String,
    pub door: Door,
    pub expected: Expected,
}

pub enum Door {
    Rest { method: String, path: String, body: Option<Value> },
    Mcp { tool: String, arguments: Value },
}

/// The request that the upstream must see.
#[derive(Debug, PartialEq)]
pub struct Expected {
    method: String,
    path: String,
    /// Sorted by name, so that the order of the parameters doesn't matter, but that of an array's items does.
    query: Vec<String>,
    body: Option<Value>,
    /// Every field that could be a credential.
    credentials: Vec<String>,
    /// Whether the body's length is unknown: some upstreams can't read such a request, and none expects it where there is no body.
    chunked: bool,
}

/// What the operator grants under a secret's name.
pub fn secret(name: &str) -> String {
    format!("granted-as-{name}")
}

/// Reads a document.
pub fn read(text: &str) -> Document {
    let document: Value = serde_saphyr::from_str(text).expect("YAML");
    let capability = &document["capability"];
    let consumed = &capability["consumes"][0];
    let base = text_of(&consumed["baseUri"]);
    let host_at = base.find("://").expect("a scheme") + 3;
    let path_at = base[host_at..].find('/').map_or(base.len(), |at| host_at + at);
    let (origin, prefix) = base.split_at(path_at);
    let binds = list(&document["binds"]).iter().flat_map(|it| it["keys"].as_object().expect("keys").keys());
    let mut calls = Vec::new();
    for exposed in list(&capability["exposes"]) {
        for resource in list(&exposed["resources"]) {
            for operation in list(&resource["operations"]) {
                calls.push(rest(consumed, prefix, &text_of(&resource["path"]), operation));
            }
        }
        calls.extend(list(&exposed["tools"]).iter().map(|tool| mcp(consumed, prefix, tool)));
    }
    Document { origin: origin.to_owned(), secrets: binds.cloned().collect(), calls }
}

/// A consumed operation with a value for each of its parameters.
struct Target<'a> {
    consumed: &'a Value,
    prefix: &'a str,
    path: String,
    operation: &'a Value,
    /// Parameter, the input that feeds it, the value.
    values: Vec<(&'a Value, String, Value)>,
}

impl<'a> Target<'a> {
    fn of(consumed: &'a Value, prefix: &'a str, exposed: &Value) -> Self {
        let call = text_of(&exposed["call"]);
        let (_, name) = call.split_once('.').expect("namespace.operation");
        for resource in list(&consumed["resources"]) {
            let Some(operation) = list(&resource["operations"]).iter().find(|it| it["name"] == name) else {
                continue;
            };
            let parameters = list(&operation["inputParameters"]).iter();
            let fed = parameters.filter_map(|it| Some((it, input(exposed, &text_of(&it["name"]))?)));
            let values = fed.map(|(it, input)| (it, input, value(it)));
            let values = values.collect();
            return Self { consumed, prefix, path: text_of(&resource["path"]), operation, values };
        }
        panic!("no such operation: {call}");
    }

    fn of_location(&self, location: &str) -> impl Iterator<Item = &(&'a Value, String, Value)> {
        self.values.iter().filter(move |(parameter, ..)| parameter["in"] == location)
    }

    fn expected(&self) -> Expected {
        let mut path = format!("{}{}", self.prefix, self.path);
        for (parameter, _, value) in self.of_location("path") {
            let variable = format!("{{{}}}", text_of(&parameter["name"]));
            path = path.replace(&variable, &encode(&text(value)));
        }
        let pairs = self.of_location("query").flat_map(|(parameter, _, value)| {
            let name = encode(&text_of(&parameter["name"]));
            match value {
                Value::Array(items) if parameter["explode"] == false => {
                    let items: Vec<String> = items.iter().map(|item| encode(&text(item))).collect();
                    vec![format!("{name}={}", items.join(","))]
                }
                Value::Array(items) => items.iter().map(|item| format!("{name}={}", encode(&text(item)))).collect(),
                scalar => vec![format!("{name}={}", encode(&text(scalar)))],
            }
        });
        Expected {
            method: text_of(&self.operation["method"]),
            path,
            query: sorted(pairs.collect()),
            body: self.of_location("body").map(|(.., value)| value.clone()).next(),
            credentials: credential(&self.consumed["authentication"]).into_iter().collect(),
            chunked: false,
        }
    }
}

/// The input that feeds a parameter: the one that `with` names, or the one of its name where there is no `with`.
fn input(exposed: &Value, parameter: &str) -> Option<String> {
    let Some(with) = exposed.get("with") else {
        return Some(parameter.to_owned());
    };
    let (_, input) = with[parameter].as_str()?.split_once('.').expect("door.input");
    Some(input.to_owned())
}

fn rest(consumed: &Value, prefix: &str, path: &str, exposed: &Value) -> Call {
    let target = Target::of(consumed, prefix, exposed);
    let (mut path, mut query) = (path.to_owned(), Query::default());
    for (parameter, input, value) in &target.values {
        if parameter["in"] == "path" {
            let variable = variables(&path).into_iter().find(|it| plain(it) == plain(input));
            let variable = variable.unwrap_or_else(|| panic!("no variable for {input} in {path}"));
            path = path.replace(&format!("{{{variable}}}"), &encode(&text(value)));
        }
        if parameter["in"] == "query" {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            query = values.iter().fold(query, |query, value| query.pair(input, &text(value)));
        }
    }
    Call {
        operation: text_of(&exposed["call"]),
        door: Door::Rest {
            method: text_of(&exposed["method"]),
            path: format!("{path}{}", query.text()),
            body: target.of_location("body").map(|(.., value)| value.clone()).next(),
        },
        expected: target.expected(),
    }
}

fn mcp(consumed: &Value, prefix: &str, exposed: &Value) -> Call {
    let target = Target::of(consumed, prefix, exposed);
    let arguments: Map<String, Value> =
        target.values.iter().map(|(_, input, value)| (input.clone(), value.clone())).collect();
    Call {
        operation: text_of(&exposed["call"]),
        door: Door::Mcp { tool: text_of(&exposed["name"]), arguments: arguments.into() },
        expected: target.expected(),
    }
}

impl Expected {
    /// The same parts of a request that was seen.
    pub fn of(seen: &Seen) -> Self {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let pairs = query.split('&').filter(|it| !it.is_empty()).map(str::to_owned);
        let credentials =
            ["authorization", "x-auth-token", "cookie", "proxy-authorization"].into_iter().filter_map(|name| {
                let value = seen.headers.get(name)?.to_str().expect("text");
                Some(format!("{name}: {value}"))
            });
        let body = (!seen.body.is_empty()).then(|| serde_json::from_slice(&seen.body).expect("a JSON body"));
        if body.is_some() {
            assert_eq!(seen.headers["content-type"], "application/json");
        }
        Self {
            method: seen.method.clone(),
            path: path.to_owned(),
            query: sorted(pairs.collect()),
            body,
            credentials: credentials.collect(),
            chunked: seen.headers.contains_key("transfer-encoding"),
        }
    }
}

/// A value of the parameter's type, with whatever an encoding could get wrong.
fn value(parameter: &Value) -> Value {
    value_of(parameter, &text_of(&parameter["name"]))
}

/// The same for a schema of whatever has this name.
fn value_of(parameter: &Value, name: &str) -> Value {
    if let Some(first) = list(&parameter["enum"]).first() {
        return first.clone();
    }
    match parameter["type"].as_str() {
        Some("string") if parameter["format"] == "uuid" => json!("9b2ca0d4-31a0-4d6c-9ad5-6c1d0f3a2b11"),
        Some("string") if parameter["format"] == "date-time" => json!("2026-11-22T18:00:00.5+01:00"),
        Some("array") if is_particular(&parameter["items"]) => json!([value_of(&parameter["items"], name)]),
        Some("object") if parameter["properties"].is_object() => {
            let members = parameter["properties"].as_object().expect("members").iter();
            members.map(|(name, schema)| (name.clone(), value_of(schema, name))).collect()
        }
        Some("integer") => json!(7),
        Some("number") => json!(0.5),
        Some("boolean") => json!(true),
        Some("array") => json!(["one", "two, three", "a/b&c=d e+f"]),
        Some("object") => {
            json!({"name": "Žofie \"Q\" \\ ", "count": 3, "nested": {"list": [1, 2.5, null, {}], "empty": ""}})
        }
        _ => json!(format!("{name} ä/ü?&=,+%41#;")),
    }
}

/// Whether the items of a list are something else than any text.
fn is_particular(items: &Value) -> bool {
    items["enum"].is_array() || items["type"].as_str().is_some_and(|kind| kind != "string")
}

fn credential(authentication: &Value) -> Option<String> {
    let filled = |template: &Value| {
        let template = text_of(template);
        let name = template.trim_start_matches("{{env.").trim_end_matches("}}");
        secret(name)
    };
    match authentication["type"].as_str()? {
        "bearer" => Some(format!("authorization: Bearer {}", filled(&authentication["token"]))),
        "apikey" => {
            Some(format!("{}: {}", text_of(&authentication["key"]).to_lowercase(), filled(&authentication["value"])))
        }
        other => panic!("the model doesn't know {other}"),
    }
}

/// RFC 3986, unreserved characters only.
fn encode(text: &str) -> String {
    const REST: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, REST).to_string()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn sorted(mut pairs: Vec<String>) -> Vec<String> {
    pairs.sort_by(|a, b| a.split('=').next().cmp(&b.split('=').next()));
    pairs
}

fn variables(path: &str) -> Vec<String> {
    let parts = path.split('{').skip(1);
    parts.filter_map(|it| it.split_once('}').map(|(name, _)| name.to_owned())).collect()
}

fn plain(name: &str) -> String {
    name.replace(['-', '_'], "").to_lowercase()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("expected a text: {value}")).to_owned()
}
