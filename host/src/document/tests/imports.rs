//! Imports from other files.

use super::*;
use crate::document::plan::{PathPart, Value};
use crate::document::{Code, Files, compile_with, is_shared, wanted};

/// What the base document consumes, in a file of its own, with a bind.
const SHARED: &str = r#"ikanos: 1.0.0-beta5
binds:
  - {namespace: env, keys: {API_KEY: UPSTREAM_KEY}}
consumes:
  - namespace: people
    baseUri: https://api.example.com/v1
    authentication: {type: bearer, token: "{{env.API_KEY}}"}
    resources:
      user:
        path: /orgs/{orgId}/users/{id}
        operations:
          get:
            method: GET
            inputParameters: {orgId: {in: path}, id: {in: path}}
  - {from: ./third.yaml, import: other}
  - {from: ./third.yaml, import: more, namespace: named}
exposes:
  - {type: rest, namespace: api, resources: {r: {path: /r, operations: {get-r: {method: GET, call: users.get}}}}}
"#;

/// A document that takes everything from there; `@` is more of the import.
fn importing(import: &str) -> String {
    format!(
        "naftiko: 1.0.0-alpha2\ninfo: {{label: Users}}\nbinds:\n  - {{from: shared.yaml, import: env}}\ncapability:\n  consumes:\n    - {{{import}}}\n  \
         exposes:\n    - type: mcp\n      namespace: m\n      tools: [{{name: get, call: users.get}}]\n"
    )
}

fn with(source: &str, shared: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let files = Files::from([("shared.yaml".to_owned(), Ok(shared.to_owned()))]);
    compile_with(source, &files, Mode::Strict)
}

/// The diagnostics in short, each with its file.
fn problems(source: &str, shared: &str) -> Vec<String> {
    let told = match with(source, shared) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    told.iter().map(|it| format!("{} {}", it.file.as_deref().unwrap_or("-"), short(it))).collect()
}

#[test]
fn an_import_is_what_it_stands_for() {
    for import in [
        "from: ./shared.yaml, import: people, as: users",
        "location: 'file:///./shared.yaml', import: people, as: users, description: d",
    ] {
        let compiled = with(&importing(import), SHARED).unwrap_or_else(|e| panic!("{e:?}"));
        let (_, request) = find(&compiled.plan, "get");
        assert_eq!(request.authority, "api.example.com");
        assert_eq!(compiled.plan.description.upstreams[0].credentials[0].value, "Bearer {{API_KEY}}");
        assert_eq!(compiled.origins[0].0, "API_KEY");
    }
    let keyed = importing("x").replace("    - {x}\n", "    users: {from: shared.yaml, import: people}\n");
    with(&keyed, SHARED).unwrap_or_else(|e| panic!("{e:?}"));
    let exposes = importing("from: shared.yaml, import: people, as: users")
        .replace("    - type: mcp", "    - {from: shared.yaml, import: api}\n    - type: mcp");
    let compiled = with(&exposes, SHARED).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(compiled.plan.description.operations[0].name, "get-r");
    assert_eq!(wanted(&exposes).imported, ["shared.yaml"]);
}

#[test]
fn a_file_that_is_none_of_parts_is_told_in_one_line_without_its_text() {
    let source = importing("from: shared.yaml, import: people, as: users");
    for other in
        ["{hunter2: hunter2}", "hunter2", "- hunter2", "naftiko:\nhunter2: 1\nhunter2: 2", "consumes: [{hunter2: 1}]"]
    {
        let told = with(&source, other).unwrap_err();
        let short: Vec<_> = told.iter().map(|it| (it.code.as_str(), it.line, it.file.as_deref())).collect();
        // Both of its imports stand for nothing.
        assert!(short.contains(&("AL050", 4, None)) && short.iter().all(|it| it.2.is_none()), "{other}: {told:?}");
        assert!(told.iter().all(|it| !format!("{it:?}").contains("hunter2")), "{other}: {told:?}");
        assert_eq!(told.iter().filter(|it| it.message.contains("no file of parts")).count(), 1, "{other}: {told:?}");
    }
}

#[test]
fn nothing_is_told_of_a_text_that_cannot_be_read() {
    let source = importing("from: shared.yaml, import: people, as: users");
    for other in [
        "password: \"hunter2",
        "password: hunter2: hunter2",
        "hunter2\n- hunter2",
        "{password: hunter2",
        "password: *hunter2",
        "password: !hunter2 hunter2: [",
        "? [hunter2]\n: x",
        "? {hunter2: hunter2}\n: x",
        "password: %hunter2\n%hunter2",
        "password: .inf hunter2]",
        "a: !!int hunter2",
        "a: !!binary hunter2",
        "a: !!float hunter2",
        "a: !!bool hunter2",
        "!!int hunter2: 1",
        "hunter2: .inf",
        "a: .inf",
        "\"\\hunter2\"",
        "<<: hunter2",
        "a: &hunter2 [*hunter2]",
        "-----BEGIN KEY-----\nhunter2: \nhunter2\n-----END KEY-----",
        "--- a\n--- hunter2",
    ] {
        let told = with(&source, other).unwrap_err();
        let shown = |it: &Diagnostic| format!("{it:?}{}", it.render("shared.yaml", other));
        assert!(told.iter().all(|it| !shown(it).contains("hunter2")), "{other}: {told:?}");
    }
}

