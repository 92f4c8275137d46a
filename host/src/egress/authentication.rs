//! The credentials of one request, from its first sending to its last: adds them, and says after an answer whether the same
//! request is worth sending once more with others.
//!
//! Nothing is sent here. Whether a request's body can be sent again is the sender's business.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, Uri, header, request::Parts, uri::PathAndQuery};
use tokio::time::Instant;

use super::{
    digest::Answered,
    keyring::{Keyring, Prepared},
    policy::Permitted,
    refusal::{Refusal, TokenFault},
    scrub::Patterns,
    vault::Vault,
};

/// The credentials of one request.
pub(super) struct Authentication<'vault> {
    vault: &'vault Arc<Vault>,
    upstream: usize,
    origin: String,
    deadline: Instant,
    keyring: Arc<Keyring>,
    answered: Option<Answered>,
    /// One repetition is all there is: an upstream that refuses twice means it.
    is_repeated: bool,
}

/// The address is longer than 64 KB with the credentials in it.
#[derive(Debug)]
pub(super) struct TooLong;

impl<'vault> Authentication<'vault> {
    /// Once per request, before it is sent where it may be. It waits for a token where one is needed.
    pub(super) async fn begin(
        vault: &'vault Arc<Vault>,
        permitted: &Permitted,
        deadline: Instant,
    ) -> Result<Self, Refusal> {
        let (upstream, origin) = (permitted.upstream(), permitted.origin());
        let keyring = vault.keyring(upstream, deadline).await?;
        if keyring.upstream(upstream).is_none() {
            let host = vault.token_host(upstream).to_owned();
            return Err(Refusal::Token { host, fault: TokenFault::Malformed });
        }
        Ok(Self { vault, upstream, origin, deadline, keyring, answered: None, is_repeated: false })
    }

    fn prepared(&self) -> &Prepared {
        self.keyring.upstream(self.upstream).expect("looked at when the keyring was taken")
    }

    /// Once per sending, last of all: adds the credentials to a request that is finished otherwise. `request` must be without
    /// those of an earlier sending.
    pub(super) fn add_to(&mut self, request: &mut Parts) -> Result<(), TooLong> {
        let credentials = &self.prepared().credentials;
        if let Some(query) = credentials.add_to(&mut request.headers, request.uri.query()) {
            request.uri = with_query(&request.uri, &query).map_err(|_| TooLong)?;
        }
        let target = request.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let challenges = self.vault.challenges(self.upstream);
        let account = credentials.account();
        let answer = account.and_then(|account| challenges.answer(&self.origin, account, &request.method, target));
        self.answered = answer.map(|(value, answered)| {
            request.headers.insert(header::AUTHORIZATION, value);
            answered
        });
        Ok(())
    }

    /// Once per answer: gives back what there is to send again, where that is worth it; then the answer is to be dropped. It waits
    /// for a new token where the old one was refused. Where nothing can be sent again, the next request profits.
    pub(super) async fn answered<B>(&mut self, status: StatusCode, headers: &HeaderMap, again: Option<B>) -> Option<B> {
        if status != StatusCode::UNAUTHORIZED || self.is_repeated {
            return None;
        }
        self.is_repeated = true;
        let has_challenge = self.has_new_challenge(headers);
        let has_thrown_away = self.throws_tokens_away();
        let again = again.filter(|_| has_challenge || has_thrown_away)?;
        // Where there is no new token, the upstream's refusal is the answer.
        let keyring = self.vault.keyring(self.upstream, self.deadline).await.ok()?;
        keyring.upstream(self.upstream)?;
        self.keyring = keyring;
        Some(again)
    }

    /// What to scrub from an answer to what has been sent.
    pub(super) fn patterns(&self) -> Option<Arc<Patterns>> {
        self.keyring.patterns()
    }

    fn has_new_challenge(&self, headers: &HeaderMap) -> bool {
        let is_asked_for = self.prepared().credentials.account().is_some();
        let challenges = self.vault.challenges(self.upstream);
        is_asked_for && challenges.renew(&self.origin, headers, self.answered.as_ref())
    }

    /// Throws away the tokens that were refused. False where there are none, or where that wouldn't help.
    fn throws_tokens_away(&self) -> bool {
        let tokens = &self.prepared().tokens;
        !tokens.is_empty() && tokens.iter().all(|(source, token)| source.refuse(token))
    }
}

fn with_query(uri: &Uri, query: &str) -> Result<Uri, http::Error> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{}?{query}", uri.path()))?);
    Ok(Uri::from_parts(parts)?)
}
