//! Both shapes of the format: lists of named items, and mappings keyed by name.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::*;
use crate::contract::Origin;
use crate::document::shape::{PARTS, SECTIONS};

/// The base document as the newer releases write it.
const KEYED: &str = include_str!("keyed.yaml");

/// A document with every section keyed. Items without a name, or with the name of another, leave their section as it is.
fn keyed(value: Json) -> Json {
    match value {
        Json::Object(members) => {
            let section = |(key, value): (String, Json)| {
                let name = match key.as_str() {
                    key if PARTS.contains(&key) => Some("namespace"),
                    key if SECTIONS.contains(&key) => Some("name"),
                    _ => None,
                };
                let value = match (name, keyed(value)) {
                    (Some(name), Json::Array(items)) => by_name(items, name),
                    (_, value) => value,
                };
                (key, value)
            };
            members.into_iter().map(section).collect()
        }
        Json::Array(items) => items.into_iter().map(keyed).collect(),
        scalar => scalar,
    }
}

fn by_name(items: Vec<Json>, name: &str) -> Json {
    let mut members = Map::new();
    for item in &items {
        let Some(key) = item[name].as_str().filter(|key| !members.contains_key(*key)) else {
            return items.into();
        };
        let mut value = item.clone();
        value.as_object_mut().unwrap().remove(name);
        members.insert(key.to_owned(), value);
    }
    members.into()
}

#[test]
fn a_keyed_document_means_what_its_lists_mean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = ["plugins/m3ter-orgusers/capability.yaml", "plugins/metal-users/capability.yaml"];
    let files = files.map(|file| root.join(file));
    let cases = fs::read_dir(root.join("tests/cases")).unwrap().map(|entry| entry.unwrap().path());
    let cases = cases.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    let mut texts: Vec<String> = files.into_iter().chain(cases).map(|path| fs::read_to_string(path).unwrap()).collect();
    texts.push(BASE.to_owned());
    assert!(texts.len() > 3);
    for text in texts {
        let lists = compile(&text, Mode::Tolerant).unwrap();
        let tree = super::super::tree::parse(&text, &Default::default()).unwrap().to_json();
        let other = keyed(tree.clone());
        assert_ne!(tree, other);
        let maps = compile(&other.to_string(), Mode::Tolerant).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(maps.plan, lists.plan);
    }
}

#[test]
fn the_newer_shape_is_read() {
    let newer = compile(KEYED, Mode::Strict).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(newer.plan, plan(&[("- method: PUT", "- name: put-user\n              method: PUT")]));
}

#[test]
fn mistakes_in_keyed_sections() {
    let get = "capability.consumes[0].resources.user.operations.get";
    let put = "capability.exposes[0].resources.user.operations.put-user";
    let source =
        "ikanos: 1.0.0-beta5\ncapability: {consumes: {users: {baseUri: https://a.b}}, exposes: {rest: {}, x: 1}}\n";
    let expected = [
        "error AL005 2:32 capability.consumes.users",
        "error AL005 2:73 capability.exposes.rest",
        "error AL006 2:80 capability.exposes.x",
    ];
    assert_eq!(diagnose(source, Mode::Tolerant), expected);
    for (from, to, expected) in [
        ("method: GET", "method: FETCH", vec![format!("error AL007 20:23 {get}.method")]),
        ("              method: GET\n", "", vec![format!("error AL005 20:15 {get}")]),
        ("put:\n", "get:\n", vec![format!("error AL003 25:13 {get}"), format!("error AL023 43:21 {put}.call")]),
        (
            "id: {in: path}",
            "id: {name: ID, in: path}",
            vec![format!("error AL027 23:28 {get}.inputParameters.id.name")],
        ),
        ("id: {in: path}", "id: {name: id, in: path}", vec![]),
        ("id: {in: path}", "id: path", vec![format!("error AL006 23:21 {get}.inputParameters.id")]),
        (
            "id: {in: path}",
            "id: {in: path, lable: x}",
            vec![format!("warning AL004 23:32 {get}.inputParameters.id.lable")],
        ),
    ] {
        assert!(KEYED.contains(from), "{from}");
        assert_eq!(diagnose(&KEYED.replacen(from, to, 1), Mode::Tolerant), expected, "{to}");
    }
}

