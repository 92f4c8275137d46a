//! A request that a plugin, or the host, may answer by questions, from its first round to its last.
//!
//! A modern client gets the questions as a result, and asks again with the answers: nothing is kept meanwhile. A session's client is
//! asked while its request waits, without a running guest.

use std::time::{Duration, SystemTime};

use rmcp::{
    ErrorData, RoleServer,
    model::{InputRequest, InputRequiredResult, InputResponses, ServerRequest},
    service::{PeerRequestOptions, RequestContext, ServiceError},
};

use super::{
    Era, dialogue, events,
    seal::{BadState, Kept, Occasion, Seal},
};
use crate::{
    caller::Caller,
    contract::{Answer, Dialogue, Level, Questions},
    failure::Failure,
};

/// How often a plugin may ask back within one request of a session. 10: the protocol's SDKs stop there, too.
const MAX_ROUNDS: usize = 10;

/// How long a session's client may take for an answer. 10 minutes: a person has to read, decide, perhaps to look something up; the
/// session would end after half an hour.
const ANSWER: Duration = Duration::from_secs(10 * 60);

/// A client with a request.
pub(super) struct Client<'a> {
    pub(super) context: &'a RequestContext<RoleServer>,
    pub(super) era: Era,
    pub(super) caller: Caller,
    /// The caller, as states are sealed to it.
    pub(super) name: String,
    pub(super) seal: &'a Seal,
    /// From which level on a session is told what happens.
    pub(super) log: Level,
}

/// What a request brings from the round before.
pub(super) struct Before {
    pub(super) answers: Option<InputResponses>,
    pub(super) state: Option<String>,
}

/// What becomes of a request.
pub(super) enum Ended<T> {
    /// It is carried out, or it failed.
    Done(Result<T, Failure>),
    /// It needs input.
    Asks(InputRequiredResult),
}

impl Client<'_> {
    /// Carries out a request by `run`, as often as it takes.
    ///
    /// # Errors
    /// The client sends what is no answer or no state of ours, can't be asked what has to be asked, or doesn't answer.
    pub(super) async fn converse<T, R>(
        &self,
        occasion: Occasion<'_>,
        before: Before,
        run: impl Fn(Dialogue) -> R,
    ) -> Result<Ended<T>, ErrorData>
    where
        R: Future<Output = Result<T, Failure>>,
    {
        let mut answers = dialogue::answers(before.answers.unwrap_or_default())?;
        let opened = before.state.map(|it| self.seal.open(&it, occasion, SystemTime::now())).transpose();
        // Without a state, a plugin's questions travel with an empty one: their answers are for nobody else.
        let mut kept = opened.map_err(refuse)?.unwrap_or_default();
        for _ in 0..MAX_ROUNDS {
            match (self.round(answers, kept, &run).await, self.era) {
                (Err(Failure::InputRequired(questions)), Era::Modern) => {
                    return Ok(match self.asks(*questions, occasion) {
                        Ok(asks) => Ended::Asks(asks),
                        Err(failure) => Ended::Done(Err(failure)),
                    });
                }
                (Err(Failure::InputRequired(questions)), Era::Legacy) => {
                    answers = match dialogue::requests(&questions) {
                        Ok(requests) => self.ask(requests).await?,
                        Err(failure) => return Ok(Ended::Done(Err(failure))),
                    };
                    kept = Kept { state: questions.state, consent: questions.consent };
                }
                (Err(Failure::CannotAsk { lacking }), Era::Modern) => {
                    let capabilities = dialogue::capabilities(lacking);
                    return Err(ErrorData::missing_required_client_capability(capabilities));
                }
                (outcome, _) => return Ok(Ended::Done(outcome)),
            }
        }
        let reason = format!("it still has questions after {MAX_ROUNDS} rounds of them");
        Ok(Ended::Done(Err(Failure::BadReply { reason })))
    }

    /// Whether a state was given out for this request.
    pub(super) fn knows(&self, state: &str, occasion: Occasion<'_>) -> bool {
        self.seal.open(state, occasion, SystemTime::now()).is_ok()
    }

    /// One call of the plugin, whose events are told meanwhile.
    async fn round<T, R>(&self, answers: Vec<Answer>, kept: Kept, run: impl Fn(Dialogue) -> R) -> R::Output
    where
        R: Future<Output = Result<T, Failure>>,
    {
        let (wanted, told) = events::wanted(&self.context.meta, self.era, self.log);
        let abilities = dialogue::abilities(self.context.client_capabilities());
        let Kept { state, consent } = kept;
        let dialogue = Dialogue { abilities, answers, state, consent, events: wanted };
        let telling = events::tell(told, &self.context.peer, self.context.meta.get_progress_token());
        let (outcome, ()) = tokio::join!(run(dialogue), telling);
        outcome
    }

    fn asks(&self, questions: Questions, occasion: Occasion<'_>) -> Result<InputRequiredResult, Failure> {
        let requests = dialogue::requests(&questions)?;
        let kept = Kept { state: questions.state, consent: questions.consent };
        Ok(InputRequiredResult::new(Some(requests), Some(self.seal.close(&kept, occasion, SystemTime::now()))))
    }

    /// Asks a session's client, one question after the other: to a person, more at once are a heap of windows.
    async fn ask(&self, requests: impl IntoIterator<Item = (String, InputRequest)>) -> Result<Vec<Answer>, ErrorData> {
        let mut answers = Vec::new();
        for (key, request) in requests {
            let request = match request {
                InputRequest::Elicitation(it) => ServerRequest::ElicitRequest(it),
                InputRequest::CreateMessage(it) => ServerRequest::CreateMessageRequest(it),
                InputRequest::ListRoots(it) => ServerRequest::ListRootsRequest(it),
                other => return Err(ErrorData::internal_error(format!("no such question: {other:?}"), None)),
            };
            let mut options = PeerRequestOptions::no_options();
            options.timeout = Some(ANSWER);
            let asked = self.context.peer.send_cancellable_request(request, options).await.map_err(unanswered)?;
            let answer = asked.await_response().await.map_err(unanswered)?;
            let answer = serde_json::to_value(answer).map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
            answers.push(dialogue::answer(key, answer)?);
        }
        Ok(answers)
    }
}

pub(super) fn refuse(bad: BadState) -> ErrorData {
    ErrorData::invalid_params(bad.to_string(), None)
}

fn unanswered(why: ServiceError) -> ErrorData {
    ErrorData::invalid_request(format!("the client was asked something and didn't answer: {why}"), None)
}
