//! Questions and answers as the protocol has them, in both eras the same.
//!
//! Who is asked when is `converse`'s. By way of JSON rather than rmcp's types, which it calls deprecated where the protocol advises
//! clients against something new.

use base64::{Engine, prelude::BASE64_STANDARD};
use rmcp::{
    ErrorData,
    model::{ClientCapabilities, InputRequest, InputRequests, InputResponses, PromptMessage},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::prompts;
use crate::{
    contract::{Abilities, Answer, AnswerValue, Blob, Content, Question, QuestionRequest, Questions, Root},
    failure::Failure,
};

/// What a client says that it can be asked. Elicitation without a mode is that by form: there was no other at first.
pub(super) fn abilities(declared: Option<ClientCapabilities>) -> Abilities {
    let declared = declared.unwrap_or_default();
    Abilities {
        elicitation: declared.elicitation.is_some_and(|it| it.form.is_some() || it.url.is_none()),
        sampling: declared.sampling.is_some(),
        roots: declared.roots.is_some(),
    }
}

/// What a client would have to declare for that.
pub(super) fn capabilities(abilities: Abilities) -> ClientCapabilities {
    let Abilities { elicitation, sampling, roots } = abilities;
    let named = [("elicitation", elicitation), ("sampling", sampling), ("roots", roots)];
    let named = named.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| (name.to_owned(), json!({})));
    serde_json::from_value(Value::Object(named.collect())).expect("these are capabilities")
}

/// The questions, by their keys.
///
/// # Errors
/// A form has more than the protocol allows: an object of plain fields.
pub(super) fn requests(questions: &Questions) -> Result<InputRequests, Failure> {
    questions.questions.iter().map(|it| Ok((it.key.clone(), request(it)?))).collect()
}

