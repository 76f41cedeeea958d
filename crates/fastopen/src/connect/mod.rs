//! Connecting: the settings, and what comes of it.
//!
//! `order` sorts the addresses, `race` decides what starts when, `memory` keeps what was learnt, `start` makes one attempt, and a driver
//! (`blocking`, or `tokio::connect`) waits.

mod attempt;
pub(crate) mod blocking;
mod connector;
mod memory;
mod order;
pub(crate) mod race;
pub(crate) mod start;

pub use attempt::{Attempt, AttemptEnd, Syn};
pub use connector::{Connector, Policy};
pub use memory::PathMemory;

use std::net::{TcpStream, ToSocketAddrs};

use crate::error::ConnectError;
use crate::outcome::Outcome;
use crate::replay_safe::ReplaySafe;

/// Connects with the first bytes in the SYN where that is possible, and with an ordinary handshake where it is not.
///
/// It returns when the handshake is complete and every byte given is in the kernel's hands, whatever path they took. They reach the
/// application on the other side exactly once on the connection that is returned. This is [`Connector::connect`] with the usual
/// settings.
///
/// # Errors
/// [`ConnectError`] names the address and the call. It converts to [`std::io::Error`].
///
/// # Examples
/// ```
/// use std::io::{Read, Write};
/// use fastopen::ReplaySafe;
///
/// # fn main() -> std::io::Result<()> {
/// # let listener = fastopen::listen("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # std::thread::spawn(move || {
/// #     let (mut stream, _) = listener.accept()?;
/// #     let _ = stream.read(&mut [0; 1000])?;
/// #     stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
/// # });
/// let request = ReplaySafe(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
/// let (mut stream, outcome) = fastopen::connect(address, request)?.into();
/// println!("the first bytes were {outcome}");
///
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 204"));
/// # Ok(())
/// # }
/// ```
pub fn connect<T: AsRef<[u8]>>(
    address: impl ToSocketAddrs,
    first_bytes: ReplaySafe<T>,
) -> Result<Connected<TcpStream>, ConnectError> {
    Connector::new().connect(address, first_bytes)
}

/// A connection, and how it came about.
#[derive(Debug)]
pub struct Connected<S> {
    /// The connection: a `std::net::TcpStream` or a `tokio::net::TcpStream`.
    pub stream: S,
    /// What became of the first bytes.
    pub outcome: Outcome,
    /// What was tried, in the order in which it began. One of them is [`AttemptEnd::Connected`].
    pub attempts: Vec<Attempt>,
}

impl<S> From<Connected<S>> for (S, Outcome) {
    fn from(connected: Connected<S>) -> Self {
        (connected.stream, connected.outcome)
    }
}
