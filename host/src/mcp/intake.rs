//! Receives a request's body before the library reads it, and refuses one that would become more than a request may.
//!
//! It counts bytes and values. Whether they make sense is the library's to say.

use axum::{
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::json::{self, Room};

/// The request with its body received, or the answer to one that is too large.
pub(super) async fn receive(request: Request, limit: usize) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let too_large = |text: String| (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    let body = match Limited::new(body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(e) if e.is::<LengthLimitError>() => {
            return Err(too_large(format!("the request is larger than {limit} bytes, the limit")));
        }
        Err(_) => return Err((StatusCode::BAD_REQUEST, "the request broke off before its end").into_response()),
    };
    Room::of(json::MAX_MESSAGE).take(&body).map_err(|_surfeit| {
        let memory = json::MAX_MESSAGE;
        too_large(format!("the request has more JSON values than {memory} bytes of memory hold: send fewer at once"))
    })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(body: impl Into<Body>) -> Option<(u16, String)> {
        let refused = receive(Request::new(body.into()), 4 << 20).await.err()?;
        let status = refused.status().as_u16();
        let text = refused.into_body().collect().await.expect("a text").to_bytes();
        Some((status, String::from_utf8(text.to_vec()).expect("a text")))
    }

    #[tokio::test]
    async fn what_is_received() {
        let values = |count| format!("[{}0]", "0,".repeat(count));
        let broken = futures::stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
        for (body, expected) in [
            (Body::from("{}"), None),
            (Body::empty(), None),
            (Body::from("no JSON"), None),
            (Body::from(vec![b' '; 4 << 20]), None),
            (Body::from(vec![b' '; (4 << 20) + 1]), Some((413, "larger than 4194304 bytes"))),
            (Body::from(values(200_000)), None),
            (Body::from(values(300_000)), Some((413, "more JSON values than 33554432 bytes of memory hold"))),
            (Body::from_stream(broken), Some((400, "broke off"))),
        ] {
            let refused = refusal(body).await;
            assert_eq!(refused.as_ref().map(|it| it.0), expected.map(|it| it.0));
            let (said, wanted) = (refused.unwrap_or_default().1, expected.unwrap_or_default().1);
            assert!(said.contains(wanted), "{said}");
        }
    }
}
