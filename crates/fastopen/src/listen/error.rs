//! Why there is no listener.

use std::io;
use std::net::SocketAddr;

use crate::error::CallError;

/// Why there is no listener.
///
/// It converts to an [`io::Error`] of the fitting kind, so `?` works in functions that return `io::Result`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The name was not resolved. Check its spelling and the resolver.
    #[error("the address could not be resolved: {0}")]
    Resolve(#[source] io::Error),
    /// The name has no address.
    #[error("there is no address to listen on")]
    NoAddress,
    /// A call failed. Permission is denied for ports below `net.ipv4.ip_unprivileged_port_start`; an address in use has a listener already.
    #[error("listening on {address}: {source}")]
    Call {
        /// The address.
        address: SocketAddr,
        /// The call.
        source: CallError,
    },
    /// The runtime did not take the listener.
    #[error("the runtime did not take the listener: {0}")]
    Runtime(#[source] io::Error),
}

impl ListenError {
    /// What kind of error this is.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Resolve(error) | Self::Runtime(error) => error.kind(),
            Self::NoAddress => io::ErrorKind::InvalidInput,
            Self::Call { source, .. } => source.kind(),
        }
    }
}

/// The system's error number survives, and the address does not.
impl From<ListenError> for io::Error {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::Resolve(error) | ListenError::Runtime(error) => error,
            ListenError::Call { source, .. } => source.into(),
            ListenError::NoAddress => Self::new(error.kind(), error),
        }
    }
}
