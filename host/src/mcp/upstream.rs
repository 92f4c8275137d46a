//! An upstream's response as a tool result: its body read up to a limit, in the form that its media type asks for.
//!
//! Mapping and shaping of answers is the plugin's; headers stay behind, except those that tell a caller what to do next.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header, response::Parts};
use http_body_util::BodyExt;
use rmcp::model::{CallToolResult, ContentBlock};

use super::{
    Asked,
    failure::error,
    kept::Draft,
    reply::{MAX_BLOCK, binary_block, blob_resource, structured, text_block, unstructured},
};
use crate::{
    failure::Failure,
    invoke::{Body, read_body},
    json::{self, Room},
};

/// The most bytes that are shown of an upstream's error. The reason stands at the beginning; what follows is a page of HTML or a
/// stack trace.
const MAX_ERROR: usize = 16 << 10;

/// How long a client waits for the rest of what it is shown the beginning of. 5 seconds: 16 megabytes come in less, and a stream that
/// has no end is cut after that.
const PATIENCE: Duration = Duration::from_secs(5);

/// The response as a tool result.
///
/// # Errors
/// The body of a successful response broke off.
pub(super) async fn render(response: http::Response<Body>, asked: Asked<'_>) -> Result<CallToolResult, Failure> {
    let (parts, body) = response.into_parts();
    if parts.status.is_client_error() || parts.status.is_server_error() {
        return Ok(refused(&parts, body).await);
    }
    let (body, asked) = match fetch(body, asked).await? {
        Fetched::Whole(body) if body.is_empty() => return Ok(empty(&parts, asked)),
        Fetched::Whole(body) => (body, asked),
        Fetched::Beginning(body) => (body, Asked { keeper: None, ..asked }),
    };
    Ok(match Kind::of(&parts.headers, &body) {
        Kind::Json => {
            // One value too many, and it stays text.
            let value = (body.len() <= MAX_BLOCK).then(|| Room::of(json::MAX_MESSAGE).read(&body).ok()).flatten();
            structured(text(&body), value, asked)
        }
        Kind::Text => {
            let media_type = media_type(&parts.headers).unwrap_or_else(|| "text/plain".to_owned());
            unstructured(text_block(text(&body), &media_type, asked), asked)
        }
        Kind::Image(media_type) => {
            let image = |data| ContentBlock::image(data, media_type.as_str());
            unstructured(binary_block(body, &media_type, asked, image), asked)
        }
        Kind::Audio(media_type) => {
            let audio = |data| ContentBlock::audio(data, media_type.as_str());
            unstructured(binary_block(body, &media_type, asked, audio), asked)
        }
        Kind::Other(media_type) => {
            let uri = format!("airlock://{}/{}", asked.plugin, asked.operation.name);
            let other = |data| blob_resource(uri, Some(media_type.clone()), data);
            unstructured(binary_block(body, &media_type, asked, other), asked)
        }
    })
}

/// An answer without a body. It is a success even where an output schema promises more: a caller that took it for a failure would
/// call again.
fn empty(parts: &Parts, asked: Asked<'_>) -> CallToolResult {
    let location = parts.headers.get(header::LOCATION).and_then(|it| it.to_str().ok());
    CallToolResult::success(match location {
        Some(location) => {
            vec![ContentBlock::text(format!("status {}; location: {location}", parts.status))]
        }
        None if asked.operation.output_schema.is_some() => vec![ContentBlock::text("no content")],
        None => Vec::new(),
    })
}

/// An upstream's error: its status, when to come back, and what it says.
async fn refused(parts: &Parts, mut body: Body) -> CallToolResult {
    let mut said = format!("the upstream answered with status {}", parts.status);
    let retry_after = parts.headers.get(header::RETRY_AFTER).and_then(|it| it.to_str().ok());
    if let Some(retry_after) = retry_after {
        said.push_str(&format!("; retry after: {retry_after}"));
    }
    match read_body(&mut body, MAX_ERROR + 1).await {
        Ok(body) if body.is_empty() => {}
        Ok(body) => {
            said.push('\n');
            said.push_str(&excerpt(&parts.headers, &body));
        }
        Err(broken_off) => said.push_str(&format!("\n[its text can't be read: {broken_off}]")),
    }
    error(said)
}

fn excerpt(headers: &HeaderMap, body: &Bytes) -> String {
    match Kind::of(headers, body) {
        Kind::Json | Kind::Text if body.len() > MAX_ERROR => {
            format!("{}\n[cut here, after {MAX_ERROR} bytes]", text(&body[..MAX_ERROR]))
        }
        Kind::Json | Kind::Text => text(body),
        Kind::Image(media_type) | Kind::Audio(media_type) | Kind::Other(media_type) => {
            format!("[{media_type} left out]")
        }
    }
}

