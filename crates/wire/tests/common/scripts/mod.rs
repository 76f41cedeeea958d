//! The table of handshakes.

mod answered;
mod disordered;
mod in_a_row;
mod lost;
mod silent;
mod spoken_first;

use std::time::Duration;

use fastopen_wire::{FallbackCause, Note};

use super::script::{Packet, Script, syn};

const COOKIE: [u8; 8] = [0x30, 0x21, 0xb9, 0xd8, 0x89, 1, 0x7e, 0xeb];
const OTHER: [u8; 8] = [9; 8];

fn fast(at_ms: u64) -> Packet {
    syn(at_ms).cookie(&COOKIE).data(18)
}

fn timeout(waited_ms: u64) -> Note {
    Note::FallbackAfter {
        cause: FallbackCause::Timeout,
        waited: Duration::from_millis(waited_ms),
    }
}

fn after(mut packets: Vec<Packet>, more: Vec<Packet>) -> Vec<Packet> {
    packets.extend(more);
    packets
}

/// Every script there is.
pub(crate) fn all() -> Vec<Script> {
    [
        answered::scripts(),
        spoken_first::scripts(),
        silent::scripts(),
        lost::scripts(),
        disordered::scripts(),
        in_a_row::scripts(),
    ]
    .concat()
}
