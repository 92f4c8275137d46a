//! What goes wrong, as `application/problem+json` (RFC 9457). To change an error's status, type or title, change it here.
//!
//! Only `Display` texts get in, which are made for callers. What the operator may know besides is in the log.

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{body::MAX_BODY, request_id::RequestId};
use crate::{
    catalog::OperationRef,
    egress::Refusal,
    failure::{Failure, InputProblem},
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
    /// The body isn't JSON, going by its type.
    MediaType,
    /// The body is compressed.
    ContentEncoding,
    /// The body is over the limit.
    BodyTooLarge,
    /// The body has so many values that reading it would take too much memory.
    TooManyValues,
    /// The connection was lost, or the body's framing is wrong.
    BodyBrokeOff,
}

/// A problem on its way to the caller.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// The last part of the type's URN: stable, callers may compare it.
    kind: &'static str,
    /// The same for each problem of the type.
    title: &'static str,
    detail: String,
    /// Members beside the ones of the RFC.
    members: Vec<(&'static str, Value)>,
    /// In a box, because a problem is the error of many results, and what they give when nothing is wrong is much smaller.
    headers: Box<HeaderMap>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl ToString) -> Self {
        Self { status, kind, title, detail: detail.to_string(), members: Vec::new(), headers: Box::default() }
    }

    /// An error of an upstream that says nothing in JSON. `detail` is what it says, `headers` what passes on of its own.
    pub(super) fn of_upstream(status: StatusCode, detail: String, headers: HeaderMap) -> Self {
        const TITLE: &str = "The upstream answered with an error";
        let mut problem = Self::new(status, "upstream-error", TITLE, detail);
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
            "type": format!("urn:airlock:problem:{}", self.kind),
            "title": self.title,
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
                let detail = format!(
                    "no operation is served at {}; what is served: GET /plugins on the control listener",
                    shown(method, path)
                );
                Self::new(StatusCode::NOT_FOUND, "no-such-route", "Nothing is served here", detail)
            }
            Fault::OtherMethods { method, path, allow } => {
                let methods = allow.to_str().unwrap_or_default().to_owned();
                let detail = format!("{} is not served; allowed: {methods}", shown(method, path));
                let status = StatusCode::METHOD_NOT_ALLOWED;
                Self::new(status, "method-not-allowed", "The path has other methods", detail)
                    .with_header(header::ALLOW, allow)
            }
            Fault::MediaType => {
                let detail = "the body must be JSON: send it with content-type: application/json";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Self::new(status, "unsupported-media-type", "The body is not JSON", detail)
            }
            Fault::ContentEncoding => {
                let detail = "the body must not be compressed: send it without content-encoding";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Self::new(status, "unsupported-content-encoding", "The body is compressed", detail)
            }
            Fault::BodyTooLarge => {
                let detail = format!("the body is larger than {MAX_BODY} bytes, the limit");
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                Self::new(status, "body-too-large", "The body is too large", detail)
            }
            Fault::TooManyValues => {
                let detail = format!(
                    "the body has more JSON values than {MAX_MESSAGE} bytes of memory hold: send fewer at once"
                );
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                Self::new(status, "body-too-large", "The body is too large", detail)
            }
            Fault::BodyBrokeOff => {
                let detail = "the body broke off before its end";
                Self::new(StatusCode::BAD_REQUEST, "body-broke-off", "The body is incomplete", detail)
            }
        }
    }
}

