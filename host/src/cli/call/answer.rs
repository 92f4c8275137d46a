//! What a call brings, on standard output: as it came, or as one JSON object with its status.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    cli::{CliError, terminal},
    contract::{Content, Contents},
    failure::Failure,
    invoke::Reply,
};

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rendering {
    /// As it came.
    Text,
    /// One JSON object, whatever came.
    Json,
}

/// The JSON object. Keys are added to it, never changed or taken away.
#[derive(Serialize)]
struct Told<'a> {
    /// Whether the call succeeded.
    ok: bool,
    /// The status of the answer, where it has one.
    status: Option<u16>,
    /// The answer: JSON as it came, other text as a string, anything else as `{"base64": …}`.
    result: Option<Box<RawValue>>,
    /// What went wrong, if there is no answer.
    error: Option<Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    message: String,
}

impl Told<'_> {
    fn print(&self) {
        terminal::say(serde_json::to_string(self).expect("text, numbers and JSON"));
    }
}

pub(super) async fn print(reply: Reply, rendering: Rendering) -> Result<(), CliError> {
    match reply {
        Reply::Upstream(response) => match response_status(response, rendering).await? {
            status if status >= 400 => Err(CliError::Upstream(status)),
            _ => Ok(()),
        },
        Reply::Structured(json) if rendering == Rendering::Text => {
            write(json.text.as_bytes()).and_then(|()| write(b"\n"))
        }
        Reply::Content(blocks) if rendering == Rendering::Text => {
            blocks.iter().try_for_each(|block| write(bytes(block)))
        }
        Reply::Structured(json) => {
            Told { ok: true, status: None, result: Some(result(json.text.as_bytes())), error: None }.print();
            Ok(())
        }
        Reply::Content(blocks) => {
            let blocks: Vec<_> = blocks.iter().map(|block| result(bytes(block))).collect();
            let result = serde_json::value::to_raw_value(&blocks).expect("JSON");
            Told { ok: true, status: None, result: Some(result), error: None }.print();
            Ok(())
        }
    }
}

/// Prints an HTTP answer, piece by piece where it can, and gives its status.
pub(super) async fn response_status<B>(response: Response<B>, rendering: Rendering) -> Result<u16, CliError>
where
    B: Body<Data = Bytes, Error: Into<CliError>> + Unpin,
{
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(Into::into)?.into_data() else {
            continue;
        };
        match rendering {
            Rendering::Text => write(&chunk)?,
            Rendering::Json => whole.extend_from_slice(&chunk),
        }
    }
    if rendering == Rendering::Json {
        Told { ok: status < 400, status: Some(status), result: Some(result(&whole)), error: None }.print();
    }
    Ok(status)
}

/// Prints a failure as JSON; as text the command's last words are enough.
pub(super) fn print_failure(failure: &Failure, rendering: Rendering) {
    if rendering == Rendering::Json {
        let error = Problem { r#type: failure.cause().name(), message: failure.to_string() };
        Told { ok: false, status: None, result: None, error: Some(error) }.print();
    }
}

fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = terminal::out();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| CliError::io("standard output", e))
}

/// Bytes as JSON.
fn result(bytes: &[u8]) -> Box<RawValue> {
    if let Ok(json) = serde_json::from_slice(bytes) {
        return json;
    }
    let value = match std::str::from_utf8(bytes) {
        Ok("") => Value::Null,
        Ok(text) => text.into(),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    };
    serde_json::value::to_raw_value(&value).expect("JSON")
}

fn bytes(block: &Content) -> &[u8] {
    match block {
        Content::Text(text) => text.as_bytes(),
        Content::Image(blob) | Content::Audio(blob) => &blob.data,
        Content::Resource(resource) => match &resource.contents {
            Contents::Text(text) => text.as_bytes(),
            Contents::Binary(data) => data,
        },
        Content::Link(link) => link.uri.as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_json() {
        for (bytes, expected) in [
            (&b"{\"n\": 1.10}"[..], "{\"n\": 1.10}"),
            (b"plain", "\"plain\""),
            (b"", "null"),
            (b"\xff\x00", "{\"base64\":\"/wA=\"}"),
        ] {
            assert_eq!(result(bytes).get(), expected);
        }
    }
}
