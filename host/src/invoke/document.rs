//! What a document has besides operations, carried out by the host: reading a resource is a call of one of its operations, allowed, validated
//! and confirmed as any other, and a prompt is made of the words in the document.
//!
//! Whoever may call the operation may read by it; the reading itself is paid for where the door was passed.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::{Body, Invocation, Reply, Request, Upload, carry_out, read_body};
use crate::{
    callers::{Denied, Reach, Reading},
    catalog::OperationRef,
    coerce::{Encoding, Texts, coerce},
    conditions::Conditions,
    contract::{
        self, Content, Contents, Facts, FilledIn, Link, Prompt, PromptMessages, ReadByOperation, Resource,
        ResourceTemplate,
    },
    failure::{Failure, InputProblem},
};

/// The most bytes that are read of an upstream's answer for one resource: as many as the format takes for a binary result if nothing else
/// is said. A client has to keep all of it in memory, a third more where it is bytes.
const MAX_RESOURCE: usize = 10 << 20;

/// The most bytes of a prompt that is filled in. It becomes part of a conversation, and is as large as a request may be.
const MAX_PROMPT: usize = 4 << 20;

/// The most bytes of an upstream's error that are told: the reason stands at the beginning.
const MAX_ERROR: usize = 16 << 10;

/// The resources that a caller may read.
pub(super) fn links(facts: &Facts, reading: &Reading) -> Vec<Link> {
    readable(facts, reading).filter_map(ReadByOperation::link).collect()
}

/// The families of resources that a caller may read.
pub(super) fn templates(facts: &Facts, reading: &Reading) -> Vec<ResourceTemplate> {
    readable(facts, reading).filter_map(ReadByOperation::template).collect()
}

fn readable<'f>(facts: &'f Facts, reading: &Reading) -> impl Iterator<Item = &'f ReadByOperation> {
    let identity = &reading.caller().identity;
    let callable = readers(reading).filter(|it| identity.reaches(it) == Reach::Callable);
    let callable: HashSet<String> = callable.map(|it| it.operation().name.clone()).collect();
    facts.resources.iter().filter(move |it| callable.contains(&it.operation))
}

/// The operations by which can be read: clients read without asking, so one that changes something is none of them.
fn readers(reading: &Reading) -> impl Iterator<Item = OperationRef> {
    OperationRef::all(reading.plugin()).filter(|it| it.operation().effects.read_only)
}

/// Reads a resource: the first of which this can be the URI, one without variables before those with some.
pub(super) async fn read(request: Request, uri: String) -> Result<Option<Vec<Resource>>, Failure> {
    let Request { reading, dialogue } = request;
    let resources = reading.plugin().facts().map_or(&[][..], |facts| &facts.resources);
    let mut found: Vec<_> = resources.iter().filter_map(|it| Some((it, it.uri.read(&uri)?))).collect();
    found.sort_by_key(|(_, values)| !values.is_empty());
    let Some((resource, values)) = found.into_iter().next() else { return Ok(None) };
    let Some(operation) = readers(&reading).find(|it| it.operation().name == resource.operation) else {
        return Ok(None);
    };
    let input = input(&values, &operation.operation().input_schema)?;
    let permitted = match reading.caller().clone().may_call(operation) {
        Ok(permitted) => permitted,
        Err(Denied::Hidden) => return Ok(None),
        Err(Denied::Forbidden(forbidden)) => return Err(Failure::Forbidden(forbidden)),
    };
    let (conditions, upload) = (Conditions::default(), Upload::default());
    let reply = carry_out(Invocation { permitted, input, dialogue, conditions, upload }).await?;
    let (media_type, contents) = contents(reply, resource).await?;
    let media_type = resource.media_type.clone().or(media_type);
    Ok(Some(vec![Resource { uri, media_type, contents }]))
}

