//! What became of a client's first bytes.

use std::fmt;
use std::net::IpAddr;

use crate::tcp_info::{ClientFail, TcpInfo};

/// What became of the first bytes on a client's connection.
///
/// `Display` writes the project's vocabulary, such as `accepted` or `not-attempted (path-memory)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Outcome {
    /// The SYN-ACK acknowledged every byte that the SYN carried: one round trip was saved.
    Accepted,
    /// There was no cookie for the destination: an ordinary handshake, which asked for one.
    NoCookie,
    /// The SYN carried data and the SYN-ACK did not acknowledge all of it. The kernel sent it again.
    ///
    /// So it is too where a hop on the path took no packet of that size and said so by ICMP: the kernel sends the SYN again at once without
    /// data, has learnt the path's MTU, and the next SYN fits.
    Ignored,
    /// The SYN with the Fast Open option got no SYN-ACK, and a plain one connected.
    SynLost,
    /// Nothing was tried, and why.
    NotAttempted(Reason),
    /// The system does not tell.
    Unknown,
}

/// Why Fast Open was not attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Reason {
    /// [`Policy::Off`](crate::Policy::Off).
    Policy,
    /// The client bit (0x1) of `net.ipv4.tcp_fastopen` is off.
    Sysctl,
    /// This system has no Fast Open for clients.
    Unsupported,
    /// It failed on the path to this destination a short while ago: see [`PathMemory`](crate::PathMemory).
    PathMemory,
    /// No first bytes were given.
    Dataless,
    /// The kernel has switched Fast Open off for a while: on Linux for `net.ipv4.tcp_fastopen_blackhole_timeout_sec`, on macOS on this network.
    Blackhole,
}

impl Outcome {
    /// The outcome's name alone, such as `not-attempted`; [`reason`](Self::reason) has the rest.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NoCookie => "no-cookie",
            Self::Ignored => "ignored",
            Self::SynLost => "syn-lost",
            Self::NotAttempted(_) => "not-attempted",
            Self::Unknown => "unknown",
        }
    }

    /// Why nothing was attempted, where that is the outcome.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::NotAttempted(reason) => Some(*reason),
            _ => None,
        }
    }

    /// Reads the outcome of a connection that anybody made, from what the kernel tells of it.
    ///
    /// This is for the client's end, once the handshake is complete. A connection without data in its SYN and without a cookie
    /// request leaves no trace, so it is [`Unknown`](Self::Unknown), as is a handshake that still goes on. Whether the SYN was lost or too
    /// large for a hop can't be told without knowing its size: both are [`SynLost`](Self::SynLost) here.
    pub fn from_info(info: &TcpInfo) -> Self {
        match (info.syn_data(), info.client_fail()) {
            (true, _) => Self::Accepted,
            (false, Some(ClientFail::CookieUnavailable)) => Self::NoCookie,
            (false, Some(ClientFail::DataNotAcked)) => Self::Ignored,
            (false, Some(ClientFail::SynRetransmitted)) => Self::SynLost,
            (false, None) => Self::Unknown,
        }
    }

    /// The outcome of a connection to that destination whose first call is known, on a kernel that tells of failures or not.
    pub(crate) fn judge(sent: Sent, info: &TcpInfo, destination: IpAddr, failures_are_told: bool) -> Self {
        match (sent, Self::from_info(info)) {
            (Sent::Plain(outcome), _) => outcome,
            (Sent::InSyn(bytes), Self::SynLost) if was_too_large(bytes, info, destination) => Self::Ignored,
            (Sent::Nothing, Self::Unknown) if failures_are_told => Self::NotAttempted(Reason::Blackhole),
            // The kernel keeps no record of an empty SYN that it had to send again, which it does without the option.
            (Sent::Empty, Self::Unknown) if info.total_retrans().is_some_and(|n| n > 0) => Self::SynLost,
            (_, outcome) => outcome,
        }
    }
}

/// Whether a SYN with so much data exceeded the path's MTU, as the kernel knows it since.
///
/// The kernel fills a SYN up to the MTU that it knows and leaves room for all the options that a header holds (`tcp_send_syn_data`), so
/// the MTU was larger then, and an ICMP error has reported the smaller one since. That, and not a time-out, made the kernel send the SYN again.
fn was_too_large(bytes: usize, info: &TcpInfo, destination: IpAddr) -> bool {
    const TCP_HEADER_AND_OPTIONS: usize = 60;
    let ip_header = match destination.to_canonical() {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 40,
    };
    info.pmtu()
        .is_some_and(|pmtu| bytes + ip_header + TCP_HEADER_AND_OPTIONS > pmtu as usize)
}

