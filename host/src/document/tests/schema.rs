//! The schema for editors says what the reader reads.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value as Json;

use super::super::{SCHEMA, tree};

/// Where keys are asked for.
const SOURCES: &str = concat!(
    include_str!("../read.rs"),
    include_str!("../read/argument.rs"),
    include_str!("../read/authentication.rs"),
    include_str!("../read/consumes.rs"),
    include_str!("../read/exposes.rs"),
    include_str!("../read/freshness.rs"),
    include_str!("../read/format.rs"),
    include_str!("../read/output.rs"),
    include_str!("../read/pages.rs"),
    include_str!("../read/parameter.rs"),
    include_str!("../read/path.rs"),
    include_str!("../read/prompts.rs"),
    include_str!("../read/resources.rs"),
    include_str!("../read/responses.rs"),
    include_str!("../read/schema.rs"),
    include_str!("../read/secret.rs"),
    include_str!("../read/skills.rs"),
    include_str!("../read/skills/siblings.rs"),
);

/// By what a key is asked for.
const ASKED_BY: [&str; 7] = [
    "fields.entry(\"",
    "fields.node(\"",
    "fields.text(\"",
    "fields.required_text(\"",
    "fields.boolean(\"",
    "fields.list(\"",
    "fields.required_list(\"",
];

fn schema() -> Json {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

/// The schemas in a schema, each with the last part of its place.
fn parts(schema: &Json) -> Vec<(&str, &Json)> {
    let named = ["properties", "$defs"].iter().filter_map(|key| schema[*key].as_object()).flatten();
    let choices = ["anyOf", "allOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    let single = ["items", "additionalProperties"].iter().filter_map(|key| schema.get(*key));
    let named = named.map(|(name, it)| (name.as_str(), it));
    named.chain(choices.map(|it| ("anyOf", it))).chain(single.map(|it| ("items", it))).collect()
}

/// The names of all properties, at any depth.
fn properties(schema: &Json, found: &mut BTreeSet<String>) {
    found.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    parts(schema).into_iter().for_each(|(_, it)| properties(it, found));
}

#[test]
fn each_key_that_is_read_is_in_the_schema() {
    let mut known = BTreeSet::new();
    properties(&schema(), &mut known);
    let asked: BTreeSet<&str> = ASKED_BY
        .iter()
        .flat_map(|by| SOURCES.split(by).skip(1))
        .filter_map(|rest| rest.split_once('"').map(|(key, _)| key))
        .collect();
    assert!(asked.len() > 30, "{asked:?}");
    let missing: Vec<_> = asked.into_iter().filter(|key| !known.contains(*key)).collect();
    assert!(missing.is_empty(), "read, and not in host/src/document/schema.json: {missing:?}");
}

#[test]
fn each_key_of_the_schema_is_described() {
    fn check(at: &str, schema: &Json, undescribed: &mut Vec<String>) {
        let members = schema["properties"].as_object().into_iter().flatten();
        let told = |it: &Json| it["description"].is_string() || it["$ref"].is_string();
        undescribed.extend(members.filter(|(_, it)| !told(it)).map(|(name, _)| format!("{at}.{name}")));
        parts(schema).into_iter().for_each(|(name, it)| check(&format!("{at}.{name}"), it, undescribed));
    }
    let mut undescribed = Vec::new();
    check("", &schema(), &mut undescribed);
    assert!(undescribed.is_empty(), "{undescribed:?}");
}

/// The documents of a folder; those in folders below it where they are called `capability.yaml`.
fn documents(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let paths = paths.map(|path| if path.is_dir() { path.join("capability.yaml") } else { path });
    let is_document = |path: &std::path::PathBuf| path.extension().is_some_and(|it| it == "yaml") && path.is_file();
    paths
        .filter(is_document)
        .map(|path| (path.display().to_string(), fs::read_to_string(path).expect("text")))
        .collect()
}

#[test]
fn documents_that_are_taken_conform_to_the_schema() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The real documents are beside the repository, where they are there at all.
    let folders = ["plugins", "tests/cases", "../shared/specs"].map(|folder| documents(&root.join(folder)));
    assert!(folders[0].len() >= 2 && !folders[1].is_empty());
    for (file, text) in
        folders.iter().flatten().map(|(file, text)| (file.as_str(), text.as_str())).chain([("base", super::BASE)])
    {
        let document = tree::parse(text, &Default::default()).expect("YAML").to_json();
        let errors: Vec<_> =
            validator.iter_errors(&document).map(|e| format!("{}: {e:.200}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{file}: {errors:?}");
    }
}

#[test]
fn what_is_no_document_does_not_conform() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for (from, to) in
        [("label: Users", "lable: Users"), ("type: mcp", "type: control"), ("method: PUT", "method: PUTT")]
    {
        let text = super::changed(&[(from, to)]);
        let document = tree::parse(&text, &Default::default()).expect("YAML").to_json();
        assert!(!validator.is_valid(&document), "{to}");
    }
}
