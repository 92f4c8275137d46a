//! Operations that are made up, the document that says what they are, and what becomes of an input: told from the rules of the format, not
//! from the product.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, any},
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Map, Value, json};

use crate::harness::Seen;

/// Texts in which an encoding could go wrong. None begins or ends with a space: header fields have none there.
const TEXTS: [&str; 11] =
    ["", "a", ".", "..", "ä/ü?&=,+%41#;", "a\nb", "x y", "%2e%2e", "\"q\" \\ </p>", "{{orgId}} {x}", "\u{1f600}"];
/// Texts that travel as they are, wherever they stand.
const PLAIN: [&str; 4] = ["de", "a-1", "0", "true"];

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Path,
    Query,
    /// The items of an array between these.
    Joined(&'static str, &'static str),
    Header,
    Cookie,
    Body,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Choice,
    Integer,
    Number,
    Truth,
    Texts,
    Integers,
    Object,
}

#[derive(Clone, Debug)]
struct Parameter {
    name: &'static str,
    /// The input that feeds it.
    input: String,
    place: Place,
    kind: Kind,
    required: bool,
}

/// An operation.
#[derive(Clone, Debug)]
pub struct Operation {
    pub method: &'static str,
    parameters: Vec<Parameter>,
    /// Whether the exposed things say what feeds what, or it goes by the names.
    says_with: bool,
}

/// What of a request matters.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    method: String,
    target: String,
    /// Those that the document can set.
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// Some operations.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 2..6)
}

fn operation() -> impl Strategy<Value = Operation> {
    let method = select(&["GET", "DELETE", "POST", "PUT", "PATCH"][..]);
    (method, parameters(), any::<bool>()).prop_map(|(method, mut parameters, says_with)| {
        parameters.retain(|it| it.place != Place::Body || method.starts_with('P'));
        if !says_with {
            parameters.iter_mut().for_each(|it| it.input = it.name.to_owned());
        }
        Operation { method, parameters, says_with }
    })
}

fn parameters() -> impl Strategy<Value = Vec<Parameter>> {
    let scalars = || select(vec![Kind::Text, Kind::Choice, Kind::Integer, Kind::Number, Kind::Truth]);
    let arrays = || select(vec![Kind::Texts, Kind::Integers]);
    let all =
        || select(vec![Kind::Text, Kind::Choice, Kind::Integer, Kind::Number, Kind::Truth, Kind::Texts, Kind::Object]);
    let some = |names: &'static [&'static str], place: BoxedStrategy<(Place, Kind)>| {
        let names = subsequence(names, 0..=names.len());
        names.prop_flat_map(move |names| {
            let each = names.into_iter().map(|name| {
                let renamed =
                    any::<bool>().prop_map(move |it| if it { format!("in-{}", plain(name)) } else { name.to_owned() });
                (renamed, place.clone(), any::<bool>()).prop_map(move |(input, (place, kind), required)| {
                    // A header's name is its input's, where REST is concerned.
                    let input = if matches!(place, Place::Header | Place::Cookie) { name.to_owned() } else { input };
                    Parameter { name, input, place, kind, required: required || place == Place::Path }
                })
            });
            each.collect::<Vec<_>>()
        })
    };
    let joined = select(vec![
        Place::Joined(",", "form"),
        Place::Joined("%20", "spaceDelimited"),
        Place::Joined("%7C", "pipeDelimited"),
    ]);
    let in_query = (Just(Place::Query), scalars()).boxed();
    let lists = (Just(Place::Query), arrays()).boxed();
    (
        some(&["orgId", "connection-id", "unit_no"], (Just(Place::Path), scalars()).boxed()),
        some(&["filter[kind]", "page-size", "a.b"], in_query),
        some(&["ids", "tags"], lists),
        some(&["fields"], (joined, arrays()).boxed()),
        some(&["X-Trace", "x-count"], (Just(Place::Header), scalars()).boxed()),
        some(&["lang"], (Just(Place::Cookie), scalars()).boxed()),
        some(&["payload", "note", "Rest"], (Just(Place::Body), all()).boxed()),
    )
        .prop_map(|parts| [parts.0, parts.1, parts.2, parts.3, parts.4, parts.5, parts.6].concat())
}

