//! Checks inputs and results against an operation's schemas, and says what is wrong with an input in words for the caller.

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::ContractFault;
use crate::{
    contract::Operation,
    failure::{Failure, InputProblem},
};

/// How many problems of one input are told. Enough to mend a form; an array of 100 000 wrong items needs no more.
const MAX_PROBLEMS: usize = 20;

/// The values of an input up to which all of its problems are looked for. A form has fewer; a list of more is the same problem again.
const MAX_VALUES: usize = 1000;

/// The compiled schemas of an operation.
#[derive(Debug)]
pub struct Schemas {
    input: Validator,
    output: Option<Validator>,
}

impl Schemas {
    /// Compiles the schemas. References to other documents aren't followed.
    pub fn compile(operation: &Operation) -> Result<Self, ContractFault> {
        let fault = |which: &str, e: ValidationError<'_>| ContractFault::Description {
            place: format!("operation {}", operation.name),
            problem: format!("its {which} schema is not a JSON Schema: {e}"),
        };
        let input = jsonschema::options().should_validate_formats(true).build(&operation.input_schema);
        // `format` only informs about results: an API that writes its dates another way is to be read all the same.
        let output = operation.output_schema.as_ref().map(|it| jsonschema::options().build(it));
        Ok(Self {
            input: input.map_err(|e| fault("input", e))?,
            output: output.transpose().map_err(|e| fault("output", e))?,
        })
    }

    /// True when a result is as the operation promises, or it promises nothing.
    pub fn conforms(&self, result: &Value) -> bool {
        self.output.as_ref().is_none_or(|it| it.is_valid(result))
    }

    /// Checks an input.
    pub fn validate(&self, input: &Value) -> Result<(), Failure> {
        if self.input.is_valid(input) {
            return Ok(());
        }
        // The library finds all errors before it gives the first: of a large input only one is asked for.
        let problems: Vec<InputProblem> = match is_larger_than(MAX_VALUES, input) {
            true => self.input.validate(input).err().iter().map(problem).collect(),
            false => self.input.iter_errors(input).take(MAX_PROBLEMS).map(|error| problem(&error)).collect(),
        };
        Err(Failure::InvalidInput(problems))
    }
}

/// Counts no further than the limit.
fn is_larger_than(limit: usize, value: &Value) -> bool {
    fn count(value: &Value, left: &mut usize) -> bool {
        *left = match left.checked_sub(1) {
            Some(left) => left,
            None => return true,
        };
        match value {
            Value::Array(items) => items.iter().any(|item| count(item, left)),
            Value::Object(members) => members.values().any(|member| count(member, left)),
            _ => false,
        }
    }
    count(value, &mut { limit })
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
    use crate::contract::Effects;
    use serde_json::json;

    fn compile(input_schema: Value, output_schema: Option<Value>) -> Result<Schemas, ContractFault> {
        Schemas::compile(&Operation {
            name: "op".to_owned(),
            title: None,
            description: String::new(),
            input_schema,
            output_schema,
            effects: Effects { read_only: true, destructive: false, idempotent: true, open_world: true },
            route: None,
            tool: None,
        })
    }

    #[test]
    fn problems_name_field_rule_and_type_but_not_the_value() {
        let schema = json!({
            "type": "object",
            "properties": {
                "id": true,
                "size": {"type": "integer", "minimum": 1, "maximum": 200},
                "ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
                "kind": {"enum": ["a", "b"]},
            },
            "required": ["id"],
            "additionalProperties": false,
        });
        let schema = compile(schema, None).unwrap();
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
        assert!(schema.validate(&json!({"id": 1, "size": 200, "kind": "a"})).is_ok());
    }

    #[test]
    fn of_a_large_input_one_problem_is_told() {
        let schemas =
            compile(json!({"type": "object", "properties": {"xs": {"items": {"type": "string"}}}}), None).unwrap();
        for (items, told) in [(5, 5), (990, MAX_PROBLEMS), (2000, 1)] {
            let Failure::InvalidInput(problems) = schemas.validate(&json!({"xs": vec![0; items]})).unwrap_err() else {
                panic!("another failure");
            };
            assert_eq!(problems.len(), told, "{items}");
        }
    }

    #[test]
    fn results_conform_or_dont_whatever_their_formats() {
        let input = || json!({"type": "object"});
        let promised = json!({"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}});
        let schemas = compile(input(), Some(promised)).unwrap();
        for (result, conforms) in
            [(json!({}), true), (json!({"at": "yesterday"}), true), (json!({"at": 7}), false), (json!([]), false)]
        {
            assert_eq!(schemas.conforms(&result), conforms, "{result}");
        }
        assert!(compile(input(), None).unwrap().conforms(&json!([])));
    }

    #[test]
    fn a_schema_that_is_none_and_one_that_refers_elsewhere_are_refused() {
        for schema in [
            json!({"type": "no-such-type"}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
        ] {
            let fault = compile(schema, None).unwrap_err().to_string();
            assert!(fault.starts_with("operation op: its input schema is not a JSON Schema"), "{fault}");
        }
    }
}
