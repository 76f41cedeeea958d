//! Networks in namespaces of their own, with a middlebox that delays, strips, drops and forges.
//!
//! Real kernels joined by a path that does what a scenario says. Every host is a network namespace with one interface; a program, the
//! middlebox, carries the packets between them. The machine's own namespace, settings and routes are never touched, and nothing has
//! to be cleaned up: namespaces have no names, they vanish with the process, however it ends.
//!
//! ```text
//!   client ── veth ──┐             ┌── veth ── server
//!   192.0.2.1        │  middlebox  │           192.0.2.2
//!   2001:db8::1      └─────────────┘           2001:db8::2          further hosts count on
//! ```
//!
//! # First use
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::time::Duration;
//! use fastopen_lab::{Lab, Rule, Scenario};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     fastopen_lab::enter()?;                                       // first thing in main, before there are threads
//!     let scenario = Scenario::new("far").with_rtt(Duration::from_millis(60)).with_rule(Rule::strip_option());
//!     let lab = Lab::new(&scenario)?;
//!     let (client, server) = (lab.client()?, lab.server()?);
//!     let listener = server.run(|| TcpListener::bind("[::]:80"))?;  // a socket stays in the namespace it was made in
//!     let mut stream = client.run(|| TcpStream::connect((server.ipv4(), 80)))?;
//!     stream.write_all(b"ping")?;
//!     listener.accept()?.0.read_exact(&mut [0; 4])?;
//!     Ok(())
//! }
//! ```
//!
//! # What there is
//!
//! - [`enter`]: gives the process what a lab needs; without privilege that is a user namespace.
//! - [`Scenario`], a value and a TOML file: [`HostSpec`]s, [`Farm`]s and [`Rule`]s; [`Scenario::named`] has one for each hostile path.
//! - [`Lab`]: [`new`](Lab::new), [`host`](Lab::host), [`client`](Lab::client), [`server`](Lab::server), [`farm`](Lab::farm);
//!   [`set_rules`](Lab::set_rules), [`release`](Lab::release) and [`inject`](Lab::inject) while it runs; [`capture`](Lab::capture)
//!   and [`counters`](Lab::counters) to see what happened. Dropping it ends it.
//! - [`Host`]: [`run`](Host::run) and [`spawn`](Host::spawn) closures in it, [`enter_thread`](Host::enter_thread) for a runtime's
//!   threads, [`command`](Host::command) for programs, [`sysctl`](Host::sysctl) and [`set_sysctl`](Host::set_sysctl), addresses.
//! - [`RawPeer`]: a host played from user space, for what a kernel won't send, with a [`SegmentBuilder`] for segments byte by byte.
//! - `testing` (feature `testing`): a `main` for tests that need a lab. They run, or fail with the reason; only `FASTOPEN_LAB=off`
//!   skips them, and says so.
//!
//! # Platform notes
//! Linux 4.20 or newer, tested on 5.10, 6.1, 6.12 and 6.18. Root, or a system that lets users make user namespaces. Elsewhere only scenarios
//! exist.
//!
//! ## How the network is built
//! All hosts are on one link, 192.0.2.0/24 and 2001:db8::/64, and anything else is behind it: a packet for an address that nobody
//! has goes out and is never answered. The interfaces do no address resolution, so that neither ARP nor neighbour discovery is seen
//! or needed. Checksum and segmentation offload are off: what the middlebox sees is what would be on a wire.

#![deny(unsafe_code)]

mod scenario;

#[cfg(target_os = "linux")]
mod addressing;
#[cfg(target_os = "linux")]
mod capture;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod enter;
#[cfg(target_os = "linux")]
mod error;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod lead;
#[cfg(target_os = "linux")]
mod middlebox;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod packet;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "all of it is in there")]
mod sys;
#[cfg(all(target_os = "linux", feature = "testing"))]
pub mod testing;

pub use scenario::{
    Action, Balance, Farm, Forgery, Hold, HostSpec, Moment, OptionState, Pick, Rebind, Replay, Rule,
    Scenario, ScenarioError, SegmentKind,
};

#[cfg(target_os = "linux")]
pub use {
    capture::{Capture, Frame, Point},
    engine::Counters,
    enter::enter,
    error::Error,
    host::Host,
    lab::{FarmAddress, Lab},
    packet::SegmentBuilder,
    raw::{RawConnection, RawPeer, Received},
};

/// The README's example is compiled with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
