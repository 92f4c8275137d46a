//! How much work a JSON Schema can ask for: its size when each of its references is written out. Pure.
//!
//! Inputs are validated on the host, outside of every limit of the sandbox, and a schema of thirty lines can unfold to a billion. It
//! doesn't say whether a schema is right.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Subschemas of one schema, written out. 20 000: twenty times what the largest real APIs have in one operation, and checked within
/// a millisecond.
const MAX_SUBSCHEMAS: u64 = 20_000;

/// How deep subschemas lie in each other, written out. Real ones are a dozen deep. The validator recurses, for each of the 128 levels
/// that an input can have, and its stack is that of a thread.
const MAX_DEPTH: usize = 32;

/// What a schema asks for when a value is checked against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Subschemas, and the values that they list.
    pub(super) subschemas: u64,
    /// Regular expressions and formats, each of which reads a text from end to end.
    pub(super) patterns: u64,
    /// A reference leads back to where it came from.
    pub(super) recursive: bool,
    /// How many subschemas lie in each other below this one.
    depth: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.subschemas = self.subschemas.saturating_add(other.subschemas);
        self.patterns = self.patterns.saturating_add(other.patterns);
        self.recursive |= other.recursive;
        self.depth = self.depth.max(other.depth);
    }
}

/// Measures a schema.
///
/// # Errors
/// It is too large or too deep, or refers in a way that can't be measured. The text says what was expected.
pub(super) fn measure(schema: &Value) -> Result<Size, String> {
    // The whole is being measured from the start: a reference to it leads back.
    let targets = HashMap::from([(String::new(), None)]);
    let mut walk = Walk { root: schema, targets, unevaluated: false };
    let size = walk.subschema(schema, 0)?;
    match size.recursive && walk.unevaluated {
        true => {
            Err("unevaluatedProperties and unevaluatedItems can't be used in a schema that refers to itself".to_owned())
        }
        false => Ok(size),
    }
}

struct Walk<'a> {
    root: &'a Value,
    /// The targets of references, by pointer: their size, or `None` while it is being found out.
    targets: HashMap<String, Option<Size>>,
    unevaluated: bool,
}

impl Walk<'_> {
    fn subschema(&mut self, schema: &Value, depth: usize) -> Result<Size, String> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let mut size = Size { subschemas: 1, ..Size::default() };
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            size.add(self.keyword(keyword, value, depth)?);
            if size.subschemas > MAX_SUBSCHEMAS {
                return Err(too_many());
            }
        }
        size.depth += 1;
        Ok(size)
    }

    fn keyword(&mut self, keyword: &str, value: &Value, depth: usize) -> Result<Size, String> {
        match keyword {
            "$ref" => self.reference(value.as_str().unwrap_or_default(), depth),
            "$dynamicRef" | "$recursiveRef" => Err(format!("{keyword} is not supported: use $ref")),
            // From there on references would start elsewhere.
            "$id" | "id" if depth > 0 && value.is_string() => {
                Err(format!("only the whole schema can have an {keyword}"))
            }
            "enum" | "const" => Ok(Size { subschemas: values(value), ..Size::default() }),
            "pattern" | "format" => Ok(Size { patterns: 1, ..Size::default() }),
            "properties" | "dependentSchemas" | "dependencies" => self.members(value, depth),
            "patternProperties" => {
                let mut size = self.members(value, depth)?;
                size.patterns += value.as_object().map_or(0, Map::len) as u64;
                Ok(size)
            }
            "unevaluatedProperties" | "unevaluatedItems" => {
                self.unevaluated = true;
                self.subschema(value, depth + 1)
            }
            "allOf"
            | "anyOf"
            | "oneOf"
            | "prefixItems"
            | "items"
            | "additionalItems"
            | "additionalProperties"
            | "propertyNames"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contentSchema" => match value {
                Value::Array(all) => self.all(all.iter(), depth),
                one => self.subschema(one, depth + 1),
            },
            _ => Ok(Size::default()),
        }
    }

    fn members(&mut self, value: &Value, depth: usize) -> Result<Size, String> {
        self.all(value.as_object().into_iter().flat_map(Map::values), depth)
    }

    fn all<'v>(&mut self, schemas: impl Iterator<Item = &'v Value>, depth: usize) -> Result<Size, String> {
        let mut size = Size::default();
        for schema in schemas {
            size.add(self.subschema(schema, depth + 1)?);
            if size.subschemas > MAX_SUBSCHEMAS {
                return Err(too_many());
            }
        }
        Ok(size)
    }

    fn reference(&mut self, reference: &str, depth: usize) -> Result<Size, String> {
        let unknown = || format!("a reference must be # or #/… and lead to a part of the same schema: {reference}");
        let pointer =
            reference.strip_prefix('#').filter(|it| it.is_empty() || it.starts_with('/')).ok_or_else(unknown)?;
        let pointer = percent_decode_str(pointer).decode_utf8().map_err(|_| unknown())?.into_owned();
        match self.targets.get(&pointer) {
            Some(Some(known)) if depth + known.depth > MAX_DEPTH => return Err(too_deep()),
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Ok(Size { subschemas: 1, recursive: true, ..Size::default() }),
            None => {}
        }
        let target = self.root.pointer(&pointer).ok_or_else(unknown)?;
        self.targets.insert(pointer.clone(), None);
        let size = self.subschema(target, depth + 1)?;
        self.targets.insert(pointer, Some(size));
        Ok(size)
    }
}

