//! The mediator: the one function through which every outbound request of a plugin passes.
//!
//! It decides, sends, and cleans what comes back. It doesn't know guests, operations or callers beyond their names in the audit,
//! and the state it has is that of the plugin's upstreams: connections, circuits, the rate of requests, the secrets.
//!
//! `exchange` is the way of a request: `policy` (declared ∧ granted), `headers` and `payload` (what a guest can't set, and how
//! much), `breaker` and the plugin's rate (whether now), `authentication` (last of all: what `vault` holds for the upstream), `transport` with
//! `connect`, `address` and `tls` (no private address behind a public name), `response` with `decode` and `scrub`. Around it
//! `retry` and `redirect` say whether there is another request; each passes all of it again. `refusal` holds the words for what
//! went wrong, `grant_error` those for a plugin that can't be loaded, `audit` writes a line about each request.

mod address;
mod audit;
mod authentication;
mod breaker;
mod clients;
mod connect;
mod credentials;
mod decode;
mod digest;
mod exchange;
mod grant_error;
mod headers;
mod keyring;
mod oauth2;
mod payload;
mod policy;
#[cfg(test)]
mod properties;
mod redirect;
mod refusal;
mod response;
mod retry;
mod scrub;
mod slot;
mod spellings;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod token;
mod toml_lines;
mod transport;
mod vault;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use tracing::{Instrument, trace_span};

use self::{
    address::AddressPolicy,
    audit::{Audit, Step},
    breaker::Breakers,
    connect::{Connector, Resolve, SystemResolver},
    exchange::Wanted,
    policy::Policy,
    transport::{BoxError, Transport},
    vault::Vault,
};
pub use self::{
    audit::AUDIT,
    clients::token_endpoint,
    grant_error::{GrantError, Problem},
    refusal::{Aspect, Denial, Excess, Fault, Refusal, Rule, TokenFault, Wait},
    response::Body,
    toml_lines::needed_grant,
};
pub(crate) use self::{credentials::NOT_UNRESERVED, tls::plain as plain_tls};
use crate::{
    contract::Upstream,
    grant::{Grant, Limits, Retries},
    metrics::PHASE,
    rate::Rate,
};

/// The way out for one plugin: what it may ask for, the credentials that are added, its connections.
pub struct Egress {
    plugin: Arc<str>,
    policy: Policy,
    vault: Arc<Vault>,
    transport: Arc<Transport>,
    breakers: Breakers,
    rate: Option<Rate>,
    redirects: usize,
    retries: Retries,
    limits: Limits,
}

/// The call that a request belongs to.
#[derive(Clone, Debug)]
pub struct Context {
    /// The operation, for the audit.
    pub operation: Arc<str>,
    /// Who called it, for the audit.
    pub caller: Arc<str>,
    /// When the time for requests is over. It holds for the last byte of an answer too.
    pub deadline: Instant,
}

/// How long before a call's own end its requests end. 50 ms: by then the mediator has noted on a busy machine that the upstream was
/// too slow, and the guest can make an answer of it. Without it the call would be stopped first: the plugin would have the blame, and
/// the upstream's circuit wouldn't hear of it.
const LEAD: Duration = Duration::from_millis(50);

impl Context {
    /// A call that begins now and is stopped after `wall`. Of a short one no more than a tenth is taken.
    pub fn begin(operation: Arc<str>, caller: Arc<str>, wall: Duration) -> Self {
        Self { operation, caller, deadline: Instant::now() + wall - LEAD.min(wall / 10) }
    }
}

/// How long a plugin itself waits for one request. It only shortens what its grant allows; `None` = as long as that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Resolving, connecting and the TLS handshake together.
    pub connect: Option<Duration>,
    /// From the connection to the header of the answer.
    pub first_byte: Option<Duration>,
    /// Silence in the middle of the answer.
    pub idle: Option<Duration>,
}

/// A request beyond a call's limit.
#[derive(Clone, Copy, Debug)]
pub struct Surplus {
    /// How many requests a call may make.
    pub limit: usize,
    /// Which of those beyond the limit this is, from 1.
    pub nth: usize,
}

