//! What a provider offers and needs, in plain types: the meaning of `wit/types.wit` inside the host.
//!
//! No validation here (`component::check` refuses bad descriptions) and no wire format: MCP, OpenAPI and WIT each convert by hand.

mod consent;
mod content;
mod dialogue;
mod document;
mod effect;
mod events;
mod optional;
mod origin;
mod token;

use serde_json::Value;

pub use self::{
    consent::{Consent, Ticket, Unconfirmed},
    content::{Blob, Content, Contents, Link, Message, Resource, Role, is_json},
    dialogue::{Abilities, Answer, AnswerValue, Dialogue, Question, QuestionRequest, Questions, Root},
    document::{Facts, Freshness, Piece, ReadByOperation, UriTemplate, WrittenMessage, WrittenPrompt},
    effect::{BadEffect, Effect},
    events::{Event, Events, Level, Listener},
    optional::{FilledIn, Offers, Prompt, PromptMessages, PromptParameter, ResourceTemplate, Subject, Suggestions},
    origin::{Origin, Origins},
    token::TokenRequest,
};

/// What a provider offers and what it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// A short name for people.
    pub title: String,
    /// What the capability is for; becomes part of the instructions that an MCP client reads.
    pub summary: String,
    /// The operations, each name once, in the order of every listing.
    pub operations: Vec<Operation>,
    /// Every destination that the provider will ask for.
    pub upstreams: Vec<Upstream>,
}

/// One thing that a caller can ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Identifies the operation within the provider: `[A-Za-z0-9_.-]{1,128}`.
    pub name: String,
    /// A display name.
    pub title: Option<String>,
    /// What the operation does, written for an agent that must choose.
    pub description: String,
    /// JSON Schema (2020-12) of the input, of type `object`.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of a successful result, if known.
    pub output_schema: Option<Value>,
    /// What a call can change.
    pub effects: Effects,
    /// Whose calls it takes.
    pub audience: Audience,
    /// Where it is reachable over REST; absent = not served over REST.
    pub route: Option<Route>,
    /// The name of its MCP tool; absent = not served over MCP.
    pub tool: Option<String>,
}

/// Hints about what a call can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effects {
    /// A call changes nothing upstream.
    pub read_only: bool,
    /// A call may delete or overwrite what can't be restored.
    pub destructive: bool,
    /// Calling again with the same input changes nothing more.
    pub idempotent: bool,
    /// A call touches things outside the provider.
    pub open_world: bool,
}

/// Whose calls an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Those of everybody whom the host lets in.
    Anyone,
    /// Those of callers that the host knows by name, and of its operator.
    Known,
}

/// Where an operation is reachable over REST and which part of the request fills which input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// An HTTP method in capitals.
    pub method: String,
    /// An absolute path whose variables are whole segments: `/v1/users/{id}`. The only one may be all that remains: `/files/{*path}`.
    pub path: String,
    /// How the inputs are filled; an input that is listed nowhere can't be given over REST.
    pub parameters: Vec<Parameter>,
}

impl Route {
    /// Whether one of its parameters is in this part of the request.
    pub fn has(&self, location: Location) -> bool {
        self.parameters.iter().any(|parameter| parameter.location == location)
    }
}

#[cfg(test)]
impl Operation {
    /// An operation of this name, for tests that look at nothing else.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: None,
            description: String::new(),
            input_schema: serde_json::json!({"type": "object"}),
            output_schema: None,
            effects: Effects { read_only: false, destructive: false, idempotent: false, open_world: true },
            audience: Audience::Anyone,
            route: None,
            tool: None,
        }
    }
}

/// The longest name of what a plugin offers: the most that MCP allows for a tool.
pub const MAX_NAME: usize = 128;

/// What [`is_name`] allows, for messages.
pub const NAME_RULE: &str = "1 to 128 of A-Z a-z 0-9 _ . -";

/// Whether a text can name something that a plugin offers. The rule is MCP's for tools, so that every operation can be one.
pub fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// The variable of a path's segment, and whether it stands for all that remains of the path.
pub fn variable(segment: &str) -> Option<(&str, Extent)> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    Some(name.strip_prefix('*').map_or((name, Extent::Segment), |name| (name, Extent::Rest)))
}

/// How much of a path a variable stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One segment.
    Segment,
    /// All that remains, one segment or more.
    Rest,
}

