//! One request in one call: the short way to the same mediator that `wasi:http` leads to.

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use wasmtime::{bail, component::Resource};
use wasmtime_wasi_http::{
    Error as HttpError, FieldMap, FieldMapError, WasiBody,
    p2::{body::HostIncomingBody, types::HostIncomingResponse},
};

use super::{
    bindings::{fetch as wit, types},
    state::{MAX_HEADERS, Outbound, State},
};

/// How much of what the guest has written is repeated where it is no HTTP: enough to recognise it, as in the audit.
const SHOWN: usize = 256;

/// Why there is no request to send.
#[derive(Debug)]
enum Unusable {
    /// It isn't HTTP: the guest is told.
    NoHttp(String),
    /// More header fields than a guest may collect: it is stopped, as where it collects them one by one.
    TooManyFields,
}

impl wit::Host for State {
    async fn send(
        &mut self,
        request: wit::Request,
    ) -> wasmtime::Result<Result<Resource<HostIncomingResponse>, types::Failure>> {
        let begun = std::mem::take(&mut self.body);
        let request = match read(request, begun, &mut self.outbound) {
            Ok(request) => request,
            Err(Unusable::NoHttp(reason)) => return Ok(Err(types::Failure::Internal(reason))),
            Err(Unusable::TooManyFields) => bail!("the header fields of a request take more than {MAX_HEADERS} bytes"),
        };
        Ok(match self.outbound.send(request, None).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let headers = FieldMap::new_immutable(&mut self.outbound, parts.headers);
                let body = Some(HostIncomingBody::new(body));
                Ok(self.put(HostIncomingResponse { status: parts.status.as_u16(), headers, body })?)
            }
            Err(error) => Err(failure(&error)),
        })
    }

    async fn add(&mut self, part: Vec<u8>) -> wasmtime::Result<()> {
        // One byte too many is enough to be refused.
        let room = (self.body_limit + 1).saturating_sub(self.body.len());
        self.body.extend_from_slice(&part[..part.len().min(room)]);
        Ok(())
    }
}

/// `begun` is what the body begins with.
fn read(request: wit::Request, mut begun: Vec<u8>, outbound: &mut Outbound) -> Result<Request<WasiBody>, Unusable> {
    let wit::Request { method, url, headers, body } = request;
    let mut body = body.unwrap_or_default();
    if !begun.is_empty() {
        begun.append(&mut body);
        body = begun;
    }
    let mut fields = FieldMap::new_mutable(MAX_HEADERS);
    for (name, value) in headers {
        let shown = shown(&name);
        fields.append(outbound, name, value.into_bytes()).map_err(|error| match error {
            FieldMapError::TotalSizeTooBig | FieldMapError::TooManyFields => Unusable::TooManyFields,
            error => Unusable::NoHttp(format!("header can't be sent: {shown}: {error}")),
        })?;
    }
    let length = body.len();
    let mut request = Request::new(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync());
    *request.headers_mut() = fields.into();
    let stated = request.headers().get(header::CONTENT_LENGTH).cloned();
    if length > 0 {
        request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    if stated.is_some_and(|stated| stated != HeaderValue::from(length)) {
        return Err(Unusable::NoHttp(format!("content-length isn't the length of the body, {length}")));
    }
    *request.method_mut() =
        method.parse().map_err(|_| Unusable::NoHttp(format!("not a method: {}", shown(&method))))?;
    // The library drops it, and whoever looks for the host behind an @ may not.
    if url.contains('#') {
        return Err(Unusable::NoHttp(format!("not a URL of a request, which has no fragment: {}", shown(&url))));
    }
    let uri: http::Uri = url.parse().map_err(|e| Unusable::NoHttp(format!("not a URL: {e}: {}", shown(&url))))?;
    if uri.scheme().is_none() || uri.authority().is_none() {
        return Err(Unusable::NoHttp(format!("not an absolute URL: {}", shown(&url))));
    }
    *request.uri_mut() = uri;
    Ok(request)
}

fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(SHOWN).collect::<String>())
}

