//! Bodies of every kind that are made up, and what an upstream must read in them.
//!
//! A template that is all of a value keeps the input's type, inside text it is text; an input that isn't given leaves its member out, and what can't be
//! without it asks for it. Whether an escape is right is seen by reading what was sent, see `sent`.

mod body;
mod template;

use proptest::{
    collection::vec,
    option,
    prelude::{Just, any, prop_oneof},
    sample::select,
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Map, Value, json};

use self::{
    body::{Body, Role, SPARQL, XML, body},
    template::{NAMES, Node, Variable, filled},
};
use super::{
    document::Offer,
    lab::{Lab, Made, Offered, count, same, seeds, try_all},
    parameters::{Kind, TEXTS, text},
    sent::{self, Part},
};
use crate::harness::Seen;

/// See `generated`: few documents, many inputs.
const DOCUMENTS: u64 = 3;
const INPUTS: usize = 20;

/// How a text is written in the document.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Written {
    /// With its kind.
    Kind,
    Raw,
    /// As nothing but the text.
    Plain,
}

/// What a variable gets, by `with`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fill {
    /// The input of its name, as `with` doesn't speak of it.
    Own,
    Renamed,
    /// An input inside of a text.
    Inside,
    Constant,
}

/// What is said of a variable.
#[derive(Clone, Debug)]
struct Said {
    declared: Option<Kind>,
    required: bool,
    fill: Fill,
}

/// An operation that sends a body.
#[derive(Clone, Debug)]
pub struct Operation {
    body: Body,
    written: Written,
    said: Vec<Said>,
}

/// Some operations.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 8..12)
}

fn operation() -> impl Strategy<Value = Operation> {
    let fill = select(vec![Fill::Own, Fill::Own, Fill::Renamed, Fill::Inside, Fill::Constant]);
    let kind =
        select(vec![Kind::Text, Kind::Choice, Kind::Integer, Kind::Number, Kind::Truth, Kind::Texts, Kind::Object]);
    let said = (option::weighted(0.3, kind), any::<bool>(), fill);
    let said = said.prop_map(|(declared, required, fill)| Said { declared, required, fill });
    let written = select(vec![Written::Kind, Written::Raw, Written::Plain]);
    (body(), written, vec(said, NAMES.len())).prop_map(|(body, written, mut said)| {
        let written = match body {
            Body::Json(_) | Body::Form(_) | Body::Multipart(_) => Written::Kind,
            _ => written,
        };
        if matches!(body, Body::Sparql) {
            said[2] = Said { declared: Some(Kind::Integer), required: true, fill: Fill::Renamed };
        }
        if let Body::Json(Node::Hole(it)) | Body::JsonText(Node::Hole(it)) = body {
            said[it] = Said { declared: None, required: false, fill: Fill::Own };
        }
        Operation { body, written, said }
    })
}

impl Offered for Operation {
    fn offer(&self, number: u64, at: usize) -> Offer {
        let (kind, data) = self.body.said();
        let mut parameters: Vec<Value> = Vec::new();
        for (it, _) in self.variables() {
            let Said { declared: Some(kind), required, .. } = &self.said[it] else { continue };
            let mut declared = kind.schema();
            declared["name"] = json!(NAMES[it]);
            declared["in"] = json!("body");
            declared["required"] = json!(required);
            parameters.push(declared);
        }
        let body = match self.written {
            Written::Kind => json!({"type": kind, "data": data}),
            Written::Raw => json!({"type": "raw", "data": data}),
            Written::Plain => data,
        };
        if self.written != Written::Kind {
            parameters.push(json!({"name": "Content-Type", "in": "header", "value": self.body.media_types().0}));
        }
        let with = |prefix: &str| {
            let arguments = self.variables().into_iter().filter_map(|(it, _)| {
                let value = match (self.said[it].fill, self.input(it)) {
                    (Fill::Own, _) => return None,
                    (Fill::Inside, Some(name)) => json!(format!("m{{{{{name}}}}}")),
                    (_, Some(name)) => json!(format!("{prefix}.{name}")),
                    (_, None) => json!(7),
                };
                Some((NAMES[it].to_owned(), value))
            });
            Value::Object(arguments.collect())
        };
        let exposed = |prefix: &str, name: String| {
            let mut exposed = json!({"name": name, "call": format!("api.op{at}"), "description": "Sends something."});
            let with = with(prefix);
            if with != json!({}) {
                exposed["with"] = with;
            }
            exposed
        };
        let mut rest = exposed("rest", format!("op{at}"));
        rest["method"] = json!("POST");
        let consumed =
            json!({"name": format!("op{at}"), "method": "POST", "body": body, "inputParameters": parameters});
        Offer {
            consumed: vec![
                json!({"name": format!("r{at}"), "path": format!("/bodies/{at}"), "operations": [consumed]}),
            ],
            rest: json!({"name": format!("r{at}"), "path": format!("/g{number}/{at}"), "operations": [rest]}),
            tool: exposed("tools", format!("tool-{at}")),
            function: None,
        }
    }
}

