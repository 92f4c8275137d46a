//! `airlock import openapi` and `airlock export openapi`: documents against goldens, against the providers that were written by hand,
//! and in a host.

use std::{collections::BTreeMap, env, fs, path::Path};

use http::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    cli::Shell,
    harness::{M3TER, METAL, Setup, TestHost, Upstream, path, say_skipped},
    originals::check_all,
};

/// Our own descriptions, one of each version.
const OWN: [&str; 3] = ["library-3.0.yaml", "workshop-3.1.json", "harbour-2.0.yaml"];

fn own(name: &str) -> String {
    fs::read_to_string(path("cases/openapi").join(name)).expect("a description")
}

/// What is imported from a description, and what is said on the way.
async fn import(name: &str, text: &str, options: &[&str]) -> (String, String) {
    let shell = Shell::new().file(name, text);
    let said = shell.run(&[&["import", "openapi", name, "-o", "made.yaml"], options].concat()).await;
    said.check(0, &[], &["operations imported"]);
    shell.run(&["check", "--strict", "made.yaml"]).await.check(0, &["made.yaml: ok"], &[]);
    (fs::read_to_string(shell.path("made.yaml")).expect("a document"), said.err)
}

/// Compares with a checked-in text. `AIRLOCK_BLESS=1` writes it instead.
fn check_text(file: &Path, actual: &str) {
    if env::var_os("AIRLOCK_BLESS").is_some() {
        return fs::write(file, actual).expect("goldens can be written");
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    let differs = expected.lines().zip(actual.lines()).find(|(expected, actual)| expected != actual);
    let file = file.display();
    assert!(
        expected == actual,
        "{file} differs, first at {differs:?}; if that is right, run the tests with AIRLOCK_BLESS=1"
    );
}

#[tokio::test]
async fn our_own_descriptions_become_the_documents_of_the_goldens() {
    for name in OWN {
        let (document, notes) = import(name, &own(name), &[]).await;
        let stem = name.rsplit_once('.').expect("an ending").0;
        check_text(&path("cases/openapi").join(format!("{stem}.capability.yaml")), &document);
        check_text(&path("cases/openapi").join(format!("{stem}.notes")), &notes);
    }
}

/// A host with our own descriptions, imported.
async fn host_of_our_own() -> (TestHost, Upstream) {
    let upstream = Upstream::echo().await;
    let to = upstream.url();
    let mut setup = Setup::default().secret("SECRET", "granted");
    for (name, plugin, origins, secrets) in [
        (
            OWN[0],
            "library",
            &["https://main.library.example", "https://loans.library.example"][..],
            &["CITY_LIBRARY_API_KEY"][..],
        ),
        (OWN[1], "workshop", &["https://workshop.example"], &["WORKSHOP_TOKEN"]),
        (OWN[2], "harbour", &["https://harbour.example"], &["HARBOUR_OFFICE_API_KEY"]),
    ] {
        let (document, _) = import(name, &own(name), &[]).await;
        let quoted: Vec<String> = origins.iter().map(|it| format!("{it:?}")).collect();
        let mut grant = format!("[grants.{plugin}]\nhosts = [{}]\n", quoted.join(", "));
        origins.iter().for_each(|it| grant.push_str(&format!("upstreams.{it:?} = {to:?}\n")));
        secrets.iter().for_each(|it| grant.push_str(&format!("secrets.{it} = {{ file = \"secrets/SECRET\" }}\n")));
        setup = setup.file(&format!("{plugin}.yaml"), document).config(&grant);
    }
    let host = setup.start().await;
    for plugin in ["library", "workshop", "harbour"] {
        let status = host.file(&format!("{plugin}.yaml")).await.expect("a file");
        assert_eq!(status.state, "loaded", "{plugin}: {status:?}");
    }
    (host, upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_operations_make_the_requests_that_their_descriptions_say() {
    let (host, upstream) = host_of_our_own().await;
    for (plugin, tool, arguments, rest, expected) in [
        (
            "library",
            "list-titles",
            json!({
                "genre": ["novel", "essay"], "authors": ["a b", "c,d"], "shelf": [1, 2], "published_after": "2020-01-31",
                "filter": {"language": "de"}, "page": 2, "X-Trace": "t-1", "lang": "de",
            }),
            None,
            "GET /api/v2/titles?genre=novel,essay&authors=a%20b&authors=c%2Cd&shelf=1%7C2&published%5Bafter%5D=2020-01-31&filter%5Blanguage%5D=de&page=2\n\
             cookie: lang=de\nx-desk-key: granted\nx-trace: t-1",
        ),
        (
            "library",
            "add-title",
            json!({"body": {"name": "Dune", "year": 1965}}),
            Some(("POST", "/city-library/titles", json!({"name": "Dune", "year": 1965}))),
            "POST /api/v2/titles\ncontent-type: application/json\nx-desk-key: granted\n\n{\"name\":\"Dune\",\"year\":1965}",
        ),
        (
            "library",
            "get-cover",
            json!({"titleId": 7, "format": "png"}),
            Some(("GET", "/city-library/titles/7/cover/png", Value::Null)),
            "GET /api/v2/titles/7/cover.png\nx-desk-key: granted",
        ),
        (
            "library",
            "lend",
            json!({"body": {"copy": "c", "reader": "r"}}),
            Some(("POST", "/city-library/loans", json!({"copy": "c", "reader": "r"}))),
            "POST /loans\ncontent-type: application/json\nx-desk-key: granted\n\n{\"copy\":\"c\",\"reader\":\"r\"}",
        ),
        (
            "workshop",
            "create-job-2",
            json!({"id": "9b2ca0d4-31a0-4d6c-9ad5-6c1d0f3a2b11", "body": true, "body-2": {"note": null}}),
            Some(("PATCH", "/workshop/jobs/9b2ca0d4-31a0-4d6c-9ad5-6c1d0f3a2b11?body=true", json!({"note": null}))),
            "PATCH /jobs/9b2ca0d4-31a0-4d6c-9ad5-6c1d0f3a2b11?body=true\nauthorization: Bearer granted\n\
             content-type: application/json\n\n{\"note\":null}",
        ),
        (
            "workshop",
            "create-job",
            json!({"body": {"kind": "drill", "holes": 2}}),
            Some(("POST", "/workshop/jobs", json!({"kind": "drill", "holes": 2}))),
            "POST /jobs\nauthorization: Bearer granted\ncontent-type: application/json\n\n{\"kind\":\"drill\",\"holes\":2}",
        ),
        (
            "harbour",
            "ships-list",
            json!({"flags": ["de", "nl"], "berth": [1, 2], "cargo": ["oil", "tea"], "size": "1"}),
            Some(("GET", "/harbour-office/ships?flags=de,nl&berth=1&berth=2&cargo=oil&cargo=tea&size=1", Value::Null)),
            "GET /office/ships?flags=de,nl&berth=1&berth=2&cargo=oil%7Ctea&size=1&api_key=granted",
        ),
    ] {
        // The echo isn't what each operation promises; here it matters what was asked.
        host.mcp_at(&format!("/mcp/{plugin}")).call(tool, arguments.clone()).await;
        assert_eq!(upstream.texts(), [expected], "{tool} over MCP");
        if let Some((method, path, body)) = rest {
            host.rest().send(method, path, Some(&body).filter(|it| !it.is_null())).await.ok();
            assert_eq!(upstream.texts(), [expected], "{tool} over REST");
        }
    }
    host.post("/workshop/jobs", &json!({"kind": "drill"})).await.problem(400, "invalid-input");
    host.post("/city-library/titles", &json!({"name": "Dune", "year": 1000})).await.problem(400, "invalid-input");
    assert_eq!(upstream.texts(), [""; 0]);
}

/// The descriptions of the two providers' APIs are not a part of this repository; in the place where it is made they lie beside it.
fn of_provider(provider: &str) -> Option<String> {
    fs::read_to_string(path("../../shared/openapi").join(format!("{provider}.openapi.yaml"))).ok()
}

/// Each consumed operation by method and address: its parameters with place, style and whether they are required.
fn operations(document: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let document: Value = serde_saphyr::from_str(document).expect("YAML");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut found = BTreeMap::new();
    for api in list(&document["capability"]["consumes"]) {
        let base = api["baseUri"].as_str().expect("an address").to_owned();
        for resource in list(&api["resources"]) {
            for operation in list(&resource["operations"]) {
                let parameters = list(&operation["inputParameters"]).into_iter().map(|it| {
                    let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
                    let required = it["required"] == true || it["in"] == "path";
                    let explode = it["explode"] != false;
                    let what = format!("{} {} {} {required} {explode}", text("in"), text("type"), text("style"));
                    (text("name"), what)
                });
                let at = format!(
                    "{} {base}{}",
                    operation["method"].as_str().expect("a method"),
                    resource["path"].as_str().expect("a path")
                );
                found.insert(at, parameters.collect());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_descriptions_become_documents_with_the_operations_of_the_providers() {
    for (provider, by_hand, credential) in [
        ("m3ter-orgusers", M3TER, json!({"type": "bearer", "token": "{{env.ORGUSERS_TOKEN}}"})),
        (
            "metal-users",
            METAL,
            json!({"type": "apikey", "key": "X-Auth-Token", "value": "{{env.USERS_API_KEY}}", "placement": "header"}),
        ),
    ] {
        let Some(description) = of_provider(provider) else {
            return say_skipped("the descriptions of the providers' APIs aren't beside this repository");
        };
        let namespace = provider.split_once('-').expect("two words").1;
        let (document, _) = import("description.yaml", &description, &["--namespace", namespace]).await;
        let mut expected = operations(by_hand);
        if provider == "m3ter-orgusers" {
            // The provider's reference has this parameter, its description doesn't.
            let groups = expected.get_mut("GET https://api.m3ter.com/organizations/{orgId}/users/{id}/usergroups");
            assert!(groups.expect("an operation").remove("inherited").is_some());
        }
        assert_eq!(operations(&document), expected, "{provider}");
        let read: Value = serde_saphyr::from_str(&document).expect("YAML");
        assert_eq!(read["capability"]["consumes"][0]["authentication"], credential);
        assert_eq!(check_all(vec![(provider.to_owned(), document)]).await, 2 * 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_is_fetched_from_its_address_and_nothing_else_is() {
    let description = "openapi: 3.0.0\ninfo: {title: Far}\nservers: [{url: ../v1}]\npaths:\n  /x:\n    get: {parameters: [{$ref: 'https://elsewhere.example/p.yaml'}]}\n";
    let upstream = Upstream::answering(move |seen| {
        let answer = Response::builder();
        match seen.target.as_str() {
            "/docs/openapi.yaml" => answer.body(description.into()),
            "/moved" => answer.status(StatusCode::FOUND).header(header::LOCATION, "/docs/openapi.yaml").body("".into()),
            "/large" => answer.body(vec![b' '; (16 << 20) + 1].into()),
            _ => answer.status(StatusCode::NOT_FOUND).body("".into()),
        }
        .expect("an answer")
    })
    .await;
    let shell = Shell::new();
    let at = |path: &str| format!("{}{path}", upstream.url());
    let said = shell.run(&["import", "openapi", &at("/docs/openapi.yaml?token=hidden")]).await;
    said.check(1, &[], &["answered with status 404"]);
    let said = shell.run(&["import", "openapi", &at("/docs/openapi.yaml")]).await;
    let base = format!("baseUri: {}", at("/v1"));
    said.check(
        0,
        &["# Imported from http://127.0.0.1:", &base, "path: /far/x"],
        &["isn't followed: https://elsewhere.example/p.yaml"],
    );
    shell.run(&["import", "openapi", &at("/moved")]).await.check(
        1,
        &[],
        &["leads on to /docs/openapi.yaml, which isn't followed"],
    );
    shell.run(&["import", "openapi", &at("/large")]).await.check(
        1,
        &[],
        &["length limit exceeded", "expected at most 16777216 bytes"],
    );
    let asked = ["/docs/openapi.yaml?token=hidden", "/docs/openapi.yaml", "/moved", "/large"];
    let seen: Vec<String> = upstream.requests().into_iter().map(|it| it.target).collect();
    assert_eq!(seen, asked);
    shell.run(&["import", "openapi", &Upstream::nowhere().url()]).await.check(1, &[], &["error"]);
    shell.run(&["import", "openapi", "file:///etc/passwd"]).await.check(
        2,
        &[],
        &["expected a file, or an address with http or https"],
    );
}

#[tokio::test]
async fn what_cannot_be_imported_says_why_and_where() {
    let shell = Shell::new()
        .file("broken.yaml", "openapi: 3.0.0\npaths: [\n")
        .file("broken.json", "{\n  \"openapi\": [}")
        .file("notes.txt", "hello")
        .file("capability.yaml", M3TER)
        .file("binary.yaml", [0xff, 0xfe, 0x00])
        .file("library.yaml", own(OWN[0]));
    for (arguments, code, said) in [
        (&["broken.yaml"][..], 1, "broken.yaml:2:8: neither YAML nor JSON"),
        (&["broken.json"], 1, "broken.json:2:15: neither YAML nor JSON"),
        (&["notes.txt"], 1, "notes.txt: not an OpenAPI description: it isn't a mapping; expected `openapi: 3.0.x`"),
        (&["capability.yaml"], 1, "it is a capability document already"),
        (&["binary.yaml"], 1, "binary.yaml: not UTF-8 text"),
        (&["none.yaml"], 1, "none.yaml: No such file"),
        (&["library.yaml", "--tag", "title"], 1, "no tag title; there are: titles, loans"),
        (&["library.yaml", "--namespace", "docs"], 1, "namespace can't be used: \"docs\""),
        (&["library.yaml", "--server", "ftp://x"], 1, "give it with --server https://host/prefix"),
        (&[], 2, "<FILE|URL>"),
    ] {
        let said_by = shell.run(&[&["import", "openapi"], arguments].concat()).await;
        said_by.check(code, &[], &[said]);
        assert_eq!(said_by.out, "");
    }
    shell.run(&["import", "openapi", "--help"]).await.check(0, &["Examples:", "--tag <TAG>", "--path <GLOB>"], &[]);
    let said = shell.run(&["import", "openapi", "library.yaml", "--path", "/loans"]).await;
    said.check(0, &["call: city-library.lend", "baseUri: https://loans.library.example"], &["1 operations imported"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_what_a_host_serves() {
    let upstream = Upstream::echo().await;
    let host = Setup::providers(&upstream, &upstream).start().await;
    let served = host.get("/openapi/m3ter-orgusers.json").await.ok();
    let shell = Shell::new().file("m3ter-orgusers.yaml", M3TER);
    let said = shell.run(&["export", "openapi", "m3ter-orgusers.yaml"]).await;
    said.check(0, &[], &[]);
    assert_eq!(serde_json::from_str::<Value>(&said.out).expect("JSON"), served);
    shell.run(&["build", "m3ter-orgusers.yaml"]).await.check(0, &[], &[]);
    shell.run(&["export", "openapi", "m3ter-orgusers.wasm", "-o", "made.json"]).await.check(0, &[], &[]);
    let written = fs::read_to_string(shell.path("made.json")).expect("a file");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), served);
    shell.run(&["export", "openapi", "none.yaml"]).await.check(1, &[], &["none.yaml"]);
    // The way back: what is exported can be imported.
    let said = shell.run(&["import", "openapi", "made.json", "--server", "http://127.0.0.1:8080"]).await;
    said.check(0, &["baseUri: http://127.0.0.1:8080"], &["7 operations imported"]);
}
