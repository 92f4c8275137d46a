//! JSONPaths (RFC 9535) as documents write them.
//!
//! Checks and normalises; they are evaluated in the sandbox, where the same crate parses them once more.

use serde_json_path::JsonPath;

/// The longest path. Real ones have some dozens of characters; each level of one costs the parser stack.
const MAX_LENGTH: usize = 1_000;
/// The deepest nesting of brackets. A filter within a filter needs four; the parser may try each level twice.
const MAX_NESTING: usize = 8;

/// The path as RFC 9535 writes it: `$.` is the root, and a name that needs brackets gets them (`$.first name`, `$.user-id`).
///
/// # Errors
/// Why it can't be read.
pub fn normalise(text: &str) -> Result<String, String> {
    let text = match text.trim() {
        "$." => "$",
        text => text,
    };
    check_size(text)?;
    let reason = match JsonPath::parse(text) {
        Ok(_) => return Ok(text.to_owned()),
        Err(reason) => reason,
    };
    match bracketed(text).filter(|path| JsonPath::parse(path).is_ok()) {
        Some(path) => Ok(path),
        None => Err(reason.to_string()),
    }
}

/// The path to the member of this name.
pub fn to_member(name: &str) -> String {
    format!("$[{}]", serde_json::Value::from(name))
}

/// Whether a path that can be read leads to one value at most, whatever it is applied to.
pub fn is_singular(path: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '*' | '?' | ',' | ':') => return false,
            (None, '.') if before == '.' => return false,
            (None, _) => {}
        }
        before = c;
    }
    true
}

/// Checks that a path is no larger than the parser may be given.
///
/// # Errors
/// How large it is.
pub fn check_size(text: &str) -> Result<(), String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("it has {} bytes, and at most {MAX_LENGTH} are read", text.len()));
    }
    let mut open = 0_usize;
    for c in text.chars() {
        match c {
            '(' | '[' => open += 1,
            ')' | ']' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_NESTING {
            return Err(format!("more than {MAX_NESTING} brackets are open at once"));
        }
    }
    Ok(())
}

/// Puts each name behind a dot into brackets. `None` for a path that has more than names, indices and `[*]`.
fn bracketed(text: &str) -> Option<String> {
    let mut path = "$".to_owned();
    for segment in text.strip_prefix("$.")?.split('.') {
        let end = segment.find('[').unwrap_or(segment.len());
        let (name, rest) = segment.split_at(end);
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_control() || "*?()'\"@,:]".contains(c));
        let is_index = |c: char| c.is_ascii_digit() || "[]*-".contains(c);
        if !is_name || !rest.chars().all(is_index) {
            return None;
        }
        path += &to_member(name)[1..];
        path += rest;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_meant() {
        for (text, expected) in [
            ("$", "$"),
            ("$.", "$"),
            (" $.a ", "$.a"),
            ("$.a[0].b", "$.a[0].b"),
            ("$['a b'][*]", "$['a b'][*]"),
            ("$..id", "$..id"),
            ("$.a[?(@.k == 'x')].v", "$.a[?(@.k == 'x')].v"),
            ("$[?length(@.a) > 1]", "$[?length(@.a) > 1]"),
            ("$.user-id", r#"$["user-id"]"#),
            ("$.First Name.x[1][*]", r#"$["First Name"]["x"][1][*]"#),
        ] {
            assert_eq!(normalise(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_said() {
        let long = format!("$.{}", "a".repeat(MAX_LENGTH));
        let deep = format!("$[?{}", "(".repeat(100_000));
        for text in
            ["", "a", "id.name", "$a", "$.a[", "$.a b(", "$[?match(@.a, 'x')]", "$[?@.a ==]", &long, &deep[..900]]
        {
            assert!(normalise(text).is_err(), "{text}");
        }
    }

    #[test]
    fn which_paths_lead_to_one_value() {
        for path in ["$", "$.a.b", "$['a*?,:..']", r#"$["\"*"]"#, "$[0]", "$[-1]['x']"] {
            assert!(is_singular(path), "{path}");
        }
        for path in ["$.*", "$..a", "$[1,2]", "$[1:]", "$[?@.a]", "$.a[*].b"] {
            assert!(!is_singular(path), "{path}");
        }
    }
}