#[test]
fn what_only_looks_like_a_section_is_left_alone() {
    let schema =
        "method: GET\n              outputSchema: {type: object, properties: {steps: {type: object}, tools: {a: {}}}}";
    let plan = plan(&[("method: GET", schema)]);
    let (get, _) = find(&plan, "get-user");
    let tools = &get.output_schema.as_ref().unwrap()["properties"];
    assert_eq!(*tools, serde_json::json!({"steps": {"type": "object"}, "tools": {"a": {}}}));
}

#[test]
fn binds_say_where_values_are() {
    let origins = |binds: &str| {
        let source = changed(&[("  - namespace: env\n    keys:\n      API_KEY: UPSTREAM_KEY", binds)]);
        compile(&source, Mode::Tolerant).unwrap_or_else(|e| panic!("{e:?}")).origins
    };
    let file = |path: &str| Origin::File { path: path.to_owned(), key: "key".to_owned() };
    for (location, expected) in [
        ("file:///etc/airlock/a%20b.json", file("/etc/airlock/a b.json")),
        ("file:///./secrets.yaml", file("./secrets.yaml")),
        ("file://../secrets.yaml", file("../secrets.yaml")),
        ("vault://secrets/api", Origin::Elsewhere),
        ("k8s-secret://api", Origin::Elsewhere),
    ] {
        let binds = format!("  - {{namespace: env, location: '{location}', keys: {{API_KEY: key}}}}");
        assert_eq!(origins(&binds), [("API_KEY".to_owned(), expected)], "{location}");
    }
    let of_variable = origins("  env:\n    keys: {API_KEY: UPSTREAM_KEY}");
    assert_eq!(of_variable, [("API_KEY".to_owned(), Origin::Env("UPSTREAM_KEY".to_owned()))]);
    check_each(&[
        ("- namespace: env", "- location: vault://x\n    namespace: env", "warning AL044 6:15 binds[0].location"),
        ("- namespace: env", "- location: ./x.yaml\n    namespace: env", "error AL007 6:15 binds[0].location"),
        ("- namespace: env", "- location: file://host/x\n    namespace: env", "error AL007 6:15 binds[0].location"),
        ("- namespace: env", "- location: file:///%00\n    namespace: env", "error AL007 6:15 binds[0].location"),
    ]);
}

#[test]
fn a_key_of_several_binds_needs_its_namespace() {
    let two = ("API_KEY: UPSTREAM_KEY", "API_KEY: A\n  - namespace: other\n    keys: {API_KEY: B, SINGLE: C}");
    for (template, name) in [("other.API_KEY", "other.API_KEY"), ("SINGLE", "SINGLE"), ("other.SINGLE", "SINGLE")] {
        let plan = plan(&[two, ("{{env.API_KEY}}", &format!("{{{{{template}}}}}"))]);
        assert_eq!(plan.description.upstreams[0].credentials[0].value, format!("Bearer {{{{{name}}}}}"));
    }
    let ambiguous = ("{{env.API_KEY}}", "{{API_KEY}}");
    check(&[two, ambiguous], &["error AL043 16:45 capability.consumes[0].authentication.token"]);
    let told = &errors(&changed(&[two, ambiguous]))[0];
    assert_eq!(told.expected.as_deref(), Some("one of: env.API_KEY, other.API_KEY"));
    // As an argument it would reach the sandbox, whichever of them is meant.
    let argument = ("fields: rest.fields}", "fields: '{{API_KEY}}'}");
    check(&[two, argument], &["error AL042 41:62 @get.with.fields"]);
}

#[test]
fn parts_may_stand_at_the_root() {
    let source = changed(&[("capability:\n  consumes:", "consumes:"), ("  exposes:", "capability:\n  exposes:")]);
    assert_eq!(compile(&source, Mode::Strict).unwrap().plan, plan(&[]));
    // What is exposed there is served too, whatever the capability exposes.
    let flow = "aggregates: [{namespace: own, flows: [{name: f, description: d, call: users.put}]}]\n";
    let expose = "exposes: [{type: mcp, namespace: m, tools: [{name: put, ref: own.f}]}]\n";
    let more = plan(&[("capability:\n", &format!("{flow}{expose}capability:\n"))]);
    let tools: Vec<_> = more.description.operations.iter().filter_map(|it| it.tool.as_deref()).collect();
    assert!(tools.contains(&"put") && tools.contains(&"user-get"), "{tools:?}");
    let twice = changed(&[(
        "capability:\n",
        "consumes: [{namespace: users, baseUri: https://b.example, resources: []}]\ncapability:\n",
    )]);
    assert!(
        diagnose(&twice, Mode::Tolerant).contains(&"error AL021 13:18 capability.consumes[0].namespace".to_owned())
    );
}
