//! The resources of the host's own, beside what plugins serve: the OpenAPI documents, the links to them, and the page that shows them.
//!
//! A plugin can't take their paths: one whose route is such a path isn't loaded, see `component::check`.

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header, request};

use super::{
    allow, docs,
    documents::{Document, Documents},
    options,
    problem::{Fault, Problem},
    render::no_body,
};
use crate::{
    callers::{self, Identity},
    catalog::Catalog,
    conditions::Conditions,
    contract::is_reserved,
};

/// What a resource is answered with.
pub(super) struct Page {
    media_type: &'static str,
    pub(super) document: Document,
    headers: Vec<(HeaderName, &'static str)>,
}

impl Page {
    pub(super) fn new(media_type: &'static str, document: Document) -> Self {
        Self { media_type, document, headers: Vec::new() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Answers a request for one of the resources; `None` if it is for something else.
pub(super) fn answer(
    catalog: &Catalog,
    documents: &Documents,
    parts: &request::Parts,
) -> Option<Result<Response, Problem>> {
    let path = parts.uri.path();
    if !is_reserved(path) {
        return None;
    }
    let identity = callers::identity(&parts.extensions);
    let page = docs::find(path, &parts.headers).or_else(|| find(catalog, documents, path, &identity))?;
    Some(match parts.method {
        Method::GET | Method::HEAD => Ok(respond(page, parts)),
        Method::OPTIONS => Ok(options(allow(&["GET"]))),
        _ => Err(Problem::from(Fault::OtherMethods { method: &parts.method, path, allow: allow(&["GET"]) })),
    })
}

fn find(catalog: &Catalog, documents: &Documents, path: &str, identity: &Identity) -> Option<Page> {
    let rendered = documents.of(&catalog.snapshot(), identity);
    let json = |document: &Document| Page::new("application/json", document.clone());
    match path {
        "/openapi.json" => Some(json(&rendered.all)),
        "/.well-known/api-catalog" => {
            const LINKSET: &str = r#"application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727""#;
            let page = Page::new(LINKSET, rendered.linkset.clone());
            Some(page.with(header::LINK, "</.well-known/api-catalog>; rel=\"api-catalog\""))
        }
        _ => {
            let plugin = path.strip_prefix("/openapi/")?.strip_suffix(".json")?;
            rendered.plugins.get(plugin).map(json)
        }
    }
}

fn respond(page: Page, parts: &request::Parts) -> Response {
    let Document { bytes, etag } = page.document;
    let unchanged = Conditions::of(&parts.headers).know(&etag);
    let mut response = Response::new(if unchanged { no_body() } else { Body::from(bytes) });
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.media_type));
    headers.insert(header::ETAG, etag);
    // It changes whenever a plugin does, or the host.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    for (name, value) in page.headers {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
