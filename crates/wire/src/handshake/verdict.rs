//! What became of a connection's Fast Open.

use std::fmt;

/// What became of Fast Open in one connection.
///
/// A verdict is given once, when the packets so far leave no other, and never taken back: [`Inconclusive`](Self::Inconclusive) is
/// what a connection gets that ends, or is no longer followed, before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Verdict {
    /// An ordinary handshake: no cookie asked for, none presented, no data in the SYN.
    Plain,
    /// The client asked for a cookie and got one: its next connection can be fast.
    CookieGranted,
    /// The client asked for a cookie and the answer brought none.
    CookieNotGranted,
    /// The SYN-ACK acknowledged every byte that the SYN carried: one round trip saved.
    Accepted,
    /// The SYN carried data, and the SYN-ACK acknowledged none of it or not all.
    Ignored,
    /// The SYN presented a cookie and carried no data. Where the server spoke first, [`Note::EarlyData`](super::Note::EarlyData) says
    /// whether that saved a round trip.
    Dataless,
    /// The SYN with data or a cookie got no answer, and one without either connected.
    SynLost,
    /// The SYN was answered with a reset.
    Refused,
    /// No SYN was answered, and the client has given up or nothing can be on its way any more.
    Unanswered,
    /// What was seen does not tell.
    Inconclusive,
}

impl Verdict {
    /// Every verdict, in the order of a summary.
    pub const ALL: &[Self] = &[
        Self::Accepted,
        Self::Ignored,
        Self::SynLost,
        Self::Dataless,
        Self::CookieGranted,
        Self::CookieNotGranted,
        Self::Plain,
        Self::Refused,
        Self::Unanswered,
        Self::Inconclusive,
    ];

    /// The verdict's name in reports.
    ///
    /// ```
    /// assert_eq!(fastopen_wire::Verdict::CookieNotGranted.as_str(), "cookie-not-granted");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::CookieGranted => "cookie-granted",
            Self::CookieNotGranted => "cookie-not-granted",
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Dataless => "dataless",
            Self::SynLost => "syn-lost",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// How many round trips pass from the first SYN until an answer to the client's first bytes can be there, lost packets and
    /// their timeouts not counted; `None` where no connection came about or it can't be told.
    pub fn rounds_used(self) -> Option<u8> {
        match self {
            Self::Accepted => Some(1),
            Self::Plain
            | Self::CookieGranted
            | Self::CookieNotGranted
            | Self::Ignored
            | Self::Dataless
            | Self::SynLost => Some(2),
            Self::Refused | Self::Unanswered | Self::Inconclusive => None,
        }
    }

    /// How many round trips Fast Open saves: 1 or 0. [`Connection::rounds_saved`](super::Connection::rounds_saved) also looks at
    /// what followed the handshake.
    pub fn rounds_saved(self) -> u8 {
        u8::from(self == Self::Accepted)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
