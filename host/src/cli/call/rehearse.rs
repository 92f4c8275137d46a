//! `airlock call --dry-run`: the request as it would leave, its credentials masked; nothing leaves this process.
//!
//! It is never answered, so a provider that joins several requests shows its first one.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};

use super::{Called, answer::Rendering, told};
use crate::{
    cli::{
        Call, CliError, check, config, plugin_name,
        stand_in::{Recorded, Recorder},
        terminal,
    },
    component::Loader,
    contract::Consent,
};

pub(super) async fn run(file: &Path, args: &Call, rendering: Rendering) -> Result<(), CliError> {
    let source = check::read(file)?;
    check::document(file, &source)?;
    let name = plugin_name(file);
    let granted = config(args.config.clone())?.grants.remove(&name);
    let loader = Loader::new(Arc::new(check::sandbox()?));
    let failed = |reason| check::load_error(file, reason);
    let upstreams = loader.describe(source.clone()).await.map_err(failed)?.upstreams;
    let recorder = Recorder::listen().await?;
    let (grant, targets) = recorder.stand_in(granted, &upstreams)?;
    let plugin = loader.load(&name, source, Some(&grant)).await.map_err(failed)?;
    let called = Called::of(plugin, args)?;
    let operation = called.operation.clone();
    let mut requests = recorder.record();
    tokio::select! {
        biased;
        Some(request) = requests.recv() => {
            let url = request.url(&targets);
            match rendering {
                Rendering::Text => terminal::say(text(&request, &url).trim_end()),
                Rendering::Json => terminal::say(json(&request, &url)),
            }
            Ok(())
        }
        outcome = called.invoke(Consent::Unasked) => match outcome {
            Ok(_) => {
                terminal::complain("no request would be sent: the operation answers by itself");
                Ok(())
            }
            Err(failure) => Err(told(failure, &operation, Consent::Unasked)),
        },
    }
}

fn text(request: &Recorded, url: &str) -> String {
    let mut text = format!("{} {url}\n", request.method);
    request.headers().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\n")));
    match request.text() {
        Ok(body) if body.is_empty() => {}
        Ok(body) => text.push_str(&format!("\n{body}\n")),
        Err(bytes) => text.push_str(&format!("\n({bytes} bytes that aren't text)\n")),
    }
    text
}

fn json(request: &Recorded, url: &str) -> Value {
    let headers: Vec<Value> = request.headers().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let body = match request.text() {
        Ok(body) if body.is_empty() => Value::Null,
        Ok(body) => body.into(),
        Err(bytes) => json!({"bytes": bytes}),
    };
    json!({"method": request.method.as_str(), "url": url, "headers": headers, "body": body})
}
