//! Documents with skills: the catalogue over REST, files over REST and MCP, and two of them in one host.

use std::{fs, io::Read, path::Path};

use flate2::read::DeflateDecoder;
use serde_json::{Value, json};

use crate::{
    cli::Shell,
    harness::{Setup, TestHost},
};

const MAIN: &str = "---\nname: review\ndescription: Reviews users.\n---\nLook at them.\n";

/// A document with the skills of an expose of this namespace.
fn document(namespace: &str) -> String {
    r#"ikanos: 1.0.0-beta5
info: { display: Reviews, description: Reviews users. }
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: https://api.example.com
      resources: { user: { path: /users, operations: { listusers: { method: GET } } } }
  exposes:
    - type: mcp
      namespace: NAMESPACE-mcp
      tools: { listusers: { description: Lists users., call: api.listusers } }
    - type: skill
      namespace: NAMESPACE
      port: 8081
      skills:
        review:
          description: Reviews users.
          license: MIT
          allowed-tools: listusers
          metadata: { author: somebody }
          location: file:///./skills/review
          tools:
            list: { description: Lists., from: { sourceNamespace: NAMESPACE-mcp, action: listusers } }
            how: { description: How., instruction: scripts/how.md }
        plain: { description: Told here alone., user-invocable: false }
"#
    .replace("NAMESPACE", namespace)
}

fn write_files(folder: &Path) {
    fs::create_dir_all(folder.join("skills/review/scripts")).expect("a new folder");
    fs::write(folder.join("skills/review/SKILL.md"), MAIN).expect("a new file");
    fs::write(folder.join("skills/review/scripts/how.md"), "So.\n").expect("a new file");
}

