//! `prompts` of an MCP expose: what is suggested to ask a model, in the words of the document or of a file.

use std::collections::HashMap;

use super::{TITLE, check_name, note};
use crate::contract::{Piece, Prompt, PromptParameter, Role, WrittenMessage, WrittenPrompt, is_name};
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::files::Located;
use crate::document::located::Given;
use crate::document::report::Report;
use crate::document::tree::{Node, Placed};

/// The most prompts of a document: each list of them is made whole, and people pick from it.
const MAX_PROMPTS: usize = 500;

const EXPECTED_ROLE: &str = "user or assistant";

/// Reads all of them, with the places of their names.
pub fn read_all(nodes: &[Node], given: &Given, report: &Report) -> Vec<Placed<WrittenPrompt>> {
    if let Some(extra) = nodes.get(MAX_PROMPTS) {
        report
            .error(Code::Limit, &extra.at, format!("too many prompts: {}", nodes.len()))
            .expected(format!("at most {MAX_PROMPTS}"));
    }
    nodes.iter().take(MAX_PROMPTS).filter_map(|node| read(node, given, report)).collect()
}

fn read(node: &Node, given: &Given, report: &Report) -> Option<Placed<WrittenPrompt>> {
    let mut fields = Fields::of(node, "a prompt", report)?;
    let name = fields.required_text("name", "the prompt's name").and_then(|name| check_name(name, report));
    let title = fields.text_of_any(&TITLE);
    let description = fields.text("description").map(|text| text.value.to_owned());
    let parameters = read_arguments(fields.list("arguments"), report);
    let messages = read_messages(&mut fields, &parameters, given, report);
    fields.ignore(&["tags"]);
    fields.finish();
    let Placed { at, value: name } = name?;
    Some(Placed { at, value: WrittenPrompt { prompt: Prompt { name, title, description, parameters }, messages } })
}

fn read_arguments(nodes: &[Node], report: &Report) -> Vec<PromptParameter> {
    let mut first = HashMap::new();
    let is_first = |Placed { at, value }: &Placed<PromptParameter>| {
        let what = format!("argument `{}`", value.name);
        note(&mut first, value.name.clone(), at, Code::DuplicateName, &what, report)
    };
    let arguments = nodes.iter().filter_map(|node| read_argument(node, report));
    arguments.filter(is_first).map(|argument| argument.value).collect()
}

fn read_argument(node: &Node, report: &Report) -> Option<Placed<PromptParameter>> {
    let mut fields = Fields::of(node, "an argument", report)?;
    let name = fields.required_text("name", "the argument's name").and_then(|name| check_name(name, report));
    let title = fields.text_of_any(&TITLE);
    let description = fields.text("description").map(|text| text.value.to_owned());
    // The only type that there is.
    fields.ignore(&["type"]);
    let required = fields.boolean("required").unwrap_or(true);
    fields.finish();
    let Placed { at, value: name } = name?;
    Some(Placed { at, value: PromptParameter { name, title, description, required } })
}

/// The messages of `template`; the text of `location` is one of the user's.
fn read_messages(
    fields: &mut Fields,
    parameters: &[PromptParameter],
    given: &Given,
    report: &Report,
) -> Vec<WrittenMessage> {
    match (fields.entry("location"), fields.entry("template")) {
        (Some(location), Some(_)) => {
            report.error(Code::InvalidValue, &location.key_at, "`location` beside `template`").expected("one of them");
            Vec::new()
        }
        (Some(_), None) => {
            let text = fields.text("location").and_then(|location| read_file(&location, given, report));
            let message =
                |text: Placed<&str>| WrittenMessage { role: Role::User, text: split(&text, parameters, report) };
            text.map(message).into_iter().collect()
        }
        (None, _) => {
            let messages = fields.required_list("template").iter();
            messages.filter_map(|node| read_message(node, parameters, report)).collect()
        }
    }
}

fn read_file<'f>(location: &Placed<&str>, given: &Given<'f>, report: &Report) -> Option<Placed<&'f str>> {
    let reason = match given.open(location, report)? {
        Located::Folder(_) => "it is a folder",
        Located::File(data) => match str::from_utf8(data) {
            Ok(value) => return Some(Placed { at: location.at.clone(), value }),
            Err(_) => "it is not UTF-8 text",
        },
    };
    report
        .error(Code::Location, &location.at, format!("prompt can't be made of it, {reason}: {}", location.value))
        .expected("a file with the prompt's text");
    None
}

fn read_message(node: &Node, parameters: &[PromptParameter], report: &Report) -> Option<WrittenMessage> {
    let mut fields = Fields::of(node, "a message with `role` and `content`", report)?;
    let role = fields.required_text("role", EXPECTED_ROLE).and_then(|role| read_role(&role, report));
    let text = fields.required_text("content", "what is said").map(|text| split(&text, parameters, report));
    fields.finish();
    Some(WrittenMessage { role: role?, text: text? })
}

fn read_role(role: &Placed<&str>, report: &Report) -> Option<Role> {
    match role.value {
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        other => {
            report
                .error(Code::InvalidValue, &role.at, format!("unknown role: {other}"))
                .expected(EXPECTED_ROLE)
                .did_you_mean(other, ["user", "assistant"]);
            None
        }
    }
}

/// Splits a text at `{{name}}`. Braces around what is no name are text: prompts may be about templates.
fn split(text: &Placed<&str>, parameters: &[PromptParameter], report: &Report) -> Vec<Piece> {
    let pieces = pieces(text.value);
    let names = || parameters.iter().map(|it| it.name.as_str());
    for piece in &pieces {
        let Piece::Variable(name) = piece else { continue };
        if names().all(|it| it != name) {
            report
                .error(Code::PromptVariable, &text.at, format!("prompt has a variable that is no argument: {name}"))
                .expected(match parameters.is_empty() {
                    true => "an argument of this name; the prompt declares none".to_owned(),
                    false => format!("one of: {}", names().collect::<Vec<_>>().join(", ")),
                })
                .hint(format!("declare `{name}` under `arguments`"))
                .did_you_mean(name, names());
        }
    }
    pieces
}

fn pieces(text: &str) -> Vec<Piece> {
    let (mut pieces, mut said, mut rest) = (Vec::new(), String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        said.push_str(before);
        let name = after.split_once("}}").map(|(name, after)| (name.trim(), after)).filter(|(name, _)| is_name(name));
        match name {
            Some((name, after)) => {
                pieces.extend((!said.is_empty()).then(|| Piece::Text(std::mem::take(&mut said))));
                pieces.push(Piece::Variable(name.to_owned()));
                rest = after;
            }
            None => {
                // The next brace may be the first of two.
                said.push('{');
                rest = &rest[before.len() + 1..];
            }
        }
    }
    said.push_str(rest);
    pieces.extend((!said.is_empty()).then_some(Piece::Text(said)));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_variables() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let variable = |name: &str| Piece::Variable(name.to_owned());
        for (source, expected) in [
            ("", vec![]),
            ("a {{ x }} b", vec![text("a "), variable("x"), text(" b")]),
            ("{{x}}{{y-z}}", vec![variable("x"), variable("y-z")]),
            ("{{{x}}}", vec![text("{"), variable("x"), text("}")]),
            ("{{#if x}}{x}{{", vec![text("{{#if x}}{x}{{")]),
            ("{{ {{x}}", vec![text("{{ "), variable("x")]),
        ] {
            assert_eq!(pieces(source), expected, "{source}");
        }
    }
}
