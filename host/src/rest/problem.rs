//! What goes wrong, as `application/problem+json` (RFC 9457): the members of each problem. Names, statuses and titles are `kind`'s.
//!
//! Only `Display` texts get in, which are made for callers. What the operator may know besides is in the log.

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    kind::{Kind, URN},
    request_id::RequestId,
};
use crate::{
    callers::{self, Rejection},
    catalog::OperationRef,
    egress::Refusal,
    failure::{Cause, Failure, InputProblem, seconds},
    json::MAX_MESSAGE,
    listen,
};

/// How much of a path is repeated: enough to recognise it.
const MAX_SHOWN: usize = 200;

/// What goes wrong before there is a call.
#[derive(Debug)]
pub(super) enum Fault<'a> {
    /// Nothing serves the path.
    NoRoute { method: &'a Method, path: &'a str },
    /// The path is served, by other methods.
    OtherMethods { method: &'a Method, path: &'a str, allow: HeaderValue },
    /// The answer would be JSON, which the caller doesn't take.
    NotAcceptable,
    /// The call depends on what the plugin can't check.
    Condition,
    /// The body isn't JSON, going by its type.
    MediaType,
    /// The body is compressed.
    ContentEncoding,
    /// The body is over the limit.
    BodyTooLarge { limit: usize },
    /// The body has so many values that reading it would take too much memory.
    TooManyValues,
    /// The connection was lost, or the body's framing is wrong.
    BodyBrokeOff,
}

/// A problem on its way to the caller.
#[derive(Debug)]
pub(super) struct Problem {
    kind: Kind,
    status: StatusCode,
    detail: String,
    /// Members beside the ones of the RFC.
    members: Vec<(&'static str, Value)>,
    /// In a box, because a problem is the error of many results, and what they give when nothing is wrong is much smaller.
    headers: Box<HeaderMap>,
}

impl Problem {
    fn new(kind: Kind, detail: impl ToString) -> Self {
        let status = kind.status().unwrap_or(StatusCode::BAD_GATEWAY);
        Self { kind, status, detail: detail.to_string(), members: Vec::new(), headers: Box::default() }
    }

    /// An error of an upstream that says nothing in JSON. `detail` is what it says, `headers` what passes on of its own.
    pub(super) fn of_upstream(status: StatusCode, detail: String, headers: HeaderMap) -> Self {
        let mut problem = Self::new(Kind::Call(Cause::UpstreamError), detail);
        problem.status = status;
        *problem.headers = headers;
        problem.with("upstream_status", status.as_u16())
    }

    /// Says which operation the problem is about.
    pub(super) fn about(self, operation: &OperationRef) -> Self {
        self.with("plugin", operation.plugin().name()).with("operation", operation.operation().name.as_str())
    }

    fn with(mut self, member: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((member, value.into()));
        self
    }

    fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The status of the response.
    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn into_response(self, instance: &RequestId) -> Response {
        let mut body = json!({
            "type": format!("{URN}{}", self.kind.name()),
            "title": self.kind.title(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "instance": instance.as_str(),
        });
        for (member, value) in self.members {
            body[member] = value;
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        let media_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        response
    }
}

impl From<Fault<'_>> for Problem {
    fn from(fault: Fault<'_>) -> Self {
        match fault {
            Fault::NoRoute { method, path } => {
                let detail =
                    format!("no operation is served at {}; what is served: GET /openapi.json", shown(method, path));
                Self::new(Kind::NoSuchRoute, detail)
            }
            Fault::OtherMethods { method, path, allow } => {
                let methods = allow.to_str().unwrap_or_default();
                let detail = format!("{} is not served; allowed: {methods}", shown(method, path));
                Self::new(Kind::MethodNotAllowed, detail).with_header(header::ALLOW, allow)
            }
            Fault::NotAcceptable => {
                Self::new(Kind::NotAcceptable, "the answer is JSON: send accept: application/json, or no accept at all")
            }
            Fault::Condition => Self::new(
                Kind::ConditionUnsupported,
                "the operation can't check if-match and if-unmodified-since, and nothing has been changed: leave them out",
            ),
            Fault::MediaType => Self::new(
                Kind::UnsupportedMediaType,
                "the body must be JSON: send it with content-type: application/json",
            ),
            Fault::ContentEncoding => Self::new(
                Kind::UnsupportedContentEncoding,
                "the body must not be compressed: send it without content-encoding",
            ),
            Fault::BodyTooLarge { limit } => {
                Self::new(Kind::BodyTooLarge, format!("the body is larger than {limit} bytes, the limit"))
            }
            Fault::TooManyValues => {
                let detail = format!(
                    "the body has more JSON values than {MAX_MESSAGE} bytes of memory hold: send fewer at once"
                );
                Self::new(Kind::BodyTooLarge, detail)
            }
            Fault::BodyBrokeOff => Self::new(Kind::BodyBrokeOff, "the body broke off before its end"),
        }
    }
}

impl From<&listen::Refusal> for Problem {
    fn from(refusal: &listen::Refusal) -> Self {
        let kind = match refusal {
            listen::Refusal::BadHost => Kind::BadHost,
            listen::Refusal::OtherHost { .. } => Kind::OtherHost,
            listen::Refusal::ForeignOrigin { .. } => Kind::ForeignOrigin,
            listen::Refusal::SlowBody { .. } | listen::Refusal::StalledBody { .. } => Kind::SlowBody,
            listen::Refusal::HeadTooLarge { .. } => Kind::HeadTooLarge,
            listen::Refusal::NoPlace { .. } => Kind::NoPlace,
        };
        Self::new(kind, refusal)
    }
}

impl From<&Rejection> for Problem {
    fn from(rejection: &Rejection) -> Self {
        let kind = match rejection {
            Rejection::Missing | Rejection::OtherScheme | Rejection::Unknown | Rejection::BadToken(_) => {
                Kind::Unauthenticated
            }
            Rejection::Ambiguous => Kind::AmbiguousCredentials,
            Rejection::NoRole { .. } => Kind::InsufficientScope,
            Rejection::NoKeys => Kind::IssuerUnavailable,
        };
        let mut problem = Self::new(kind, rejection);
        if let Some(challenge) = rejection.challenge(None) {
            problem = problem.with_header(header::WWW_AUTHENTICATE, challenge);
        }
        match rejection {
            Rejection::NoKeys => {
                problem.with_header(header::RETRY_AFTER, HeaderValue::from_static(callers::RETRY_AFTER))
            }
            _ => problem,
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let problem = Self::new(Kind::Call(failure.cause()), &failure);
        match &failure {
            Failure::Forbidden(forbidden) if !forbidden.scopes.is_empty() => {
                let challenge = callers::insufficient_scope(&forbidden.scopes, None);
                problem.with_header(header::WWW_AUTHENTICATE, challenge)
            }
            Failure::OverRate { retry_after } => {
                problem.with_header(header::RETRY_AFTER, HeaderValue::from(seconds(*retry_after)))
            }
            Failure::InvalidInput(problems) => {
                problem.with("errors", problems.iter().map(error).collect::<Vec<Value>>())
            }
            Failure::Upstream { status, message } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
                Self::of_upstream(status, message.clone(), HeaderMap::new())
            }
            Failure::Egress(refusal) | Failure::Request { refusal, .. } => problem.of_refusal(refusal),
            // A place is free as soon as any call ends, and most end within a second.
            Failure::Busy { .. } => problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1")),
            _ => problem,
        }
    }
}

impl Problem {
    /// What a refusal of the mediator says besides.
    fn of_refusal(self, refusal: &Refusal) -> Self {
        let problem = match refusal {
            Refusal::Denied(denial) => self.with("rule", denial.rule().name()).with("hint", denial.hint()),
            _ => self,
        };
        match refusal.retry_after() {
            Some(seconds) => problem.with_header(header::RETRY_AFTER, HeaderValue::from(seconds)),
            None => problem,
        }
    }
}

fn error(problem: &InputProblem) -> Value {
    json!({"parameter": problem.parameter, "message": problem.message})
}

fn shown(method: &Method, path: &str) -> String {
    format!("{method} {path}").chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::{Abilities, Effect, Unconfirmed},
        egress::{Context, Egress, Excess, Fault as UpstreamFault, Patience, TokenFault, Wait},
        failure::Forbidden,
        grant::Grant,
    };
    use http_body_util::{BodyExt, Empty};
    use std::time::Duration;

