//! What a document has besides operations, to the guest that keeps it and back. A guest that says it is one may say anything.

use super::{
    bindings::{plan as wit, types},
    convert,
};
use crate::{
    contract::{
        Facts, Freshness, Piece, Prompt, PromptParameter, ReadByOperation, Role, UriTemplate, WrittenMessage,
        WrittenPrompt,
    },
    failure::Failure,
};

/// The most resources and prompts: as many as a document may have, see `document::read`.
const MAX_RESOURCES: usize = 5000;
const MAX_PROMPTS: usize = 500;

pub(super) fn facts(it: wit::Facts) -> Result<Facts, Failure> {
    for (what, count, most) in
        [("resources", it.resources.len(), MAX_RESOURCES), ("prompts", it.prompts.len(), MAX_PROMPTS)]
    {
        if count > most {
            return Err(Failure::BadReply {
                reason: format!("it tells of {count} {what}, and at most {most} are taken"),
            });
        }
    }
    Ok(Facts {
        one_request: it.one_request.into_iter().collect(),
        resources: it.resources.into_iter().map(resource).collect::<Result<_, _>>()?,
        prompts: it.prompts.into_iter().map(prompt).collect::<Result<_, _>>()?,
        freshness: Freshness { ttl_ms: it.freshness.ttl_ms, public: it.freshness.public },
    })
}

fn resource(it: wit::ReadByOperation) -> Result<ReadByOperation, Failure> {
    let uri = UriTemplate(it.uri.into_iter().map(piece).collect());
    convert::uri_template(uri.to_text())?;
    Ok(ReadByOperation {
        uri,
        name: it.name,
        title: it.title,
        description: it.description,
        media_type: it.media_type.map(convert::media_type).transpose()?,
        binary: it.binary,
        size: it.size,
        operation: it.operation,
    })
}

fn prompt(it: wit::WrittenPrompt) -> Result<WrittenPrompt, Failure> {
    let parameters = it.parameters.into_iter().map(|it| PromptParameter {
        name: it.name,
        title: it.title,
        description: it.description,
        required: it.required,
    });
    let prompt = Prompt {
        name: convert::name(it.name)?,
        title: it.title,
        description: it.description,
        parameters: parameters.collect(),
    };
    Ok(WrittenPrompt { prompt, messages: it.messages.into_iter().map(message).collect() })
}

fn message(it: wit::WrittenMessage) -> WrittenMessage {
    let role = match it.role {
        types::Role::User => Role::User,
        types::Role::Assistant => Role::Assistant,
    };
    WrittenMessage { role, text: it.text.into_iter().map(piece).collect() }
}

fn piece(it: wit::Piece) -> Piece {
    match it {
        wit::Piece::Text(text) => Piece::Text(text),
        wit::Piece::Variable(name) => Piece::Variable(name),
    }
}

pub(super) fn wit_facts(it: &Facts) -> wit::Facts {
    wit::Facts {
        one_request: it.one_request.iter().cloned().collect(),
        resources: it.resources.iter().map(wit_resource).collect(),
        prompts: it.prompts.iter().map(wit_prompt).collect(),
        freshness: wit::Freshness { ttl_ms: it.freshness.ttl_ms, public: it.freshness.public },
    }
}

fn wit_resource(it: &ReadByOperation) -> wit::ReadByOperation {
    wit::ReadByOperation {
        uri: it.uri.0.iter().map(wit_piece).collect(),
        name: it.name.clone(),
        title: it.title.clone(),
        description: it.description.clone(),
        media_type: it.media_type.clone(),
        binary: it.binary,
        size: it.size,
        operation: it.operation.clone(),
    }
}

fn wit_prompt(WrittenPrompt { prompt, messages }: &WrittenPrompt) -> wit::WrittenPrompt {
    let parameters = prompt.parameters.iter().map(|it| wit::PromptParameter {
        name: it.name.clone(),
        title: it.title.clone(),
        description: it.description.clone(),
        required: it.required,
    });
    let messages = messages.iter().map(|it| wit::WrittenMessage {
        role: match it.role {
            Role::User => types::Role::User,
            Role::Assistant => types::Role::Assistant,
        },
        text: it.text.iter().map(wit_piece).collect(),
    });
    wit::WrittenPrompt {
        name: prompt.name.clone(),
        title: prompt.title.clone(),
        description: prompt.description.clone(),
        parameters: parameters.collect(),
        messages: messages.collect(),
    }
}

fn wit_piece(it: &Piece) -> wit::Piece {
    match it {
        Piece::Text(text) => wit::Piece::Text(text.clone()),
        Piece::Variable(name) => wit::Piece::Variable(name.clone()),
    }
}
