//! Why there is no connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::attempt::{Attempt, AttemptEnd};
use crate::error::CallError;
use crate::outcome::Outcome;

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
    /// The time that [`Connector::with_timeout`](crate::Connector::with_timeout) allows ran out: before the name was resolved, before an
    /// address answered, or before the connection had taken the first bytes.
    #[error("{}", TimedOut { timeout: *timeout, attempts, outcome: *outcome })]
    TimedOut {
        /// How long it was allowed to take.
        timeout: Duration,
        /// All attempts, in the order in which they began; none if the name was not resolved in time.
        attempts: Vec<Attempt>,
        /// What the handshake proved, if there was a connection and it did not take the first bytes in time.
        outcome: Option<Outcome>,
    },
}

impl ConnectError {
    /// The attempts made, in the order in which they began; empty where it did not come to any.
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            Self::Failed { attempts } | Self::TimedOut { attempts, .. } => attempts,
            Self::Resolve(_) | Self::NoAddress => &[],
        }
    }

    /// What the handshake proved, if one was completed.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::TimedOut { outcome, .. } => *outcome,
            Self::Resolve(_) | Self::NoAddress | Self::Failed { .. } => None,
        }
    }

    /// What kind of error this is.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Resolve(error) => error.kind(),
            Self::NoAddress => io::ErrorKind::InvalidInput,
            Self::Failed { attempts } => {
                last_failure(attempts).map_or(io::ErrorKind::TimedOut, |(_, error)| error.kind())
            }
            Self::TimedOut { .. } => io::ErrorKind::TimedOut,
        }
    }
}

/// The system's error number survives: [`raw_os_error`](io::Error::raw_os_error) is that of the last attempt that failed. An error
/// without a number, such as a time-out, keeps the `ConnectError` as its inner error.
impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Resolve(error) => error,
            ConnectError::Failed { ref attempts } => match last_failure(attempts) {
                Some((_, failure)) if failure.code() != 0 => failure.into(),
                _ => Self::new(error.kind(), error),
            },
            ConnectError::NoAddress | ConnectError::TimedOut { .. } => Self::new(error.kind(), error),
        }
    }
}

struct TimedOut<'a> {
    timeout: Duration,
    attempts: &'a [Attempt],
    outcome: Option<Outcome>,
}

impl fmt::Display for TimedOut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeout = self.timeout;
        match (self.outcome, self.attempts) {
            (Some(_), _) => write!(
                f,
                "the connection did not take the first bytes within {timeout:?}"
            ),
            (None, []) => write!(f, "the name was not resolved within {timeout:?}"),
            (None, attempts) => write!(f, "no connection within {timeout:?}: {}", Failed(attempts)),
        }
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
