//! The counters' names and meanings, as data.

/// A counter among `TcpExt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Counter {
    /// `TCPFastOpenActive`.
    Active,
    /// `TCPFastOpenActiveFail`.
    ActiveFail,
    /// `TCPFastOpenPassive`.
    Passive,
    /// `TCPFastOpenPassiveFail`.
    PassiveFail,
    /// `TCPFastOpenPassiveAltKey`.
    PassiveAltKey,
    /// `TCPFastOpenListenOverflow`.
    ListenOverflow,
    /// `TCPFastOpenCookieReqd`.
    CookieRequested,
    /// `TCPFastOpenBlackhole`.
    Blackhole,
    /// `ListenOverflows`.
    AcceptQueueOverflow,
    /// `ListenDrops`.
    ListenDrop,
    /// `TCPSynRetrans`.
    SynRetransmit,
    /// `SyncookiesSent`.
    SynCookieSent,
}

impl Counter {
    /// Every counter: Fast Open's own first, the client's before the server's.
    pub const ALL: &[Self] = &[
        Self::Active,
        Self::ActiveFail,
        Self::Passive,
        Self::PassiveFail,
        Self::PassiveAltKey,
        Self::ListenOverflow,
        Self::CookieRequested,
        Self::Blackhole,
        Self::AcceptQueueOverflow,
        Self::ListenDrop,
        Self::SynRetransmit,
        Self::SynCookieSent,
    ];

    /// The kernel's name for it, which `nstat` and `/proc/net/netstat` use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "TCPFastOpenActive",
            Self::ActiveFail => "TCPFastOpenActiveFail",
            Self::Passive => "TCPFastOpenPassive",
            Self::PassiveFail => "TCPFastOpenPassiveFail",
            Self::PassiveAltKey => "TCPFastOpenPassiveAltKey",
            Self::ListenOverflow => "TCPFastOpenListenOverflow",
            Self::CookieRequested => "TCPFastOpenCookieReqd",
            Self::Blackhole => "TCPFastOpenBlackhole",
            Self::AcceptQueueOverflow => "ListenOverflows",
            Self::ListenDrop => "ListenDrops",
            Self::SynRetransmit => "TCPSynRetrans",
            Self::SynCookieSent => "SyncookiesSent",
        }
    }

    /// What it counts, in a few words.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Active => "SYN data accepted by servers",
            Self::ActiveFail => "failed, accepted ones included",
            Self::Passive => "fast connections accepted here",
            Self::PassiveFail => "invalid cookies received",
            Self::PassiveAltKey => "fast by the backup key",
            Self::ListenOverflow => "Fast Open queue was full",
            Self::CookieRequested => "requests for cookies received",
            Self::Blackhole => "Fast Open switched itself off",
            Self::AcceptQueueOverflow => "accept queue was full",
            Self::ListenDrop => "dropped by listeners",
            Self::SynRetransmit => "SYNs and SYN-ACKs sent again",
            Self::SynCookieSent => "SYNs answered with SYN cookies",
        }
    }

    /// What one more of it means, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Active => "A server accepted all the data in the SYN of an outgoing connection.",
            Self::ActiveFail => {
                "The data in the SYN of an outgoing connection was not accepted, or the SYN was lost; or a fast connection, also one accepted here, kept timing out."
            }
            Self::Passive => {
                "A listener here accepted a connection by its cookie, before the handshake had finished."
            }
            Self::PassiveFail => {
                "A client presented a cookie that is not valid, got a new one, and made an ordinary handshake."
            }
            Self::PassiveAltKey => {
                "A cookie matched the backup key: the connection was fast, and the client got a cookie of the primary key."
            }
            Self::ListenOverflow => {
                "A fast connection became an ordinary one because the listener's Fast Open queue was full."
            }
            Self::CookieRequested => {
                "A client asked for a cookie, whether or not the listener that it asked uses Fast Open."
            }
            Self::Blackhole => {
                "Fast Open looked like the cause of a dead connection, outgoing or accepted here, so the kernel stopped using it for outgoing ones for a while."
            }
            Self::AcceptQueueOverflow => {
                "A SYN or the end of a handshake was dropped because the listener's accept queue was full."
            }
            Self::ListenDrop => {
                "A listener dropped a SYN or the end of a handshake, because a queue was full or for another reason."
            }
            Self::SynRetransmit => "A SYN or a SYN-ACK was sent again because no answer had come.",
            Self::SynCookieSent => {
                "A SYN was answered with a SYN cookie, which ignores its data and grants no Fast Open cookie."
            }
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|counter| counter.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_listed_at_its_own_place() {
        for (place, &counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(counter as usize, place, "{counter:?}");
            assert_eq!(Counter::by_name(counter.name()), Some(counter));
            assert!(counter.meaning().ends_with('.'));
            assert!(counter.summary().len() <= 30, "{counter:?}");
        }
    }
}
