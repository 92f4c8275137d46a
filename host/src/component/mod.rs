//! From a file to a plugin that can be called: compile the document, check the component, describe it, bind its grant.
//!
//! All of this happens once per plugin load; a plugin that isn't right in every respect never gets into the catalog.

mod agreements;
mod check;
mod files;
mod located;
mod plugin;
mod schema;
mod specialise;
mod unfold;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use self::{
    agreements::{Agreements, BadTicket},
    check::{ContractFault, World, inspect},
    files::{Imported, beside},
    plugin::{Permit, Plugin},
};
use self::{plugin::Parts, schema::Schemas, specialise::specialise};
use tracing::Instrument;

use crate::{
    contract::{Description, Facts, Operation, Origins},
    document::{self, Compiled, Diagnostic, Files, Mode},
    egress::{self, Egress, GrantError},
    failure::Failure,
    grant::{Confirm, Grant, Limits},
    metrics::Metrics,
    sandbox::{Allowance, Guest, Sandbox},
};

/// A plugin's file, read.
#[derive(Clone, Debug)]
pub enum Source {
    /// A capability document: YAML or JSON.
    Document {
        /// Its text.
        text: String,
        /// The files that it imports from or serves.
        files: Files,
        /// Its own file.
        path: PathBuf,
    },
    /// A file without a capability, only with parts that documents import.
    Shared(String),
    /// A WebAssembly component.
    Component(Vec<u8>),
}

/// Why a file doesn't become a plugin, for the person who wrote the file or the grant.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file's name says neither document nor component.
    #[error("not a plugin file: expected a name that ends in .yaml, .yml, .json or .wasm")]
    FileName,
    /// The file can't be read.
    #[error("can't be read: {0}")]
    Read(std::io::Error),
    /// The document is not text.
    #[error("not a capability document: it is not UTF-8 text")]
    NotText,
    /// Documents import from the file; it is no plugin itself.
    #[error("not a plugin: the document has no capability, other documents import from it")]
    Shared,
    /// The document has errors.
    #[error("{} in the document: {}", count(.0), places(.0))]
    Document(Vec<Diagnostic>),
    /// The component isn't one of this contract.
    #[error(transparent)]
    Contract(#[from] ContractFault),
    /// The component's code can't be compiled.
    #[error("the component can't be compiled: {0}")]
    Compile(String),
    /// `describe` failed.
    #[error("the plugin doesn't describe itself: {}", .0.log())]
    Describe(Failure),
    /// The configuration has no grant for the plugin.
    #[error("no grant for plugin {plugin}: nothing is allowed without one; add to airlock.toml:\n{lines}")]
    NoGrant {
        /// The plugin.
        plugin: String,
        /// What to add.
        lines: String,
    },
    /// The grant doesn't cover what the plugin needs.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The grant wants to have confirmed what the plugin doesn't have. It may be called otherwise in this version: then it would be
    /// carried out unasked.
    #[error("grants.{plugin}.confirm in airlock.toml: {}", unknown.join("; "))]
    Confirm {
        /// The plugin.
        plugin: String,
        /// What is wrong with each name.
        unknown: Vec<String>,
    },
}

/// Makes plugins of files.
#[derive(Clone)]
pub struct Loader {
    sandbox: Arc<Sandbox>,
    metrics: Arc<Metrics>,
}

impl Loader {
    /// All plugins run in this sandbox.
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        Self { sandbox, metrics: Arc::default() }
    }

    /// The failures of all plugins are counted here.
    pub fn counting(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Makes a plugin that can be called, or says why the file isn't one.
    ///
    /// # Errors
    /// See [`LoadError`]; nothing is left behind.
    pub async fn load(&self, name: &str, source: Source, grant: Option<&Grant>) -> Result<Plugin, LoadError> {
        let span = tracing::info_span!("load", plugin = name);
        let (prepared, origins) = async {
            let made = self.compile(source).await?;
            Ok::<_, LoadError>((self.prepare(name, &made).await?, made.origins))
        }
        .instrument(span)
        .await?;
        let grant = grant.ok_or_else(|| LoadError::NoGrant {
            plugin: name.to_owned(),
            lines: egress::needed_grant(name, &prepared.description.upstreams, &origins),
        })?;
        let egress = Egress::new(name, grant, &prepared.description.upstreams)?;
        check_confirm(name, &grant.confirm, &prepared.description.operations)?;
        Ok(Plugin::new(Parts {
            name: name.to_owned(),
            description: prepared.description,
            schemas: prepared.schemas,
            sandbox: self.sandbox.clone(),
            metrics: self.metrics.clone(),
            guest: prepared.guest,
            egress,
            confirm: grant.confirm.clone(),
            limits: grant.limits.clone(),
        }))
    }

    /// Reads what a file offers and needs, without any grant.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn describe(&self, source: Source) -> Result<Description, LoadError> {
        Ok(self.examine(source).await?.0)
    }

    /// The same, with what a document has besides operations.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn examine(&self, source: Source) -> Result<(Description, Facts), LoadError> {
        let prepared = self.prepare("unnamed", &self.compile(source).await?).await?;
        Ok((prepared.description, prepared.guest.facts().cloned().unwrap_or_default()))
    }

    /// The component of a source: itself, or the document compiled.
    ///
    /// # Errors
    /// The document has errors, or is none by itself.
    pub async fn component(&self, source: Source) -> Result<Vec<u8>, LoadError> {
        Ok(self.compile(source).await?.wasm)
    }

    async fn compile(&self, source: Source) -> Result<Made, LoadError> {
        match source {
            Source::Component(wasm) => Ok(Made { wasm, kind: Kind::Given, origins: Origins::new() }),
            Source::Shared(_) => Err(LoadError::Shared),
            Source::Document { text, files, path } => {
                let compiled = document::compile_with(&text, &files, Mode::Tolerant);
                let Compiled { plan, origins, warnings } = compiled.map_err(LoadError::Document)?;
                for warning in warnings {
                    let file = warning.file.map_or(String::new(), |file| format!("{file}, "));
                    tracing::warn!("{file}line {}, column {}: {}", warning.line, warning.column, warning.message);
                }
                let wasm = specialise(&self.sandbox, &plan).await.map_err(cannot_compile)?;
                Ok(Made { wasm, kind: Kind::OfDocument, origins: beside(&path, &origins) })
            }
        }
    }

    async fn prepare(&self, name: &str, made: &Made) -> Result<Prepared, LoadError> {
        let guest = match made.kind {
            Kind::Given => {
                inspect(&made.wasm)?;
                self.sandbox.compile(&made.wasm)
            }
            Kind::OfDocument => self.sandbox.compile_document(&made.wasm),
        };
        let guest = guest.map_err(cannot_compile)?;
        let description = self.sandbox.describe(&guest, describing(name)).await;
        let description = description.map_err(LoadError::Describe)?;
        check::check(&description)?;
        let schemas = description.operations.iter().map(Schemas::compile).collect::<Result<_, _>>()?;
        Ok(Prepared { guest, description, schemas })
    }
}

