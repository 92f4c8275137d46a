//! Texts and JSON values with variables in them, as a document writes them and as they are for an input.

use proptest::{
    collection::vec,
    prelude::{Just, prop_oneof},
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Value, json};

use super::body::Role;
use crate::generated::parameters::text;

/// The variables of a body.
pub const NAMES: [&str; 3] = ["a", "b-c", "d_e"];

/// One of them, by its place.
pub type Variable = usize;

/// A value of a JSON body.
#[derive(Clone, Debug)]
pub enum Node {
    Constant(Value),
    Hole(Variable),
    Text(Vec<Piece>),
    List(Vec<Node>),
    Object(Vec<(&'static str, Node)>),
}

/// A part of a text.
#[derive(Clone, Debug)]
pub enum Piece {
    Text(&'static str),
    Hole(Variable),
}

pub fn variable() -> impl Strategy<Value = Variable> + Clone {
    0..NAMES.len()
}

pub fn scalar() -> BoxedStrategy<Node> {
    let constant = select(vec![json!("c"), json!(7), json!(true), json!("q\" \\ ä")]);
    let inside = (variable(), select(vec!["", "%", "\" "]))
        .prop_map(|(it, behind)| Node::Text(vec![Piece::Text("is "), Piece::Hole(it), Piece::Text(behind)]));
    prop_oneof![constant.prop_map(Node::Constant), variable().prop_map(Node::Hole), inside].boxed()
}

pub fn node() -> BoxedStrategy<Node> {
    let leaf = prop_oneof![scalar(), Just(Node::Constant(Value::Null)), Just(Node::Constant(json!({"k": [1, {}]})))];
    leaf.prop_recursive(2, 12, 4, |inner| {
        let members = (subsequence(&["m", "n o", "\"p\"", "with", "name"][..], 1..=4), vec(inner.clone(), 4));
        let members = members.prop_map(|(names, nodes)| Node::Object(names.into_iter().zip(nodes).collect()));
        prop_oneof![1 => vec(inner, 0..4).prop_map(Node::List), 2 => members]
    })
    .boxed()
}

impl Node {
    /// In a tree of the document.
    pub fn written(&self) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Hole(it) => json!(template(*it)),
            Self::Text(pieces) => json!(written(pieces)),
            Self::List(items) => items.iter().map(Self::written).collect(),
            Self::Object(members) => members.iter().map(|(name, it)| ((*name).to_owned(), it.written())).collect(),
        }
    }

    /// In a text of JSON, where a variable without quotes is a value.
    pub fn written_as_text(&self) -> String {
        match self {
            Self::Hole(it) => template(*it),
            Self::List(items) => {
                format!("[{}]", items.iter().map(Self::written_as_text).collect::<Vec<_>>().join(", "))
            }
            Self::Object(members) => {
                let members = members.iter().map(|(name, it)| format!("{}: {}", json!(name), it.written_as_text()));
                format!("{{{} }}", members.collect::<Vec<_>>().join(", "))
            }
            other => other.written().to_string(),
        }
    }

    /// What it is for an input; `None` if it is left out.
    pub fn value(&self, of: &dyn Fn(Variable) -> Option<Value>) -> Option<Value> {
        Some(match self {
            Self::Constant(value) => value.clone(),
            Self::Hole(it) => of(*it)?,
            Self::Text(pieces) => json!(filled(pieces, of)?),
            Self::List(items) => items.iter().filter_map(|it| it.value(of)).collect(),
            Self::Object(members) => {
                members.iter().filter_map(|(name, it)| Some(((*name).to_owned(), it.value(of)?))).collect()
            }
        })
    }

    pub fn roles(&self, roles: &mut Vec<(Variable, Role)>) {
        match self {
            Self::Constant(_) => {}
            Self::Hole(it) => roles.push((*it, Role::Value)),
            Self::Text(pieces) => roles.extend(variables(pieces).map(|it| (it, Role::Text))),
            Self::List(items) => items.iter().for_each(|it| it.roles(roles)),
            Self::Object(members) => members.iter().for_each(|(_, it)| it.roles(roles)),
        }
    }
}

pub fn template(it: Variable) -> String {
    format!("{{{{{}}}}}", NAMES[it])
}

pub fn written(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => (*text).to_owned(),
        Piece::Hole(it) => template(*it),
    };
    pieces.iter().map(piece).collect()
}

pub fn filled(pieces: &[Piece], of: &dyn Fn(Variable) -> Option<Value>) -> Option<String> {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => Some((*text).to_owned()),
        Piece::Hole(it) => Some(text(&of(*it)?)),
    };
    pieces.iter().map(piece).collect()
}

pub fn variables(pieces: &[Piece]) -> impl Iterator<Item = Variable> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Hole(it) => Some(*it),
    })
}