/// The document.
pub fn document(number: usize, operations: &[Operation]) -> Value {
    let each = || operations.iter().enumerate();
    let consumed = each().map(|(at, it)| {
        json!({"name": format!("r{at}"), "path": it.path(at), "operations": [{
            "name": format!("op{at}"), "method": it.method, "description": "Does something.",
            "inputParameters": it.parameters.iter().map(Parameter::declaration).collect::<Vec<_>>(),
        }]})
    });
    let exposed = |it: &Operation, at: usize, prefix: &str, more: Value| {
        let mut exposed = json!({"call": format!("api.op{at}"), "description": "Does something."});
        if it.says_with {
            let with = it.parameters.iter().map(|it| (it.name.to_owned(), json!(format!("{prefix}.{}", it.input))));
            exposed["with"] = Value::Object(with.collect());
        }
        exposed.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        exposed
    };
    let rest = each().map(|(at, it)| {
        let more = json!({"method": it.method, "name": format!("op{at}")});
        json!({"name": format!("r{at}"), "path": it.exposed_path(number, at), "operations": [exposed(it, at, "rest", more)]})
    });
    let tools = each().map(|(at, it)| exposed(it, at, "tools", json!({"name": format!("tool-{at}")})));
    json!({
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Generated", "description": "Made up."},
        "capability": {
            "consumes": [{
                "type": "http", "namespace": "api", "baseUri": "http://upstream.test/base",
                "resources": consumed.collect::<Vec<_>>(),
            }],
            "exposes": [
                {"type": "rest", "namespace": "generated-rest", "resources": rest.collect::<Vec<_>>()},
                {"type": "mcp", "namespace": "generated-mcp", "tools": tools.collect::<Vec<_>>()},
            ],
        },
    })
}

impl Parameter {
    fn declaration(&self) -> Value {
        let place = match self.place {
            Place::Path => "path",
            Place::Query | Place::Joined(..) => "query",
            Place::Header => "header",
            Place::Cookie => "cookie",
            Place::Body => "body",
        };
        let mut it = self.kind.schema();
        it["name"] = json!(self.name);
        it["in"] = json!(place);
        it["required"] = json!(self.required);
        it["description"] = json!("Something.");
        if let Place::Joined(_, style) = self.place {
            it["style"] = json!(style);
            it["explode"] = json!(false);
        }
        it
    }

    /// A value that it takes, if it isn't a bad one by chance.
    fn good(&self) -> BoxedStrategy<Value> {
        let travels = !matches!(self.place, Place::Header | Place::Cookie);
        let text = if travels { select(&TEXTS[..]) } else { select(&PLAIN[..]) };
        let item = select(vec!["a", "b,c", "d e", "&=", "ü"]);
        match self.kind {
            Kind::Text => text.prop_map(Value::from).boxed(),
            Kind::Choice => select(&["one", "two & three"][..]).prop_map(Value::from).boxed(),
            Kind::Integer => (0..1000i64).prop_map(Value::from).boxed(),
            Kind::Number => select(vec![0.5, -2.25, 1e-3]).prop_map(Value::from).boxed(),
            Kind::Truth => any::<bool>().prop_map(Value::from).boxed(),
            Kind::Texts => vec(item, 1..4).prop_map(Value::from).boxed(),
            Kind::Integers => vec(0..9i64, 1..4).prop_map(Value::from).boxed(),
            Kind::Object => select(vec![json!({}), json!({"a": [1, null, {"b": "ü\""}]})]).boxed(),
        }
    }
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Choice => json!({"type": "string", "enum": ["one", "two & three"]}),
            Self::Integer => json!({"type": "integer", "minimum": 0}),
            Self::Number => json!({"type": "number"}),
            Self::Truth => json!({"type": "boolean"}),
            Self::Texts => json!({"type": "array"}),
            Self::Integers => json!({"type": "array", "items": {"type": "integer"}}),
            Self::Object => json!({"type": "object"}),
        }
    }

    fn takes(self, value: &Value) -> bool {
        let all = |is: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(is));
        match self {
            Self::Text => value.is_string(),
            Self::Choice => value == "one" || value == "two & three",
            Self::Integer => value.is_u64(),
            Self::Number => value.is_number(),
            Self::Truth => value.is_boolean(),
            Self::Texts => all(Value::is_string),
            Self::Integers => all(Value::is_i64),
            Self::Object => value.is_object(),
        }
    }
}

