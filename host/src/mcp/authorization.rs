//! MCP's authorisation: the endpoints as protected resources (RFC 9728) of the issuers that the operator names.
//!
//! Who a caller is and what they may do is decided in `callers`; here is how MCP clients are told.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use crate::{
    callers::{self, Callers, Rejection},
    listen::Origin,
};

/// Where the metadata of a resource are: before the resource's own path.
const METADATA: &str = "/.well-known/oauth-protected-resource";

/// The way in to the endpoints.
#[derive(Clone)]
pub struct Gate {
    callers: Arc<Callers>,
    origin: Option<Arc<str>>,
    scheme: &'static str,
}

impl Gate {
    /// `origin` is where clients reach MCP; where absent, each is believed to have come by the host that its request names, and by
    /// the listener's `scheme`.
    pub fn new(callers: Arc<Callers>, origin: Option<Origin>, scheme: &'static str) -> Self {
        Self { callers, origin: origin.map(|it| it.to_string().into()), scheme }
    }

    /// Stands before these endpoints. The metadata are for everybody: they are for those who have no token yet.
    pub(super) fn before(self, endpoints: Router) -> Router {
        let metadata =
            Router::new().route(METADATA, get(metadata)).route(&format!("{METADATA}/{{*path}}"), get(metadata));
        let endpoints = endpoints.layer(from_fn_with_state(self.clone(), authenticate));
        endpoints.merge(metadata.with_state(self))
    }

    fn has_issuers(&self) -> bool {
        self.callers.issuers().next().is_some()
    }

    fn origin(&self, headers: &HeaderMap) -> String {
        match &self.origin {
            Some(origin) => origin.to_string(),
            None => {
                let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
                format!("{}://{}", self.scheme, host.unwrap_or("localhost"))
            }
        }
    }

    /// Where the metadata of the resource are that was asked for.
    fn metadata(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        self.has_issuers().then(|| format!("{}{METADATA}{}", self.origin(headers), resource(uri.path())))
    }
}

/// The path of a resource. It is repeated in quotes, so that what no plugin is called is left out.
fn resource(path: &str) -> &str {
    let is_plain = path.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_./".contains(&it));
    if is_plain { path } else { "/mcp" }
}

/// What a token lacks for the call of a request, once that is known: the endpoint finds it, the gate says it.
#[derive(Clone, Default)]
pub(super) struct Lacking(Arc<OnceLock<Vec<String>>>);

impl Lacking {
    /// Notes the scopes that a token would need.
    pub(super) fn note(&self, scopes: &[String]) {
        let _ = self.0.set(scopes.to_vec());
    }
}

async fn authenticate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let metadata = gate.metadata(&parts.uri, &parts.headers);
    if let Err(rejection) = gate.callers.admit(&mut parts.headers, &mut parts.extensions).await {
        tracing::debug!("a request was rejected: {rejection}");
        return reject(&rejection, metadata.as_deref());
    }
    let lacking = Lacking::default();
    parts.extensions.insert(lacking.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    // The result in the body says the same to a model. Where the answer has begun before the call was looked at, it says it alone.
    if let Some(scopes) = lacking.0.get() {
        *response.status_mut() = StatusCode::FORBIDDEN;
        let challenge = callers::insufficient_scope(scopes, metadata.as_deref());
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// There is no message yet that a JSON-RPC error could answer.
pub(super) fn reject(rejection: &Rejection, metadata: Option<&str>) -> Response {
    let mut response = (rejection.status(), rejection.to_string()).into_response();
    if let Some(challenge) = rejection.challenge(metadata) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if *rejection == Rejection::NoKeys {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(callers::RETRY_AFTER));
    }
    response
}

/// The metadata of the resource at the path behind. Without issuers there are none: keys aren't got by OAuth.
async fn metadata(State(gate): State<Gate>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().strip_prefix(METADATA).unwrap_or_default();
    let path = if path.is_empty() { "/mcp" } else { path };
    let is_ours = path == "/mcp" || path.strip_prefix("/mcp/").is_some_and(|plugin| !plugin.is_empty());
    if !gate.has_issuers() || !is_ours {
        return (StatusCode::NOT_FOUND, "there is no protected resource of this name").into_response();
    }
    let body = json!({
        "resource": format!("{}{}", gate.origin(&headers), resource(path)),
        "resource_name": "Airlock",
        "authorization_servers": gate.callers.issuers().collect::<Vec<_>>(),
        "scopes_supported": gate.callers.scopes(),
        "bearer_methods_supported": ["header"],
    });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
