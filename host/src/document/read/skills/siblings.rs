//! What the other exposes of a document are called, and what is in them: a skill's tools refer to that.

use serde_json::{Value as Json, json};

use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::report::Report;
use crate::document::tree::{Kind, Node, Placed};

/// The exposes that have operations or tools.
pub struct Siblings<'a>(Vec<Sibling<'a>>);

struct Sibling<'a> {
    namespace: &'a str,
    kind: &'a str,
    /// Its operations or tools.
    actions: Vec<&'a str>,
}

impl<'a> Siblings<'a> {
    /// Those of a document.
    pub fn of(exposes: &[&'a Node]) -> Self {
        let sibling = |expose: &&'a Node| {
            let (namespace, kind) = (text(expose, "namespace")?, text(expose, "type")?);
            let actions = match kind {
                "rest" => {
                    expose.items("resources").iter().flat_map(|it| it.items("operations")).filter_map(name).collect()
                }
                "mcp" => expose.items("tools").iter().filter_map(name).collect(),
                _ => return None,
            };
            Some(Sibling { namespace, kind, actions })
        };
        Self(exposes.iter().filter_map(sibling).collect())
    }

    /// Reads what a tool of a skill is derived from.
    pub fn read(&self, from: &Node, report: &Report) -> Option<Json> {
        let mut fields = Fields::of(from, "`sourceNamespace` and `action`", report)?;
        let namespace = fields.required_text("sourceNamespace", "the namespace of an expose of type rest or mcp");
        let action = fields.required_text("action", "an operation or a tool of that expose");
        fields.finish();
        let (namespace, action) = (namespace?, action?);
        let namespaces = self.0.iter().map(|it| it.namespace);
        let found: Vec<&Sibling> = self.0.iter().filter(|it| it.namespace == namespace.value).collect();
        if found.is_empty() {
            unknown("expose of type rest or mcp", &namespace, namespaces.collect(), report);
            return None;
        }
        let Some(sibling) = found.iter().find(|it| it.actions.contains(&action.value)) else {
            let actions = found.iter().flat_map(|it| it.actions.iter().copied());
            unknown(&format!("operation or tool of {}", namespace.value), &action, actions.collect(), report);
            return None;
        };
        Some(json!({"targetNamespace": namespace.value, "action": action.value, "mode": sibling.kind}))
    }
}

fn unknown(what: &str, name: &Placed<&str>, known: Vec<&str>, report: &Report) {
    report
        .error(Code::UnknownReference, &name.at, format!("no {what} has this name: {}", name.value))
        .expected(match known.is_empty() {
            true => "one that the document has; there is none".to_owned(),
            false => format!("one of: {}", known.join(", ")),
        })
        .did_you_mean(name.value, known.iter().copied());
}

/// The name of an operation or tool; an operation may go by what it calls.
fn name(node: &Node) -> Option<&str> {
    let called = || text(node, "call").or_else(|| text(node, "ref"))?.rsplit('.').next();
    text(node, "name").or_else(called)
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    match &node.get(key)?.kind {
        Kind::Text(text) => Some(text),
        _ => None,
    }
}