impl Operation {
    fn path(&self, at: usize) -> String {
        let variables = self.at(Place::Path).map(|it| format!("/{{{}}}", it.name));
        std::iter::once(format!("/things/{at}")).chain(variables).collect()
    }

    /// Its variables are spelled otherwise than the inputs.
    fn exposed_path(&self, number: usize, at: usize) -> String {
        let variables = self.at(Place::Path).map(|it| format!("/{{{}}}", plain(&it.input)));
        std::iter::once(format!("/g{number}/{at}")).chain(variables).collect()
    }

    fn at(&self, place: Place) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(move |it| it.place == place)
    }

    /// Inputs: for each parameter a good value mostly, else none or any; and sometimes a member that nobody has asked for.
    pub fn inputs(&self) -> impl Strategy<Value = Map<String, Value>> + use<> {
        let anything = select(vec![
            json!(null),
            json!(""),
            json!("7"),
            json!(-1),
            json!(1.5),
            json!(true),
            json!([]),
            json!(["x", 1]),
            json!({"x": 1}),
        ]);
        let members = self.parameters.iter().map(|it| {
            let (input, good) = (it.input.clone(), it.good());
            let chance = (0..20u8, good, anything.clone());
            chance.prop_map(move |(chance, good, any)| match chance {
                0..=15 => Some((input.clone(), good)),
                16..=18 => None,
                _ => Some((input.clone(), any)),
            })
        });
        let members: Vec<_> = members.collect();
        let unknown = option::weighted(0.05, Just(("nobody-asked".to_owned(), json!(1))));
        (members, unknown).prop_map(|(members, unknown)| members.into_iter().flatten().chain(unknown).collect())
    }

    /// What the upstream must see; `None` for an input that must be refused.
    pub fn expected(&self, at: usize, input: &Map<String, Value>) -> Option<Request> {
        let is_known = |name: &String| self.parameters.iter().any(|it| it.input == *name);
        let takes = |it: &Parameter| input.get(&it.input).map_or(!it.required, |value| it.kind.takes(value));
        if !input.keys().all(is_known) || !self.parameters.iter().all(takes) {
            return None;
        }
        let given = |it: &Parameter| input.get(&it.input).map(text);
        let mut target = format!("/base/things/{at}");
        for it in self.at(Place::Path) {
            // The mediator reads a path as an upstream might that decodes it once more.
            let climbs = |value: &str| matches!(&*percent_decode_str(value).decode_utf8_lossy(), "" | "." | "..");
            let value = given(it).filter(|value| !climbs(value) && !value.contains(char::is_control))?;
            target = format!("{target}/{}", encode(&value));
        }
        let pairs: Vec<String> = self.parameters.iter().flat_map(|it| pairs(it, input.get(&it.input))).collect();
        if !pairs.is_empty() {
            target = format!("{target}?{}", pairs.join("&"));
        }
        let mut headers = Vec::new();
        for it in self.at(Place::Header) {
            headers.extend(given(it).map(|value| (it.name.to_lowercase(), value)));
        }
        let cookies: Vec<String> =
            self.at(Place::Cookie).filter_map(|it| Some(format!("{}={}", it.name, encode(&given(it)?)))).collect();
        if !cookies.is_empty() {
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        if headers.iter().any(|(_, value)| value.contains(char::is_control)) {
            return None;
        }
        headers.sort();
        Some(Request { method: self.method.to_owned(), target, headers, body: self.body(input, |it| it.name) })
    }

    /// The same input as an HTTP request: path, header fields, body.
    pub fn over_rest(&self, at: (usize, usize), input: &Map<String, Value>) -> (String, Vec<(String, String)>, String) {
        let (number, at) = at;
        let variables = self.at(Place::Path).map(|it| format!("/{}", encode(&text(&input[&it.input]))));
        let mut path: String = std::iter::once(format!("/g{number}/{at}")).chain(variables).collect();
        let mut query = Vec::new();
        let mut headers = Vec::new();
        for it in &self.parameters {
            let Some(value) = input.get(&it.input) else { continue };
            match it.place {
                Place::Query | Place::Joined(..) => query.extend(repeated(&it.input, value)),
                Place::Header => headers.push((it.input.clone(), text(value))),
                Place::Cookie => headers.push(("cookie".to_owned(), format!("{}={}", it.input, text(value)))),
                Place::Path | Place::Body => {}
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let body = self.body(input, |it| &it.input);
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        (path, headers, body.map(|it| it.to_string()).unwrap_or_default())
    }

    /// One parameter is the whole body, several are members of it.
    fn body<'a>(&'a self, input: &Map<String, Value>, name: impl Fn(&'a Parameter) -> &'a str) -> Option<Value> {
        let all: Vec<&Parameter> = self.at(Place::Body).collect();
        if let [whole] = all[..] {
            return input.get(&whole.input).cloned();
        }
        let members = all.into_iter().filter_map(|it| Some((name(it).to_owned(), input.get(&it.input)?.clone())));
        let members: Map<String, Value> = members.collect();
        (!members.is_empty()).then_some(Value::Object(members))
    }
}

impl Request {
    /// The same of a request that was seen.
    pub fn of(seen: &Seen) -> Self {
        let ours = |name: &str| name.starts_with("x-") || name == "cookie" || name == "authorization";
        let fields = seen.headers.iter().filter(|(name, _)| ours(name.as_str()));
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let mut headers: Vec<_> = fields.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        headers.sort();
        let body = (!seen.body.is_empty()).then(|| serde_json::from_slice(&seen.body).expect("a JSON body"));
        Self { method: seen.method.clone(), target: seen.target.clone(), headers, body }
    }
}

/// What an input that conforms to a schema could be, with its required members alone.
pub fn input_for(schema: &Value) -> Value {
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let members = names.map(|name| {
        let schema = &schema["properties"][name];
        let value = match (schema["enum"].as_array(), schema["type"].as_str()) {
            (Some(values), _) => values[0].clone(),
            (None, Some("integer" | "number")) => json!(7),
            (None, Some("boolean")) => json!(true),
            (None, Some("array")) => json!([]),
            (None, Some("object")) => json!({}),
            (None, _) => json!("x"),
        };
        (name.to_owned(), value)
    });
    Value::Object(members.collect())
}

/// A query parameter on the wire.
fn pairs(it: &Parameter, value: Option<&Value>) -> Vec<String> {
    match (it.place, value) {
        (Place::Query, Some(value)) => repeated(it.name, value),
        (Place::Joined(between, _), Some(value)) => {
            let items: Vec<String> = value.as_array().into_iter().flatten().map(|item| encode(&text(item))).collect();
            // Of no items there is nothing to send.
            let pair = (!items.is_empty()).then(|| format!("{}={}", encode(it.name), items.join(between)));
            pair.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// An array's key is repeated.
fn repeated(name: &str, value: &Value) -> Vec<String> {
    let pair = |value: &Value| format!("{}={}", encode(name), encode(&text(value)));
    value.as_array().map_or_else(|| vec![pair(value)], |items| items.iter().map(pair).collect())
}

/// RFC 3986, unreserved characters only.
fn encode(text: &str) -> String {
    const REST: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, REST).to_string()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn plain(name: &str) -> String {
    name.replace(['-', '_'], "").to_lowercase()
}
