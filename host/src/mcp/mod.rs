//! The MCP door: streamable HTTP at `/mcp` (the tools of all plugins) and `/mcp/{plugin}` (those of one), and standard input and
//! output.
//!
//! It speaks the protocol and renders; what a call means is `invoke`'s, who calls and what they may is `callers`'. It loads no plugins.

mod abandon;
mod authorization;
mod bm25;
mod changes;
mod complete;
mod converse;
mod dialogue;
mod endpoint;
mod events;
mod failure;
mod freshness;
mod instructions;
mod keeper;
mod kept;
mod line;
mod listing;
mod message;
mod owner;
mod page;
mod prompts;
mod reply;
mod resources;
mod seal;
mod search;
mod server;
mod session;
mod stdio;
mod tag;
mod tool;
mod tools;
mod upstream;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, Weak},
};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::any,
};
use rmcp::model::ProtocolVersion;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    endpoint::Endpoint,
    keeper::Keeper,
    kept::Kept,
    seal::Seal,
    server::{MAX_SESSIONS, Surface},
};
use crate::{
    callers::{self, Identity},
    catalog::{Catalog, Scope},
    contract::{Description, Operation},
    listen::Refusal,
};

pub use self::{authorization::Gate, listing::Listing, stdio::serve as serve_stdio};

/// The router, for callers that are known. Once `shutdown` is cancelled, subscriptions end, calls in flight are answered, then sessions are closed.
///
/// Which hosts and origins may ask is not looked at here: that has been done when a request arrives.
///
/// Call it within a tokio runtime: it follows the catalog's changes.
pub fn router(catalog: Arc<Catalog>, listing: Listing, gate: Gate, shutdown: CancellationToken) -> Router {
    let endpoints = Endpoints::open(catalog, listing, shutdown.child_token());
    let served = Router::new().route("/mcp", any(all)).route("/mcp/{plugin}", any(one)).with_state(endpoints);
    gate.before(served)
}

/// The answer to a request that doesn't get in. There is no message yet that a JSON-RPC error could answer.
pub fn refuse(_: &HeaderMap, refusal: &Refusal) -> Response {
    (refusal.status(), refusal.to_string()).into_response()
}

/// The tools of a plugin as clients of the current version are listed them, before the plugin is loaded.
pub(crate) fn tools_of(description: &Description) -> Vec<rmcp::model::Tool> {
    let tools = description.operations.iter().filter_map(|it| Some((it.tool.as_deref()?, it)));
    tools.map(|(name, operation)| tool::render(name, operation, Era::Modern)).collect()
}

/// Whether a failure is told as a tool result that is marked as an error.
#[cfg(test)]
pub(crate) fn tells_in_a_result(failure: &crate::failure::Failure) -> bool {
    let operation = reply::tests::operation(None);
    let asked = Asked { plugin: "p", operation: &operation, conforms: &|_| true, era: Era::Modern, keeper: None };
    failure::render(failure, asked).is_error == Some(true)
}

/// The answer to a request of nobody who is known.
#[cfg(test)]
pub(crate) fn rejected(rejection: &callers::Rejection) -> Response {
    authorization::reject(rejection, None)
}

async fn all(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    endpoints.all.answer(request).await
}

async fn one(State(endpoints): State<Arc<Endpoints>>, Path(plugin): Path<String>, request: Request) -> Response {
    match endpoints.of(&plugin, &callers::identity(request.extensions())) {
        Some(endpoint) => endpoint.answer(request).await,
        None => (StatusCode::NOT_FOUND, format!("no plugin is loaded under this name: {plugin}")).into_response(),
    }
}

/// The endpoints: one for all plugins, and one for each plugin that somebody has asked for since it was loaded.
struct Endpoints {
    common: Common,
    all: Endpoint,
    /// Only names of loaded plugins: added under the lock while the plugin is loaded, taken out when it goes.
    plugins: Mutex<HashMap<String, Arc<Endpoint>>>,
    /// Closes every endpoint when the router is dropped.
    _closing: DropGuard,
}

/// What every endpoint is made from.
struct Common {
    catalog: Arc<Catalog>,
    listing: Arc<Listing>,
    /// A permit for each legacy session that may be open.
    sessions: Arc<Semaphore>,
    seal: Arc<Seal>,
    kept: Arc<Kept>,
    open: CancellationToken,
}

impl Common {
    fn new(catalog: Arc<Catalog>, listing: Listing, open: CancellationToken) -> Self {
        let (sessions, seal, kept) = (Semaphore::new(MAX_SESSIONS), Seal::new(), Arc::new(Kept::default()));
        tokio::spawn(open.clone().run_until_cancelled_owned(kept::sweep(Arc::downgrade(&kept))));
        Self { catalog, listing: Arc::new(listing), sessions: Arc::new(sessions), seal: Arc::new(seal), kept, open }
    }

    fn endpoint(&self, scope: Scope) -> Endpoint {
        Endpoint::open(Surface::new(self, scope))
    }
}

impl Endpoints {
    fn open(catalog: Arc<Catalog>, listing: Listing, open: CancellationToken) -> Arc<Self> {
        let changes = catalog.changes();
        let common = Common::new(catalog, listing, open.clone());
        let endpoints = Arc::new(Self {
            all: common.endpoint(Scope::All),
            common,
            plugins: Mutex::default(),
            _closing: open.clone().drop_guard(),
        });
        tokio::spawn(open.run_until_cancelled_owned(follow(Arc::downgrade(&endpoints), changes)));
        endpoints
    }

    /// The endpoint of a plugin, for a caller who may call something there.
    fn of(&self, plugin: &str, identity: &Identity) -> Option<Arc<Endpoint>> {
        let mut plugins = self.plugins.lock().expect("nothing panics under this lock");
        self.common.catalog.snapshot().plugin_for(plugin, identity)?;
        let endpoint = plugins
            .entry(plugin.to_owned())
            .or_insert_with_key(|name| Arc::new(self.common.endpoint(Scope::Plugin(name.clone()))));
        Some(endpoint.clone())
    }

    fn close_unloaded(&self) {
        let mut plugins = self.plugins.lock().expect("nothing panics under this lock");
        let snapshot = self.common.catalog.snapshot();
        plugins.retain(|name, endpoint| {
            let loaded = snapshot.plugin(name).is_some();
            if !loaded {
                endpoint.close();
            }
            loaded
        });
    }
}

/// Closes the endpoints of plugins that go, and warns of pins that pin nothing.
async fn follow(endpoints: Weak<Endpoints>, mut changes: watch::Receiver<u64>) {
    let mut warned = BTreeSet::new();
    while let Some(endpoints) = endpoints.upgrade() {
        endpoints.close_unloaded();
        endpoints.common.listing.warn(&endpoints.common.catalog.snapshot(), &mut warned);
        drop(endpoints);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Which rules of the protocol a client lives by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    /// Up to 2025-11-25: `initialize`, and structured values are objects.
    Legacy,
    /// From 2026-07-28 on: no sessions, and structured values are any JSON.
    Modern,
}

impl Era {
    fn of(version: Option<&ProtocolVersion>) -> Self {
        match version {
            Some(version) if !version.has_initialize() => Self::Modern,
            _ => Self::Legacy,
        }
    }
}

/// What a result is rendered for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    plugin: &'a str,
    operation: &'a Operation,
    /// Whether a result is as the operation's output schema promises.
    conforms: &'a (dyn Fn(&Value) -> bool + Sync),
    era: Era,
    /// Keeps what is too long; absent where there is no result to be kept.
    keeper: Option<&'a Keeper<'a>>,
}
