//! What a connect tried, and how each try ended.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::CallError;

/// One attempt at a connection.
///
/// `Display` writes a sentence, such as `a SYN with 35 bytes to 192.0.2.1:80 got no answer within 250.0ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Attempt {
    /// Where to.
    pub address: SocketAddr,
    /// What its SYN was like.
    pub syn: Syn,
    /// When it began, counted from the start of connecting.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds"))]
    pub started: Duration,
    /// How long it was under way.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds"))]
    pub elapsed: Duration,
    /// How it ended.
    pub end: AttemptEnd,
}

/// An attempt's SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Syn {
    /// An ordinary one.
    Plain,
    /// With the Fast Open option: a cookie and data, or a request for a cookie.
    Fast {
        /// How many of the first bytes it carries; 0 without a cookie, or where this machine's own firewall dropped it.
        bytes: usize,
    },
}

impl Attempt {
    pub(crate) fn is_connected(&self) -> bool {
        self.end == AttemptEnd::Connected
    }
}

impl Syn {
    /// `plain` or `fast`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Fast { .. } => "fast",
        }
    }

    /// How many of the first bytes it carries.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Fast { bytes } => *bytes,
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum AttemptEnd {
    /// Its handshake is complete: this is the connection that the caller has.
    Connected,
    /// The system or the network turned it away.
    Failed(CallError),
    /// It had no answer when another attempt won or the time was up, and was closed.
    Unanswered,
}

impl AttemptEnd {
    /// `connected`, `failed` or `unanswered`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Failed(_) => "failed",
            Self::Unanswered => "unanswered",
        }
    }

    /// Why it failed, where it did.
    pub fn error(&self) -> Option<CallError> {
        match self {
            Self::Failed(error) => Some(*error),
            Self::Connected | Self::Unanswered => None,
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.syn {
            Syn::Plain => f.write_str("an ordinary SYN")?,
            Syn::Fast { bytes: 0 } => f.write_str("a SYN with the Fast Open option")?,
            Syn::Fast { bytes: 1 } => f.write_str("a SYN with 1 byte")?,
            Syn::Fast { bytes } => write!(f, "a SYN with {bytes} bytes")?,
        }
        let (address, elapsed) = (self.address, self.elapsed);
        match self.end {
            AttemptEnd::Connected => write!(f, " to {address} connected after {elapsed:.1?}"),
            AttemptEnd::Failed(error) => write!(f, " to {address} failed after {elapsed:.1?}: {error}"),
            AttemptEnd::Unanswered => write!(f, " to {address} got no answer within {elapsed:.1?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_reads_as_a_sentence() {
        let attempt = |syn, end| Attempt {
            address: "192.0.2.1:80".parse().unwrap(),
            syn,
            started: Duration::ZERO,
            elapsed: Duration::from_millis(250),
            end,
        };
        let refused = AttemptEnd::Failed(CallError::from_code("connect", 111));
        for (attempt, sentence) in [
            (
                attempt(Syn::Fast { bytes: 35 }, AttemptEnd::Unanswered),
                "a SYN with 35 bytes to 192.0.2.1:80 got no answer within 250.0ms",
            ),
            (
                attempt(Syn::Plain, AttemptEnd::Connected),
                "an ordinary SYN to 192.0.2.1:80 connected after 250.0ms",
            ),
            (
                attempt(Syn::Fast { bytes: 0 }, refused),
                "a SYN with the Fast Open option to 192.0.2.1:80 failed after 250.0ms: connect: Connection refused (os error 111)",
            ),
        ] {
            assert_eq!(attempt.to_string(), sentence);
        }
    }
}
