//! JSONPath (RFC 9535). Pure.

use std::borrow::Cow;

use serde_json::Value as Json;
use serde_json_path::JsonPath;

/// A path that has been read.
#[derive(Debug)]
pub struct Path {
    read: JsonPath,
    is_singular: bool,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// It can't be read, which the compiler doesn't let happen.
    pub fn read(path: &str) -> Result<Self, String> {
        let read = JsonPath::parse(path).map_err(|e| format!("{path}: {e}"))?;
        Ok(Self { read, is_singular: is_singular(path) })
    }

    /// What it leads to: a value, or the list of them where it can lead to several. `None` where it leads nowhere.
    pub fn find<'v>(&self, value: &'v Json) -> Option<Cow<'v, Json>> {
        let found = self.read.query(value).all();
        match self.is_singular {
            true => found.first().map(|value| Cow::Borrowed(*value)),
            false => Some(Cow::Owned(found.into_iter().cloned().collect())),
        }
    }
}

/// What a path leads to that is read for this alone.
pub fn find<'v>(path: &str, value: &'v Json) -> Option<Cow<'v, Json>> {
    if path == "$" {
        return Some(Cow::Borrowed(value));
    }
    Path::read(path).ok()?.find(value)
}

/// Whether a path can lead to one place only: names and numbers, one after the other.
fn is_singular(path: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    for c in path.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '*' | '?' | ':' | ',') => return false,
            (None, _) => {}
        }
    }
    !path.contains("..")
}