/// What the guest sees: the host knows the details and tells the caller.
fn failure(error: &HttpError) -> types::Failure {
    let message = error.to_string();
    match error {
        HttpError::HttpRequestDenied => types::Failure::Denied(message),
        HttpError::HttpResponseTimeout => types::Failure::TimedOut(message),
        _ => types::Failure::Unavailable(message),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{conditions::Conditions, egress::Context};

    fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&str>) -> wit::Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let body = body.map(|it| it.as_bytes().to_vec());
        wit::Request { method: method.to_owned(), url: url.to_owned(), headers, body }
    }

    fn outbound() -> Outbound {
        let context = Context::begin("o".into(), "c".into(), Duration::from_secs(1));
        Outbound::new("p".into(), None, context, Conditions::default(), 1)
    }

    #[tokio::test]
    async fn the_length_of_the_body_is_the_hosts_to_say() {
        for (begun, body, expected) in [
            ("", None, None),
            ("", Some(""), None),
            ("", Some("abc"), Some("3")),
            ("ab", None, Some("2")),
            ("ab", Some("c"), Some("3")),
        ] {
            let asked =
                |headers: &[_]| read(request("PUT", "http://x/y?z", headers, body), begun.into(), &mut outbound());
            let sent = asked(&[("a", "b")]).unwrap();
            let length = sent.headers().get("content-length").map(|it| it.to_str().unwrap());
            assert_eq!((length, sent.headers().len()), (expected, 1 + usize::from(expected.is_some())), "{body:?}");
            assert!(asked(&[("Content-Length", expected.unwrap_or("0"))]).is_ok(), "{body:?}");
            assert!(matches!(asked(&[("content-length", "77")]), Err(Unusable::NoHttp(_))), "{body:?}");
            let sent = sent.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(sent, format!("{begun}{}", body.unwrap_or_default()), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_http_is_not_sent() {
        let header = "header can't be sent: ";
        let long = "x".repeat(1000);
        for (method, url, headers, expected) in [
            ("G T", "http://x/", &[][..], "not a method: \"G T\"".to_owned()),
            ("", "http://x/", &[], "not a method: \"\"".to_owned()),
            ("GET", "http://x#@y/", &[], "not a URL of a request, which has no fragment: \"http://x#@y/\"".to_owned()),
            ("GET", "/y", &[], "not an absolute URL: \"/y\"".to_owned()),
            ("GET", "x:80", &[], "not an absolute URL: \"x:80\"".to_owned()),
            ("GET", &long, &[], format!("not an absolute URL: {:?}", "x".repeat(SHOWN))),
            ("GET", "http://x/\r\ny", &[], "not a URL: invalid uri character: \"http://x/\\r\\ny\"".to_owned()),
            ("GET", "http://x/", &[("a b", "c")], format!("{header}\"a b\": invalid header name")),
            (
                "GET",
                "http://x/",
                &[("content-length", "x")],
                format!("{header}\"content-length\": invalid header value"),
            ),
            ("GET", "http://x/", &[("a", "b\r\nc: d")], format!("{header}\"a\": invalid header value")),
        ] {
            match read(request(method, url, headers, None), Vec::new(), &mut outbound()) {
                Err(Unusable::NoHttp(reason)) => assert_eq!(reason, expected),
                other => panic!("{method} {url}: {:?}", other.map(drop)),
            }
        }
    }

    #[test]
    fn more_fields_than_a_guest_may_hold_stop_it() {
        let large = "x".repeat(MAX_HEADERS);
        for fields in [vec![("a", ""); 30_000], vec![("a", &*large)]] {
            let read = read(request("GET", "http://x/", &fields, None), Vec::new(), &mut outbound());
            assert!(matches!(read, Err(Unusable::TooManyFields)), "{} fields", fields.len());
        }
    }
}
