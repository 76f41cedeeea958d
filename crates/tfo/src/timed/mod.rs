//! The client that `probe` and `bench` share: what it sends first to a service, and one timed connection that sends it.
//!
//! [`Target`] is what was asked for, [`FirstBytes`] what its [`Service`] answers, [`Client`] makes the connections, and [`variation`]
//! those that differ from what a program would do, to tell causes apart.

mod connection;
mod first_bytes;
mod hello;
mod post_quantum;
mod service;
mod target;
pub(crate) mod variation;

pub(crate) use connection::{Answer, Client, Failure, Made, Way};
pub(crate) use first_bytes::{FirstBytes, FirstBytesArgs};
pub(crate) use service::{Service, all_requests};
pub(crate) use target::Target;
