//! `with`: what each parameter of the called operation gets.

use crate::contract::Audience;
use crate::document::diagnostic::Code;
use crate::document::fields::wrong_type;
use crate::document::model::{Argument, Secrets, With};
use crate::document::plan::{TemplatePart, Value};
use crate::document::report::Report;
use crate::document::template::{Piece, split_value};
use crate::document::tree::{Entry, Kind, Node, Place, Placed};

/// What refers to the caller's input, beside the namespace of the expose itself.
const ALIASES: [&str; 3] = ["rest", "tools", "mcp"];

/// What is known where the arguments stand.
pub struct Scope<'a> {
    /// The namespace of the expose.
    pub namespace: &'a str,
    /// The bound secrets, which have no business here.
    pub secrets: &'a Secrets,
    /// Whose calls the expose takes.
    pub audience: Audience,
}

/// Reads all arguments.
pub fn read_all(node: &Node, scope: &Scope, report: &Report) -> With {
    let Kind::Mapping(entries) = &node.kind else {
        wrong_type(node, "a mapping from parameters to values, e.g. `id: rest.id`", report);
        return With::Unreadable;
    };
    let arguments: Vec<_> = entries.iter().map(|entry| read_argument(entry, scope, report)).collect();
    match arguments.into_iter().collect() {
        Some(arguments) => With::Arguments(arguments),
        None => With::Unreadable,
    }
}

fn read_argument(entry: &Entry, scope: &Scope, report: &Report) -> Option<Argument> {
    Some(Argument {
        parameter: Placed { at: entry.key_at.clone(), value: entry.key.clone() },
        value: Placed { at: entry.value.at.clone(), value: read_value(&entry.value, scope, report)? },
    })
}

fn read_value(node: &Node, scope: &Scope, report: &Report) -> Option<Value> {
    match &node.kind {
        Kind::Text(text) => match reference(text, scope.namespace) {
            Some(input) => Some(Value::Input(input.to_owned())),
            None => read_template(text, &node.at, scope, report),
        },
        Kind::List(_) | Kind::Mapping(_) => {
            let value = node.to_json();
            if value.to_string().contains("{{") {
                report
                    .not_supported(&node.at, "a template inside a list or mapping")
                    .hint("declare one parameter for each value");
                return None;
            }
            Some(Value::Constant(value))
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => Some(Value::Constant(node.to_json())),
    }
}

/// The input that a value like `rest.p` refers to. `p` may hold dots, dashes and brackets, but it is one word.
fn reference<'t>(text: &'t str, namespace: &str) -> Option<&'t str> {
    let prefixes = std::iter::once(namespace).chain(ALIASES);
    let names = prefixes.filter_map(|prefix| text.strip_prefix(prefix)?.strip_prefix('.'));
    let is_name = |name: &&str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '{');
    names.into_iter().find(is_name)
}

/// A template that is nothing but one input keeps the type of the input.
fn read_template(text: &str, at: &Place, scope: &Scope, report: &Report) -> Option<Value> {
    let pieces = match split_value(text) {
        Ok(pieces) => pieces,
        Err(error) => {
            report
                .error(Code::InvalidValue, at, format!("template can't be read, {error}"))
                .expected("text with `{{input}}` in it");
            return None;
        }
    };
    check_no_secret(&pieces, at, scope, report)?;
    Some(match pieces.as_slice() {
        [Piece::Variable(name)] => Value::Input(name.clone()),
        [] | [Piece::Text(_)] => Value::Constant(text.into()),
        _ => Value::Template(pieces.into_iter().map(part).collect()),
    })
}

/// A secret as an argument would pass through the sandbox, and be asked of the caller.
fn check_no_secret(pieces: &[Piece], at: &Place, scope: &Scope, report: &Report) -> Option<()> {
    let secret = pieces.iter().find_map(|piece| match piece {
        Piece::Variable(name) if scope.secrets.is_meant(name) => Some(name),
        Piece::Variable(_) | Piece::Text(_) => None,
    });
    let Some(name) = secret else { return Some(()) };
    report
        .error(Code::MisplacedSecret, at, format!("secret can't be used here: {name}"))
        .hint("give it under `authentication`, or under `inputParameters` beside `baseUri`");
    None
}

fn part(piece: Piece) -> TemplatePart {
    match piece {
        Piece::Text(text) => TemplatePart::Text(text),
        Piece::Variable(name) => TemplatePart::Input(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_literals() {
        for (text, expected) in [
            ("users-rest.id", Some("id")),
            ("rest.orgId", Some("orgId")),
            ("tools.a.b-c[0]", Some("a.b-c[0]")),
            ("mcp.x", Some("x")),
            ("application/vnd.a.b", None),
            ("other-rest.id", None),
            ("rest", None),
            ("rest.", None),
            ("rest.of the world", None),
            ("rest.{{x}}", None),
        ] {
            assert_eq!(reference(text, "users-rest"), expected, "{text}");
        }
    }
}
