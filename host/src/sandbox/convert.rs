//! Between the types of `wit/` and the host's own, by hand. No decisions here but one: where the mediator knows why a request
//! failed, its word counts.

use serde_json::Value as Json;

use super::{
    bindings::{plan as wit_plan, types as wit},
    dialogue,
    json::Room,
};
use crate::{
    contract::{self, Blob, Content, Contents, Link, Message, Resource, Role},
    document::plan,
    egress::Refusal,
    failure::{Failure, InputProblem},
    invoke::{Reply, Structured},
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
        },
        value: it.value,
    });
    contract::Upstream { base_url: it.base_url, methods: it.methods, credentials: credentials.collect() }
}

pub(super) fn failure(it: wit::Failure, refusal: Option<Refusal>, room: &mut Room) -> Failure {
    match (it, refusal) {
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
        (wit::Failure::Unavailable(message) | wit::Failure::TimedOut(message), None) => Failure::Unavailable(message),
        (wit::Failure::Denied(message), None) => {
            Failure::Provider { message: format!("it says that a request was denied, but none was: {message}") }
        }
        (wit::Failure::Internal(message), _) => Failure::Provider { message },
    }
}

pub(super) fn structured(json: String, room: &mut Room) -> Result<Reply, Failure> {
    match room.read(&json) {
        Ok(value) => Ok(Reply::Structured(Structured::new(json, value))),
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
        Content::Resource(it) => wit::Content::Resource(wit::EmbeddedResource {
            uri: it.uri.clone(),
            media_type: it.media_type.clone(),
            contents: match &it.contents {
                Contents::Text(text) => wit::ResourceContents::Text(text.clone()),
                Contents::Binary(data) => wit::ResourceContents::Binary(data.to_vec()),
            },
        }),
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

impl From<&plan::Plan> for wit_plan::Plan {
    fn from(it: &plan::Plan) -> Self {
        Self { description: wit_description(&it.description), requests: it.requests.iter().map(request).collect() }
    }
}

fn request(it: &plan::Request) -> wit_plan::Request {
    wit_plan::Request {
        method: it.method.clone(),
        scheme: it.scheme.clone(),
        authority: it.authority.clone(),
        path: it.path.iter().map(path_part).collect(),
        query: it.query.iter().map(query_parameter).collect(),
        headers: it.headers.iter().map(named_value).collect(),
        cookies: it.cookies.iter().map(named_value).collect(),
        body: match &it.body {
            plan::Body::Empty => wit_plan::Body::Empty,
            plan::Body::Json(it) => wit_plan::Body::Json(value(it)),
            plan::Body::JsonMembers(members) => wit_plan::Body::JsonMembers(members.iter().map(named_value).collect()),
        },
    }
}

fn path_part(it: &plan::PathPart) -> wit_plan::PathPart {
    match it {
        plan::PathPart::Literal(text) => wit_plan::PathPart::Literal(text.clone()),
        plan::PathPart::Value(it) => wit_plan::PathPart::Value(value(it)),
    }
}

fn query_parameter(it: &plan::QueryParameter) -> wit_plan::QueryParameter {
    wit_plan::QueryParameter {
        name: it.name.clone(),
        value: value(&it.value),
        style: match it.style {
            plan::QueryStyle::FormExploded => wit_plan::QueryStyle::FormExploded,
            plan::QueryStyle::Form => wit_plan::QueryStyle::Form,
            plan::QueryStyle::SpaceDelimited => wit_plan::QueryStyle::SpaceDelimited,
            plan::QueryStyle::PipeDelimited => wit_plan::QueryStyle::PipeDelimited,
            plan::QueryStyle::DeepObject => wit_plan::QueryStyle::DeepObject,
        },
    }
}

fn named_value(it: &plan::NamedValue) -> wit_plan::NamedValue {
    wit_plan::NamedValue { name: it.name.clone(), value: value(&it.value) }
}

fn value(it: &plan::Value) -> wit_plan::Value {
    match it {
        plan::Value::Input(name) => wit_plan::Value::Input(name.clone()),
        plan::Value::Constant(json) => wit_plan::Value::Constant(json.to_string()),
        plan::Value::Template(parts) => {
            let parts = parts.iter().map(|part| match part {
                plan::TemplatePart::Text(text) => wit_plan::TemplatePart::Text(text.clone()),
                plan::TemplatePart::Input(name) => wit_plan::TemplatePart::Input(name.clone()),
            });
            wit_plan::Value::Template(parts.collect())
        }
    }
}

fn wit_description(it: &contract::Description) -> wit::Description {
    wit::Description {
        title: it.title.clone(),
        summary: it.summary.clone(),
        operations: it.operations.iter().map(wit_operation).collect(),
        upstreams: it.upstreams.iter().map(wit_upstream).collect(),
    }
}

fn wit_operation(it: &contract::Operation) -> wit::Operation {
    wit::Operation {
        name: it.name.clone(),
        title: it.title.clone(),
        description: it.description.clone(),
        input_schema: it.input_schema.to_string(),
        output_schema: it.output_schema.as_ref().map(Json::to_string),
        effects: wit::Effects {
            read_only: it.effects.read_only,
            destructive: it.effects.destructive,
            idempotent: it.effects.idempotent,
            open_world: it.effects.open_world,
        },
        route: it.route.as_ref().map(wit_route),
        tool: it.tool.clone(),
    }
}

fn wit_route(it: &contract::Route) -> wit::Route {
    let parameters = it.parameters.iter().map(|it| wit::Parameter {
        input: it.input.clone(),
        location: match it.location {
            contract::Location::Path => wit::Location::Path,
            contract::Location::Query => wit::Location::Query,
            contract::Location::Header => wit::Location::Header,
            contract::Location::Cookie => wit::Location::Cookie,
            contract::Location::Body => wit::Location::Body,
            contract::Location::BodyMember => wit::Location::BodyMember,
        },
        name: it.name.clone(),
    });
    wit::Route { method: it.method.clone(), path: it.path.clone(), parameters: parameters.collect() }
}

fn wit_upstream(it: &contract::Upstream) -> wit::Upstream {
    let credentials = it.credentials.iter().map(|it| wit::Credential {
        placement: match &it.placement {
            contract::Placement::Header(name) => wit::Placement::Header(name.clone()),
            contract::Placement::Query(name) => wit::Placement::Query(name.clone()),
            contract::Placement::Basic => wit::Placement::Basic,
            contract::Placement::Digest => wit::Placement::Digest,
        },
        value: it.value.clone(),
    });
    wit::Upstream { base_url: it.base_url.clone(), methods: it.methods.clone(), credentials: credentials.collect() }
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