#[test]
fn flows_refer_to_their_own_inputs_under_another_name_too() {
    let flow = "aggregates:\n  - {namespace: own, flows: [{name: f, inputParameters: [{name: id, type: string}], call: users.get, with: \
                {orgId: own.id, id: alias.id}}]}\n";
    let shared = SHARED.replacen("exposes:", &format!("{flow}exposes:"), 1);
    let source = importing("from: shared.yaml, import: people, as: users")
        .replacen("binds:", "aggregates:\n  - {from: shared.yaml, import: own, as: alias}\nbinds:", 1)
        .replace("[{name: get, call: users.get}]", "[{name: get, ref: alias.f}]");
    let compiled = with(&source, &shared).unwrap_or_else(|e| panic!("{e:?}"));
    let (_, request) = find(&compiled.plan, "get");
    let values: Vec<_> = request.path.iter().filter(|part| matches!(part, PathPart::Value(_))).collect();
    let input = PathPart::Value(Value::Input("id".to_owned()));
    assert_eq!(values, [&input, &input]);
}

#[test]
fn what_refers_to_its_own_inputs_still_does_under_another_name() {
    let source = importing("from: shared.yaml, import: people, as: users")
        .replace("    - type: mcp", "    - {from: shared.yaml, import: api, as: other}\n    - type: mcp");
    let shared = SHARED
        .replace("/r, operations", "'/r/{id}', operations")
        .replace("call: users.get}", "call: users.get, with: {orgId: api.id, id: apis.id}}");
    let compiled = with(&source, &shared).unwrap_or_else(|e| panic!("{e:?}"));
    let (_, request) = find(&compiled.plan, "get-r");
    let values: Vec<_> = request.path.iter().filter(|part| matches!(part, PathPart::Value(_))).collect();
    let (input, constant) = (Value::Input("id".to_owned()), Value::Constant("apis.id".into()));
    assert_eq!(values, [&PathPart::Value(input), &PathPart::Value(constant)]);
}

#[test]
fn several_apis_are_called_by_their_namespaces() {
    let both = importing("from: shared.yaml, import: people, as: users}\n    - {from: shared.yaml, import: people")
        .replace("[{name: get,", "[{name: other, call: people.get}, {name: get,");
    let compiled = with(&both, SHARED).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(compiled.plan.description.upstreams.len(), 2);
    let twice =
        importing("from: shared.yaml, import: people, as: users}\n    - {from: shared.yaml, import: people, as: users");
    let [told] = with(&twice, SHARED).unwrap_err().try_into().unwrap();
    assert_eq!(told.message, "namespace `users` stands twice, in lines 7 and 8");
    let mixed = importing(
        "from: shared.yaml, import: people}\n    - {namespace: people, baseUri: https://a.example, resources: []",
    );
    let told = with(&mixed, SHARED).unwrap_err();
    let told = told.iter().find(|it| it.message.contains("stands twice")).unwrap();
    assert_eq!(told.message, "namespace `people` stands twice, in line 5 of shared.yaml and line 8");
}

#[test]
fn imports_that_cannot_be_followed() {
    let at = |column: usize, code: &str| format!("- error {code} 7:{column} capability.consumes[0]");
    for (import, expected) in [
        ("from: ../shared.yaml, import: people", at(14, "AL050") + ".from"),
        ("from: /etc/shared.yaml, import: people", at(14, "AL050") + ".from"),
        ("from: 'https://a.example/s.yaml', import: people", at(14, "AL050") + ".from"),
        ("from: none.yaml, import: people", at(14, "AL050") + ".from"),
        ("from: shared.yaml, import: poeple", at(35, "AL023") + ".import"),
        ("from: shared.yaml, import: api", at(35, "AL023") + ".import"),
        ("from: shared.yaml, import: other", at(35, "AL050") + ".import"),
        ("from: shared.yaml, import: named", at(35, "AL050") + ".import"),
        ("from: shared.yaml", at(7, "AL005")),
        ("import: people", at(7, "AL005")),
        ("from: shared.yaml, import: people, to: users", at(43, "AL004") + ".to"),
    ] {
        let told = problems(&importing(import), SHARED);
        assert!(told.contains(&expected), "{import}: {told:?}");
    }
    let hint = with(&importing("from: shared.yaml, import: poeple"), SHARED).unwrap_err()[0].hint.clone();
    assert_eq!(hint.as_deref(), Some("did you mean `people`?"));
}

#[test]
fn what_is_wrong_in_the_other_file_is_told_with_its_name() {
    let source = importing("from: shared.yaml, import: people, as: users");
    for (from, to, expected) in [
        (
            "method: GET",
            "method: FETCH",
            "shared.yaml error AL007 13:21 consumes[0].resources.user.operations.get.method",
        ),
        ("https://api", "ftp://api", "shared.yaml error AL031 6:14 consumes[0].baseUri"),
        ("{{env.API_KEY}}", "{{env.API_KEYS}}", "shared.yaml error AL040 7:43 consumes[0].authentication.token"),
        ("1.0.0-beta5", "7.0.0", "shared.yaml error AL008 1:9 ikanos"),
        ("exposes:", "exposes: [", "shared.yaml error AL001 18:"),
    ] {
        let told = problems(&source, &SHARED.replacen(from, to, 1));
        assert!(told.iter().any(|it| it.starts_with(expected)), "{to}: {told:?}");
    }
}

