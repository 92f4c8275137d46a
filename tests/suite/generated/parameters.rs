//! Parameters that are made up: where they stand, what they take, and how they travel.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, any},
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Value, json};

/// Texts in which an encoding could go wrong. None begins or ends with a space: header fields have none there.
pub const TEXTS: [&str; 11] =
    ["", "a", ".", "..", "ä/ü?&=,+%41#;", "a\nb", "x y", "%2e%2e", "\"q\" \\ </p>", "{{orgId}} {x}", "\u{1f600}"];
/// Texts that travel as they are, wherever they stand.
const PLAIN: [&str; 4] = ["de", "a-1", "0", "true"];

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Path,
    Query,
    /// In the query, in a style that the document names, with the `explode` that it states.
    Styled(&'static str, Option<bool>),
    Header,
    Cookie,
    Body,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
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
pub struct Parameter {
    pub name: &'static str,
    /// The input that feeds it.
    pub input: String,
    pub place: Place,
    pub kind: Kind,
    pub required: bool,
}

pub fn parameters() -> impl Strategy<Value = Vec<Parameter>> {
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
    let style = select(vec!["form", "spaceDelimited", "pipeDelimited"]);
    let styled = (style, option::of(any::<bool>())).prop_map(|(style, explode)| Place::Styled(style, explode));
    // OpenAPI says nothing of objects that are delimited and exploded, nor of lists that are deep.
    let deep = select(vec![
        Place::Query,
        Place::Styled("form", Some(true)),
        Place::Styled("form", Some(false)),
        Place::Styled("spaceDelimited", Some(false)),
        Place::Styled("pipeDelimited", Some(false)),
        Place::Styled("deepObject", Some(true)),
        Place::Styled("deepObject", None),
    ]);
    let in_query = (Just(Place::Query), scalars()).boxed();
    let lists = (Just(Place::Query), arrays()).boxed();
    (
        some(&["orgId", "connection-id", "unit_no"], (Just(Place::Path), scalars()).boxed()),
        some(&["filter[kind]", "page-size", "a.b"], in_query),
        some(&["ids", "tags"], lists),
        some(&["fields", "or-der"], (styled, arrays()).boxed()),
        some(&["where", "x[y]"], (deep, Just(Kind::Object)).boxed()),
        some(&["X-Trace", "x-count"], (Just(Place::Header), scalars()).boxed()),
        some(&["lang"], (Just(Place::Cookie), scalars()).boxed()),
        some(&["payload", "note", "Rest"], (Just(Place::Body), all()).boxed()),
    )
        .prop_map(|parts| [parts.0, parts.1, parts.2, parts.3, parts.4, parts.5, parts.6, parts.7].concat())
}

impl Parameter {
    pub fn declaration(&self) -> Value {
        let place = match self.place {
            Place::Path => "path",
            Place::Query | Place::Styled(..) => "query",
            Place::Header => "header",
            Place::Cookie => "cookie",
            Place::Body => "body",
        };
        let mut it = self.kind.schema();
        it["name"] = json!(self.name);
        it["in"] = json!(place);
        it["required"] = json!(self.required);
        it["description"] = json!("Something.");
        if let Place::Styled(style, explode) = self.place {
            it["style"] = json!(style);
            if let Some(explode) = explode {
                it["explode"] = json!(explode);
            }
        }
        it
    }

    /// A value that it takes, if it isn't a bad one by chance.
    pub fn good(&self) -> BoxedStrategy<Value> {
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
            Kind::Object if self.place == Place::Body => {
                select(vec![json!({}), json!({"a": [1, null, {"b": "ü\""}]})]).boxed()
            }
            Kind::Object => select(vec![
                json!({}),
                json!({"a": 1}),
                json!({"x": null, "y": true}),
                // Nobody says in which order members travel: here it is that of the alphabet, to be found in any case.
                json!({"b c": "d&e,f", "z": "", "ä[]": 0.5}),
            ])
            .boxed(),
        }
    }
}

impl Kind {
    pub fn schema(self) -> Value {
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

    pub fn takes(self, value: &Value) -> bool {
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

/// A query parameter on the wire, as OpenAPI has it. What is null isn't sent.
pub fn pairs(it: &Parameter, value: Option<&Value>) -> Vec<String> {
    let Some(value) = value else { return Vec::new() };
    // A form is exploded unless the document says otherwise, other styles aren't.
    let between = match it.place {
        Place::Styled("form", Some(false)) => Some(","),
        Place::Styled("spaceDelimited", None | Some(false)) => Some("%20"),
        Place::Styled("pipeDelimited", None | Some(false)) => Some("%7C"),
        Place::Query | Place::Styled(..) => None,
        Place::Path | Place::Header | Place::Cookie | Place::Body => return Vec::new(),
    };
    let members = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let parts: Vec<String> = match value {
        Value::Array(items) => items.iter().map(|item| encode(&text(item))).collect(),
        _ => members.clone().flat_map(|(key, value)| [encode(key), encode(&text(value))]).collect(),
    };
    match (value, between) {
        // Of nothing there is nothing to send.
        (Value::Array(_) | Value::Object(_), _) if parts.is_empty() => Vec::new(),
        (Value::Array(_) | Value::Object(_), Some(between)) => {
            vec![format!("{}={}", encode(it.name), parts.join(between))]
        }
        (Value::Object(_), None) => {
            let is_deep = matches!(it.place, Place::Styled("deepObject", _));
            let key = |key: &str| if is_deep { format!("{}[{key}]", it.name) } else { key.to_owned() };
            members.map(|(name, value)| format!("{}={}", encode(&key(name)), encode(&text(value)))).collect()
        }
        _ => repeated(it.name, value),
    }
}

/// An array's key is repeated.
pub fn repeated(name: &str, value: &Value) -> Vec<String> {
    let pair = |value: &Value| format!("{}={}", encode(name), encode(&text(value)));
    value.as_array().map_or_else(|| vec![pair(value)], |items| items.iter().map(pair).collect())
}

/// RFC 3986, unreserved characters only.
pub fn encode(text: &str) -> String {
    const REST: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, REST).to_string()
}

pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub fn plain(name: &str) -> String {
    name.replace(['-', '_'], "").to_lowercase()
}
