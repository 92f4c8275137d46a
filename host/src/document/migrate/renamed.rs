//! A tree as it is with today's names of keys: by it is seen whether a file of parts says the same after its text was changed.
//!
//! For files of parts alone, which aren't compiled; of a document, the plans are compared.

use serde_json::Value as Json;

use super::super::shape::{PARTS, SECTIONS};
use super::super::tree::{Entry, Kind, Node};
use super::is_shape;

/// The tree without its version, and with today's names of keys where migrating renames them.
pub fn renamed(mut root: Node) -> Json {
    if let Kind::Mapping(entries) = &mut root.kind {
        entries.retain(|entry| !["naftiko", "ikanos"].contains(&entry.key.as_str()));
    }
    for info in inside(&mut root, |key| key == "info") {
        let old = if info.get("label").is_some() { "label" } else { "title" };
        rename(info, old, "display");
    }
    for part in PARTS {
        for item in inside(&mut root, |key| key == part).flat_map(items) {
            if part == "consumes" && item.get("import").is_some() {
                rename(item, "location", "from");
            }
            rename_sections(item);
        }
    }
    root.to_json()
}

fn rename_sections(owner: &mut Node) {
    rename(owner, "label", "display");
    rename(owner, "functions", "flows");
    inside(owner, |key| key == "mappings").flat_map(items).for_each(|mapping| rename(mapping, "targetName", "target"));
    let is_shape = is_shape(|key| owner.get(key).is_some());
    let sections = inside(owner, |key| SECTIONS.contains(&key) && !(key == "outputParameters" && is_shape));
    sections.flat_map(items).for_each(rename_sections);
}

fn rename(owner: &mut Node, old: &str, new: &str) {
    let entries = entries(owner);
    if entries.iter().all(|entry| entry.key != new) {
        entries.iter_mut().filter(|entry| entry.key == old).for_each(|entry| entry.key = new.to_owned());
    }
}

/// The values of the keys that are meant.
fn inside(owner: &mut Node, is_meant: impl Fn(&str) -> bool) -> impl Iterator<Item = &mut Node> {
    let entries = entries(owner).iter_mut();
    entries.filter(move |entry| is_meant(&entry.key)).map(|entry| &mut entry.value)
}

fn entries(node: &mut Node) -> &mut [Entry] {
    match &mut node.kind {
        Kind::Mapping(entries) => entries,
        _ => &mut [],
    }
}

fn items(node: &mut Node) -> &mut [Node] {
    match &mut node.kind {
        Kind::List(items) => items,
        _ => &mut [],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    fn read(text: &str) -> Json {
        renamed(parse(text, &Default::default()).unwrap())
    }

    #[test]
    fn only_the_names_of_keys_are_let_go() {
        const OLD: &str = "naftiko: 0.5\ninfo: {label: A}\naggregates: [{namespace: a, label: B, functions: [{name: f, mappings: \
                           [{targetName: t, value: v}]}]}]\nconsumes: [{location: x.yaml, import: y}]\n";
        const NEW: &str = "ikanos: 1.0.0-beta5\ninfo: {display: A}\naggregates: [{namespace: a, display: B, flows: {f: {mappings: \
                           [{target: t, value: v}]}}}]\nconsumes: [{from: x.yaml, import: y}]\n";
        assert_eq!(read(OLD), read(NEW));
        for (from, to) in [("f:", "g:"), ("value: v", "value: w"), ("display: B, ", ""), ("import: y", "import: z")] {
            assert_ne!(read(OLD), read(&NEW.replacen(from, to, 1)), "{to}");
        }
        let schema = |key: &str| format!("consumes: [{{namespace: a, outputSchema: {{{key}: x}}}}]");
        assert_ne!(read(&schema("label")), read(&schema("display")));
    }
}
