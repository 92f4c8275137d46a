//! The OpenAPI documents: against goldens, complete in themselves, and of what is loaded now.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    discovery::check_golden,
    harness::{Setup, TestHost, Upstream},
};

async fn start() -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    (Setup::providers(&upstream, &upstream).start().await, upstream)
}

/// All references in a document.
fn references<'a>(document: &'a Value, found: &mut BTreeSet<&'a str>) {
    match document {
        Value::Object(members) => members.iter().for_each(|(name, member)| match member {
            Value::String(reference) if name == "$ref" => drop(found.insert(reference)),
            member => references(member, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn operation_ids(document: &Value) -> Vec<&str> {
    let items = document["paths"].as_object().expect("paths").values();
    let operations = items.flat_map(|item| item.as_object().expect("operations").values());
    operations.map(|it| it["operationId"].as_str().expect("an id")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_of_both_providers_are_as_in_the_goldens() {
    let (host, _upstream) = start().await;
    for plugin in ["m3ter-orgusers", "metal-users"] {
        let answer = host.get(&format!("/openapi/{plugin}.json")).await;
        assert_eq!(answer.header("content-type"), "application/json");
        check_golden(&format!("openapi-{plugin}.json"), &answer.ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_of_everything_has_every_operation_and_all_that_it_refers_to() {
    let (host, upstream) = start().await;
    let document = host.get("/openapi.json").await.ok();
    let mut expected = Vec::new();
    for plugin in ["m3ter-orgusers", "metal-users"] {
        let own = host.get(&format!("/openapi/{plugin}.json")).await.ok();
        expected.extend(operation_ids(&own).into_iter().map(str::to_owned));
    }
    let mut ids = operation_ids(&document);
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids.len(), 14);
    assert_eq!(ids, expected);
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("nothing leads out of the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    assert_eq!(document["servers"][0]["url"], "/");
    assert_eq!(upstream.texts(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_follows_the_plugins_and_says_whether_it_has_changed() {
    let (host, _upstream) = start().await;
    let before = host.get("/openapi.json").await;
    let etag = before.header("etag").to_owned();
    let again = host.get("/openapi.json").await;
    assert_eq!((again.header("etag"), again.text()), (&*etag, before.text()));
    let rest = host.rest();
    let unchanged = rest.raw("GET", "/openapi.json", &[("if-none-match", &etag)], "").await;
    assert_eq!((unchanged.status, unchanged.text()), (304, ""));

    host.changed_by(|plugins| std::fs::remove_file(plugins.join("metal-users.yaml")).expect("it is there")).await;
    let after = rest.raw("GET", "/openapi.json", &[("if-none-match", &etag)], "").await;
    assert_eq!(operation_ids(&after.ok()).len(), 7);
    assert_ne!(after.header("etag"), etag);
    rest.get("/openapi/metal-users.json").await.problem(404, "no-such-route");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_of_apis_leads_to_the_documents() {
    let (host, _upstream) = start().await;
    let answer = host.get("/.well-known/api-catalog").await;
    assert!(answer.header("content-type").starts_with("application/linkset+json; profile="), "{answer:?}");
    assert_eq!(answer.header("link"), "</.well-known/api-catalog>; rel=\"api-catalog\"");
    let links = answer.ok()["linkset"][0].clone();
    let described = links["service-desc"].as_array().expect("a list");
    let hrefs: Vec<&str> = described.iter().map(|it| it["href"].as_str().expect("an address")).collect();
    assert_eq!(hrefs, ["/openapi.json", "/openapi/m3ter-orgusers.json", "/openapi/metal-users.json"]);
    for href in hrefs {
        assert_eq!(host.get(href).await.ok()["openapi"], "3.1.0", "{href}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_comes_whole_from_this_host_and_may_load_nothing_else() {
    let (host, _upstream) = start().await;
    let rest = host.rest();
    let page = rest.get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("http"), "{policy}");
    let files: Vec<&str> = page.text().split('"').filter(|it| it.starts_with("/docs/")).collect();
    assert_eq!(files.len(), 3);
    for file in files {
        let plain = rest.get(file).await;
        assert_eq!((plain.status, plain.header("content-encoding")), (200, ""), "{file}");
        assert!(plain.text().len() > 100, "{file}");
    }
    let script = "/docs/swagger-ui-bundle.js";
    let packed = rest.raw("GET", script, &[("accept-encoding", "gzip")], "").await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    let tag = packed.header("etag").to_owned();
    let again = rest.raw("GET", script, &[("accept-encoding", "gzip"), ("if-none-match", &tag)], "").await;
    assert_eq!(again.status, 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_hosts_own_is_read_only_and_no_plugins() {
    let (host, _upstream) = start().await;
    let rest = host.rest();
    for path in ["/openapi.json", "/openapi/metal-users.json", "/.well-known/api-catalog"] {
        let refused = rest.send("POST", path, None).await;
        assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS", "{path}");
        refused.problem(405, "method-not-allowed");
        let options = rest.send("OPTIONS", path, None).await;
        assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, OPTIONS"));
        let (got, head) = (rest.get(path).await, rest.send("HEAD", path, None).await);
        assert_eq!((head.status, head.text()), (200, ""));
        for field in ["content-length", "content-type", "etag"] {
            assert_eq!(head.header(field), got.header(field), "{path} {field}");
        }
    }
    for path in ["/openapi", "/openapi/", "/openapi/nothing.json", "/.well-known/nothing"] {
        rest.get(path).await.problem(404, "no-such-route");
    }
    let taking = crate::hot_load::document("http://upstream.test", "1").replace("/v1/thing", "/openapi/thing");
    let host =
        Setup::default().file("taking.yaml", taking).config("[grants.taking]\nhosts = [\"http://upstream.test\"]\n");
    let host = host.start().await;
    let file = host.file("taking.yaml").await.expect("a file");
    assert!(file.error.contains("the path is one of the host's own"), "{file:?}");
}
