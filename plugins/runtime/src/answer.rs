//! What becomes of an upstream's answer: handed on unread, or read and made into another value.
//!
//! Only what succeeded is read. Errors and redirects are handed on, whatever the document makes of results: the host renders them.

use airlock_sdk::{Failure, Reply, http::Response};

use crate::{bindings::airlock::capability::plan, request::Input, shape::Shape};

/// What the plan says about an answer, ready to be carried out.
#[derive(Debug)]
pub enum Answer {
    /// Handed on unread: the host streams it to the caller.
    HandedOn,
    /// Read as JSON and made into another value.
    Shaped(Shape),
}

impl Answer {
    /// Prepares what the plan says.
    ///
    /// # Errors
    /// As [`Shape::compile`].
    pub fn compile(plan: plan::Answer) -> Result<Self, String> {
        Ok(match plan {
            plan::Answer::HandedOn => Self::HandedOn,
            plan::Answer::Shaped(nodes) => Self::Shaped(Shape::compile(&nodes)?),
        })
    }

    /// Makes the reply of a response.
    ///
    /// # Errors
    /// `unavailable` for an answer that breaks off, is larger than the grant allows, or isn't what it should be.
    pub fn reply(&self, response: Response, input: &Input<'_>) -> Result<Reply, Failure> {
        match self {
            Self::Shaped(shape) if is_result(&response) => Ok(Reply::Structured(shape.apply(&response.json()?, input))),
            Self::HandedOn | Self::Shaped(_) => Ok(response.hand_on()),
        }
    }
}

/// Whether there is a result to be read: the request succeeded, and the answer isn't empty.
fn is_result(response: &Response) -> bool {
    let is_empty = || response.header("content-length").is_some_and(|length| length == "0");
    matches!(response.status(), 200..=299) && !matches!(response.status(), 204 | 205) && !is_empty()
}
