//! `with`: what each parameter of the called operation gets.

use super::json_path;
use crate::contract::Audience;
use crate::document::diagnostic::Code;
use crate::document::fields::wrong_type;
use crate::document::model::{Argument, Secrets, With};
use crate::document::plan::{Part, TemplatePart, Value};
use crate::document::report::Report;
use crate::document::template::{Piece, split_value};
use crate::document::tree::{Entry, Kind, Node, Place, Placed};

/// What refers to the caller's input, beside the namespace of the expose itself.
const ALIASES: [&str; 3] = ["rest", "tools", "mcp"];

/// What is known where the arguments stand.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The namespace of the expose.
    pub namespace: &'a str,
    /// What that is called in its own file, if it is imported under another name.
    pub own_name: Option<&'a str>,
    /// The bound secrets, which have no business here.
    pub secrets: &'a Secrets,
    /// Whose calls the expose takes.
    pub audience: Audience,
    /// The steps of the flow, none outside of one.
    pub steps: &'a [&'a str],
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
        value: read_placed(&entry.value, scope, report)?,
    })
}

/// Reads a value: a reference, a template, or a literal.
pub fn read_placed(node: &Node, scope: &Scope, report: &Report) -> Option<Placed<Value>> {
    Some(Placed { at: node.at.clone(), value: read_value(node, scope, report)? })
}

/// Reads one value: a reference to an input, a constant, or text with inputs in it.
pub fn read_value(node: &Node, scope: &Scope, report: &Report) -> Option<Value> {
    match &node.kind {
        Kind::Text(text) if scope.is_path(text) => read_part(text, &node.at, scope, report).map(Value::Step),
        Kind::Text(text) => match reference(text, scope.namespace, scope.own_name) {
            Some(input) => Some(Value::Input(input.to_owned())),
            None => read_template(text, &node.at, scope, report),
        },
        Kind::List(_) | Kind::Mapping(_) => {
            let value = node.to_json();
            let text = value.to_string();
            if text.contains("{{") || (!scope.steps.is_empty() && text.contains("\"$.")) {
                report
                    .not_supported(&node.at, "a template or reference inside a list or mapping")
                    .hint("declare one parameter for each value");
                return None;
            }
            Some(Value::Constant(value))
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => Some(Value::Constant(node.to_json())),
    }
}

/// The input that a value like `rest.p` refers to. `p` may hold dots, dashes and brackets, but it is one word.
fn reference<'t>(text: &'t str, namespace: &str, own_name: Option<&str>) -> Option<&'t str> {
    let prefixes = std::iter::once(namespace).chain(own_name).chain(ALIASES);
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
    let parts = pieces.into_iter().map(|piece| read_piece(piece, at, scope, report));
    let mut parts = parts.collect::<Option<Vec<_>>>()?;
    Some(match (parts.pop(), parts.is_empty()) {
        (Some(TemplatePart::Input(name)), true) => Value::Input(name),
        (Some(TemplatePart::Step(part)), true) => Value::Step(part),
        (None | Some(TemplatePart::Text(_)), true) => Value::Constant(text.into()),
        (last, _) => Value::Template(parts.into_iter().chain(last).collect()),
    })
}

fn read_piece(piece: Piece, at: &Place, scope: &Scope, report: &Report) -> Option<TemplatePart> {
    Some(match piece {
        Piece::Text(text) => TemplatePart::Text(text),
        Piece::Variable(name) if scope.is_path(&name) => TemplatePart::Step(read_part(&name, at, scope, report)?),
        Piece::Variable(name) => match split_path(&name, scope.steps) {
            Some(_) => TemplatePart::Step(read_part(&format!("$.{name}"), at, scope, report)?),
            None => TemplatePart::Input(name),
        },
    })
}

/// Reads a path like `$.step.a.b` into the results of the steps.
pub fn read_part(text: &str, at: &Place, scope: &Scope, report: &Report) -> Option<Part> {
    let path = text.strip_prefix("$.").or_else(|| text.strip_prefix('$')).unwrap_or(text);
    let Some((step, rest)) = split_path(path, scope.steps) else {
        let name = path.split(['.', '[']).next().unwrap_or_default();
        report
            .error(Code::UnknownReference, at, format!("no step has this name: {name}"))
            .expected(format!("`$.<step>…` with one of: {}", scope.steps.join(", ")))
            .did_you_mean(name, scope.steps.iter().copied());
        return None;
    };
    Some(Part { step, path: json_path::read(&format!("${rest}"), at, report)? })
}

/// The step whose name a path begins with, and what follows it.
fn split_path<'t>(path: &'t str, steps: &[&str]) -> Option<(usize, &'t str)> {
    let rest_of = |name: &str| -> Option<&'t str> {
        let quoted = ['\'', '"'].iter().find_map(|quote| path.strip_prefix(&*format!("[{quote}{name}{quote}]")));
        let rest = quoted.or_else(|| path.strip_prefix(name))?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
    };
    let found = steps.iter().enumerate().filter_map(|(index, name)| Some((index, name.len(), rest_of(name)?)));
    // A name may hold dots, and then be the beginning of another.
    found.max_by_key(|(_, length, _)| *length).map(|(index, _, rest)| (index, rest))
}

impl Scope<'_> {
    /// Whether a text is a path into the results of the steps, of which there are none outside of a flow.
    fn is_path(&self, text: &str) -> bool {
        !self.steps.is_empty() && (text == "$" || text.starts_with("$.") || text.starts_with("$["))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_the_name_of_a_step() {
        let steps = ["get", "get.user", "get-user"];
        for (path, expected) in [
            ("get", Some((0, ""))),
            ("get.id", Some((0, ".id"))),
            ("get[0].id", Some((0, "[0].id"))),
            ("get.user.id", Some((1, ".id"))),
            ("get-user.id", Some((2, ".id"))),
            ("['get-user']['a b']", Some((2, "['a b']"))),
            ("[\"get\"]", Some((0, ""))),
            ("getter.id", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(split_path(path, &steps), expected, "{path}");
        }
    }

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
            assert_eq!(reference(text, "users-rest", None), expected, "{text}");
        }
    }
}
