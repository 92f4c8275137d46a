//! `authentication` of an expose: whose calls it takes.
//!
//! Which callers there are, and how each is known, is said by the host's operator alone, as it is with ports and addresses: a document
//! that could choose would let in whom it likes. So every kind comes to the same, and no value of it is used; but it is read, and what is
//! wrong with it is told.

use super::secret::{read_secret_text, read_text_with_secrets};
use crate::contract::Audience;
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::model::Secrets;
use crate::document::report::Report;

/// Each kind with its keys.
const KINDS: [(&str, &[&str]); 5] = [
    ("bearer", &["token"]),
    ("apikey", &["key", "value", "placement"]),
    ("basic", &["username", "password"]),
    ("digest", &["username", "password"]),
    ("oauth2", &["authorizationServerUri", "resource", "scopes", "audience", "tokenEndpoint", "tokenValidation"]),
];

/// What would narrow down who may call, and where the operator does that.
const DECIDED_ELSEWHERE: [(&str, &str); 2] =
    [("scopes", "callers.NAME.token.scopes"), ("audience", "issuers.NAME.audience")];

/// Reads it. What can't be read is for known callers too.
pub fn read(fields: &mut Fields, secrets: &Secrets, report: &Report) -> Audience {
    let Some(entry) = fields.written("authentication") else {
        return Audience::Anyone;
    };
    if let Some(fields) = Fields::of(&entry.value, "authentication", report) {
        read_kind(fields, secrets, report);
    }
    Audience::Known
}

fn read_kind(mut fields: Fields, secrets: &Secrets, report: &Report) {
    let names = || KINDS.map(|(name, _)| name);
    let expected = format!("one of: {}", names().join(", "));
    let Some(kind) = fields.required_text("type", &expected) else {
        return;
    };
    let Some((_, keys)) = KINDS.iter().find(|(name, _)| *name == kind.value) else {
        report
            .error(Code::InvalidValue, &kind.at, format!("unknown type of authentication: {}", kind.value))
            .expected(expected)
            .did_you_mean(kind.value, names());
        return;
    };
    for (key, instead) in DECIDED_ELSEWHERE.iter().filter(|(key, _)| keys.contains(key)) {
        if let Some(entry) = fields.entry(key) {
            report
                .warning(Code::NotSupported, &entry.key_at, format!("not asked of callers: {key}"))
                .expected("nothing: the operator of the host decides who its callers are")
                .hint(format!("say it under `{instead}` in airlock.toml, and leave it out here"));
        }
    }
    for key in *keys {
        let read = match *key {
            "token" | "value" | "password" => read_secret_text,
            "username" => read_text_with_secrets,
            _ => {
                fields.ignore(&[key]);
                continue;
            }
        };
        if let Some(text) = fields.text(key) {
            read(&text, secrets, report);
        }
    }
    fields.finish();
}
