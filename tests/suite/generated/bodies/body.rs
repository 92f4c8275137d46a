//! Bodies of every kind, as a document writes them, and what their variables are in them.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, prop_oneof},
    sample::{select, subsequence},
    strategy::Strategy,
};
use serde_json::{Value, json};

use super::template::{Node, Piece, Variable, node, scalar, template, variable, variables, written};

#[derive(Clone, Debug)]
pub struct FormPart {
    pub name: &'static str,
    pub value: Node,
    pub filename: Option<Node>,
    pub content_type: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub enum Body {
    /// As a tree.
    Json(Node),
    JsonText(Node),
    Text(Vec<Piece>),
    /// In an attribute and in an element.
    Xml,
    /// In a string, in an address, and as a number.
    Sparql,
    Form(Vec<(&'static str, Node)>),
    FormText,
    Multipart(Vec<FormPart>),
}

/// What a variable is in the body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// All of the body.
    Whole,
    /// All of a value.
    Value,
    /// A part of a text that may be absent.
    Text,
    /// A part of a text that may not.
    Needed,
}

pub fn body() -> impl Strategy<Value = Body> {
    let texts = select(vec!["Dear ", "\"q\" \\ ", "", "<ä>\n", "{}: "]);
    let piece = || prop_oneof![texts.clone().prop_map(Piece::Text), variable().prop_map(Piece::Hole)];
    let pieces = vec(piece(), 1..4).prop_map(|mut pieces| {
        // Nothing but a variable would be all of it.
        pieces.insert(0, Piece::Text("is "));
        pieces
    });
    let fields = (subsequence(&["x", "y z", "ü&="][..], 1..=3), vec(scalar(), 3));
    let fields = fields.prop_map(|(names, values)| {
        let fields = names.into_iter().zip(values);
        // So that there is something to send in any case.
        fields.chain([("grant", Node::Constant(json!("a b")))]).collect()
    });
    let part = (scalar(), option::of(scalar()), option::of(Just("text/csv")));
    let parts = vec(part, 1..4).prop_map(|parts| {
        let named = parts.into_iter().zip(["note", "fi\"le", "third"]);
        let part = |((value, filename, content_type), name)| FormPart { name, value, filename, content_type };
        let always = FormPart { name: "always", value: Node::Constant(json!("v")), filename: None, content_type: None };
        named.map(part).map(of_texts).chain([always]).collect()
    });
    prop_oneof![
        3 => node().prop_map(in_tree).prop_map(Body::Json),
        3 => node().prop_map(Body::JsonText),
        1 => pieces.prop_map(Body::Text),
        2 => Just(Body::Xml),
        2 => Just(Body::Sparql),
        1 => fields.prop_map(Body::Form),
        1 => Just(Body::FormText),
        1 => parts.prop_map(Body::Multipart),
    ]
}

/// A tree that is nothing but a text would be a text of JSON.
fn in_tree(node: Node) -> Node {
    match node {
        text @ (Node::Text(_) | Node::Constant(Value::String(_))) => Node::List(vec![text]),
        other => other,
    }
}

/// A file's name is text in the document.
fn of_texts(part: FormPart) -> FormPart {
    let filename = part.filename.map(|it| match it {
        Node::Constant(_) => Node::Constant(json!("a.csv")),
        other => other,
    });
    FormPart { filename, ..part }
}

/// The text of XML, and of SPARQL, around the variables.
pub const XML: [&str; 3] = ["<u name=\"", "\">", "</u>"];
pub const SPARQL: [&str; 4] = ["SELECT * { ?s ?p \"", "\" ; <http://h/", "> ?o } LIMIT ", " # done"];

impl Body {
    /// `type` of the body, and its contents as the document writes them.
    pub fn said(&self) -> (&'static str, Value) {
        match self {
            Self::Json(node) => ("json", node.written()),
            Self::JsonText(node) => ("json", json!(node.written_as_text())),
            Self::Text(pieces) => ("text", json!(written(pieces))),
            Self::Xml => ("xml", json!([XML[0], &template(0), XML[1], &template(1), XML[2]].concat())),
            Self::Sparql => {
                let [a, b, c, d] = SPARQL;
                ("sparql", json!([a, &template(0), b, &template(1), c, &template(2), d].concat()))
            }
            Self::Form(fields) => {
                let fields = fields.iter().map(|(name, node)| ((*name).to_owned(), node.written()));
                ("formUrlEncoded", Value::Object(fields.collect()))
            }
            Self::FormText => ("formUrlEncoded", json!(format!("grant=a+b&name={}", template(0)))),
            Self::Multipart(parts) => ("multipartForm", parts.iter().map(FormPart::written).collect()),
        }
    }

    /// The type that a header says, where the document has nothing but the text; and the one that follows from the kind.
    pub fn media_types(&self) -> (&'static str, &'static str) {
        match self {
            Self::Json(_) | Self::JsonText(_) => ("application/merge-patch+json", "application/json"),
            Self::Text(_) => ("text/markdown", "text/plain; charset=utf-8"),
            Self::Xml => ("application/soap+xml; action=u", "application/xml"),
            Self::Sparql => ("application/sparql-update", "application/sparql-query"),
            Self::Form(_) | Self::FormText => {
                ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded")
            }
            Self::Multipart(_) => ("multipart/mixed", "multipart/form-data"),
        }
    }

    pub fn roles(&self) -> Vec<(Variable, Role)> {
        let mut roles = Vec::new();
        match self {
            Self::Json(Node::Hole(it)) | Self::JsonText(Node::Hole(it)) => roles.push((*it, Role::Whole)),
            Self::Json(node) | Self::JsonText(node) => node.roles(&mut roles),
            Self::Text(pieces) => roles.extend(variables(pieces).map(|it| (it, Role::Needed))),
            Self::Xml => roles.extend([(0, Role::Needed), (1, Role::Needed)]),
            Self::Sparql => roles.extend([(0, Role::Needed), (1, Role::Needed), (2, Role::Needed)]),
            Self::Form(fields) => fields.iter().for_each(|(_, node)| node.roles(&mut roles)),
            Self::FormText => roles.push((0, Role::Needed)),
            Self::Multipart(parts) => {
                for part in parts {
                    part.value.roles(&mut roles);
                    // A header is text.
                    let mut inside = Vec::new();
                    part.filename.iter().for_each(|it| it.roles(&mut inside));
                    roles.extend(inside.into_iter().map(|(it, _)| (it, Role::Text)));
                }
            }
        }
        roles
    }
}

impl FormPart {
    fn written(&self) -> Value {
        let mut written = json!({"name": self.name, "value": self.value.written()});
        if let Some(filename) = &self.filename {
            written["filename"] = filename.written();
        }
        if let Some(content_type) = self.content_type {
            written["contentType"] = json!(content_type);
        }
        written
    }
}
