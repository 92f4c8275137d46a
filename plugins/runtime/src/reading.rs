//! Answers that are read: made into another value, or bytes that are checked or named.

use airlock_sdk::{Blob, Content, EmbeddedResource, Failure, Reply, ResourceContents, http::Response};

use crate::{
    bindings::airlock::capability::plan::{Binary, RawFormat},
    format,
    request::Input,
    shape::Shape,
};

/// The address of bytes that have none, where one is asked for.
const RESULT: &str = "airlock:result";

/// How an answer is read.
#[derive(Debug)]
pub enum Reading {
    /// Made into another value.
    Shaped(RawFormat, Shape),
    /// Bytes that are checked or named, and not looked into.
    Binary(Binary),
}

impl Reading {
    /// Makes the reply of a response. Only what succeeded is read.
    ///
    /// # Errors
    /// `unavailable` for an answer that breaks off, is larger than the document or the grant allows, or isn't what it should be.
    pub fn reply(&self, response: Response, input: &Input<'_>) -> Result<Reply, Failure> {
        if !is_result(&response) {
            return Ok(response.hand_on());
        }
        match self {
            Self::Shaped(format, shape) => shaped(format, shape, response, input),
            Self::Binary(binary) => bytes(binary, response),
        }
    }
}

fn shaped(format: &RawFormat, shape: &Shape, response: Response, input: &Input<'_>) -> Result<Reply, Failure> {
    let bytes = response.bytes()?;
    // Nothing says beforehand that an answer in chunks is empty.
    let answer = match format {
        RawFormat::Json if bytes.is_empty() => serde_json::Value::Null,
        _ => format::read(format, bytes).map_err(unusable)?,
    };
    Ok(Reply::Structured(shape.apply(&answer, input)))
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
