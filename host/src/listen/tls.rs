//! The certificate of the listeners, and the handshake. A certificate that is replaced is shown to the next client, without a restart.
//!
//! It asks clients for no certificates.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::preface::Protocol;
use crate::grant::{BadTls, Stamp, identity};

/// What HTTP/2 is called in a handshake (RFC 9113, 3.1).
const HTTP2: &[u8] = b"h2";

/// Where the certificate is, with its chain behind it, and its private key; both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum BadFiles {
    /// A file can't be read.
    #[error("{}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: io::Error,
    },
    /// What is in them can't be used.
    #[error("{} with {}: {reason}", certificate.display(), key.display())]
    Contents {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        reason: BadTls,
    },
}

/// The certificate in use.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: Files,
    /// The files as they were when they were last read, whether that went well or not. Held for as long as two files take to read.
    seen: Mutex<Seen>,
}

/// What tells one version of the two files from another: a file that is replaced is another one, even in the same moment, and one that
/// becomes readable has changed, too.
type Seen = [Stamp; 2];

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`BadFiles`].
    pub(crate) fn open(files: Files) -> Result<Self, BadFiles> {
        let seen = look(&files);
        let current = Arc::new(Current(ArcSwap::new(read(&files)?)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has ciphers for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current, files, seen: Mutex::new(seen) })
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// The client doesn't speak TLS, or none that is spoken here.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.refresh();
        self.acceptor.accept(stream).await
    }

    /// Takes over files that have changed. What can't be used is told once, and the certificate before goes on: in the middle of a
    /// replacement the two files don't belong together.
    fn refresh(&self) {
        let now = look(&self.files);
        let mut seen = self.seen.lock().expect("no panic while held");
        if *seen == now {
            return;
        }
        *seen = now;
        match read(&self.files) {
            Ok(identity) => {
                self.current.0.store(identity);
                tracing::info!("the certificate of the listeners was replaced");
            }
            Err(e) => tracing::warn!("the certificate of the listeners stays: {e}"),
        }
    }
}

/// What was agreed to be spoken inside. HTTP/2 is never assumed: a client that hasn't named it speaks HTTP/1.1.
pub(super) fn agreed(stream: &TlsStream<TcpStream>) -> Protocol {
    match stream.get_ref().1.alpn_protocol() {
        Some(HTTP2) => Protocol::Http2,
        _ => Protocol::Http1,
    }
}

/// Two system calls, for each handshake: a thousandth of what that costs.
fn look(files: &Files) -> Seen {
    [&files.certificate, &files.key].map(|path| Stamp::of(path))
}

fn read(files: &Files) -> Result<Arc<CertifiedKey>, BadFiles> {
    let contents = |path: &Path| fs::read(path).map_err(|reason| BadFiles::Read { path: path.to_owned(), reason });
    let (certificate, key) = (contents(&files.certificate)?, contents(&files.key)?);
    identity(&certificate, &key).map_err(|reason| BadFiles::Contents {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::{
        Door, Guard, Limits, Refusal,
        connection::{self, Visit},
        places::Places,
    };
    use axum::{Router, response::IntoResponse};
    use http::HeaderMap;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
    use std::net::SocketAddr;
    use tempfile::TempDir;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::Instant,
    };
    use tokio_rustls::TlsConnector;
    use tokio_util::sync::CancellationToken;

    /// A certificate that vouches for itself, and its key.
    fn issue() -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(["host.test".to_owned()]).unwrap().self_signed(&key).unwrap(), key)
    }

    fn files(folder: &TempDir) -> Files {
        Files { certificate: folder.path().join("certificate.pem"), key: folder.path().join("key.pem") }
    }

    /// Replaces a file as one should: written beside, then renamed.
    fn replace(path: &Path, contents: &str) {
        let beside = path.with_extension("new");
        fs::write(&beside, contents).unwrap();
        fs::rename(beside, path).unwrap();
    }

    /// Whether a client that trusts this certificate alone gets in.
    async fn trusts(tls: &Tls, certificate: &rcgen::Certificate) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let name = ServerName::try_from("host.test").unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let (client, _host) = tokio::join!(connector.connect(name, stream), tls.accept(theirs));
        client.is_ok()
    }

    #[tokio::test]
    async fn a_certificate_that_is_replaced_is_shown_to_the_next_client() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        let ((first, first_key), (second, second_key)) = (issue(), issue());
        replace(&files.certificate, &first.pem());
        replace(&files.key, &first_key.serialize_pem());
        let tls = Tls::open(files.clone()).unwrap();
        assert!(trusts(&tls, &first).await);
        assert!(!trusts(&tls, &second).await);
        // Half of a replacement changes nothing.
        replace(&files.certificate, &second.pem());
        assert!(trusts(&tls, &first).await);
        replace(&files.key, &second_key.serialize_pem());
        assert!(trusts(&tls, &second).await);
        assert!(!trusts(&tls, &first).await);
        // Nor does one that goes wrong.
        replace(&files.certificate, "no certificate");
        assert!(trusts(&tls, &second).await);
        fs::remove_file(&files.key).unwrap();
        assert!(trusts(&tls, &second).await);
    }

    fn visit(peer: SocketAddr, door: Arc<Door>) -> Visit {
        let (stop, begun) = (CancellationToken::new(), CancellationToken::new());
        Visit { peer, door, limits: Limits::default(), places: Places::new(1, 1), stop, begun }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_has_the_time_of_a_first_head() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        let (certificate, key) = issue();
        replace(&files.certificate, &certificate.pem());
        replace(&files.key, &key.serialize_pem());
        let refuse = |_: &HeaderMap, refusal: &Refusal| (refusal.status(), refusal.to_string()).into_response();
        let (guard, tls) = (Guard::new(Vec::new(), Vec::new()), Some(Arc::new(Tls::open(files).unwrap())));
        let door = Arc::new(Door { service: crate::listen::routed(Router::new()), guard, tls, refuse });
        for said in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            client.write_all(said).await.unwrap();
            let (theirs, peer) = listener.accept().await.unwrap();
            let begin = Instant::now();
            connection::open(theirs, visit(peer, door.clone())).await;
            assert_eq!((Instant::now() - begin).as_secs(), Limits::default().first_head.as_secs(), "{said:?}");
            assert!(!matches!(client.read(&mut [0]).await, Ok(1..)), "the connection is closed");
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        let ((certificate, key), (_, other)) = (issue(), issue());
        let opened = || Tls::open(files.clone()).err().expect("they can't be used").to_string();
        assert!(opened().contains("certificate.pem: No such file"), "{}", opened());
        fs::write(&files.certificate, certificate.pem()).unwrap();
        assert!(opened().contains("key.pem: No such file"), "{}", opened());
        fs::write(&files.key, other.serialize_pem()).unwrap();
        assert!(opened().contains("don't belong together"), "{}", opened());
        assert!(!opened().contains("PRIVATE"), "{}", opened());
        fs::write(&files.key, key.serialize_pem()).unwrap();
        assert!(Tls::open(files.clone()).is_ok());
    }
}
