//! Section A: versions, keys, types, limits, diagnostics.

use super::super::tree::{MAX_DEPTH, MAX_ITEMS, MAX_SOURCE_BYTES};
use super::*;

#[test]
fn versions() {
    check_each(&[
        ("naftiko: 1.0.0-alpha2", "naftiko: 1.0.0-alpha99", "warning AL008 1:10 naftiko"),
        ("naftiko: 1.0.0-alpha2", "ikanos: 1.2.3", "warning AL008 1:9 ikanos"),
        ("naftiko: 1.0.0-alpha2", "naftiko: 2.0.0", "error AL008 1:10 naftiko"),
        ("naftiko: 1.0.0-alpha2", "naftiko: 0.5", "error AL006 1:10 naftiko"),
        ("naftiko: 1.0.0-alpha2", "", "error AL005 2:1 "),
    ]);
    for version in ["naftiko: '0.5'", "ikanos: 1.0.0-beta5", "naftiko: \"1.0.0-alpha3\""] {
        plan(&[("naftiko: 1.0.0-alpha2", version)]);
    }
}

#[test]
fn unknown_keys_are_warnings_or_in_strict_mode_errors() {
    let source = changed(&[
        ("  label: Users", "  lable: Users"),
        ("      resources:\n        - path", "      Resources: []\n      resources:\n        - path"),
    ]);
    let places = ["AL004 3:3 info.lable", "AL004 33:7 capability.exposes[0].Resources"];
    assert_eq!(diagnose(&source, Mode::Tolerant), places.map(|place| format!("warning {place}")));
    assert_eq!(diagnose(&source, Mode::Strict), places.map(|place| format!("error {place}")));
    let compiled = compile(&source, Mode::Tolerant).unwrap();
    assert_eq!(compiled.warnings[0].hint.as_deref(), Some("did you mean `label`?"));
}

#[test]
fn keys_that_mean_nothing_here_are_accepted_silently() {
    for (from, to) in [
        (
            "namespace: users-rest",
            "namespace: users-rest\n      port: 8080\n      address: 0.0.0.0\n      description: d",
        ),
        ("namespace: users-mcp", "namespace: users-mcp\n      port: 9090\n      transport: http\n      description: d"),
        ("  label: Users", "  tags: [a]\n  created: '2026-05-19'\n  display: Users"),
        ("name: user\n", "name: user\n          description: d\n"),
        ("with: {orgId: rest.orgId", "tags:\n              with: {orgId: rest.orgId"),
    ] {
        plan(&[(from, to)]);
    }
    for title in ["label", "display", "title"] {
        assert_eq!(plan(&[("label", title)]).description.title, "Users");
    }
}

#[test]
fn missing_keys_and_wrong_types() {
    check_each(&[
        ("      baseUri: https://api.example.com/v1\n", "", "error AL005 11:7 capability.consumes[0]"),
        ("      namespace: users-rest\n", "", "error AL005 31:7 capability.exposes[0]"),
        ("type: mcp", "type: [mcp]", "error AL006 42:13 capability.exposes[1].type"),
        ("label: Users", "label: 12", "error AL006 3:10 info.label"),
        (
            "hints: {readOnly: true}",
            "hints: {readOnly: yes}",
            "error AL006 47:29 capability.exposes[1].tools[0].hints.readOnly",
        ),
        (
            "with: {orgId: rest.orgId, id: rest.id, fields: rest.fields}",
            "with: [a]",
            "error AL006 39:21 capability.exposes[0].resources[0].operations[0].with",
        ),
        (
            "type: array}",
            "type: text}",
            "error AL007 24:51 capability.consumes[0].resources[0].operations[0].inputParameters[2].type",
        ),
        (
            "method: PUT\n              call",
            "method: PUTT\n              call",
            "error AL007 40:23 capability.exposes[0].resources[0].operations[1].method",
        ),
    ]);
    for source in ["", "[]", "text", "12"] {
        assert_eq!(diagnose(source, Mode::Tolerant), ["error AL006 1:1 "], "{source:?}");
    }
    assert_eq!(
        diagnose("naftiko: 1.0.0-alpha2\ncapability: {consumes: [], exposes: []}", Mode::Tolerant),
        ["error AL007 2:24 capability.consumes", "error AL007 2:37 capability.exposes"],
    );
}

#[test]
fn columns_are_characters() {
    let source =
        changed(&[("label: Users", "{\"é😀\": 1, label: Users, lable: x}"), ("  description: About users\n", "")]);
    assert_eq!(diagnose(&source, Mode::Tolerant), ["warning AL004 3:4 info.é😀", "warning AL004 3:27 info.lable"]);
}

#[test]
fn not_yaml() {
    for (source, expected) in [
        ("a: [1, 2\n", "error AL001 1:4 "),
        ("a: b\n c: d\n", "error AL001 2:3 "),
        ("a: *b\n", "error AL001 1:4 "),
        ("a: &a [*a]\n", "error AL001 1:8 "),
        ("? [a]\n: b\n", "error AL001 1:3 "),
        ("a: 1\n---\nb: 2\n", "error AL001 3:1 "),
    ] {
        assert_eq!(diagnose(source, Mode::Tolerant), [expected], "{source:?}");
    }
}

