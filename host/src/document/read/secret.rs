//! `binds`, and the templates through which a value is made of secrets.

use crate::contract::{NAME_RULE, is_name};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, text_of, wrong_type};
use crate::document::model::Secrets;
use crate::document::report::Report;
use crate::document::template::{Piece, split_value};
use crate::document::tree::{Kind, Node, Place, Placed};

/// Reads binds, and adds their keys to the secrets.
pub fn read_binds(binds: &[Node], secrets: &mut Secrets, report: &Report) {
    for bind in binds {
        let Some(mut fields) = Fields::of(bind, "a bind", report) else {
            continue;
        };
        fields.refuse(&["location"]);
        fields.ignore(&["description", "namespace", "keys"]);
        let imported = fields.refuse(&["import", "from", "as"]);
        if !imported && let Some(namespace) = fields.required_text("namespace", "a name, e.g. `env`") {
            read_keys(&mut fields, namespace.value, secrets, report);
        }
        fields.finish();
    }
}

fn read_keys(fields: &mut Fields, namespace: &str, secrets: &mut Secrets, report: &Report) {
    let Some(keys) = fields.node("keys") else {
        fields.missing("keys").expected("a mapping, e.g. `API_KEY: API_KEY`");
        return;
    };
    let Kind::Mapping(entries) = &keys.kind else {
        wrong_type(keys, "a mapping, e.g. `API_KEY: API_KEY`", report);
        return;
    };
    for entry in entries {
        text_of(&entry.value, report);
        let key = Placed { at: entry.key_at.clone(), value: entry.key.clone() };
        let earlier = secrets.keys.iter().find(|(_, earlier)| earlier.value == key.value);
        if let Some((_, earlier)) = earlier {
            let what = format!("secret `{}`", key.value);
            report.duplicate(Code::DuplicateName, &key.at, &what, &earlier.at);
        } else if is_name(&key.value) {
            secrets.keys.push((namespace.to_owned(), key));
        } else {
            report
                .error(Code::InvalidName, &key.at, format!("secret can't have this name: {}", key.value))
                .expected(NAME_RULE);
        }
    }
}

/// Reads a value that should be a secret, and says so where it is written in the document. In the result `{{KEY}}` stands for the
/// secret that is bound as `KEY`.
pub fn read_secret_text(text: &Placed<&str>, secrets: &Secrets, report: &Report) -> Option<String> {
    let read = read_text_with_secrets(text, secrets, report);
    if read.is_some() && !text.value.contains("{{") {
        report
            .warning(Code::LiteralSecret, &text.at, "secret is written in the document")
            .expected("a template, e.g. `{{env.API_KEY}}`")
            .hint("bind a key under `binds`, write `{{env.KEY}}` here, and revoke this secret");
    }
    read
}

/// The same for a value that needn't be one.
pub fn read_text_with_secrets(text: &Placed<&str>, secrets: &Secrets, report: &Report) -> Option<String> {
    let pieces = match split_value(text.value) {
        Ok(pieces) => pieces,
        Err(_) => {
            report
                .error(Code::InvalidValue, &text.at, "template of a secret can't be read")
                .expected("text with `{{KEY}}` in it");
            return None;
        }
    };
    if text.value.contains(|c: char| c.is_control()) {
        report.error(Code::InvalidValue, &text.at, "secret has a control character in it").expected("one line of text");
        return None;
    }
    let resolved = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Variable(variable) => {
            find_secret(variable, &text.at, secrets, report).map(|name| format!("{{{{{name}}}}}"))
        }
    });
    resolved.collect()
}

fn find_secret<'s>(variable: &str, at: &Place, secrets: &'s Secrets, report: &Report) -> Option<&'s str> {
    let found = secrets.find(variable);
    if found.is_none() {
        let (namespace, key) = variable.rsplit_once('.').unwrap_or(("env", variable));
        let known: Vec<String> = secrets.keys.iter().map(|(ns, key)| format!("{ns}.{}", key.value)).collect();
        report
            .error(Code::UnboundSecret, at, format!("secret isn't bound: {variable}"))
            .expected(match known.is_empty() {
                true => "a key of `binds`, of which there is none".to_owned(),
                false => format!("one of: {}", known.join(", ")),
            })
            .hint(format!("add to `binds`: {{namespace: {namespace}, keys: {{{key}: {key}}}}}"))
            .did_you_mean(variable, known.iter().map(String::as_str));
    }
    found
}