impl Operation {
    /// The variables that there are, each once, with what is most important of what they are.
    fn variables(&self) -> Vec<(Variable, Role)> {
        let roles = self.body.roles();
        let strongest = |of: Variable| {
            let is = |role| roles.contains(&(of, role));
            [Role::Whole, Role::Needed, Role::Value, Role::Text].into_iter().find(|role| is(*role))
        };
        (0..NAMES.len()).filter_map(|it| Some((it, strongest(it)?))).collect()
    }

    /// The input of a variable, if it has one.
    fn input(&self, of: Variable) -> Option<String> {
        match self.said[of].fill {
            Fill::Own => Some(NAMES[of].to_owned()),
            Fill::Renamed | Fill::Inside => Some(format!("in-{}", NAMES[of])),
            Fill::Constant => None,
        }
    }

    /// What the input of a variable takes: a kind, or anything.
    fn takes(&self, (of, role): (Variable, Role)) -> Option<Kind> {
        match (&self.said[of], role) {
            (Said { fill: Fill::Inside, .. }, _) => Some(Kind::Text),
            (Said { declared: Some(kind), .. }, _) => Some(*kind),
            (_, Role::Whole | Role::Value) => None,
            (_, Role::Text | Role::Needed) => Some(Kind::Text),
        }
    }

    fn is_required(&self, (of, role): (Variable, Role)) -> bool {
        let said = &self.said[of];
        role == Role::Needed || (said.declared.is_some() && said.required)
    }

    fn value(&self, of: Variable, input: &Map<String, Value>) -> Option<Value> {
        let given = |name: String| input.get(&name).filter(|it| !it.is_null()).cloned();
        match (self.said[of].fill, self.input(of)) {
            (Fill::Inside, Some(name)) => Some(json!(format!("m{}", text(&given(name)?)))),
            (_, Some(name)) => given(name),
            (_, None) => Some(json!(7)),
        }
    }

    /// Inputs: mostly what each variable takes, else none or any; and sometimes a member that nobody has asked for.
    fn inputs(&self) -> impl Strategy<Value = Map<String, Value>> + use<> {
        let members = self.variables().into_iter().filter_map(|it| {
            let (name, good) = (self.input(it.0)?, good(self.takes(it)));
            let chance = (0..20u8, good, good_of_any());
            Some(chance.prop_map(move |(chance, good, any)| match chance {
                0..=14 => Some((name.clone(), good)),
                15..=17 => None,
                _ => Some((name.clone(), any)),
            }))
        });
        let members: Vec<_> = members.collect();
        let unknown = option::weighted(0.03, Just(("nobody-asked".to_owned(), json!(1))));
        (members, unknown).prop_map(|(members, unknown)| members.into_iter().flatten().chain(unknown).collect())
    }

    /// Whether the rules let an input through.
    fn accepts(&self, input: &Map<String, Value>) -> bool {
        let variables = self.variables();
        let is_known = |name: &String| variables.iter().any(|it| self.input(it.0).as_ref() == Some(name));
        let takes = |it: &(Variable, Role)| {
            let Some(name) = self.input(it.0) else { return true };
            let takes = |value| self.takes(*it).is_none_or(|kind| kind.takes(value));
            input.get(&name).map_or(!self.is_required(*it), takes)
        };
        input.keys().all(is_known) && variables.iter().all(takes) && self.can_be_written(input)
    }

