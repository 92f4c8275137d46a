//! TLS over HTTP/1.1 and HTTP/2: who is trusted, and who the plugin is.

use http_body_util::Full;
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tracing::Level;

use super::{log::Log, *};
use crate::grant::Tls;

/// An authority of the test's own.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn trusted(&self) -> Tls {
        let mut tls = Tls::default();
        tls.trust(self.certificate.pem().as_bytes()).unwrap();
        tls
    }

    fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
            .build()
            .unwrap()
    }
}

/// An upstream named `api.test` that says which protocol it was asked by.
struct Secured {
    address: SocketAddr,
}

impl Secured {
    async fn start(
        (certificate, key): (rcgen::Certificate, KeyPair),
        clients: Option<Arc<dyn ClientCertVerifier>>,
        protocol: &'static str,
    ) -> Self {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = builder.with_single_cert(chain, key.into()).unwrap();
        config.alpn_protocols = vec![protocol.into()];

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                // Some of the clients here break off, and that is their affair.
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let io = TokioIo::new(stream);
                    match protocol {
                        "h2" => {
                            let server = conn::http2::Builder::new(TokioExecutor::new());
                            drop(server.serve_connection(io, service_fn(answer)).await);
                        }
                        _ => drop(conn::http1::Builder::new().serve_connection(io, service_fn(answer)).await),
                    }
                });
            }
        });
        Self { address }
    }

    fn url(&self, name: &str) -> String {
        format!("https://{name}:{}", self.address.port())
    }

    /// Asks it by a name that resolves to it as often as is needed.
    fn egress(&self, name: &str, tls: Tls, limits: Limits) -> Egress {
        let base = self.url(name);
        let rewrites = vec![Rewrite { from: at(&base), to: at(&base) }];
        let grant = Grant { hosts: vec![at(&base).into()], rewrites, tls, limits, ..Grant::default() };
        let resolver = FixedResolver { answers: Mutex::new(vec![vec![self.address]; 10]) };
        Egress::with_resolver("demo", &grant, &[declared(&base, vec![])], Arc::new(resolver)).unwrap()
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let fields = request.headers().get("x-fields").map_or(0, |it| it.to_str().unwrap().parse().unwrap());
    let said = format!("{:?} {} {}", request.version(), request.method(), request.uri().path());
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let said = if body.is_empty() { said } else { format!("{said} with {} bytes", body.len()) };
    let mut response = Response::new(Full::from(said));
    for _ in 0..fields {
        response.headers_mut().append("x", "y".repeat(100).parse().unwrap());
    }
    Ok(response)
}

fn tls_failed() -> Refusal {
    Refusal::Unavailable { host: "api.test".into(), fault: Fault::Tls }
}

#[tokio::test]
async fn the_protocol_is_the_best_that_both_speak() {
    let authority = Authority::new();
    for (protocol, said) in [("http/1.1", "HTTP/1.1 GET /x"), ("h2", "HTTP/2.0 GET /x")] {
        let upstream = Secured::start(authority.issue("api.test"), None, protocol).await;
        let egress = upstream.egress("api.test", authority.trusted(), Limits::default());
        let log = Log::start(Level::INFO);
        let url = format!("{}/x", upstream.url("api.test"));
        assert_eq!(text(get(&egress, &url).await).await.unwrap(), said);
        let expected = format!(
            r#"hop=0 attempt=1 method="GET" host="api.test" path="/x" address="{}" decision="permitted" outcome="complete" status=200 bytes={}"#,
            upstream.address,
            said.len()
        );
        assert_eq!(log.audit(), [expected]);
    }
}

#[tokio::test]
async fn who_is_not_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for protocol in ["http/1.1", "h2"] {
        let upstream = Secured::start(authority.issue("api.test"), None, protocol).await;
        let other_name = Secured::start(authority.issue("other.test"), None, protocol).await;
        for (upstream, tls) in
            [(&upstream, Tls::default()), (&upstream, stranger.trusted()), (&other_name, authority.trusted())]
        {
            let egress = upstream.egress("api.test", tls, Limits::default());
            let log = Log::start(Level::INFO);
            let refusal = get(&egress, &upstream.url("api.test")).await.err().unwrap();
            assert_eq!(refusal, tls_failed());
            assert!(
                log.audit()[0].ends_with(r#"decision="permitted" outcome="unavailable" bytes=0"#),
                "{:?}",
                log.audit()
            );
            assert_eq!(log.audit().len(), 1);
        }
    }
}

#[tokio::test]
async fn an_upstream_that_asks_who_the_plugin_is() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let identified = |by: &Authority| {
        let (certificate, key) = by.issue("plugin.test");
        let mut tls = authority.trusted();
        tls.identify(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        tls
    };
    for protocol in ["http/1.1", "h2"] {
        let upstream = Secured::start(authority.issue("api.test"), Some(authority.verifier()), protocol).await;
        let url = upstream.url("api.test");
        let asked = async |tls| text(get(&upstream.egress("api.test", tls, Limits::default()), &url).await).await;
        assert!(asked(identified(&authority)).await.unwrap().ends_with(" GET /"));
        // The server's refusal comes when the handshake is over on this side, in one way or another.
        for tls in [authority.trusted(), identified(&stranger)] {
            assert!(matches!(asked(tls).await, Err(Refusal::Unavailable { .. })));
        }
    }
}

#[tokio::test]
async fn http_2_is_held_to_the_same_limits() {
    let authority = Authority::new();
    let upstream = Secured::start(authority.issue("api.test"), None, "h2").await;
    let limits = Limits { response: 30, request: 100_000, headers: 10, header_bytes: 8 << 10, ..Limits::default() };
    let egress = upstream.egress("api.test", authority.trusted(), limits);
    let url = upstream.url("api.test");
    let asked = async |fields: &str, body: usize| {
        let stream = futures::stream::iter(
            (0..body).map(|_| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(vec![0; 10_000])))),
        );
        let request = Request::post(&url).header("x-fields", fields).body(http_body_util::StreamBody::new(stream));
        text(egress.send(request.unwrap(), Patience::default(), later()).await).await
    };
    let unavailable = |fault| Err(Refusal::Unavailable { host: "api.test".into(), fault });
    assert_eq!(asked("0", 0).await, Ok("HTTP/2.0 POST /".into()));
    assert_eq!(asked("20", 0).await, unavailable(Fault::Malformed));
    assert!(matches!(asked("200", 0).await, Err(Refusal::Unavailable { .. })));
    assert_eq!(asked("0", 1).await.unwrap_err(), Refusal::ResponseTooLarge { host: "api.test".into(), limit: 30 });
    assert_eq!(asked("0", 11).await, Err(Refusal::RequestTooLarge { excess: Excess::Body(100_000) }));
}
