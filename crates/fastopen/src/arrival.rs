//! How a connection reached a server.

use std::fmt;
use std::io;

use fastopen_wire::{FastOpen, Segment};

use crate::confirm::{Proof, proof};
use crate::sys::{self, AsFd};
use crate::tcp_info::TcpInfo;

/// How a connection reached this server.
///
/// `Display` writes the project's vocabulary, such as `fast, 18 bytes in the SYN, not confirmed`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Arrival {
    /// What kind of handshake it was.
    pub kind: ArrivalKind,
    /// Whether the handshake is complete, so that the client has proved its address. [`confirmed`](crate::confirmed) waits for it.
    pub confirmed: bool,
    /// What the SYN said, if the listener [keeps it](crate::ListenOptions::with_saved_syn) and nobody has read it before.
    pub syn: Option<ArrivalSyn>,
}

/// What kind of handshake brought a connection to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum ArrivalKind {
    /// An ordinary handshake. Without the saved SYN this includes those that requested a cookie.
    Plain,
    /// An ordinary handshake whose SYN asked for a cookie.
    CookieRequested,
    /// A valid cookie: the connection stood when the SYN came.
    Fast {
        /// Whether the SYN brought data that the application may read before the handshake is complete.
        data: bool,
    },
    /// The system does not tell.
    Unknown,
}

/// What the SYN of a connection said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ArrivalSyn {
    /// The Fast Open option: absent, a request, or the cookie that the client presented.
    pub fast_open: FastOpen,
    /// How many bytes of data it carried, whether or not they were taken.
    pub data_bytes: usize,
}

impl Arrival {
    /// What is known of a connection where the system does not tell.
    pub const UNKNOWN: Self = Self {
        kind: ArrivalKind::Unknown,
        confirmed: false,
        syn: None,
    };

    /// Reads how the connection of an accepted socket arrived.
    ///
    /// Ask once, and early: the kernel hands out the saved SYN only once, and after that [`syn`](Self::syn) is `None` and a cookie request
    /// looks plain. Asking takes nothing else from the socket's users.
    ///
    /// # Errors
    /// The system does not tell, or the socket is no TCP socket. Nothing that a client sends makes it an error: what can't be read in the
    /// SYN is a `syn` of `None`.
    ///
    /// # Examples
    /// ```
    /// use fastopen::{Arrival, ArrivalKind};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = fastopen::listen("127.0.0.1:0")?;
    /// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let (stream, peer) = listener.accept()?;
    /// let arrival = Arrival::of(&stream)?;
    /// println!("{peer}: {arrival}");
    /// # assert_eq!(arrival.kind, ArrivalKind::Plain);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Platform notes
    /// Sockets that an MPTCP listener accepted keep no SYN.
    /// Linux tells data in the SYN since 3.7, and a fast connection without data for certain since 6.16.
    pub fn of(stream: &impl AsFd) -> io::Result<Self> {
        let socket = stream.as_fd();
        let info = sys::tcp_info(socket)?;
        let syn = sys::saved_syn(socket)?.and_then(|headers| ArrivalSyn::from_headers(&headers));
        Ok(Self::judge(&info, syn, sys::flags_fast_open_children()))
    }

    fn judge(info: &TcpInfo, syn: Option<ArrivalSyn>, children_are_flagged: bool) -> Self {
        let proof = proof(info);
        // An ordinary handshake is complete before the connection can be accepted.
        let accepted_early = matches!(proof, Proof::Awaited | Proof::Never);
        let fast = info.syn_data() || info.fast_open_child() || accepted_early;
        let kind = match syn.map(|syn| syn.fast_open) {
            _ if fast => ArrivalKind::Fast {
                data: info.syn_data(),
            },
            Some(FastOpen::Request(_)) => ArrivalKind::CookieRequested,
            // A cookie without data may have been good or not: only the flag tells.
            Some(FastOpen::Cookie(..))
                if !children_are_flagged && syn.is_some_and(|syn| syn.data_bytes == 0) =>
            {
                ArrivalKind::Unknown
            }
            _ => ArrivalKind::Plain,
        };
        Self {
            kind,
            confirmed: proof == Proof::Given,
            syn,
        }
    }
}

impl ArrivalSyn {
    fn from_headers(headers: &[u8]) -> Option<Self> {
        let segment = Segment::from_ip(headers).ok()?;
        Some(Self {
            fast_open: segment.fast_open(),
            data_bytes: segment.payload_len,
        })
    }
}

