//! The way of one request: decide, hold to the limits, add the credentials, send, take the answer. And whether there is another.
//!
//! Each attempt and each redirect takes the whole way again, from the decision on.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, Uri, request::Parts};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use super::{
    Body, Context, Egress, Patience,
    audit::{Audit, Step},
    authentication::{Authentication, TooLong},
    breaker::Admission,
    headers::{self, Bounds},
    payload::Payload,
    policy::Permitted,
    redirect::{self, Redirect},
    refusal::{Denial, Refusal, Rule},
    response::{self, Terms},
    retry::{self, Moment},
    scrub::Patterns,
    transport::{BoxError, Failure},
};

/// What is asked for: at first the guest's own request, then what a redirect makes of it.
pub(super) struct Wanted {
    method: Method,
    uri: Uri,
    /// Which declared upstream is meant, by its name. It holds for redirects too, as far as that upstream reaches.
    upstream: Option<String>,
    /// The guest's.
    headers: HeaderMap,
    body: Payload,
    patience: Patience,
    hop: usize,
}

impl Wanted {
    pub(super) fn new<B>(request: Request<B>, patience: Patience, body_limit: usize) -> Self
    where
        B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let upstream = headers::take_upstream(&mut parts.headers);
        let body = Payload::new(body, &parts.headers, body_limit);
        Self { method: parts.method, uri: parts.uri, upstream, headers: parts.headers, body, patience, hop: 0 }
    }

    /// Asks for what the redirect says.
    pub(super) fn follow(&mut self, redirect: Redirect) {
        redirect::clean(&mut self.headers, &self.uri, &redirect);
        if redirect.without_body {
            self.body = Payload::empty();
        }
        self.method = redirect.method;
        self.uri = redirect.uri;
        self.hop += 1;
    }

    /// How many redirects led here.
    pub(super) fn hop(&self) -> usize {
        self.hop
    }

    /// The host, for messages.
    pub(super) fn host(&self) -> String {
        self.uri.host().unwrap_or_default().to_owned()
    }

    /// The request that is sent, made anew: nothing of the guest's but what is named here goes out. The credentials come last.
    fn finish(&self, permitted: &Permitted, authentication: &mut Authentication<'_>) -> Result<Parts, Refusal> {
        let too_long = || self.breaks(Rule::Path, "not a usable address: it is longer than 64 KB".to_owned());
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = self.method.clone();
        parts.uri = permitted.uri(self.uri.query()).map_err(|_| too_long())?;
        parts.headers = headers::outgoing(self.headers.clone());
        authentication.add_to(&mut parts).map_err(|TooLong| too_long())?;
        Ok(parts)
    }

    fn denied(&self, denial: Denial) -> Refusal {
        Refusal::Denied(if self.hop > 0 { denial.of_redirect() } else { denial })
    }

    fn breaks(&self, rule: Rule, hint: String) -> Refusal {
        self.denied(Denial::new(rule, &self.method, &self.uri, hint))
    }
}

impl Egress {
    /// The redirect to follow, if the answer is one that the grant has followed. One that needs a body which was too large to be
    /// kept is handed on.
    pub(super) fn redirect(&self, wanted: &Wanted, answer: &Response<Body>) -> Option<Redirect> {
        redirect::read(&wanted.method, &wanted.uri, answer)
            .filter(|redirect| self.redirects > 0 && (redirect.without_body || wanted.body.is_replayable()))
    }

    /// Attempts until what comes back is final. An answer that asks for other credentials gets them once, which doesn't count as a
    /// repetition.
    pub(super) async fn repeat(&self, wanted: &mut Wanted, context: &Context) -> Result<Response<Body>, Refusal> {
        let mut authentication = None;
        let mut attempt = 0;
        let mut repetitions = 0;
        loop {
            attempt += 1;
            let result = self.attempt(wanted, attempt, &mut authentication, context).await;
            if let (Ok(answer), Some(authentication)) = (&result, &mut authentication) {
                let again = wanted.body.is_replayable().then_some(());
                if authentication.answered(answer.status(), answer.headers(), again).await.is_some() {
                    set_aside(result, "challenged");
                    continue;
                }
            }
            let moment = Moment::of_call(context.deadline);
            let may =
                repetitions < self.retries.most && self.retries.allow(&wanted.method) && wanted.body.is_replayable();
            let Some(pause) = retry::pause(&result, repetitions, moment).filter(|_| may) else {
                return result;
            };
            set_aside(result, "retried");
            sleep(pause).await;
            repetitions += 1;
        }
    }

