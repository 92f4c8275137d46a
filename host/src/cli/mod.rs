//! The command line: one file per verb. It renders the same outcomes as REST and MCP, as text and exit codes.

mod build;
mod call;
mod check;
mod demo;
mod explain;
mod export;
mod import;
mod inspect;
mod key;
mod log;
mod mcp;
mod migrate;
mod new;
mod schema;
mod serve;
mod stand_in;
mod terminal;
mod test;

use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use self::terminal::complain;
use self::{log::Log, terminal::Colours};
use crate::{
    app::{self, StartError},
    component::LoadError,
    config::{Config, ConfigError, DEFAULT_FILE},
    failure::Failure,
};

/// Airlock turns HTTP APIs into capabilities for agents and HTTP clients: plugins in a sandbox, every operation as REST and as an MCP
/// tool.
#[derive(Debug, Parser)]
#[command(
    name = "airlock",
    version,
    after_help = "Examples:
  airlock demo                                     two capabilities, simulated upstreams, no key, no network
  airlock check capability.yaml                    what is wrong with it, and the grant it needs
  airlock serve --config airlock.toml              serve the plugins of a folder
  airlock mcp --config airlock.toml capability.yaml
  airlock call capability.yaml listusers --arg page=2
  airlock import openapi petstore.yaml -o petstore.capability.yaml
  airlock completions bash > /etc/bash_completion.d/airlock"
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    colours: Colours,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the plugins of a folder over REST and MCP, and follow its changes
    #[command(after_help = "Examples:
  airlock serve
  airlock serve --config /etc/airlock/airlock.toml --plugins /srv/plugins
  airlock serve --rest 127.0.0.1:8081 --mcp 127.0.0.1:9091 --control 127.0.0.1:9902")]
    Serve(Serve),
    /// Serve the capabilities that come with Airlock against simulated upstreams: no key, no network
    #[command(after_help = "Examples:
  airlock demo
  airlock demo --rest 127.0.0.1:0 --mcp 127.0.0.1:0 --control 127.0.0.1:0")]
    Demo(Addresses),
    /// Compile a capability document to a component
    #[command(after_help = "Examples:
  airlock build m3ter-orgusers.yaml
  airlock build m3ter-orgusers.yaml -o plugins.d/m3ter-orgusers.wasm")]
    Build(Build),
    /// Say what is wrong with documents and components, and print the grants that they need
    #[command(after_help = "Examples:
  airlock check m3ter-orgusers.yaml
  airlock check --strict plugins.d/*
  airlock check --format sarif plugins.d/* > airlock.sarif
  airlock check --format github capabilities/*.yaml")]
    Check(Check),
    /// Write a capability document in the newest shape of the format
    #[command(after_help = "Examples:
  airlock migrate m3ter-orgusers.yaml
  airlock migrate m3ter-orgusers.yaml -o m3ter-orgusers.yaml")]
    Migrate(Migrate),
    /// Say what a diagnostic code means, show a document that has it, and how to mend it
    #[command(after_help = "Examples:
  airlock explain
  airlock explain AL004")]
    Explain(explain::Args),
    /// Print the JSON Schema of documents, for editors
    #[command(after_help = "Examples:
  airlock schema > airlock.schema.json

The first line of a document tells an editor with the YAML language server where it is:
  # yaml-language-server: $schema=./airlock.schema.json")]
    Schema,
    /// Begin a document, or a provider in Rust, that works as it is and says what to change
    #[command(after_help = "Examples:
  airlock new weather
  airlock new weather --rust
  airlock new weather --rust --sdk ../airlock/plugins/sdk")]
    New(new::Args),
    /// Show what a document or component is made of: its world, operations with schemas, needs, size and hash
    #[command(after_help = "Examples:
  airlock inspect m3ter-orgusers.yaml
  airlock inspect m3ter-orgusers.wasm --json")]
    Inspect(inspect::Args),
    /// Call one operation of a document, a component, or a host that is running
    #[command(
        allow_missing_positional = true,
        after_help = "Examples:
  airlock call m3ter-orgusers.yaml listorgusers --arg orgId=3c9f1d52 --arg pageSize=10
  airlock call m3ter-orgusers.yaml putorguser --input '{\"orgId\": \"o\", \"id\": \"u\", \"body\": {\"version\": 1}}'
  airlock call m3ter-orgusers.yaml adminresendtemppass --arg orgId=o --arg id=u --yes
  airlock call m3ter-orgusers.yaml listorgusers --arg orgId=o --dry-run
  airlock call --url http://127.0.0.1:8080 metal-users.findusers --arg per_page=2 --json"
    )]
    Call(Call),
    /// Replay recorded examples of documents and components, without a network
    #[command(after_help = "Examples:
  airlock test weather.yaml                        its examples are in weather.tests.yaml
  airlock test plugins.d

An example (what it doesn't say isn't compared):
  - name: a forecast for two days
    operation: getforecast
    input: { city: paris, days: 2 }
    request:
      method: GET
      url: https://api.weather.example/v1/forecast/paris?days=2
      headers: { X-Api-Key: •••• }
    answer: { status: 200, body: { sky: clear } }
    status: 200
    result: { sky: clear }")]
    Test(test::Args),
    /// Serve documents and components over MCP on standard input and output, to the client that starts it
    #[command(after_help = "Examples:
  airlock mcp --config /etc/airlock/airlock.toml /srv/plugins
  airlock mcp --config ~/airlock.toml ~/m3ter-orgusers.yaml ~/metal-users.yaml")]
    Mcp(Mcp),
    /// Make a capability document of another description of an API
    #[command(
        subcommand,
        after_help = "Examples:
  airlock import openapi petstore.yaml -o petstore.capability.yaml"
    )]
    Import(Import),
    /// Write a capability as another description
    #[command(
        subcommand,
        after_help = "Examples:
  airlock export openapi m3ter-orgusers.yaml -o openapi.json"
    )]
    Export(Export),
    /// Make keys for callers
    #[command(
        subcommand,
        after_help = "Examples:
  airlock key new ci"
    )]
    Key(Key),
    /// Print a script that makes a shell complete Airlock's commands
    #[command(after_help = "Examples:
  airlock completions bash > /etc/bash_completion.d/airlock
  airlock completions zsh > ~/.zfunc/_airlock")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Print a new key, which is shown this once, and the lines for airlock.toml
    #[command(after_help = "Examples:
  airlock key new ci
  airlock key new ci >> airlock.toml")]
    New {
        /// The caller's name: what the log calls it
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum Import {
    /// From OpenAPI 3.0, 3.1 or Swagger 2.0, in YAML or JSON; what can't be carried over is said on standard error
    #[command(after_help = "Examples:
  airlock import openapi petstore.yaml -o plugins.d/petstore.yaml
  airlock import openapi https://api.example.com/openapi.json --namespace example > example.yaml
  airlock import openapi github.json --tag issues --path '/repos/**' -o issues.yaml
  airlock import openapi petstore.yaml --operation findPets --operation getPetById --server https://pets.example.com/v1")]
    Openapi(ImportOpenapi),
}

#[derive(Debug, Subcommand)]
enum Export {
    /// As OpenAPI 3.1: the document that a host serves for this plugin
    #[command(after_help = "Examples:
  airlock export openapi m3ter-orgusers.yaml
  airlock export openapi plugins.d/m3ter-orgusers.wasm -o openapi.json")]
    Openapi(ExportOpenapi),
}

#[derive(Debug, Args)]
struct ImportOpenapi {
    /// The description: a file, or an address with http or https
    #[arg(value_name = "FILE|URL")]
    source: String,
    /// The document to write; standard output where none is named
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the API is called in the document and in paths; its title where nothing is said
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Where the API is, instead of what the description says
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Only operations with this tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only operations at these paths, `*` for anything within a segment and `**` for anything; may be repeated
    #[arg(long = "path", value_name = "GLOB")]
    paths: Vec<String>,
    /// Only the operation with this id; may be repeated
    #[arg(long = "operation", value_name = "ID")]
    operations: Vec<String>,
}

#[derive(Debug, Args)]
struct ExportOpenapi {
    /// The document or component; its name is the plugin's
    file: PathBuf,
    /// The file to write; standard output where none is named
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Serve {
    /// The configuration; `airlock.toml` where none is named
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The plugin folder, instead of the configured one
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    #[command(flatten)]
    addresses: Addresses,
}

/// Addresses instead of the configured ones. Port 0 takes a free port and prints it.
#[derive(Debug, Args)]
struct Addresses {
    /// Where to serve REST
    #[arg(long, value_name = "ADDRESS")]
    rest: Option<SocketAddr>,
    /// Where to serve MCP
    #[arg(long, value_name = "ADDRESS")]
    mcp: Option<SocketAddr>,
    /// Where to serve health, metrics and the list of plugins
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
}

#[derive(Debug, Args)]
struct Build {
    /// The document
    file: PathBuf,
    /// The component to write; the document's name with `.wasm` where none is named
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Migrate {
    /// The document
    file: PathBuf,
    /// The file to write, which may be the document; standard output where none is named
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Check {
    /// Documents and components
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = check::Format::Human)]
    format: check::Format,
}

#[derive(Debug, Args)]
struct Call {
    /// The document or component
    #[arg(required_unless_present = "url", conflicts_with = "url")]
    file: Option<PathBuf>,
    /// The operation, or the name of its tool; of a running host, `<plugin>.<operation>` where several plugins have one
    operation: String,
    /// An input; may be repeated, and repeated names make an array
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    args: Vec<String>,
    /// The whole input as a JSON object; `--arg` adds to it
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// The configuration with the plugin's grant; `airlock.toml` where none is named
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Agree to the call, where the grant wants somebody to
    #[arg(long, conflicts_with = "url")]
    yes: bool,
    /// Print the request that would be sent, secrets masked, and send nothing; without a grant, as if all were granted
    #[arg(long, conflicts_with = "url")]
    dry_run: bool,
    /// Print one JSON object with the status and the answer
    #[arg(long)]
    json: bool,
    /// Call a host that is running, by the address of its REST
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The file with the key to call it with; else the variable AIRLOCK_KEY
    #[arg(long, value_name = "FILE", requires = "url")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Mcp {
    /// Documents and components, and folders of them; their changes take effect at once
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The configuration with the plugins' grants; `airlock.toml` where none is named
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments or the configuration can't be used.
    #[error("{0}")]
    Usage(String),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The grant wants somebody to agree to the call. Who is at the command line does it by an argument.
    #[error("not carried out: the grant wants somebody to agree to a call of {operation}; if you do, add --yes")]
    NotAgreed {
        /// The operation.
        operation: String,
    },
    /// A document or component is not right; the details are printed already.
    #[error("{0}")]
    Checked(String),
    /// A file can't be made a plugin.
    #[error("{file}: {reason}")]
    Load {
        /// The file.
        file: String,
        /// Why not.
        reason: LoadError,
    },
    /// The host can't start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The operation failed.
    #[error("{0}")]
    Call(#[from] Failure),
    /// The upstream answered with an error; the answer is printed already.
    #[error("the upstream answered with status {0}")]
    Upstream(u16),
    /// A host that is running answered with an error; the answer is printed already.
    #[error("the host answered with status {0}")]
    Answered(u16),
    /// A host that should be running can't be asked.
    #[error("{0}")]
    Remote(String),
    /// Reading or writing failed.
    #[error("{what}: {reason}")]
    Io {
        /// What was read or written.
        what: String,
        /// What went wrong.
        reason: io::Error,
    },
}

impl CliError {
    /// 1: a document, component or file is at fault. 2: the arguments or the configuration are, as with every command that clap
    /// reads. 3: the host can't start. 4: the call failed.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Checked(_) | Self::Load { .. } | Self::Io { .. } => 1,
            Self::Usage(_) | Self::Config(_) | Self::NotAgreed { .. } => 2,
            Self::Start(_) => 3,
            Self::Call(_) | Self::Upstream(_) | Self::Answered(_) | Self::Remote(_) => 4,
        })
    }

    fn io(what: impl std::fmt::Display, reason: io::Error) -> Self {
        Self::Io { what: what.to_string(), reason }
    }
}

/// Carries out a command.
///
/// # Errors
/// See [`CliError`].
pub fn run(cli: Cli) -> Result<(), CliError> {
    cli.colours.settle();
    match &cli.verb {
        Verb::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "airlock", &mut terminal::out());
            return Ok(());
        }
        Verb::Key(Key::New { name }) => return key::new(name),
        Verb::Explain(args) => return explain::run(args),
        Verb::New(args) => return new::run(args),
        Verb::Schema => {
            schema::run();
            return Ok(());
        }
        _ => {}
    }
    log::start(&cli.log, log::default_filter(&cli.verb))?;
    let runtime = app::runtime().map_err(|e| CliError::io("async runtime", e))?;
    let done = runtime.block_on(async {
        match cli.verb {
            Verb::Serve(args) => serve::run(args).await,
            Verb::Demo(addresses) => demo::run(addresses).await,
            Verb::Build(args) => build::run(args).await,
            Verb::Check(args) => check::run(args).await,
            Verb::Migrate(args) => migrate::run(args),
            Verb::Call(args) => call::run(args).await,
            Verb::Inspect(args) => inspect::run(args).await,
            Verb::Test(args) => test::run(args).await,
            Verb::Mcp(args) => mcp::run(args).await,
            Verb::Import(Import::Openapi(args)) => import::openapi(args).await,
            Verb::Export(Export::Openapi(args)) => export::openapi(args).await,
            Verb::Completions { .. } | Verb::Key(_) | Verb::Explain(_) | Verb::New(_) | Verb::Schema => {
                unreachable!("done above")
            }
        }
    });
    // A thread may wait for standard input, which only the other end can make it stop.
    runtime.shutdown_background();
    done
}

/// The configuration of a named file, else of `airlock.toml`, else the defaults.
fn config(file: Option<PathBuf>) -> Result<Config, ConfigError> {
    match file {
        Some(file) => Config::read(&file),
        None => {
            let default = PathBuf::from(DEFAULT_FILE);
            match default.exists() {
                true => Config::read(&default),
                false => Ok(Config::default()),
            }
        }
    }
}

impl Addresses {
    fn apply_to(self, config: &mut Config) {
        let listen = &mut config.listen;
        listen.rest = self.rest.unwrap_or(listen.rest);
        listen.mcp = self.mcp.unwrap_or(listen.mcp);
        listen.control = self.control.unwrap_or(listen.control);
    }
}

/// Writes what a command has made, whole or not at all: a host may be watching the folder.
fn write(output: &Path, contents: &[u8]) -> Result<(), CliError> {
    let failed = |e| CliError::io(output.display(), e);
    let mut unfinished = output.to_owned().into_os_string();
    unfinished.push(".tmp");
    let written = fs::write(&unfinished, contents).and_then(|()| fs::rename(&unfinished, output));
    written.map_err(|e| {
        // Of what isn't whole nothing is left behind.
        drop(fs::remove_file(&unfinished));
        failed(e)
    })
}

/// Writes a text to a file, or to standard output where none is named.
fn write_or_print(output: Option<&Path>, text: &str) -> Result<(), CliError> {
    match output {
        Some(output) => write(output, text.as_bytes()),
        None => terminal::out().write_all(text.as_bytes()).map_err(|e| CliError::io("standard output", e)),
    }
}

/// A plugin's name: the stem of its file.
fn plugin_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}
