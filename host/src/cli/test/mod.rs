//! `airlock test`: recorded examples of a document or component, replayed. No network, no grant, no secret.
//!
//! The examples of `NAME.yaml` are in `NAME.tests.yaml` beside it: an operation with its input, the request that it must make, the
//! answer that was recorded, and what must come of it.

mod differences;
mod example;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::mpsc;

use self::{
    differences::Differences,
    example::{Example, read},
};
use super::{
    CliError,
    call::Called,
    check, plugin_name,
    stand_in::{Recorded, Recorder},
    terminal,
};
use crate::{catalog::Catalog, component::Loader, contract::Consent, grant::Destination};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Documents and components with examples beside them, or folders of them
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// What the examples of a file are called: this instead of its ending.
const EXAMPLES: &str = "tests.yaml";

pub(super) async fn run(args: Args) -> Result<(), CliError> {
    let mut results = Vec::new();
    for file in args.files {
        for plugin in plugins(&file)? {
            results.extend(replay_all(&plugin).await?);
        }
    }
    let failed = results.iter().filter(|differences| !differences.is_empty()).count();
    match (failed, results.len()) {
        (_, 0) => Err(CliError::Usage(format!("no examples; expected them beside the file, in NAME.{EXAMPLES}"))),
        (0, all) => {
            terminal::say(format_args!("{all} passed"));
            Ok(())
        }
        (failed, all) => Err(CliError::Checked(format!("{failed} of {all} examples failed"))),
    }
}

/// The file itself, or those of a folder that have examples, in the order of their names.
fn plugins(file: &Path) -> Result<Vec<PathBuf>, CliError> {
    if !file.is_dir() {
        return Ok(vec![file.to_owned()]);
    }
    let failed = |e| CliError::io(file.display(), e);
    let entries = fs::read_dir(file).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    files.retain(|it| is_plugin(it) && it.with_extension(EXAMPLES).is_file());
    files.sort();
    Ok(files)
}

fn is_plugin(file: &Path) -> bool {
    let ending = file.extension().and_then(|it| it.to_str());
    matches!(ending, Some("yaml" | "yml" | "json" | "wasm")) && !file.to_string_lossy().ends_with(EXAMPLES)
}

async fn replay_all(file: &Path) -> Result<Vec<Differences>, CliError> {
    let examples = read(&file.with_extension(EXAMPLES))?;
    let mut stage = Stage::of(file).await?;
    let palette = terminal::palette();
    terminal::say(file.display());
    let mut results = Vec::new();
    for example in &examples {
        let differences = stage.replay(example).await?;
        let (style, verdict) = match differences.is_empty() {
            true => (palette.good, "ok    "),
            false => (palette.error, "FAILED"),
        };
        terminal::say(format_args!("  {style}{verdict}{style:#}  {}", example.title()));
        differences.lines().for_each(|line| terminal::say(format_args!("    {line}")));
        results.push(differences);
    }
    Ok(results)
}

/// A plugin with upstreams of this process.
struct Stage {
    catalog: Catalog,
    plugin: String,
    targets: Vec<Destination>,
    requests: mpsc::Receiver<Recorded>,
}

impl Stage {
    async fn of(file: &Path) -> Result<Self, CliError> {
        let source = check::read(file)?;
        check::document(file, &source)?;
        let name = plugin_name(file);
        let loader = Loader::new(Arc::new(check::sandbox()?));
        let failed = |reason| check::load_error(file, reason);
        let upstreams = loader.describe(source.clone()).await.map_err(failed)?.upstreams;
        let recorder = Recorder::listen().await?;
        let (grant, targets) = recorder.stand_in(None, &upstreams)?;
        let plugin = loader.load(&name, source, Some(&grant)).await.map_err(failed)?;
        let catalog = Catalog::default();
        catalog.put(plugin).expect("one plugin collides with nothing");
        Ok(Self { catalog, plugin: name, targets, requests: recorder.record() })
    }

    /// Carries out an example, and says what is different from it.
    async fn replay(&mut self, example: &Example) -> Result<Differences, CliError> {
        let called = Called::in_catalog(&self.catalog, &self.plugin, &example.operation, example.input.clone())?;
        let mut differences = Differences::default();
        let mut asked = 0;
        let outcome = called.invoke(Consent::Unasked);
        tokio::pin!(outcome);
        let outcome = loop {
            tokio::select! {
                biased;
                Some(request) = self.requests.recv() => {
                    asked += 1;
                    let url = request.url(&self.targets);
                    match &example.request {
                        Some(expected) if asked == 1 => expected.compare(&request, &url, &mut differences),
                        _ => differences.add("request", "none", &format!("{} {url}", request.method)),
                    }
                    // Whoever has gone wants no answer.
                    let _ = request.answer.send(example.answer()?);
                }
                outcome = &mut outcome => break outcome,
            }
        };
        if asked == 0
            && let Some(expected) = &example.request
        {
            differences.add("request", &expected.title(), "none");
        }
        example.compare(outcome, &mut differences).await;
        Ok(differences)
    }
}
