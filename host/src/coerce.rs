//! Text to JSON: what a path, a query, a header or a cookie gives becomes a value of the type that the input's schema declares.
//!
//! Only types are looked at. Whether the value conforms to the rest of the schema is checked later, for all doors alike.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::percent;

/// The texts that a request gives for one parameter, as they came. At least one.
#[derive(Debug)]
pub(crate) struct Texts<'a> {
    pub(crate) values: Vec<&'a str>,
    pub(crate) encoding: Encoding,
}

/// How a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As a path segment.
    Path,
    /// As a value in a query.
    Query,
    /// Not at all, but a list is one whether its items stand in one field or in several (RFC 9110, 5.3).
    Header,
    /// Not at all.
    Cookie,
}

/// Why texts don't become a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Which item of an array is at fault, if it is one.
    pub(crate) item: Option<usize>,
    /// What was expected.
    pub(crate) message: String,
}

/// Makes a value of the schema's type.
pub(crate) fn coerce(texts: &Texts<'_>, schema: &Value) -> Result<Value, Misfit> {
    if Types::of(schema).0.contains(&Type::Array) {
        return array(texts, items(schema));
    }
    match texts.values.as_slice() {
        [text] => scalar(text, texts.encoding, schema).map_err(|message| Misfit { item: None, message }),
        many => Err(Misfit { item: None, message: format!("expected one value; got: {}", many.len()) }),
    }
}

fn array(texts: &Texts<'_>, schema: &Value) -> Result<Value, Misfit> {
    let item =
        |(index, text)| scalar(text, texts.encoding, schema).map_err(|message| Misfit { item: Some(index), message });
    let items = texts.items().into_iter().enumerate().map(item);
    items.collect::<Result<_, _>>().map(Value::Array)
}

impl<'a> Texts<'a> {
    /// The items of an array: the values as they are if there are several, the parts between literal commas if there is one. A
    /// single empty value is the empty array: nothing else could be written for it.
    fn items(&self) -> Vec<&'a str> {
        match (self.encoding, self.values.as_slice()) {
            (Encoding::Header, values) => {
                let parts = values.iter().flat_map(|value| value.split(',')).map(str::trim);
                parts.filter(|part| !part.is_empty()).collect()
            }
            (_, [""]) => Vec::new(),
            (_, [one]) => one.split(',').collect(),
            (_, many) => many.to_vec(),
        }
    }
}

/// Makes one value. The message never repeats the text, which may be private.
fn scalar(text: &str, encoding: Encoding, schema: &Value) -> Result<Value, String> {
    let text = match encoding {
        Encoding::Path => percent::decode(text).map_err(|e| e.to_string())?,
        Encoding::Query => percent::decode_query(text).map_err(|e| e.to_string())?,
        Encoding::Header | Encoding::Cookie => Cow::Borrowed(text),
    };
    let types = Types::of(schema);
    let value = types.0.iter().find_map(|it| it.read(&text));
    value.ok_or_else(|| format!("expected {}; got: text that isn't", types.describe()))
}

/// The types of JSON Schema, in the order in which a text is tried as each: a text is a string only when it is nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Type {
    Integer,
    Number,
    Boolean,
    Null,
    Array,
    Object,
    String,
}

