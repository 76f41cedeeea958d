//! Why there is no connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::attempt::{Attempt, AttemptEnd};
use crate::error::CallError;

/// Why there is no connection.
///
/// It converts to an [`io::Error`] of the fitting kind, so `?` works in functions that return `io::Result`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name was not resolved. Check its spelling and the resolver.
    #[error("the address could not be resolved: {0}")]
    Resolve(#[source] io::Error),
    /// The name has no address, or none of the local address's family.
    #[error("there is no address to connect to")]
    NoAddress,
    /// No address took the connection; the attempts say why.
    #[error("{}", Failed(attempts))]
    Failed {
        /// All attempts, in the order in which they began.
        attempts: Vec<Attempt>,
    },
    /// The time that [`Connector::with_timeout`](crate::Connector::with_timeout) allows ran out.
    #[error("no connection within {timeout:?}: {}", Failed(attempts))]
    TimedOut {
        /// How long it was allowed to take.
        timeout: Duration,
        /// All attempts, in the order in which they began.
        attempts: Vec<Attempt>,
    },
    /// The connection was made, but broke before it had taken all the first bytes.
    #[error("{address} connected and then failed to take the first bytes: {source}")]
    FirstBytes {
        /// Where the connection led.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
}

impl ConnectError {
    /// The attempts made, in the order in which they began; empty where it did not come to any.
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            Self::Failed { attempts } | Self::TimedOut { attempts, .. } => attempts,
            Self::Resolve(_) | Self::NoAddress | Self::FirstBytes { .. } => &[],
        }
    }

    /// What kind of error this is.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Resolve(error) | Self::FirstBytes { source: error, .. } => error.kind(),
            Self::NoAddress => io::ErrorKind::InvalidInput,
            Self::Failed { attempts } => {
                last_failure(attempts).map_or(io::ErrorKind::Other, |(_, error)| error.kind())
            }
            Self::TimedOut { .. } => io::ErrorKind::TimedOut,
        }
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Says what the attempts came to: the last failure, and how many there were.
struct Failed<'a>(&'a [Attempt]);

impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (last_failure(self.0), self.0.last()) {
            (Some((address, error)), _) => write!(f, "{address}: {error}")?,
            (None, Some(attempt)) => write!(f, "{} did not answer", attempt.address)?,
            (None, None) => f.write_str("nothing was tried")?,
        }
        match self.0.len() {
            0 | 1 => Ok(()),
            attempts => write!(f, " (the last of {attempts} attempts)"),
        }
    }
}

fn last_failure(attempts: &[Attempt]) -> Option<(SocketAddr, CallError)> {
    attempts.iter().rev().find_map(|attempt| match attempt.end {
        AttemptEnd::Failed(error) => Some((attempt.address, error)),
        AttemptEnd::Connected | AttemptEnd::Unanswered => None,
    })
}
