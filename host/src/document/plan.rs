//! What a capability document means, ready to be carried out: the meaning of `wit/plan.wit` inside the host.

mod flow;
mod needs;
mod pages;
mod shape;

use serde_json::Value as Json;

pub use super::jsonpath::is_singular;

pub use self::{
    flow::{Flow, Keep, Lookup, Outcome, Part, Step, Task},
    needs::Needs,
    pages::{Beyond, Bound, Counted, CountedBy, NextToken, PageOrder, Pages},
    shape::{Form, Gather, Origin, Shape},
};
use crate::contract::{Description, Facts, Resource};

/// A whole document.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the provider answers to `describe`.
    pub description: Description,
    /// One for each operation of the description, in the same order.
    pub actions: Vec<Action>,
    /// What it has besides operations.
    pub facts: Facts,
}

/// What carries out an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// One request, whose answer is the result.
    Call(Box<Call>),
    /// No request: the result is made of the input alone, its source is an empty object.
    Made(Shape),
    /// Several steps on the way to one result.
    Flow(Flow),
    /// Nothing is done: the result never changes.
    Constant(Resource),
    /// One request for each page of a list, all of whose items are the result.
    Pages(Box<Pages>),
}

/// A request and what becomes of its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The request.
    pub request: Request,
    /// The answer.
    pub answer: Answer,
}

/// What becomes of an upstream's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Handed on unread: the host streams it to the caller.
    HandedOn,
    /// Read as JSON or converted to it, and made into another value.
    Shaped(RawFormat, Shape),
    /// Bytes that are checked or named, and not looked into.
    Binary(Binary),
}

/// What an answer is, and how it becomes JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawFormat {
    /// JSON.
    Json,
    /// XML: an element is an object of its attributes and children, or text if it has none.
    Xml,
    /// Lines of cells with this character between them, the first one with names: an array of objects.
    Delimited(char),
    /// YAML.
    Yaml,
    /// Markdown: its front matter, tables and sections; of the sections those whose heading begins like this.
    Markdown(Option<String>),
    /// Text: a JSON string.
    Text,
    /// HTML: its tables. Of them those that one of these selectors matches, or that are in what it matches; all, if there is none.
    Html(Vec<Selector>),
}

/// The parts of a selector: the last one matches the element, those before it elements around it.
pub type Selector = Vec<ElementSelector>;

/// What an element has to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElementSelector {
    /// Its name, in small letters.
    pub tag: Option<String>,
    /// Its `id`.
    pub id: Option<String>,
    /// Its classes, and perhaps others.
    pub classes: Vec<String>,
}

/// What is said about bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binary {
    /// Their media type; `None` = what the upstream says.
    pub media_type: Option<String>,
    /// The most bytes that are a result.
    pub max_size: Option<u64>,
}

/// How an upstream request is made from an operation's input.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The HTTP method in capitals.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// `host[:port]`.
    pub authority: String,
    /// The path; text and values in turn.
    pub path: Vec<PathPart>,
    /// The query parameters, in the order in which they are sent.
    pub query: Vec<QueryParameter>,
    /// The header fields.
    pub headers: Vec<NamedValue>,
    /// The cookies.
    pub cookies: Vec<NamedValue>,
    /// The body.
    pub body: Body,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum PathPart {
    /// Sent as it is; already encoded.
    Literal(String),
    /// Sent as a part of one segment: percent-encoded, never empty, never `.` or `..`.
    Value(Value),
    /// The input of this name, sent as it came: segments that never climb.
    Rest(String),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The member of the input of this name; absent or null = not sent.
    Input(String),
    /// A JSON value that never changes.
    Constant(Json),
    /// Text with inputs in it; an absent input makes the whole value absent.
    Template(Vec<TemplatePart>),
    /// What an earlier step of the flow has led to.
    Step(Part),
}

/// A part of a text template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text.
    Text(String),
    /// The input of this name, as text.
    Input(String),
    /// What an earlier step of the flow has led to, as text.
    Step(Part),
}

/// A name with a value.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedValue {
    /// The name on the wire.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// A query parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryParameter {
    /// The key on the wire.
    pub name: String,
    /// The value.
    pub value: Value,
    /// How an array or object is written.
    pub style: QueryStyle,
}

/// How an array or object is written in a query (OpenAPI 3.1, `style` and `explode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryStyle {
    /// `form`, exploded: the key repeated; an object's members as keys of their own.
    FormExploded,
    /// `form`: one key, the items between commas.
    Form,
    /// `spaceDelimited`: one key, the items between `%20`.
    SpaceDelimited,
    /// `pipeDelimited`: one key, the items between `%7C`.
    PipeDelimited,
    /// `deepObject`: `key[member]=value`.
    DeepObject,
    /// The value is a query, sent as it came, but for the keys of other parameters.
    Verbatim,
}

/// A request's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// None.
    Empty,
    /// One value is the whole JSON document.
    Json(Value),
    /// A JSON object of these members; an absent value is left out.
    JsonMembers(Vec<NamedValue>),
    /// A JSON document made of nodes, the first of which is its root.
    JsonTree(Vec<JsonNode>),
    /// Text.
    Text(TextBody),
    /// A form, `application/x-www-form-urlencoded`.
    Form(Vec<NamedValue>),
    /// A form, `multipart/form-data`.
    Multipart(Vec<FormPart>),
    /// What the caller sends along, unread.
    Streamed,
}

/// A part of a JSON document. The parts of a node come after it.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonNode {
    /// A value; a constant stands as it is, null too.
    Value(Value),
    /// An object, of names and nodes. A member whose value is absent is left out.
    Object(Vec<(String, u32)>),
    /// An array of nodes. An absent item is left out.
    Array(Vec<u32>),
}

/// A body that is text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextBody {
    /// Its type, if no header says another.
    pub media_type: String,
    /// Text and values in turn.
    pub parts: Vec<TextPart>,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextPart {
    /// Text.
    Text(String),
    /// A value, and how it is written.
    Hole(Value, Escape),
}

/// How a value is written into a text, so that it can't end what it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    None,
    /// As text of XML.
    Xml,
    /// As a name or value of a form.
    Form,
    /// Inside the quotes of a SPARQL string.
    SparqlString,
    /// Between the angle brackets of a SPARQL address.
    SparqlIri,
    /// Anywhere else in a SPARQL query.
    SparqlTerm,
}

/// A part of a form.
#[derive(Clone, Debug, PartialEq)]
pub struct FormPart {
    /// The field's name.
    pub name: String,
    /// Its contents.
    pub value: Value,
    /// The name of the file that it is, if it is one.
    pub filename: Option<Value>,
    /// Its media type, if stated.
    pub content_type: Option<Value>,
}
