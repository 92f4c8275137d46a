//! The keywords of JSON Schema that are carried over, in the order in which they are written, and what each may hold.

use serde_json::{Map, Value, json};

/// The types of JSON.
pub const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "object", "array", "null"];

/// How a keyword is carried over.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A value that is taken as it is, if it is of the right kind.
    Plain(fn(&Value) -> Option<Value>),
    /// True or false.
    Flag,
    /// A number; in some versions a flag about the bound beside it.
    Bound,
    /// A regular expression.
    Pattern,
    /// Examples.
    Example,
    /// Any value.
    Value,
    /// A schema.
    Schema,
    /// A list of schemas.
    Schemas,
    /// The list of schemas that all hold.
    AllOf,
    /// A mapping from names to schemas.
    Members,
}

/// All of them.
pub const KEYWORDS: [(&str, Kind); 46] = [
    ("type", Kind::Plain(types)),
    ("title", Kind::Plain(text)),
    ("description", Kind::Plain(text)),
    ("format", Kind::Plain(text)),
    ("const", Kind::Value),
    ("enum", Kind::Plain(values)),
    ("default", Kind::Value),
    ("examples", Kind::Example),
    ("example", Kind::Example),
    ("deprecated", Kind::Flag),
    ("pattern", Kind::Pattern),
    ("minLength", Kind::Plain(count)),
    ("maxLength", Kind::Plain(count)),
    ("minimum", Kind::Plain(number)),
    ("maximum", Kind::Plain(number)),
    ("exclusiveMinimum", Kind::Bound),
    ("exclusiveMaximum", Kind::Bound),
    ("multipleOf", Kind::Plain(positive)),
    ("contentEncoding", Kind::Plain(text)),
    ("contentMediaType", Kind::Plain(text)),
    ("minItems", Kind::Plain(count)),
    ("maxItems", Kind::Plain(count)),
    ("uniqueItems", Kind::Flag),
    ("items", Kind::Schema),
    ("prefixItems", Kind::Schemas),
    ("contains", Kind::Schema),
    ("minContains", Kind::Plain(count)),
    ("maxContains", Kind::Plain(count)),
    ("unevaluatedItems", Kind::Schema),
    ("minProperties", Kind::Plain(count)),
    ("maxProperties", Kind::Plain(count)),
    ("required", Kind::Plain(names)),
    ("properties", Kind::Members),
    ("patternProperties", Kind::Members),
    ("additionalProperties", Kind::Schema),
    ("propertyNames", Kind::Schema),
    ("dependentRequired", Kind::Plain(dependents)),
    ("dependentSchemas", Kind::Members),
    ("unevaluatedProperties", Kind::Schema),
    ("allOf", Kind::AllOf),
    ("anyOf", Kind::Schemas),
    ("oneOf", Kind::Schemas),
    ("not", Kind::Schema),
    ("if", Kind::Schema),
    ("then", Kind::Schema),
    ("else", Kind::Schema),
];

/// Keywords whose meaning is carried over in another way, or that mean nothing where references are written out.
pub const SILENT: [&str; 10] = [
    "nullable",
    "x-nullable",
    "readOnly",
    "writeOnly",
    "$schema",
    "$comment",
    "$defs",
    "definitions",
    "$id",
    "$anchor",
];

impl Kind {
    /// How a keyword is carried over, if it is.
    pub fn of(keyword: &str) -> Option<Self> {
        KEYWORDS.iter().find(|(known, _)| *known == keyword).map(|(_, kind)| *kind)
    }

    /// What is carried over of a value that holds no schemas.
    pub fn read(self, value: &Value) -> Option<Value> {
        match self {
            Self::Plain(read) => read(value),
            Self::Flag => value.as_bool().map(Value::from),
            Self::Bound => number(value),
            _ => Some(value.clone()),
        }
    }

    /// Whether it holds schemas.
    pub fn is_nested(self) -> bool {
        matches!(self, Self::Schema | Self::Schemas | Self::AllOf | Self::Members)
    }
}

/// A type or several.
pub fn types(value: &Value) -> Option<Value> {
    let is_type = |it: &&Value| it.as_str().is_some_and(|it| TYPES.contains(&it));
    match value {
        Value::String(_) => Some(value.clone()).filter(|it| is_type(&it)),
        Value::Array(types) => {
            let mut known: Vec<Value> = Vec::new();
            for kind in types.iter().filter(is_type) {
                if !known.contains(kind) {
                    known.push(kind.clone());
                }
            }
            match known.len() {
                0 => None,
                1 => known.pop(),
                _ => Some(known.into()),
            }
        }
        _ => None,
    }
}

/// Text, without the white space around it.
pub fn text(value: &Value) -> Option<Value> {
    Some(tidy(value.as_str()?)).filter(|text| !text.is_empty()).map(Value::from)
}

/// Text as it is written into a document: no white space around it nor at the ends of lines, and no control characters.
pub fn tidy(text: &str) -> String {
    let plain = |c: &char| !c.is_control() || *c == '\n';
    let lines = text.trim().lines().map(|line| line.replace('\t', "  ").trim_end().chars().filter(plain).collect());
    lines.collect::<Vec<String>>().join("\n")
}

fn number(value: &Value) -> Option<Value> {
    value.is_number().then(|| value.clone())
}

fn positive(value: &Value) -> Option<Value> {
    value.as_f64().filter(|it| *it > 0.0).map(|_| value.clone())
}

fn count(value: &Value) -> Option<Value> {
    // `10.0` is a whole number too.
    let whole = |it: f64| (it >= 0.0 && it.fract() == 0.0 && it < 9e15).then_some(it as u64);
    value.as_u64().or_else(|| whole(value.as_f64()?)).map(Value::from)
}

fn values(value: &Value) -> Option<Value> {
    value.as_array().filter(|values| !values.is_empty()).map(|values| json!(values))
}

fn dependents(value: &Value) -> Option<Value> {
    let members = value.as_object()?;
    let lists: Option<Map<String, Value>> =
        members.iter().map(|(name, list)| Some((name.clone(), names(list)?))).collect();
    lists.map(Value::Object)
}

fn names(value: &Value) -> Option<Value> {
    let names = value.as_array()?;
    let mut unique: Vec<&Value> = Vec::new();
    for name in names.iter().filter(|it| it.is_string()) {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    (unique.len() == names.len() || !unique.is_empty()).then(|| json!(unique))
}
