//! The input of a handshake.

use std::time::Duration;

use crate::segment::Segment;

/// A segment, and when it was seen.
#[derive(Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) number: u64,
    pub(super) time: Duration,
    pub(super) segment: &'a Segment<'a>,
}
