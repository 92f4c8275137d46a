//! Operations that are made up, the document that says what they are, and what becomes of an input: told from the rules of the format, not
//! from the product.

use percent_encoding::percent_decode_str;
use proptest::{
    collection::vec,
    option,
    prelude::{Just, any},
    sample::select,
    strategy::Strategy,
};
use serde_json::{Map, Value, json};

use super::{
    document::Offer,
    lab::Offered,
    parameters::{Parameter, Place, encode, pairs, parameters, plain, repeated, text},
};
use crate::harness::Seen;

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
    vec(operation(), 6..10)
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

impl Offered for Operation {
    fn offer(&self, number: u64, at: usize) -> Offer {
        let exposed = |prefix: &str, name: String| {
            let mut exposed = json!({"name": name, "call": format!("api.op{at}"), "description": "Does something."});
            if self.says_with {
                let with =
                    self.parameters.iter().map(|it| (it.name.to_owned(), json!(format!("{prefix}.{}", it.input))));
                exposed["with"] = Value::Object(with.collect());
            }
            exposed
        };
        let mut rest = exposed("rest", format!("op{at}"));
        rest["method"] = json!(self.method);
        Offer {
            consumed: vec![json!({"name": format!("r{at}"), "path": self.path(at), "operations": [{
                "name": format!("op{at}"), "method": self.method, "description": "Does something.",
                "inputParameters": self.parameters.iter().map(Parameter::declaration).collect::<Vec<_>>(),
            }]})],
            rest: json!({"name": format!("r{at}"), "path": self.exposed_path(number, at), "operations": [rest]}),
            tool: exposed("tools", format!("tool-{at}")),
            function: None,
        }
    }
}

impl Operation {
    fn path(&self, at: usize) -> String {
        let variables = self.at(Place::Path).map(|it| format!("/{{{}}}", it.name));
        std::iter::once(format!("/things/{at}")).chain(variables).collect()
    }

    /// Its variables are spelled otherwise than the inputs.
    fn exposed_path(&self, number: u64, at: usize) -> String {
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
    pub fn over_rest(&self, at: (u64, usize), input: &Map<String, Value>) -> (String, Vec<(String, String)>, String) {
        let (number, at) = at;
        let variables = self.at(Place::Path).map(|it| format!("/{}", encode(&text(&input[&it.input]))));
        let mut path: String = std::iter::once(format!("/g{number}/{at}")).chain(variables).collect();
        let mut query = Vec::new();
        let mut headers = Vec::new();
        for it in &self.parameters {
            let Some(value) = input.get(&it.input) else { continue };
            match it.place {
                // The members of an object come as JSON.
                Place::Query | Place::Styled(..) => query.extend(repeated(&it.input, value)),
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
