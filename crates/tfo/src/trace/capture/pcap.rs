//! The pcap format.

use std::time::Duration;

use fastopen_wire::LinkType;

use super::window::{LARGEST, Window};
use super::{Found, Order, Stop};

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;

const HEADER_LEN: usize = 24;
const RECORD_HEADER_LEN: usize = 16;

/// What the file's header says of its records.
pub(super) struct Header {
    order: Order,
    /// How many nanoseconds a record's second time field counts.
    unit: u64,
    link: LinkType,
    lengths: Lengths,
}

/// The order of the kept and the original length in a record.
#[derive(Clone, Copy, PartialEq)]
enum Lengths {
    KeptFirst,
    /// As the oldest versions did.
    OriginalFirst,
    /// Version 2.3 was written in both orders: the kept length is never the larger one.
    Either,
}

pub(super) fn begins_with(magic: [u8; 4]) -> bool {
    order_and_unit(magic).is_some()
}

fn order_and_unit(magic: [u8; 4]) -> Option<(Order, u64)> {
    let unit = |magic| match magic {
        MICROSECONDS => Some(1_000),
        NANOSECONDS => Some(1),
        _ => None,
    };
    let little = unit(u32::from_le_bytes(magic)).map(|unit| (Order::Little, unit));
    little.or_else(|| unit(u32::from_be_bytes(magic)).map(|unit| (Order::Big, unit)))
}

impl Header {
    pub(super) fn read(window: &mut Window<'_>) -> Result<Self, Stop> {
        let header: [u8; HEADER_LEN] = window.peek_array()?;
        let &[m1, m2, m3, m4, v1, v2, v3, v4, .., l1, l2, l3, l4] = &header;
        let (order, unit) = order_and_unit([m1, m2, m3, m4]).ok_or(Stop::Corrupt("it is no pcap"))?;
        let lengths = match (order.u16([v1, v2]), order.u16([v3, v4])) {
            (2, 4) => Lengths::KeptFirst,
            (2, 3) => Lengths::Either,
            // DG/UX wrote the other one.
            (2, 0..=2) | (543, 0) => Lengths::OriginalFirst,
            (major, minor) => {
                return Err(Stop::Version {
                    format: "pcap",
                    major,
                    minor,
                });
            }
        };
        window.pass(HEADER_LEN);
        Ok(Self {
            lengths,
            order,
            unit,
            // The upper half tells of frame check sequences.
            link: LinkType(order.u32([l1, l2, l3, l4]) & 0xffff),
        })
    }

    #[inline]
    pub(super) fn find(&self, window: &mut Window<'_>) -> Result<Option<Found>, Stop> {
        if window.at_end()? {
            return Ok(None);
        }
        let [seconds, fraction, mut len, mut original_len] = self.order.u32s(window.peek(RECORD_HEADER_LEN)?);
        if self.lengths != Lengths::KeptFirst
            && (self.lengths == Lengths::OriginalFirst || len > original_len)
        {
            std::mem::swap(&mut len, &mut original_len);
        }
        let taken = RECORD_HEADER_LEN + len as usize;
        if taken > LARGEST {
            return Err(Stop::Corrupt("a frame is larger than any packet"));
        }
        window.require(taken)?;
        Ok(Some(Found {
            time: Duration::from_secs(seconds.into()) + Duration::from_nanos(u64::from(fraction) * self.unit),
            link: self.link,
            taken,
            frame: RECORD_HEADER_LEN..taken,
            original_len: original_len as usize,
        }))
    }
}