#[test]
fn imports_are_bounded() {
    let entry = "    - {from: shared.yaml, import: people}\n";
    let resource = "      {p: {in: path, description: x}},\n".repeat(1_500);
    let large =
        SHARED.replacen("    resources:\n", &format!("    inputParameters: [\n{resource}      ]\n    resources:\n"), 1);
    let many = importing("from: shared.yaml, import: people").replacen(
        "  exposes",
        &format!("{}  exposes", entry.repeat(300)),
        1,
    );
    let told = problems(&many, &large);
    assert!(told.iter().any(|it| it.contains("error AL002") && it.ends_with(".import")), "{:?}", &told[..5]);
    let files: String = (0..40).map(|n| format!("    - {{from: {n}.yaml, import: people}}\n")).collect();
    let many = importing("from: shared.yaml, import: people").replacen("  exposes", &format!("{files}  exposes"), 1);
    assert_eq!(wanted(&many).imported.len(), 32);
    assert!(problems(&many, SHARED).iter().any(|it| it.contains("error AL002")));
}

#[test]
fn what_is_imported_again_and_again_is_bounded_in_bytes_too() {
    let large = SHARED.replacen("    baseUri", &format!("    description: {}\n    baseUri", "x".repeat(3 << 20)), 1);
    let entries = "    - {from: shared.yaml, import: people}\n".repeat(100);
    let many = importing("from: shared.yaml, import: people").replacen("  exposes", &format!("{entries}  exposes"), 1);
    let told = with(&many, &large).unwrap_err();
    assert!(told.iter().any(|it| it.code == Code::Limit && it.message == "too much is imported"), "{:?}", told[0]);
}

#[test]
fn keys_of_binds_are_bounded_wherever_they_stand() {
    let keys = |count: usize| (0..count).map(|n| format!("K{n}: k, ")).collect::<String>();
    let shared = |count: usize| SHARED.replacen("UPSTREAM_KEY}", &format!("UPSTREAM_KEY, {}}}", keys(count)), 1);
    let own = format!("binds:\n  - {{namespace: own, keys: {{{}}}}}\n", keys(500));
    let source = importing("from: shared.yaml, import: people, as: users").replacen("binds:\n", &own, 1);
    with(&source, &shared(499)).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(problems(&source, &shared(500)).contains(&"shared.yaml error AL002 3:5 binds[0]".to_owned()));
}

#[test]
fn all_files_together_are_bounded() {
    // Small as text, and large by its aliases.
    let list = "0, ".repeat(1_500);
    let shared = SHARED.replacen("binds:", &format!("info: {{tags: [&a [{list}], {}]}}\nbinds:", "*a, ".repeat(99)), 1);
    let file = |name: &str| (name.to_owned(), Ok(shared.clone()));
    let source = importing("from: shared.yaml, import: people, as: users");
    let files = Files::from([file("shared.yaml"), file("other.yaml")]);
    compile_with(&source, &files, Mode::Strict).unwrap_or_else(|e| panic!("{e:?}"));
    let both = source.replacen("  exposes", "    - {from: other.yaml, import: people}\n  exposes", 1);
    let told = compile_with(&both, &files, Mode::Strict).unwrap_err();
    let told: Vec<_> = told.iter().map(short).collect();
    assert_eq!(told, ["error AL002 8:14 capability.consumes[1].from"]);
}

#[test]
fn a_file_of_parts_is_no_capability() {
    assert!(is_shared(SHARED));
    for source in [BASE, "ikanos: 1.0.0-beta5", "", "consumes: ["] {
        assert!(!is_shared(source), "{source}");
    }
    // One that lacks a capability by mistake isn't taken for one that is to have none.
    for (more, expected) in [("capability:", "error AL005 1:1 "), ("capabilty: {}", "warning AL004 19:1 capabilty")] {
        let source = format!("{SHARED}{more}\n");
        assert!(!is_shared(&source), "{more}");
        let told = diagnose(&source, Mode::Tolerant);
        assert!(told.contains(&expected.to_owned()) && told.contains(&"error AL005 1:1 ".to_owned()), "{told:?}");
    }
    // What it imports itself can't be imported from it.
    assert_eq!(
        diagnose(SHARED, Mode::Tolerant),
        ["error AL051 1:1 ", "error AL050 15:5 consumes[1]", "error AL050 16:5 consumes[2]"]
    );
    let wrong = "ikanos: 1.0.0-beta5\nconsumes: [{baseUri: x}, 12]\n";
    let expected = ["error AL051 1:1 ", "error AL005 2:12 consumes[0]", "error AL006 2:26 consumes[1]"];
    assert_eq!(diagnose(wrong, Mode::Tolerant), expected);
}
