//! `struct tcp_connection_info` of macOS, as bytes.
//!
//! The Fast Open fields are bits of one word (xnu, `bsd/netinet/tcp.h`). The libc crate's structure has a word for each, which is
//! not what the kernel writes, and so it is not used here.

use crate::outcome::{Outcome, Reason};

/// How many bytes the kernel writes.
pub(crate) const LEN: usize = 112;

const FAST_OPEN_BITS: usize = 52;

// The order in which the header declares them; every Mac is little-endian.
const COOKIE_REQ: u32 = 1;
const SYN_LOSS: u32 = 1 << 2;
const SYN_DATA_SENT: u32 = 1 << 3;
const SYN_DATA_ACKED: u32 = 1 << 4;
const HEURISTICS_DISABLE: u32 = 1 << 11;
const ONE_BYTE_PROXY: u32 = 1 << 14;

/// What became of the data that `connectx` took, from what `getsockopt(TCP_CONNECTION_INFO)` wrote once the handshake was complete.
///
/// The kernel notes whether the SYN-ACK acknowledged data, and not whether it was all of it (`tcp_input`, `TFO_S_SYN_DATA_ACKED`); only of
/// proxies that acknowledge a single byte it has a note.
pub(crate) fn outcome(info: &[u8]) -> Outcome {
    let Some(word) = info.get(FAST_OPEN_BITS..FAST_OPEN_BITS + 4) else {
        return Outcome::Unknown;
    };
    let bits = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
    let is = |bit| bits & bit != 0;
    if is(SYN_DATA_SENT) && is(SYN_DATA_ACKED) && !is(ONE_BYTE_PROXY) {
        Outcome::Accepted
    } else if is(SYN_LOSS) {
        Outcome::SynLost
    } else if is(SYN_DATA_SENT) {
        Outcome::Ignored
    } else if is(COOKIE_REQ) {
        Outcome::NoCookie
    } else if is(HEURISTICS_DISABLE) {
        Outcome::NotAttempted(Reason::Blackhole)
    } else {
        Outcome::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE_RCV: u32 = 1 << 1;
    const COOKIE_WRONG: u32 = 1 << 9;
    const NO_COOKIE_RCV: u32 = 1 << 10;

    fn of(bits: u32) -> Outcome {
        let mut info = [0xff; LEN];
        info[FAST_OPEN_BITS..FAST_OPEN_BITS + 4].copy_from_slice(&bits.to_le_bytes());
        outcome(&info)
    }

    #[test]
    fn the_bits_tell_the_outcome() {
        for (bits, told) in [
            (SYN_DATA_SENT | SYN_DATA_ACKED, Outcome::Accepted),
            (COOKIE_REQ, Outcome::NoCookie),
            (COOKIE_REQ | COOKIE_RCV, Outcome::NoCookie),
            (COOKIE_REQ | NO_COOKIE_RCV, Outcome::NoCookie),
            (SYN_DATA_SENT, Outcome::Ignored),
            (SYN_DATA_SENT | COOKIE_RCV | COOKIE_WRONG, Outcome::Ignored),
            (SYN_DATA_SENT | SYN_DATA_ACKED | ONE_BYTE_PROXY, Outcome::Ignored),
            (SYN_DATA_SENT | SYN_LOSS, Outcome::SynLost),
            (COOKIE_REQ | SYN_LOSS, Outcome::SynLost),
            (HEURISTICS_DISABLE, Outcome::NotAttempted(Reason::Blackhole)),
            (0, Outcome::Unknown),
        ] {
            assert_eq!(of(bits), told, "{bits:#x}");
        }
    }

    #[test]
    fn what_other_bits_say_changes_nothing() {
        let decisive =
            COOKIE_REQ | SYN_LOSS | SYN_DATA_SENT | SYN_DATA_ACKED | HEURISTICS_DISABLE | ONE_BYTE_PROXY;
        for bits in 0..1 << 15 {
            assert_eq!(of(bits), of(bits & decisive), "{bits:#x}");
        }
    }

    #[test]
    fn a_shorter_answer_tells_nothing() {
        for len in 0..FAST_OPEN_BITS + 4 {
            assert_eq!(outcome(&vec![0xff; len]), Outcome::Unknown);
        }
    }
}
