//! A block of the ring: packets behind each other, with a header each (`tpacket3_hdr` in `linux/if_packet.h`).

use std::ops::Range;
use std::time::Duration;

/// Where the number of packets stands in a block, and where the first one does.
const PACKETS: usize = 12;
const FIRST: usize = 16;

/// What stands where in a packet's header, and in the address behind it (`sockaddr_ll`).
const NEXT: usize = 0;
const SECONDS: usize = 4;
const NANOSECONDS: usize = 8;
const KEPT: usize = 12;
const ORIGINAL: usize = 16;
const START: usize = 24;
const INTERFACE: usize = 48 + 4;

/// How far a block has been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    left: u32,
    at: usize,
}

/// A packet, and where it stands in the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) time: Duration,
    pub(super) interface: u32,
    pub(super) bytes: Range<usize>,
    pub(super) original_len: usize,
}

impl Position {
    pub(super) fn first(block: &[u8]) -> Self {
        Self {
            left: u32_at(block, PACKETS).unwrap_or(0),
            at: u32_at(block, FIRST).unwrap_or(0) as usize,
        }
    }

    /// The packet here, and the next position; `None` behind the last.
    pub(super) fn find(self, block: &[u8]) -> Option<(Found, Self)> {
        let left = self.left.checked_sub(1)?;
        let header = block.get(self.at..)?;
        let start = self.at + usize::from(u16_at(header, START)?);
        let bytes = start..start.checked_add(u32_at(header, KEPT)? as usize)?;
        block.get(bytes.clone())?;
        let found = Found {
            time: Duration::new(
                u32_at(header, SECONDS)?.into(),
                u32_at(header, NANOSECONDS)?.min(999_999_999),
            ),
            interface: u32_at(header, INTERFACE)?,
            bytes,
            original_len: u32_at(header, ORIGINAL)? as usize,
        };
        let at = self.at + u32_at(header, NEXT)? as usize;
        Some((found, Self { left, at }))
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with two packets as the kernel would fill it.
    fn block() -> Vec<u8> {
        let mut block = vec![0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        let word = u32::to_ne_bytes;
        put(PACKETS, &word(2));
        put(FIRST, &word(48));
        for (at, interface, payload) in [(48, 7, &b"first"[..]), (160, 8, b"second")] {
            put(at + NEXT, &word(112));
            put(at + SECONDS, &word(1_700_000_000));
            put(at + NANOSECONDS, &word(5));
            put(at + KEPT, &word(payload.len() as u32));
            put(at + ORIGINAL, &word(1500));
            put(at + START, &80_u16.to_ne_bytes());
            put(at + INTERFACE, &word(interface));
            put(at + 80, payload);
        }
        block
    }

    #[test]
    fn packets_come_in_order_and_end() {
        let block = block();
        let (first, next) = Position::first(&block).find(&block).unwrap();
        assert_eq!(&block[first.bytes.clone()], b"first");
        assert_eq!((first.interface, first.original_len), (7, 1500));
        assert_eq!(first.time, Duration::new(1_700_000_000, 5));
        let (second, end) = next.find(&block).unwrap();
        assert_eq!((&block[second.bytes], second.interface), (&b"second"[..], 8));
        assert_eq!(end.find(&block), None);
    }

    #[test]
    fn nothing_outside_of_the_block_is_read() {
        let whole = block();
        for len in 0..whole.len() {
            let block = &whole[..len];
            let mut position = Position::first(block);
            while let Some((found, next)) = position.find(block) {
                assert!(found.bytes.end <= len);
                position = next;
            }
        }
    }

    impl PartialEq for Position {
        fn eq(&self, other: &Self) -> bool {
            (self.left, self.at) == (other.left, other.at)
        }
    }
}
