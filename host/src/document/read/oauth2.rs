//! `authentication` of type oauth2 -> an access token that the host fetches with client credentials.
//!
//! The document says where tokens are given, what for, and which secrets the client has. That the endpoint may be asked at all is the
//! operator's to grant, as with any other destination.

use super::secret::{read_secret_text, read_text_with_secrets};
use crate::contract::{Credential, Placement, TokenRequest};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, text_of, wrong_type};
use crate::document::model::Secrets;
use crate::document::report::Report;
use crate::document::tree::{Kind, Placed};
use crate::grant::TokenUrl;

/// Reads it. `None` after an error.
pub fn read(fields: &mut Fields, secrets: &Secrets, report: &Report) -> Option<Credential> {
    // How callers' tokens would be checked.
    fields.refuse(&["tokenValidation"]);
    let url = read_endpoint(fields, report);
    let client_id = fields.required_text("clientId", "a name or a template, e.g. `{{env.CLIENT_ID}}`");
    let client_secret = fields.required_text("clientSecret", "a template, e.g. `{{env.CLIENT_SECRET}}`");
    let client_id = client_id.and_then(|id| read_text_with_secrets(&id, secrets, report));
    let client_secret = client_secret.and_then(|secret| read_secret_text(&secret, secrets, report));
    let scope = read_scopes(fields, report);
    let audience = read_plain(fields.text("audience"), report);
    let resource = read_plain(fields.text("resource"), report);
    let request = TokenRequest { url: url?, client_id: client_id?, scope, audience, resource };
    Some(Credential { placement: Placement::OAuth2(request), value: client_secret? })
}

/// The issuer is where the endpoint could be looked up. It isn't asked: a document says itself what has to be granted for it.
fn read_endpoint(fields: &mut Fields, report: &Report) -> Option<String> {
    const EXPECTED: &str = "an address, e.g. `https://id.example.com/oauth/token`";
    let issuer = fields.text("authorizationServerUri");
    let Some(node) = fields.node("tokenEndpoint") else {
        let missing = fields.missing("tokenEndpoint").expected(EXPECTED);
        if let Some(issuer) = issuer {
            let issuer = issuer.value.trim_end_matches('/');
            missing.hint(format!(
                "write what {issuer}/.well-known/oauth-authorization-server says under `token_endpoint`"
            ));
        }
        return None;
    };
    let url = text_of(node, report)?;
    if url.value.contains("{{") {
        report
            .not_supported(&url.at, "a template in tokenEndpoint")
            .expected(EXPECTED)
            .hint("write the usual address; the grant can lead it elsewhere, under `upstreams`");
        return None;
    }
    match TokenUrl::parse(url.value) {
        Ok(_) => Some(url.value.to_owned()),
        Err(reason) => {
            report
                .error(Code::InvalidBaseUri, &url.at, format!("token endpoint can't be used: {reason}"))
                .expected(EXPECTED);
            None
        }
    }
}

/// A list of scopes, or all of them as one text with spaces.
fn read_scopes(fields: &mut Fields, report: &Report) -> Option<String> {
    let node = fields.node("scopes")?;
    let scopes: Vec<Placed<&str>> = match &node.kind {
        Kind::List(items) => items.iter().filter_map(|item| text_of(item, report)).collect(),
        Kind::Text(_) => text_of(node, report).into_iter().collect(),
        _ => {
            wrong_type(node, "a list of texts", report);
            return None;
        }
    };
    for scope in &scopes {
        // RFC 6749, section 3.3.
        let is_scope = |part: &str| part.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b));
        if scope.value.trim().is_empty() || !scope.value.split(' ').all(is_scope) || scope.value.contains("{{") {
            report
                .error(Code::InvalidValue, &scope.at, format!("not a scope: {}", scope.value))
                .expected("visible characters without quotes, backslashes and templates, e.g. `users:read`");
        }
    }
    let all: Vec<&str> = scopes.iter().flat_map(|scope| scope.value.split_whitespace()).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn read_plain(text: Option<Placed<&str>>, report: &Report) -> Option<String> {
    let text = text?;
    if text.value.contains("{{") || text.value.contains(|c: char| c.is_control()) {
        report
            .error(Code::InvalidValue, &text.at, "not a name of an API")
            .expected("one line of text without templates");
        return None;
    }
    Some(text.value.to_owned())
}
