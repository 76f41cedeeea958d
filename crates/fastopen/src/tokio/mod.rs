//! Connecting, listening and confirmation with tokio.
//!
//! The streams and listeners are tokio's own. Everything here must be called within a runtime that has I/O and time enabled.

mod confirmation;
mod connect;
mod listen;
mod readiness;

pub use confirmation::Confirmation;
pub use connect::connect;
pub use listen::listen;
