//! What becomes of an upstream's answer: handed on unread, or read and made into another value.
//!
//! Only what succeeded is read. Errors and redirects are handed on, whatever the document makes of results: the host renders them.

use airlock_sdk::{Blob, Content, EmbeddedResource, Failure, Reply, ResourceContents, http::Response};

use serde_json::Value as Json;

use crate::{
    bindings::airlock::capability::plan::{self, Binary, RawFormat},
    format,
    request::Input,
    shape::Shape,
};

/// The address of bytes that have none, where one is asked for.
const RESULT: &str = "airlock:result";

/// What the plan says about an answer, ready to be carried out.
#[derive(Debug)]
pub enum Answer {
    /// Handed on unread: the host streams it to the caller.
    HandedOn,
    /// Read and made into another value.
    Shaped(RawFormat, Shape),
    /// Bytes that are checked or named, and not looked into.
    Binary(Binary),
}

impl Answer {
    /// Prepares what the plan says.
    ///
    /// # Errors
    /// As [`Shape::compile`].
    pub fn compile(plan: plan::Answer) -> Result<Self, String> {
        Ok(match plan {
            plan::Answer::HandedOn => Self::HandedOn,
            plan::Answer::Shaped(it) => Self::Shaped(it.format, Shape::compile(&it.shape)?),
            plan::Answer::Binary(it) => Self::Binary(it),
        })
    }

    /// Makes the reply of a response.
    ///
    /// # Errors
    /// `unavailable` for an answer that breaks off, is larger than the document or the grant allows, or isn't what it should be.
    pub fn reply(&self, response: Response, input: &Input<'_>) -> Result<Reply, Failure> {
        if !is_result(&response) {
            return Ok(response.hand_on());
        }
        match self {
            Self::HandedOn => Ok(response.hand_on()),
            Self::Shaped(format, shape) => {
                let bytes = response.bytes()?;
                // Nothing says beforehand that an answer in chunks is empty.
                let answer = match format {
                    RawFormat::Json if bytes.is_empty() => Json::Null,
                    _ => format::read(format, bytes).map_err(unusable)?,
                };
                Ok(Reply::Structured(shape.apply(&answer, input)))
            }
            Self::Binary(binary) => bytes(binary, response),
        }
    }
}

/// Whether there is a result to be read: the request succeeded, and the answer isn't empty.
fn is_result(response: &Response) -> bool {
    let is_empty = || response.header("content-length").is_some_and(|length| length == "0");
    matches!(response.status(), 200..=299) && !matches!(response.status(), 204 | 205) && !is_empty()
}

/// Hands bytes on unread where their size is known and their name isn't changed.
fn bytes(binary: &Binary, response: Response) -> Result<Reply, Failure> {
    let stated = response.header("content-length").and_then(|length| length.parse::<u64>().ok());
    if let Some(size) = stated {
        check_size(size, binary)?;
        if binary.media_type.is_none() {
            return Ok(response.hand_on());
        }
    }
    let of_upstream = response.header("content-type");
    let media_type = binary.media_type.clone().or(of_upstream).unwrap_or_else(|| "application/octet-stream".to_owned());
    let data = response.bytes()?;
    check_size(data.len() as u64, binary)?;
    Ok(Reply::Content(vec![block(media_type, data)]))
}

fn check_size(size: u64, binary: &Binary) -> Result<(), Failure> {
    match binary.max_size {
        Some(most) if size > most => Err(unusable(format!("of {size} bytes, and maxBinarySize allows {most}"))),
        _ => Ok(()),
    }
}

fn block(media_type: String, data: Vec<u8>) -> Content {
    match media_type.split('/').next() {
        Some("image") => Content::Image(Blob { media_type, data }),
        Some("audio") => Content::Audio(Blob { media_type, data }),
        _ => Content::Resource(EmbeddedResource {
            uri: RESULT.to_owned(),
            media_type: Some(media_type),
            contents: ResourceContents::Binary(data),
        }),
    }
}

fn unusable(what: impl std::fmt::Display) -> Failure {
    Failure::Unavailable(format!("the upstream's answer is {what}"))
}
