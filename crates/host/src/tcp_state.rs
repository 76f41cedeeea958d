//! A TCP socket's state.

/// The state of a TCP socket (`include/net/tcp_states.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TcpState {
    /// The handshake has finished.
    Established,
    /// Connecting: a SYN was sent.
    SynSent,
    /// A SYN came and was answered; with a `tcp_info`, a fast connection whose handshake has not finished.
    SynRecv,
    /// Closed on this side, which waits for the other side to notice.
    FinWait1,
    /// Closed on this side, and the other side knows.
    FinWait2,
    /// Closed on both sides, remembered for late segments.
    TimeWait,
    /// Not connected.
    Close,
    /// Closed on the other side.
    CloseWait,
    /// Closed on both sides, waiting for the other side to notice.
    LastAck,
    /// Listening.
    Listen,
    /// Closed on both sides at the same time.
    Closing,
    /// A state that this crate has no name for.
    Other(u8),
}

impl TcpState {
    /// The states that the kernel has always had, by their numbers, from 1.
    const NUMBERED: &[Self] = &[
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
    ];
    /// `TCP_NEW_SYN_RECV`: what the kernel itself calls a half-open connection without a socket.
    const NEW_SYN_RECV: u8 = 12;

    /// The state with this number, as in `tcpi_state`.
    pub fn from_number(number: u8) -> Self {
        if number == Self::NEW_SYN_RECV {
            return Self::SynRecv;
        }
        usize::from(number)
            .checked_sub(1)
            .and_then(|index| Self::NUMBERED.get(index).copied())
            .unwrap_or(Self::Other(number))
    }

    /// The bits for this state in a request to `sock_diag`.
    #[cfg_attr(not(feature = "netlink"), allow(dead_code, reason = "requests are netlink's"))]
    pub(crate) fn mask(self) -> u32 {
        let bit = |number: u8| 1_u32.checked_shl(number.into()).unwrap_or(0);
        match self {
            Self::Other(number) => bit(number),
            Self::SynRecv => bit(3) | bit(Self::NEW_SYN_RECV),
            state => Self::NUMBERED
                .iter()
                .zip(1..)
                .find(|&(&numbered, _)| numbered == state)
                .map_or(0, |(_, number)| bit(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(TcpState::from_number(1), TcpState::Established);
        assert_eq!(TcpState::from_number(10), TcpState::Listen);
        assert_eq!(TcpState::from_number(12), TcpState::SynRecv);
        assert_eq!(TcpState::from_number(0), TcpState::Other(0));
        assert_eq!(TcpState::from_number(200), TcpState::Other(200));
    }

    #[test]
    fn masks_have_a_bit_for_each_state() {
        assert_eq!(TcpState::Established.mask(), 0b10);
        assert_eq!(TcpState::Listen.mask(), 1 << 10);
        assert_eq!(TcpState::SynRecv.mask(), 1 << 3 | 1 << 12);
        assert_eq!(TcpState::Other(200).mask(), 0);
    }
}
