//! Between the types of `wit/` and the host's own, by hand. No decisions here but one: where the mediator knows why a request
//! failed, its word counts.

use serde::de::{Error as _, IgnoredAny};

use super::{Results, bindings::types as wit, dialogue, json::Room, refusals::Refusals};
use crate::{
    contract::{self, Blob, Content, Contents, Link, Message, Resource, Role},
    failure::{Failure, InputProblem},
    invoke::{MAX_VALUE, Reply, Structured},
};

/// A description that the host can't read.
#[derive(Debug, thiserror::Error)]
#[error("the {what} of operation {operation} is not a JSON text: {reason}")]
pub struct ContractError {
    what: &'static str,
    operation: String,
    reason: serde_json::Error,
}

pub(super) fn description(it: wit::Description, room: &mut Room) -> Result<contract::Description, ContractError> {
    let operations = it.operations.into_iter().map(|it| operation(it, room));
    Ok(contract::Description {
        title: it.title,
        summary: it.summary,
        operations: operations.collect::<Result<_, _>>()?,
        upstreams: it.upstreams.into_iter().map(upstream).collect(),
    })
}

fn operation(it: wit::Operation, room: &mut Room) -> Result<contract::Operation, ContractError> {
    let mut schema =
        |what, json: &str| room.read(json).map_err(|reason| ContractError { what, operation: it.name.clone(), reason });
    Ok(contract::Operation {
        input_schema: schema("input schema", &it.input_schema)?,
        output_schema: match &it.output_schema {
            Some(json) => Some(schema("output schema", json)?),
            None => None,
        },
        title: it.title,
        description: it.description,
        effects: contract::Effects {
            read_only: it.effects.read_only,
            destructive: it.effects.destructive,
            idempotent: it.effects.idempotent,
            open_world: it.effects.open_world,
        },
        audience: match it.audience {
            wit::Audience::Anyone => contract::Audience::Anyone,
            wit::Audience::Known => contract::Audience::Known,
        },
        route: it.route.map(route),
        tool: it.tool,
        name: it.name,
    })
}

fn route(it: wit::Route) -> contract::Route {
    let parameters = it.parameters.into_iter().map(|it| contract::Parameter {
        input: it.input,
        location: match it.location {
            wit::Location::Path => contract::Location::Path,
            wit::Location::Query => contract::Location::Query,
            wit::Location::Header => contract::Location::Header,
            wit::Location::Cookie => contract::Location::Cookie,
            wit::Location::Body => contract::Location::Body,
            wit::Location::BodyMember => contract::Location::BodyMember,
            wit::Location::RawQuery => contract::Location::RawQuery,
            wit::Location::RawBody => contract::Location::RawBody,
        },
        name: it.name,
    });
    contract::Route { method: it.method, path: it.path, parameters: parameters.collect() }
}

fn upstream(it: wit::Upstream) -> contract::Upstream {
    let credentials = it.credentials.into_iter().map(|it| contract::Credential {
        placement: match it.placement {
            wit::Placement::Header(name) => contract::Placement::Header(name),
            wit::Placement::Query(name) => contract::Placement::Query(name),
            wit::Placement::Basic => contract::Placement::Basic,
            wit::Placement::Digest => contract::Placement::Digest,
            wit::Placement::Oauth2(it) => contract::Placement::OAuth2(contract::TokenRequest {
                url: it.url,
                client_id: it.client_id,
                scope: it.scope,
                audience: it.audience,
                resource: it.resource,
            }),
        },
        value: it.value,
    });
    contract::Upstream { base_url: it.base_url, methods: it.methods, credentials: credentials.collect(), name: it.name }
}

pub(super) fn failure(it: wit::Failure, refusals: &Refusals, room: &mut Room) -> Failure {
    match (it, refusals.latest()) {
        (wit::Failure::InputRequired(it), _) => match dialogue::questions(it, room) {
            Ok(questions) => Failure::InputRequired(Box::new(questions)),
            Err(bad) => bad,
        },
        (wit::Failure::InvalidInput(it), _) => {
            Failure::InvalidInput(vec![InputProblem { parameter: it.parameter, message: it.message }])
        }
        // A status outside of the errors would make a success of a failure.
        (wit::Failure::Upstream(it), _) => Failure::Upstream { status: it.status.clamp(400, 599), message: it.message },
        (wit::Failure::Unavailable(_) | wit::Failure::TimedOut(_) | wit::Failure::Denied(_), Some(refusal)) => {
            Failure::Egress(refusal)
        }
        (wit::Failure::RequestFailed(it), _) => match refusals.of(it.number) {
            Some(refusal) => Failure::Request { purpose: it.purpose, refusal },
            None => Failure::Unavailable(format!("{}: {}", it.purpose, it.reason)),
        },
        (wit::Failure::Unavailable(message) | wit::Failure::TimedOut(message), None) => Failure::Unavailable(message),
        (wit::Failure::Denied(message), None) => {
            Failure::Provider { message: format!("it says that a request was denied, but none was: {message}") }
        }
        (wit::Failure::Internal(message), _) => Failure::Provider { message },
    }
}

pub(super) fn structured(text: String, results: Results, room: &mut Room) -> Result<Reply, Failure> {
    // What would be too much for one door is too much for each.
    let room = room.take(text.as_bytes()).map_err(serde_json::Error::custom);
    let value = room.and_then(|()| match results {
        Results::Values if text.len() <= MAX_VALUE => serde_json::from_str(&text).map(Some),
        Results::Values | Results::Texts => serde_json::from_str(&text).map(|IgnoredAny| None),
    });
    match value {
        Ok(value) => Ok(Reply::Structured(Structured { text, value })),
        Err(e) => Err(Failure::BadReply { reason: format!("its structured result is not a JSON text: {e}") }),
    }
}

