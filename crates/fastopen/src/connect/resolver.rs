//! Who finds the addresses of a name.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// Finds the addresses of a name, in place of the system's resolver. A closure does.
///
/// ```
/// use std::net::SocketAddr;
/// use fastopen::Connector;
///
/// let pinned: SocketAddr = "127.0.0.1:80".parse()?;
/// let connector = Connector::new().with_resolver(move |host: &str, port: u16| match host {
///     "db.internal" => Ok(vec![SocketAddr::new(pinned.ip(), port)]),
///     _ => Err(std::io::ErrorKind::NotFound.into()),
/// });
/// # let _ = connector;
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub trait Resolve: Send + Sync + 'static {
    /// Finds the addresses, and may block.
    ///
    /// # Errors
    /// The name has none, or they could not be found. It becomes [`ConnectError::Resolve`](crate::ConnectError::Resolve).
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// Finds the addresses without blocking, for tokio. Unless it is implemented, [`resolve`](Self::resolve) is called on a thread for
    /// blocking work.
    #[cfg(feature = "tokio")]
    fn resolve_tokio(self: Arc<Self>, host: String, port: u16) -> Resolving {
        Box::pin(async move {
            tokio::task::spawn_blocking(move || self.resolve(&host, port))
                .await
                .map_err(io::Error::other)?
        })
    }
}

/// What [`Resolve::resolve_tokio`] returns.
#[cfg(feature = "tokio")]
pub type Resolving = std::pin::Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

impl<F> Resolve for F
where
    F: Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
{
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self(host, port)
    }
}

/// The resolver of the C library.
struct System;

impl Resolve for System {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// The resolver that a connector uses.
#[derive(Clone)]
pub(crate) struct Resolver(pub(super) Arc<dyn Resolve>);

impl Resolver {
    pub(super) fn new(resolver: impl Resolve) -> Self {
        Self(Arc::new(resolver))
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(System)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver(..)")
    }
}
