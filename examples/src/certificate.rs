//! A certificate for the lab's server, and configurations that trust it.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// The name that the certificate is for.
pub const NAME: &str = "server.test";

/// A certificate that signs itself, and its key.
pub struct Certificate {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Certificate {
    /// A new one for these names and addresses.
    ///
    /// # Panics
    /// When there is no randomness to be had.
    pub fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a key can be made");
        Self {
            certificate: made.cert.der().clone(),
            key: made.signing_key.serialize_der(),
        }
    }

    /// Its private key (PKCS#8, DER).
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// A server that shows it. Early data is off.
    ///
    /// # Panics
    /// Never: the key fits.
    pub fn server(&self) -> ServerConfig {
        self.server_with(ring::default_provider(), rustls::DEFAULT_VERSIONS)
    }

    /// A server with that cryptography and these versions of TLS. Early data is off.
    ///
    /// # Panics
    /// When the one has nothing for the others.
    pub fn server_with(
        &self,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        ServerConfig::builder_with_provider(provider.into())
            .with_protocol_versions(versions)
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .expect("the key fits")
    }

    /// A client that trusts it. Early data is off.
    ///
    /// # Panics
    /// Never: the certificate is well formed.
    pub fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("it is well formed");
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
