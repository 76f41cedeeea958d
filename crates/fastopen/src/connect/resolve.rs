//! From a destination to addresses, within the time for connecting.

use std::io;
use std::net::SocketAddr;
#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Instant;

use super::connector::Connector;
use super::destination::Destination;
use super::error::ConnectError;

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
