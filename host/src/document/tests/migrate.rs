//! Old documents in the newest shape.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::document::{Files, Migrated, migrate};

fn migrated(source: &str) -> Migrated {
    migrate(source, &Files::default()).unwrap_or_else(|e| panic!("{e:?}\n{source}"))
}

#[test]
fn every_document_means_the_same_and_is_of_the_newest_shape() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let in_folder = |folder: &Path| -> Vec<PathBuf> {
        let files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect()
    };
    let plugins = ["m3ter-orgusers", "metal-users"].map(|name| root.join("plugins").join(name));
    // The originals are beside the project, where there are any.
    let folders = plugins.into_iter().chain([root.join("tests/cases"), root.join("../shared/specs")]);
    let files: Vec<PathBuf> = folders.flat_map(|folder| in_folder(&folder)).collect();
    assert!(files.len() >= 3);
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let Migrated { text, kept } = migrated(&source);
        assert_eq!(kept, [], "{}", file.display());
        let before = compile(&source, Mode::Tolerant).unwrap();
        let after = compile(&text, Mode::Tolerant).unwrap();
        assert_eq!((before.plan, before.origins), (after.plan, after.origins), "{}", file.display());
        assert!(text.contains("ikanos: 1.0.0-beta5") && !text.contains("- name:"), "{}", file.display());
        assert_eq!(migrated(&text).text, text, "{}: once more changes nothing", file.display());
    }
}

#[test]
fn the_base_document() {
    let Migrated { text, kept } = migrated(BASE);
    let expected = include_str!("migrated.yaml");
    assert_eq!(text, expected);
    assert_eq!(kept, []);
}

#[test]
fn comments_and_layout_stay() {
    let source = r#"# A comment at the start.
naftiko: '1.0.0-alpha2'   # the version
info:
  label: "Users"
capability:
  consumes:
  - namespace: users
    baseUri: https://api.example.com
    resources:
    # Above the first.
    - name: user  # beside a name
      path: /users/{id}

      operations:
      - method: GET
        # Above the name.
        name: get   # the name
        description: |
          Two lines,
            # one of them no comment.
        inputParameters:
        - { in: path, name: id }   # flow
        - {name: 'filter[kind]', in: query}
        - name: last
          in: query
    # Between them.
    - { path: /, operations: [ {name: list, method: GET}, { method: POST, name: add } ] }
  # Above exposes.
  exposes:
  - type: rest
    namespace: rest
    resources:
      - path: /v1/users/{id}
        operations:
          - method: GET
            call: users.get
      - path: /v1/users
        operations:
          - {method: GET, call: users.list}
# The end.
"#;
    let expected = r#"# A comment at the start.
ikanos: '1.0.0-beta5'   # the version
info:
  display: "Users"
capability:
  consumes:
  - namespace: users
    baseUri: https://api.example.com
    resources:
    # Above the first.
      user:  # beside a name
        path: /users/{id}

        operations:
          get:
            method: GET
            # Above the name.
               # the name
            description: |
              Two lines,
                # one of them no comment.
            inputParameters:
              id: { in: path }   # flow
              'filter[kind]': {in: query}
              last:
                in: query
      # Between them.
      users: { path: /, operations: { list: {method: GET}, add: { method: POST } } }
  # Above exposes.
  exposes:
  - type: rest
    namespace: rest
    resources:
      v1-users-id:
        path: /v1/users/{id}
        operations:
          get:
            method: GET
            call: users.get
      v1-users:
        path: /v1/users
        operations:
          list: {method: GET, call: users.list}
# The end.
"#;
    let expected = expected.replace("users: { path: /, ", "root: { path: /, ");
    assert_eq!(migrated(source).text, expected);
}

