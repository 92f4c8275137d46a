//! `baseUri`: where an API is; or that only the operator knows it.
//!
//! A host that is a bound value never enters the sandbox, and isn't a secret either. The plugin asks for a placeholder instead, and its
//! grant has to lead that somewhere: until then the plugin isn't served.

use super::secret::find_secret;
use crate::contract::PLACEHOLDER;
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::model::Secrets;
use crate::document::report::Report;
use crate::document::template::{Piece, split_value};
use crate::document::tree::Placed;
use crate::document::uri::BaseUri;

/// Reads it. `None` after an error.
pub fn read(fields: &mut Fields, secrets: &Secrets, report: &Report) -> Option<BaseUri> {
    let text = fields.required_text("baseUri", "an address, e.g. `https://api.example.com/v1`")?;
    let address = match text.value.contains("{{") {
        true => with_placeholder(&text, secrets, report)?,
        false => text.value.to_owned(),
    };
    match BaseUri::parse(&address) {
        Ok(base) => Some(base),
        Err(reason) => {
            report
                .error(Code::InvalidBaseUri, &text.at, format!("base URI can't be used, {reason}"))
                .expected("https://host[:port][/prefix], or the same with http, without user, query or fragment");
            None
        }
    }
}

/// The address with a name in the place of the template: `https://{{env.API_HOST}}/v1` -> `https://api_host.invalid/v1`.
fn with_placeholder(text: &Placed<&str>, secrets: &Secrets, report: &Report) -> Option<String> {
    let pieces = split_value(text.value).unwrap_or_default();
    let (scheme, variable, rest) = match pieces.as_slice() {
        [Piece::Variable(variable)] => ("https://", variable, ""),
        [Piece::Variable(variable), Piece::Text(rest)] => ("https://", variable, rest.as_str()),
        [Piece::Text(scheme), Piece::Variable(variable)] => (scheme.as_str(), variable, ""),
        [Piece::Text(scheme), Piece::Variable(variable), Piece::Text(rest)] => {
            (scheme.as_str(), variable, rest.as_str())
        }
        _ => return refuse(text, report),
    };
    let is_scheme = ["https://", "http://"].iter().any(|it| scheme.eq_ignore_ascii_case(it));
    if !is_scheme || !(rest.is_empty() || rest.starts_with(['/', ':'])) {
        return refuse(text, report);
    }
    let name = find_secret(variable, &text.at, secrets, report)?;
    if let Some((other, _)) = secrets.origins().iter().find(|(it, _)| *it != name && it.eq_ignore_ascii_case(&name)) {
        report
            .error(Code::AmbiguousSecret, &text.at, format!("hosts don't tell these binds apart: {name}, {other}"))
            .expected("names that differ in more than their case");
        return None;
    }
    Some(format!("{scheme}{}{PLACEHOLDER}{rest}", name.to_ascii_lowercase()))
}

fn refuse(text: &Placed<&str>, report: &Report) -> Option<String> {
    report
        .not_supported(&text.at, "a template in this part of baseUri")
        .expected("one template for the whole host, or for all that is before the path: `https://{{env.API_HOST}}/v1`")
        .hint(
            "write the usual address, e.g. `https://api.example.com`; the grant can lead it elsewhere: \
             `upstreams.\"https://api.example.com\" = \"…\"`",
        );
    None
}
