//! REST and MCP in TLS, with a certificate of the operator's.

use std::{path::Path, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::harness::{Rest, Setup, within_patience};

/// A certificate for localhost that vouches for itself, in a file with its key beside it.
fn issue(folder: &Path) -> rcgen::Certificate {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(folder.join("certificate.pem"), certificate.pem()).expect("a new file");
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).expect("a new file");
    certificate
}

/// Asks in TLS, trusting this certificate alone, and gives all that is answered.
async fn ask(listener: &Rest, certificate: &rcgen::Certificate, head: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let answered = async {
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, listener.connect().await).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut answered = String::new();
        stream.read_to_string(&mut answered).await?;
        Ok::<_, std::io::Error>(answered)
    };
    within_patience("an answer in TLS", answered).await.expect("the host answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_and_mcp_are_served_in_tls_and_in_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = issue(folder.path());
    let path = folder.path().display();
    let tls = format!("tls = {{ certificate = \"{path}/certificate.pem\", key = \"{path}/key.pem\" }}\n");
    let host = Setup::default().listen(&tls).start().await;
    let [rest, mcp, control] = host.listeners();
    let head = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let answer = ask(&rest, &certificate, &head("/openapi.json")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"openapi\":\"3.1.0\""), "{answer}");
    let answer = ask(&rest, &certificate, &head("/").replace("localhost", "evil.example")).await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    let answer = ask(&mcp, &certificate, &head("/mcp")).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    for listener in [&rest, &mcp] {
        let heard = within_patience("the end of a connection", async {
            let mut stream = listener.connect().await;
            stream.write_all(head("/openapi.json").as_bytes()).await.expect("the host listens");
            let mut heard = Vec::new();
            // A reset is as good an end as any.
            let _ = stream.read_to_end(&mut heard).await;
            heard
        })
        .await;
        assert!(!heard.starts_with(b"HTTP"), "{:?}", String::from_utf8_lossy(&heard));
    }
    assert!(control.talk(&head("/health/live")).await.starts_with("HTTP/1.1 200 "), "health is asked for in the clear");
}
