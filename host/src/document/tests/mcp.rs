//! Resources and prompts: what a document must say of them, and what they become.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::{Code, Files, Located, MAX_LOCATED_BYTES, compile_with, migrate, wanted};
use super::{Compiled, Mode};
use crate::contract::{Contents, Freshness, Piece, Resource};
use crate::document::plan::Action;

const DOCUMENT: &str = r#"ikanos: 1.0.0-beta5
info: { display: Users, description: Reads users. }
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: https://api.example.com
      resources:
        user:
          path: /users/{{userId}}
          inputParameters: { view: { in: query } }
          operations: { getuser: { method: GET } }
        photo: { path: /photo, operations: { getphoto: { method: GET, outputRawFormat: binary } } }
  exposes:
    - type: mcp
      namespace: users
      ttlMs: 1000
      cacheScope: public
      tools: { getuser: { description: Gives a user., call: api.getuser } }
      resources:
        user: { display: A user, description: One., uri: "users://{userid}", call: api.getuser, with: { userId: mcp.userId } }
        photo: { display: A photo, description: One., uri: "photos://one", call: api.getphoto, binary: true }
        guides: { display: Guides, description: All., uri: "docs://guides/", location: file:///./guides }
      prompts:
        greet:
          display: Greet
          description: Greets.
          arguments: { name: { description: Whom. }, tone: { description: How., required: false } }
          template: [ { role: user, content: "Greet {{ name }}." } ]
"#;

fn files() -> Files {
    let guides = BTreeMap::from([("a.md".to_owned(), "A".into()), ("b/c.bin".to_owned(), vec![0xff].into())]);
    let located = [
        ("guides", Ok(Located::Folder(guides))),
        ("guide.md", Ok(Located::File("Use {{name}}.".into()))),
        ("bytes", Ok(Located::File(vec![0xff].into()))),
        ("gone", Err("No such file".to_owned())),
    ];
    Files { located: located.map(|(path, found)| (path.to_owned(), found)).into(), ..Files::default() }
}

fn compiled(source: &str) -> Compiled {
    compile_with(source, &files(), Mode::Strict).unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn reading_is_a_call_of_an_operation() {
    let plan = compiled(DOCUMENT).plan;
    let user = &plan.facts.resources[0];
    // The variable is named as the input.
    assert_eq!(user.uri.to_text(), "users://{userId}");
    let index = plan.description.operations.iter().position(|it| it.name == user.operation).expect("its operation");
    let operation = &plan.description.operations[index];
    assert_eq!((&operation.route, &operation.tool), (&None, &None));
    assert!(operation.effects.read_only);
    assert_eq!(operation.input_schema["required"], json!(["userId"]));
    assert!(matches!(plan.actions[index], Action::Call(_)));
    assert!(plan.facts.one_request.contains(&operation.name));
    assert_eq!(plan.facts.freshness, Freshness { ttl_ms: 1000, public: true });
}

#[test]
fn files_are_in_the_plan() {
    let plan = compiled(DOCUMENT).plan;
    let found: Vec<_> =
        plan.facts.resources[2..].iter().map(|it| (it.uri.to_text(), it.name.as_str(), it.size)).collect();
    let expected = [
        ("docs://guides/a.md".to_owned(), "guides/a.md", Some(1)),
        ("docs://guides/b/c.bin".to_owned(), "guides/b/c.bin", Some(1)),
    ];
    assert_eq!(found, expected);
    let constants = plan.actions.iter().filter_map(|action| match action {
        Action::Constant(Resource { media_type, contents, .. }) => Some((media_type.as_deref(), contents)),
        _ => None,
    });
    let expected = [
        (Some("text/markdown"), &Contents::Text("A".to_owned())),
        (Some("application/octet-stream"), &Contents::Binary(vec![0xff].into())),
    ];
    assert_eq!(constants.collect::<Vec<_>>(), expected);
    assert_eq!(wanted(DOCUMENT).located, ["guides"]);
}

#[test]
fn prompts_are_in_the_plan() {
    let plan = compiled(
        &DOCUMENT.replace("template: [ { role: user, content: \"Greet {{ name }}.\" } ]", "location: guide.md"),
    )
    .plan;
    let prompt = &plan.facts.prompts[0];
    let required: Vec<_> = prompt.prompt.parameters.iter().map(|it| (it.name.as_str(), it.required)).collect();
    assert_eq!(required, [("name", true), ("tone", false)]);
    let text = |text: &str| Piece::Text(text.to_owned());
    assert_eq!(prompt.messages[0].text, [text("Use "), Piece::Variable("name".to_owned()), text(".")]);
}

#[test]
fn what_is_wrong_is_told() {
    let mcp = "capability.exposes[0]";
    for (from, to, expected) in [
        ("users://{userid}", "users://{other}", vec!["AL081 @.resources.user.uri"]),
        ("users://{userid}", "users://one", vec!["AL081 @.resources.user.uri"]),
        ("users://{userid}", "users", vec!["AL081 @.resources.user.uri"]),
        ("photos://one", "users://{x}", vec!["AL021 @.resources.photo.uri", "AL081 @.resources.photo.uri"]),
        ("docs://guides/", "docs://{x}", vec!["AL081 @.resources.guides.uri"]),
        ("./guides", "./nowhere", vec!["AL080 @.resources.guides.location"]),
        ("file:///./guides", "file:///./gone", vec!["AL080 @.resources.guides.location"]),
        ("file:///./guides", "file:///guides", vec!["AL080 @.resources.guides.location"]),
        ("location: file", "call: api.getphoto, location: file", vec!["AL007 @.resources.guides.call"]),
        (
            "call: api.getphoto",
            "outputParameters: [{type: string, value: x}]",
            vec!["AL007 @.resources.photo.outputParameters"],
        ),
        ("binary: true", "mimeType: png", vec!["AL007 @.resources.photo.mimeType"]),
        ("role: user", "role: usr", vec!["AL007 @.prompts.greet.template[0].role"]),
        ("{{ name }}", "{{ nmae }}", vec!["AL082 @.prompts.greet.template[0].content"]),
        (
            "template: [ { role: user, content: \"Greet {{ name }}.\" } ]",
            "location: bytes",
            vec!["AL080 @.prompts.greet.location"],
        ),
        ("template: [", "location: guide.md\n          template: [", vec!["AL007 @.prompts.greet.location"]),
        ("          template: [ { role: user, content: \"Greet {{ name }}.\" } ]", "", vec!["AL005 @.prompts.greet"]),
        ("ttlMs: 1000", "ttlMs: -1", vec!["AL007 @.ttlMs"]),
        ("ttlMs: 1000", "ttlMs: 86400001", vec!["AL007 @.ttlMs"]),
        ("ttlMs: 1000", "ttlMs: soon", vec!["AL006 @.ttlMs"]),
        ("cacheScope: public", "cacheScope: publik", vec!["AL007 @.cacheScope"]),
        ("ttlMs: 1000", "authentication: { type: bearer }", vec!["AL007 @.cacheScope"]),
    ] {
        assert!(DOCUMENT.contains(from), "{from}");
        let told = match compile_with(&DOCUMENT.replacen(from, to, 1), &files(), Mode::Tolerant) {
            Ok(compiled) => compiled.warnings,
            Err(found) => found,
        };
        let told: Vec<_> = told.iter().map(|it| format!("{} {}", it.code, it.path).replace(mcp, "@")).collect();
        assert_eq!(told, expected, "{to}");
    }
}

#[test]
fn what_is_imported_has_no_files() {
    let (before, exposes) = DOCUMENT.split_once("  exposes:\n").expect("exposes");
    let shared =
        format!("ikanos: 1.0.0-beta5\nexposes:\n{}", exposes.replace("\n  ", "\n").replacen("    -", "  -", 1));
    let source = format!("{before}  exposes: [{{from: shared.yaml, import: users}}]\n");
    let files = Files { imported: [("shared.yaml".to_owned(), Ok(shared))].into(), ..files() };
    let told = compile_with(&source, &files, Mode::Strict).expect_err("a location in another file");
    assert!(told.iter().all(|it| it.code == Code::Location), "{told:?}");
}

#[test]
fn what_is_served_as_it_is_is_bounded_as_often_as_it_is_named() {
    let large = vec![b'x'; MAX_LOCATED_BYTES / 2 + 1];
    let mut files = files();
    files.located.insert("large".to_owned(), Ok(Located::File(large.into())));
    let named =
        |uri: &str| format!("{{ display: Large, description: Large., uri: '{uri}', location: file:///./large }}");
    let source = |more: &str| {
        DOCUMENT.replacen("      prompts:", &format!("        large: {}\n{more}      prompts:", named("docs://1")), 1)
    };
    assert!(compile_with(&source(""), &files, Mode::Strict).is_ok());
    let told =
        compile_with(&source(&format!("        again: {}\n", named("docs://2"))), &files, Mode::Strict).unwrap_err();
    assert_eq!(told.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::Limit]);
}

#[test]
fn migrating_carries_everything_over() {
    const OLD: &str = r#"naftiko: 1.0.0-alpha2
info: { label: Users, description: Reads users. }
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: https://api.example.com
      resources: [ { name: user, path: "/users/{id}", operations: [ { name: getuser, method: GET } ] } ]
  exposes:
    - type: mcp
      namespace: users
      tools:
        - { name: getuser, description: Gives a user., call: api.getuser }
      resources:
        - name: user
          label: A user
          description: One.
          uri: users://{id}
          call: api.getuser
        - { name: guides, label: Guides, description: All., uri: "docs://guides", location: file:///./guides }
      prompts:
        - name: greet
          label: Greet
          description: Greets.
          arguments:
            - { name: name, label: Name, description: Whom. }
          template: [ { role: user, content: "Greet {{name}}." } ]
    - type: skill
      namespace: skills
      port: 8080
      skills:
        - name: plain
          description: Plain.
          tools:
            - name: get
              description: Gets.
              from: { sourceNamespace: users, action: getuser }
"#;
    let meant = compiled(OLD).plan;
    let migrated = migrate(OLD, &files()).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(migrated.kept.is_empty(), "{:?}", migrated.kept);
    for written in ["display: Greet", "greet:\n", "plain:\n", "get:\n", "display: Name"] {
        assert!(migrated.text.contains(written), "{written}:\n{}", migrated.text);
    }
    assert_eq!(compiled(&migrated.text).plan, meant);
}
