//! One shape for sections of named things: the older releases of the format have lists whose items have a `name`, the newer ones
//! mappings that are keyed by it. Here each becomes a list, so that readers know one shape only.
//!
//! Goes where sections can be and nowhere else: a JSON Schema, a body or a value of `with` may have keys of the same names.

use super::diagnostic::Code;
use super::report::Report;
use super::tree::{Entry, Kind, Node};

/// The sections of a document and of its capability: their items are told apart by a namespace, and may be imported.
pub const PARTS: [&str; 4] = ["binds", "consumes", "aggregates", "exposes"];

/// The sections inside of those; their items are told apart by a name.
pub const SECTIONS: [&str; 11] = [
    "resources",
    "operations",
    "inputParameters",
    "outputParameters",
    "tools",
    "prompts",
    "arguments",
    "skills",
    "functions",
    "flows",
    "steps",
];

/// Turns every section of a document into a list.
pub fn unify(root: &mut Node, report: &Report) {
    unify_sections(root, &PARTS, "namespace", report);
    let Kind::Mapping(entries) = &mut root.kind else { return };
    for capability in entries.iter_mut().filter(|entry| entry.key == "capability") {
        unify_sections(&mut capability.value, &PARTS, "namespace", report);
    }
}

fn unify_sections(node: &mut Node, sections: &[&str], name: &str, report: &Report) {
    let Kind::Mapping(entries) = &mut node.kind else { return };
    for entry in entries.iter_mut().filter(|entry| sections.contains(&entry.key.as_str())) {
        itemise(&mut entry.value, name, report);
        let Kind::List(items) = &mut entry.value.kind else { continue };
        items.iter_mut().for_each(|item| unify_sections(item, &SECTIONS, "name", report));
    }
}

fn itemise(section: &mut Node, name: &str, report: &Report) {
    if let Kind::Mapping(entries) = &mut section.kind {
        let items = std::mem::take(entries).into_iter().map(|entry| item(entry, name, report));
        section.kind = Kind::List(items.collect());
    }
}

/// The value of an entry, with its key as the name. What isn't a mapping stays as it is: whoever reads it says what is wrong.
fn item(entry: Entry, name: &str, report: &Report) -> Node {
    let Entry { key, key_at, value } = entry;
    let (at, mut fields) = match value.kind {
        Kind::Null => (key_at.clone(), Vec::new()),
        Kind::Mapping(fields) => (value.at, fields),
        kind => return Node { at: value.at, kind },
    };
    // An import is keyed by the name that it gets here.
    let name = if fields.iter().any(|field| field.key == "import") { "as" } else { name };
    for own in fields.extract_if(.., |field| field.key == name) {
        if !matches!(&own.value.kind, Kind::Text(own) if *own == key) {
            report
                .error(Code::NameMismatch, &own.value.at, format!("another name than the key above it: {name}"))
                .expected(&key)
                .hint(format!("remove `{name}`; the key is the name"));
        }
    }
    let named = Node { at: key_at.clone(), kind: Kind::Text(key) };
    fields.insert(0, Entry { key: name.to_owned(), key_at, value: named });
    Node { at, kind: Kind::Mapping(fields) }
}
