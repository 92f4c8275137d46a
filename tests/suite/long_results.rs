//! Results that are too long for an answer: cut, with a link by which their caller reads the whole, and nobody else anything.

use airlock::callers::KeyHash;
use axum::{body::Body, response::Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    callers::mcp,
    harness::{Mcp, Seen, Session, Setup, TestHost, Upstream, fixture, random_text},
};

/// What an upstream answers: a megabyte and more, with the secret that it was sent in the midst of what follows.
fn body(secret: &str) -> String {
    format!("{}{secret}{}", "lorem ipsum ".repeat(150_000), "dolor ä ".repeat(100_000))
}

/// Answers with the body, as of the media type that the path names: `/text/plain`.
fn long(seen: Seen) -> Response {
    let secret = seen.headers.get("x-secret").map(|it| it.to_str().expect("text").to_owned()).unwrap_or_default();
    let media_type = http::HeaderValue::from_str(&seen.target[1..]).expect("a media type");
    let mut response = Response::new(Body::from(body(&secret)));
    response.headers_mut().insert(http::header::CONTENT_TYPE, media_type);
    response
}

async fn start(secret: &str, config: &str) -> (TestHost, Upstream) {
    let upstream = Upstream::answering(long).await;
    (Setup::hostile(&upstream.url(), secret, "").config(config).start().await, upstream)
}

fn fetch(media_type: &str) -> Value {
    json!({"url": format!("http://upstream.test/{media_type}")})
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"name": tool, "arguments": arguments})
}

/// The link of a result, which is its last block.
fn link(result: &Value) -> &Value {
    let blocks = result["content"].as_array().expect("blocks");
    let link = blocks.last().expect("a block");
    assert_eq!(link["type"], "resource_link", "{} blocks", blocks.len());
    link
}

async fn read(client: Mcp, headers: &[(&str, &str)], uri: &str) -> Value {
    client.with(headers).request("resources/read", json!({"uri": uri})).await
}