    async fn attempt<'vault>(
        &'vault self,
        wanted: &mut Wanted,
        attempt: u32,
        authentication: &mut Option<Authentication<'vault>>,
        context: &Context,
    ) -> Result<Response<Body>, Refusal> {
        let step = Step { hop: wanted.hop, attempt };
        let mut audit = Audit::begin(&self.plugin, context, step, &wanted.method, &wanted.uri);
        match self.exchange(wanted, authentication, context.deadline, &mut audit).await {
            Ok((answer, patterns)) => {
                let terms = self.terms(context.deadline, wanted.patience, patterns);
                response::receive(answer, terms, audit, wanted.body.answered())
            }
            Err(refusal) => {
                audit.refused(&refusal);
                Err(refusal)
            }
        }
    }

    async fn exchange<'vault>(
        &'vault self,
        wanted: &mut Wanted,
        authentication: &mut Option<Authentication<'vault>>,
        deadline: Instant,
        audit: &mut Audit,
    ) -> Result<(Response<Incoming>, Option<Arc<Patterns>>), Refusal> {
        let permitted = self.policy.check(&wanted.method, &wanted.uri, wanted.upstream.as_deref());
        let permitted = permitted.map_err(|denial| wanted.denied(denial))?;
        Bounds { fields: self.limits.headers, bytes: self.limits.header_bytes }
            .check(&wanted.uri, &wanted.headers)
            .map_err(|excess| Refusal::RequestTooLarge { excess })?;
        wanted.body.collect(deadline).await?;
        let admission = self.admit(wanted, &permitted)?;
        let authentication = match authentication {
            Some(begun) => begun,
            None => authentication.insert(Authentication::begin(&self.vault, &permitted, deadline).await?),
        };

        let parts = wanted.finish(&permitted, authentication)?;
        let request = Request::from_parts(parts, wanted.body.take());
        let sent = self.transport.send(request, wanted.patience, deadline).await;
        audit.sent(&sent);
        let answer = sent.answer;
        if let Some(fault) = wanted.body.fault() {
            return Err(fault);
        }
        judge(admission, &answer);
        let answer = answer.map_err(|failure| match failure {
            Failure::NotPublic(_) => wanted.breaks(Rule::PrivateAddress, self.policy.vouching_hint(&permitted)),
            Failure::DeniedAddress(_) => wanted.breaks(Rule::DeniedAddress, self.policy.denied_address_hint()),
            Failure::Unavailable(fault) => Refusal::Unavailable { host: wanted.host(), fault },
            Failure::TimedOut(wait) => Refusal::TimedOut { host: wanted.host(), wait },
            Failure::RequestBroken => Refusal::RequestBroken,
        })?;
        Ok((answer, authentication.patterns()))
    }

    /// Whether the upstream is to be asked now: its circuit is closed, and the plugin keeps to its rate.
    fn admit(&self, wanted: &Wanted, permitted: &Permitted) -> Result<Admission<'_>, Refusal> {
        let now = Instant::now();
        let admission = self
            .breakers
            .admit(permitted.origin(), now)
            .map_err(|retry_after| Refusal::CircuitOpen { host: wanted.host(), retry_after })?;
        if let Some(rate) = &self.rate {
            rate.take(now).map_err(|retry_after| Refusal::RateLimited { retry_after })?;
        }
        Ok(admission)
    }

    fn terms(&self, deadline: Instant, patience: Patience, patterns: Option<Arc<Patterns>>) -> Terms {
        let limits = &self.limits;
        let idle = patience.idle.map_or(limits.idle, |idle| idle.min(limits.idle));
        Terms { deadline, idle, headers: limits.headers, limit: limits.response, patterns }
    }
}

/// What the exchange says about the upstream.
fn judge(admission: Admission<'_>, answer: &Result<Response<Incoming>, Failure>) {
    match answer {
        Ok(answer) if !retry::is_overloaded(answer.status()) => admission.succeeded(),
        Ok(_) | Err(Failure::Unavailable(_) | Failure::TimedOut(_)) => admission.failed(Instant::now()),
        // They say nothing about it.
        Err(Failure::NotPublic(_) | Failure::DeniedAddress(_) | Failure::RequestBroken) => drop(admission),
    }
}

/// An answer that isn't the last word.
fn set_aside(result: Result<Response<Body>, Refusal>, outcome: &'static str) {
    if let Ok(answer) = result {
        answer.into_body().set_aside(outcome);
    }
}
