//! The control listener: health, metrics, and what became of each plugin file. Read-only, and never on a port that agents reach.
//!
//! Where it has a token, whoever asks for more than health has to present it. It isn't a caller's key: those who call don't manage.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::{
    callers::KeyHash,
    catalog::{Catalog, FileState, FileStatus, Folder},
    component::Plugin,
    grant::{MissingSecret, Stored},
    listen::Refusal,
    metrics::Metrics,
};

/// What the listener tells about.
#[derive(Clone)]
pub struct Control {
    /// The loaded plugins.
    pub catalog: Arc<Catalog>,
    /// The plugin files.
    pub folder: Arc<Folder>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Who may ask.
    pub manager: Manager,
}

/// Who may ask the control listener: whoever has its token, of which the hash is kept; anybody where it has none.
#[derive(Clone)]
pub struct Manager(Option<KeyHash>);

impl Manager {
    /// Reads the token, once: a new one needs a restart.
    ///
    /// # Errors
    /// There is to be a token, and it has no value.
    pub fn of(token: Option<&Stored>) -> Result<Self, MissingSecret> {
        let token = token.map(Stored::read).transpose()?;
        Ok(Self(token.map(|token| KeyHash::of(token.expose()))))
    }

    fn is(&self, headers: &HeaderMap) -> bool {
        let presented =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match (&self.0, presented) {
            (None, _) => true,
            (Some(token), Some(presented)) => token.is(&KeyHash::of(presented)).into(),
            (Some(_), None) => false,
        }
    }
}

/// The routes of the control listener.
pub fn router(control: Control) -> Router {
    let told = Router::new().route("/plugins", get(plugins)).route("/metrics", get(metrics));
    told.layer(from_fn_with_state(control.manager.clone(), authenticate))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(control)
}

async fn authenticate(State(manager): State<Manager>, request: Request, next: Next) -> Response {
    if manager.is(request.headers()) {
        return next.run(request).await;
    }
    let error = "the token of the control listener is needed: send authorization: Bearer <listen.control_token>";
    let mut response = answer(StatusCode::UNAUTHORIZED, &json!({"error": error}));
    let challenge = HeaderValue::from_static("Bearer realm=\"airlock control\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// The answer to a request that doesn't get in.
pub fn refuse(_: &HeaderMap, refusal: &Refusal) -> Response {
    answer(refusal.status(), &json!({"error": refusal.to_string()}))
}

/// The process runs and answers.
async fn live() -> Response {
    answer(StatusCode::OK, &json!({"status": "live"}))
}

/// Every plugin file is loaded. A file whose older version goes on serving doesn't make the host unready: taking it out of
/// rotation would turn a broken file into an outage. Balancers, which have no token, are told no names.
async fn ready(State(control): State<Control>, headers: HeaderMap) -> Response {
    let files = control.folder.status();
    let failed: Vec<&str> =
        files.iter().filter(|it| matches!(it.state, FileState::Failed(_))).map(|it| it.file.as_str()).collect();
    match failed.is_empty() {
        true => answer(StatusCode::OK, &json!({"status": "ready"})),
        false if !control.manager.is(&headers) => {
            answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "not ready"}))
        }
        false => answer(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({"status": "not ready", "failed": failed, "see": "/plugins"}),
        ),
    }
}

async fn plugins(State(control): State<Control>) -> Response {
    let snapshot = control.catalog.snapshot();
    let files = control.folder.status();
    let plugins: Vec<Value> = snapshot.plugins().iter().map(|it| describe(it)).collect();
    let files: Vec<Value> = files.iter().map(file).collect();
    answer(StatusCode::OK, &json!({"generation": snapshot.generation(), "plugins": plugins, "files": files}))
}

async fn metrics(State(control): State<Control>) -> Response {
    let text = control.metrics.text();
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], text).into_response()
}

fn describe(plugin: &Plugin) -> Value {
    let description = plugin.description();
    let operations: Vec<Value> = description
        .operations
        .iter()
        .map(|it| {
            json!({
                "name": it.name,
                "route": it.route.as_ref().map(|route| format!("{} {}", route.method, route.path)),
                "tool": it.tool,
            })
        })
        .collect();
    json!({
        "name": plugin.name(),
        "title": description.title,
        "running": plugin.running(),
        "operations": operations,
    })
}

fn file(it: &FileStatus) -> Value {
    let (state, error) = match &it.state {
        FileState::Loaded => ("loaded", None),
        FileState::Shared => ("imported only", None),
        FileState::Failed(error) => ("failed", Some(error)),
        FileState::Outdated(error) => ("outdated", Some(error)),
    };
    json!({"file": it.file, "version": it.version, "state": state, "error": error})
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, body.to_string()).into_response()
}
