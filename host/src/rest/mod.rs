//! The REST door: an HTTP request becomes an [`Invocation`], the outcome an HTTP response.
//!
//! What is served is what the catalog holds at the moment of the request, and `own`, which tells about it. Who the callers are and what
//! they may do is decided by `callers`; every request passes there first. It doesn't open ports.
//!
//! A request passes `request_id`, `body` and `input` (with `query`), then `invoke`, then `render`; what
//! goes wrong anywhere becomes a `problem`.

mod body;
mod docs;
mod documents;
mod input;
mod kind;
mod media;
mod openapi;
mod own;
mod private;
mod problem;
#[cfg(test)]
mod properties;
mod query;
mod render;
mod request_id;
mod upload;

use std::{convert::Infallible, sync::Arc};

use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request};
use tower::{Layer, Service as _, service_fn};
use tower_http::{CompressionLevel, compression::CompressionLayer};
use tracing::{Instrument, Span, field, trace_span};

pub(crate) use self::openapi::of_description as openapi_of;
use self::{
    documents::Documents,
    input::Source,
    problem::{Fault, Problem},
    request_id::RequestId,
};
use crate::{
    caller::{Caller, Door},
    callers::{self, Callers, Denied, Permitted},
    catalog::{Catalog, OperationRef, Routed},
    conditions::Conditions,
    contract::{Dialogue, Location},
    failure::Failure,
    invoke::{Invocation, invoke},
    listen::{self, Refusal},
    metrics::PHASE,
};

/// Everything that the REST listener answers, to callers that are known.
pub(crate) fn service(catalog: Arc<Catalog>, callers: Arc<Callers>) -> listen::Service {
    let rest = Rest { catalog, documents: Arc::default() };
    Arc::new(move |request| Box::pin(authenticate(rest.clone(), callers.clone(), request)))
}

/// Nothing is looked at before it is clear who asks.
async fn authenticate(rest: Rest, callers: Arc<Callers>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    match callers.admit(&mut parts.headers, &mut parts.extensions).await {
        Ok(()) => {
            let is_known = callers::identity(&parts.extensions).is_known();
            let mut response = compressed(rest, parts, body).await;
            if is_known {
                private::mark(response.headers_mut());
            }
            response
        }
        Err(rejection) => {
            let id = RequestId::of(&parts.headers);
            tracing::debug!(request_id = id.as_str(), "a request was rejected: {rejection}");
            marked(Problem::from(&rejection).into_response(&id), &id)
        }
    }
}

/// Who excludes every encoding gets an answer without one (RFC 9110, 12.5.3): the encoder would refuse it, when the call is done.
async fn compressed(rest: Rest, mut parts: request::Parts, body: Body) -> Response {
    if !media::admits_encoding(&parts.headers) {
        parts.headers.remove(header::ACCEPT_ENCODING);
    }
    let rest = &rest;
    let served = service_fn(move |request| async move { Ok::<_, Infallible>(serve(rest, request).await) });
    let response = compression().layer(served).call(Request::from_parts(parts, body)).await;
    response.unwrap_or_else(|never| match never {}).map(Body::new)
}

/// For callers that take gzip or Brotli. Not what is encoded already, tiny, a picture or a stream of events. An answer keeps its entity
/// tag: it names the version of a resource for its upstream, which compares it byte by byte.
fn compression() -> CompressionLayer {
    /// What web servers compress answers with as they are made: more costs several times the processor time for a few percent.
    const QUALITY: CompressionLevel = CompressionLevel::Precise(4);
    CompressionLayer::new().quality(QUALITY)
}

/// What all requests share.
#[derive(Clone)]
struct Rest {
    catalog: Arc<Catalog>,
    documents: Arc<Documents>,
}

/// The answer to a request that doesn't get in.
pub fn refuse(headers: &HeaderMap, refusal: &Refusal) -> Response {
    let id = RequestId::of(headers);
    marked(Problem::from(refusal).into_response(&id), &id)
}

/// All that can be told as a problem beside the failures of calls: status and name.
#[cfg(test)]
pub(crate) fn faults() -> impl Iterator<Item = (u16, &'static str)> {
    let faults = kind::Kind::all().filter(|it| !matches!(it, kind::Kind::Call(_)));
    faults.map(|it| (it.status().expect("it is our own").as_u16(), it.name()))
}

/// How a failure is told: status and name.
#[cfg(test)]
pub(crate) fn told(failure: &Failure) -> (Option<u16>, &'static str) {
    let kind = kind::Kind::Call(failure.cause());
    (kind.status().map(|it| it.as_u16()), kind.name())
}

/// Once per request. A HEAD request is answered like a GET; that its body isn't sent is `listen`'s doing, which also keeps the length
/// that GET would have.
async fn serve(rest: &Rest, request: Request) -> Response {
    let id = RequestId::of(request.headers());
    let span = tracing::info_span!(
        "rest",
        request_id = id.as_str(),
        method = request.method().as_str(),
        operation = field::Empty
    );
    let answer = answer(rest, request).instrument(trace_span!(target: PHASE, "door")).instrument(span).await;
    marked(answer.unwrap_or_else(|problem| problem.into_response(&id)), &id)
}

