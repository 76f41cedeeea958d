//! Handshakes: from segments to verdicts.

mod client_syns;
mod connection;
mod deadlines;
mod flow;
mod judge;
mod lone;
mod machine;
mod memory;
mod note;
mod observe;
mod packet;
mod past;
mod report;
mod step;
mod table;
mod tracker;
mod verdict;

pub use connection::{Connection, Syn, SynAck};
pub use note::{FallbackCause, Note};
pub use step::{Event, Side, Step};
pub use tracker::{Limits, Tracker};
pub use verdict::Verdict;
