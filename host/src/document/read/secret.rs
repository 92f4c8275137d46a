//! `binds`, and the templates through which a value is made of secrets.

use crate::contract::{NAME_RULE, Origin, is_name};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, text_of, wrong_type};
use crate::document::imports::is_import;
use crate::document::report::Report;
use crate::document::secrets::{Meaning, Secret, Secrets};
use crate::document::template::{Piece, split_value};
use crate::document::tree::{Kind, Node, Place, Placed};

/// The most keys of all binds, those of imported ones included: a key is an operator's line in a grant, and each is compared with
/// the others. Real documents have two or three.
const MAX_KEYS: usize = 1_000;

/// Reads binds, and adds their keys to the secrets.
pub fn read_binds(binds: &[Node], secrets: &mut Secrets, report: &Report) {
    let mut keys = 0;
    for bind in binds.iter().filter(|bind| !is_import("binds", bind)) {
        let Some(mut fields) = Fields::of(bind, "a bind", report) else {
            continue;
        };
        fields.ignore(&["description", "keys"]);
        keys += bind.get("keys").map_or(0, count);
        if keys > MAX_KEYS {
            report
                .error(Code::Limit, &bind.at, "binds have too many keys")
                .expected(format!("at most {MAX_KEYS} in the document and what it imports"))
                .hint("remove those that no template names");
            return;
        }
        let location = fields.text("location").map(|location| read_location(&location, report));
        if let Some(namespace) = fields.required_text("namespace", "a name, e.g. `env`") {
            read_keys(&mut fields, namespace.value, location.as_ref(), secrets, report);
        }
        fields.finish();
    }
}

fn count(keys: &Node) -> usize {
    match &keys.kind {
        Kind::Mapping(entries) => entries.len(),
        _ => 0,
    }
}

/// Where all values of a bind are supposed to be.
enum Location {
    File(String),
    Elsewhere,
}

impl Location {
    fn origin(location: Option<&Self>, key: &str) -> Origin {
        match location {
            None => Origin::Env(key.to_owned()),
            Some(Self::File(path)) => Origin::File { path: path.clone(), key: key.to_owned() },
            Some(Self::Elsewhere) => Origin::Elsewhere,
        }
    }
}

/// The document doesn't get its way: the grant says where values are, and `airlock check` prints the grant that says the same.
fn read_location(location: &Placed<&str>, report: &Report) -> Location {
    const EXPECTED: &str = "a file, e.g. `file:///etc/airlock/secrets.yaml` or `file:///./secrets.yaml`";
    if let Some(path) = location.value.strip_prefix("file://") {
        let is_relative = |path: &&str| path.starts_with("./") || path.starts_with("../");
        let path = path.strip_prefix('/').filter(is_relative).unwrap_or(path);
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
        if let Ok(decoded) = decoded
            && (path.starts_with('/') || is_relative(&path))
            && !decoded.contains(|c: char| c.is_control())
        {
            return Location::File(decoded.into_owned());
        }
    } else if location.value.contains("://") {
        report
            .warning(Code::ForeignBind, &location.at, format!("values aren't read from here: {}", location.value))
            .expected(EXPECTED)
            .hint(
                "grant each value from where the host can read it: `secrets.KEY = { env = \"…\" }`, `{ file = \"…\" }` or \
                 `{ credential = \"…\" }`",
            );
        return Location::Elsewhere;
    }
    report
        .error(Code::InvalidValue, &location.at, format!("not a place of values: {}", location.value))
        .expected(EXPECTED);
    Location::Elsewhere
}

fn read_keys(
    fields: &mut Fields,
    namespace: &str,
    location: Option<&Location>,
    secrets: &mut Secrets,
    report: &Report,
) {
    let Some(keys) = fields.node("keys") else {
        fields.missing("keys").expected("a mapping, e.g. `API_KEY: API_KEY`");
        return;
    };
    let Kind::Mapping(entries) = &keys.kind else {
        wrong_type(keys, "a mapping, e.g. `API_KEY: API_KEY`", report);
        return;
    };
    for entry in entries {
        let Some(source) = text_of(&entry.value, report) else { continue };
        let origin = Location::origin(location, source.value);
        let key = Placed { at: entry.key_at.clone(), value: entry.key.clone() };
        let secret = Secret { namespace: namespace.to_owned(), key, origin };
        let key = &secret.key;
        let qualified = secret.qualified();
        if let Some(earlier) = secrets.keys.iter().find(|earlier| earlier.is_called(&qualified)) {
            let what = format!("secret `{qualified}`");
            report.duplicate(Code::DuplicateName, &key.at, &what, &earlier.key.at);
        } else if is_name(&key.value) {
            secrets.keys.push(secret);
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

/// What a grant calls the secret that a template's variable means. `None` after an error.
pub fn find_secret(variable: &str, at: &Place, secrets: &Secrets, report: &Report) -> Option<String> {
    match secrets.find(variable) {
        Meaning::Secret(name) => return Some(name),
        Meaning::Several(all) => {
            report
                .error(Code::AmbiguousSecret, at, format!("several binds have this key: {variable}"))
                .expected(format!("one of: {}", all.join(", ")))
                .hint(format!("write it with its namespace, e.g. `{{{{{}}}}}`", all[0]));
        }
        Meaning::Nothing => report_unbound(variable, at, secrets, report),
    }
    None
}

fn report_unbound(variable: &str, at: &Place, secrets: &Secrets, report: &Report) {
    let (namespace, key) = variable.rsplit_once('.').unwrap_or(("env", variable));
    let known: Vec<String> = secrets.keys.iter().map(Secret::qualified).collect();
    report
        .error(Code::UnboundSecret, at, format!("secret isn't bound: {variable}"))
        .expected(match known.is_empty() {
            true => "a key of `binds`, of which there is none".to_owned(),
            false => format!("one of: {}", known.join(", ")),
        })
        .hint(format!("add to `binds`: {{namespace: {namespace}, keys: {{{key}: {key}}}}}"))
        .did_you_mean(variable, known.iter().map(String::as_str));
}
