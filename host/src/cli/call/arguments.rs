//! `--arg NAME=VALUE` and `--input JSON` -> the input of an operation, its values of the types that the schema has.

use serde_json::{Map, Value};

use crate::cli::{Call, CliError};

/// Reads the input; `properties` are those of the operation's input schema.
pub(super) fn read(properties: &Value, args: &Call) -> Result<Value, CliError> {
    let mut input = match &args.input {
        None => Map::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(CliError::Usage("--input: expected a JSON object".to_owned())),
            Err(e) => return Err(CliError::Usage(format!("--input: not JSON: {e}"))),
        },
    };
    for arg in &args.args {
        let (name, text) =
            arg.split_once('=').ok_or_else(|| CliError::Usage(format!("--arg {arg:?}: expected NAME=VALUE")))?;
        add(&mut input, &properties[name], name, text)?;
    }
    Ok(Value::Object(input))
}

/// Text where the schema takes text, else JSON. An array is one item per `--arg`, or given whole as JSON.
fn add(input: &mut Map<String, Value>, schema: &Value, name: &str, text: &str) -> Result<(), CliError> {
    if schema["type"] == "array" && !text.starts_with('[') {
        let item = value(&schema["items"], name, text)?;
        match input.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(items) => items.push(item),
            other => *other = Value::Array(vec![other.take(), item]),
        }
        return Ok(());
    }
    input.insert(name.to_owned(), value(schema, name, text)?);
    Ok(())
}

fn value(schema: &Value, name: &str, text: &str) -> Result<Value, CliError> {
    if schema["type"].is_null() || schema["type"] == "string" {
        return Ok(Value::from(text));
    }
    serde_json::from_str(text).map_err(|_| {
        let expected = &schema["type"];
        CliError::Usage(format!("--arg {name}={text}: expected a value of type {expected}"))
    })
}
