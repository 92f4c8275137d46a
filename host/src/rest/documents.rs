//! What the host says about itself over REST, rendered once for each state of the catalog.
//!
//! The first request after a change renders; nothing is kept of states that are gone.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Value, json};

use super::openapi::{self, About};
use crate::{
    catalog::{OperationRef, Snapshot},
    component::Plugin,
};

/// The documents of the latest snapshot that was asked for.
#[derive(Debug, Default)]
pub(super) struct Documents(Mutex<Option<(u64, Arc<Rendered>)>>);

/// The documents of one snapshot.
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
    /// The documents of this snapshot. Whoever asks meanwhile waits, and finds them.
    pub(super) fn of(&self, snapshot: &Snapshot) -> Arc<Rendered> {
        // What a panic has left behind is the document before, or none.
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((generation, rendered)) if *generation == snapshot.generation() => rendered.clone(),
            _ => {
                let rendered = Arc::new(render(snapshot.plugins()));
                *latest = Some((snapshot.generation(), rendered.clone()));
                rendered
            }
        }
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

fn render(plugins: &[Arc<Plugin>]) -> Rendered {
    const ALL: About<'_> = About {
        title: "Airlock",
        description: "Every operation of every plugin that this host has loaded. `/openapi/<plugin>.json` has those of one.",
    };
    let operations: Vec<OperationRef> = plugins.iter().flat_map(OperationRef::all).collect();
    let one = |plugin: &Arc<Plugin>| {
        let description = plugin.description();
        let about = About { title: &description.title, description: &description.summary };
        let operations: Vec<OperationRef> = OperationRef::all(plugin).collect();
        (plugin.name().to_owned(), Document::from(openapi::render(&about, &operations)))
    };
    Rendered {
        all: openapi::render(&ALL, &operations).into(),
        plugins: plugins.iter().map(one).collect(),
        linkset: linkset(plugins).into(),
    }
}

/// The links to what describes the API: for machines, and for people.
fn linkset(plugins: &[Arc<Plugin>]) -> Value {
    const OPENAPI: &str = "application/json";
    let all = json!({"href": "/openapi.json", "type": OPENAPI, "title": "Everything"});
    let each = plugins.iter().map(|plugin| {
        let title = &plugin.description().title;
        json!({"href": format!("/openapi/{}.json", plugin.name()), "type": OPENAPI, "title": title})
    });
    let descriptions: Vec<Value> = std::iter::once(all).chain(each).collect();
    let page = json!({"href": "/docs", "type": "text/html"});
    json!({"linkset": [{"anchor": "/", "service-desc": descriptions, "service-doc": [page]}]})
}