impl From<&listen::Refusal> for Problem {
    fn from(refusal: &listen::Refusal) -> Self {
        let (kind, title) = match refusal {
            listen::Refusal::BadHost => ("bad-host", "It is not clear which host is asked"),
            listen::Refusal::OtherHost { .. } => ("other-host", "Another host is asked"),
            listen::Refusal::ForeignOrigin { .. } => ("foreign-origin", "The page may not call"),
            listen::Refusal::SlowBody { .. } => ("slow-body", "The body took too long"),
        };
        Self::new(refusal.status(), kind, title, refusal)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        const INTERNAL: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
        let new = |status, kind, title| Self::new(status, kind, title, &failure);
        match &failure {
            Failure::InvalidInput(problems) => {
                let errors: Vec<Value> = problems.iter().map(error).collect();
                new(StatusCode::BAD_REQUEST, "invalid-input", "The input can't be used").with("errors", errors)
            }
            Failure::InputRequired(_) | Failure::CannotAsk { .. } => {
                new(StatusCode::UNPROCESSABLE_ENTITY, "input-required", "The operation has questions")
            }
            Failure::Upstream { status, message } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
                Self::of_upstream(status, message.clone(), HeaderMap::new())
            }
            Failure::Egress(refusal) => Self::from(refusal),
            Failure::Unavailable(_) => {
                new(StatusCode::BAD_GATEWAY, "upstream-unavailable", "The upstream is unavailable")
            }
            // A place is free as soon as any call ends, and most end within a second.
            Failure::Busy { .. } => new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The plugin is busy")
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("1")),
            Failure::WallDeadline { .. } => new(StatusCode::GATEWAY_TIMEOUT, "wall-deadline", "The call took too long"),
            Failure::CpuDeadline { .. } => new(INTERNAL, "cpu-deadline", "The plugin computed for too long"),
            Failure::MemoryLimit { .. } => new(INTERNAL, "memory-limit", "The plugin asked for too much memory"),
            Failure::DataLimit { .. } => new(INTERNAL, "data-limit", "The plugin handed over too much at once"),
            Failure::Trapped { .. } => new(INTERNAL, "trapped", "The plugin crashed"),
            Failure::Provider { .. } => new(INTERNAL, "provider-fault", "The plugin reports a fault of its own"),
            Failure::BadReply { .. } => new(INTERNAL, "bad-reply", "The plugin's reply breaks the contract"),
        }
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let new = |status, kind, title| Self::new(status, kind, title, refusal);
        let problem = match refusal {
            Refusal::Denied(denial) => new(StatusCode::FORBIDDEN, "denied", "A request of the plugin is not allowed")
                .with("rule", denial.rule().name())
                .with("hint", denial.hint()),
            Refusal::Unavailable { .. } => {
                new(StatusCode::BAD_GATEWAY, "upstream-unavailable", "The upstream is unavailable")
            }
            Refusal::TimedOut { .. } => {
                new(StatusCode::GATEWAY_TIMEOUT, "upstream-timed-out", "The upstream took too long")
            }
            Refusal::ResponseTooLarge { .. } => {
                new(StatusCode::BAD_GATEWAY, "upstream-answer-too-large", "The upstream's answer is too large")
            }
            Refusal::ResponseEncoded { .. } => {
                new(StatusCode::BAD_GATEWAY, "upstream-answer-encoded", "The upstream's answer is compressed")
            }
            Refusal::Token { .. } => {
                new(StatusCode::BAD_GATEWAY, "no-token", "There is no access token for the upstream")
            }
            Refusal::RequestBroken => {
                new(StatusCode::BAD_GATEWAY, "upstream-request-broken", "The plugin's request is incomplete")
            }
            Refusal::RequestTooLarge { .. } => {
                new(StatusCode::BAD_GATEWAY, "upstream-request-too-large", "The plugin's request is too large")
            }
            Refusal::RateLimited { .. } => {
                new(StatusCode::SERVICE_UNAVAILABLE, "rate-limited", "The plugin sends too many requests")
            }
            Refusal::CircuitOpen { .. } => {
                new(StatusCode::SERVICE_UNAVAILABLE, "upstream-circuit-open", "The upstream has failed too often")
            }
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
        contract::Abilities,
        egress::{Context, Egress, Excess, Fault as UpstreamFault, Patience, TokenFault, Wait},
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
            (Fault::MediaType, 415, "unsupported-media-type"),
            (Fault::ContentEncoding, 415, "unsupported-content-encoding"),
            (Fault::BodyTooLarge, 413, "body-too-large"),
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
