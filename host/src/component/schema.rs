//! Checks inputs against an operation's schema, and says what is wrong in words for the caller.

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::ContractFault;
use crate::failure::{Failure, InputProblem};

/// How many problems of one input are told. Enough to mend a form; an array of 100 000 wrong items needs no more.
const MAX_PROBLEMS: usize = 20;

/// A compiled input schema.
#[derive(Debug)]
pub struct InputSchema(Validator);

impl InputSchema {
    /// Compiles a schema. References to other documents aren't followed.
    pub fn compile(operation: &str, schema: &Value) -> Result<Self, ContractFault> {
        jsonschema::options().should_validate_formats(true).build(schema).map(Self).map_err(|e| {
            ContractFault::Description {
                place: format!("operation {operation}"),
                problem: format!("its input schema is not a JSON Schema: {e}"),
            }
        })
    }

    /// Checks an input.
    pub fn validate(&self, input: &Value) -> Result<(), Failure> {
        let problems: Vec<InputProblem> =
            self.0.iter_errors(input).take(MAX_PROBLEMS).map(|error| problem(&error)).collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Failure::InvalidInput(problems)),
        }
    }
}

/// Names the field, the rule and the value's type; never the value, which may be private.
fn problem(error: &ValidationError<'_>) -> InputProblem {
    let path = error.instance_path().as_str().trim_start_matches('/').to_owned();
    let (parameter, message) = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let parameter = match path.as_str() {
                "" => name.to_owned(),
                path => format!("{path}/{name}"),
            };
            (parameter, "is required and missing".to_owned())
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            (path, format!("unknown: {}", unexpected.join(", ")))
        }
        kind => {
            let got = type_name(error.instance());
            (path, format!("{}; got: {got} (rule: {})", error.masked_with("the value"), kind.keyword()))
        }
    };
    InputProblem { parameter: (!parameter.is_empty()).then_some(parameter), message }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_name_field_rule_and_type_but_not_the_value() {
        let schema = json!({
            "type": "object",
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 200},
                "ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
                "kind": {"enum": ["a", "b"]},
            },
            "required": ["id"],
            "additionalProperties": false,
        });
        let schema = InputSchema::compile("op", &schema).unwrap();
        for (input, expected) in [
            (json!({}), "invalid input: id: is required and missing"),
            (json!({"size": "7"}), "got: string (rule: type)"),
            (json!({"size": 201}), "size: the value is greater than the maximum of 200; got: integer (rule: maximum)"),
            (json!({"ids": [7]}), "ids/0: the value is not of type \"string\"; got: integer (rule: type)"),
            (json!({"ids": ["secret-id"]}), "ids/0: the value is not a \"uuid\"; got: string (rule: format)"),
            (json!({"kind": "secret-kind"}), "(rule: enum)"),
            (json!({"x": 1}), "unknown: x"),
        ] {
            let message = schema.validate(&input).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
        assert!(schema_allows(&schema, &json!({"id": 1, "size": 200, "kind": "a"})));
    }

    fn schema_allows(schema: &InputSchema, input: &Value) -> bool {
        schema.validate(input).is_ok()
    }

    #[test]
    fn a_schema_that_is_none_and_one_that_refers_elsewhere_are_refused() {
        for schema in [
            json!({"type": "no-such-type"}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
        ] {
            let fault = InputSchema::compile("op", &schema).unwrap_err().to_string();
            assert!(fault.starts_with("operation op: its input schema is not a JSON Schema"), "{fault}");
        }
    }
}
