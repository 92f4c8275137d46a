//! REST and MCP in TLS, with a certificate of the operator's.

use std::{path::Path, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{Rest, Setup, TestHost, within_patience};

/// A certificate for localhost that vouches for itself, in a file with its key beside it.
fn issue(folder: &Path) -> rcgen::Certificate {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(folder.join("certificate.pem"), certificate.pem()).expect("a new file");
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).expect("a new file");
    certificate
}

/// Shakes hands, trusting this certificate alone and speaking this inside.
async fn shake(
    listener: &Rest,
    certificate: &rcgen::Certificate,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, listener.connect().await).await
}

/// Asks in TLS, and gives all that is answered.
async fn ask(listener: &Rest, certificate: &rcgen::Certificate, head: &str) -> String {
    let answered = async {
        let mut stream = shake(listener, certificate, &[]).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut answered = String::new();
        stream.read_to_string(&mut answered).await?;
        Ok::<_, std::io::Error>(answered)
    };
    within_patience("an answer in TLS", answered).await.expect("the host answers")
}

/// A host that shows this certificate.
async fn start(folder: &Path) -> TestHost {
    let path = folder.display();
    let tls = format!("tls = {{ certificate = \"{path}/certificate.pem\", key = \"{path}/key.pem\" }}\n");
    Setup::default().listen(&tls).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_and_mcp_are_served_in_tls_and_in_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = issue(folder.path());
    let host = start(folder.path()).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_where_the_handshake_agrees_on_it_and_only_there() {
    const GREETING: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const HEAD: &str = "GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = issue(folder.path());
    let host = start(folder.path()).await;
    let [rest, mcp, _] = host.listeners();
    for listener in [&rest, &mcp] {
        for (protocols, said, agreed, heard) in [
            (&["h2", "http/1.1"][..], GREETING, Some("h2"), "\0\0"),
            (&["http/1.1", "h2"], GREETING, Some("h2"), "\0\0"),
            (&["http/1.1"], HEAD, Some("http/1.1"), "HTTP/1.1 404"),
            (&[], HEAD, None, "HTTP/1.1 404"),
            // Neither is mistaken for the other.
            (&["h2"], HEAD, Some("h2"), ""),
            (&["http/1.1"], GREETING, Some("http/1.1"), ""),
            (&[], GREETING, None, ""),
        ] {
            let mut stream = shake(listener, &certificate, protocols).await.expect("a handshake");
            assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes), "{protocols:?}");
            stream.write_all(said.as_bytes()).await.expect("the host listens");
            let answered = within_patience("an answer in TLS", async {
                let mut answered = vec![0; heard.len().max(1)];
                // A connection that ends says nothing.
                let all = stream.read_exact(&mut answered).await;
                all.map(|_| answered).unwrap_or_default()
            })
            .await;
            let is_right = match heard {
                // What isn't understood is told so in the language that was agreed on, or not at all.
                "" => !answered.starts_with(if agreed == Some("h2") { b"H" } else { b"\0" }),
                _ => answered == heard.as_bytes(),
            };
            assert!(is_right, "{protocols:?} {said:?}: {:?}", String::from_utf8_lossy(&answered));
        }
        assert!(shake(listener, &certificate, &["spdy/3"]).await.is_err());
    }
}
