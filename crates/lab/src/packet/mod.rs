//! IP packets with a TCP segment in them: built from nothing, and changed on the way.

#![forbid(unsafe_code)]

mod build;
mod checksum;
mod edit;
mod icmp;
mod layout;

pub use build::SegmentBuilder;
#[cfg(test)]
pub(crate) use checksum::is_right;
pub(crate) use edit::TcpPacket;
pub(crate) use icmp::{packet_too_big, prohibited};
