//! TCP Fast Open (RFC 7413): a client's first bytes travel in the SYN, so that a request and its answer take one round trip instead
//! of two; and every connection says what became of them.
//!
//! ```text
//!  plain                                  Fast Open, from the second connection on
//!  client ── SYN ──────────────► server   client ── SYN + cookie + request ─► server
//!         ◄───────────── SYN-ACK ──                ◄──────────────── SYN-ACK ──
//!         ── ACK + request ───────►                ◄───────────────── answer ──
//!         ◄────────────── answer ──
//! ```
//!
//! # A client
//!
//! [`connect`] takes an address and the first bytes, and returns an ordinary [`std::net::TcpStream`] when the handshake is complete:
//!
//! ```no_run
//! use fastopen::{Outcome, ReplaySafe};
//!
//! let request = ReplaySafe("GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n");
//! let (stream, outcome) = fastopen::connect("example.com:80", request)?.into();
//! match outcome {
//!     Outcome::Accepted => println!("the request went in the SYN: one round trip saved"),
//!     Outcome::NoCookie => println!("the first connection to this host asked for a cookie; the next one is fast"),
//!     other => println!("an ordinary connection: {other}"),
//! }
//! # let _: std::net::TcpStream = stream;
//! # Ok::<(), fastopen::ConnectError>(())
//! ```
//!
//! Whatever the path does, the bytes reach the application on the other side exactly once on the connection that is returned. A path that
//! drops fast SYNs costs a delay, once: a plain attempt joins the fast one when the SYN-ACK is overdue (after a quarter of a second where
//! the round-trip time is not known), and the [`PathMemory`] leaves that path alone for a while. Where a
//! path dies after the handshake the caller has to [report](PathMemory::report_dead) it; `LazyStream` and the connectors do so themselves.
//! [`Connector`] has the settings, and [`connect_server_first`] is for servers that speak first.
//!
//! # A server
//!
//! [`listen`] returns an ordinary [`std::net::TcpListener`], and [`Arrival::of`] tells how each connection came. A SYN can be sent again by
//! whoever has seen it, so a server does at once only what may be done twice, and waits with everything else until the client is
//! [`confirmed`](confirmed_within). A replayed SYN is never confirmed: it costs a place in the
//! [queue](ListenOptions::with_queue) and whatever waits for it, until the wait or the
//! [handshake](ListenOptions::with_handshake_timeout) times out. So no connection may hold up another:
//!
//! ```no_run
#![doc = include_str!("../examples/server/server.rs")]
//! ```
//!
//! # Sockets that somebody else made
//!
//! [`Outcome::of`], [`Arrival::of`], [`confirmed`] and [`TcpInfo::of`] take anything with a file descriptor, and
//! [`ListenOptions::apply`] sets the options on any listener.
//!
//! # The system calls
//!
//! `examples/bare_calls.rs` in this crate has them in the order in which they happen, server and client in one program, with the reason for
//! each: `cargo run -p fastopen --example bare_calls`.
//!
//! # Features
//!
//! None is on by default. A feature only adds.
//!
//! - `tokio`: the same for tokio, in `fastopen::for_tokio`; and a stream that connects when it is first written to.
//! - `hyper`: a connector for hyper's clients and tonic, in `fastopen::for_hyper`.
//! - `tower`: a layer for servers that makes requests with consequences wait, in `fastopen::for_tower`.
//! - `axum`: the arrival as an extractor, in `fastopen::for_axum`.
//! - `rustls`: the ClientHello and early data in the SYN, and servers that answer them, in `fastopen::for_rustls`.
//! - `rotation`: keys that follow from a shared secret and the time, for servers that must agree on them.
//! - `serde`: [`Outcome`], [`Arrival`] and [`Attempt`] serialize, in the words of their `Display`.
//! - `tracing`: an event for each connect and its attempts, with the target `fastopen::connect`; and for TLS handshakes that fail, with
//!   `fastopen::tls`.
//! - `macos-unverified`: Fast Open on macOS; see [Platforms](#platforms). The one feature that changes what existing code does, and only there.
//!
//! [`OutcomeCounts`] says without any feature how many connects came to which outcome.
//!
//! # Platforms
//!
//! Linux, in full; the tests run on 5.10, 6.1, 6.12 and 6.18. Android shares its code, and has not been run. On other Unix systems and on
//! Windows everything is plain TCP and says so: the outcome is [`NotAttempted(Unsupported)`](Reason::Unsupported). On Windows the functions that
//! take `AsFd` take [`AsSocket`](https://doc.rust-lang.org/std/os/windows/io/trait.AsSocket.html).
//!
//! macOS has Fast Open behind the feature `macos-unverified`: **it has never been run.** It was written from the kernel's sources,
//! compiles, and what it makes of the kernel's flags is tested on Linux. Clients (`connectx`) get an outcome, in which
//! `accepted` means that the SYN-ACK acknowledged data, where Linux says that it acknowledged all of it; the bytes of a
//! [`Syn::Fast`] are those that the kernel took, of which the SYN carries what fits. Listeners are switched on, and do not learn how
//! connections arrived. The system itself stops trying for a while on networks on which Fast Open has failed.
//!
//! FreeBSD stays plain because nothing that it tells separates accepted data from a missing cookie; Windows, because it has no
//! field for the outcome at all. An outcome that has to be guessed is worse than none.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod arrival;
mod confirm;
mod connect;
mod counts;
mod error;
#[cfg(feature = "axum")]
pub mod for_axum;
#[cfg(feature = "hyper")]
pub mod for_hyper;
#[cfg(feature = "rustls")]
pub mod for_rustls;
#[cfg(feature = "tokio")]
pub mod for_tokio;
#[cfg(feature = "tower")]
pub mod for_tower;
mod inspect;
mod key;
mod listen;
mod outcome;
mod replay_safe;
#[cfg(feature = "rotation")]
mod rotation;
#[cfg(feature = "serde")]
mod serial;
mod sys;
mod tcp_info;

pub use arrival::{Arrival, ArrivalKind, ArrivalSyn};
pub use confirm::{confirmed, confirmed_within};
#[cfg(feature = "tokio")]
pub use connect::Resolving;
pub use connect::{
    Attempt, AttemptEnd, ConnectError, Connected, Connector, Destination, PathEntry, PathMemory, Policy,
    Resolve, Syn, ToDestination, connect, connect_server_first,
};
pub use counts::OutcomeCounts;
pub use error::CallError;
pub use fastopen_host::TcpState;
pub use fastopen_wire::{Cookie, FastOpen, OptionKind};
pub use key::{Key, KeyRing, ParseKeyError};
pub use listen::{ListenError, ListenOptions, ListenWarning, Listening, listen};
pub use outcome::{Outcome, Reason};
pub use replay_safe::ReplaySafe;
#[cfg(feature = "rotation")]
pub use rotation::{IntervalError, Rotation, Secret, SecretLengthError};
pub use socket2::SockRef;
pub use tcp_info::{ClientFail, TcpInfo};

/// The README's examples are compiled and run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
