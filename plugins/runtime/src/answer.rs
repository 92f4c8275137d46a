//! What becomes of an upstream's answer: handed on unread, or read and made into another value.
//!
//! Only what succeeded is read. Errors and redirects are handed on, whatever the document makes of results: the host renders them.

use airlock_sdk::{Failure, Reply, http::Response};

use crate::{bindings::airlock::capability::plan, request::Input};
#[cfg(feature = "results")]
use crate::{reading::Reading, shape::Shape};

/// What the plan says about an answer, ready to be carried out.
#[derive(Debug)]
pub enum Answer {
    /// Handed on unread: the host streams it to the caller.
    HandedOn,
    /// Read.
    #[cfg(feature = "results")]
    Read(Reading),
}

impl Answer {
    /// Prepares what the plan says.
    ///
    /// # Errors
    /// As `Shape::compile`.
    pub fn compile(plan: plan::Answer) -> Result<Self, String> {
        Ok(match plan {
            plan::Answer::HandedOn => Self::HandedOn,
            #[cfg(feature = "results")]
            plan::Answer::Shaped(it) => Self::Read(Reading::Shaped(it.format, Shape::compile(&it.shape)?)),
            #[cfg(feature = "results")]
            plan::Answer::Binary(it) => Self::Read(Reading::Binary(it)),
            #[cfg(not(feature = "results"))]
            plan::Answer::Shaped(_) | plan::Answer::Binary(_) => return Err(crate::HANDS_ON_ONLY.to_owned()),
        })
    }

    /// Makes the reply of a response.
    ///
    /// # Errors
    /// As `Reading::reply`.
    #[cfg_attr(not(feature = "results"), allow(unused_variables, reason = "results are made of it"))]
    pub fn reply(&self, response: Response, input: &Input<'_>) -> Result<Reply, Failure> {
        match self {
            Self::HandedOn => Ok(response.hand_on()),
            #[cfg(feature = "results")]
            Self::Read(reading) => reading.reply(response, input),
        }
    }
}
