//! The way of one request: decide, hold to the limits, add the credentials, send, take the answer. And whether there is another.
//!
//! Each attempt and each redirect takes the whole way again, from the decision on.

use http::{HeaderMap, Method, Request, Response, Uri};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use super::{
    Body, Context, Egress,
    audit::{Audit, Step},
    headers::{self, Bounds},
    payload::Payload,
    redirect::{self, Redirect},
    refusal::{Denial, Refusal, Rule},
    response::{self, Terms},
    retry::{self, Moment},
    transport::{BoxError, Failure, RequestBody, Sent},
};

/// What is asked for: at first the guest's own request, then what a redirect makes of it.
pub(super) struct Wanted {
    method: Method,
    uri: Uri,
    /// The guest's.
    headers: HeaderMap,
    body: Payload,
    hop: usize,
}

impl Wanted {
    pub(super) fn new<B>(request: Request<B>, body_limit: usize) -> Self
    where
        B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        let body = Payload::new(body, &parts.headers, body_limit);
        Self { method: parts.method, uri: parts.uri, headers: parts.headers, body, hop: 0 }
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

    /// Attempts until what comes back is final.
    pub(super) async fn repeat(&self, wanted: &mut Wanted, context: &Context) -> Result<Response<Body>, Refusal> {
        let mut attempt = 0;
        loop {
            let result = self.attempt(wanted, attempt, context).await;
            let moment = Moment::of_call(context.deadline);
            let may = attempt < self.retries.most && self.retries.allow(&wanted.method) && wanted.body.is_replayable();
            let Some(pause) = retry::pause(&result, attempt, moment).filter(|_| may) else {
                return result;
            };
            if let Ok(answer) = result {
                answer.into_body().set_aside("retried");
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, wanted: &mut Wanted, attempt: u32, context: &Context) -> Result<Response<Body>, Refusal> {
        let step = Step { hop: wanted.hop, attempt: attempt + 1 };
        let mut audit = Audit::begin(&self.plugin, context, step, &wanted.method, &wanted.uri);
        match self.exchange(wanted, context.deadline, &mut audit).await {
            Ok(answer) => response::receive(answer, self.terms(context.deadline), audit),
            Err(refusal) => {
                audit.refused(&refusal);
                Err(refusal)
            }
        }
    }

    async fn exchange(
        &self,
        wanted: &mut Wanted,
        deadline: Instant,
        audit: &mut Audit,
    ) -> Result<Response<Incoming>, Refusal> {
        let permitted = self.policy.check(&wanted.method, &wanted.uri).map_err(|denial| wanted.denied(denial))?;
        Bounds { fields: self.limits.headers, bytes: self.limits.header_bytes }
            .check(&wanted.uri, &wanted.headers)
            .map_err(|excess| Refusal::RequestTooLarge { excess })?;
        wanted.body.collect(deadline).await?;
        let now = Instant::now();
        let admission = self
            .breakers
            .admit(permitted.origin(), now)
            .map_err(|retry_after| Refusal::CircuitOpen { host: wanted.host(), retry_after })?;
        if let Some(rate) = &self.rate {
            rate.take(now).map_err(|retry_after| Refusal::RateLimited { retry_after })?;
        }

        // Made anew: nothing of the guest's request but what is named here goes out. The credentials come last.
        let mut headers = headers::outgoing(wanted.headers.clone());
        let query = permitted.credentials().add_to(&mut headers, wanted.uri.query());
        let uri = permitted
            .uri(query.as_ref().map(|query| query.as_str()))
            .map_err(|_| wanted.breaks(Rule::Path, "not a usable address: it is longer than 64 KB".to_owned()))?;
        let request = finished(wanted.method.clone(), uri, headers, wanted.body.take());

        let Sent { answer, peer } = self.transport.send(request, deadline).await;
        match (&answer, peer) {
            (Err(Failure::NotPublic(address) | Failure::DeniedAddress(address)), _) => audit.address(address),
            (_, Some(peer)) => audit.address(&peer),
            _ => {}
        }
        if let Some(fault) = wanted.body.fault() {
            return Err(fault);
        }
        match &answer {
            Ok(answer) if !retry::is_overloaded(answer.status()) => admission.succeeded(),
            Ok(_) | Err(Failure::Unavailable(_) | Failure::TimedOut(_)) => admission.failed(Instant::now()),
            // They say nothing about the upstream.
            Err(Failure::NotPublic(_) | Failure::DeniedAddress(_) | Failure::RequestBroken) => drop(admission),
        }
        answer.map_err(|failure| match failure {
            Failure::NotPublic(_) => wanted.breaks(Rule::PrivateAddress, self.policy.vouching_hint(&permitted)),
            Failure::DeniedAddress(_) => wanted.breaks(Rule::DeniedAddress, self.policy.denied_address_hint()),
            Failure::Unavailable(fault) => Refusal::Unavailable { host: wanted.host(), fault },
            Failure::TimedOut(wait) => Refusal::TimedOut { host: wanted.host(), wait },
            Failure::RequestBroken => Refusal::RequestBroken,
        })
    }

    fn terms(&self, deadline: Instant) -> Terms {
        let Self { limits, patterns, .. } = self;
        let patterns = patterns.clone();
        Terms { deadline, idle: limits.idle, headers: limits.headers, limit: limits.response, patterns }
    }
}

fn finished(method: Method, uri: Uri, headers: HeaderMap, body: RequestBody) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}
