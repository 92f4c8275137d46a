//! Asking the caller back, and finding out what was answered.
//!
//! A call that asks ends there. When the answers are there, the same call is made again from its beginning, in another instance: look
//! for the answer first, ask if there is none. What else the call has to remember goes into the state.
//!
//! ```no_run
//! use airlock_sdk::{AnswerValue, Failure, dialogue};
//!
//! const NAME: &str = r#"{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}"#;
//!
//! fn greet() -> Result<String, Failure> {
//!     match dialogue::answer("name") {
//!         Some(AnswerValue::Accepted(form)) => Ok(form),
//!         Some(_) => Ok("Nobody wants to tell.".to_owned()),
//!         None => Err(dialogue::ask(vec![dialogue::form("name", "What is your name?", NAME)])),
//!     }
//! }
//! ```

pub use crate::bindings::airlock::capability::dialogue::{Abilities, can_be_asked, state};
use crate::{
    AnswerValue, Content, Elicitation, Failure, Message, Question, QuestionRequest, Questions, Role, Sampling,
    bindings::airlock::capability::dialogue,
};

/// What was answered to the question with this key. `None`: it wasn't asked yet, or the client has left it out.
pub fn answer(key: &str) -> Option<AnswerValue> {
    dialogue::answers().into_iter().find(|answer| answer.key == key).map(|answer| answer.value)
}

/// A form for the user; the schema is that of an object with plain members.
pub fn form(key: &str, message: &str, schema: &str) -> Question {
    let form = Elicitation { message: message.to_owned(), schema: schema.to_owned() };
    Question { key: key.to_owned(), request: QuestionRequest::Elicitation(form) }
}

/// A question to the client's model.
pub fn sample(key: &str, text: &str, max_tokens: u32) -> Question {
    let messages = vec![Message { role: Role::User, content: Content::Text(text.to_owned()) }];
    let sampling = Sampling { messages, system_prompt: None, max_tokens };
    Question { key: key.to_owned(), request: QuestionRequest::Sampling(sampling) }
}

/// Which folders the client's user works in.
pub fn roots(key: &str) -> Question {
    Question { key: key.to_owned(), request: QuestionRequest::Roots }
}

/// Ends the call with questions.
pub fn ask(questions: Vec<Question>) -> Failure {
    Failure::InputRequired(Questions { questions, state: None })
}

/// Ends the call with questions, and with what [`state`] is to give back when they are answered.
pub fn ask_and_keep(questions: Vec<Question>, state: impl Into<String>) -> Failure {
    Failure::InputRequired(Questions { questions, state: Some(state.into()) })
}
