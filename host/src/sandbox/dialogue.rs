//! How a guest asks its caller back: what it sees of the caller's side, and its questions, checked.

use std::collections::HashSet;

use super::{
    bindings::{dialogue as wit_dialogue, types as wit},
    convert,
    json::Room,
    state::State,
};
use crate::{
    contract::{Abilities, Answer, AnswerValue, Consent, Content, Message, Question, QuestionRequest, Questions},
    failure::Failure,
};

/// The questions of one call. 16: more than anybody wants to answer at once.
const MAX_QUESTIONS: usize = 16;

/// The state that a guest gives along with its questions. 16 kB: it goes to the client and back in each round, and beside what a client
/// keeps of a conversation that is much.
const MAX_STATE: usize = 16 << 10;

impl wit_dialogue::Host for State {
    async fn can_be_asked(&mut self) -> wasmtime::Result<wit_dialogue::Abilities> {
        let Abilities { elicitation, sampling, roots } = self.dialogue.abilities;
        let flags = [
            (elicitation, wit_dialogue::Abilities::ELICITATION),
            (sampling, wit_dialogue::Abilities::SAMPLING),
            (roots, wit_dialogue::Abilities::ROOTS),
        ];
        let had = flags.into_iter().filter(|(has, _)| *has).map(|(_, flag)| flag);
        Ok(had.fold(wit_dialogue::Abilities::default(), |all, flag| all | flag))
    }

    async fn answers(&mut self) -> wasmtime::Result<Vec<wit_dialogue::Answer>> {
        Ok(self.dialogue.answers.iter().map(answer).collect())
    }

    async fn state(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.dialogue.state.clone())
    }
}

fn answer(it: &Answer) -> wit_dialogue::Answer {
    let value = match &it.value {
        AnswerValue::Accepted(content) => wit_dialogue::AnswerValue::Accepted(content.to_string()),
        AnswerValue::Declined => wit_dialogue::AnswerValue::Declined,
        AnswerValue::Cancelled => wit_dialogue::AnswerValue::Cancelled,
        AnswerValue::Sampled { model, content } => wit_dialogue::AnswerValue::Sampled(wit_dialogue::Sample {
            model: model.clone(),
            content: content.iter().map(convert::wit_content).collect(),
        }),
        AnswerValue::Roots(roots) => {
            let roots = roots.iter().map(|it| wit_dialogue::Root { uri: it.uri.clone(), name: it.name.clone() });
            wit_dialogue::AnswerValue::Roots(roots.collect())
        }
    };
    wit_dialogue::Answer { key: it.key.clone(), value }
}

/// Makes the host's own of a guest's questions.
///
/// # Errors
/// [`Failure::BadReply`]: they break a rule of `wit/types.wit`.
pub(super) fn questions(it: wit::Questions, room: &mut Room) -> Result<Questions, Failure> {
    if !(1..=MAX_QUESTIONS).contains(&it.questions.len()) {
        return Err(bad(format!("it asks {} questions, expected 1 to {MAX_QUESTIONS}", it.questions.len())));
    }
    if let Some(length) = it.state.as_ref().map(String::len).filter(|length| *length > MAX_STATE) {
        return Err(bad(format!("its state has {length} bytes, expected {MAX_STATE} at most")));
    }
    let mut keys = HashSet::new();
    if let Some(twice) = it.questions.iter().find(|question| !keys.insert(question.key.as_str())) {
        return Err(bad(format!("two of its questions have the same key: {:?}", twice.key)));
    }
    let questions = it.questions.into_iter().map(|it| {
        let key = convert::name(it.key)?;
        Ok(Question { key, request: request(it.request, room)? })
    });
    Ok(Questions { questions: questions.collect::<Result<_, _>>()?, state: it.state, consent: Consent::Unasked })
}

fn request(it: wit::QuestionRequest, room: &mut Room) -> Result<QuestionRequest, Failure> {
    match it {
        wit::QuestionRequest::Elicitation(it) => match room.read(&it.schema) {
            Ok(schema) if schema.is_object() => Ok(QuestionRequest::Elicitation { message: it.message, schema }),
            Ok(_) => Err(bad("the schema of a question is not an object".to_owned())),
            Err(e) => Err(bad(format!("the schema of a question is not a JSON text: {e}"))),
        },
        wit::QuestionRequest::Sampling(it) => Ok(QuestionRequest::Sampling {
            messages: it.messages.into_iter().map(spoken).collect::<Result<_, _>>()?,
            system_prompt: it.system_prompt,
            max_tokens: it.max_tokens,
        }),
        wit::QuestionRequest::Roots => Ok(QuestionRequest::Roots),
    }
}

/// A message that a model can be asked: MCP has no resources there.
fn spoken(it: wit::Message) -> Result<Message, Failure> {
    let message = convert::message(it)?;
    match message.content {
        Content::Text(_) | Content::Image(_) | Content::Audio(_) => Ok(message),
        Content::Resource(_) | Content::Link(_) => {
            Err(bad("it asks a model about a resource, expected a text, a picture or a sound".to_owned()))
        }
    }
}

fn bad(reason: String) -> Failure {
    Failure::BadReply { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(key: &str, schema: &str) -> wit::Question {
        let form = wit::Elicitation { message: "Who are you?".to_owned(), schema: schema.to_owned() };
        wit::Question { key: key.to_owned(), request: wit::QuestionRequest::Elicitation(form) }
    }

    fn about(content: wit::Content) -> wit::Question {
        let messages = vec![wit::Message { role: wit::Role::User, content }];
        let sampling = wit::Sampling { messages, system_prompt: None, max_tokens: 10 };
        wit::Question { key: "m".to_owned(), request: wit::QuestionRequest::Sampling(sampling) }
    }

    #[test]
    fn questions_keep_the_rules() {
        let link = || wit::ResourceLink {
            uri: "users://7".to_owned(),
            name: "7".to_owned(),
            title: None,
            description: None,
            media_type: None,
            size: None,
        };
        let many = || (0..17).map(|n| form(&n.to_string(), "{}")).collect();
        for (asked, state, problem) in [
            (vec![form("name", "{}"), about(wit::Content::Text("a".to_owned()))], 16 << 10, ""),
            (vec![], 0, "it asks 0 questions, expected 1 to 16"),
            (many(), 0, "it asks 17 questions, expected 1 to 16"),
            (vec![form("a", "{}"), form("a", "{}")], 0, "two of its questions have the same key: \"a\""),
            (vec![form("a b", "{}")], 0, "its content has what is not a name: \"a b\""),
            (vec![form("a", "[]")], 0, "the schema of a question is not an object"),
            (vec![form("a", "{")], 0, "the schema of a question is not a JSON text: EOF"),
            (vec![form("a", "{}")], (16 << 10) + 1, "its state has 16385 bytes, expected 16384 at most"),
            (vec![about(wit::Content::ResourceLink(link()))], 0, "it asks a model about a resource"),
        ] {
            let asked = wit::Questions { questions: asked, state: Some("x".repeat(state)) };
            let outcome = match questions(asked, &mut Room::of(1 << 20)) {
                Ok(_) => String::new(),
                Err(failure) => failure.log().replace("the plugin's reply can't be used: ", ""),
            };
            assert!(outcome.starts_with(problem) && outcome.is_empty() == problem.is_empty(), "{outcome}");
        }
    }
}