/// Reads a resource part by part, as each tells where the next one is, by this way.
async fn read_all(uri: &str, read: impl AsyncFn(String) -> Value) -> Vec<u8> {
    let (mut whole, mut next) = (Vec::new(), Some(uri.to_owned()));
    while let Some(uri) = next {
        let contents = read(uri.clone()).await["contents"].take();
        let part = &contents[0];
        assert_eq!(part["uri"], uri);
        let bytes = match part.get("blob") {
            Some(blob) => BASE64_STANDARD.decode(blob.as_str().expect("text")).expect("base64"),
            None => part["text"].as_str().expect("text").as_bytes().to_vec(),
        };
        assert!(bytes.len() <= 1 << 20);
        whole.extend(bytes);
        next = contents.get(1).map(|more| {
            let uri = more["uri"].as_str().expect("a URI").to_owned();
            assert!(more["text"].as_str().expect("text").contains(&format!("the next part is the resource {uri}]")));
            uri
        });
    }
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_of_a_long_result_is_read_in_parts_by_clients_of_both_eras() {
    let secret = random_text();
    let (host, upstream) = start(&secret, "").await;
    let session = host.mcp().session().await;
    let sent = body(&secret);
    let (before, after) = sent.split_once(&secret).expect("the secret is in it");
    for media_type in ["text/plain", "application/json", "image/png", "application/pdf"] {
        for modern in [true, false] {
            let result = match modern {
                true => host.mcp().request("tools/call", call("fetch", &fetch(media_type))).await,
                false => session.request("tools/call", call("fetch", &fetch(media_type))).await,
            };
            assert_eq!(result["isError"], false);
            let link = link(&result);
            let uri = link["uri"].as_str().expect("a URI");
            assert_eq!(link["mimeType"], media_type);
            let whole = match modern {
                true => read_all(uri, async |uri: String| read(host.mcp(), &[], &uri).await).await,
                false => {
                    read_all(uri, async |uri: String| session.request("resources/read", json!({"uri": uri})).await)
                        .await
                }
            };
            assert_eq!(link["size"], whole.len());
            let text = String::from_utf8(whole).expect("UTF-8");
            assert!(text.starts_with(before) && text.ends_with(after), "{} bytes, and not all of them", text.len());
            assert!(!text.contains(&secret), "what was taken out of the answer stays out");
            // Where the text of the result ends, the part goes on that it names.
            if media_type == "text/plain" {
                let shown = result["content"][0]["text"].as_str().expect("text");
                let (shown, note) = shown.rsplit_once("\n[cut here, after 1048576 bytes; ").expect("a note");
                assert!(text.starts_with(shown) && note.contains(&format!("{uri}?part=2 on;")), "{note}");
            }
        }
    }
    assert!(upstream.requests().iter().all(|it| it.headers["x-secret"] == secret.as_str()), "it was sent");
    for method in ["resources/list", "resources/templates/list"] {
        assert!(!host.mcp().request(method, json!({})).await.to_string().contains("airlock://"), "it is in no list");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_says_at_length_is_kept_as_well() {
    let (host, _upstream) = start("no-secret-of-this-test", "").await;
    let text = host.mcp().request("tools/call", call("giant-reply", &json!({"times": 3}))).await;
    let value = json!({"head": "[\"", "repeat": "0123456789abcdef", "times": 100_000, "tail": "\"]"});
    let value = host.mcp().request("tools/call", call("reply", &value)).await;
    for (result, media_type, size) in [(text, "text/plain", 3 << 20), (value, "application/json", 1_600_004)] {
        assert_eq!(result.get("structuredContent"), None);
        let link = link(&result);
        assert_eq!((&link["mimeType"], &link["size"]), (&json!(media_type), &json!(size)));
        let uri = link["uri"].as_str().expect("a URI");
        assert_eq!(read_all(uri, async |uri: String| read(host.mcp(), &[], &uri).await).await.len(), size);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_promises_a_value_says_why_there_is_none_and_links_to_it() {
    let upstream = Upstream::answering(|_| {
        let users = json!({"data": ["x".repeat(2 << 20)]});
        crate::harness::json_answer(http::StatusCode::OK, &users)
    })
    .await;
    let host = Setup::providers(&upstream, &upstream).start().await;
    let request = call("list-orgusers", &json!({"orgId": "o"}));
    let session: Session = host.mcp().session().await;
    for result in
        [host.mcp().request("tools/call", request.clone()).await, session.request("tools/call", request.clone()).await]
    {
        assert_eq!((&result["isError"], result.get("structuredContent")), (&json!(true), None));
        let explanation = result["content"][0]["text"].as_str().expect("text");
        assert!(
            explanation.starts_with("the call succeeded, but its result can't be given in the form"),
            "{explanation}"
        );
        assert_eq!(link(&result)["mimeType"], "application/json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_result_is_its_callers_alone() {
    let keys = [(); 2].map(|()| random_text());
    let config =
        |name: &str, key: &str| format!("[callers.{name}]\nkey.hash = \"{}\"\nplugins = ['*']\n", KeyHash::of(key));
    let (host, _upstream) =
        start("no-secret-of-this-test", &(config("first", &keys[0]) + &config("second", &keys[1]))).await;
    let result = mcp(&host, &keys[0], "/mcp").request("tools/call", call("giant-reply", &json!({"times": 2}))).await;
    let uri = link(&result)["uri"].as_str().expect("a URI").to_owned();
    let [first, second] = keys.each_ref().map(|key| format!("Bearer {key}"));
    read(host.mcp_at("/mcp/hostile"), &[("authorization", &first)], &uri).await;
    let refused = async |bearer: &str, uri: &str| {
        let client = host.mcp().with(&[("authorization", bearer)]);
        let (code, text) = client.refused("resources/read", json!({"uri": uri})).await;
        assert_eq!(code, -32602, "{text}");
        text.replace(uri, "")
    };
    // The same words about what is another's and about what was never there.
    let nothing = "airlock://result/AAAAAAAAAAAAAAAAAAAAAA";
    let anothers = refused(&second, &uri).await;
    assert_eq!(anothers, refused(&first, nothing).await);
    assert!(anothers.contains("a result is kept for 10 minutes at most"), "{anothers}");
    assert_eq!(anothers, refused(&first, &format!("{uri}?part=3")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_own_resources_are_asked_of_no_plugin() {
    let setup = Setup::default().file("conformance.wasm", fixture::CONFORMANCE).config("[grants.conformance]\n");
    let host = setup.start().await;
    for (uri, said) in [
        ("airlock://result/x", "a result is kept for"),
        ("AIRLOCK://anything", "a result is kept for"),
        ("test://nothing", "list the resources to see their URIs"),
    ] {
        let (_, text) = host.mcp().refused("resources/read", json!({"uri": uri})).await;
        assert!(text.contains(said), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_on_counts_as_calling() {
    let key = random_text();
    let config =
        format!("[callers.slow]\nkey.hash = \"{}\"\nplugins = ['*']\nrequests_per_second = 2\n", KeyHash::of(&key));
    let (host, _upstream) = start("no-secret-of-this-test", &config).await;
    let result = mcp(&host, &key, "/mcp").request("tools/call", call("giant-reply", &json!({"times": 2}))).await;
    let uri = link(&result)["uri"].as_str().expect("a URI").to_owned();
    let mut reading = JoinSet::new();
    for _ in 0..40 {
        let client = mcp(&host, &key, "/mcp");
        let uri = uri.clone();
        reading.spawn(async move { client.answer("resources/read", json!({"uri": uri})).await });
    }
    let late = reading.join_all().await.into_iter().filter(|it| !it["error"].is_null()).collect::<Vec<_>>();
    assert!(!late.is_empty());
    late.iter().for_each(|it| assert_eq!(it["error"]["message"], "you are over your rate of calls; try again in 1 s"));
}