pub(super) fn content(blocks: Vec<wit::Content>) -> Result<Reply, Failure> {
    blocks.into_iter().map(block).collect::<Result<_, _>>().map(Reply::Content)
}

fn block(it: wit::Content) -> Result<Content, Failure> {
    let blob = |it: wit::Blob| Ok(Blob { media_type: media_type(it.media_type)?, data: it.data.into() });
    match it {
        wit::Content::Text(text) => Ok(Content::Text(text)),
        wit::Content::Image(it) => blob(it).map(Content::Image),
        wit::Content::Audio(it) => blob(it).map(Content::Audio),
        wit::Content::Resource(it) => resource(it).map(Content::Resource),
        wit::Content::ResourceLink(it) => link(it).map(Content::Link),
    }
}

pub(super) fn resource(it: wit::EmbeddedResource) -> Result<Resource, Failure> {
    Ok(Resource {
        uri: uri(it.uri)?,
        media_type: it.media_type.map(media_type).transpose()?,
        contents: match it.contents {
            wit::ResourceContents::Text(text) => Contents::Text(text),
            wit::ResourceContents::Binary(data) => Contents::Binary(data.into()),
        },
    })
}

pub(super) fn link(it: wit::ResourceLink) -> Result<Link, Failure> {
    Ok(Link {
        uri: uri(it.uri)?,
        name: it.name,
        title: it.title,
        description: it.description,
        media_type: it.media_type.map(media_type).transpose()?,
        size: it.size,
    })
}

pub(super) fn message(it: wit::Message) -> Result<Message, Failure> {
    let role = match it.role {
        wit::Role::User => Role::User,
        wit::Role::Assistant => Role::Assistant,
    };
    Ok(Message { role, content: block(it.content)? })
}

/// Takes what can stand in a header: `type/subtype`, with parameters or without.
pub(super) fn media_type(it: String) -> Result<String, Failure> {
    let is_token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    let (essence, parameters) = it.split_once(';').unwrap_or((&it, ""));
    let is_essence = essence.trim_end().split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
    match is_essence && parameters.bytes().all(|b| matches!(b, b' '..=b'~')) {
        true => Ok(it),
        false => Err(bad_text("not a media type", &it)),
    }
}

/// Takes an absolute URI.
fn uri(it: String) -> Result<String, Failure> {
    let is_printable = it.bytes().all(|b| matches!(b, b'!'..=b'~'));
    match is_printable && url::Url::parse(&it).is_ok() {
        true => Ok(it),
        false => Err(bad_text("not an absolute URI", &it)),
    }
}

/// Takes a template of URIs; how it is expanded is the client's affair.
pub(super) fn uri_template(it: String) -> Result<String, Failure> {
    match !it.is_empty() && it.bytes().all(|b| matches!(b, b'!'..=b'~')) {
        true => Ok(it),
        false => Err(bad_text("not a URI template", &it)),
    }
}

/// Takes what identifies something: `[A-Za-z0-9_.-]{1,128}`.
pub(super) fn name(it: String) -> Result<String, Failure> {
    match contract::is_name(&it) {
        true => Ok(it),
        false => Err(bad_text("not a name", &it)),
    }
}

fn bad_text(what: &str, text: &str) -> Failure {
    /// Enough to find it in the provider's code.
    const SHOWN: usize = 100;
    let shown: String = text.chars().take(SHOWN).collect();
    Failure::BadReply { reason: format!("its content has what is {what}: {shown:?}") }
}

pub(super) fn wit_content(it: &Content) -> wit::Content {
    let blob = |it: &Blob| wit::Blob { media_type: it.media_type.clone(), data: it.data.to_vec() };
    match it {
        Content::Text(text) => wit::Content::Text(text.clone()),
        Content::Image(it) => wit::Content::Image(blob(it)),
        Content::Audio(it) => wit::Content::Audio(blob(it)),
        Content::Resource(it) => wit::Content::Resource(wit_resource(it)),
        Content::Link(it) => wit::Content::ResourceLink(wit::ResourceLink {
            uri: it.uri.clone(),
            name: it.name.clone(),
            title: it.title.clone(),
            description: it.description.clone(),
            media_type: it.media_type.clone(),
            size: it.size,
        }),
    }
}

pub(super) fn wit_resource(it: &Resource) -> wit::EmbeddedResource {
    wit::EmbeddedResource {
        uri: it.uri.clone(),
        media_type: it.media_type.clone(),
        contents: match &it.contents {
            Contents::Text(text) => wit::ResourceContents::Text(text.clone()),
            Contents::Binary(data) => wit::ResourceContents::Binary(data.to_vec()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_and_uris_are_checked() {
        for (text, good) in [
            ("image/png", true),
            ("text/plain; charset=utf-8", true),
            ("application/vnd.api+json", true),
            ("", false),
            ("png", false),
            ("/png", false),
            ("image/", false),
            ("image/p ng", false),
            ("text/html\r\nset-cookie: a=b", false),
            ("text/html; a=\u{7f}", false),
            ("bild/größe", false),
        ] {
            assert_eq!(media_type(text.to_owned()).is_ok(), good, "{text:?}");
        }
        for (text, good) in [
            ("users://7", true),
            ("https://api.example.com/users/7?x=y#z", true),
            ("urn:isbn:1", true),
            ("", false),
            ("users/7", false),
            ("/etc/passwd", false),
            ("https://a b/", false),
            ("users://7\nx", false),
        ] {
            assert_eq!(uri(text.to_owned()).is_ok(), good, "{text:?}");
        }
    }
}
