//! Whose a session is: what a client gets as its id is the library's, with a tag that only this process can make for this caller.
//!
//! In anybody else's hands the id is no session's. Nothing is kept for it.

use axum::http::{HeaderMap, HeaderValue};

use super::tag::Tagger;
use crate::callers::Identity;

/// The field that names a session.
pub(super) const SESSION: &str = "mcp-session-id";

/// Makes the tags of an endpoint.
pub(super) struct Owners(Tagger);

impl Owners {
    pub(super) fn new() -> Self {
        Self(Tagger::new())
    }

    /// Tags the id of a session that has begun.
    pub(super) fn tag(&self, headers: &mut HeaderMap, identity: &Identity) {
        if let Some(id) = headers.get_mut(SESSION) {
            let text = id.to_str().expect("the library makes ids of letters and digits");
            let tagged = self.0.tag(text, |id| owned(id, identity));
            *id = HeaderValue::try_from(tagged).expect("and a tag has no others but - and _");
        }
    }

    /// Takes the tag off. Where it wasn't made for this caller, what is left names no session.
    pub(super) fn untag(&self, headers: &mut HeaderMap, identity: &Identity) {
        if let Some(tagged) = headers.get_mut(SESSION) {
            *tagged = self.untagged(tagged, identity).unwrap_or(HeaderValue::from_static("nobody's"));
        }
    }

    fn untagged(&self, tagged: &HeaderValue, identity: &Identity) -> Option<HeaderValue> {
        let id = self.0.untag(tagged.to_str().ok()?, |id| owned(id, identity))?;
        HeaderValue::from_str(id).ok()
    }
}

/// Where callers aren't told apart, all are one: they may ask from another address tomorrow.
fn owned(id: &str, identity: &Identity) -> Vec<u8> {
    let principal = identity.principal().unwrap_or_default();
    format!("{principal}\n{id}").into_bytes()
}
