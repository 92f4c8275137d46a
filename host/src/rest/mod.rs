//! The REST door: an HTTP request becomes an [`Invocation`], the outcome an HTTP response.
//!
//! It has no routes of its own: what is served is what the catalog holds at the moment of the request. It doesn't authenticate
//! callers and doesn't open ports.
//!
//! A request passes `request_id`, `body` and `input` (with `query`, `percent` and `coerce`), then `invoke`, then `render`; what
//! goes wrong anywhere becomes a `problem`.

mod body;
mod coerce;
mod input;
mod media;
mod percent;
mod problem;
#[cfg(test)]
mod properties;
mod query;
mod render;
mod request_id;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request};
use tracing::{Instrument, Span, field};

use self::{
    input::Source,
    problem::{Fault, Problem},
    request_id::RequestId,
};
use crate::{
    caller::{Caller, Door},
    catalog::{Catalog, OperationRef, Routed},
    contract::Dialogue,
    invoke::{Invocation, invoke},
    listen::{self, Refusal},
};

/// Everything that the REST listener answers.
pub fn router(catalog: Arc<Catalog>) -> Router {
    Router::new().fallback(serve).with_state(catalog)
}

/// The answer to a request that doesn't get in.
pub fn refuse(headers: &HeaderMap, refusal: &Refusal) -> Response {
    let id = RequestId::of(headers);
    marked(Problem::from(refusal).into_response(&id), &id)
}

/// Once per request. A HEAD request is answered like a GET; that its body isn't sent is axum's doing, which also keeps the length
/// that GET would have.
async fn serve(State(catalog): State<Arc<Catalog>>, request: Request) -> Response {
    let id = RequestId::of(request.headers());
    let span = tracing::info_span!(
        "rest",
        request_id = id.as_str(),
        method = request.method().as_str(),
        operation = field::Empty
    );
    let answer = answer(&catalog, request).instrument(span).await;
    marked(answer.unwrap_or_else(|problem| problem.into_response(&id)), &id)
}

/// Puts into a response what every response has.
fn marked(mut response: Response, id: &RequestId) -> Response {
    id.mark(response.headers_mut());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn answer(catalog: &Catalog, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    match find(catalog, &parts)? {
        Target::Operation { operation, variables } => {
            Span::current().record("operation", field::debug(&operation));
            let outcome = call(&operation, &variables, &parts, body).await;
            outcome.map_err(|problem| problem.about(&operation))
        }
        Target::Options(allow) => Ok(options(allow)),
    }
}

/// What a request is for.
enum Target {
    /// An operation, with the path's variables, still encoded. Owned, so that the snapshot isn't kept for as long as the call
    /// takes: it would keep plugins loaded that have long been replaced.
    Operation { operation: OperationRef, variables: Vec<(String, String)> },
    /// To know which methods the path has.
    Options(HeaderValue),
}

fn find(catalog: &Catalog, parts: &request::Parts) -> Result<Target, Problem> {
    let snapshot = catalog.snapshot();
    let method = match &parts.method {
        &Method::HEAD => &Method::GET,
        other => other,
    };
    match snapshot.route(method.as_str(), parts.uri.path()) {
        Routed::Found(found) => Ok(Target::Operation {
            operation: found.operation.clone(),
            variables: found.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }),
        Routed::OtherMethods(methods) if parts.method == Method::OPTIONS => Ok(Target::Options(allow(&methods))),
        Routed::OtherMethods(methods) => Err(Problem::from(Fault::OtherMethods {
            method: &parts.method,
            path: parts.uri.path(),
            allow: allow(&methods),
        })),
        Routed::NotFound => Err(Problem::from(Fault::NoRoute { method: &parts.method, path: parts.uri.path() })),
    }
}

async fn call(
    operation: &OperationRef,
    variables: &[(String, String)],
    parts: &request::Parts,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::read(operation.operation(), &parts.headers, body).await?;
    let source =
        Source { variables, query: parts.uri.query().unwrap_or_default(), headers: &parts.headers, body: &body };
    let input = input::read(operation.operation(), &source).complete(operation)?;
    let caller = Caller { door: Door::Rest, peer: listen::peer(&parts.extensions) };
    let invocation = Invocation { operation: operation.clone(), input, caller, dialogue: Dialogue::default() };
    render::reply(invoke(invocation).await?).await
}

/// The methods that a path answers: HEAD wherever there is GET, and OPTIONS everywhere.
fn allow(methods: &[&str]) -> HeaderValue {
    let mut all: Vec<&str> = methods.to_vec();
    if methods.contains(&"GET") {
        all.push("HEAD");
    }
    all.push("OPTIONS");
    all.sort_unstable();
    HeaderValue::from_str(&all.join(", ")).expect("a plugin whose methods are unknown isn't loaded")
}

fn options(allow: HeaderValue) -> Response {
    let mut response = Response::new(render::no_body());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};
    use tower::Service as _;

    async fn ask(method: &str, path: &str, id: Option<&str>) -> (http::response::Parts, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let mut router = router(Arc::new(Catalog::default()));
        let (parts, body) = router.call(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts, body.into())
    }

    #[tokio::test]
    async fn a_path_that_nothing_serves_is_a_problem_with_the_id_of_the_request() {
        let (parts, body) = ask("PUT", "/v1/x?y=1", Some("abc-1")).await;
        assert_eq!(parts.status, 404);
        assert_eq!(parts.headers["content-type"], "application/problem+json");
        assert_eq!(parts.headers["x-request-id"], "abc-1");
        assert_eq!(parts.headers["x-content-type-options"], "nosniff");
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({
                "type": "urn:airlock:problem:no-such-route",
                "title": "Nothing is served here",
                "status": 404,
                "detail": "no operation is served at PUT /v1/x; what is served: GET /plugins on the control listener",
                "instance": "abc-1",
            })
        );
    }

    #[tokio::test]
    async fn head_is_answered_like_get_without_the_body() {
        let (got, body) = ask("GET", "/v1/x", Some("a")).await;
        let (head, nothing) = ask("HEAD", "/v1/x", Some("a")).await;
        assert_eq!(head.status, got.status);
        // One letter more in the detail: it names the method.
        assert_eq!(head.headers["content-length"], (body.len() + 1).to_string());
        assert_eq!(nothing, b"");
    }

    #[tokio::test]
    async fn an_unusable_request_id_is_replaced() {
        let (parts, body) = ask("GET", "/", Some("no spaces")).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_ne!(parts.headers["x-request-id"], "no spaces");
        assert_eq!(body["instance"], parts.headers["x-request-id"].to_str().unwrap());
    }

    #[test]
    fn allow_has_the_methods_that_come_for_free() {
        for (methods, expected) in [(&["GET", "PUT"][..], "GET, HEAD, OPTIONS, PUT"), (&["DELETE"], "DELETE, OPTIONS")]
        {
            assert_eq!(allow(methods), expected);
        }
    }
}