    async fn rendered(problem: Problem) -> (u16, HeaderMap, Value) {
        let headers =
            HeaderMap::from_iter([(header::HeaderName::from_static("x-request-id"), HeaderValue::from_static("id-1"))]);
        let (parts, body) = problem.into_response(&RequestId::of(&headers)).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, serde_json::from_slice(&body).unwrap())
    }

    /// What every problem has, and the stable name of this one.
    async fn check(failure: Failure, status: u16, kind: &str) -> (HeaderMap, Value) {
        let detail = failure.to_string();
        let (found, headers, body) = rendered(failure.into()).await;
        assert_eq!(found, status, "{body}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(body["type"], format!("urn:airlock:problem:{kind}"));
        assert_eq!(body["status"], status);
        assert_eq!(body["detail"], detail);
        assert_eq!(body["instance"], "id-1");
        assert!(!body.to_string().contains("backtrace"), "{body}");
        (headers, body)
    }

    #[tokio::test]
    async fn each_failure_has_its_status_and_type_and_no_internals() {
        let internal = || "wasm backtrace".to_owned();
        let host = || "api.example.com".to_owned();
        let limit = Duration::from_secs(1);
        let egress = Failure::Egress;
        for (failure, status, kind) in [
            (egress(Refusal::Unavailable { host: host(), fault: UpstreamFault::Connect }), 502, "upstream-unavailable"),
            (egress(Refusal::TimedOut { host: host(), wait: Wait::Idle }), 504, "upstream-timed-out"),
            (egress(Refusal::ResponseTooLarge { host: host(), limit: 1 }), 502, "upstream-answer-too-large"),
            (egress(Refusal::ResponseEncoded { host: host() }), 502, "upstream-answer-encoded"),
            (egress(Refusal::Token { host: host(), fault: TokenFault::Status(401) }), 502, "no-token"),
            (egress(Refusal::RequestBroken), 502, "upstream-request-broken"),
            (egress(Refusal::RequestTooLarge { excess: Excess::Body(1) }), 502, "upstream-request-too-large"),
            (Failure::CannotAsk { lacking: Abilities::NONE }, 422, "input-required"),
            (Failure::NotConfirmed(Unconfirmed::Declined), 403, "not-confirmed"),
            (Failure::Unavailable("its answer makes no sense".to_owned()), 502, "upstream-unavailable"),
            (Failure::WallDeadline { limit }, 504, "wall-deadline"),
            (Failure::CpuDeadline { limit, used: limit }, 500, "cpu-deadline"),
            (Failure::MemoryLimit { limit: 1 }, 500, "memory-limit"),
            (Failure::DataLimit { limit: 1 }, 500, "data-limit"),
            (Failure::Trapped { trap: internal() }, 500, "trapped"),
            (Failure::Provider { message: internal() }, 500, "provider-fault"),
            (Failure::BadReply { reason: internal() }, 500, "bad-reply"),
        ] {
            check(failure, status, kind).await;
        }
    }

    #[tokio::test]
    async fn invalid_input_lists_what_is_wrong() {
        let failure = Failure::InvalidInput(vec![
            InputProblem { parameter: Some("ids/0".to_owned()), message: "expected an integer".to_owned() },
            InputProblem { parameter: None, message: "not JSON".to_owned() },
        ]);
        let (_, body) = check(failure, 400, "invalid-input").await;
        let expected = json!([
            {"parameter": "ids/0", "message": "expected an integer"},
            {"parameter": null, "message": "not JSON"},
        ]);
        assert_eq!(body["errors"], expected);
    }

    #[tokio::test]
    async fn a_busy_plugin_says_when_to_come_back() {
        let (headers, _) = check(Failure::Busy { running: 64 }, 503, "busy").await;
        assert_eq!(headers["retry-after"], "1");
    }

    #[tokio::test]
    async fn what_passes_says_when_to_come_back() {
        let retry_after = Duration::from_millis(4200);
        let host = "api.example.com".to_owned();
        for (refusal, kind) in [
            (Refusal::RateLimited { retry_after }, "rate-limited"),
            (Refusal::CircuitOpen { host, retry_after }, "upstream-circuit-open"),
        ] {
            let (headers, _) = check(Failure::Egress(refusal), 503, kind).await;
            assert_eq!(headers["retry-after"], "5");
        }
    }

    #[tokio::test]
    async fn what_callers_may_not_do_says_what_would_do() {
        let retry_after = Duration::from_millis(1200);
        let (headers, _) = check(Failure::OverRate { retry_after }, 429, "too-many-calls").await;
        assert_eq!(headers["retry-after"], "2");
        for (scopes, challenge) in [
            (vec![], None),
            (vec!["a".to_owned()], Some("Bearer realm=\"airlock\", error=\"insufficient_scope\", scope=\"a\"")),
        ] {
            let forbidden = Forbidden { effect: Effect::Destructive, scopes };
            let (headers, _) = check(Failure::Forbidden(forbidden), 403, "forbidden").await;
            assert_eq!(headers.get("www-authenticate").map(|it| it.to_str().unwrap()), challenge);
        }
    }

    #[tokio::test]
    async fn an_upstreams_error_keeps_its_status() {
        for (status, expected) in [(404, 404), (503, 503), (7, 502)] {
            let failure = Failure::Upstream { status, message: "no such user".to_owned() };
            let (found, _, body) = rendered(failure.into()).await;
            assert_eq!(found, expected);
            assert_eq!(body["upstream_status"], expected);
            assert_eq!(body["detail"], "no such user");
        }
    }

    #[tokio::test]
    async fn a_denial_names_its_rule_and_the_way_out() {
        let egress = Egress::new("p", &Grant::default(), &[]).unwrap();
        let request = http::Request::get("https://api.example.com/v1").body(Empty::<bytes::Bytes>::new());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
        let context = Context { operation: "op".into(), caller: "test".into(), deadline };
        let Err(Refusal::Denied(denial)) = egress.send(request.unwrap(), Patience::default(), context).await else {
            panic!("nothing is declared, so nothing is allowed");
        };
        let (rule, hint) = (denial.rule().name(), denial.hint().to_owned());
        let (_, body) = check(Failure::Egress(Refusal::Denied(denial)), 403, "denied").await;
        assert_eq!(body["rule"], rule);
        assert_eq!(body["hint"], hint);
        assert!(body["detail"].as_str().unwrap().contains(rule));
    }

    #[tokio::test]
    async fn faults_of_the_request() {
        let path = &format!("/{}", "x".repeat(1000));
        let method = &Method::PUT;
        let allow = HeaderValue::from_static("GET, HEAD, OPTIONS");
        for (fault, status, kind) in [
            (Fault::NoRoute { method, path }, 404, "no-such-route"),
            (Fault::OtherMethods { method, path, allow }, 405, "method-not-allowed"),
            (Fault::Condition, 412, "condition-unsupported"),
            (Fault::NotAcceptable, 406, "not-acceptable"),
            (Fault::MediaType, 415, "unsupported-media-type"),
            (Fault::ContentEncoding, 415, "unsupported-content-encoding"),
            (Fault::BodyTooLarge { limit: 1 }, 413, "body-too-large"),
            (Fault::TooManyValues, 413, "body-too-large"),
            (Fault::BodyBrokeOff, 400, "body-broke-off"),
        ] {
            let (found, headers, body) = rendered(fault.into()).await;
            assert_eq!(found, status);
            assert_eq!(body["type"], format!("urn:airlock:problem:{kind}"));
            assert_eq!(headers.get("allow").is_some(), status == 405);
            assert!(body["detail"].as_str().unwrap().len() < 400, "{body}");
        }
    }
}
