//! Upstreams of this process in the place of real ones, for `airlock call --dry-run` and `airlock test`.
//!
//! A call takes its whole way, through sandbox, grant and mediator, but every upstream is rewritten to a listener of this process,
//! every secret is a mask, and all other addresses are denied: nothing leaves the machine, whatever a plugin asks for.

use std::{convert::Infallible, future::pending};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use super::CliError;
use crate::{
    contract::Upstream,
    egress,
    grant::{Addresses, Confirm, Destination, Grant, Pattern, Retries, Rewrite, Secret, Source, Tls, parse_range},
};

/// What stands for each secret until it is shown. No API has a key like it, and it is the same however it is encoded in a URL.
const STAND_IN: &str = "airlock-stands-in-for-a-secret";
/// The path below which tokens are given. Those of upstreams begin with a number.
const TOKENS: &str = "/token";
/// What is shown instead.
const MASK: &str = "••••";

/// Every address but those of this machine. `deny` wins over whatever a grant allows.
const ELSEWHERE: [&str; 9] = [
    "0.0.0.0/2",
    "64.0.0.0/3",
    "96.0.0.0/4",
    "112.0.0.0/5",
    "120.0.0.0/6",
    "124.0.0.0/7",
    "126.0.0.0/8",
    "128.0.0.0/1",
    "::/0",
];

/// A listener of this process.
pub(super) struct Recorder {
    listener: TcpListener,
    address: String,
}

/// A request as the listener got it.
pub(super) struct Recorded {
    pub(super) method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
    /// Where its answer goes. Without one the request is never answered.
    pub(super) answer: oneshot::Sender<Response<Full<Bytes>>>,
}

impl Recorder {
    pub(super) async fn listen() -> Result<Self, CliError> {
        let failed = |e| CliError::io("a listener in the place of upstreams", e);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?.to_string();
        Ok(Self { listener, address })
    }

    /// The operator's grant, or one that allows all that is declared, with every upstream rewritten to this listener; and where
    /// each of them would have been reached, by its number in the rewritten path.
    pub(super) fn stand_in(
        &self,
        granted: Option<Grant>,
        upstreams: &[Upstream],
    ) -> Result<(Grant, Vec<Destination>), CliError> {
        let declared: Vec<Pattern> = upstreams.iter().filter_map(|it| Pattern::parse(&it.base_url).ok()).collect();
        let single = |at: &Pattern| {
            let unknown = || CliError::Usage(format!("{at}: only upstreams without a star can be stood in for"));
            at.single().ok_or_else(unknown)
        };
        let declared = declared.iter().map(single).collect::<Result<Vec<_>, _>>()?;
        let endpoints: Vec<Destination> =
            upstreams.iter().flat_map(|it| &it.credentials).filter_map(egress::token_endpoint).collect();
        let all = declared.iter().chain(&endpoints).cloned();
        let everything = || Grant { hosts: all.map(Pattern::from).collect(), ..Grant::default() };
        let grant = granted.unwrap_or_else(everything);
        // What the operator has rewritten is shown where it would go.
        let ways: Vec<(Destination, Destination)> = grant
            .rewrites
            .iter()
            .map(|it| (it.from.clone(), it.to.clone()))
            .chain(declared.into_iter().filter(|at| !is_rewritten(&grant, at)).map(|at| (at.clone(), at)))
            .collect();
        let rewrites = ways.iter().enumerate().map(|(number, (from, _))| {
            let to = Destination::parse(&format!("http://{}/{number}", self.address));
            Rewrite { from: from.clone(), to: to.expect("an address of our own") }
        });
        // They come last: of equals that one counts.
        let rewrites = rewrites.chain(endpoints.into_iter().map(|from| {
            let to = Destination::parse(&format!("http://{}{TOKENS}", self.address));
            Rewrite { from, to: to.expect("an address of our own") }
        }));
        let names = upstreams.iter().flat_map(Upstream::secret_names);
        let deny = ELSEWHERE.map(|range| parse_range(range).expect("a range as it should be written"));
        let stood_in = Grant {
            rewrites: rewrites.collect(),
            secrets: names.map(|name| (name.to_owned(), Source::value(Secret::new(STAND_IN.to_owned())))).collect(),
            addresses: Addresses { deny: deny.to_vec(), ..Addresses::default() },
            retries: Retries { most: 0, ..Retries::default() },
            redirects: 0,
            tls: Tls::default(),
            confirm: Confirm::default(),
            ..grant
        };
        Ok((stood_in, ways.into_iter().map(|(_, to)| to).collect()))
    }

