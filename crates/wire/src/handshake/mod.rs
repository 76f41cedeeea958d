//! Handshakes: from segments to verdicts.

mod client_syns;
mod connection;
mod deadlines;
mod flow;
mod judge;
mod limits;
mod lone;
mod machine;
mod memory;
mod note;
mod observe;
mod packet;
mod past;
mod report;
#[cfg(feature = "serde")]
mod serial;
mod step;
mod table;
mod tracker;
mod verdict;

pub use connection::{Connection, Syn, SynAck};
pub use limits::Limits;
pub use note::{FallbackCause, Note};
pub use step::{Event, Side, Step};
pub use tracker::Tracker;
pub use verdict::Verdict;