/// The component that a source is, or was made into.
struct Made {
    wasm: Vec<u8>,
    kind: Kind,
    /// Where a document's upstreams are declared.
    origins: Origins,
}

/// Who has built a component.
enum Kind {
    /// Anybody.
    Given,
    /// This host.
    OfDocument,
}

/// A component that is right in itself; its grant is still to be looked at.
struct Prepared {
    guest: Guest,
    description: Description,
    schemas: Vec<Schemas>,
}

/// What `describe` may use. It has no upstream to wait for. A guest that computes has a tenth of what a busy thread has beside it, so
/// that its second of processor time takes ten or so on a busy machine; for as long, one that only waits keeps the files after it from
/// being loaded. Its description may have 32 MB: the largest APIs have a few thousand operations of a few kilobytes each.
fn describing(plugin: &str) -> Allowance {
    let limits = Limits {
        wall: Duration::from_secs(15),
        cpu: Duration::from_secs(1),
        requests: 0,
        response: 32 << 20,
        ..Limits::default()
    };
    Allowance::of_the_host(plugin.into(), "describe", limits)
}

/// Refuses a grant that wants to have confirmed what isn't there.
fn check_confirm(plugin: &str, confirm: &Confirm, operations: &[Operation]) -> Result<(), LoadError> {
    let names = || operations.iter().map(|it| it.name.as_str());
    let unknown = confirm.unknown(operations).map(|name| match document::nearest(name, names()) {
        Some(near) => format!("no such operation: {name}; did you mean {near}?"),
        None => format!("no such operation: {name}; there are: {}", names().collect::<Vec<_>>().join(", ")),
    });
    let unknown: Vec<String> = unknown.collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(LoadError::Confirm { plugin: plugin.to_owned(), unknown }),
    }
}

fn cannot_compile(error: wasmtime::Error) -> LoadError {
    LoadError::Compile(format!("{error:#}"))
}

/// All of them, each with its place: what `airlock check` shows at length.
fn places(diagnostics: &[Diagnostic]) -> String {
    let file = |it: &Diagnostic| it.file.as_ref().map_or(String::new(), |file| format!("{file}:"));
    let places = diagnostics.iter().map(|it| format!("{}{}:{}: {}", file(it), it.line, it.column, it.message));
    places.collect::<Vec<_>>().join("; ")
}

fn count(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.len() {
        1 => "1 error".to_owned(),
        n => format!("{n} errors"),
    }
}

impl Source {
    /// Reads a plugin's file.
    ///
    /// # Errors
    /// As [`Source::from_contents`]; or the file can't be read.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let contents = std::fs::read(path).map_err(LoadError::Read)?;
        let files = Imported::of_file(path, &contents).read(&[]);
        Self::from_contents(path, contents, files)
    }

    /// The source in a file's contents and the files that it imports from; the file's name says what it is.
    ///
    /// # Errors
    /// The name has no known ending, or a document isn't text.
    pub fn from_contents(path: &Path, contents: Vec<u8>, files: Files) -> Result<Self, LoadError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("wasm") => Ok(Self::Component(contents)),
            Some("yaml" | "yml" | "json") => {
                let text = String::from_utf8(contents).map_err(|_| LoadError::NotText)?;
                if document::is_shared(&text) {
                    return Ok(Self::Shared(text));
                }
                Ok(Self::Document { text, files, path: path.to_owned() })
            }
            _ => Err(LoadError::FileName),
        }
    }
}
