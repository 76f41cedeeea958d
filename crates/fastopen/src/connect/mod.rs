//! Connecting.
//!
//! `connector` holds the settings, `order` sorts the addresses, `race` decides what starts when, `start` makes one attempt, `drive`
//! carries out what the race decides, `lesson` is what that taught, `memory` keeps it, and `round_trip` makes a delay of it. The drivers,
//! `blocking` and `for_tokio::connect`, wait.

mod attempt;
mod blocking;
mod connected;
mod connector;
pub(crate) mod delivery;
mod destination;
pub(crate) mod drive;
mod error;
pub(crate) mod first_flight;
mod lesson;
mod memory;
mod order;
mod race;
mod resolve;
mod resolver;
mod round_trip;
pub(crate) mod seen;
mod start;

pub use attempt::{Attempt, AttemptEnd, Syn};
pub use blocking::{connect, connect_server_first};
pub use connected::Connected;
pub use connector::{Connector, Policy};
pub use destination::{Destination, ToDestination};
pub use error::ConnectError;
pub use memory::{PathEntry, PathMemory};
pub use resolver::Resolve;
#[cfg(feature = "tokio")]
pub use resolver::Resolving;