    /// Whether each value can stand in its place. XML has no way to write some characters, and a header is one line.
    fn can_be_written(&self, input: &Map<String, Value>) -> bool {
        let given = |it| self.value(it, input);
        let is_in_xml = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        match &self.body {
            Body::Xml => [0, 1].into_iter().filter_map(given).all(|it| text(&it).chars().all(is_in_xml)),
            Body::Multipart(parts) => parts.iter().all(|part| {
                let filename = part.filename.as_ref().and_then(|it| it.value(&given));
                // One that isn't sent has no name either.
                part.value.value(&given).is_none() || filename.is_none_or(|it| !text(&it).contains(char::is_control))
            }),
            _ => true,
        }
    }

    /// Compares what an upstream reads with what was given.
    fn compare(&self, seen: &[Seen], input: &Map<String, Value>) -> Result<(), String> {
        let [seen] = seen else { return Err(format!("not one request: {seen:?}")) };
        let of = |it: Variable| self.value(it, input);
        let body = std::str::from_utf8(&seen.body).map_err(|e| e.to_string())?;
        let content_type = seen.headers.get("content-type").map(|it| it.to_str().expect("text"));
        if let Body::Json(node) | Body::JsonText(node) = &self.body {
            let expected = node.value(&of);
            let read =
                if body.is_empty() { None } else { Some(serde_json::from_str(body).map_err(|e| e.to_string())?) };
            same(body, &read, &expected)?;
            if expected.is_none() {
                return Ok(());
            }
        }
        let (stated, usual) = self.body.media_types();
        let expected = if self.written == Written::Kind { usual } else { stated };
        if !matches!(self.body, Body::Multipart(_)) {
            same("content-type", &content_type, &Some(expected))?;
        }
        let texts = |all: &[Variable]| all.iter().map(|it| Some(text(&of(*it)?))).collect::<Option<Vec<_>>>();
        let pairs = |pairs: Vec<(&str, Value)>| {
            let flat = pairs.into_iter().flat_map(|(name, value)| match value {
                Value::Array(items) => items.iter().map(|it| (name.to_owned(), text(it))).collect(),
                one => vec![(name.to_owned(), text(&one))],
            });
            Some(flat.collect::<Vec<_>>())
        };
        match &self.body {
            Body::Json(_) | Body::JsonText(_) => Ok(()),
            Body::Text(pieces) => same("text", &Some(body.to_owned()), &filled(pieces, &of)),
            Body::Xml => {
                let places: [(&str, sent::Reader); 2] = [(XML[0], sent::attribute), (XML[1], sent::content)];
                same(body, &sent::holes(body, &places, XML[2]), &texts(&[0, 1]))
            }
            Body::Sparql => {
                let [a, b, c, d] = SPARQL;
                let places: [(&str, sent::Reader); 3] = [(a, sent::literal), (b, sent::address), (c, sent::number)];
                // What was an escape of an address before stays one.
                let decode = |it: String| percent_encoding::percent_decode_str(&it).decode_utf8_lossy().into_owned();
                let mut expected = texts(&[0, 1, 2]);
                if let Some(values) = &mut expected {
                    values[1] = decode(std::mem::take(&mut values[1]));
                }
                same(body, &sent::holes(body, &places, d), &expected)
            }
            Body::Form(fields) => {
                let given = fields.iter().filter_map(|(name, node)| Some((*name, node.value(&of)?)));
                same(body, &sent::form(body), &pairs(given.collect()))
            }
            Body::FormText => {
                let given = of(0).map(|it| json!(text(&it)));
                same(
                    body,
                    &sent::form(body),
                    &pairs(vec![("grant", json!("a b")), ("name", given.unwrap_or_default())]),
                )
            }
            Body::Multipart(parts) => {
                let line = |it: &Option<Node>| it.as_ref().and_then(|it| Some(text(&it.value(&of)?)));
                let expected = parts.iter().filter_map(|it| {
                    Some(Part {
                        name: it.name.to_owned(),
                        filename: line(&it.filename),
                        content_type: it.content_type.map(str::to_owned),
                        value: text(&it.value.value(&of)?),
                    })
                });
                let expected = expected.collect();
                same(body, &sent::multipart(content_type.unwrap_or_default(), body), &Some(expected))
            }
        }
    }
}

