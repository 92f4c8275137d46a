//! What the host says about itself over REST, rendered once for each state of the catalog and each set of operations that some caller
//! may call.
//!
//! The first request after a change renders; nothing is kept of states that are gone.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
    sync::Arc,
};

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Value, json};

use super::openapi::{self, About, Access};
use crate::{
    callers::{Identity, Reach},
    catalog::{OperationRef, Snapshot, Views},
    component::Plugin,
};

/// The documents of the latest snapshot that was asked for.
#[derive(Debug, Default)]
pub(super) struct Documents(Views<Rendered>);

/// The documents of one snapshot for those who may call the same.
#[derive(Debug)]
pub(super) struct Rendered {
    /// OpenAPI of everything.
    pub(super) all: Document,
    /// OpenAPI of each plugin, by its name.
    pub(super) plugins: BTreeMap<String, Document>,
    /// The linkset of RFC 9727.
    pub(super) linkset: Document,
}

/// A document, and how its versions are told apart.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) bytes: Bytes,
    pub(super) etag: HeaderValue,
}

impl Documents {
    /// The documents of this snapshot for a caller: of what may be called. Whoever asks meanwhile waits, and finds them.
    pub(super) fn of(&self, snapshot: &Snapshot, identity: &Identity) -> Arc<Rendered> {
        self.0.of(snapshot, identity, || render(snapshot.plugins(), identity))
    }
}

impl Document {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let etag = HeaderValue::from_str(&format!("\"{:016x}\"", hasher.finish())).expect("digits and quotes");
        Self { bytes, etag }
    }
}

impl From<Value> for Document {
    fn from(json: Value) -> Self {
        Self::new(json.to_string())
    }
}

fn render(plugins: &[Arc<Plugin>], identity: &Identity) -> Rendered {
    let access = if identity.is_known() { Access::Callers } else { Access::Open };
    let all = About {
        title: "Airlock",
        description: "Every operation of every plugin that this host has loaded. `/openapi/<plugin>.json` has those of one.",
        access,
    };
    let served: Vec<(&Arc<Plugin>, Vec<OperationRef>)> = plugins
        .iter()
        .map(|plugin| (plugin, callable(plugin, identity)))
        .filter(|(_, operations)| !operations.is_empty())
        .collect();
    let operations: Vec<OperationRef> = served.iter().flat_map(|(_, operations)| operations).cloned().collect();
    let one = |(plugin, operations): &(&Arc<Plugin>, Vec<OperationRef>)| {
        let description = plugin.description();
        let about = About { title: &description.title, description: &description.summary, access };
        (plugin.name().to_owned(), Document::from(openapi::render(&about, operations)))
    };
    Rendered {
        all: openapi::render(&all, &operations).into(),
        plugins: served.iter().map(one).collect(),
        linkset: linkset(served.iter().map(|(plugin, _)| *plugin)).into(),
    }
}

fn callable(plugin: &Arc<Plugin>, identity: &Identity) -> Vec<OperationRef> {
    OperationRef::all(plugin).filter(|it| identity.reaches(it) == Reach::Callable).collect()
}

/// The links to what describes the API: for machines, and for people.
fn linkset<'a>(plugins: impl Iterator<Item = &'a Arc<Plugin>>) -> Value {
    const OPENAPI: &str = "application/json";
    let all = json!({"href": "/openapi.json", "type": OPENAPI, "title": "Everything"});
    let each = plugins.map(|plugin| {
        let title = &plugin.description().title;
        json!({"href": format!("/openapi/{}.json", plugin.name()), "type": OPENAPI, "title": title})
    });
    let descriptions: Vec<Value> = std::iter::once(all).chain(each).collect();
    let page = json!({"href": "/docs", "type": "text/html"});
    json!({"linkset": [{"anchor": "/", "service-desc": descriptions, "service-doc": [page]}]})
}
