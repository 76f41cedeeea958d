//! TCP Fast Open on the wire: bytes to segments to handshakes to verdicts.
//!
//! Everything here is pure: no socket, no clock, no `unsafe`. Bytes come in, values go out, and bytes that make no sense become a
//! value that says so.
//!
//! ```text
//!   frame ──▶ IP packet ──▶ segment ──▶ options
//!   LinkType                Segment     FastOpen, Cookie
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
//! use fastopen_wire::{Limits, LinkType, Segment, Tracker};
//!
//! # let frames: [(Duration, &[u8]); 0] = [];
//! let mut tracker = Tracker::new(Limits::default());
//! for (number, (time, frame)) in (1..).zip(frames) {
//!     if let Ok(segment) = Segment::from_frame(LinkType::ETHERNET, frame, frame.len()) {
//!         tracker.observe(number, time, &segment);
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
mod encapsulation;
mod handshake;
mod ip;
mod link;
mod option;
mod segment;
#[cfg(feature = "serde")]
mod serial;

pub use cookie::{Cookie, CookieLengthError, ParseCookieError};
pub use handshake::{
    Connection, Event, FallbackCause, Limits, Note, Side, Step, Syn, SynAck, Tracker, Verdict,
};
pub use link::{LinkError, LinkType};
pub use option::{FastOpen, OptionKind, Options, OptionsError, RawOption, fast_open};
pub use segment::{DecodeError, Flags, Segment};
