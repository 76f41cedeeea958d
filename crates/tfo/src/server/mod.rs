//! A listener, and one accepted connection from its arrival to its end, as `serve` and `tcp-fast-open` have them.
//!
//! [`mode`] is what the server does with the bytes. A connection's [`report`] goes to an [`Observer`]; how it is put into words stands
//! in [`words`].

mod background;
mod connection;
mod conversation;
mod listen;
mod mode;
mod report;
mod words;

pub(crate) use background::in_background;
pub(crate) use connection::{Context, Observer, follow};
pub(crate) use listen::listen;
pub(crate) use mode::Mode;
pub(crate) use report::{Arrived, Ended, Ending};
pub(crate) use words::{arrival, proof};
