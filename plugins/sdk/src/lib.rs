//! The guest library: what a capability provider written in Rust needs and no more.
//!
//! It doesn't hide the contract: [`Description`], [`Reply`] and [`Failure`] are the types of `wit/types.wit`. It adds what every
//! provider would write again: the export macro, HTTP requests ([`http`]) and a few conversions.
//!
//! Two functions make a provider. One that wants more finds it in [`events`] (progress and messages), [`dialogue`] (questions to the
//! caller), [`body`] (uploads), [`resources`], [`prompts`] and [`completions`].
//!
//! ```no_run
//! use airlock_sdk::{Description, Failure, Provider, Reply, http::Request};
//!
//! struct Motd;
//!
//! impl Provider for Motd {
//!     fn describe() -> Result<Description, Failure> {
//!         # let (title, summary) = ("Motd".to_owned(), "Says something every day.".to_owned());
//!         # Ok(Description { title, summary, operations: Vec::new(), upstreams: Vec::new() })
//!     }
//!     fn call(operation: String, _input: String) -> Result<Reply, Failure> {
//!         match operation.as_str() {
//!             "today" => Ok(Request::get("https://api.example.com/motd").send()?.hand_on()),
//!             other => Err(Failure::Internal(format!("no such operation: {other}"))),
//!         }
//!     }
//! }
//!
//! # #[cfg(target_family = "wasm")]
//! airlock_sdk::export!(Motd with_types_in airlock_sdk::bindings);
//! # fn main() {}
//! ```

pub mod bindings;
pub mod body;
pub mod completions;
pub mod dialogue;
pub mod http;
pub mod prompts;
pub mod resources;

pub use bindings::{
    airlock::capability::{
        dialogue::{AnswerValue, Root, Sample},
        events,
        types::{
            Argument, Audience, Blob, Content, Credential, Description, Effects, Elicitation, EmbeddedResource,
            Failure, InputError, Json, Location, Message, Operation, Parameter, Placement, Question, QuestionRequest,
            Questions, Reply, RequestFailure, ResourceContents, ResourceLink, Role, Route, Sampling, Upstream,
            UpstreamError,
        },
    },
    export,
    exports::airlock::capability::provider::Guest as Provider,
};

/// The failure for an input that conforms to its schema and still can't be used.
pub fn invalid_input(parameter: &str, message: impl Into<String>) -> Failure {
    Failure::InvalidInput(InputError { parameter: Some(parameter.to_owned()), message: message.into() })
}

/// The failure for a provider's own fault; the text goes to the operator's log.
pub fn internal(message: impl std::fmt::Display) -> Failure {
    Failure::Internal(message.to_string())
}