/// The paths that are the host's own over REST, each with everything below it: what describes the host to its clients.
const RESERVED: [&str; 4] = ["/openapi.json", "/openapi", "/docs", "/.well-known"];

/// Whether a path is the host's own: no plugin can have it.
pub fn is_reserved(path: &str) -> bool {
    let is_below = |it: &str| path.strip_prefix(it).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    RESERVED.into_iter().any(is_below)
}

/// The tool by which a client finds others.
pub const SEARCH_TOOLS: &str = "search_tools";

/// The tool by which a client calls those that it has found.
pub const CALL_TOOL: &str = "call_tool";

/// Whether a tool's name is the host's own: a plugin's of this name has the plugin's before it, always, so that it doesn't depend on
/// how many others there are which of the two is meant.
pub fn is_reserved_tool(name: &str) -> bool {
    [SEARCH_TOOLS, CALL_TOOL].contains(&name)
}

/// One part of an HTTP request that fills one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The input it fills: a member of the operation's input object.
    pub input: String,
    /// The part of the request.
    pub location: Location,
    /// Its name on the wire; unused for `Body`.
    pub name: String,
}

/// A part of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A variable of the route's path.
    Path,
    /// A key of the query.
    Query,
    /// A header field.
    Header,
    /// A cookie.
    Cookie,
    /// The whole body.
    Body,
    /// One member of the body, a JSON object.
    BodyMember,
    /// The whole query as it came.
    RawQuery,
    /// The whole body, bytes of any type. Fills no input.
    RawBody,
}

/// A destination that a provider will ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `scheme://host[:port][/prefix]`.
    pub base_url: String,
    /// The HTTP methods that it will use, in capitals.
    pub methods: Vec<String>,
    /// What the host adds to each request to this destination.
    pub credentials: Vec<Credential>,
    /// Which requests it is for: those that carry this name in [`UPSTREAM_HEADER`], or all.
    pub name: Option<String>,
}

/// What the hosts end in of upstreams whose address only the operator knows: the grant has to lead them somewhere. No name in the DNS
/// ends so (RFC 2606), so that nobody is asked where it doesn't.
pub const PLACEHOLDER: &str = ".invalid";

/// Header fields that belong to the connection (RFC 9110, section 7.6.1, and what frames a message): how a request is sent is the host's affair.
pub const CONNECTION_HEADERS: [&str; 9] =
    ["host", "connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// The header field by which a request says which of a plugin's upstreams it means. It never leaves the host.
pub const UPSTREAM_HEADER: &str = "airlock-upstream";

/// A credential: where it goes, and which secrets it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Where in the request it goes.
    pub placement: Placement,
    /// The value, in which `{{NAME}}` stands for the secret that the operator grants under that name.
    pub value: String,
}

/// Where in a request a credential goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The header field of this name.
    Header(String),
    /// The query key of this name.
    Query(String),
    /// The `Authorization` header by RFC 7617; the credential's value is `user:password`.
    Basic,
    /// The `Authorization` header by RFC 7616, in answer to the upstream's challenge; the credential's value is `user:password`.
    Digest,
    /// The `Authorization` header with an access token that the host fetches; the credential's value is the client's secret.
    OAuth2(TokenRequest),
}

impl Credential {
    /// The names of the secrets that it asks for, in their order, with repetitions.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        let client = match &self.placement {
            Placement::OAuth2(request) => request.client_id.as_str(),
            Placement::Header(_) | Placement::Query(_) | Placement::Basic | Placement::Digest => "",
        };
        [client, self.value.as_str()].into_iter().flat_map(names_in)
    }
}

/// The names of the secrets that stand in a template.
pub(crate) fn names_in(template: &str) -> impl Iterator<Item = &str> {
    template.split("{{").skip(1).filter_map(|rest| rest.split_once("}}").map(|(name, _)| name.trim()))
}

impl Upstream {
    /// The names of the secrets that all credentials ask for.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.credentials.iter().flat_map(Credential::secret_names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for (name, ok) in [("a.b_C-9", true), ("", false), ("a b", false), ("é", false), ("a/b", false)] {
            assert_eq!(is_name(name), ok, "{name}");
        }
        assert!(is_name(&"x".repeat(128)) && !is_name(&"x".repeat(129)));
    }
}
