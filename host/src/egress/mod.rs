//! The mediator: the one function through which every outbound request of a plugin passes.
//!
//! It decides, sends, and cleans what comes back. It doesn't know guests, operations or callers, and it has no state beyond a pool
//! of connections.
//!
//! A request passes, in this order: `policy` (declared ∧ granted), `headers` (what a guest can't set), `credentials` (last of all),
//! `transport` with `connect` and `address` (no private address behind a public name), `response` with `scrub`. `refusal` holds
//! the words for what went wrong, `grant_error` those for a plugin that can't be loaded, `audit` writes one line about each
//! request.

mod address;
mod audit;
mod connect;
mod credentials;
mod grant_error;
mod headers;
mod policy;
mod refusal;
mod response;
mod scrub;
mod spellings;
#[cfg(test)]
mod tests;
mod toml_lines;
mod transport;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use self::{
    address::OperatorNamed,
    audit::Audit,
    connect::{Connector, Resolve, SystemResolver},
    policy::Policy,
    response::Terms,
    scrub::Patterns,
    transport::{BoxError, Failure, Transport},
};
pub use self::{
    audit::AUDIT,
    grant_error::{GrantError, Problem},
    refusal::{Aspect, Denial, Fault, Refusal, Rule, Wait},
    response::Body,
    toml_lines::needed_grant,
};
use crate::{contract::Upstream, grant::Grant};

/// The way out for one plugin: what it may ask for, the credentials that are added, its connections.
pub struct Egress {
    plugin: Arc<str>,
    policy: Policy,
    transport: Transport,
    patterns: Option<Arc<Patterns>>,
    response_limit: usize,
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
        Self::with_resolver(plugin, grant, upstreams, Arc::new(SystemResolver))
    }

    fn with_resolver(
        plugin: &str,
        grant: &Grant,
        upstreams: &[Upstream],
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, GrantError> {
        let policy = Policy::new(plugin, grant, upstreams)?;
        let secrets = || grant.secrets.iter().filter_map(|(name, secret)| Some((name, secret.as_ref().ok()?)));
        for (name, _) in secrets().filter(|(_, secret)| secret.expose().len() < scrub::SHORTEST) {
            tracing::warn!(
                plugin,
                secret = name,
                "secret is too short to be removed from answers: under {} bytes",
                scrub::SHORTEST
            );
        }
        Ok(Self {
            plugin: plugin.into(),
            policy,
            transport: Transport::new(Connector::new(resolver, OperatorNamed::new(grant)), grant.limits.concurrency),
            patterns: Patterns::new(secrets().map(|(_, secret)| secret)),
            response_limit: grant.limits.response,
        })
    }

    /// Once per outbound request: sends it if it may be sent, and gives the answer, redirects included. `deadline` holds for the
    /// answer's last byte too.
    ///
    /// It does NOT limit how many requests a plugin sends or how large they are: the sandbox limits calls, memory and time.
    pub async fn send<B>(&self, request: Request<B>, deadline: Instant) -> Result<Response<Body>, Refusal>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut audit = Audit::begin(&self.plugin, &request);
        let (parts, body) = request.into_parts();
        match self.exchange(parts, body, deadline).await {
            Ok(answer) => {
                let terms = Terms { deadline, limit: self.response_limit, patterns: self.patterns.clone() };
                response::receive(answer, terms, audit)
            }
            Err(refusal) => {
                audit.refused(&refusal);
                Err(refusal)
            }
        }
    }

    /// Refuses a request because the call has made as many as its grant allows, which the sandbox counts. Only the first of a call
    /// gets its line in the audit log: the rest is the same guest insisting, and a guest can't fill the disk.
    pub fn refuse_surplus<B>(&self, request: &Request<B>, surplus: Surplus) -> Refusal {
        let more = format!("limits.requests = {}", surplus.limit.saturating_mul(2).max(1));
        let section = toml_lines::section(&self.plugin, &[more]);
        let hint = format!("the call has made {} requests, its limit; to allow more: {section}", surplus.limit);
        let refusal = Refusal::Denied(Denial::new(Rule::Requests, request.method(), request.uri(), hint));
        if surplus.nth == 1 {
            Audit::begin(&self.plugin, request).refused(&refusal);
        }
        refusal
    }

    async fn exchange<B>(
        &self,
        guests: request::Parts,
        body: B,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Refusal>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let denied = |rule, hint| Refusal::Denied(Denial::new(rule, &guests.method, &guests.uri, hint));
        let permitted = self.policy.check(&guests.method, &guests.uri).map_err(Refusal::Denied)?;

        // Made anew: nothing of the guest's request but what is named here goes out.
        let mut headers = headers::outgoing(guests.headers, body.size_hint().exact());
        let query = permitted.credentials().add_to(&mut headers, guests.uri.query());
        let uri = permitted
            .uri(query.as_ref().map(|query| query.as_str()))
            .map_err(|_| denied(Rule::Path, "not a usable address: it is longer than 64 KB".to_owned()))?;
        let mut request = Request::new(body.map_err(Into::into).boxed_unsync());
        *request.method_mut() = guests.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;

        let host = || guests.uri.host().unwrap_or_default().to_owned();
        self.transport.send(request, deadline).await.map_err(|failure| match failure {
            Failure::NotPublic => denied(Rule::PrivateAddress, self.policy.vouching_hint(&permitted)),
            Failure::Unavailable(fault) => Refusal::Unavailable { host: host(), fault },
            Failure::TimedOut(wait) => Refusal::TimedOut { host: host(), wait },
            Failure::RequestBroken => Refusal::RequestBroken,
        })
    }
}
