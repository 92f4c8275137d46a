//! Documents with resources and prompts: what MCP clients are listed, read and told, and what the upstream is asked for it.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::harness::{Setup, TestHost, Upstream};

const BASE: &str = "http://upstream.test";

const DOCUMENT: &str = r#"ikanos: 1.0.0-beta5
info: { display: Users, description: Reads users. }
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: http://upstream.test
      resources:
        user:
          path: /users/{{id}}
          inputParameters: { id: { in: path, type: integer }, view: { in: query } }
          operations: { getuser: { method: GET } }
  exposes:
    - type: mcp
      namespace: users
      ttlMs: 60000
      cacheScope: public
      tools: { getuser: { description: Gives a user., call: api.getuser } }
      resources:
        profile:
          display: A profile
          description: The profile of a user.
          uri: users://{id}/profile
          mimeType: application/vnd.user+json
          call: api.getuser
          with: { id: mcp.id, view: short }
        first: { display: The first, uri: "users://first", description: The first user., call: api.getuser, with: { id: 1 } }
        greeting:
          display: A greeting
          description: Says hello.
          uri: greetings://{name}
          outputParameters: { greeting: { type: string, value: "Hello {{name}}" } }
        guides: { display: Guides, uri: "docs://guides", description: How to., location: file:///./guides }
        note: { display: A note, uri: "docs://note", description: Bytes., location: file:///./note.md, binary: true }
      prompts:
        greet:
          display: Greet a user
          description: Writes a greeting.
          arguments:
            name: { description: Whom., display: Name }
            tone: { description: How., required: false }
          template:
            - { role: user, content: "Greet {{name}}{{tone}}: {{name}}." }
            - { role: assistant, content: Gladly. }
        review: { display: Review, description: Reviews., arguments: { what: { description: What. } }, location: file:///./review.txt }
"#;

async fn start(upstream: &Upstream) -> TestHost {
    let config = format!("[grants.users]\nhosts = [\"{BASE}\"]\nupstreams.\"{BASE}\" = \"{}\"\n", upstream.url());
    let host = Setup::default().config(&config).start().await;
    let plugins = host.plugins();
    fs::create_dir_all(plugins.join("guides/more")).expect("a new folder");
    for (file, text) in [
        ("guides/start.md", "# Start\n"),
        ("guides/more/logo.png", "\u{89}PNG"),
        ("guides/.hidden", "x"),
        ("note.md", "note"),
        ("review.txt", "Review {{what}}."),
    ] {
        fs::write(plugins.join(file), text).expect("a new file");
    }
    host.changed_by(|plugins| fs::write(plugins.join("users.yaml"), DOCUMENT).expect("a new file")).await;
    host
}

async fn read(host: &TestHost, uri: &str) -> Value {
    host.mcp().request("resources/read", json!({"uri": uri})).await["contents"][0].clone()
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let items = list.as_array().expect("a list").iter();
    items.map(|it| it[key].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_listed_and_read() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    let listed = host.mcp().request("resources/list", json!({})).await;
    assert_eq!(
        names(&listed["resources"], "uri"),
        ["users://first", "docs://guides/more/logo.png", "docs://guides/start.md", "docs://note"]
    );
    assert_eq!((&listed["ttlMs"], &listed["cacheScope"]), (&json!(60000), &json!("public")));
    let start = &listed["resources"][2];
    assert_eq!((&start["mimeType"], &start["size"]), (&json!("text/markdown"), &json!(8)));
    let templates = host.mcp().request("resources/templates/list", json!({})).await["resourceTemplates"].clone();
    assert_eq!(names(&templates, "uriTemplate"), ["users://{id}/profile", "greetings://{name}"]);
    assert_eq!(templates[0]["title"], "A profile");

    let profile = read(&host, "users://7/profile").await;
    assert_eq!(profile["mimeType"], "application/vnd.user+json");
    let echoed: Value = serde_json::from_str(profile["text"].as_str().expect("a text")).expect("JSON");
    assert_eq!(echoed["target"], "/users/7?view=short");
    let first = read(&host, "users://first").await;
    assert!(first["text"].as_str().is_some_and(|text| text.contains("/users/1")), "{first}");
    let greeting = read(&host, "greetings://A%2FB%20%7B%7Bname%7D%7D").await;
    assert_eq!(greeting["text"], r#"{"greeting":"Hello A/B {{name}}"}"#);
    assert_eq!(read(&host, "docs://guides/start.md").await["text"], "# Start\n");
    assert_eq!(read(&host, "docs://note").await["blob"], "bm90ZQ==");
    // None of them is a tool or a route.
    assert_eq!(host.mcp().tools().await.len(), 1);
    let openapi = host.get("/openapi.json").await.ok();
    assert_eq!(openapi["paths"].as_object().map(|paths| paths.len()), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_uri_gives_is_validated() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    for (uri, expected) in [
        ("users://seven/profile", "id: expected an integer"),
        ("users://%zz/profile", "percent-encoded"),
        ("users://7/other", "unknown resource"),
        ("users://7/x/profile", "unknown resource"),
        ("docs://guides/.hidden", "unknown resource"),
        ("docs://guides", "unknown resource"),
    ] {
        let (code, message) = host.mcp().refused("resources/read", json!({"uri": uri})).await;
        assert_eq!(code, -32602, "{uri}: {message}");
        assert!(message.contains(expected), "{uri}: {message}");
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_listed_and_filled_in_once() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    let prompts = host.mcp().request("prompts/list", json!({})).await["prompts"].clone();
    assert_eq!(names(&prompts, "name"), ["greet", "review"]);
    assert_eq!(
        prompts[0]["arguments"][0],
        json!({"name": "name", "title": "Name", "description": "Whom.", "required": true})
    );
    assert_eq!(prompts[0]["arguments"][1]["required"], false);
    let get = async |name: &str, arguments: Value| {
        host.mcp().request("prompts/get", json!({"name": name, "arguments": arguments})).await["messages"].clone()
    };
    let said = get("greet", json!({"name": "{{tone}}"})).await;
    assert_eq!(said[0], json!({"role": "user", "content": {"type": "text", "text": "Greet {{tone}}: {{tone}}."}}));
    assert_eq!(said[1]["role"], "assistant");
    assert_eq!(get("review", json!({"what": "this"})).await[0]["content"]["text"], "Review this.");
    for (arguments, expected) in
        [(json!({}), "name: is required"), (json!({"name": "A", "x": "y"}), "x: is no argument")]
    {
        let (_, message) = host.mcp().refused("prompts/get", json!({"name": "greet", "arguments": arguments})).await;
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_anew_when_they_change() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    // In one step each, so that one change comes of it.
    let save = |plugins: &Path, name: &str, text: &str| {
        let unfinished = plugins.join("guides/.unfinished");
        fs::write(&unfinished, text).and_then(|()| fs::rename(unfinished, plugins.join(name))).expect("saved");
    };
    host.changed_by(|plugins| save(plugins, "guides/start.md", "# Again\n")).await;
    assert_eq!(read(&host, "docs://guides/start.md").await["text"], "# Again\n");
    host.changed_by(|plugins| save(plugins, "guides/more/new.md", "new")).await;
    assert_eq!(read(&host, "docs://guides/more/new.md").await["text"], "new");
    // What can't be served keeps the version before it.
    fs::remove_file(host.plugins().join("review.txt")).expect("removed");
    let status = host.file_when("users.yaml", |it| it.as_ref().is_some_and(|it| it.state == "outdated")).await;
    let error = status.expect("a file").error;
    assert!(error.contains("location can't be served") && error.contains("review.txt"), "{error}");
    assert_eq!(read(&host, "docs://guides/start.md").await["text"], "# Again\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expose_for_known_callers_keeps_its_resources_and_prompts() {
    let upstream = Upstream::echo().await;
    let host = start(&upstream).await;
    let known = DOCUMENT
        .replace("namespace: users\n", "namespace: users\n      authentication: { type: bearer }\n")
        .replace("cacheScope: public", "cacheScope: private");
    host.changed_by(|plugins| fs::write(plugins.join("users.yaml"), known).expect("written")).await;
    for (method, key) in [("resources/list", "resources"), ("prompts/list", "prompts")] {
        assert_eq!(host.mcp().request(method, json!({})).await[key], json!([]), "{method}");
    }
    let (_, message) = host.mcp().refused("resources/read", json!({"uri": "docs://note"})).await;
    assert!(message.contains("unknown resource"), "{message}");
}
