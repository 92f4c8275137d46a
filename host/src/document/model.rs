//! What a document says, before its references are followed. Each shape of the format lowers into this one.
//!
//! Reading goes on after an error with what it has, so a part may be incomplete; then the report holds an error.

mod flow;
mod pages;

use serde_json::{Map, Value as Json};

use super::plan::{Binary, Body, QueryStyle, RawFormat, Shape, Value};
pub use super::secrets::Secrets;
use super::tree::{Place, Placed};
use super::uri::{BaseUri, PathTemplate};
use crate::contract::{Audience, Credential, Freshness, Location, Resource, UriTemplate, WrittenPrompt};

pub use flow::{Flow, Lookup, Mapping, Reference, Semantics, SharedFlow, Step, Task};
pub use pages::{Paginate, Pagination};

/// A whole document.
#[derive(Debug)]
pub struct Document {
    /// The name for people, if there is one.
    pub title: Option<String>,
    /// What the capability is for.
    pub summary: String,
    /// The secrets that it binds.
    pub secrets: Secrets,
    /// The APIs that it calls.
    pub consumes: Vec<Consumes>,
    /// The flows of its aggregates.
    pub flows: Vec<SharedFlow>,
    /// What it offers, in the order of the document.
    pub exposures: Vec<Exposure>,
    /// What it hands on.
    pub forwards: Vec<Forward>,
    /// What it suggests to ask a model.
    pub prompts: Vec<WrittenPrompt>,
    /// How long what is listed and read may be kept.
    pub freshness: Freshness,
}

/// A resource whose requests are handed on.
#[derive(Debug)]
pub struct Forward {
    /// The path as routes have it; all that remains is `{*name}`.
    pub path: String,
    /// The variable that stands for it, if there is one.
    pub rest: Option<String>,
    /// The namespace of the API.
    pub target: Placed<String>,
    /// The header fields that are handed on, in small letters.
    pub headers: Vec<String>,
    /// What its operations' names begin with.
    pub name: String,
    /// Whose calls they take.
    pub audience: Audience,
    /// A display name.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// An API that is called.
#[derive(Debug)]
pub struct Consumes {
    /// How `call` names it.
    pub namespace: Placed<String>,
    /// Where it is; `None` if that can't be used.
    pub base: Option<BaseUri>,
    /// What the host adds to each request.
    pub credentials: Vec<Credential>,
    /// The parameters that all requests have.
    pub shared: Vec<Parameter>,
    /// Its operations.
    pub operations: Vec<Consumed>,
    /// Where it stands, if it says nothing of resources: then it is there to be forwarded to.
    pub without_resources: Option<Place>,
}

/// An operation of an API that is called.
#[derive(Debug)]
pub struct Consumed {
    /// How `call` names it.
    pub name: Placed<String>,
    /// A display name.
    pub title: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// The HTTP method in capitals.
    pub method: String,
    /// The path, its variables named as the parameters that fill them; `None` if it can't be used.
    pub path: Option<PathTemplate>,
    /// The parameters, each name once.
    pub parameters: Vec<Parameter>,
    /// What is sent, its inputs named as the parameters that fill them; `None` = what the parameters in the body say.
    pub body: Option<Body>,
    /// The schema of its result.
    pub output_schema: Option<Json>,
    /// What its answer is.
    pub answer: RawAnswer,
    /// What the later steps of a flow see of it; `None` = all of it. A result that is made of one answer alone is made of the answer, not of
    /// this.
    pub seen: Option<Shape>,
    /// What the host adds to its requests, where that isn't what it adds to those of the API.
    pub credentials: Option<Vec<Credential>>,
    /// How its pages follow each other, if that is said, and where; `None` inside after an error.
    pub pagination: Option<Placed<Option<Pagination>>>,
}

/// What the answer of a consumed operation is.
#[derive(Clone, Debug)]
pub enum RawAnswer {
    /// Something that can be read.
    Data(RawFormat),
    /// Bytes.
    Bytes(Binary),
}

/// A parameter of a consumed operation, or an input of an exposed one.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: Placed<String>,
    /// The part of the request; a tool's inputs have none.
    pub location: Option<Location>,
    /// JSON Schema with the description; empty if the document says nothing.
    pub schema: Map<String, Json>,
    /// Whether it must be given, if stated.
    pub required: Option<bool>,
    /// How an array or object is written.
    pub style: QueryStyle,
    /// The value that it always has.
    pub constant: Option<Json>,
}

/// Something that is offered: a REST operation or an MCP tool.
#[derive(Debug)]
pub struct Exposure {
    /// How it is reached.
    pub surface: Surface,
    /// Whose calls it takes.
    pub audience: Audience,
    /// Its name; a REST operation may have none.
    pub name: Option<Placed<String>>,
    /// A display name.
    pub title: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// What it does when it is called.
    pub action: Action,
    /// The declared inputs; `None` = derived.
    pub inputs: Option<Vec<Parameter>>,
    /// What its result is made of; `None` = the answer, as it comes.
    pub outputs: Option<Outputs>,
    /// The schema of its result, as stated.
    pub output_schema: Option<Json>,
    /// The most bytes that it hands on of something binary.
    pub max_binary: Option<u64>,
    /// That its result is bytes, if that is said, and of which media type.
    pub bytes: Option<Placed<Option<String>>>,
}

