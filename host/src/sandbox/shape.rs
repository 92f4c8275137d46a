//! A shape as the document runtime takes it: the tree as a list of nodes, because WIT has no recursive types.

use super::{bindings::plan as wit, plan::value};
use crate::document::plan::{Form, Gather, Origin, Shape};

/// The nodes of a shape, the root first.
pub(super) fn shape(it: &Shape) -> Vec<wit::ShapeNode> {
    let mut nodes = Vec::new();
    push(it, &mut nodes);
    nodes
}

/// Adds a node and its children, and says where it stands.
fn push(it: &Shape, nodes: &mut Vec<wit::ShapeNode>) -> u32 {
    let index = nodes.len();
    // Holds the place in front of the children, which have to stand after it.
    nodes.push(wit::ShapeNode { origin: origin(&it.origin), form: wit::Form::AsItIs });
    nodes[index].form = form(&it.form, nodes);
    u32::try_from(index).expect("a document has far fewer nodes")
}

fn origin(it: &Origin) -> wit::Origin {
    match it {
        Origin::Whole => wit::Origin::Whole,
        Origin::Path(path) => wit::Origin::Path(path.clone()),
        Origin::Value(it) => wit::Origin::Value(value(it)),
    }
}

fn form(it: &Form, nodes: &mut Vec<wit::ShapeNode>) -> wit::Form {
    match it {
        Form::AsItIs => wit::Form::AsItIs,
        Form::Text(longest) => wit::Form::Text(*longest),
        Form::Integer => wit::Form::Integer,
        Form::Number => wit::Form::Number,
        Form::Boolean => wit::Form::Boolean,
        Form::Object(members) => {
            let members = members.iter().map(|(name, it)| wit::Member { name: name.clone(), node: push(it, nodes) });
            wit::Form::Object(members.collect())
        }
        Form::Array(how, item) => {
            let gather = match how {
                Gather::Items => wit::Gather::Items,
                Gather::Every => wit::Gather::Every,
                Gather::ItemsOrOne => wit::Gather::ItemsOrOne,
            };
            wit::Form::Array(wit::ArrayForm { gather, item: push(item, nodes) })
        }
        Form::FirstOf(all) => wit::Form::FirstOf(all.iter().map(|it| push(it, nodes)).collect()),
    }
}