/// What was read of a body.
enum Fetched {
    Whole(Bytes),
    /// More than is shown.
    Beginning(Bytes),
}

/// The body: whole if it is short, or if the rest comes soon and can be kept.
async fn fetch(mut body: Body, asked: Asked<'_>) -> Result<Fetched, Failure> {
    let beginning = read_body(&mut body, MAX_BLOCK + 1).await?;
    if beginning.len() <= MAX_BLOCK {
        return Ok(Fetched::Whole(beginning));
    }
    let Some(keeper) = asked.keeper else {
        return Ok(Fetched::Beginning(beginning));
    };
    let whole = tokio::time::timeout(PATIENCE, read_on(&beginning, body, keeper.begin(asked.plugin))).await;
    Ok(whole.ok().flatten().map_or(Fetched::Beginning(beginning), Fetched::Whole))
}

/// The beginning with the rest of the body, unless that breaks off or there is no room for it.
async fn read_on(beginning: &[u8], mut body: Body, mut draft: Draft) -> Option<Bytes> {
    draft.grow(beginning.len()).ok()?;
    let mut whole = beginning.to_vec();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            draft.grow(data.len()).ok()?;
            whole.extend_from_slice(&data);
        }
    }
    // It may be kept as it is: no more than it has.
    whole.shrink_to_fit();
    Some(whole.into())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How a body is shown. Those that are shown as they are carry their media type.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    Image(String),
    Audio(String),
    Other(String),
}

impl Kind {
    fn of(headers: &HeaderMap, body: &[u8]) -> Self {
        let Some(media_type) = media_type(headers) else {
            return match std::str::from_utf8(body) {
                Ok(_) => Self::Text,
                Err(_) => Self::Other("application/octet-stream".to_owned()),
            };
        };
        match media_type.split_once('/').unwrap_or_default() {
            ("application" | "text", "json") => Self::Json,
            (_, subtype) if subtype.ends_with("+json") => Self::Json,
            ("text", _) => Self::Text,
            (_, subtype) if subtype.ends_with("+xml") || subtype.ends_with("+yaml") => Self::Text,
            ("application", "xml" | "yaml" | "javascript" | "x-ndjson" | "x-www-form-urlencoded") => Self::Text,
            ("image", _) => Self::Image(media_type),
            ("audio", _) => Self::Audio(media_type),
            _ => Self::Other(media_type),
        }
    }
}

