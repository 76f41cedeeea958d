//! Connecting.
//!
//! `connector` holds the settings, `order` sorts the addresses, `race` decides what starts when, `start` makes one attempt, `drive`
//! carries out what the race decides, and `memory` keeps what was learnt. The drivers, `blocking` and `for_tokio::connect`, wait.

mod attempt;
mod blocking;
mod connected;
mod connector;
pub(crate) mod drive;
mod error;
mod memory;
mod order;
mod race;
mod start;

pub use attempt::{Attempt, AttemptEnd, Syn};
pub use blocking::connect;
pub use connected::Connected;
pub use connector::{Connector, Policy};
pub use error::ConnectError;
pub use memory::PathMemory;
