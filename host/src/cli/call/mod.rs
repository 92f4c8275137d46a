//! `airlock call`: one operation, by the same way as REST and MCP, its answer on standard output.
//!
//! `arguments` makes the input, `answer` prints what comes, `rehearse` shows the request without sending it, `remote` asks a host
//! that is running.

mod answer;
mod arguments;
mod rehearse;
mod remote;

use std::{path::Path, sync::Arc};

use serde_json::Value;

use self::answer::Rendering;
use super::{Call, CliError, check, config, plugin_name};
use crate::{
    app,
    caller::{Caller, Door},
    callers::Identity,
    catalog::{Catalog, OperationRef},
    component::{Loader, Plugin},
    conditions::Conditions,
    contract::{Consent, Dialogue},
    document,
    failure::Failure,
    invoke::{Invocation, Reply, Upload, agreed, invoke},
};

pub(super) async fn run(args: Call) -> Result<(), CliError> {
    let rendering = match args.json {
        true => Rendering::Json,
        false => Rendering::Text,
    };
    match (&args.url, &args.file) {
        (Some(url), _) => remote::call(url, &args, rendering).await,
        (None, Some(file)) if args.dry_run => rehearse::run(file, &args, rendering).await,
        (None, Some(file)) => {
            let called = Called::of(load(file, &args).await?, &args)?;
            called.run_and_print(&args, rendering).await
        }
        (None, None) => Err(CliError::Usage("expected a document or component, or --url".to_owned())),
    }
}

/// The operation of a plugin of this process, and its input.
pub(super) struct Called {
    operation: OperationRef,
    input: Value,
}

impl Called {
    fn of(plugin: Plugin, args: &Call) -> Result<Self, CliError> {
        let catalog = Catalog::default();
        let name = plugin.name().to_owned();
        catalog.put(plugin).expect("one plugin collides with nothing");
        let operation = find(&catalog, &name, &args.operation)?;
        let input = arguments::read(&operation.operation().input_schema["properties"], args)?;
        Ok(Self { operation, input })
    }

    /// An operation of a plugin that is in the catalog.
    pub(super) fn in_catalog(catalog: &Catalog, plugin: &str, operation: &str, input: Value) -> Result<Self, CliError> {
        Ok(Self { operation: find(catalog, plugin, operation)?, input })
    }

    async fn run_and_print(self, args: &Call, rendering: Rendering) -> Result<(), CliError> {
        let consent = match args.yes {
            true => agreed(&self.operation),
            false => Consent::Unasked,
        };
        let operation = self.operation.clone();
        match self.invoke(consent).await {
            Ok(reply) => answer::print(reply, rendering).await,
            Err(failure) => {
                answer::print_failure(&failure, rendering);
                Err(told(failure, &operation, consent))
            }
        }
    }

    pub(super) async fn invoke(self, consent: Consent) -> Result<Reply, Failure> {
        let caller = Caller { door: Door::Cli, peer: None, identity: Identity::operator() };
        let permitted = caller.may_call(self.operation).expect("who has the plugin's file may do everything with it");
        let dialogue = Dialogue { consent, ..Dialogue::default() };
        let (conditions, upload) = (Conditions::default(), Upload::default());
        invoke(Invocation { permitted, input: self.input, dialogue, conditions, upload }).await
    }
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

async fn load(file: &Path, args: &Call) -> Result<Plugin, CliError> {
    let source = check::read(file)?;
    check::document(file, &source)?;
    let config = config(args.config.clone())?;
    let name = plugin_name(file);
    let loader = Loader::new(Arc::new(app::sandbox(config.cache.as_deref())?));
    let loaded = loader.load(&name, source, config.grants.get(&name)).await;
    loaded.map_err(|reason| check::load_error(file, reason))
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
        CliError::Usage(match document::nearest(wanted, names.iter().copied()) {
            Some(near) => format!("no such operation: {wanted}; did you mean {near}?"),
            None => format!("no such operation: {wanted}; there are: {}", names.join(", ")),
        })
    })
}
