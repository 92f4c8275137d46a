//! The access token of one OAuth 2.0 source: kept while it is good, fetched once for all who wait for it, not asked for again and
//! again where the endpoint fails.
//!
//! How a token is fetched is in `oauth2`; who needs it, and what it is put into, in `vault`.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

use super::{clients::Client, oauth2::Fetched, refusal::TokenFault};
use crate::grant::Secret;

/// How long before its end a token is no longer used: a tenth of its life, at most 10 s. That covers the way to the upstream and
/// clocks that differ a little.
const MAX_MARGIN: Duration = Duration::from_secs(10);

/// How long before that a new one is fetched, while the old one is still used: a fifth of its life, at most a minute. An endpoint
/// that fails for less than a minute isn't noticed by anyone.
const MAX_AHEAD: Duration = Duration::from_secs(60);

/// A token is kept for a second at least, or one with no life left would be fetched for each request anew.
const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// The pause after the first failure of an endpoint, doubled with each further one. 1 s: about how long a restart takes.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause. A minute: that's how long calls go on failing after the endpoint has recovered.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// The least time between two tokens that are thrown away because an upstream refused them. 10 s: an upstream that refuses them
/// all, or a plugin that provokes it, must not have every request fetch a token.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// A token, good for a while.
#[derive(Debug)]
pub(super) struct Token {
    value: Secret,
    renew_at: Instant,
    expires_at: Instant,
    refused: AtomicBool,
}

/// What a refresh has come to.
pub(super) type Refreshed = Shared<BoxFuture<'static, Result<(), TokenFault>>>;

/// One OAuth 2.0 source, of a grant or of a plugin.
pub(super) struct TokenSource {
    pub(super) client: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    /// The token before this one: an upstream may still repeat it.
    previous: Option<Arc<Token>>,
    running: Option<Refreshed>,
    failures: u32,
    paused: Option<(Instant, TokenFault)>,
    refused_at: Option<Instant>,
}

impl Token {
    fn new(fetched: Fetched, asked_at: Instant) -> Self {
        let lifetime = fetched.lifetime.max(MIN_LIFETIME);
        let expires_at = asked_at + lifetime - (lifetime / 10).min(MAX_MARGIN);
        let renew_at = expires_at - (lifetime / 5).min(MAX_AHEAD);
        Self { value: fetched.token, renew_at, expires_at, refused: AtomicBool::new(false) }
    }

    pub(super) fn value(&self) -> &Secret {
        &self.value
    }

    /// Whether it may still be used.
    pub(super) fn is_good(&self) -> bool {
        !self.refused.load(Ordering::Relaxed) && Instant::now() < self.expires_at
    }

    /// Whether it is time to look for another one.
    pub(super) fn is_old(&self) -> bool {
        Instant::now() >= self.renew_at
    }
}

impl TokenSource {
    pub(super) fn new(client: Client) -> Self {
        Self { client, state: Mutex::default() }
    }

