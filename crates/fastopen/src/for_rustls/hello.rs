//! How long a ClientHello is.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error, NamedGroup};

/// How many bytes a SYN holds on the usual path: over IPv6 with an MTU of 1500. IPv4 has 20 more.
///
/// What exceeds it is sent when the handshake is complete. A ClientHello that does not fit saves nothing, for the server cannot answer
/// half of it.
pub const ROOM: usize = 1400;

/// How many bytes the ClientHello of a full handshake takes, record header included.
///
/// A session ticket adds its own length, 100 to 250 bytes with most servers.
///
/// # Errors
/// rustls' own, for a configuration that makes no hello.
///
/// # Examples
/// ```no_run
/// # fn f(config: std::sync::Arc<rustls::ClientConfig>) -> Result<(), Box<dyn std::error::Error>> {
/// use fastopen::for_rustls::{ROOM, hello_len};
///
/// let len = hello_len(&config, "example.com".try_into()?)?;
/// if len > ROOM {
///     eprintln!("a ClientHello of {len} bytes does not fit into one SYN: see small_key_shares");
/// }
/// # Ok(())
/// # }
/// ```
pub fn hello_len(config: &Arc<ClientConfig>, name: ServerName<'static>) -> Result<usize, Error> {
    let mut config = ClientConfig::clone(config);
    // A ticket is good for one use: this one is not to take it.
    config.resumption = Resumption::disabled();
    let mut connection = ClientConnection::new(Arc::new(config), name)?;
    let mut hello = Vec::new();
    connection
        .write_tls(&mut hello)
        .map_err(|error| Error::General(error.to_string()))?;
    Ok(hello.len())
}

/// Puts key exchanges with a short key share first, so that the ClientHello fits into one SYN.
///
/// rustls sends a share for the first one. The share of a post-quantum exchange such as X25519MLKEM768 takes 1216 bytes, and the hello with
/// it hardly fits. The others stay on offer: a server that insists on one asks for it, which takes a round trip more.
///
/// **For speed this gives up protection against decryption by future quantum computers**; the choice is the caller's.
///
/// # Examples
/// ```no_run
/// # fn f(provider: rustls::crypto::CryptoProvider) -> Result<(), rustls::Error> {
/// let provider = fastopen::for_rustls::small_key_shares(provider);
/// let builder = rustls::ClientConfig::builder_with_provider(provider.into());
/// # let _ = builder;
/// # Ok(())
/// # }
/// ```
pub fn small_key_shares(mut provider: CryptoProvider) -> CryptoProvider {
    provider.kx_groups.sort_by_key(|group| !is_small(group.name()));
    provider
}

/// The elliptic curves, whose shares take 32 to 133 bytes.
fn is_small(group: NamedGroup) -> bool {
    matches!(
        group,
        NamedGroup::X25519
            | NamedGroup::X448
            | NamedGroup::secp256r1
            | NamedGroup::secp384r1
            | NamedGroup::secp521r1
    )
}
