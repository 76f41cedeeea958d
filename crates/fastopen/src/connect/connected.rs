//! What a connect comes to.

use super::attempt::Attempt;
use crate::error::CallError;
use crate::outcome::Outcome;

/// A connection, and how it came about.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connected<S> {
    /// The connection: a `std::net::TcpStream` or a `tokio::net::TcpStream`.
    pub stream: S,
    /// What became of the first bytes.
    pub outcome: Outcome,
    /// What was tried, in the order in which it began. One of them is [`Connected`](crate::AttemptEnd::Connected).
    pub attempts: Vec<Attempt>,
    /// Why the kernel did not take all of the first bytes, where it did not: the server had ended the connection before they were
    /// sent.
    ///
    /// The stream is there all the same, for the server may have answered before it closed, as HTTP servers do with 413 or 431:
    /// read the answer. `None` says that every byte is in the kernel's hands, not that the server has received it.
    pub cut_short: Option<CallError>,
}

impl<S> Connected<S> {
    /// The same connection with another stream, made of this one.
    pub fn map<T>(self, f: impl FnOnce(S) -> T) -> Connected<T> {
        Connected {
            stream: f(self.stream),
            outcome: self.outcome,
            attempts: self.attempts,
            cut_short: self.cut_short,
        }
    }
}

impl<S> From<Connected<S>> for (S, Outcome) {
    fn from(connected: Connected<S>) -> Self {
        (connected.stream, connected.outcome)
    }
}