#[test]
fn duplicate_keys_name_both_lines() {
    let source = changed(&[
        ("  label: Users", "  label: Users\n  label: Others"),
        ("method: PUT\n              call", "method: PUT\n              method: PUT\n              call"),
    ]);
    let found = errors(&source);
    assert_eq!(
        found.iter().map(short).collect::<Vec<_>>(),
        ["error AL003 4:3 info.label", "error AL003 42:15 capability.exposes[0].resources[0].operations[1].method"]
    );
    assert_eq!(found[0].message, "key `label` stands twice, in lines 3 and 4");
}

#[test]
fn all_problems_come_in_one_pass_in_the_order_of_the_source() {
    check(
        &[
            ("label: Users", "lable: Users"),
            ("baseUri: https://", "baseUri: ftp://"),
            ("{{env.API_KEY}}", "{{env.API_KEYS}}"),
            ("call: users.get\n", "call: users.gett\n"),
            ("name: user-get", "name: user get"),
        ],
        &[
            "warning AL004 3:3 info.lable",
            "error AL031 13:16 capability.consumes[0].baseUri",
            "error AL040 14:45 capability.consumes[0].authentication.token",
            "error AL023 38:21 capability.exposes[0].resources[0].operations[0].call",
            "error AL020 45:17 capability.exposes[1].tools[0].name",
        ],
    );
}

#[test]
fn scalars_are_those_of_yaml_1_2() {
    let source = changed(&[
        (
            "with: {orgId: rest.orgId, id: rest.id, fields: rest.fields}",
            "with: {orgId: '12', id: 0o17, fields: [yes, 1_000, 1.5, true, '1', 0x1f]}",
        ),
        ("{orgid}/users/{id}", "x"),
    ]);
    let compiled =
        compile(&source.replace("            - method: PUT\n              call: users.put\n", ""), Mode::Strict)
            .unwrap();
    let (_, request) = find(&compiled.plan, "get-user");
    let shown = format!("{request:?}");
    for expected in [
        "String(\"12\")",
        "Number(15)",
        "String(\"yes\")",
        "String(\"1_000\")",
        "Number(1.5)",
        "Bool(true)",
        "String(\"1\")",
        "Number(31)",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
}

#[test]
fn json_is_a_document_as_well() {
    let yaml = compile(BASE, Mode::Strict).unwrap();
    let tree = super::super::tree::parse(BASE, &Default::default()).unwrap();
    let json = serde_json::to_string_pretty(&tree.to_json()).unwrap();
    assert_eq!(compile(&json, Mode::Strict).unwrap(), yaml);
}

#[test]
fn anchors_and_merge_keys_work() {
    let plan = plan(&[
        ("with: {orgId: rest.orgId", "with: &all {orgId: rest.orgId"),
        ("with: {orgId: tools.orgId, id: tools.id, fields: tools.fields}", "with: {<<: *all}"),
    ]);
    assert_eq!(find(&plan, "get-user").0.tool.as_deref(), Some("user-get"));
}

#[test]
fn limits_hold_before_anything_is_built() {
    let nested = |depth: usize| format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
    let laughs = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        let m = n - 1;
        format!("{text}a{n}: &a{n} [*a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}]\n")
    });
    let long_text = format!("a: &a \"\\t{}\"\nb: [{}]", "x".repeat(1_000_000), "*a, ".repeat(900));
    let many_aliases = format!("a: &a 1\nb: [{}]", "*a, ".repeat(1_500));
    let many_nodes = format!("a:\n{}", "- [[],[],[],[],[],[],[],[]]\n".repeat(40_000));
    for (what, source) in [
        ("size", "#".repeat(MAX_SOURCE_BYTES + 1)),
        ("depth", nested(MAX_DEPTH)),
        ("block depth", (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
        ("laughs", laughs),
        ("long text", long_text),
        ("aliases", many_aliases),
        ("nodes", many_nodes),
        ("items", format!("a: [{}]", "1,".repeat(MAX_ITEMS + 1))),
    ] {
        let found = diagnose(&source, Mode::Tolerant);
        assert!(found.iter().any(|text| text.starts_with("error AL002")), "{what}: {found:?}");
    }
}

#[test]
fn diagnostics_themselves_are_bounded() {
    let long_key = format!("? \"{}\"\n: {{{}}}\n", "k".repeat(1_000_000), "a: 1, ".repeat(1_900));
    let found = errors(&long_key);
    assert!(found.len() <= 1_000);
    let bytes: usize = found.iter().map(|d| d.path.len() + d.message.len()).sum();
    assert!(bytes < 1_000_000, "{bytes}");
}

#[test]
fn any_text_gives_an_answer() {
    for end in (0..BASE.len()).step_by(5) {
        let _ = compile(&BASE[..end], Mode::Tolerant);
        let damaged = format!("{}{}", &BASE[..end], BASE.get(end + 1..).unwrap_or_default());
        if let Err(found) = compile(&damaged, Mode::Tolerant) {
            assert!(!found.is_empty() && found.iter().all(|d| !d.render("x", &damaged).is_empty()));
        }
    }
}
