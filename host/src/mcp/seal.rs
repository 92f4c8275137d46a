//! What belongs to a request while it is in a client's hands, a plugin's state and how far an agreement has come: sealed, so that it
//! comes back as it went out, in time, for the same request of the same caller.
//!
//! It isn't encrypted: the client may read it. Nothing is kept: the same seal may come back twice. That an agreement is used once is
//! seen to by those who use it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use super::tag::Tagger;
use crate::contract::{Consent, Ticket};

/// How long a state can come back. An hour: a person may look something up before answering, but what was asked in the morning
/// isn't confirmed in the evening.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// What is sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// The plugin's state. None is the same as an empty one.
    pub(super) state: Option<String>,
    /// How far the request has come with a person's agreement.
    pub(super) consent: Consent,
}

/// What seals the states of this process. Another process has another key: after a restart everything is asked anew.
pub(super) struct Seal(Tagger);

/// What a state belongs to. Sealed by this, it opens for nothing else.
#[derive(Clone, Copy)]
pub(super) struct Occasion<'a> {
    /// Who asks.
    pub(super) caller: &'a str,
    /// The protocol's method.
    pub(super) method: &'a str,
    /// The plugin that has given the state.
    pub(super) plugin: &'a str,
    /// What of it is asked for: an operation, a prompt, a URI.
    pub(super) subject: &'a str,
    /// The arguments.
    pub(super) arguments: &'a Value,
}

/// The state is none of ours, belongs to something else, or is too old.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this requestState can't be used: it isn't as it was given out, belongs to another request, or is more than an hour old; \
     send the request again without requestState and inputResponses"
)]
pub(super) struct BadState;

impl Seal {
    pub(super) fn new() -> Self {
        Self(Tagger::new())
    }

    /// Seals it: `<end of its life>.<consent>.<state>.<tag>`, the latter two in base64.
    pub(super) fn close(&self, kept: &Kept, occasion: Occasion<'_>, now: SystemTime) -> String {
        let state = BASE64_URL_SAFE_NO_PAD.encode(kept.state.as_deref().unwrap_or_default());
        let text = format!("{}.{}.{state}", seconds(now + LIFETIME), written(kept.consent));
        self.0.tag(&text, |text| sealed(text, occasion))
    }

    /// What was sealed, if it is as it was, for this occasion, and in time.
    pub(super) fn open(&self, seal: &str, occasion: Occasion<'_>, now: SystemTime) -> Result<Kept, BadState> {
        let text = self.0.untag(seal, |text| sealed(text, occasion)).ok_or(BadState)?;
        let (end, rest) = text.split_once('.').ok_or(BadState)?;
        let (consent, state) = rest.split_once('.').ok_or(BadState)?;
        let end: u64 = end.parse().map_err(|_| BadState)?;
        if end < seconds(now) {
            return Err(BadState);
        }
        let state = BASE64_URL_SAFE_NO_PAD.decode(state).map_err(|_| BadState)?;
        let state = String::from_utf8(state).map_err(|_| BadState)?;
        Ok(Kept { state: Some(state).filter(|it| !it.is_empty()), consent: read(consent)? })
    }
}

fn written(consent: Consent) -> String {
    match consent {
        Consent::Unasked => "unasked".to_owned(),
        Consent::Asked(Ticket { book, number }) => format!("asked-{book}-{number}"),
        Consent::Given(Ticket { book, number }) => format!("given-{book}-{number}"),
    }
}

fn read(consent: &str) -> Result<Consent, BadState> {
    let parts: Vec<&str> = consent.split('-').collect();
    let number = |text: &str| text.parse().map_err(|_| BadState);
    let ticket = |book, number_| Ok(Ticket { book: number(book)?, number: number(number_)? });
    match parts[..] {
        ["unasked"] => Ok(Consent::Unasked),
        ["asked", book, number] => ticket(book, number).map(Consent::Asked),
        ["given", book, number] => ticket(book, number).map(Consent::Given),
        _ => Err(BadState),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// All that the tag covers, each part behind its length: no two occasions give the same bytes.
fn sealed(text: &str, occasion: Occasion<'_>) -> Vec<u8> {
    let Occasion { caller, method, plugin, subject, arguments } = occasion;
    let mut arguments = arguments.clone();
    // A client may write the same arguments in another order.
    arguments.sort_all_objects();
    let mut bytes = Vec::new();
    for part in [text, caller, method, plugin, subject, &arguments.to_string()] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_comes_back_for_the_same_request_only() {
        let (arguments, reordered) = (json!({"a": 1, "b": {"c": 2, "d": 3}}), json!({"b": {"d": 3, "c": 2}, "a": 1}));
        let other = json!({"a": 1});
        let occasion = Occasion {
            caller: "mcp from 127.0.0.1",
            method: "tools/call",
            plugin: "users",
            subject: "delete",
            arguments: &arguments,
        };
        let (seal, now) = (Seal::new(), UNIX_EPOCH + Duration::from_secs(1_000_000));
        let kept = Kept { state: Some("step 2: {}".to_owned()), consent: Consent::Unasked };
        let closed = seal.close(&kept, occasion, now);
        let open = |closed: &str, occasion, later| seal.open(closed, occasion, now + Duration::from_secs(later));
        assert_eq!(open(&closed, occasion, 0), Ok(kept.clone()));
        assert_eq!(open(&closed, occasion, 3600), Ok(kept.clone()));
        assert_eq!(open(&closed, Occasion { arguments: &reordered, ..occasion }, 0), Ok(kept));

        assert_eq!(open(&closed, occasion, 3601), Err(BadState));
        for another in [
            Occasion { caller: "mcp from 127.0.0.2", ..occasion },
            Occasion { method: "prompts/get", ..occasion },
            Occasion { plugin: "user", subject: "sdelete", ..occasion },
            Occasion { subject: "read", ..occasion },
            Occasion { arguments: &other, ..occasion },
        ] {
            assert_eq!(open(&closed, another, 0), Err(BadState));
        }
        let (text, tag) = closed.rsplit_once('.').expect("a tag");
        let longer_life = format!("9{text}.{tag}");
        let agreed = closed.replace(".unasked.", ".given-0-0.");
        for tampered in
            ["", ".", text, &format!("{closed}-TAMPERED"), &format!("{closed}A"), &longer_life, &agreed, tag]
        {
            assert_eq!(open(tampered, occasion, 0), Err(BadState), "{tampered}");
        }
        assert_eq!(Seal::new().open(&closed, occasion, now), Err(BadState), "another process");
    }

    #[test]
    fn an_agreement_comes_back_as_it_went_out() {
        let arguments = json!({});
        let occasion = Occasion { caller: "c", method: "tools/call", plugin: "p", subject: "s", arguments: &arguments };
        let (seal, now) = (Seal::new(), UNIX_EPOCH);
        let ticket = Ticket { book: 1, number: 23 };
        for consent in [Consent::Unasked, Consent::Asked(ticket), Consent::Given(ticket)] {
            for state in [None, Some("a.b-c".to_owned())] {
                let kept = Kept { state, consent };
                assert_eq!(seal.open(&seal.close(&kept, occasion, now), occasion, now), Ok(kept));
            }
        }
        for unreadable in ["", "given", "given-1", "given-1-2-3", "given--1-2", "given-x-1", "taken-1-2"] {
            assert_eq!(read(unreadable), Err(BadState), "{unreadable}");
        }
    }
}
