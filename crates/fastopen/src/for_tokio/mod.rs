//! Connecting, listening and confirmation with tokio.
//!
//! The streams and listeners are tokio's own; for code that asks for a connection before it knows its first bytes there is
//! [`LazyStream`]. Everything here must be called within a runtime that has I/O and time enabled.

mod confirmation;
mod connect;
mod lazy;
mod listen;
mod peer;
mod readiness;
pub(crate) mod wakers;

pub use confirmation::Confirmation;
pub use connect::{connect, connect_server_first};
pub use lazy::{ConnectReport, LazyStream};
pub use listen::listen;
pub use peer::Peer;
