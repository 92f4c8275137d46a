//! Output parameters that are made up, as a document writes them, and what each makes of an answer.

use proptest::{
    collection::vec,
    prelude::{Just, any, prop_oneof},
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Map, Value, json};

use crate::generated::{
    formats::Format,
    json_path::{Path, Step, path, single},
    parameters::text,
};

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum From {
    /// It isn't said: the member of its name, or what it is an item of.
    Own,
    /// `$` or `$.`.
    Whole(&'static str),
    /// With the key that says so, `mapping` or `value`.
    Path(Path, &'static str),
    /// What is written before an input, and whether the input stands there.
    Text(&'static str, bool),
}

#[derive(Clone, Copy, Debug)]
pub enum Scalar {
    Text(Option<usize>),
    Integer,
    Number,
    Truth,
}

#[derive(Clone, Debug)]
pub enum Out {
    Scalar(Scalar, From),
    Object(From, Vec<(&'static str, Out)>),
    /// An object of which nothing more is said.
    Any(From),
    List(From, Option<Box<Out>>),
    Constant(&'static str, Value),
}

/// All of an answer that isn't JSON, and a part of it.
pub fn of_all(format: Format) -> Out {
    let first = match format {
        Format::Table(..) => Path::of(vec![Step::Index(0), Step::Name("id")]),
        _ => Path::of(vec![Step::Name("id")]),
    };
    let first = Out::Scalar(Scalar::Integer, From::Path(first, "mapping"));
    Out::Object(From::Own, vec![("all", Out::Any(From::Whole("$"))), ("first", first)])
}

/// What can stand alone.
pub fn top() -> BoxedStrategy<Out> {
    let members = members(out(1).boxed());
    prop_oneof![2 => members.prop_map(|members| Out::Object(From::Own, members)), 3 => out(2)].boxed()
}

pub fn out(depth: u32) -> BoxedStrategy<Out> {
    let simple = prop_oneof![
        5 => scalar(of_answer()),
        1 => scalar(of_inputs()),
        1 => constant(),
        1 => of_path().prop_map(Out::Any),
        1 => of_path().prop_map(|from| Out::List(from, None)),
    ];
    if depth == 0 {
        return simple.boxed();
    }
    let object = (of_path(), members(out(depth - 1))).prop_map(|(from, members)| Out::Object(from, members));
    let item = prop_oneof![
        scalar(Just(From::Own).boxed()),
        scalar(single().prop_map(|path| From::Path(path, "mapping")).boxed()),
        members(scalar(of_answer())).prop_map(|members| Out::Object(From::Own, members)),
    ];
    let list = (of_path(), item).prop_map(|(from, item)| Out::List(from, Some(Box::new(item))));
    prop_oneof![4 => simple, 1 => object, 2 => list].boxed()
}

fn members(of: BoxedStrategy<Out>) -> impl Strategy<Value = Vec<(&'static str, Out)>> {
    let names = subsequence(&["id", "name", "n", "a b", "other"][..], 1..=4);
    (names, vec(of, 4)).prop_map(|(names, outs)| names.into_iter().zip(outs).collect())
}

pub fn scalar(from: BoxedStrategy<From>) -> BoxedStrategy<Out> {
    let kinds = vec![Scalar::Text(None), Scalar::Text(Some(2)), Scalar::Integer, Scalar::Number, Scalar::Truth];
    (select(kinds), from).prop_map(|(kind, from)| Out::Scalar(kind, from)).boxed()
}

pub fn constant() -> BoxedStrategy<Out> {
    let all = vec![
        ("string", json!("$ {{who}} c")),
        ("number", json!(0.5)),
        ("boolean", json!(false)),
        ("array", json!([1, {}])),
        ("object", json!({"type": "x"})),
    ];
    select(all).prop_map(|(kind, value)| Out::Constant(kind, value)).boxed()
}

fn of_path() -> BoxedStrategy<From> {
    (path(), select(vec!["mapping", "value"])).prop_map(|(path, key)| From::Path(path, key)).boxed()
}

pub fn of_answer() -> BoxedStrategy<From> {
    let one = (single(), select(vec!["mapping", "value"])).prop_map(|(path, key)| From::Path(path, key));
    prop_oneof![1 => Just(From::Own), 4 => one].boxed()
}

pub fn of_inputs() -> BoxedStrategy<From> {
    (select(vec!["", "Hi \"", "7"]), any::<bool>()).prop_map(|(before, given)| From::Text(before, given)).boxed()
}

impl From {
    fn write(&self, said: &mut Map<String, Value>) {
        let (key, value) = match self {
            Self::Own => return,
            Self::Whole(root) => ("mapping", (*root).to_owned()),
            Self::Path(path, key) => (*key, path.text("$")),
            Self::Text(before, true) => ("value", format!("{before}{{{{who}}}}")),
            Self::Text(before, false) => ("value", (*before).to_owned()),
        };
        said.insert(key.to_owned(), json!(value));
    }

    /// All that there is, of a source in which it has this name, if it has one.
    fn find(&self, source: &Value, name: Option<&str>, who: Option<&str>) -> Vec<Value> {
        match (self, name) {
            (Self::Own, Some(name)) => source.get(name).cloned().into_iter().collect(),
            (Self::Own, None) | (Self::Whole(_), _) => vec![source.clone()],
            (Self::Path(path, _), _) => path.find(source).into_iter().cloned().collect(),
            (Self::Text(before, true), _) => who.map(|who| json!(format!("{before}{who}"))).into_iter().collect(),
            (Self::Text(before, false), _) => vec![json!(before)],
        }
    }
}

impl Scalar {
    fn name(self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Truth => "boolean",
        }
    }

    /// The value as one of this type, or null.
    fn of(self, value: &Value) -> Value {
        let number = || match value {
            Value::String(text) => serde_json::from_str::<Value>(text.trim()).ok().filter(Value::is_number),
            other => Some(other.clone()).filter(Value::is_number),
        };
        let made = match self {
            Self::Text(_) if value.is_null() => None,
            Self::Text(longest) => {
                Some(json!(text(value).chars().take(longest.unwrap_or(usize::MAX)).collect::<String>()))
            }
            Self::Number => number(),
            Self::Integer => number().and_then(|it| match it.as_i64() {
                Some(_) => Some(it),
                None => it.as_f64().filter(|it| it.fract() == 0.0).map(|it| json!(it as i64)),
            }),
            Self::Truth => match value {
                Value::Bool(_) => Some(value.clone()),
                Value::String(text) => match text.trim().to_lowercase().as_str() {
                    "true" => Some(json!(true)),
                    "false" => Some(json!(false)),
                    _ => None,
                },
                _ => None,
            },
        };
        made.unwrap_or_default()
    }
}

impl Out {
    pub fn written(&self) -> Value {
        let (kind, from) = match self {
            Self::Scalar(kind, from) => (kind.name(), from),
            Self::Object(from, _) | Self::Any(from) => ("object", from),
            Self::List(from, _) => ("array", from),
            Self::Constant(kind, value) => return json!({"type": kind, "const": value}),
        };
        let mut said = Map::from_iter([("type".to_owned(), json!(kind))]);
        from.write(&mut said);
        match self {
            Self::Scalar(Scalar::Text(Some(longest)), _) => drop(said.insert("maxLength".to_owned(), json!(longest))),
            Self::Object(_, members) => {
                let members = members.iter().map(|(name, out)| ((*name).to_owned(), out.written()));
                said.insert("properties".to_owned(), Value::Object(members.collect()));
            }
            Self::List(_, Some(item)) => drop(said.insert("items".to_owned(), item.written())),
            _ => {}
        }
        Value::Object(said)
    }

    /// What it makes of a source in which it has this name, if it has one.
    pub fn made(&self, source: &Value, name: Option<&str>, who: Option<&str>) -> Value {
        let first = |from: &From| from.find(source, name, who).into_iter().next().unwrap_or_default();
        match self {
            Self::Constant(_, value) => value.clone(),
            Self::Scalar(kind, from) => kind.of(&first(from)),
            Self::Any(from) => first(from),
            Self::Object(from, members) => match first(from) {
                Value::Null => Value::Null,
                object => members_of(members, &object, who),
            },
            Self::List(from, item) => {
                let items = match from {
                    From::Path(path, _) if !path.is_single() => from.find(source, name, who),
                    _ => match (first(from), item) {
                        (Value::Array(items), _) => items,
                        // Of which nothing more is said, it is what was found.
                        (other, None) => return other,
                        (_, Some(_)) => return Value::Null,
                    },
                };
                let made = |it: Value| item.as_ref().map_or_else(|| it.clone(), |item| item.made(&it, None, who));
                items.into_iter().map(made).collect()
            }
        }
    }
}

pub fn members_of(members: &[(&'static str, Out)], source: &Value, who: Option<&str>) -> Value {
    members.iter().map(|(name, out)| ((*name).to_owned(), out.made(source, Some(name), who))).collect()
}
