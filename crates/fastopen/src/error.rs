//! Errors that name the call that failed, and what it failed on.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::connect::{Attempt, AttemptEnd};

/// A call to the system that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallError {
    call: &'static str,
    code: i32,
}

impl CallError {
    pub(crate) fn new(call: &'static str, error: &io::Error) -> Self {
        Self {
            call,
            code: error.raw_os_error().unwrap_or(0),
        }
    }

    pub(crate) const fn from_code(call: &'static str, code: i32) -> Self {
        Self { call, code }
    }

    /// The call, such as `setsockopt(SO_MARK)`.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The system's error number (`errno`).
    pub fn code(&self) -> i32 {
        self.code
    }

    /// What kind of error the number stands for.
    pub fn kind(&self) -> io::ErrorKind {
        io::Error::from_raw_os_error(self.code).kind()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, io::Error::from_raw_os_error(self.code))
    }
}

impl std::error::Error for CallError {}

impl From<CallError> for io::Error {
    fn from(error: CallError) -> Self {
        Self::new(error.kind(), error)
    }
}

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
    /// The time that [`Connector::timeout`](crate::Connector::timeout) allows ran out.
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

impl From<ListenError> for io::Error {
    fn from(error: ListenError) -> Self {
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
