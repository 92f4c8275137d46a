//! What is logged where: everything to standard error, the audit to a file of its own as well.
//!
//! What an audit line says is `egress`'s business.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anstream::{AutoStream, ColorChoice};
use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, fmt, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

use super::{CliError, Verb};
use crate::egress::AUDIT;

#[derive(Debug, Args)]
pub(super) struct Log {
    /// What is logged, to standard error: a level, or directives such as `info,airlock::audit=warn`.
    #[arg(long, global = true, value_name = "FILTER", env = "AIRLOCK_LOG")]
    log: Option<String>,
    /// How log lines are written.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    log_format: Format,
    /// A file that gets the audit, one JSON object for each outbound request, whatever `--log` says. It is appended to.
    #[arg(long, global = true, value_name = "FILE", env = "AIRLOCK_AUDIT")]
    audit: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A host tells what it does; a command that answers and ends tells what went wrong.
pub(super) fn default_filter(verb: &Verb) -> &'static str {
    match verb {
        // rmcp tells of each request's transport.
        Verb::Serve(_) | Verb::Mcp(_) => "info,rmcp=warn",
        _ => "warn",
    }
}

/// Begins to log.
pub(super) fn start(log: &Log, default: &str) -> Result<(), CliError> {
    let directives = log.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(directives).map_err(|e| CliError::Usage(format!("--log {directives:?}: {e}")))?;
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(AutoStream::choice(&io::stderr()) != ColorChoice::Never);
    let lines = match log.log_format {
        Format::Text => lines.with_filter(filter).boxed(),
        Format::Json => lines.json().with_filter(filter).boxed(),
    };
    let audit = log.audit.as_deref().map(open).transpose()?.map(audit);
    tracing_subscriber::registry().with(lines).with(audit).init();
    Ok(())
}

/// A host that can't open its audit doesn't start: one that went without would look like one without traffic. Paths of requests
/// hold callers' data, so that others can't read it.
fn open(path: &Path) -> Result<File, CliError> {
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    opened.map_err(|e| CliError::Usage(format!("--audit {}: {e}", path.display())))
}

/// Each line is written at once and whole, so that nothing is lost with the process and lines of threads don't mix.
fn audit<S: Subscriber + for<'a> LookupSpan<'a>>(file: File) -> impl Layer<S> {
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    lines.with_writer(Arc::new(file)).with_filter(Targets::new().with_target(AUDIT, tracing::Level::INFO))
}
