//! An OpenAPI description (3.0, 3.1, Swagger 2.0) -> a capability document, and what of the description it can't hold.
//!
//! Pure: text in, text out. Nothing is fetched or followed that isn't in the text itself, and no plugin is made of the document.

mod assemble;
mod body;
mod fit;
mod flatten;
mod form;
mod names;
mod notes;
mod operation;
mod parameter;
mod place;
mod refs;
mod response;
mod schema;
mod security;
mod select;
mod server;
mod source;
mod yaml;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use url::Url;

pub use self::{notes::Note, source::MAX_SOURCE_BYTES};
use self::{notes::Notes, source::Source};
use crate::contract::{NAME_RULE, is_name, is_reserved};

/// What is to be imported, and as what.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the description comes from, for the comment at the beginning of the document.
    pub origin: String,
    /// Its address, if it has one: addresses in it may be relative.
    pub address: Option<Url>,
    /// The namespace; the description's title if there is none.
    pub namespace: Option<String>,
    /// The upstream's address, instead of what the description says.
    pub server: Option<String>,
    /// Operations that have one of these tags; all if there is none.
    pub tags: Vec<String>,
    /// Operations whose path matches one of these patterns; all if there is none. `*` stands for anything without a slash, `**` for anything.
    pub paths: Vec<String>,
    /// Operations that have one of these ids; all if there is none.
    pub operations: Vec<String>,
}

/// What was made of a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The capability document.
    pub document: String,
    /// How many operations it has.
    pub operations: usize,
    /// What it can't hold, each with its place in the description.
    pub notes: Vec<Note>,
}

/// Why no document can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The text is neither YAML nor JSON.
    #[error("neither YAML nor JSON: {reason}")]
    Syntax {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// The text is larger than anything that is read.
    #[error("too large: {0}")]
    TooLarge(String),
    /// The text is something else.
    #[error(
        "not an OpenAPI description: {found}; expected `openapi: 3.0.x`, `openapi: 3.1.x` or `swagger: \"2.0\"` at the top"
    )]
    NotOpenApi {
        /// What it looks like.
        found: String,
    },
    /// The namespace can't be used.
    #[error("namespace can't be used: {0:?}; expected {NAME_RULE}, and no path of the host's own")]
    Namespace(String),
    /// The upstream's address can't be used.
    #[error("the API's address can't be used: {0}; give it with --server https://host/prefix")]
    Server(String),
    /// Nothing is left to import.
    #[error("no operation to import: {0}")]
    Nothing(String),
    /// There is more than one document can hold.
    #[error("too much for one document: {0}; choose with --tag, --path or --operation")]
    TooMuch(String),
}

impl ImportError {
    /// Line and column in the description, where they are known.
    pub fn place(&self) -> Option<(usize, usize)> {
        match self {
            Self::Syntax { line, column, .. } => Some((*line, *column)),
            _ => None,
        }
    }
}

/// Makes a capability document of an OpenAPI description.
///
/// # Errors
/// See [`ImportError`]. What is merely left out is a note.
pub fn openapi(text: &str, options: &Options) -> Result<Imported, ImportError> {
    let source = Source::read(text)?;
    let mut notes = Notes::default();
    let namespace = namespace(&source, options)?;
    source.note_what_is_no_operation(&mut notes);
    let chosen = select::choose(&source, options, &mut notes)?;
    let mut apis = operation::read_all(&source, chosen, &namespace, options, &mut notes)?;
    let security = security::settle(&source, &mut apis, &namespace, &mut notes);
    let operations = apis.iter().map(|api| api.operations.len()).sum();
    if operations == 0 {
        return Err(ImportError::Nothing(format!(
            "each one is left out\n{}",
            notes.into_list().iter().map(|it| format!("{it}\n")).collect::<String>().trim_end()
        )));
    }
    fit::schemas(&source, &mut apis, &mut notes);
    let document = assemble::document(&source, &namespace, &apis, &security, options, &mut notes)?;
    Ok(Imported { document, operations, notes: notes.into_list() })
}

fn namespace(source: &Source, options: &Options) -> Result<String, ImportError> {
    let Some(wanted) = &options.namespace else {
        let named = names::kebab(source.title()).unwrap_or_else(|| "api".to_owned());
        return Ok(if is_reserved(&format!("/{named}")) { format!("{named}-api") } else { named });
    };
    match is_name(wanted) && !is_reserved(&format!("/{wanted}")) {
        true => Ok(wanted.clone()),
        false => Err(ImportError::Namespace(wanted.clone())),
    }
}
