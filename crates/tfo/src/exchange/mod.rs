//! What probing and measuring have in common: what is sent first to a service, and one timed connection that sends it.
//!
//! [`Target`] is what was asked for, [`Opening`] the first bytes that its [`Service`] answers, [`Client`] makes the connections.

mod hello;
mod opening;
mod post_quantum;
mod service;
mod target;
mod timed;

pub(crate) use opening::{Opening, OpeningArgs};
pub(crate) use service::Service;
pub(crate) use target::Target;
pub(crate) use timed::{Answer, Client, Failure, Made, Way};