/// Puts into a response what every response has.
fn marked(mut response: Response, id: &RequestId) -> Response {
    id.mark(response.headers_mut());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn answer(rest: &Rest, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if let Some(answer) = own::answer(&rest.catalog, &rest.documents, &parts) {
        return answer;
    }
    let found = trace_span!(target: PHASE, "route").in_scope(|| find(&rest.catalog, &parts));
    match found? {
        Target::Operation { operation, variables } => {
            Span::current().record("operation", field::debug(&operation));
            let permitted = permit(&operation, &parts).map_err(|problem| problem.about(&operation))?;
            let outcome = call(permitted, &variables, &parts, body).await;
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
    let identity = callers::identity(&parts.extensions);
    match snapshot.route(method.as_str(), parts.uri.path(), &identity) {
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

/// What is hidden has not been found: it gets no further than that.
fn permit(operation: &OperationRef, parts: &request::Parts) -> Result<Permitted, Problem> {
    let (peer, identity) = (listen::peer(&parts.extensions), callers::identity(&parts.extensions));
    let caller = Caller { door: Door::Rest, peer, identity };
    caller.may_call(operation.clone()).map_err(|denied| match denied {
        Denied::Hidden => Fault::NoRoute { method: &parts.method, path: parts.uri.path() }.into(),
        Denied::Forbidden(forbidden) => {
            let failed = Failure::Forbidden(forbidden);
            operation.plugin().failed(&failed);
            failed.into()
        }
    })
}

async fn call(
    permitted: Permitted,
    variables: &[(String, String)],
    parts: &request::Parts,
    body: Body,
) -> Result<Response, Problem> {
    let operation = permitted.operation();
    check_accepted(operation, &parts.headers)?;
    let conditions = conditions(operation, &parts.method, &parts.headers)?;
    if operation.operation().route.as_ref().is_some_and(|route| route.has(Location::RawBody)) {
        listen::take_time(&parts.extensions);
    }
    let body = body::read(operation.operation(), &parts.headers, body, operation.plugin().limits()).await?;
    let source =
        Source { variables, query: parts.uri.query().unwrap_or_default(), headers: &parts.headers, body: &body };
    let input = trace_span!(target: PHASE, "input")
        .in_scope(|| input::read(operation.operation(), &source).complete(operation))?;
    let (dialogue, upload) = (Dialogue::default(), body.upload());
    let invoked = invoke(Invocation { permitted, input, dialogue, conditions, upload }).await;
    // Whatever went wrong then went wrong because of that.
    let failed = |failure: Failure| body.fault().map_or_else(|| failure.into(), Problem::from);
    render::reply(invoked.map_err(failed)?).instrument(trace_span!(target: PHASE, "render")).await
}

/// Refuses to call what promises JSON for a caller who takes none. What an operation without such a promise answers isn't known
/// before: the caller gets it in any case (RFC 9110, 12.4.1), rather than having a change made and the answer withheld.
fn check_accepted(operation: &OperationRef, headers: &HeaderMap) -> Result<(), Problem> {
    let promises_json = operation.operation().output_schema.is_some() && !is_input(operation, &header::ACCEPT);
    match promises_json && !media::admits_json(headers) {
        true => Err(Fault::NotAcceptable.into()),
        false => Ok(()),
    }
}

/// What the call depends on. A guard of a change is refused where nobody would check it.
fn conditions(operation: &OperationRef, method: &Method, headers: &HeaderMap) -> Result<Conditions, Problem> {
    let conditions = Conditions::of(headers);
    let is_unchecked = conditions.guards(method).any(|name| !is_input(operation, name));
    match is_unchecked && !operation.plugin().passes_conditions(operation.operation()) {
        true => Err(Fault::Condition.into()),
        false => Ok(conditions),
    }
}

/// Whether the operation takes this header field as one of its inputs.
fn is_input(operation: &OperationRef, name: &header::HeaderName) -> bool {
    input::takes_header(operation.operation(), name)
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

    async fn ask(method: &str, path: &str, id: Option<&str>) -> (http::response::Parts, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let callers = Arc::new(Callers::new(callers::Settings::default()));
        let service = service(Arc::new(Catalog::default()), callers);
        let (parts, body) = service(request).await.into_parts();
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
                "detail": "no operation is served at PUT /v1/x; what is served: GET /openapi.json",
                "instance": "abc-1",
            })
        );
    }

    #[tokio::test]
    async fn head_is_answered_like_get() {
        let (got, body) = ask("GET", "/v1/x", Some("a")).await;
        // The listener sends its length, and not itself.
        let (head, unsent) = ask("HEAD", "/v1/x", Some("a")).await;
        assert_eq!(head.status, got.status);
        // One letter more in the detail: it names the method.
        assert_eq!(unsent.len(), body.len() + 1);
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
