//! `authentication` of a consumed API -> the credential that the host adds.

use super::oauth2;
use super::secret::{read_secret_text, read_text_with_secrets};
use crate::contract::{CONNECTION_HEADERS, Credential, Placement, UPSTREAM_HEADER};
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::model::Secrets;
use crate::document::names::is_header_name;
use crate::document::report::Report;
use crate::document::tree::{Node, Placed};

/// The kinds of credentials.
const EXPECTED: &str = "bearer, apikey, basic, digest or oauth2";

/// Reads the credential. `None` after an error.
pub fn read(node: &Node, secrets: &Secrets, report: &Report) -> Option<Credential> {
    let mut fields = Fields::of(node, "authentication", report)?;
    let kind = fields.required_text("type", EXPECTED)?;
    let credential = match kind.value {
        "bearer" => read_bearer(&mut fields, secrets, report),
        "apikey" => read_apikey(&mut fields, secrets, report),
        "basic" => read_account(Placement::Basic, &mut fields, secrets, report),
        "digest" => read_account(Placement::Digest, &mut fields, secrets, report),
        "oauth2" => oauth2::read(&mut fields, secrets, report),
        other => {
            report
                .error(Code::InvalidValue, &kind.at, format!("unknown type of authentication: {other}"))
                .expected(EXPECTED)
                .did_you_mean(other, ["bearer", "apikey", "basic", "digest", "oauth2"]);
            return None;
        }
    };
    fields.finish();
    credential
}

fn read_bearer(fields: &mut Fields, secrets: &Secrets, report: &Report) -> Option<Credential> {
    let token = fields.required_text("token", "a template, e.g. `{{env.API_KEY}}`")?;
    let token = read_secret_text(&token, secrets, report)?;
    Some(Credential { placement: Placement::Header("authorization".to_owned()), value: format!("Bearer {token}") })
}

fn read_apikey(fields: &mut Fields, secrets: &Secrets, report: &Report) -> Option<Credential> {
    let placement = fields.text("placement");
    let key = fields.required_text("key", "the name of the header or query key");
    let value = fields.required_text("value", "a template, e.g. `{{env.API_KEY}}`");
    let (key, value) = (key?, value?);
    let placement = match placement.as_ref().map_or("header", |placement| placement.value) {
        "header" => Placement::Header(read_header_name(&key, report)?),
        "query" => Placement::Query(key.value.to_owned()),
        other => {
            report
                .error(Code::InvalidValue, &placement?.at, format!("unknown placement: {other}"))
                .expected("header or query");
            return None;
        }
    };
    Some(Credential { placement, value: read_secret_text(&value, secrets, report)? })
}

fn read_account(placement: Placement, fields: &mut Fields, secrets: &Secrets, report: &Report) -> Option<Credential> {
    let user = fields.required_text("username", "a name or a template, e.g. `{{env.API_USER}}`");
    let password = fields.required_text("password", "a template, e.g. `{{env.API_PASSWORD}}`");
    let user = user.and_then(|user| read_user(&user, secrets, report));
    let password = password.and_then(|password| read_secret_text(&password, secrets, report));
    Some(Credential { placement, value: format!("{}:{}", user?, password?) })
}

/// A user's name is no secret, it may be written in the document. A colon would end it.
fn read_user(user: &Placed<&str>, secrets: &Secrets, report: &Report) -> Option<String> {
    let text = read_text_with_secrets(user, secrets, report)?;
    if text.contains(':') {
        report
            .error(Code::InvalidValue, &user.at, "user name has a colon in it")
            .expected("a name without a colon: it would end there, and the rest would be a part of the password");
        return None;
    }
    Some(text)
}

/// The name of a header that a document may set, in small letters.
pub fn read_header_name(name: &Placed<&str>, report: &Report) -> Option<String> {
    let lower = name.value.to_ascii_lowercase();
    if !is_header_name(&lower) {
        report
            .error(Code::InvalidHeader, &name.at, format!("header can't have this name: {}", name.value))
            .expected("letters, digits and dashes, e.g. `X-Auth-Token`");
        return None;
    }
    if is_of_connection(&lower) {
        report
            .error(Code::InvalidHeader, &name.at, format!("header belongs to the connection: {}", name.value))
            .hint("remove it; the host sets it");
        return None;
    }
    Some(lower)
}

/// Neither as a credential nor as a parameter.
fn is_of_connection(lower: &str) -> bool {
    CONNECTION_HEADERS.contains(&lower) || lower == UPSTREAM_HEADER || lower.starts_with("proxy-")
}

/// Whether a document may name this header as what a plugin sends.
pub(crate) fn may_send_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_header_name(&lower) && !is_of_connection(&lower)
}