    /// The host of the token endpoint, for messages.
    pub(super) fn host(&self) -> &str {
        &self.client.host
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    /// The present token and the one before it.
    pub(super) fn tokens(&self) -> (Option<Arc<Token>>, Option<Arc<Token>>) {
        let state = self.state();
        (state.token.clone(), state.previous.clone())
    }

    /// The refresh that is under way, or the one that `start` begins. After a failure none is begun for a while, and all who ask
    /// get that failure at once.
    ///
    /// What `start` gives must go on whoever waits for it, and end in [`Self::succeed`] or [`Self::fail`], then [`Self::end`].
    pub(super) fn refresh(&self, start: impl FnOnce() -> BoxFuture<'static, Result<(), TokenFault>>) -> Refreshed {
        let mut state = self.state();
        // One that has ended without saying so has panicked.
        if let Some(running) = state.running.as_ref().filter(|running| running.peek().is_none()) {
            return running.clone();
        }
        if state.token.as_ref().is_some_and(|token| token.is_good() && !token.is_old()) {
            return std::future::ready(Ok(())).boxed().shared();
        }
        if let Some((_, fault)) = state.paused.filter(|(until, _)| Instant::now() < *until) {
            return std::future::ready(Err(fault)).boxed().shared();
        }
        state.running.insert(start().shared()).clone()
    }

    /// Takes the new token. Until [`Self::end`], all who ask wait for what is made of it.
    pub(super) fn succeed(&self, fetched: Fetched, asked_at: Instant) {
        let mut state = self.state();
        let before = state.token.replace(Arc::new(Token::new(fetched, asked_at)));
        state.previous = before;
        state.failures = 0;
        state.paused = None;
    }

    /// Notes that there is no new token, and gives how long none will be asked for.
    pub(super) fn fail(&self, fault: TokenFault) -> Duration {
        let mut state = self.state();
        let pause = FIRST_PAUSE.saturating_mul(1 << state.failures.min(10)).min(MAX_PAUSE);
        state.failures += 1;
        state.paused = Some((Instant::now() + pause, fault));
        pause
    }

    /// The refresh is over.
    pub(super) fn end(&self) {
        self.state().running = None;
    }

    /// The client's secret has changed: what has failed before may succeed now.
    pub(super) fn forget_failures(&self) {
        let mut state = self.state();
        state.failures = 0;
        state.paused = None;
    }

    /// Throws a token away that an upstream has refused. False where one has been thrown away only just now: then the upstream
    /// refuses for another reason than the token's age.
    pub(super) fn refuse(&self, token: &Arc<Token>) -> bool {
        let mut state = self.state();
        let is_present = state.token.as_ref().is_some_and(|present| Arc::ptr_eq(present, token));
        if !is_present || token.refused.load(Ordering::Relaxed) {
            // Another request has been here before.
            return true;
        }
        let now = Instant::now();
        if state.refused_at.is_some_and(|refused_at| now < refused_at + REFUSED_PAUSE) {
            return false;
        }
        state.refused_at = Some(now);
        token.refused.store(true, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        egress::clients::ClientAccount,
        grant::{ClientAuthentication, TokenUrl},
    };

    fn source() -> TokenSource {
        TokenSource::new(Client {
            token_url: TokenUrl::parse("https://a.example/token").unwrap(),
            account: ClientAccount::Granted { id: "me".to_owned() },
            host: "a.example".to_owned(),
            scope: None,
            audience: None,
            resource: None,
            authentication: ClientAuthentication::Basic,
        })
    }

    fn fetched(seconds: u64) -> Fetched {
        Fetched { token: Secret::new("token".to_owned()), lifetime: Duration::from_secs(seconds) }
    }

    /// Whether a refresh would be begun now, and otherwise what those who ask get.
    fn asks(source: &TokenSource) -> Result<(), Option<TokenFault>> {
        let mut started = false;
        let refreshed = source.refresh(|| {
            started = true;
            std::future::ready(Ok(())).boxed()
        });
        source.end();
        if started { Ok(()) } else { Err(refreshed.now_or_never().expect("nothing is under way").err()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_before_its_end() {
        for (lifetime, renewed_ms, unused_ms) in [
            (36_000, 35_930_000, 35_990_000),
            (3600, 3_530_000, 3_590_000),
            (100, 70_000, 90_000),
            (10, 7000, 9000),
            (1, 700, 900),
            (0, 700, 900),
        ] {
            let source = source();
            let start = Instant::now();
            source.succeed(fetched(lifetime), start);
            let token = source.tokens().0.unwrap();
            assert_eq!((token.renew_at - start).as_millis(), renewed_ms, "{lifetime}");
            assert_eq!((token.expires_at - start).as_millis(), unused_ms, "{lifetime}");
            assert!(token.is_good() && !token.is_old());
            assert_eq!(asks(&source), Err(None));
            tokio::time::advance(token.renew_at - start).await;
            assert!(token.is_good() && token.is_old());
            assert_eq!(asks(&source), Ok(()));
            tokio::time::advance(token.expires_at - token.renew_at).await;
            assert!(!token.is_good());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_each_failure_the_pause_is_longer() {
        let source = source();
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(asks(&source), Ok(()));
            assert_eq!(source.fail(TokenFault::Status(503)), pause);
            tokio::time::advance(pause - Duration::from_millis(1)).await;
            assert_eq!(asks(&source), Err(Some(TokenFault::Status(503))));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        source.fail(TokenFault::TimedOut);
        source.forget_failures();
        assert_eq!(asks(&source), Ok(()));
        source.fail(TokenFault::TimedOut);
        source.succeed(fetched(0), Instant::now());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(asks(&source), Ok(()));
        assert_eq!(source.fail(TokenFault::TimedOut), FIRST_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_thrown_away_but_not_one_after_the_other() {
        let source = source();
        source.succeed(fetched(3600), Instant::now());
        let first = source.tokens().0.unwrap();
        assert!(source.refuse(&first));
        assert!(!first.is_good());
        assert!(source.refuse(&first), "for all requests that carried it");
        assert_eq!(asks(&source), Ok(()));

        source.succeed(fetched(3600), Instant::now());
        let second = source.tokens().0.unwrap();
        assert!(source.refuse(&first), "the first has been replaced");
        assert!(!source.refuse(&second));
        assert!(second.is_good());
        tokio::time::advance(REFUSED_PAUSE).await;
        assert!(source.refuse(&second));
    }
}