/// The media type without its parameters, in small letters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.contains('/').then(|| essence.to_lowercase())
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        egress::{Fault, Refusal},
        invoke::Reply,
        mcp::{
            Era,
            reply::tests::{operation, rendered},
        },
    };

    fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> http::Response<Body> {
        respond(status, headers, vec![Ok(Bytes::copy_from_slice(body))])
    }

    fn respond(status: u16, headers: &[(&str, &str)], parts: Vec<Result<Bytes, Failure>>) -> http::Response<Body> {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let frames = parts.into_iter().map(|part| part.map(Frame::data));
        response.body(StreamBody::new(stream::iter(frames)).boxed_unsync()).expect("a response")
    }

    async fn shown(response: http::Response<Body>, schema: Option<Value>, era: Era) -> Value {
        rendered(Reply::Upstream(response), &operation(schema), era).await
    }

    #[tokio::test]
    async fn bodies_are_shown_by_their_media_type() {
        let text = |text: &str| json!({"content": [{"type": "text", "text": text}], "isError": false});
        for (content_type, body, expected) in [
            (
                "application/json; charset=utf-8",
                "{ \"a\": 1.50 }".as_bytes(),
                json!({"content": [{"type": "text", "text": "{ \"a\": 1.50 }"}], "structuredContent": {"a": 1.5}, "isError": false}),
            ),
            (
                "application/hal+JSON",
                b"[]",
                json!({"content": [{"type": "text", "text": "[]"}], "structuredContent": [], "isError": false}),
            ),
            ("application/json", b"{broken", text("{broken")),
            ("text/csv", b"a,b", text("a,b")),
            ("application/xml", b"<a/>", text("<a/>")),
            ("image/svg+xml", b"<svg/>", text("<svg/>")),
            ("nonsense", b"plain", text("plain")),
            (
                "image/png",
                b"abc",
                json!({"content": [{"type": "image", "data": "YWJj", "mimeType": "image/png"}], "isError": false}),
            ),
            (
                "audio/mpeg",
                b"abc",
                json!({"content": [{"type": "audio", "data": "YWJj", "mimeType": "audio/mpeg"}], "isError": false}),
            ),
            (
                "application/pdf",
                b"abc",
                json!({"content": [{"type": "resource", "resource": {
                    "uri": "airlock://users/read", "mimeType": "application/pdf", "blob": "YWJj",
                }}], "isError": false}),
            ),
            (
                "nonsense",
                b"\xff",
                json!({"content": [{"type": "resource", "resource": {
                    "uri": "airlock://users/read", "mimeType": "application/octet-stream", "blob": "/w==",
                }}], "isError": false}),
            ),
        ] {
            let response = response(200, &[("content-type", content_type)], body);
            assert_eq!(shown(response, None, Era::Modern).await, expected, "{content_type}");
        }
    }

    #[tokio::test]
    async fn a_promise_that_cannot_be_kept_is_an_error_with_the_result() {
        let schema = Some(json!({"type": "object"}));
        for (content_type, body, era) in [
            ("application/json", "[1]", Era::Legacy),
            ("application/json", "{broken", Era::Modern),
            ("text/plain", "[1]", Era::Modern),
        ] {
            let response = response(200, &[("content-type", content_type)], body.as_bytes());
            let result = shown(response, schema.clone(), era).await;
            assert_eq!(result["isError"], true);
            assert_eq!(result["content"][1]["text"], body);
        }
    }

    #[tokio::test]
    async fn what_has_too_many_values_stays_text() {
        for (values, is_structured) in [(200_000, true), (300_000, false)] {
            let body = format!("[{}0]", "0,".repeat(values));
            let answer = response(200, &[("content-type", "application/json")], body.as_bytes());
            let result = shown(answer, None, Era::Modern).await;
            assert_eq!(result.get("structuredContent").is_some(), is_structured);
            assert_eq!(result["content"][0]["text"], body);
            assert_eq!(result["isError"], false);
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_body_is_a_success() {
        let text = |text: &str| json!({"content": [{"type": "text", "text": text}], "isError": false});
        let schema = Some(json!({"type": "object"}));
        for (status, headers, schema, expected) in [
            (204, vec![], None, json!({"content": [], "isError": false})),
            (200, vec![("content-type", "application/json")], schema, text("no content")),
            (201, vec![("location", "/users/5")], None, text("status 201 Created; location: /users/5")),
        ] {
            let response = response(status, &headers, b"");
            assert_eq!(shown(response, schema, Era::Modern).await, expected);
        }
    }

    #[tokio::test]
    async fn an_upstreams_error_is_shown_with_its_status() {
        let json = ("content-type", "application/json");
        let long = vec![b'x'; MAX_ERROR + 1];
        let cut = format!(
            "the upstream answered with status 500 Internal Server Error\n{}\n[cut here, after 16384 bytes]",
            "x".repeat(MAX_ERROR)
        );
        for (status, headers, body, expected) in [
            (404, vec![json], &b"{\"m\":1}"[..], "the upstream answered with status 404 Not Found\n{\"m\":1}"),
            (
                429,
                vec![("retry-after", "30")],
                b"",
                "the upstream answered with status 429 Too Many Requests; retry after: 30",
            ),
            (
                502,
                vec![("content-type", "image/png")],
                b"abc",
                "the upstream answered with status 502 Bad Gateway\n[image/png left out]",
            ),
            (500, vec![], &long, &cut),
        ] {
            let result = shown(response(status, &headers, body), None, Era::Modern).await;
            let text = json!({"content": [{"type": "text", "text": expected}], "isError": true});
            assert_eq!(result, text);
        }
    }

    fn broken_off() -> Vec<Result<Bytes, Failure>> {
        let closed = Refusal::Unavailable { host: "api.example".to_owned(), fault: Fault::Closed };
        vec![Ok(Bytes::from_static(b"half")), Err(Failure::Egress(closed))]
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_error() {
        let fault = "upstream is unavailable: api.example: connection closed before the end of the answer";
        for (status, expected) in [
            (200, format!("{fault}; try again later")),
            (
                503,
                format!("the upstream answered with status 503 Service Unavailable\n[its text can't be read: {fault}]"),
            ),
        ] {
            let result = shown(respond(status, &[], broken_off()), None, Era::Modern).await;
            let text = json!({"content": [{"type": "text", "text": expected}], "isError": true});
            assert_eq!(result, text);
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_fetched_to_the_end() {
        let mut parts = vec![Ok(Bytes::from(vec![b'1'; MAX_BLOCK])), Ok(Bytes::from_static(b"1"))];
        parts.extend(broken_off());
        let response = respond(200, &[("content-type", "application/json")], parts);
        let result = shown(response, None, Era::Modern).await;
        assert_eq!(result["isError"], false);
        assert_eq!(result.get("structuredContent"), None);
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert!(text.contains("\n[cut here, after 1048576 bytes; "));
    }
}
