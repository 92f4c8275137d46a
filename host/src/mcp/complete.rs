//! Suggestions while somebody is filling in: by plugins for their prompts and resources, and for a tool's parameter that has an
//! `enum`, its values.
//!
//! The protocol has references to prompts and to templates of resources, none to tools: a tool is named as a prompt would be.

use rmcp::{
    ErrorData,
    model::{CompleteRequestParams, CompletionInfo, Reference},
};
use serde_json::Value;

use super::{failure, prompts, resources::request};
use crate::{
    callers::Reading,
    contract::{FilledIn, Subject, Suggestions},
    invoke::{self, list_templates},
};

/// What the plugin suggests whose prompt or template it is; `None` if it is nobody's.
///
/// # Errors
/// The plugin fails.
pub(super) async fn by_plugins(
    plugins: &[Reading],
    asked: &CompleteRequestParams,
) -> Result<Option<CompletionInfo>, ErrorData> {
    let Some((reading, subject)) = owner(plugins, asked).await else { return Ok(None) };
    let context = asked.context.as_ref().and_then(|it| it.arguments.as_ref());
    let filled_in =
        context.into_iter().flatten().map(|(name, value)| FilledIn { name: name.clone(), value: value.clone() });
    let typed = asked.argument.value.clone();
    let suggested = invoke::complete(request(&reading), subject, typed, filled_in.collect()).await;
    suggested.map(|it| Some(info(it))).map_err(|failed| failure::refuse(&failed))
}

/// Whose it is that is being filled in.
async fn owner(plugins: &[Reading], asked: &CompleteRequestParams) -> Option<(Reading, Subject)> {
    let field = asked.argument.name.clone();
    match &asked.r#ref {
        Reference::Prompt(prompt) => {
            let named = prompts::list(plugins).await.into_iter().find(|it| it.name == prompt.name)?;
            Some((named.reading, Subject::Prompt { name: named.prompt.name, parameter: field }))
        }
        Reference::Resource(resource) => {
            for reading in plugins {
                let templates = list_templates(request(reading)).await.unwrap_or_default();
                if templates.iter().any(|it| it.uri_template == resource.uri) {
                    let uri_template = resource.uri.clone();
                    return Some((reading.clone(), Subject::ResourceTemplate { uri_template, variable: field }));
                }
            }
            None
        }
        _ => None,
    }
}

fn info(it: Suggestions) -> CompletionInfo {
    CompletionInfo::with_pagination(it.values, it.total, it.more).expect("suggestions are no more than the most")
}

/// What the schema's parameter allows of what begins as typed, in the order of the schema.
pub(super) fn from_enum(schema: &Value, parameter: &str, typed: &str) -> CompletionInfo {
    let allowed = allowed(schema, parameter).into_iter().flatten();
    let fitting: Vec<String> = allowed.filter_map(text).filter(|it| begins(it, typed)).collect();
    let total = u32::try_from(fitting.len()).ok();
    info(Suggestions::new(fitting, total))
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
