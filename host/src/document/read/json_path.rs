//! Paths into JSON values (RFC 9535), with the liberties that the format takes.
//!
//! Reads and checks; they are followed in the sandbox, where the same crate parses them again.

use serde_json_path::JsonPath;

use crate::document::diagnostic::Code;
use crate::document::jsonpath;
use crate::document::report::Report;
use crate::document::tree::Place;

/// Reads a path, and gives it as the standard has it.
pub fn read(path: &str, at: &Place, report: &Report) -> Option<String> {
    let path = standard(path);
    let read = jsonpath::check_size(&path).and_then(|()| JsonPath::parse(&path).map_err(|error| error.to_string()));
    match read {
        Ok(_) => Some(path),
        Err(reason) => {
            report
                .error(Code::InvalidValue, at, format!("path can't be read: {reason}"))
                .expected("a JSONPath (RFC 9535), e.g. `$.items[0].id`");
            None
        }
    }
}

/// A path as the standard has it: a trailing dot means nothing, and a name that can't stand after a dot stands in brackets.
fn standard(path: &str) -> String {
    let mut standard = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '[' => {
                let end = end_of_brackets(rest);
                standard.push_str(&rest[..end]);
                end
            }
            '.' => take_step(rest, &mut standard),
            other => {
                standard.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    standard
}

/// Takes dots and the name behind them.
fn take_step(text: &str, standard: &mut String) -> usize {
    let name_at = text.find(|c| c != '.').unwrap_or(text.len());
    let (dots, rest) = text.split_at(name_at);
    let name = &rest[..rest.find(['.', '[']).unwrap_or(rest.len())];
    match (dots.len(), name) {
        (1, "") => {}
        (1, name) if !is_shorthand(name) => standard.push_str(&bracketed(name)),
        (_, name) if name.is_empty() || is_shorthand(name) => {
            standard.push_str(dots);
            standard.push_str(name);
        }
        (_, name) => {
            standard.push_str(dots);
            standard.push_str(&bracketed(name));
        }
    }
    name_at + name.len()
}

fn is_shorthand(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name == "*" || (name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit()))
}

fn bracketed(name: &str) -> String {
    format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The end of what stands in brackets, quotes and brackets inside of them regarded.
fn end_of_brackets(text: &str) -> usize {
    let (mut depth, mut quote, mut escaped) = (0, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 1 => return at + 1,
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_format_are_those_of_the_standard() {
        for (path, expected) in [
            ("$", "$"),
            ("$.", "$"),
            ("$.a.b_1", "$.a.b_1"),
            ("$.a-b.c", "$['a-b'].c"),
            ("$.Due Date[0].x", "$['Due Date'][0].x"),
            ("$.it's", r"$['it\'s']"),
            ("$.größe", "$.größe"),
            ("$.1st", "$['1st']"),
            ("$..a-b", "$..['a-b']"),
            ("$..*", "$..*"),
            ("$.*.a", "$.*.a"),
            ("$[?@.a-b == 'x].y']", "$[?@.a-b == 'x].y']"),
            ("$['a.b-c'].d-e", "$['a.b-c']['d-e']"),
            ("$[?@['x'] > 1].a", "$[?@['x'] > 1].a"),
            ("$[", "$["),
        ] {
            assert_eq!(standard(path), expected, "{path}");
        }
    }
}
