//! The control listener: health, metrics, and what became of each plugin file. Read-only, and never on a port that agents reach.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::{
    catalog::{Catalog, FileState, FileStatus, Folder},
    component::Plugin,
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
}

/// The routes of the control listener.
pub fn router(control: Control) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/plugins", get(plugins))
        .route("/metrics", get(metrics))
        .with_state(control)
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
/// rotation would turn a broken file into an outage.
async fn ready(State(control): State<Control>) -> Response {
    let files = control.folder.status();
    let failed: Vec<&str> =
        files.iter().filter(|it| matches!(it.state, FileState::Failed(_))).map(|it| it.file.as_str()).collect();
    match failed.is_empty() {
        true => answer(StatusCode::OK, &json!({"status": "ready"})),
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
        FileState::Failed(error) => ("failed", Some(error)),
        FileState::Outdated(error) => ("outdated", Some(error)),
    };
    json!({"file": it.file, "version": it.version, "state": state, "error": error})
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, body.to_string()).into_response()
}
