//! Documents against what they say: every operation of the original documents (where they are at hand) and of our own, and one
//! document of all kinds of parameters, request by request.

mod model;

use std::{fs, path::PathBuf};

use http::StatusCode;
use serde_json::json;

use self::model::{Door, Expected};
use crate::harness::{M3TER, METAL, Setup, TestHost, Upstream, json_answer, path, say_skipped};

/// The original documents are not a part of this repository; in the place where it is made they lie beside it.
fn folder_of_originals() -> PathBuf {
    path("../../shared/specs")
}

/// Loads the documents into one host, calls each operation over each door, and compares what the upstream has seen with what the
/// model expects. Gives the number of calls.
pub async fn check_all(documents: Vec<(String, String)>) -> usize {
    // What every promised schema of a result allows.
    let upstream = Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"id": "any"}))).await;
    let to = upstream.url();
    let mut setup = Setup::default();
    for (name, text) in &documents {
        let document = model::read(text);
        let origin = &document.origin;
        let mut grant = format!("[grants.{name}]\nhosts = [\"{origin}\"]\nupstreams.\"{origin}\" = \"{to}\"\n");
        for secret in &document.secrets {
            grant.push_str(&format!("secrets.{secret} = {{ file = \"secrets/{secret}\" }}\n"));
            setup = setup.secret(secret, &model::secret(secret));
        }
        setup = setup.file(&format!("{name}.yaml"), text).config(&grant);
    }
    let host = setup.start().await;
    let mut differences = Vec::new();
    let mut calls = 0;
    for (name, text) in &documents {
        let status = host.file(&format!("{name}.yaml")).await.expect("a file");
        assert_eq!(status.state, "loaded", "{name}: {status:?}");
        let mcp = host.mcp_at(&format!("/mcp/{name}"));
        for call in model::read(text).calls {
            let (door, failure) = match &call.door {
                Door::Rest { method, path, body } => {
                    let answer = host.rest().send(method, path, body.as_ref()).await;
                    let failure = (answer.status != 200).then(|| format!("{answer:?}"));
                    ("REST", failure)
                }
                Door::Mcp { tool, arguments } => {
                    let result = mcp.call(tool, arguments.clone()).await;
                    ("MCP", result.is_error.then_some(result.text))
                }
            };
            let what = format!("{name}: {} over {door}", call.operation);
            let seen: Vec<Expected> = upstream.requests().iter().map(Expected::of).collect();
            if seen != [call.expected] || failure.is_some() {
                differences.push(format!("{what}: seen {seen:#?}, failure {failure:?}"));
            }
            calls += 1;
        }
    }
    assert!(differences.is_empty(), "{} of {calls} calls differ; {}", differences.len(), differences.join("\n"));
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_of_each_original_document_makes_the_request_that_the_document_says() {
    let folder = folder_of_originals();
    let Ok(entries) = fs::read_dir(&folder) else {
        return say_skipped(&format!("the original documents are not at {}", folder.display()));
    };
    let mut documents: Vec<(String, String)> = entries
        .map(|entry| entry.expect("a file").path())
        .map(|path| {
            let name = path.file_stem().and_then(|it| it.to_str()).expect("a name").to_owned();
            (name, fs::read_to_string(&path).expect("a document"))
        })
        .collect();
    documents.sort();
    assert_eq!(documents.len(), 18);
    assert_eq!(check_all(documents).await, 2 * 148);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_of_our_own_documents_makes_the_request_that_the_document_says() {
    let documents = [("m3ter-orgusers", M3TER), ("metal-users", METAL)];
    let documents = documents.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(check_all(documents.to_vec()).await, 2 * 14);
}

async fn warehouse() -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let document = fs::read_to_string(path("cases/warehouse.yaml")).expect("a document");
    let host =
        Setup::default().file("warehouse.yaml", document).secret("KEY", "key-of-the-warehouse").config(&format!(
            r#"
        [grants.warehouse]
        hosts = ["https://warehouse.test/api"]
        secrets.WAREHOUSE_KEY = {{ file = "secrets/KEY" }}
        upstreams."https://warehouse.test" = "{to}"
        "#
        ));
    let host = host.start().await;
    let status = host.file("warehouse.yaml").await.expect("a file");
    assert_eq!(status.state, "loaded", "{status:?}");
    (host, upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_travel_in_every_way_that_a_document_can_say() {
    let (host, upstream) = warehouse().await;
    let nothing_more = "GET /api/sites/s%201/shelves/top?api_key=key-of-the-warehouse\n\
                        x-trace: trace-top";
    let everything = "GET /api/sites/s%2F1/shelves/top?fields=id,na%20me&tags=a&tags=b%2Cc&colours=red%7Cblue&sizes=s%20m\
                      &filter%5Bkind%5D=x%26y&weight=0.5&full=true&api_key=key-of-the-warehouse\n\
                      cookie: lang=de\n\
                      x-trace: trace-top";
    host.get("/v1/sites/s%201/shelves/top").await.ok();
    assert_eq!(upstream.texts(), [nothing_more]);
    let query =
        "fields=id,na%20me&tags=a&tags=b%2Cc&colours=red,blue&sizes=s,m&filter%5Bkind%5D=x%26y&weight=0.5&full=true";
    let answer =
        host.rest().raw("GET", &format!("/v1/sites/s%2F1/shelves/top?{query}"), &[("cookie", "lang=de")], "").await;
    assert_eq!(answer.ok()["headers"]["accept"], "application/vnd.warehouse.v2+json");
    assert_eq!(upstream.texts(), [everything]);

    let mcp = host.mcp();
    mcp.call("get-shelf", json!({"site_id": "s 1", "shelf": "top", "lang": null})).await;
    assert_eq!(upstream.texts().len(), 0, "null is no string");
    mcp.call("get-shelf", json!({"site_id": "s 1", "shelf": "top"})).await.ok();
    assert_eq!(upstream.texts(), [nothing_more]);
    let arguments = json!({
        "site_id": "s/1", "shelf": "top", "fields": ["id", "na me"], "tags": ["a", "b,c"], "colours": ["red", "blue"],
        "sizes": ["s", "m"], "filter[kind]": "x&y", "weight": 0.5, "full": true, "lang": "de",
    });
    mcp.call("get-shelf", arguments).await.ok();
    assert_eq!(upstream.texts(), [everything]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_body_parameters_are_members_of_one_object() {
    let (host, upstream) = warehouse().await;
    let path = "/v1/sites/s/shelves/top";
    let both = "PUT /api/sites/s/shelves/top?api_key=key-of-the-warehouse\n\
                content-type: application/json\n\n\
                {\"items\":[\"nail\",\"Öse\"],\"note\":\"\"}";
    let one = "PUT /api/sites/s/shelves/top?api_key=key-of-the-warehouse\n\
               content-type: application/json\n\n\
               {\"items\":[]}";
    host.put(path, &json!({"items": ["nail", "Öse"], "note": ""})).await.ok();
    host.put(path, &json!({"items": []})).await.ok();
    assert_eq!(upstream.texts(), [both, one]);
    let mcp = host.mcp();
    mcp.call("put-shelf", json!({"site_id": "s", "shelf": "top", "items": ["nail", "Öse"], "note": ""})).await.ok();
    mcp.call("put-shelf", json!({"site_id": "s", "shelf": "top", "items": []})).await.ok();
    assert_eq!(upstream.texts(), [both, one]);
    host.put(path, &json!({"note": "no items"})).await.problem(400, "invalid-input");
    assert_eq!(upstream.texts(), [""; 0]);
}