fn request(question: &Question) -> Result<InputRequest, Failure> {
    let request = match &question.request {
        QuestionRequest::Elicitation { message, schema } => {
            json!({"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}})
        }
        QuestionRequest::Sampling { messages, system_prompt, max_tokens } => {
            let messages: Vec<PromptMessage> = messages.iter().cloned().map(prompts::message).collect();
            let mut params = json!({"messages": messages, "maxTokens": max_tokens});
            if let Some(prompt) = system_prompt {
                params["systemPrompt"] = json!(prompt);
            }
            json!({"method": "sampling/createMessage", "params": params})
        }
        QuestionRequest::Roots => json!({"method": "roots/list", "params": {}}),
    };
    serde_json::from_value(request).map_err(|_| Failure::BadReply {
        reason: format!("its question {:?} is none that MCP can ask: a form has plain fields only", question.key),
    })
}

/// The answers, by the keys of their questions. What was asked doesn't matter here: each kind of answer has a form of its own.
///
/// # Errors
/// One of them is no answer.
pub(super) fn answers(responses: InputResponses) -> Result<Vec<Answer>, ErrorData> {
    responses.into_iter().map(|(key, response)| answer(key, response)).collect()
}

/// One answer.
///
/// # Errors
/// It is none.
pub(super) fn answer(key: String, response: Value) -> Result<Answer, ErrorData> {
    let none = |e: serde_json::Error| ErrorData::invalid_params(format!("the answer to {key:?} is none: {e}"), None);
    let value = serde_json::from_value::<Response>(response).map_err(none)?.value();
    match value {
        Some(value) => Ok(Answer { key, value }),
        None => Err(ErrorData::invalid_params(format!("the answer to {key:?} holds what is no base64"), None)),
    }
}

/// The answers of the protocol: an `ElicitResult`, a `CreateMessageResult`, a `ListRootsResult`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected the result of an elicitation, of sampling, or a list of roots")]
enum Response {
    Elicited {
        action: Action,
        #[serde(default)]
        content: Value,
    },
    Sampled {
        model: String,
        content: OneOrMore,
    },
    Roots {
        roots: Vec<ListedRoot>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Accept,
    Decline,
    Cancel,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(Block),
    More(Vec<Block>),
}

/// What a model says. It isn't given tools, so that it uses none.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Block {
    Text {
        text: String,
    },
    Image {
        #[serde(rename = "mimeType")]
        media_type: String,
        data: String,
    },
    Audio {
        #[serde(rename = "mimeType")]
        media_type: String,
        data: String,
    },
}

#[derive(Deserialize)]
struct ListedRoot {
    uri: String,
    name: Option<String>,
}

impl Response {
    /// `None` where it holds bytes that are none.
    fn value(self) -> Option<AnswerValue> {
        Some(match self {
            Self::Elicited { action: Action::Accept, content: Value::Null } => AnswerValue::Accepted(json!({})),
            Self::Elicited { action: Action::Accept, content } => AnswerValue::Accepted(content),
            Self::Elicited { action: Action::Decline, .. } => AnswerValue::Declined,
            Self::Elicited { action: Action::Cancel, .. } => AnswerValue::Cancelled,
            Self::Sampled { model, content } => {
                let blocks = match content {
                    OneOrMore::One(block) => vec![block],
                    OneOrMore::More(blocks) => blocks,
                };
                let content = blocks.into_iter().map(Block::content).collect::<Option<_>>()?;
                AnswerValue::Sampled { model, content }
            }
            Self::Roots { roots } => {
                AnswerValue::Roots(roots.into_iter().map(|ListedRoot { uri, name }| Root { uri, name }).collect())
            }
        })
    }
}

impl Block {
    fn content(self) -> Option<Content> {
        let blob =
            |media_type, data: String| Some(Blob { media_type, data: BASE64_STANDARD.decode(data).ok()?.into() });
        match self {
            Self::Text { text } => Some(Content::Text(text)),
            Self::Image { media_type, data } => blob(media_type, data).map(Content::Image),
            Self::Audio { media_type, data } => blob(media_type, data).map(Content::Audio),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Consent, Message, Role};

    #[test]
    fn a_client_can_be_asked_what_it_declares() {
        for (declared, asked) in [
            (json!({}), ""),
            (json!({"elicitation": {}}), "elicitation"),
            (json!({"elicitation": {"form": {}, "url": {}}}), "elicitation"),
            (json!({"elicitation": {"url": {}}}), ""),
            (json!({"sampling": {}, "roots": {"listChanged": true}}), "sampling, roots"),
        ] {
            let declared: ClientCapabilities = serde_json::from_value(declared).expect("capabilities");
            assert_eq!(abilities(Some(declared)).to_string(), asked);
        }
        let all = Abilities { elicitation: true, sampling: true, roots: true };
        assert_eq!(abilities(Some(capabilities(all))), all);
        let told = serde_json::to_value(capabilities(Abilities { sampling: true, ..Abilities::NONE })).expect("JSON");
        assert_eq!(told, json!({"sampling": {}}));
    }

    fn asked(request: QuestionRequest) -> Result<Value, Failure> {
        let questions = vec![Question { key: "q".to_owned(), request }];
        let questions = Questions { questions, state: None, consent: Consent::Unasked };
        requests(&questions).map(|it| serde_json::to_value(it).expect("JSON")["q"].take())
    }

    #[test]
    fn questions_have_the_protocols_form() {
        let schema = json!({"type": "object", "properties": {
            "name": {"type": "string", "title": "Name", "default": "Ann"},
            "size": {"type": "integer", "minimum": 1},
            "color": {"type": "string", "oneOf": [{"const": "r", "title": "Red"}]},
        }, "required": ["name"]});
        let elicitation =
            |schema: &Value| QuestionRequest::Elicitation { message: "Who?".to_owned(), schema: schema.clone() };
        assert_eq!(
            asked(elicitation(&schema)).expect("a form"),
            json!({"method": "elicitation/create", "params": {"mode": "form", "message": "Who?", "requestedSchema": schema}})
        );
        for schema in [json!({}), json!({"type": "object", "properties": {"a": {"type": "object"}}})] {
            assert!(matches!(asked(elicitation(&schema)), Err(Failure::BadReply { .. })), "{schema}");
        }
        let blob = Blob { media_type: "image/png".to_owned(), data: bytes::Bytes::from_static(b"abc") };
        let messages = vec![
            Message { role: Role::User, content: Content::Text("Hi".to_owned()) },
            Message { role: Role::Assistant, content: Content::Image(blob) },
        ];
        let sampling =
            QuestionRequest::Sampling { messages, system_prompt: Some("Be short.".to_owned()), max_tokens: 7 };
        assert_eq!(
            asked(sampling).expect("sampling"),
            json!({"method": "sampling/createMessage", "params": {
                "messages": [
                    {"role": "user", "content": {"type": "text", "text": "Hi"}},
                    {"role": "assistant", "content": {"type": "image", "data": "YWJj", "mimeType": "image/png"}},
                ],
                "systemPrompt": "Be short.", "maxTokens": 7,
            }})
        );
        assert_eq!(asked(QuestionRequest::Roots).expect("roots")["method"], "roots/list");
    }

    #[test]
    fn answers_are_known_by_their_form() {
        let said = |text: &str| Content::Text(text.to_owned());
        let model = || "m".to_owned();
        for (response, value) in [
            (json!({"action": "accept", "content": {"a": 1}}), Some(AnswerValue::Accepted(json!({"a": 1})))),
            (json!({"action": "accept"}), Some(AnswerValue::Accepted(json!({})))),
            (json!({"action": "decline"}), Some(AnswerValue::Declined)),
            (json!({"action": "cancel", "content": null}), Some(AnswerValue::Cancelled)),
            (
                json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "hi"}}),
                Some(AnswerValue::Sampled { model: model(), content: vec![said("hi")] }),
            ),
            (
                json!({"model": "m", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
                Some(AnswerValue::Sampled { model: model(), content: vec![said("a"), said("b")] }),
            ),
            (
                json!({"roots": [{"uri": "file:///a", "name": "A"}, {"uri": "file:///b"}]}),
                Some(AnswerValue::Roots(vec![
                    Root { uri: "file:///a".to_owned(), name: Some("A".to_owned()) },
                    Root { uri: "file:///b".to_owned(), name: None },
                ])),
            ),
            (json!({"model": "m", "content": {"type": "image", "mimeType": "a/b", "data": "?"}}), None),
            (json!({"model": "m", "content": {"type": "tool_use"}}), None),
            (json!({"action": "perhaps"}), None),
            (json!(12345), None),
            (json!({}), None),
        ] {
            let read = answer("q".to_owned(), response.clone());
            assert_eq!(read.as_ref().ok().map(|it| &it.value), value.as_ref(), "{response}: {read:?}");
        }
    }
}
