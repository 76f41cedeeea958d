//! The pcapng format.

use std::time::Duration;

use fastopen_wire::LinkType;

use super::window::{LARGEST, Window};
use super::{Found, Order, Stop};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// A block's type and length, and its length once more at the end.
const BLOCK_HEADER_LEN: usize = 8;
const BLOCK_OVERHEAD: usize = 12;

/// No machine has more; beyond them packets are passed over.
const MOST_INTERFACES: usize = 4096;

pub(super) fn begins_with(magic: [u8; 4]) -> bool {
    magic == SECTION_HEADER.to_be_bytes()
}

/// What the blocks before said of the packets to come.
#[derive(Default)]
pub(super) struct Section {
    order: Order,
    interfaces: Vec<Interface>,
    /// The last packet's time: a simple packet block has none.
    time: Duration,
    undescribed: u64,
}

struct Interface {
    link: LinkType,
    snap_len: usize,
    clock: Clock,
}

impl Section {
    /// Looks at the header of a file's first section, and leaves it to be passed.
    pub(super) fn first(window: &mut Window<'_>) -> Result<Self, Stop> {
        let mut section = Self::default();
        let block = window.peek_array()?;
        section.block(block, window)?;
        Ok(section)
    }

    /// How many packets belong to no interface that was described.
    pub(super) fn undescribed(&self) -> u64 {
        self.undescribed
    }

    /// Passes blocks up to one with a packet that can be read; counts those that can't.
    pub(super) fn find(&mut self, window: &mut Window<'_>, unread: &mut u64) -> Result<Option<Found>, Stop> {
        while !window.at_end()? {
            let block = window.peek_array()?;
            let (kind, len) = self.block(block, window)?;
            if len > LARGEST as u64 {
                match kind {
                    SECTION_HEADER | INTERFACE_DESCRIPTION | PACKET | SIMPLE_PACKET | ENHANCED_PACKET => {
                        return Err(Stop::Corrupt("a block is larger than any packet"));
                    }
                    _ => {
                        window.skip(len)?;
                        continue;
                    }
                }
            }
            let len = len as usize;
            let body = &window.peek(len)?[BLOCK_HEADER_LEN..len - 4];
            let packet = match kind {
                ENHANCED_PACKET | PACKET => self.packet(kind, body)?,
                SIMPLE_PACKET => self.simple_packet(body)?,
                INTERFACE_DESCRIPTION => {
                    self.describe(body)?;
                    window.pass(len);
                    continue;
                }
                _ => {
                    window.pass(len);
                    continue;
                }
            };
            match packet {
                Some(found) => return Ok(Some(Found { taken: len, ..found })),
                None => {
                    *unread += 1;
                    self.undescribed += 1;
                    window.pass(len);
                }
            }
        }
        Ok(None)
    }

    /// A block's type and length. A section header says in which byte order.
    #[inline]
    fn block(&mut self, header: [u8; BLOCK_HEADER_LEN], window: &mut Window<'_>) -> Result<(u32, u64), Stop> {
        if header.starts_with(&SECTION_HEADER.to_be_bytes()) {
            let start: [u8; 16] = window.peek_array()?;
            let [.., o1, o2, o3, o4, v1, v2, v3, v4] = start;
            self.order = match [o1, o2, o3, o4] {
                order if order == BYTE_ORDER.to_le_bytes() => Order::Little,
                order if order == BYTE_ORDER.to_be_bytes() => Order::Big,
                _ => return Err(Stop::Corrupt("a section of an unknown byte order")),
            };
            self.interfaces.clear();
            match (self.order.u16([v1, v2]), self.order.u16([v3, v4])) {
                // Some writers called 1.0 so.
                (1, 0 | 2) => {}
                (major, minor) => {
                    return Err(Stop::Version {
                        format: "pcapng",
                        major,
                        minor,
                    });
                }
            }
        }
        let [kind, len] = self.order.u32s(&header);
        if (len as usize) < BLOCK_OVERHEAD || len % 4 != 0 {
            return Err(Stop::Corrupt("a block of an impossible length"));
        }
        Ok((kind, len.into()))
    }