/// What a result is made of.
#[derive(Debug)]
pub struct Outputs {
    /// How it is made.
    pub shape: Shape,
    /// JSON Schema of what is made.
    pub schema: Json,
    /// The inputs that it is made of, beside the answer.
    pub parameters: Vec<Parameter>,
}

/// What an exposure does when it is called.
#[derive(Debug)]
pub enum Action {
    /// Calls a consumed operation.
    Call(Call),
    /// Carries out several steps.
    Flow(Flow),
    /// Does what a flow of an aggregate does.
    Reference(Reference),
    /// Calls nothing: the result is made of the inputs.
    Mock(Place),
    /// Calls nothing: the result is always this.
    Constant(Placed<Resource>),
}

/// A call of a consumed operation.
#[derive(Debug)]
pub struct Call {
    /// The operation.
    pub operation: Placed<String>,
    /// What each of its parameters gets.
    pub with: With,
    /// That all its pages are asked for.
    pub paginate: Option<Paginate>,
}

/// How an exposure is reached.
#[derive(Debug)]
pub enum Surface {
    /// Over REST; `None` if method or path can't be used.
    Rest(Option<RestRoute>),
    /// As an MCP tool.
    Tool(Hints),
    /// As an MCP resource.
    Resource(Readable),
}

/// How a resource is read.
#[derive(Debug)]
pub struct Readable {
    /// Its URI; `None` if that can't be used.
    pub uri: Option<Placed<UriTemplate>>,
    /// Its media type, if stated.
    pub media_type: Option<String>,
    /// Whether it is read as bytes.
    pub binary: bool,
    /// How many bytes it has, if that never changes.
    pub size: Option<u64>,
}

/// The method and path of a REST operation.
#[derive(Debug)]
pub struct RestRoute {
    /// The HTTP method in capitals.
    pub method: Placed<String>,
    /// The path, each variable a whole segment.
    pub path: Placed<PathTemplate>,
}

/// What a tool says about its effects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// Changes nothing.
    pub read_only: Option<bool>,
    /// May delete or overwrite.
    pub destructive: Option<bool>,
    /// May be repeated.
    pub idempotent: Option<bool>,
    /// Touches things outside.
    pub open_world: Option<bool>,
}

/// What the parameters of the called operation get.
#[derive(Debug)]
pub enum With {
    /// Each the input of its name.
    SameNames,
    /// These what they say, the others nothing.
    Arguments(Vec<Argument>),
    /// An error is reported; what else would be said about inputs and parameters would be wrong.
    Unreadable,
}

/// What one parameter of the called operation gets.
#[derive(Debug)]
pub struct Argument {
    /// The parameter.
    pub parameter: Placed<String>,
    /// The value.
    pub value: Placed<Value>,
}

impl Action {
    /// Where the document says it.
    pub fn at(&self) -> &Place {
        match self {
            Self::Call(call) => &call.operation.at,
            Self::Flow(flow) => &flow.at,
            Self::Reference(reference) => &reference.flow.at,
            Self::Mock(at) => at,
            Self::Constant(resource) => &resource.at,
        }
    }
}

impl Parameter {
    /// An input that is text and needn't be given, because something says its name.
    pub fn input(at: &Place, name: &str) -> Self {
        Self {
            name: Placed { at: at.clone(), value: name.to_owned() },
            location: None,
            schema: Map::from_iter([("type".to_owned(), "string".into())]),
            required: None,
            style: QueryStyle::FormExploded,
            constant: None,
        }
    }

    /// Whether a call without it can't be made.
    pub fn is_required(&self) -> bool {
        self.location == Some(Location::Path) || self.required.unwrap_or(false)
    }
}

impl Consumes {
    /// The name of the upstream that an operation's requests mean, if it has credentials of its own.
    pub fn upstream_of(&self, operation: &Consumed) -> Option<String> {
        operation.credentials.as_ref()?;
        Some(format!("{}.{}", self.namespace.value, operation.name.value))
    }
}

impl Consumed {
    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name.value == name)
    }
}

/// One parameter in the body is the whole body; several are members of one object.
pub fn settle_body<'a>(locations: impl IntoIterator<Item = &'a mut Location>) {
    let in_body = |location: &&mut Location| matches!(location, Location::Body | Location::BodyMember);
    let mut locations: Vec<_> = locations.into_iter().filter(in_body).collect();
    if locations.len() > 1 {
        for location in &mut locations {
            **location = Location::BodyMember;
        }
    }
}
