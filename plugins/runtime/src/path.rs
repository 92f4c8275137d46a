//! JSONPath (RFC 9535). Pure.

use std::borrow::Cow;

use serde_json::Value as Json;
use serde_json_path::JsonPath;

/// What a path leads to: a value, or the list of them where it can lead to several. `None` where it leads nowhere.
pub fn find<'v>(path: &str, value: &'v Json) -> Option<Cow<'v, Json>> {
    if path == "$" {
        return Some(Cow::Borrowed(value));
    }
    let found = JsonPath::parse(path).ok()?.query(value).all();
    match is_singular(path) {
        true => found.first().map(|value| Cow::Borrowed(*value)),
        false => Some(Cow::Owned(found.into_iter().cloned().collect())),
    }
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