async fn start() -> TestHost {
    let grant = |name: &str| format!("[grants.{name}]\nhosts = [\"https://api.example.com\"]\n");
    let host = Setup::default().config(&format!("{}{}", grant("one"), grant("two"))).start().await;
    write_files(&host.plugins());
    for name in ["one", "two"] {
        host.changed_by(|plugins| fs::write(plugins.join(format!("{name}.yaml")), document(name)).expect("written"))
            .await;
    }
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn skills_are_served_over_rest() {
    let host = start().await;
    assert_eq!(host.serving().await, ["one", "two"]);
    for plugin in ["one", "two"] {
        let catalogue = host.get(&format!("/{plugin}/skills")).await.ok();
        let expected = json!({"count": 2, "skills": [
            {"name": "review", "description": "Reviews users.", "license": "MIT", "tools": ["list", "how"]},
            {"name": "plain", "description": "Told here alone.", "tools": []},
        ]});
        assert_eq!(catalogue, expected);
    }
    let detail = host.get("/one/skills/review").await.ok();
    let expected = json!({
        "name": "review", "description": "Reviews users.", "license": "MIT", "allowed-tools": "listusers",
        "metadata": {"author": "somebody"},
        "tools": [
            {"name": "list", "description": "Lists.", "type": "derived",
                "invocationRef": {"targetNamespace": "one-mcp", "action": "listusers", "mode": "mcp"}},
            {"name": "how", "description": "How.", "type": "instruction", "instruction": "scripts/how.md"},
        ],
    });
    assert_eq!(detail, expected);
    let contents = host.get("/one/skills/review/contents").await.ok();
    let expected = json!({"name": "review", "files": [
        {"path": "SKILL.md", "size": MAIN.len(), "type": "text/markdown"},
        {"path": "scripts/how.md", "size": 4, "type": "text/markdown"},
    ]});
    assert_eq!(contents, expected);
    let file = host.get("/one/skills/review/contents/scripts/how.md").await;
    assert_eq!((file.status, file.header("content-type"), file.text()), (200, "text/markdown", "So.\n"));
    let made = host.get("/one/skills/plain/contents/SKILL.md").await;
    assert_eq!(made.text(), "---\nname: \"plain\"\ndescription: \"Told here alone.\"\nuser-invocable: false\n---\n");
    host.get("/one/skills/review/contents/none.md").await.problem(404, "no-such-route");
    host.get("/skills").await.problem(404, "no-such-route");
    assert_eq!(host.mcp().tools().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_can_be_had_as_an_archive() {
    let host = start().await;
    let archive = host.get("/one/skills/review/download").await;
    assert_eq!(archive.header("content-type"), "application/zip");
    let bytes = archive.body.as_ref().expect("a whole body");
    assert_eq!(unpacked(bytes, "SKILL.md"), MAIN);
    assert_eq!(unpacked(bytes, "scripts/how.md"), "So.\n");
    assert_eq!(host.get("/two/skills/review/download").await.body, archive.body);
}

/// What a file in an archive holds, found by its entry's header (APPNOTE 4.3.7).
fn unpacked(archive: &[u8], name: &str) -> String {
    let entry = archive.windows(4).enumerate().filter(|(_, word)| *word == b"PK\x03\x04").map(|(at, _)| &archive[at..]);
    let length = |entry: &[u8], at: usize| usize::from(u16::from_le_bytes([entry[at], entry[at + 1]]));
    let mut named = entry.filter(|entry| entry[30..].starts_with(name.as_bytes()) && length(entry, 26) == name.len());
    let entry = named.next().unwrap_or_else(|| panic!("no {name}"));
    let mut text = String::new();
    let packed = &entry[30 + length(entry, 26) + length(entry, 28)..];
    DeflateDecoder::new(packed).read_to_string(&mut text).expect("deflated text");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_skill_are_resources() {
    let host = start().await;
    let listed = host.mcp_at("/mcp/one").request("resources/list", json!({})).await["resources"].clone();
    let uris: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|it| it["uri"].as_str()).collect();
    assert_eq!(uris, ["skill://review/SKILL.md", "skill://review/scripts/how.md", "skill://plain/SKILL.md"]);
    assert_eq!((&listed[0]["name"], &listed[0]["description"]), (&json!("review"), &json!("Reviews users.")));
    let read = host.mcp().request("resources/read", json!({"uri": "skill://review/SKILL.md"})).await;
    assert_eq!(read["contents"][0]["text"], MAIN);
    host.changed_by(|plugins| fs::write(plugins.join("skills/review/SKILL.md"), "Anew.").expect("written")).await;
    let served = async |plugin: &str| {
        let client = host.mcp_at(&format!("/mcp/{plugin}"));
        let read = client.request("resources/read", json!({"uri": "skill://review/SKILL.md"})).await;
        read["contents"][0]["text"].clone()
    };
    let both = async || [served("one").await, served("two").await].iter().all(|text| text == "Anew.");
    crate::harness::within_patience("both are loaded anew", async { while !both().await {} }).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_skill_is_told() {
    for (from, to, expected) in [
        ("action: listusers", "action: listuser", "error[AL023]"),
        ("sourceNamespace: s-mcp", "sourceNamespace: s-mpc", "error[AL023]"),
        ("instruction: scripts/how.md", "instruction: scripts/who.md", "error[AL023]"),
        ("skills/review", "skills/nowhere", "error[AL080]"),
        ("skills/review", "skills/review/SKILL.md", "error[AL080]"),
        ("skills/review", "../skills", "error[AL080]"),
        ("        plain:", "        \"a b\":", "error[AL020]"),
    ] {
        let text = document("s");
        assert!(text.contains(from), "{from}");
        let shell = Shell::new().file("s.yaml", text.replacen(from, to, 1));
        write_files(&shell.path(""));
        shell.run(&["check", "s.yaml"]).await.check(1, &[], &[expected]);
    }
    let shell = Shell::new().file("s.yaml", document("s"));
    write_files(&shell.path(""));
    shell.run(&["check", "--strict", "s.yaml"]).await.check(0, &["s.yaml: ok"], &[]);
    let said = shell.run(&["inspect", "--json", "s.yaml"]).await;
    let seen: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(seen["resources"][0]["uri"], "skill://review/SKILL.md");
}
