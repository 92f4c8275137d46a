//! Suggestions for a tool's arguments: where a parameter has an `enum`, its values.
//!
//! The protocol has references to prompts and to templates of resources, none to tools: a tool is named as a prompt would be.

use rmcp::model::CompletionInfo;
use serde_json::Value;

/// What the schema's parameter allows of what begins as typed, in the order of the schema.
pub(super) fn from_enum(schema: &Value, parameter: &str, typed: &str) -> CompletionInfo {
    let allowed = allowed(schema, parameter).into_iter().flatten();
    let mut fitting: Vec<String> = allowed.filter_map(text).filter(|it| begins(it, typed)).collect();
    let total = u32::try_from(fitting.len()).ok();
    let more = fitting.len() > CompletionInfo::MAX_VALUES;
    fitting.truncate(CompletionInfo::MAX_VALUES);
    CompletionInfo::with_pagination(fitting, total, more).expect("no more than the most that is allowed")
}

/// The values of the parameter's `enum`; of its items, where it is a list.
fn allowed<'a>(schema: &'a Value, parameter: &str) -> Option<&'a Vec<Value>> {
    let parameter = schema.get("properties")?.get(parameter)?;
    parameter.get("enum").or_else(|| parameter.get("items")?.get("enum"))?.as_array()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whoever types doesn't look up how a value is written.
fn begins(value: &str, typed: &str) -> bool {
    value.to_lowercase().starts_with(&typed.to_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_enum_allows_is_suggested() {
        let schema = json!({"type": "object", "properties": {
            "order": {"type": "string", "enum": ["ascending", "Asc", "descending", null]},
            "size": {"enum": [10, 25, 100]},
            "parts": {"type": "array", "items": {"enum": ["name", "email"]}},
            "any": {"type": "string"},
        }});
        for (parameter, typed, values) in [
            ("order", "", vec!["ascending", "Asc", "descending"]),
            ("order", "aSC", vec!["ascending", "Asc"]),
            ("order", "x", vec![]),
            ("size", "1", vec!["10", "100"]),
            ("parts", "e", vec!["email"]),
            ("any", "", vec![]),
            ("other", "", vec![]),
        ] {
            let info = from_enum(&schema, parameter, typed);
            assert_eq!(info.values, values, "{parameter}");
            assert_eq!((info.total, info.has_more), (Some(values.len() as u32), Some(false)));
        }
    }

    #[test]
    fn no_more_is_suggested_than_a_client_takes() {
        let values: Vec<String> = (0..150).map(|n| n.to_string()).collect();
        let info = from_enum(&json!({"properties": {"n": {"enum": values}}}), "n", "");
        assert_eq!((info.values.len(), info.total, info.has_more), (100, Some(150), Some(true)));
    }
}
