//! A message on its way in: read within limits of bytes and values, and answered here where it is none at all.
//!
//! What a message means is rmcp's and `server`'s. rmcp would answer broken JSON as if its media type were wrong.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use rmcp::model::{ErrorData, JsonRpcError, RequestId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{self, Room};

/// The largest request body. Arguments come from a model's context: even the largest of today holds less text than this.
pub(super) const MAX_REQUEST: usize = 4 << 20;

/// The longest id that is echoed with a refusal. Clients count, or send a UUID.
pub(super) const MAX_ID: usize = 256;

/// A message that was read: its body is JSON, or is said to be something else.
pub(super) struct Message {
    /// As it came.
    pub(super) request: http::Request<Full<Bytes>>,
    /// Its id, if it asks for something.
    pub(super) id: Option<RequestId>,
}

/// What is looked at before the message is understood. Borrowed, so that no message takes more memory by it.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    /// An answer to a question of ours has none, and its id is one of ours.
    #[serde(borrow)]
    method: Option<&'a RawValue>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// The answer to what is no message: the body is too long, breaks off, or isn't the JSON that it is said to be.
    pub(super) async fn read(request: Request) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let body = collect(body).await?;
        let id = match is_json(&parts.headers) {
            true => id_of(&body)
                .map_err(|e| refuse(None, ErrorData::parse_error(format!("the body is not JSON: {e}"), None)))?,
            false => None,
        };
        Ok(Self { request: http::Request::from_parts(parts, Full::new(body)), id })
    }
}

/// The answer of the transport, or one that says what is wrong with JSON that is no message: the transport only knows that it
/// couldn't read it.
pub(super) fn explain(answer: Response, sent: &HeaderMap, id: Option<RequestId>) -> Response {
    match answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && is_json(sent) {
        true => refuse(
            id,
            ErrorData::invalid_request("expected one JSON-RPC 2.0 message, an object; batches aren't served", None),
        ),
        false => answer,
    }
}

async fn collect(body: Body) -> Result<Bytes, Response> {
    let too_large = |text: String| (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    let body = match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(e) if e.is::<LengthLimitError>() => {
            return Err(too_large(format!("the body has more than {MAX_REQUEST} bytes, the limit")));
        }
        Err(_broken_off) => return Err((StatusCode::BAD_REQUEST, "the body broke off").into_response()),
    };
    Room::of(json::MAX_MESSAGE).take(&body).map_err(|_surfeit| {
        let memory = json::MAX_MESSAGE;
        too_large(format!("the body has more JSON values than {memory} bytes of memory hold: send fewer at once"))
    })?;
    Ok(body)
}

/// The id of a request, if it is readable.
///
/// # Errors
/// It isn't JSON.
pub(super) fn id_of(body: &[u8]) -> Result<Option<RequestId>, serde_json::Error> {
    let json: &RawValue = serde_json::from_slice(body)?;
    let envelope: Option<Envelope<'_>> = serde_json::from_str(json.get()).ok();
    let id = envelope.filter(|it| it.method.is_some()).and_then(|it| it.id).filter(|id| id.get().len() <= MAX_ID);
    Ok(id.and_then(|id| serde_json::from_str(id.get()).ok()))
}

fn refuse(id: Option<RequestId>, error: ErrorData) -> Response {
    let body = serde_json::to_string(&JsonRpcError::new(id, error)).expect("an error of ours is JSON");
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    async fn read(content_type: &str, body: &str) -> Result<Message, Response> {
        let request = Request::post("/mcp").header("content-type", content_type).body(Body::from(body.to_owned()));
        Message::read(request.expect("a request")).await
    }

    #[tokio::test]
    async fn the_id_is_known_before_the_message_is_understood() {
        let long = format!("{{\"method\":\"a\",\"id\":\"{}\"}}", "x".repeat(MAX_ID));
        for (content_type, body, id) in [
            ("application/json", "{\"id\":7,\"method\":[]}", Some(json!(7))),
            ("Application/JSON; charset=utf-8", "{\"id\":\"a\",\"method\":\"b\"}", Some(json!("a"))),
            ("application/json", "{\"id\":7,\"result\":{}}", None),
            ("application/json", "{\"id\":{\"a\":1},\"method\":\"b\"}", None),
            ("application/json", "[{\"id\":1}]", None),
            ("application/json", "{}", None),
            ("application/json", &long, None),
            ("text/plain", "{\"id\":7,\"method\":\"a\"}", None),
            ("text/plain", "{broken", None),
        ] {
            let message = read(content_type, body).await.unwrap_or_else(|_| panic!("refused: {body}"));
            assert_eq!(message.id.map(|id| serde_json::to_value(id).expect("JSON")), id, "{body}");
        }
    }

    #[tokio::test]
    async fn what_is_no_json_or_too_much_is_refused() {
        let long = format!("\"{}\"", "x".repeat(MAX_REQUEST));
        let many = format!("[{}0]", "0,".repeat(300_000));
        for (body, status, code) in
            [("{broken", 400, Some(-32700)), ("", 400, Some(-32700)), (&long, 413, None), (&many, 413, None)]
        {
            let Err(answer) = read("application/json", body).await else { panic!("accepted") };
            assert_eq!(answer.status(), status);
            let answer = answer.into_body().collect().await.expect("a body").to_bytes();
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            assert_eq!(answer["error"]["code"].as_i64(), code, "{answer}");
        }
    }
}
