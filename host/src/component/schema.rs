//! Checks inputs and results against an operation's schemas, and says what is wrong with an input in words for the caller.

use jsonschema::{PatternOptions, ValidationError, ValidationOptions, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::{
    ContractFault,
    unfold::{Size, measure},
};
use crate::{
    contract::Operation,
    failure::{Failure, InputProblem},
};

/// How many problems of one input are told. Enough to mend a form; an array of 100 000 wrong items needs no more.
const MAX_PROBLEMS: usize = 20;

/// The values of an input up to which all of its problems are looked for. A form has fewer; a list of more is the same problem again.
const MAX_VALUES: u64 = 1000;

/// What one validation may cost: a subschema applied to a value, or a byte that a pattern reads. A hundred million take about a
/// second, on the host's time. The largest body, a megabyte, stays below it with a schema of a hundred patterns.
const MAX_WORK: u64 = 100_000_000;

/// A compiled regular expression. 256 kB: a dozen Unicode classes, and what is read in linear time is still read fast.
const MAX_PATTERN: usize = 256 << 10;

/// The compiled schemas of an operation.
#[derive(Debug)]
pub struct Schemas {
    input: Schema,
    output: Option<Schema>,
}

/// A compiled schema, and how much it asks for.
#[derive(Debug)]
struct Schema {
    validator: Validator,
    size: Size,
}

impl Schemas {
    /// Compiles the schemas. References to other documents aren't followed.
    pub fn compile(operation: &Operation) -> Result<Self, ContractFault> {
        let fault = |which: &str, problem: String| ContractFault::Description {
            place: format!("operation {}", operation.name),
            problem: format!("its {which} schema is not a JSON Schema that can be used: {problem}"),
        };
        let input = Schema::compile(&operation.input_schema, options().should_validate_formats(true));
        // `format` only informs about results: an API that writes its dates another way is to be read all the same.
        let output = operation.output_schema.as_ref().map(|it| Schema::compile(it, options()));
        Ok(Self {
            input: input.map_err(|e| fault("input", e))?,
            output: output.transpose().map_err(|e| fault("output", e))?,
        })
    }

    /// True when a result is as the operation promises, or it promises nothing. A result that would take too long to look at isn't.
    pub fn conforms(&self, result: &Value) -> bool {
        self.output.as_ref().is_none_or(|it| it.work(Weight::of(result)) <= MAX_WORK && it.validator.is_valid(result))
    }

    /// Checks an input.
    pub fn validate(&self, input: &Value) -> Result<(), Failure> {
        let weight = Weight::of(input);
        if self.input.work(weight) > MAX_WORK {
            return Err(Failure::invalid_input(None, "too large to be checked against the operation's schema"));
        }
        if self.input.validator.is_valid(input) {
            return Ok(());
        }
        Err(Failure::InvalidInput(self.input.problems(input, weight)))
    }
}

/// No backtracking: a pattern is the plugin's, the text is the caller's, and together they could take forever.
fn options<'a>() -> ValidationOptions<'a> {
    jsonschema::options().with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN))
}

impl Schema {
    fn compile(schema: &Value, options: ValidationOptions<'_>) -> Result<Self, String> {
        let size = measure(schema)?;
        let validator = options.build(schema).map_err(|e| e.to_string())?;
        Ok(Self { validator, size })
    }

    /// No less than what a validation costs: every subschema may look at every value, every pattern at every text.
    fn work(&self, weight: Weight) -> u64 {
        let looks = weight.values.saturating_mul(self.size.subschemas);
        looks.saturating_add(weight.bytes.saturating_mul(self.size.patterns))
    }

    fn problems(&self, input: &Value, weight: Weight) -> Vec<InputProblem> {
        // What was found out once is remembered for a verdict, but not for its reasons: those of a schema that refers to itself could
        // be more than anybody can count.
        if self.size.recursive {
            let message = "it does not conform to the operation's schema, which refers to itself: no place can be told";
            return vec![InputProblem { parameter: None, message: message.to_owned() }];
        }
        // The library finds all errors before it gives the first: of a large input only one is asked for.
        match weight.values > MAX_VALUES {
            true => self.validator.validate(input).err().iter().map(problem).collect(),
            false => self.validator.iter_errors(input).take(MAX_PROBLEMS).map(|error| problem(&error)).collect(),
        }
    }
}

/// How much there is to look at in a value.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    values: u64,
    /// Of all its texts, the names of members included.
    bytes: u64,
}

impl Weight {
    fn of(value: &Value) -> Self {
        let mut weight = Self::default();
        weight.add(value);
        weight
    }

    fn add(&mut self, value: &Value) {
        self.values += 1;
        match value {
            Value::String(text) => self.bytes += text.len() as u64,
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                self.bytes += name.len() as u64;
                self.add(member);
            }),
            _ => {}
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
    use crate::contract::{Audience, Effects};
    use serde_json::json;

    fn compile(input_schema: Value, output_schema: Option<Value>) -> Result<Schemas, ContractFault> {
        Schemas::compile(&Operation {
            name: "op".to_owned(),
            title: None,
            description: String::new(),
            input_schema,
            output_schema,
            effects: Effects { read_only: true, destructive: false, idempotent: true, open_world: true },
            audience: Audience::Anyone,
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

    #[test]
    fn patterns_are_matched_in_linear_time_or_not_at_all() {
        let with =
            |pattern: &str| json!({"type": "object", "properties": {"x": {"type": "string", "pattern": pattern}}});
        let schemas = compile(with("^(a+)+$"), None).unwrap();
        let text = format!("{}!", "a".repeat(100_000));
        assert!(schemas.validate(&json!({"x": text})).is_err());
        for backtracks in [r"^(a)\1$", "^(?=a)", r"\p{L}{1000}{1000}"] {
            let fault = compile(with(backtracks), None).unwrap_err().to_string();
            assert!(
                fault.starts_with("operation op: its input schema is not a JSON Schema that can be used"),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_checked_fast_on_the_stack_of_a_thread() {
        // Each level asks three times for the one below: 3^120 looks, were each of them taken.
        let below = || json!({"properties": {"c": {"$ref": "#"}}});
        let mut level = below();
        for _ in 0..26 {
            level = json!({"allOf": [level]});
        }
        let schema = json!({"type": "object", "allOf": [below(), below(), level], "required": ["c"]});
        let schemas = compile(schema, None).unwrap();
        let mut input = json!({});
        for _ in 0..120 {
            input = json!({"c": input});
        }
        let problem = schemas.validate(&input).unwrap_err().to_string();
        assert!(problem.contains("no place can be told"), "{problem}");
    }

    #[test]
    fn an_input_that_would_take_too_long_is_refused() {
        let wide: Vec<Value> = (0..1000).map(|n| json!({"minimum": n})).collect();
        let schemas =
            compile(json!({"type": "object", "properties": {"xs": {"items": {"anyOf": wide}}}}), None).unwrap();
        assert!(schemas.validate(&json!({"xs": vec![0; 1000]})).is_ok());
        let problem = schemas.validate(&json!({"xs": vec![0; 200_000]})).unwrap_err().to_string();
        assert!(problem.contains("too large to be checked"), "{problem}");
    }
}
