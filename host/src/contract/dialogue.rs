//! How a plugin asks back: its questions, the answers, and what a client can be asked at all.
//!
//! Nothing here keeps a dialogue: whoever asks for a call brings all of it along, each time.

use std::fmt;

use serde_json::Value;

use super::{Consent, Content, Events, Message};

/// The caller's side of a call: what its client can be asked, what it has answered, and what it wants to hear meanwhile. By default
/// it can't be asked and hears nothing.
#[derive(Clone, Debug, Default)]
pub struct Dialogue {
    /// What the client can be asked.
    pub abilities: Abilities,
    /// The answers to the questions of the call before.
    pub answers: Vec<Answer>,
    /// The state of the call before, as the plugin gave it: whoever lets it out of the process sees to it that it comes back unchanged,
    /// for the same call of the same caller.
    pub state: Option<String>,
    /// How far the call has come with a person's agreement.
    pub consent: Consent,
    /// What it wants to hear.
    pub events: Events,
}

/// What a client can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// To let its user fill in a form.
    pub elicitation: bool,
    /// To let its model answer.
    pub sampling: bool,
    /// Which folders its user works in.
    pub roots: bool,
}

impl Abilities {
    /// No ability at all.
    pub const NONE: Self = Self { elicitation: false, sampling: false, roots: false };
}

impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.elicitation, "elicitation"), (self.sampling, "sampling"), (self.roots, "roots")];
        let names: Vec<&str> = names.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect();
        f.write_str(&names.join(", "))
    }
}

/// What a plugin has to know before it can go on; or the host, before it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Questions {
    /// The questions, each key once, at least one.
    pub questions: Vec<Question>,
    /// What the plugin wants to have back with the answers.
    pub state: Option<String>,
    /// What the host wants to have back with them.
    pub consent: Consent,
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Identifies the answer: `[A-Za-z0-9_.-]{1,128}`.
    pub key: String,
    /// What is asked, and of whom.
    pub request: QuestionRequest,
}

/// What is asked, and of whom.
#[derive(Clone, Debug, PartialEq)]
pub enum QuestionRequest {
    /// The user: to fill in a form.
    Elicitation {
        /// What it is for.
        message: String,
        /// JSON Schema of the answer.
        schema: Value,
    },
    /// The client's model: to answer.
    Sampling {
        /// The conversation so far: texts, pictures and sounds.
        messages: Vec<Message>,
        /// What the model should know before.
        system_prompt: Option<String>,
        /// The longest answer that is of use, in tokens.
        max_tokens: u32,
    },
    /// The client: which folders its user works in.
    Roots,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The key of the question.
    pub key: String,
    /// What was answered.
    pub value: AnswerValue,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerValue {
    /// The user has filled in the form.
    Accepted(Value),
    /// The user doesn't want to answer.
    Declined,
    /// The user closed the form without a decision.
    Cancelled,
    /// What the model has answered.
    Sampled {
        /// The model's name.
        model: String,
        /// What it says: texts, pictures and sounds.
        content: Vec<Content>,
    },
    /// The folders.
    Roots(Vec<Root>),
}

/// A folder in which the client's user works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its URI.
    pub uri: String,
    /// Its name for people.
    pub name: Option<String>,
}

impl Questions {
    /// What a client with these abilities lacks to be asked all of them.
    pub fn lacking(&self, abilities: Abilities) -> Abilities {
        let mut lacking = Abilities::NONE;
        for question in &self.questions {
            match question.request {
                QuestionRequest::Elicitation { .. } => lacking.elicitation = !abilities.elicitation,
                QuestionRequest::Sampling { .. } => lacking.sampling = !abilities.sampling,
                QuestionRequest::Roots => lacking.roots = !abilities.roots,
            }
        }
        lacking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_lacks_what_is_asked_and_it_cannot() {
        let elicitation = || QuestionRequest::Elicitation { message: String::new(), schema: Value::Bool(true) };
        let sampling = || QuestionRequest::Sampling { messages: Vec::new(), system_prompt: None, max_tokens: 1 };
        let roots = || QuestionRequest::Roots;
        let can_sample = Abilities { sampling: true, ..Abilities::NONE };
        for (requests, abilities, lacking) in [
            (vec![sampling()], can_sample, ""),
            (vec![sampling()], Abilities::NONE, "sampling"),
            (vec![elicitation(), sampling(), elicitation()], can_sample, "elicitation"),
            (vec![roots(), sampling(), elicitation()], Abilities::NONE, "elicitation, sampling, roots"),
        ] {
            let questions = requests.into_iter().map(|request| Question { key: "a".to_owned(), request });
            let questions = Questions { questions: questions.collect(), state: None, consent: Consent::Unasked };
            assert_eq!(questions.lacking(abilities).to_string(), lacking);
        }
    }
}