#[test]
fn what_cannot_be_keyed_stays_a_list() {
    let source = changed(&[("            - name: get-user", "            -\n              name: get-user")]);
    let Migrated { kept, .. } = migrated(&source);
    assert_eq!(kept, [(36, "an item of operations begins below its dash".to_owned())]);
    // A schema needs the name that the parameter would lose.
    let id = "- &id {name: id, in: path, type: object, properties: {name: {type: string}}}";
    let schema = ("method: GET\n", "method: GET\n              outputSchema: {type: object, examples: [*id]}\n");
    let source = changed(&[schema, ("- {name: id, in: path}", id)]);
    let source = move_below(
        &source,
        "              outputSchema: {type: object, examples: [*id]}\n",
        "fields, in: query, type: array}\n",
    );
    let Migrated { kept, .. } = migrated(&source);
    assert!(kept.iter().any(|(_, reason)| reason.contains("is an alias or has some")), "{kept:?}");
}

/// The same text with a line put behind another one.
fn move_below(text: &str, line: &str, other: &str) -> String {
    text.replacen(line, "", 1).replacen(other, &format!("{other}{line}"), 1)
}

#[test]
fn anchors_and_aliases_are_keyed_together() {
    let anchor = ("- {name: id, in: path}", "- &id {name: id, in: path}");
    let alias = ("- {name: body, in: body", "- *id\n                - {name: body, in: body");
    let above = ("            - name: get-user", "            - &get\n              name: get-user");
    let Migrated { text, kept } = migrated(&changed(&[anchor, alias, above]));
    assert_eq!(kept, []);
    assert!(text.contains("                id: &id {in: path}\n"), "{text}");
    assert!(text.contains("                id: *id\n                body: {"), "{text}");
    assert!(text.contains("            get-user: &get\n              method: GET\n"), "{text}");
    let list = (
        "inputParameters:\n                - {name: orgId, in: path, type",
        "inputParameters: &all\n                - {name: orgId, in: path, type",
    );
    let Migrated { text, kept } = migrated(&changed(&[list]));
    assert_eq!(kept, []);
    assert!(text.contains("inputParameters: &all\n                orgId: {in"), "{text}");
}

/// Parts for others: keyed, with lists in them.
const PARTS: &str = "naftiko: 1.0.0-alpha2
consumes:
  # Of others.
  users:
    label: Users
    baseUri: https://api.example.com
    resources:
      - name: user
        path: /users/{id}
        operations:
          - {name: get, method: GET}
  things: {location: ./things.yaml, import: things}
";

#[test]
fn lists_inside_of_keyed_parts_are_keyed_too() {
    let Migrated { text, kept } = migrated(PARTS);
    let expected = PARTS
        .replace("naftiko: 1.0.0-alpha2", "ikanos: 1.0.0-beta5")
        .replace("label", "display")
        .replace("- name: user\n", "user:\n")
        .replace("- {name: get, method", "get: {method")
        .replace("location", "from");
    assert_eq!((text, kept), (expected, vec![]));
}

#[test]
fn what_others_import_gets_no_new_names() {
    let Migrated { text, kept } = migrated(&PARTS.replace("- name: user\n        path", "- path"));
    assert!(text.contains("      - path: /users/{id}\n"), "{text}");
    assert_eq!(kept, [(8, "an item of resources has no name".to_owned())]);
}

#[test]
fn lines_that_end_with_a_carriage_return_alone_are_refused() {
    for source in [BASE, PARTS] {
        let told = migrate(&source.replacen("\n", "\r", 1), &Files::default()).unwrap_err();
        let told: Vec<_> = told.iter().map(|it| (it.code.as_str(), it.line)).collect();
        assert_eq!(told, [("AL007", 1)]);
        assert!(migrate(&source.replace('\n', "\r"), &Files::default()).is_err());
        migrate(&source.replace('\n', "\r\n"), &Files::default()).unwrap_or_else(|e| panic!("{e:?}"));
    }
}

#[test]
fn json_stays_json() {
    let tree = super::super::tree::parse(BASE, &Default::default()).unwrap();
    let Migrated { text, kept } = migrated(&serde_json::to_string_pretty(&tree.to_json()).unwrap());
    assert_eq!(kept, []);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["capability"]["exposes"][1]["tools"]["user-get"]["call"], "users.get");
}

#[test]
fn a_document_with_errors_is_not_migrated() {
    let told = migrate(&changed(&[("method: PUT", "method: PUTT")]), &Files::default()).unwrap_err();
    assert_eq!(told.len(), 1);
}
