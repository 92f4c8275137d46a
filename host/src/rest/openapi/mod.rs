//! What is served over REST as an OpenAPI 3.1 document: one for everything, one for each plugin. Pure: operations in, JSON out.
//!
//! Which operations a reader may know of, and when a document is rendered, is up to `documents`.

mod operation;
mod problems;
mod schemas;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use self::schemas::Schemas;
use crate::{
    catalog::OperationRef,
    contract::{Description, Operation, Route, variable},
};

/// What a document is about.
#[derive(Clone, Debug)]
pub(super) struct About<'a> {
    pub(super) title: &'a str,
    pub(super) description: &'a str,
    pub(super) access: Access,
}

/// What a caller has to present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Open,
    /// A key or a token.
    Callers,
}

impl Access {
    /// Any one of these will do.
    fn security(self) -> Value {
        match self {
            Self::Open => json!([]),
            Self::Callers => json!([{"bearer": []}, {"key": []}]),
        }
    }

    fn schemes(self) -> Value {
        match self {
            Self::Open => json!({}),
            Self::Callers => json!({
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key, or a token of an issuer that the operator trusts."},
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "A key."},
            }),
        }
    }
}

/// One operation of one plugin.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    plugin: &'a str,
    operation: &'a Operation,
    route: &'a Route,
}

/// Renders the document about these operations, in their order.
pub(super) fn render(about: &About<'_>, operations: &[OperationRef]) -> Value {
    let served = operations.iter().filter_map(|it| {
        let route = it.operation().route.as_ref()?;
        Some(Entry { plugin: it.plugin().name(), operation: it.operation(), route })
    });
    let plugins: BTreeMap<&str, &str> =
        operations.iter().map(|it| (it.plugin().name(), it.plugin().description().summary.as_str())).collect();
    document(about, &plugins, served)
}

/// Renders the document about a plugin of this name as a host serves it to whom it trusts, before the plugin is loaded.
pub(crate) fn of_description(plugin: &str, description: &Description) -> Value {
    let about = About { title: &description.title, description: &description.summary, access: Access::Open };
    let plugins = BTreeMap::from([(plugin, description.summary.as_str())]);
    let served = description.operations.iter().filter_map(|operation| {
        let route = operation.route.as_ref()?;
        Some(Entry { plugin, operation, route })
    });
    document(&about, &plugins, served)
}

fn document<'a>(about: &About<'_>, plugins: &BTreeMap<&str, &str>, entries: impl Iterator<Item = Entry<'a>>) -> Value {
    let mut paths = Paths::default();
    let mut schemas = Schemas::new(problems::schemas());
    for entry in entries {
        paths.add(&entry, &mut schemas);
    }
    let tags = plugins.iter().map(|(name, summary)| json!({"name": name, "description": summary}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "description": about.description,
            "version": env!("CARGO_PKG_VERSION"),
        },
        // Relative to the document: whatever name, port and scheme it was reached by.
        "servers": [{"url": "/"}],
        "security": about.access.security(),
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths.items,
        "components": {
            "securitySchemes": about.access.schemes(),
            "schemas": schemas.all,
            "responses": problems::responses(),
            "headers": {"RequestId": {
                "description": "The id of the request: the caller's, if it sent one of 1 to 128 letters, digits, `_`, `.` and `-`, else a new one. The log has it too.",
                "required": true,
                "schema": {"type": "string"},
            }},
        },
    })
}

/// The paths by their templates. Two that differ in the names of variables only are one to OpenAPI: the first one's names count.
#[derive(Default)]
struct Paths {
    items: Map<String, Value>,
    /// Templates by what they are without names.
    templates: HashMap<String, String>,
}

impl Paths {
    fn add(&mut self, entry: &Entry<'_>, schemas: &mut Schemas) {
        let path = &entry.route.path;
        // OpenAPI has no word for what remains of a path. It is called a variable, which it is.
        let template = self.templates.entry(nameless(path)).or_insert_with(|| path.replace("{*", "{")).clone();
        let variables = variables(path).zip(variables(&template)).collect();
        let item = self.items.entry(template.clone()).or_insert_with(|| json!({}));
        item[entry.route.method.to_ascii_lowercase()] = operation::render(entry, &variables, schemas);
    }
}

fn nameless(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').map(|it| if it.starts_with('{') { "{}" } else { it }).collect();
    segments.join("/")
}

fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| variable(segment).map(|(name, _)| name))
}
