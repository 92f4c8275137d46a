//! What a plugin's connections trust beside the system's certificates, and the certificate that they show.
//!
//! No file is read here: `config` does that. How a connection uses it is `egress`' business.

use std::{fmt, sync::Arc};

use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    sign::CertifiedKey,
};

/// What a plugin's connections trust and show. Printing it shows no key.
#[derive(Clone, Default)]
pub struct Tls {
    /// Authorities that are trusted beside the system's.
    pub roots: Vec<CertificateDer<'static>>,
    /// The client certificate with its chain and its private key.
    pub identity: Option<Arc<CertifiedKey>>,
}

/// Why a text holds no usable certificate or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTls {
    /// Not PEM, or broken.
    #[error("it is not valid PEM")]
    Pem,
    /// PEM without a certificate.
    #[error("no certificate in it, expected PEM with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// PEM without a private key.
    #[error("no private key in it, expected PEM with -----BEGIN PRIVATE KEY-----")]
    NoKey,
    /// A certificate that isn't one inside, or isn't fit to vouch for others.
    #[error("its certificate can't be used")]
    Certificate,
    /// A key of a kind that isn't supported.
    #[error("its private key can't be used, expected RSA, ECDSA (P-256, P-384) or Ed25519")]
    Key,
    /// The certificate is for another key.
    #[error("the certificate and the private key don't belong together")]
    Mismatch,
}

impl Tls {
    /// Trusts the authorities in a PEM text.
    ///
    /// # Errors
    /// See [`BadTls`].
    pub fn trust(&mut self, text: &[u8]) -> Result<(), BadTls> {
        let roots = certificates(text)?;
        let mut store = RootCertStore::empty();
        roots.iter().try_for_each(|root| store.add(root.clone())).map_err(|_| BadTls::Certificate)?;
        self.roots.extend(roots);
        Ok(())
    }

    /// Shows the certificate (the first in the PEM text; the others are its chain) to upstreams that ask for one.
    ///
    /// # Errors
    /// See [`BadTls`].
    pub fn identify(&mut self, certificate: &[u8], key: &[u8]) -> Result<(), BadTls> {
        self.identity = Some(identity(certificate, key)?);
        Ok(())
    }

    /// Whether the system's certificates are all there is.
    pub fn is_plain(&self) -> bool {
        self.roots.is_empty() && self.identity.is_none()
    }
}

/// A certificate (the first in the PEM text; the others are its chain) with its private key, for whoever shows it.
///
/// # Errors
/// See [`BadTls`].
pub fn identity(certificate: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, BadTls> {
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
        pem::Error::NoItemsFound => BadTls::NoKey,
        _ => BadTls::Pem,
    })?;
    let identity = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => BadTls::Mismatch,
        rustls::Error::InvalidCertificate(_) => BadTls::Certificate,
        _ => BadTls::Key,
    })?;
    Ok(Arc::new(identity))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { roots, identity } = self;
        write!(f, "Tls {{ roots: {}, identity: {} }}", roots.len(), if identity.is_some() { "…" } else { "none" })
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|_| BadTls::Pem)?;
    if certificates.is_empty() { Err(BadTls::NoCertificate) } else { Ok(certificates) }
}