impl ArrivalKind {
    /// The kind's name, such as `cookie-requested`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::CookieRequested => "cookie-requested",
            Self::Fast { .. } => "fast",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ArrivalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match (self.kind, self.syn) {
            (ArrivalKind::Fast { data: true }, Some(syn)) => {
                write!(f, ", {} bytes in the SYN", syn.data_bytes)?;
            }
            (ArrivalKind::Fast { data: true }, None) => f.write_str(", data in the SYN")?,
            (ArrivalKind::Fast { data: false }, _) => f.write_str(", no data in the SYN")?,
            (
                ArrivalKind::Plain,
                Some(ArrivalSyn {
                    fast_open: FastOpen::Cookie(..),
                    ..
                }),
            ) => f.write_str(", cookie refused")?,
            _ => {}
        }
        f.write_str(if self.confirmed {
            ", confirmed"
        } else {
            ", not confirmed"
        })
    }
}

#[cfg(test)]
mod tests {
    use fastopen_wire::{Cookie, OptionKind};

    use super::*;

    const ESTABLISHED: u8 = 1;
    const SYN_RECV: u8 = 3;
    const CLOSE: u8 = 7;

    fn info(state: u8, options: u8) -> TcpInfo {
        let mut bytes = [0; 280];
        (bytes[0], bytes[5]) = (state, options);
        TcpInfo::from_bytes(&bytes)
    }

    fn syn(fast_open: FastOpen, data_bytes: usize) -> Option<ArrivalSyn> {
        Some(ArrivalSyn {
            fast_open,
            data_bytes,
        })
    }

    fn cookie() -> FastOpen {
        FastOpen::Cookie(OptionKind::Standard, Cookie::new(&[7; 8]).unwrap())
    }

    #[test]
    fn with_and_without_the_kernels_flag_and_the_saved_syn() {
        use ArrivalKind::*;
        let (data, no_data) = (Fast { data: true }, Fast { data: false });
        let request = FastOpen::Request(OptionKind::Standard);
        for (state, options, saved, flagged, kind) in [
            // Linux 6.16 and later.
            (ESTABLISHED, 0xa0, syn(cookie(), 5), true, data),
            (ESTABLISHED, 0x80, syn(cookie(), 0), true, no_data),
            (ESTABLISHED, 0x80, None, true, no_data),
            (ESTABLISHED, 0, syn(cookie(), 0), true, Plain),
            (ESTABLISHED, 0, syn(cookie(), 5), true, Plain),
            (ESTABLISHED, 0, syn(request, 0), true, CookieRequested),
            (ESTABLISHED, 0, syn(FastOpen::Absent, 0), true, Plain),
            (ESTABLISHED, 0, None, true, Plain),
            // Before.
            (ESTABLISHED, 0x20, syn(cookie(), 5), false, data),
            (ESTABLISHED, 0x20, None, false, data),
            (SYN_RECV, 0, syn(cookie(), 0), false, no_data),
            (SYN_RECV, 0, None, false, no_data),
            (ESTABLISHED, 0, syn(cookie(), 0), false, Unknown),
            (ESTABLISHED, 0, syn(cookie(), 5), false, Plain),
            (ESTABLISHED, 0, syn(request, 0), false, CookieRequested),
        ] {
            let arrival = Arrival::judge(&info(state, options), saved, flagged);
            assert_eq!(arrival.kind, kind, "{state} {options:#x} {saved:?} {flagged}");
            assert_eq!(arrival.confirmed, state == ESTABLISHED);
        }
    }

    #[test]
    fn a_connection_that_is_over_was_confirmed_only_if_the_client_answered() {
        let over = |options, delivered| {
            let mut bytes = [0; 280];
            (bytes[0], bytes[5], bytes[192]) = (CLOSE, options, delivered);
            Arrival::judge(&TcpInfo::from_bytes(&bytes), None, true)
        };
        assert_eq!(over(0xa0, 0).to_string(), "fast, data in the SYN, not confirmed");
        assert_eq!(over(0xa0, 1).to_string(), "fast, data in the SYN, confirmed");
        assert_eq!(over(0, 1).to_string(), "plain, confirmed");
    }

    #[test]
    fn what_a_hostile_syn_says_is_not_trusted() {
        assert_eq!(ArrivalSyn::from_headers(&[]), None);
        assert_eq!(ArrivalSyn::from_headers(&[0xff; 64]), None);
        let odd = FastOpen::Malformed {
            kind: OptionKind::Standard,
            cookie_len: 3,
        };
        assert_eq!(
            Arrival::judge(&info(ESTABLISHED, 0), syn(odd, 9), true).kind,
            ArrivalKind::Plain
        );
    }
}