/// Values that a kind takes; of no kind, any.
fn good(kind: Option<Kind>) -> BoxedStrategy<Value> {
    let hostile =
        vec!["\"}, \"x\": {\"", "]]></u>&amp;", "a\r\nb\tc", "\" . } #", "\u{1}", "\u{fffe}", "--x--", "&a=1"];
    let hostile = prop_oneof![select(&TEXTS[..]), select(hostile)].prop_map(Value::from);
    match kind {
        None => good_of_any(),
        Some(Kind::Text) => hostile.boxed(),
        Some(Kind::Choice) => select(&["one", "two & three"][..]).prop_map(Value::from).boxed(),
        Some(Kind::Integer) => (0..1000i64).prop_map(Value::from).boxed(),
        Some(Kind::Number) => select(vec![0.5, -2.25, 1e-3]).prop_map(Value::from).boxed(),
        Some(Kind::Truth) => any::<bool>().prop_map(Value::from).boxed(),
        Some(Kind::Texts) => vec(select(vec!["a", "b,c", "ü\""]), 1..4).prop_map(Value::from).boxed(),
        Some(Kind::Integers) => vec(0..9i64, 1..4).prop_map(Value::from).boxed(),
        Some(Kind::Object) => select(vec![json!({}), json!({"a": [1, null, {"b": "ü\""}]})]).boxed(),
    }
}

fn good_of_any() -> BoxedStrategy<Value> {
    let others =
        vec![json!(null), json!(7), json!(-0.5), json!(true), json!([]), json!(["x", 1]), json!({"x": [null, "\""]})];
    prop_oneof![2 => select(&TEXTS[..]).prop_map(Value::from), 3 => select(others)].boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_input_is_refused_or_is_what_an_upstream_reads_in_a_body() {
    let documents: Vec<_> = seeds(DOCUMENTS).map(|seed| Made::of(seed, &operations())).collect();
    let lab = Lab::of(&documents).await;
    let test = async |at, operation: &Operation, input: &Map<String, Value>| call(&lab, at, operation, input).await;
    let (sent, refused) = count(&try_all(documents, INPUTS, Operation::inputs, test).await);
    assert!(refused > 40 && sent > 200, "{refused} refused, {sent} sent");
}

/// Calls an operation over both doors. True if the rules let the input through.
async fn call(lab: &Lab, at: (u64, usize), it: &Operation, input: &Map<String, Value>) -> Result<bool, String> {
    let (seed, operation) = at;
    lab.upstream.requests();
    let result = lab.call(seed, &format!("tool-{operation}"), &Value::Object(input.clone())).await;
    let seen = lab.upstream.requests();
    let whole = it.variables().into_iter().find(|(_, role)| *role == Role::Whole);
    // What is all of the body is JSON of its own; nothing is no JSON.
    let body = match whole {
        Some((it, _)) => input.get(NAMES[it]).filter(|value| !value.is_null()).cloned(),
        None => {
            let takes_one = it.variables().into_iter().any(|(of, _)| it.input(of).is_some());
            (takes_one || !input.is_empty()).then(|| Value::Object(input.clone()))
        }
    };
    let is_sayable = whole.is_none() || input.keys().all(|name| name != "nobody-asked");
    let over_rest = async || lab.host.rest().send("POST", &format!("/g{seed}/{operation}"), body.as_ref()).await;
    if !it.accepts(input) {
        same("requests of what must be refused", &seen.len(), &0)?;
        same(&format!("{result:?}"), &result.is_error, &true)?;
        if is_sayable {
            let answer = over_rest().await;
            same(&format!("{answer:?}"), &(answer.status, lab.upstream.requests().len()), &(400, 0))?;
        }
        return Ok(false);
    }
    same(&format!("over MCP, {result:?}"), &result.is_error, &false)?;
    it.compare(&seen, input).map_err(|it| format!("over MCP, {it}"))?;
    let answer = over_rest().await;
    same(&format!("over REST, {body:?} {answer:?}"), &answer.status, &200)?;
    it.compare(&lab.upstream.requests(), input).map_err(|it| format!("over REST, {it}"))?;
    Ok(true)
}