impl Reason {
    /// The reason's name, such as `path-memory`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Sysctl => "sysctl",
            Self::Unsupported => "unsupported",
            Self::PathMemory => "path-memory",
            Self::Dataless => "dataless",
            Self::Blackhole => "blackhole",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.reason().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an attempt's first call left the machine.
#[cfg_attr(
    any(not(any(target_os = "linux", target_os = "android")), fastopen_portable),
    allow(dead_code, reason = "without Fast Open every SYN is plain")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// An ordinary SYN; the outcome follows from why.
    Plain(Outcome),
    /// The kernel took none of the bytes: it had no cookie, or had switched Fast Open off.
    Nothing,
    /// The SYN carries this many of the bytes.
    InSyn(usize),
    /// There were none to take, since the server speaks first. The SYN carries the cookie, if there is one.
    Empty,
}

impl Sent {
    /// How many of the first bytes the kernel has taken.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::InSyn(bytes) => bytes,
            Self::Plain(_) | Self::Nothing | Self::Empty => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::tcp_info::CLIENT_FAIL_SHIFT;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn info(options: u8, fail: u8, len: usize) -> TcpInfo {
        let mut bytes = vec![0; len];
        bytes[0] = 1;
        bytes[5] = options;
        bytes[7] = fail << CLIENT_FAIL_SHIFT;
        if len >= 64 {
            bytes[60..64].copy_from_slice(&1500_u32.to_ne_bytes());
        }
        TcpInfo::from_bytes(&bytes)
    }

    #[test]
    fn the_kernels_word_decides() {
        use Outcome::*;
        for (options, fail, outcome) in [
            (0x20, 0, Accepted),
            (0x20, 1, Accepted),
            (0, 1, NoCookie),
            (0, 2, Ignored),
            (0, 3, SynLost),
            (0, 0, Unknown),
        ] {
            assert_eq!(Outcome::from_info(&info(options, fail, 280)), outcome);
            assert_eq!(
                Outcome::judge(Sent::InSyn(5), &info(options, fail, 280), HOST, true),
                outcome
            );
        }
    }

    #[test]
    fn a_plain_syn_was_not_attempted_whatever_the_kernel_says() {
        let outcome = Outcome::judge(
            Sent::Plain(Outcome::NotAttempted(Reason::PathMemory)),
            &info(0, 0, 280),
            HOST,
            true,
        );
        assert_eq!(outcome.to_string(), "not-attempted (path-memory)");
    }

    #[test]
    fn a_request_that_the_kernel_kept_to_itself_is_the_blackhole_timer() {
        let judge = |fail, len, told| Outcome::judge(Sent::Nothing, &info(0, fail, len), HOST, told);
        let blackhole = Outcome::NotAttempted(Reason::Blackhole);
        assert_eq!(judge(0, 280, true), blackhole);
        assert_eq!(judge(0, 232, true), blackhole, "Linux 5.5 to 6.5");
        assert_eq!(judge(1, 280, true), Outcome::NoCookie);
        assert_eq!(judge(0, 232, false), Outcome::Unknown, "an old kernel can't tell");
    }

    #[test]
    fn a_syn_that_was_larger_than_the_path_takes_was_not_lost() {
        let outcome = |bytes, pmtu: u32, destination: IpAddr| {
            let mut info = vec![0; 280];
            info[7] = 3 << CLIENT_FAIL_SHIFT;
            info[60..64].copy_from_slice(&pmtu.to_ne_bytes());
            Outcome::judge(Sent::InSyn(bytes), &TcpInfo::from_bytes(&info), destination, true)
        };
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
        for (room, destination) in [(1420, HOST), (1420, mapped), (1400, Ipv6Addr::LOCALHOST.into())] {
            assert_eq!(outcome(room, 1500, destination), Outcome::SynLost, "it was full");
            assert_eq!(outcome(room + 1, 1500, destination), Outcome::Ignored);
            assert_eq!(outcome(room, 1300, destination), Outcome::Ignored);
            assert_eq!(outcome(room - 200, 1300, destination), Outcome::SynLost);
        }
    }
}