impl Type {
    fn of(name: &str) -> Option<Self> {
        match name {
            "integer" => Some(Self::Integer),
            "number" => Some(Self::Number),
            "boolean" => Some(Self::Boolean),
            "null" => Some(Self::Null),
            "array" => Some(Self::Array),
            "object" => Some(Self::Object),
            "string" => Some(Self::String),
            _ => None,
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Null => "null",
            Self::Array => "a JSON array",
            Self::Object => "a JSON object",
            Self::String => "a string",
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        let json = || serde_json::from_str::<Value>(text).ok();
        match self {
            // More than 64 bits would be rounded.
            Self::Integer => number(text).filter(|it| it.is_i64() || it.is_u64()).map(Value::Number),
            Self::Number => number(text).map(Value::Number),
            Self::Boolean => text.parse().ok().map(Value::Bool),
            Self::Null => (text == "null").then_some(Value::Null),
            Self::Array => json().filter(Value::is_array),
            Self::Object => json().filter(Value::is_object),
            Self::String => Some(Value::String(text.to_owned())),
        }
    }
}

/// Reads a number as JSON writes it: no plus sign, no leading zeros, no `NaN`.
fn number(text: &str) -> Option<Number> {
    text.parse().ok()
}

/// The types that a schema allows, in the order of `Type`. A schema that says none allows any string: what else a text may mean
/// can't be known.
#[derive(Debug, PartialEq, Eq)]
struct Types(Vec<Type>);

impl Types {
    fn of(schema: &Value) -> Self {
        let mut types: Vec<Type> = branches(schema).flat_map(declared).collect();
        types.sort_unstable();
        types.dedup();
        if types.is_empty() {
            types.push(Type::String);
        }
        Self(types)
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|it| it.describe()).collect();
        names.join(" or ")
    }
}

/// What `type` says: one name or a list of names.
fn declared(schema: &Value) -> Vec<Type> {
    match &schema["type"] {
        Value::String(name) => Type::of(name).into_iter().collect(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).filter_map(Type::of).collect(),
        _ => Vec::new(),
    }
}

/// The schema of an array's items; items are strings if it says nothing.
fn items(schema: &Value) -> &Value {
    branches(schema).find_map(|branch| branch.get("items")).unwrap_or(&Value::Null)
}