    /// Begins to take requests.
    pub(super) fn record(self) -> mpsc::Receiver<Recorded> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok((stream, _)) = self.listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(move |request| take(request, sender.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        receiver
    }
}

fn is_rewritten(grant: &Grant, at: &Destination) -> bool {
    grant.rewrites.iter().any(|it| at.is_within(&it.from))
}

async fn take(request: Request<Incoming>, sender: mpsc::Sender<Recorded>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    if parts.uri.path().starts_with(TOKENS) {
        let token = format!(r#"{{"access_token": "{STAND_IN}", "token_type": "Bearer", "expires_in": 3600}}"#);
        return Ok(Response::new(token.into()));
    }
    let (answer, answered) = oneshot::channel();
    // A body that breaks off is the plugin's doing: the call fails by itself then.
    if let Ok(body) = body.collect().await {
        let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let body = body.to_bytes();
        let recorded = Recorded { method: parts.method, target, headers: parts.headers, body, answer };
        let _ = sender.send(recorded).await;
    }
    match answered.await {
        Ok(answer) => Ok(answer),
        Err(_) => pending().await,
    }
}

impl Recorded {
    /// Where it would have gone.
    pub(super) fn url(&self, targets: &[Destination]) -> String {
        let numbered = self.target.trim_start_matches('/');
        let digits = numbered.find(|c: char| !c.is_ascii_digit()).unwrap_or(numbered.len());
        let (number, rest) = numbered.split_at(digits);
        let target = number.parse().ok().and_then(|number: usize| targets.get(number));
        masked(&format!("{}{rest}", target.map_or_else(String::new, ToString::to_string)))
    }

    /// Its header fields. `Host` is that of the listener, and the URL says it.
    pub(super) fn headers(&self) -> impl Iterator<Item = (String, String)> {
        let shown = self.headers.iter().filter(|(name, _)| *name != header::HOST);
        shown.map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = match value.strip_prefix("Basic ") {
                Some(_) if name == header::AUTHORIZATION => format!("Basic {MASK}"),
                _ => masked(&value),
            };
            (capitals(name.as_str()), value)
        })
    }

    /// Its body, where that is text.
    pub(super) fn text(&self) -> Result<String, usize> {
        std::str::from_utf8(&self.body).map(masked).map_err(|_| self.body.len())
    }
}

fn masked(text: &str) -> String {
    text.replace(STAND_IN, MASK)
}

/// `x-api-key` -> `X-Api-Key`: as headers are written for people.
fn capitals(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn at(url: &str) -> Destination {
        Destination::parse(url).unwrap()
    }

    #[test]
    fn only_this_machine_is_left() {
        let denied = ELSEWHERE.map(|range| parse_range(range).unwrap());
        let is_denied = |address: &str| denied.iter().any(|it| it.contains(&address.parse::<IpAddr>().unwrap()));
        for address in ["0.0.0.0", "10.0.0.1", "126.255.255.255", "128.0.0.0", "255.255.255.255", "::1", "2001:db8::1"]
        {
            assert!(is_denied(address), "{address}");
        }
        assert!(!is_denied("127.0.0.1") && !is_denied("127.255.255.255"));
    }

    #[tokio::test]
    async fn a_request_is_shown_where_the_operator_sends_it() {
        let upstream =
            |url: &str| Upstream { base_url: url.to_owned(), methods: Vec::new(), credentials: Vec::new(), name: None };
        let granted = Grant {
            hosts: vec![at("https://a.example").into()],
            rewrites: vec![Rewrite { from: at("https://a.example"), to: at("https://staging.example/x") }],
            ..Grant::default()
        };
        let upstreams = [upstream("https://a.example/v1"), upstream("https://b.example/v2")];
        let recorder = Recorder::listen().await.unwrap();
        let (grant, targets) = recorder.stand_in(Some(granted), &upstreams).unwrap();
        assert_eq!(targets, [at("https://staging.example/x"), at("https://b.example/v2")]);
        assert_eq!(grant.hosts.len(), 1, "what isn't granted stays so");
        assert!(grant.rewrites.iter().all(|it| it.to.host == "127.0.0.1"));
        assert!(recorder.stand_in(None, &[upstream("https://*.example.com")]).is_err());
    }

    #[test]
    fn no_stand_in_is_shown() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {STAND_IN}").parse().unwrap());
        headers.insert("x-api-key", STAND_IN.parse().unwrap());
        headers.insert("host", "127.0.0.1:9".parse().unwrap());
        let target = format!("/1/x?key={STAND_IN}");
        let body = Bytes::from(STAND_IN);
        let request = Recorded { method: Method::POST, target, headers, body, answer: oneshot::channel().0 };
        assert_eq!(
            request.url(&[at("https://a.example"), at("https://b.example/v2")]),
            "https://b.example/v2/x?key=••••"
        );
        let shown: Vec<String> = request.headers().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(shown, ["Authorization: Bearer ••••", "X-Api-Key: ••••"]);
        assert_eq!(request.text().as_deref(), Ok("••••"));
    }
}
