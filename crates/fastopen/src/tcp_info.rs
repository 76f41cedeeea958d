//! `struct tcp_info` as bytes, of whatever length the kernel gave.

use std::time::Duration;

use fastopen_host::TcpState;

const STATE: usize = 0;
const OPTIONS: usize = 5;
const CLIENT_FAIL: usize = 7;
/// The field is two bits of its byte, behind a single bit; compilers begin at the other end where numbers do.
pub(crate) const CLIENT_FAIL_SHIFT: u32 = if cfg!(target_endian = "big") { 5 } else { 1 };
const SEND_MSS: usize = 16;
const UNACKED: usize = 24;
const PMTU: usize = 60;
const RTT: usize = 68;
const TOTAL_RETRANS: usize = 100;
const BYTES_ACKED: usize = 120;
const BYTES_RECEIVED: usize = 128;
const DELIVERED: usize = 192;

const OPTION_SYN_DATA: u8 = 0x20;
const OPTION_TFO_CHILD: u8 = 0x80;

/// What the kernel tells of a connection in answer to `TCP_INFO`.
///
/// The structure grows with the kernel's age, so whatever an older kernel did not write is `None`.
///
/// ```
/// use fastopen::{TcpInfo, TcpState};
///
/// let info = TcpInfo::from_bytes(&[1, 0, 0, 0, 0, 0x20]);
/// assert_eq!(info.state(), Some(TcpState::Established));
/// assert!(info.syn_data());
/// assert_eq!(info.rtt(), None);
/// ```
///
/// Source: `include/uapi/linux/tcp.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    bytes: [u8; TcpInfo::MAX_LEN],
    len: usize,
}

impl TcpInfo {
    /// How many bytes are kept: all that Linux 6.18 has.
    pub const MAX_LEN: usize = 280;

    /// Takes the bytes that `getsockopt(TCP_INFO)` or a `sock_diag` reply gave. What a newer kernel added behind them is left out.
    pub fn from_bytes(info: &[u8]) -> Self {
        let len = info.len().min(Self::MAX_LEN);
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..len].copy_from_slice(&info[..len]);
        Self { bytes, len }
    }

    /// How many bytes the kernel gave, up to [`MAX_LEN`](Self::MAX_LEN).
    pub fn byte_len(&self) -> usize {
        self.len
    }

    /// The connection's state.
    pub fn state(&self) -> Option<TcpState> {
        self.byte(STATE).map(TcpState::from_number)
    }

    /// Whether data in the SYN was accepted. On a client: the SYN-ACK acknowledged all of it. On a server: the connection began with it.
    pub fn syn_data(&self) -> bool {
        self.has_option(OPTION_SYN_DATA)
    }

    /// Whether this is the server's end of a connection that a Fast Open SYN began, with or without data (Linux 6.16; `false` before).
    pub fn fast_open_child(&self) -> bool {
        self.has_option(OPTION_TFO_CHILD)
    }

    /// Why Fast Open did not work on this client's end (Linux 5.5; `None` before, and as long as there is nothing to tell).
    pub fn client_fail(&self) -> Option<ClientFail> {
        match self.byte(CLIENT_FAIL)? >> CLIENT_FAIL_SHIFT & 0b11 {
            1 => Some(ClientFail::CookieUnavailable),
            2 => Some(ClientFail::DataNotAcked),
            3 => Some(ClientFail::SynRetransmitted),
            _ => None,
        }
    }

    /// Segments sent and not yet acknowledged.
    pub fn unacked(&self) -> Option<u32> {
        self.array(UNACKED).map(u32::from_ne_bytes)
    }

    /// The path's MTU in bytes, as far as the kernel has learnt it.
    pub fn pmtu(&self) -> Option<u32> {
        self.array(PMTU).map(u32::from_ne_bytes)
    }

    /// The smoothed round-trip time.
    pub fn rtt(&self) -> Option<Duration> {
        self.array(RTT)
            .map(|micros| Duration::from_micros(u32::from_ne_bytes(micros).into()))
    }

    /// The largest payload of a segment that is sent, in bytes.
    pub fn send_mss(&self) -> Option<u32> {
        self.array(SEND_MSS).map(u32::from_ne_bytes)
    }

    /// Segments sent again since the connection began, SYNs included.
    pub fn total_retrans(&self) -> Option<u32> {
        self.array(TOTAL_RETRANS).map(u32::from_ne_bytes)
    }

    /// Bytes that the peer has acknowledged (RFC 4898, `tcpEStatsAppHCThruOctetsAcked`).
    pub fn bytes_acked(&self) -> Option<u64> {
        self.array(BYTES_ACKED).map(u64::from_ne_bytes)
    }

    /// Bytes that have come in order (RFC 4898, `tcpEStatsAppHCThruOctetsReceived`).
    pub fn bytes_received(&self) -> Option<u64> {
        self.array(BYTES_RECEIVED).map(u64::from_ne_bytes)
    }

    /// Segments that the peer has acknowledged (Linux 4.18). On the server's end of a connection the SYN-ACK counts as the first of them, so
    /// that anything above 0 proves that the client has answered it.
    pub fn delivered(&self) -> Option<u32> {
        self.array(DELIVERED).map(u32::from_ne_bytes)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes[..self.len].get(at).copied()
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes[..self.len].get(at..at + N)?.try_into().ok()
    }

    fn has_option(&self, bit: u8) -> bool {
        self.byte(OPTIONS).is_some_and(|options| options & bit != 0)
    }
}

