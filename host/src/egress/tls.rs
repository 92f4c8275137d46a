//! The TLS configuration of a plugin's connections: the system's certificates, and what its grant adds.
//!
//! Certificates are verified by rustls, with no way to turn that off.

use std::sync::{Arc, LazyLock};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    crypto::ring,
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::grant::Tls;

/// The configuration for one plugin. Those to whom the grant gives nothing of their own share one.
pub(super) fn config(grant: &Tls) -> ClientConfig {
    if grant.is_plain() {
        return plain();
    }
    let mut roots = SYSTEM_ROOTS.clone();
    // `Tls::trust` has tried each of them.
    roots.add_parsable_certificates(grant.roots.iter().cloned());
    let config = builder().with_root_certificates(roots);
    match &grant.identity {
        Some(identity) => {
            let identity = CertifiedKey::clone(identity);
            config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
        }
        None => config.with_no_client_auth(),
    }
}

/// The certificates that this machine trusts, read once per process. Where there are none (a bare container), the plugins that
/// use plain HTTP or bring their own authority still work, and every other TLS handshake fails.
static SYSTEM_ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        tracing::warn!(errors, "no trusted certificates on this machine: every public https upstream will fail");
    }
    roots
});

/// The configuration of whoever trusts the system's certificates and nothing else.
pub(crate) fn plain() -> ClientConfig {
    PLAIN.clone()
}

static PLAIN: LazyLock<ClientConfig> =
    LazyLock::new(|| builder().with_root_certificates(SYSTEM_ROOTS.clone()).with_no_client_auth());

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
}