/// The input in a URI: its variables, decoded and of the types that the operation wants. Everything that is wrong is told.
fn input(values: &[(&str, &str)], schema: &Value) -> Result<Value, Failure> {
    let (mut input, mut problems) = (Map::new(), Vec::new());
    for (name, value) in values {
        match coerce(&Texts { values: vec![value], encoding: Encoding::Path }, &schema["properties"][name]) {
            Ok(value) => drop(input.insert((*name).to_owned(), value)),
            Err(misfit) => {
                let message = format!("{} (variable {name} of the URI)", misfit.message);
                problems.push(InputProblem { parameter: Some((*name).to_owned()), message });
            }
        }
    }
    match problems.is_empty() {
        true => Ok(Value::Object(input)),
        false => Err(Failure::InvalidInput(problems)),
    }
}

/// What a reply holds, and its media type.
async fn contents(reply: Reply, resource: &ReadByOperation) -> Result<(Option<String>, Contents), Failure> {
    let of_bytes = |data| match resource.binary {
        true => Contents::Binary(data),
        false => Contents::of_bytes(data),
    };
    Ok(match reply {
        Reply::Structured(json) => match serde_json::from_str::<String>(&json.text) {
            Ok(text) if is_text(resource) => (None, Contents::Text(text)),
            _ => (Some("application/json".to_owned()), Contents::Text(json.text)),
        },
        Reply::Content(blocks) => match blocks.into_iter().next() {
            None => (None, Contents::Text(String::new())),
            Some(Content::Text(text)) => (Some("text/plain".to_owned()), Contents::Text(text)),
            Some(Content::Image(blob) | Content::Audio(blob)) => (Some(blob.media_type), Contents::Binary(blob.data)),
            Some(Content::Resource(Resource { media_type, contents: Contents::Binary(data), .. })) => {
                (media_type, of_bytes(data))
            }
            Some(Content::Resource(Resource { media_type, contents, .. })) => (media_type, contents),
            Some(Content::Link(link)) => (Some("text/uri-list".to_owned()), Contents::Text(link.uri)),
        },
        Reply::Upstream(response) => {
            let (parts, body) = response.into_parts();
            // A redirect that wasn't followed holds nothing that was asked for.
            if !parts.status.is_success() {
                return Err(refused(parts.status.as_u16(), body).await);
            }
            let data = read_all(body).await?;
            (media_type(&parts.headers), of_bytes(data))
        }
    })
}

/// Whether a text is meant as it is, and not as a JSON document.
fn is_text(resource: &ReadByOperation) -> bool {
    resource.media_type.as_deref().is_some_and(|it| !contract::is_json(it))
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok().map(str::to_owned)
}

async fn refused(status: u16, mut body: Body) -> Failure {
    let said = read_body(&mut body, MAX_ERROR).await.unwrap_or_default();
    let end = said.len().min(MAX_ERROR);
    Failure::Upstream { status, message: String::from_utf8_lossy(&said[..end]).into_owned() }
}

async fn read_all(mut body: Body) -> Result<Bytes, Failure> {
    let read = read_body(&mut body, MAX_RESOURCE + 1).await?;
    match read.len() > MAX_RESOURCE {
        true => {
            Err(Failure::Unavailable(format!("its answer has more than {MAX_RESOURCE} bytes, too many for a resource")))
        }
        false => Ok(read),
    }
}

/// A prompt with its words; `None` if there is no such prompt.
///
/// # Errors
/// [`Failure::InvalidInput`] for arguments that it doesn't have, and for those with which it becomes too large.
pub(super) fn fill_in(
    facts: &Facts,
    prompt: &Prompt,
    arguments: &[FilledIn],
) -> Result<Option<PromptMessages>, Failure> {
    let unknown = arguments.iter().filter(|it| prompt.parameters.iter().all(|parameter| parameter.name != it.name));
    let problems: Vec<_> = unknown
        .map(|it| InputProblem {
            parameter: Some(it.name.clone()),
            message: "is no argument of this prompt".to_owned(),
        })
        .collect();
    if !problems.is_empty() {
        return Err(Failure::InvalidInput(problems));
    }
    let written = facts.prompts.iter().find(|written| written.prompt.name == prompt.name);
    match written.is_some_and(|written| written.size(arguments) > MAX_PROMPT) {
        true => Err(Failure::InvalidInput(vec![InputProblem {
            parameter: None,
            message: format!("the prompt would have more than {MAX_PROMPT} bytes with these arguments; shorten them"),
        }])),
        false => Ok(written.map(|written| written.fill_in(arguments))),
    }
}
