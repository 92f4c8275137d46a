//! Whether a call may be carried out, where the grant wants a person to agree to it: asks, takes the answer, uses the agreement up.
//!
//! What the question says is `question`'s. That an answer is a person's is the client's word; that it belongs to this call of this
//! caller is the seal of whoever let the consent out of the process. Neither question nor answer is for the plugin.

use std::mem;

use serde_json::Value;

use super::question::{self, KEY, MEMBER};
use crate::{
    catalog::OperationRef,
    component::BadTicket,
    contract::{Answer, AnswerValue, Consent, Dialogue, Questions, Unconfirmed},
    failure::Failure,
};

/// Proof that a call may be carried out: nobody has to agree to it, or somebody has. Made here alone, and no operation is run without
/// it.
#[derive(Debug)]
pub struct Confirmed(());

/// Decides about a call whose input is valid, as far as its dialogue has come. An agreement is used up by it.
///
/// # Errors
/// [`Failure::InputRequired`] with the host's own question; [`Failure::NotConfirmed`].
pub(super) fn confirm(operation: &OperationRef, input: &Value, dialogue: &mut Dialogue) -> Result<Confirmed, Failure> {
    let consent = mem::take(&mut dialogue.consent);
    // The plugin hasn't asked anything yet: whatever is answered is answered to the host.
    let answers = match consent {
        Consent::Asked(_) => mem::take(&mut dialogue.answers),
        Consent::Unasked | Consent::Given(_) => Vec::new(),
    };
    if !operation.needs_agreement() {
        return Ok(Confirmed(()));
    }
    let (ticket, verdict) = match consent {
        Consent::Unasked => return Err(ask(operation, input)),
        Consent::Asked(ticket) => match verdict(&answers) {
            Some(verdict) => (ticket, verdict),
            None => return Err(ask(operation, input)),
        },
        Consent::Given(ticket) => (ticket, Ok(())),
    };
    // A no uses it up as well: it isn't taken back by the same question's yes.
    match (operation.plugin().agreements().redeem(ticket), verdict) {
        (Err(BadTicket::Void), _) => Err(ask(operation, input)),
        (Err(BadTicket::Used), _) => Err(Failure::NotConfirmed(Unconfirmed::Used)),
        (Ok(()), Err(unconfirmed)) => Err(Failure::NotConfirmed(unconfirmed)),
        (Ok(()), Ok(())) => {
            tracing::info!("somebody has agreed to the call");
            Ok(Confirmed(()))
        }
    }
}

/// The agreement of somebody whom a door has asked by its own means: the command line's `--yes`.
pub fn agreed(operation: &OperationRef) -> Consent {
    Consent::Given(operation.plugin().agreements().issue())
}

/// Lets a call that was agreed to go on after the plugin's questions. The agreement has been used, so another one goes with them: for
/// the call with the answers, once.
pub(super) fn keep(operation: &OperationRef, failure: Failure) -> Failure {
    match failure {
        Failure::InputRequired(questions) if operation.needs_agreement() => {
            Failure::InputRequired(Box::new(Questions { consent: agreed(operation), ..*questions }))
        }
        other => other,
    }
}

fn ask(operation: &OperationRef, input: &Value) -> Failure {
    let question = question::of(operation.plugin().name(), operation.operation(), input);
    let consent = Consent::Asked(operation.plugin().agreements().issue());
    Failure::InputRequired(Box::new(Questions { questions: vec![question], state: None, consent }))
}

/// What was answered to the host's question; `None` if nothing.
fn verdict(answers: &[Answer]) -> Option<Result<(), Unconfirmed>> {
    let answer = answers.iter().find(|it| it.key == KEY)?;
    Some(match &answer.value {
        AnswerValue::Accepted(form) if form[MEMBER] == true => Ok(()),
        AnswerValue::Accepted(_) | AnswerValue::Declined => Err(Unconfirmed::Declined),
        AnswerValue::Cancelled | AnswerValue::Sampled { .. } | AnswerValue::Roots(_) => Err(Unconfirmed::Cancelled),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_ticked_box_is_a_yes() {
        let accepted = AnswerValue::Accepted;
        let sampled = AnswerValue::Sampled { model: "m".to_owned(), content: Vec::new() };
        for (key, value, expected) in [
            (KEY, accepted(json!({"confirm": true})), Some(Ok(()))),
            (KEY, accepted(json!({"confirm": true, "more": 1})), Some(Ok(()))),
            (KEY, accepted(json!({"confirm": false})), Some(Err(Unconfirmed::Declined))),
            (KEY, accepted(json!({"confirm": "true"})), Some(Err(Unconfirmed::Declined))),
            (KEY, accepted(json!({})), Some(Err(Unconfirmed::Declined))),
            (KEY, accepted(json!([true])), Some(Err(Unconfirmed::Declined))),
            (KEY, accepted(json!(true)), Some(Err(Unconfirmed::Declined))),
            (KEY, AnswerValue::Declined, Some(Err(Unconfirmed::Declined))),
            (KEY, AnswerValue::Cancelled, Some(Err(Unconfirmed::Cancelled))),
            (KEY, sampled, Some(Err(Unconfirmed::Cancelled))),
            (KEY, AnswerValue::Roots(Vec::new()), Some(Err(Unconfirmed::Cancelled))),
            ("confirm", accepted(json!({"confirm": true})), None),
        ] {
            let answers = [Answer { key: key.to_owned(), value }];
            assert_eq!(verdict(&answers), expected, "{answers:?}");
        }
        assert_eq!(verdict(&[]), None);
    }
}
