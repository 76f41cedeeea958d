//! A TLS ClientHello, as rustls would send it.

use std::sync::Arc;

use anyhow::Context;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::post_quantum::X25519_MLKEM768;

/// Which keys a ClientHello brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyShare {
    /// X25519.
    Classic,
    /// X25519MLKEM768, which is 1184 bytes longer.
    PostQuantum,
}

/// The first bytes of a TLS connection. The handshake is not carried on: the server's first answer is all that is wanted, so that no
/// certificate is ever looked at.
pub(super) fn client_hello(host: &str, share: KeyShare) -> anyhow::Result<Vec<u8>> {
    let name = ServerName::try_from(host.to_owned())
        .with_context(|| format!("{host} can't be the name in a TLS ClientHello"))?;
    let mut provider = ring::default_provider();
    if share == KeyShare::PostQuantum {
        provider.kx_groups.insert(0, &X25519_MLKEM768);
    }
    hello(provider, name).context("making a TLS ClientHello")
}

fn hello(provider: CryptoProvider, name: ServerName<'static>) -> anyhow::Result<Vec<u8>> {
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), name)?;
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes)?;
    }
    Ok(bytes)
}
