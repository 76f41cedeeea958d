//! What a connect comes to.

use super::attempt::Attempt;
use crate::outcome::Outcome;

/// A connection, and how it came about.
#[derive(Debug)]
pub struct Connected<S> {
    /// The connection: a `std::net::TcpStream` or a `tokio::net::TcpStream`.
    pub stream: S,
    /// What became of the first bytes.
    pub outcome: Outcome,
    /// What was tried, in the order in which it began. One of them is [`Connected`](crate::AttemptEnd::Connected).
    pub attempts: Vec<Attempt>,
}

impl<S> From<Connected<S>> for (S, Outcome) {
    fn from(connected: Connected<S>) -> Self {
        (connected.stream, connected.outcome)
    }
}