/// Why Fast Open did not work for a client: the field `tcpi_fastopen_client_fail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientFail {
    /// There was no cookie for the destination, so the SYN asked for one. Stays set when one is granted.
    CookieUnavailable,
    /// The SYN-ACK did not acknowledge all of the SYN's data.
    DataNotAcked,
    /// As [`DataNotAcked`](Self::DataNotAcked), and the SYN had to be sent again, which Linux does without option and data.
    SynRetransmitted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_stand_where_linux_puts_them() {
        let mut bytes = [0_u8; 280];
        bytes[0] = 3;
        bytes[5] = 0x20 | 0x80;
        // As s390x-linux-gnu-gcc and x86_64-linux-gnu-gcc lay it out: app_limited, and DATA_NOT_ACKED.
        bytes[7] = if cfg!(target_endian = "big") { 0xc0 } else { 0x05 };
        bytes[24..28].copy_from_slice(&7_u32.to_ne_bytes());
        bytes[60..64].copy_from_slice(&1300_u32.to_ne_bytes());
        bytes[68..72].copy_from_slice(&60_000_u32.to_ne_bytes());
        bytes[100..104].copy_from_slice(&2_u32.to_ne_bytes());
        bytes[120..128].copy_from_slice(&19_u64.to_ne_bytes());
        bytes[128..136].copy_from_slice(&u64::MAX.to_ne_bytes());
        bytes[192..196].copy_from_slice(&3_u32.to_ne_bytes());
        let info = TcpInfo::from_bytes(&bytes);
        assert_eq!(info.state(), Some(TcpState::SynRecv));
        assert!(info.syn_data() && info.fast_open_child());
        assert_eq!(info.client_fail(), Some(ClientFail::DataNotAcked));
        assert_eq!(info.unacked(), Some(7));
        assert_eq!(info.pmtu(), Some(1300));
        assert_eq!(info.rtt(), Some(Duration::from_millis(60)));
        assert_eq!(info.total_retrans(), Some(2));
        assert_eq!(
            (info.bytes_acked(), info.bytes_received()),
            (Some(19), Some(u64::MAX))
        );
        assert_eq!(info.delivered(), Some(3));
    }

    #[test]
    fn app_limited_is_not_a_failure() {
        let mut bytes = [0_u8; 8];
        bytes[7] = if cfg!(target_endian = "big") { 0x80 } else { 0x01 };
        assert_eq!(TcpInfo::from_bytes(&bytes).client_fail(), None);
    }

    #[test]
    fn any_length_is_taken_and_what_is_missing_is_none() {
        for len in 0..400 {
            let info = TcpInfo::from_bytes(&vec![0xff; len]);
            assert_eq!(info.byte_len(), len.min(TcpInfo::MAX_LEN));
            assert_eq!(info.state().is_some(), len > 0);
            assert_eq!(info.client_fail().is_some(), len > 7);
            assert_eq!(info.rtt().is_some(), len >= 72);
            assert_eq!(info.bytes_received().is_some(), len >= 136);
            assert_eq!(info.delivered().is_some(), len >= 196);
        }
    }
}
