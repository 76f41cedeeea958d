//! Which kernel each part of Fast Open dates from.

use crate::kernel::KernelVersion;

/// A part of Fast Open, and the Linux version that brought it.
///
/// ```
/// use fastopen_host::{Feature, KernelVersion};
///
/// let old = KernelVersion::new(4, 14, 0);
/// assert!(Feature::FastOpenConnect.since() <= old);
/// assert!(!Feature::BackupKeys.is_expected_in(old));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Feature {
    /// A client may send data in the SYN, over IPv4.
    Client,
    /// A listener may accept data in a SYN, over IPv4.
    Server,
    /// Both over IPv6.
    Ipv6,
    /// A listener may keep the SYN's headers for its connections (`TCP_SAVE_SYN`).
    SavedSyn,
    /// Programs may connect fast with `connect` and `write` alone (`TCP_FASTOPEN_CONNECT`).
    FastOpenConnect,
    /// Clients may stop using Fast Open for a while after a suspected blackhole.
    BlackholeDetection,
    /// A listener may have a key of its own (`TCP_FASTOPEN_KEY`).
    KeyPerListener,
    /// A socket may do without cookies (`TCP_FASTOPEN_NO_COOKIE`).
    NoCookie,
    /// A backup key, so that keys can be rotated without refusing any client.
    BackupKeys,
    /// The reason why Fast Open did not happen on a connection, in `tcp_info`.
    ClientFail,
    /// Fast Open on Multipath TCP sockets.
    Mptcp,
    /// The mark of a connection that began with a SYN's data, in `tcp_info`.
    FastOpenChild,
}

impl Feature {
    /// Every feature, the oldest first.
    pub const ALL: &[Self] = &[
        Self::Client,
        Self::Server,
        Self::Ipv6,
        Self::SavedSyn,
        Self::FastOpenConnect,
        Self::BlackholeDetection,
        Self::KeyPerListener,
        Self::NoCookie,
        Self::BackupKeys,
        Self::ClientFail,
        Self::Mptcp,
        Self::FastOpenChild,
    ];

    /// The first Linux release that has it, by the date on which the change was merged, or by tcp(7).
    pub const fn since(self) -> KernelVersion {
        match self {
            Self::Client => KernelVersion::new(3, 6, 0),
            Self::Server => KernelVersion::new(3, 7, 0),
            Self::Ipv6 => KernelVersion::new(3, 16, 0),
            Self::SavedSyn => KernelVersion::new(4, 2, 0),
            Self::FastOpenConnect => KernelVersion::new(4, 11, 0),
            Self::BlackholeDetection => KernelVersion::new(4, 12, 0),
            Self::KeyPerListener | Self::NoCookie => KernelVersion::new(4, 15, 0),
            Self::BackupKeys => KernelVersion::new(5, 3, 0),
            Self::ClientFail => KernelVersion::new(5, 5, 0),
            Self::Mptcp => KernelVersion::new(6, 2, 0),
            Self::FastOpenChild => KernelVersion::new(6, 16, 0),
        }
    }

    /// Whether a kernel of this version has it, unless its distribution added it to an older kernel or left it out.
    pub fn is_expected_in(self, kernel: KernelVersion) -> bool {
        kernel >= self.since()
    }

    /// What it is, in a few words.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Client => "clients over IPv4",
            Self::Server => "servers over IPv4",
            Self::Ipv6 => "IPv6",
            Self::SavedSyn => "the SYN kept for the server to read (TCP_SAVE_SYN)",
            Self::FastOpenConnect => "connect and write alone (TCP_FASTOPEN_CONNECT)",
            Self::BlackholeDetection => "blackhole detection in clients",
            Self::KeyPerListener => "a key for each listener (TCP_FASTOPEN_KEY)",
            Self::NoCookie => "sockets without cookies (TCP_FASTOPEN_NO_COOKIE)",
            Self::BackupKeys => "backup keys for rotation",
            Self::ClientFail => "the reason why a client fell back, in tcp_info",
            Self::Mptcp => "Multipath TCP",
            Self::FastOpenChild => "the mark of a fast connection on the server, in tcp_info",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_stand_in_order_of_age() {
        assert!(Feature::ALL.is_sorted_by_key(|feature| feature.since()));
    }
}
