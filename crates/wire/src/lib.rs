//! TCP Fast Open on the wire: bytes to segments to handshakes to verdicts.
//!
//! Everything here is pure: no socket, no clock, no `unsafe`. Bytes come in, values go out, and bytes that make no sense become a
//! value that says so.
//!
//! ```text
//!   frame ──▶ IP packet ──▶ segment ──▶ options
//!   LinkType    Tunnel      Segment     FastOpen, Cookie
//!                              │
//!                              ▼
//!                           Tracker ──▶ Connection: verdict, evidence, notes, steps
//! ```
//!
//! # A packet
//! ```
//! use fastopen_wire::{FastOpen, OptionKind, fast_open};
//!
//! // MSS 1460, then an empty Fast Open option: the client asks for a cookie.
//! let options = [2, 4, 0x05, 0xb4, 34, 2, 1, 1];
//! assert_eq!(fast_open(&options), FastOpen::Request(OptionKind::Standard));
//! ```
//!
//! # A capture
//! ```
//! use std::time::Duration;
//! use fastopen_wire::{Content, Decoded, Limits, LinkType, Tracker};
//!
//! # let frames: [(Duration, &[u8]); 0] = [];
//! let mut tracker = Tracker::new(Limits::default());
//! for (number, (time, frame)) in (1..).zip(frames) {
//!     match Decoded::from_frame(LinkType::ETHERNET, frame, frame.len()).map(|decoded| decoded.content) {
//!         Ok(Content::Segment(segment)) => tracker.observe(number, time, &segment),
//!         Ok(Content::IcmpError(error)) => tracker.observe_icmp(number, time, &error),
//!         Err(_) => {}
//!     }
//!     while let Some(connection) = tracker.poll() {
//!         println!("{} {}", connection.client, connection.verdict);
//!     }
//! }
//! tracker.finish();
//! ```
//!
//! # Features
//! - `serde`: [`Connection`] and what it is made of serialise.

#![forbid(unsafe_code)]

mod cookie;
mod decoded;
mod encapsulation;
mod error;
mod handshake;
mod icmp;
mod inner_packet;
mod ip;
mod link;
mod link_type;
mod opaque;
mod option;
mod segment;
#[cfg(feature = "serde")]
mod serial;
mod tunnel;

pub use cookie::{Cookie, CookieLengthError, ParseCookieError};
pub use decoded::{Content, Decoded};
pub use error::DecodeError;
pub use handshake::{
    Connection, Event, FallbackCause, Limits, Note, Side, Step, Syn, SynAck, Tracker, Verdict,
};
pub use icmp::{IcmpError, IcmpKind};
pub use link_type::{LinkError, LinkType};
pub use option::{FastOpen, OptionKind, Options, OptionsError, RawOption, fast_open};
pub use segment::{Flags, Segment};
pub use tunnel::Tunnel;
