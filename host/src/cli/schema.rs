//! `airlock schema`: the JSON Schema of the documents that Airlock takes, for editors.

use super::terminal;
use crate::document;

pub(super) fn run() {
    terminal::say(document::SCHEMA.trim_end());
}