/// A schema, and the alternatives in it: many generators write an optional integer as `anyOf` integer and null.
fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let alternatives = ["anyOf", "oneOf"].into_iter().filter_map(|keyword| schema[keyword].as_array());
    std::iter::once(schema).chain(alternatives.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(encoding: Encoding, schema: &Value, values: &[&str], expected: Result<Value, &str>) {
        let texts = Texts { values: values.to_vec(), encoding };
        let found = coerce(&texts, schema).map_err(|misfit| match misfit.item {
            Some(item) => format!("{item}: {}", misfit.message),
            None => misfit.message,
        });
        assert_eq!(found, expected.map_err(str::to_owned), "{schema} {values:?}");
    }

    #[test]
    fn scalars() {
        const INTEGER: Result<Value, &str> = Err("expected an integer; got: text that isn't");
        const NUMBER: Result<Value, &str> = Err("expected a number; got: text that isn't");
        const BOOLEAN: Result<Value, &str> = Err("expected true or false; got: text that isn't");
        for (kind, text, expected) in [
            ("integer", "42", Ok(json!(42))),
            ("integer", "-7", Ok(json!(-7))),
            ("integer", "9223372036854775807", Ok(json!(i64::MAX))),
            ("integer", "99999999999999999999", INTEGER),
            ("integer", "1.5", INTEGER),
            ("integer", "%201", INTEGER),
            ("integer", "1+", INTEGER),
            ("integer", "", INTEGER),
            ("integer", "0x10", INTEGER),
            ("integer", "007", INTEGER),
            ("integer", "%34%32", Ok(json!(42))),
            ("number", "1.5e3", Ok(json!(1500.0))),
            ("number", "1", Ok(json!(1))),
            ("number", "NaN", NUMBER),
            ("number", "1e999", NUMBER),
            ("number", "1,5", NUMBER),
            ("boolean", "true", Ok(json!(true))),
            ("boolean", "false", Ok(json!(false))),
            ("boolean", "True", BOOLEAN),
            ("boolean", "1", BOOLEAN),
            ("string", "", Ok(json!(""))),
            ("string", "42", Ok(json!("42"))),
            ("string", "null", Ok(json!("null"))),
            ("string", "a,b%2Cc", Ok(json!("a,b,c"))),
            ("object", r#"{"a":1}"#, Ok(json!({"a": 1}))),
            ("object", "[1]", Err("expected a JSON object; got: text that isn't")),
            ("object", "{", Err("expected a JSON object; got: text that isn't")),
        ] {
            check(Encoding::Query, &json!({"type": kind}), &[text], expected);
        }
    }

    #[test]
    fn one_of_several_types() {
        let any = json!({"type": ["string", "null", "boolean", "number", "integer"]});
        for (schema, text, expected) in [
            (&any, "1", Ok(json!(1))),
            (&any, "1.5", Ok(json!(1.5))),
            (&any, "true", Ok(json!(true))),
            (&any, "null", Ok(json!(null))),
            (&any, "x", Ok(json!("x"))),
            (&json!({"type": ["integer", "null"]}), "x", Err("expected an integer or null; got: text that isn't")),
            (&json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "5", Ok(json!(5))),
            (&json!({"oneOf": [{"type": "boolean"}, {"type": "string"}]}), "5", Ok(json!("5"))),
            (&json!({}), "5", Ok(json!("5"))),
            (&json!({"enum": ["a", "b"]}), "a", Ok(json!("a"))),
            (&json!(true), "a", Ok(json!("a"))),
            (&Value::Null, "a", Ok(json!("a"))),
        ] {
            check(Encoding::Query, schema, &[text], expected);
        }
    }

    #[test]
    fn arrays() {
        let strings = json!({"type": "array"});
        let integers = json!({"type": "array", "items": {"type": "integer"}});
        let optional = json!({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]});
        for (schema, values, expected) in [
            (&strings, &["a"][..], Ok(json!(["a"]))),
            (&strings, &["a,b"], Ok(json!(["a", "b"]))),
            (&strings, &["a%2Cb,c"], Ok(json!(["a,b", "c"]))),
            (&strings, &["a,b", "c"], Ok(json!(["a,b", "c"]))),
            (&strings, &["", ""], Ok(json!(["", ""]))),
            (&strings, &[""], Ok(json!([]))),
            (&strings, &[","], Ok(json!(["", ""]))),
            (
                &strings,
                &["a", "%zz"],
                Err(
                    "1: is not percent-encoded properly: a % must be followed by two hexadecimal digits, and written as %25 itself",
                ),
            ),
            (&integers, &["1,2"], Ok(json!([1, 2]))),
            (&integers, &["1", "2"], Ok(json!([1, 2]))),
            (&integers, &["1,x"], Err("1: expected an integer; got: text that isn't")),
            (&integers, &["1,2", "3"], Err("0: expected an integer; got: text that isn't")),
            (&optional, &["1,2"], Ok(json!([1, 2]))),
        ] {
            check(Encoding::Query, schema, values, expected);
        }
    }

    #[test]
    fn each_part_of_a_request_has_its_own_encoding() {
        let strings = json!({"type": "array"});
        let string = json!({"type": "string"});
        for (encoding, schema, values, expected) in [
            (Encoding::Path, &string, &["a+b%2Fc"][..], Ok(json!("a+b/c"))),
            (Encoding::Query, &string, &["a+b%2Fc"], Ok(json!("a b/c"))),
            (Encoding::Header, &string, &["a+b%2Fc, d"], Ok(json!("a+b%2Fc, d"))),
            (Encoding::Cookie, &string, &["a+b%2Fc"], Ok(json!("a+b%2Fc"))),
            (Encoding::Path, &strings, &["a,b%2Cc"], Ok(json!(["a", "b,c"]))),
            (Encoding::Header, &strings, &["a, b", "c,,"], Ok(json!(["a", "b", "c"]))),
            (Encoding::Header, &strings, &[""], Ok(json!([]))),
            (Encoding::Query, &string, &["a", "b"], Err("expected one value; got: 2")),
            (Encoding::Header, &string, &["a", "b"], Err("expected one value; got: 2")),
        ] {
            check(encoding, schema, values, expected);
        }
    }
}