/// All values in a value, itself included.
fn values(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(values).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(values).sum::<u64>(),
        _ => 1,
    }
}

fn too_deep() -> String {
    format!("its subschemas are more than {MAX_DEPTH} deep, references written out")
}

fn too_many() -> String {
    format!("it has more than {MAX_SUBSCHEMAS} subschemas, references written out")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `a0` is a string, each further one is the one before, twice.
    fn ladder(rungs: usize) -> Value {
        let mut definitions = Map::from_iter([("a0".to_owned(), json!({"type": "string", "pattern": "^a*$"}))]);
        for rung in 1..=rungs {
            let below = format!("#/$defs/a{}", rung - 1);
            definitions.insert(format!("a{rung}"), json!({"allOf": [{"$ref": below}, {"$ref": below}]}));
        }
        json!({"$ref": format!("#/$defs/a{rungs}"), "$defs": definitions})
    }

    #[test]
    fn references_are_written_out() {
        let size = measure(&ladder(3)).unwrap();
        assert_eq!((size.patterns, size.recursive), (8, false));
        // Definitions that nothing refers to cost nothing.
        let unused = json!({"type": "object", "$defs": {"a": {"properties": {"b": true, "c": true}}}});
        assert_eq!(measure(&unused).unwrap().subschemas, 1);
        let listed = json!({"properties": {"a": {"enum": [1, [2, 3]]}, "b": {"items": {"const": {"c": 4}}}}});
        assert_eq!(measure(&listed).unwrap().subschemas, 4 + 5 + 2);
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_counted_once() {
        let tree = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        assert!(measure(&tree).unwrap().recursive);
        let mutual = json!({
            "$ref": "#/$defs/a%20b",
            "$defs": {"a b": {"items": {"$ref": "#/$defs/c~1d"}}, "c/d": {"items": {"$ref": "#/$defs/a b"}}},
        });
        assert!(measure(&mutual).unwrap().recursive);
    }

    #[test]
    fn what_would_ask_for_too_much_or_cannot_be_measured_is_refused() {
        let mut deep = json!({"type": "string"});
        for _ in 0..40 {
            deep = json!({"items": deep});
        }
        let chain = (0..40).map(|n| (format!("c{n}"), json!({"items": {"$ref": format!("#/$defs/c{}", n + 1)}})));
        let chain = json!({"$ref": "#/$defs/c0", "$defs": chain.chain([("c40".to_owned(), json!(true))]).collect::<Map<_, _>>()});
        for (schema, expected) in [
            (ladder(14), "more than 20000 subschemas"),
            (json!({"enum": vec![0; 30_000]}), "more than 20000 subschemas"),
            (deep, "more than 32 deep"),
            (chain, "more than 32 deep"),
            (json!({"$ref": "https://example.com/schema.json"}), "a reference must be"),
            (json!({"$ref": "#name"}), "a reference must be"),
            (json!({"$ref": "#/nowhere"}), "a reference must be"),
            (json!({"$dynamicRef": "#x"}), "$dynamicRef is not supported"),
            (json!({"items": {"$id": "https://example.com/", "$ref": "#/x"}}), "only the whole schema can have an $id"),
            (
                json!({"items": {"$ref": "#"}, "unevaluatedProperties": false}),
                "can't be used in a schema that refers to itself",
            ),
        ] {
            let problem = measure(&schema).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
        // Properties may be called anything.
        assert!(measure(&json!({"properties": {"$id": true, "$ref": true, "id": {"type": "string"}}})).is_ok());
    }
}
