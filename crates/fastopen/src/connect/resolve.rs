//! From a name to addresses.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Instant;

use super::connector::Connector;
use super::destination::Destination;
use super::error::ConnectError;

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
    /// The name has none, or they could not be found. It becomes [`ConnectError::Resolve`].
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
pub(crate) struct Resolver(Arc<dyn Resolve>);

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

impl Connector {
    /// Finds the addresses within the time for connecting.
    pub(super) fn resolve(
        &self,
        destination: io::Result<Destination>,
        began: Instant,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let (host, port) = match destination.map_err(ConnectError::Resolve)? {
            Destination::Addresses(addresses) => return Ok(addresses),
            Destination::Name { host, port } => (host, port),
        };
        let resolver = self.resolver();
        let Some(deadline) = self.deadline(began) else {
            return resolver.0.resolve(&host, port).map_err(ConnectError::Resolve);
        };
        // The C library's resolver can't be told to stop, so its thread is left to end by itself.
        let (tell, told) = channel();
        let resolver = resolver.clone();
        std::thread::Builder::new()
            .name("fastopen-resolve".to_owned())
            .spawn(move || tell.send(resolver.0.resolve(&host, port)))
            .map_err(ConnectError::Resolve)?;
        match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(addresses) => addresses.map_err(ConnectError::Resolve),
            Err(RecvTimeoutError::Timeout) => Err(self.timed_out_resolving()),
            Err(RecvTimeoutError::Disconnected) => {
                Err(ConnectError::Resolve(io::Error::other("the resolver panicked")))
            }
        }
    }

    /// The same, with tokio.
    #[cfg(feature = "tokio")]
    pub(crate) async fn resolve_tokio(
        &self,
        destination: io::Result<Destination>,
        began: Instant,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let (host, port) = match destination.map_err(ConnectError::Resolve)? {
            Destination::Addresses(addresses) => return Ok(addresses),
            Destination::Name { host, port } => (host, port),
        };
        let resolving = Arc::clone(&self.resolver().0).resolve_tokio(host, port);
        let resolved = match self.deadline(began) {
            None => resolving.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), resolving)
                .await
                .map_err(|_| self.timed_out_resolving())?,
        };
        resolved.map_err(ConnectError::Resolve)
    }

    fn timed_out_resolving(&self) -> ConnectError {
        ConnectError::TimedOut {
            timeout: self.timeout().unwrap_or_default(),
            attempts: Vec::new(),
            outcome: None,
        }
    }
}