impl Egress {
    /// Once per plugin load: works out declared ∧ granted and fills in the secrets. The error says all that is missing, with the
    /// lines to add to `airlock.toml`.
    pub fn new(plugin: &str, grant: &Grant, upstreams: &[Upstream]) -> Result<Self, GrantError> {
        Self::with_resolver(plugin, grant, upstreams, Arc::new(SystemResolver::default()))
    }

    fn with_resolver(
        plugin: &str,
        grant: &Grant,
        upstreams: &[Upstream],
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, GrantError> {
        let connector = Connector::new(resolver, AddressPolicy::new(grant));
        let transport = Arc::new(Transport::new(connector, grant));
        let policy = Policy::new(plugin, grant, upstreams);
        let vault = Vault::open(plugin, grant, upstreams, Arc::clone(&transport));
        let (policy, vault) = match (policy, vault) {
            (Ok(policy), Ok(vault)) => (policy, vault),
            (policy, vault) => {
                let problems = [policy.err(), vault.err()].into_iter().flatten().flatten();
                return Err(GrantError::new(plugin, problems.collect()));
            }
        };
        Ok(Self {
            plugin: plugin.into(),
            policy,
            vault,
            transport,
            breakers: Breakers::default(),
            rate: grant.limits.requests_per_second.map(|rate| Rate::new(rate, Instant::now())),
            redirects: grant.redirects,
            retries: grant.retries.clone(),
            limits: grant.limits.clone(),
        })
    }

    /// Once per outbound request of a guest: sends it if it may be sent, and gives one answer, whatever it took: repetitions and
    /// the redirects that the grant has followed. Other redirects are answers like any other.
    ///
    /// It does NOT limit how many requests a call sends or how many at once: the sandbox does.
    pub async fn send<B>(
        &self,
        request: Request<B>,
        patience: Patience,
        context: Context,
    ) -> Result<Response<Body>, Refusal>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut wanted = Wanted::new(request, patience, self.limits.request);
        loop {
            let asked = self.repeat(&mut wanted, &context);
            let answer = asked.instrument(trace_span!(target: PHASE, "egress")).await?;
            let Some(redirect) = self.redirect(&wanted, &answer) else {
                return Ok(answer);
            };
            if wanted.hop() == self.redirects {
                // Handed on, it would be read against an address that the guest has never asked for.
                answer.into_body().set_aside("too-many-redirects");
                return Err(Refusal::Unavailable { host: wanted.host(), fault: Fault::TooManyRedirects });
            }
            answer.into_body().set_aside("redirected");
            wanted.follow(redirect);
        }
    }

    /// Refuses a request because the call has made as many as its grant allows, which the sandbox counts. Only the first of a call
    /// gets its line in the audit log: the rest is the same guest insisting, and a guest can't fill the disk.
    pub fn refuse_surplus<B>(&self, request: &Request<B>, context: &Context, surplus: Surplus) -> Refusal {
        let more = format!("limits.requests = {}", surplus.limit.saturating_mul(2).max(1));
        let section = toml_lines::section(&self.plugin, &[more]);
        let hint = format!("the call has made {} requests, its limit; to allow more: {section}", surplus.limit);
        refuse(&self.plugin, Rule::Requests, hint, request, context, surplus)
    }
}

/// Refuses a request that a plugin makes while it describes itself: nothing is declared yet, so there is no mediator for it. Its
/// line in the audit is as that of any surplus.
pub fn refuse_in_describe<B>(plugin: &Arc<str>, request: &Request<B>, context: &Context, surplus: Surplus) -> Refusal {
    let hint = "a provider describes itself without asking anybody; requests belong into its operations".to_owned();
    refuse(plugin, Rule::Describing, hint, request, context, surplus)
}

fn refuse<B>(
    plugin: &Arc<str>,
    rule: Rule,
    hint: String,
    request: &Request<B>,
    context: &Context,
    surplus: Surplus,
) -> Refusal {
    let refusal = Refusal::Denied(Denial::new(rule, request.method(), request.uri(), hint));
    if surplus.nth == 1 {
        let first = Step { hop: 0, attempt: 1 };
        Audit::begin(plugin, context, first, request.method(), request.uri()).refused(&refusal);
    }
    refusal
}
