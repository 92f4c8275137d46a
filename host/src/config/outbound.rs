//! The keys of a grant that say how requests are sent: `redirects`, `retries`, `tls`.
//!
//! Where they may go is in `grant`. The files that `tls` names are read here, once; a change of theirs needs a restart.

use std::{fs, path::Path};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::Reader;
use crate::grant::{BadTls, Retries, Tls};

/// Redirects of one request that a grant can have followed. 10: browsers and command-line clients give up after 10 to 50, and an
/// API that needs more than two is misconfigured.
const MAX_REDIRECTS: u64 = 10;

/// Repetitions of one request that a grant can ask for. 5: with the pauses doubling, more don't fit into a call.
const MAX_RETRIES: u32 = 5;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetries {
    most: Option<u32>,
    #[serde(default)]
    methods: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    ca: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Reader {
    pub(super) fn redirects(&mut self, key: &str, raw: Option<u64>) -> usize {
        let redirects = raw.unwrap_or(0);
        if redirects > MAX_REDIRECTS {
            self.problems.push(format!("{key}.redirects: {redirects}: expected 0 to {MAX_REDIRECTS}"));
        }
        redirects as usize
    }

    pub(super) fn retries(&mut self, key: &str, raw: RawRetries) -> Retries {
        let most = raw.most.unwrap_or(Retries::default().most);
        if most > MAX_RETRIES {
            self.problems.push(format!("{key}.most: {most}: expected 0 to {MAX_RETRIES}"));
        }
        Retries { most, methods: self.methods(key, raw.methods) }
    }

    pub(super) fn tls(&mut self, key: &str, raw: &RawTls) -> Tls {
        let mut tls = Tls::default();
        if let Some(ca) = &raw.ca {
            self.with_files(&format!("{key}.ca"), [ca], |[ca]| tls.trust(&ca));
        }
        match (&raw.certificate, &raw.key) {
            (None, None) => {}
            (Some(certificate), Some(private)) => {
                let key = format!("{key}.certificate");
                self.with_files(&key, [certificate, private], |[certificate, private]| {
                    tls.identify(&certificate, &private)
                });
            }
            _ => self.problems.push(format!("{key}: certificate and key go together, only one of them is there")),
        }
        tls
    }

    fn with_files<const N: usize>(
        &mut self,
        key: &str,
        names: [&String; N],
        take: impl FnOnce([Zeroizing<Vec<u8>>; N]) -> Result<(), BadTls>,
    ) {
        // One of them is a private key.
        let mut texts = [(); N].map(|()| Zeroizing::default());
        for (text, name) in texts.iter_mut().zip(names) {
            let path = self.folder.join(Path::new(name));
            match fs::read(&path) {
                Ok(read) => *text = Zeroizing::new(read),
                Err(error) => return self.problems.push(format!("{key}: {}: can't be read: {error}", path.display())),
            }
        }
        if let Err(problem) = take(texts) {
            self.problems.push(format!("{key}: {}: {problem}", names.map(String::as_str).join(", ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;
    use crate::{config::Config, grant::Grant};

    /// Reads the lines of a grant as if they stood in a file of `folder`.
    fn grant(folder: &Path, lines: &str) -> Result<Grant, String> {
        let mut config = Config::parse(&format!("[grants.p]\n{lines}"), &folder.join("airlock.toml"))
            .map_err(|error| error.to_string())?;
        Ok(config.grants.remove("p").unwrap())
    }

    #[test]
    fn how_requests_are_sent() {
        let read = grant(
            Path::new(""),
            r#"
            redirects = 3
            retries = { most = 1, methods = ["POST"] }
            limits = { request_mb = 1, headers = 20, header_kb = 8, connect_ms = 500, first_byte_ms = 900, idle_ms = 700, requests_per_second = 5 }
            "#,
        )
        .unwrap();
        assert_eq!((read.redirects, read.retries), (3, Retries { most: 1, methods: vec!["POST".to_owned()] }));
        let limits = read.limits;
        assert_eq!((limits.request, limits.headers, limits.header_bytes), (1 << 20, 20, 8 << 10));
        assert_eq!((limits.connect.as_millis(), limits.idle.as_millis()), (500, 700));
        assert_eq!(limits.first_byte, Some(Duration::from_millis(900)));
        assert_eq!(limits.requests_per_second, Some(5));

        let default = grant(Path::new(""), "").unwrap();
        assert_eq!((default.redirects, default.retries.most), (0, 2));
        assert!(default.tls.is_plain());
    }

    #[test]
    fn what_is_out_of_bounds() {
        for (line, expected) in [
            ("redirects = 11", "grants.p.redirects: 11: expected 0 to 10"),
            ("retries.most = 6", "grants.p.retries.most: 6: expected 0 to 5"),
            ("retries.methods = ['post']", "grants.p.retries.methods: \"post\": expected a method in capitals"),
            ("limits.request_mb = 0", "grants.p.limits.request_mb: 0: expected 1 to 1000000"),
            ("limits.headers = 1001", "grants.p.limits.headers: 1001: expected 1 to 1000"),
            ("limits.header_kb = 7", "grants.p.limits.header_kb: 7: expected 8 to 1024"),
            ("limits.connect_ms = 0", "grants.p.limits.connect_ms: 0: expected 1 to 3600000"),
            ("limits.first_byte_ms = 0", "grants.p.limits.first_byte_ms: 0: expected 1 to 3600000"),
            ("limits.idle_ms = 0", "grants.p.limits.idle_ms: 0: expected 1 to 3600000"),
            ("limits.requests_per_second = 0", "grants.p.limits.requests_per_second: 0: expected 1 to 1000000"),
            ("tls.key = 'k'", "grants.p.tls: certificate and key go together"),
        ] {
            let error = grant(Path::new(""), line).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn certificates_are_read_and_what_is_wrong_with_them_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["client.test".to_owned()]).unwrap();
        let other = generate_simple_self_signed(["other.test".to_owned()]).unwrap().signing_key;
        for (name, text) in [
            ("client.pem", cert.pem()),
            ("client.key", signing_key.serialize_pem()),
            ("other.key", other.serialize_pem()),
            ("text", "no PEM".to_owned()),
            ("cut.pem", cert.pem()[..100].to_owned()),
            ("fake.pem", "-----BEGIN CERTIFICATE-----\nMAMBAf8=\n-----END CERTIFICATE-----\n".to_owned()),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }

        let line = "tls = { ca = 'client.pem', certificate = 'client.pem', key = 'client.key' }";
        let tls = grant(folder.path(), line).unwrap().tls;
        assert_eq!((tls.roots.len(), tls.identity.is_some()), (1, true));
        assert_eq!(format!("{tls:?}"), "Tls { roots: 1, identity: … }");

        for (line, expected) in [
            ("tls.ca = 'none.pem'", "grants.p.tls.ca: "),
            ("tls.ca = 'none.pem'", "none.pem: can't be read: No such file"),
            ("tls.ca = 'text'", "grants.p.tls.ca: text: no certificate in it"),
            ("tls.ca = 'cut.pem'", "grants.p.tls.ca: cut.pem: it is not valid PEM"),
            ("tls.ca = 'client.key'", "grants.p.tls.ca: client.key: no certificate in it"),
            ("tls.ca = 'fake.pem'", "grants.p.tls.ca: fake.pem: its certificate can't be used"),
            (
                "tls = { certificate = 'client.pem', key = 'text' }",
                "grants.p.tls.certificate: client.pem, text: no private key in it",
            ),
            (
                "tls = { certificate = 'client.pem', key = 'other.key' }",
                "client.pem, other.key: the certificate and the private key don't belong together",
            ),
        ] {
            let error = grant(folder.path(), line).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("PRIVATE KEY-----\n"), "{error}");
        }
    }
}