    fn describe(&mut self, body: &[u8]) -> Result<(), Stop> {
        let (&[l1, l2, _, _, s1, s2, s3, s4], options) = body
            .split_first_chunk()
            .ok_or(Stop::Corrupt("an interface description is too short"))?;
        let snap_len = match self.order.u32([s1, s2, s3, s4]) {
            0 => usize::MAX,
            len => len as usize,
        };
        if self.interfaces.len() < MOST_INTERFACES {
            self.interfaces.push(Interface {
                link: LinkType(self.order.u16([l1, l2]).into()),
                snap_len,
                clock: Clock::from_options(self.order, options),
            });
        }
        Ok(())
    }

    #[inline]
    fn packet(&mut self, kind: u32, body: &[u8]) -> Result<Option<Found>, Stop> {
        const FIXED_LEN: usize = 20;
        if body.len() < FIXED_LEN {
            return Err(Stop::Corrupt("a packet block is too short"));
        }
        let [interface, high, low, len, original_len] = self.order.u32s(body);
        let interface = match kind {
            ENHANCED_PACKET => interface as usize,
            // The obsolete packet block counts drops in the other half.
            _ => self.order.u16([body[0], body[1]]).into(),
        };
        let len = len as usize;
        if len > body.len() - FIXED_LEN {
            return Err(Stop::Corrupt("a packet is longer than its block"));
        }
        let Some(interface) = self.interfaces.get(interface) else {
            return Ok(None);
        };
        self.time = interface.clock.time(u64::from(high) << 32 | u64::from(low));
        let start = BLOCK_HEADER_LEN + FIXED_LEN;
        Ok(Some(Found {
            time: self.time,
            link: interface.link,
            taken: 0,
            frame: start..start + len,
            original_len: original_len as usize,
        }))
    }

    fn simple_packet(&self, body: &[u8]) -> Result<Option<Found>, Stop> {
        const FIXED_LEN: usize = 4;
        if body.len() < FIXED_LEN {
            return Err(Stop::Corrupt("a packet block is too short"));
        }
        let [original_len] = self.order.u32s(body);
        let original_len = original_len as usize;
        let Some(interface) = self.interfaces.first() else {
            return Ok(None);
        };
        let len = original_len.min(interface.snap_len).min(body.len() - FIXED_LEN);
        let start = BLOCK_HEADER_LEN + FIXED_LEN;
        Ok(Some(Found {
            time: self.time,
            link: interface.link,
            taken: 0,
            frame: start..start + len,
            original_len,
        }))
    }
}

/// How an interface's times count.
struct Clock {
    /// Ticks in a second; `None` where there are too many to count.
    rate: Option<u64>,
    /// Seconds to add.
    offset: i64,
}

impl Clock {
    fn from_options(order: Order, mut options: &[u8]) -> Self {
        const END: u16 = 0;
        const RESOLUTION: u16 = 9;
        const OFFSET: u16 = 14;
        let mut clock = Self {
            rate: Some(1_000_000),
            offset: 0,
        };
        while let Some((&[k1, k2, l1, l2], rest)) = options.split_first_chunk() {
            let len = usize::from(order.u16([l1, l2]));
            let Some(value) = rest.get(..len) else { break };
            match (order.u16([k1, k2]), value) {
                (END, _) => break,
                (RESOLUTION, &[exponent]) => {
                    let (base, exponent) = match exponent & 0x80 {
                        0 => (10_u64, exponent),
                        _ => (2, exponent & 0x7f),
                    };
                    clock.rate = base.checked_pow(exponent.into());
                }
                (OFFSET, &[b1, b2, b3, b4, b5, b6, b7, b8]) => {
                    let bytes = [b1, b2, b3, b4, b5, b6, b7, b8];
                    clock.offset = match order {
                        Order::Little => i64::from_le_bytes(bytes),
                        Order::Big => i64::from_be_bytes(bytes),
                    };
                }
                _ => {}
            }
            options = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        clock
    }

    #[inline]
    fn time(&self, ticks: u64) -> Duration {
        let time = match self.rate {
            Some(1_000_000) => Duration::from_micros(ticks),
            Some(1_000_000_000) => Duration::from_nanos(ticks),
            Some(rate) => {
                let nanoseconds = u128::from(ticks % rate) * 1_000_000_000 / u128::from(rate);
                Duration::new(ticks / rate, nanoseconds as u32)
            }
            None => Duration::ZERO,
        };
        match self.offset {
            0 => time,
            offset if offset > 0 => time.saturating_add(Duration::from_secs(offset.unsigned_abs())),
            offset => time.saturating_sub(Duration::from_secs(offset.unsigned_abs())),
        }
    }
}
