//! `airlock call`: one operation, by the same way as REST and MCP, its answer on standard output.

use std::{io::Write, sync::Arc};

use http_body_util::BodyExt;
use serde_json::{Map, Value};

use super::{Call, CliError, check, config, plugin_name, terminal};
use crate::{
    app,
    caller::{Caller, Door},
    callers::Identity,
    catalog::{Catalog, OperationRef},
    component::{Loader, Plugin},
    conditions::Conditions,
    contract::{Consent, Content, Contents, Dialogue},
    failure::Failure,
    invoke::{Invocation, Reply, Upload, agreed, invoke},
};

pub(super) async fn run(args: Call) -> Result<(), CliError> {
    let catalog = Catalog::default();
    let plugin = load(&args).await?;
    let name = plugin.name().to_owned();
    catalog.put(plugin).expect("one plugin collides with nothing");
    let operation = find(&catalog, &name, &args.operation)?;
    let input = input(&operation, &args)?;
    let caller = Caller { door: Door::Cli, peer: None, identity: Identity::operator() };
    let permitted = caller.may_call(operation.clone()).expect("who has the plugin's file may do everything with it");
    let consent = match args.yes {
        true => agreed(&operation),
        false => Consent::Unasked,
    };
    let (dialogue, conditions) = (Dialogue { consent, ..Dialogue::default() }, Conditions::default());
    let outcome = invoke(Invocation { permitted, input, dialogue, conditions, upload: Upload::default() }).await;
    print(outcome.map_err(|failure| told(failure, &operation, consent))?).await
}

/// The failure, with what to add where that is all that is missing.
fn told(failure: Failure, operation: &OperationRef, consent: Consent) -> CliError {
    match (failure, consent) {
        (Failure::CannotAsk { .. }, Consent::Unasked) if operation.needs_agreement() => {
            CliError::NotAgreed { operation: operation.operation().name.clone() }
        }
        (failure, _) => failure.into(),
    }
}

async fn load(args: &Call) -> Result<Plugin, CliError> {
    let source = check::read(&args.file)?;
    check::document(&args.file, &source)?;
    let config = config(args.config.clone())?;
    let name = plugin_name(&args.file);
    let loader = Loader::new(Arc::new(app::sandbox(config.cache.as_deref())?));
    let loaded = loader.load(&name, source, config.grants.get(&name)).await;
    loaded.map_err(|reason| check::load_error(&args.file, reason))
}

fn find(catalog: &Catalog, plugin: &str, wanted: &str) -> Result<OperationRef, CliError> {
    let snapshot = catalog.snapshot();
    let plugin = snapshot.plugin(plugin).expect("it was put in just now");
    let operations: Vec<OperationRef> = OperationRef::all(plugin).collect();
    let is_wanted = |it: &&OperationRef| {
        let operation = it.operation();
        operation.name == wanted || operation.tool.as_deref() == Some(wanted)
    };
    operations.iter().find(is_wanted).cloned().ok_or_else(|| {
        let names: Vec<&str> = operations.iter().map(|it| it.operation().name.as_str()).collect();
        CliError::Usage(format!("no such operation: {wanted}; there are: {}", names.join(", ")))
    })
}

fn input(operation: &OperationRef, args: &Call) -> Result<Value, CliError> {
    let mut input = match &args.input {
        None => Map::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(CliError::Usage("--input: expected a JSON object".to_owned())),
            Err(e) => return Err(CliError::Usage(format!("--input: not JSON: {e}"))),
        },
    };
    let properties = &operation.operation().input_schema["properties"];
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

async fn print(reply: Reply) -> Result<(), CliError> {
    let mut out = terminal::out();
    let failed = |e| CliError::io("standard output", e);
    match reply {
        Reply::Structured(json) => writeln!(out, "{}", json.text).map_err(failed),
        Reply::Content(blocks) => blocks.iter().try_for_each(|block| out.write_all(bytes(block))).map_err(failed),
        Reply::Upstream(response) => {
            let status = response.status();
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                if let Ok(chunk) = frame?.into_data() {
                    out.write_all(&chunk).map_err(failed)?;
                }
            }
            out.flush().map_err(failed)?;
            match status.is_client_error() || status.is_server_error() {
                true => Err(CliError::Upstream(status.as_u16())),
                false => Ok(()),
            }
        }
    }
}

fn bytes(block: &Content) -> &[u8] {
    match block {
        Content::Text(text) => text.as_bytes(),
        Content::Image(blob) | Content::Audio(blob) => &blob.data,
        Content::Resource(resource) => match &resource.contents {
            Contents::Text(text) => text.as_bytes(),
            Contents::Binary(data) => data,
        },
        Content::Link(link) => link.uri.as_bytes(),
    }
}
