//! What may be said of an address, and why.

use serde::Serialize;

use crate::status::Status;

/// Whether Fast Open works to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// The server takes data in the SYN, and its answer comes.
    Works,
    /// On some connections it does, on others not.
    Intermittent,
    /// No cookie is granted.
    NoCookie,
    /// Cookies are granted and refused soon after.
    CookieRefused,
    /// The handshake succeeds without the data.
    DataIgnored,
    /// Fast SYNs get no SYN-ACK.
    SynLost,
    /// A RST answers fast SYNs, or ends fast connections.
    Reset,
    /// An ICMP error answers fast SYNs.
    Rejected,
    /// The handshake succeeds, and no packet comes after it.
    Blackholed,
    /// The handshake succeeds and packets come after it, but no answer.
    Silent,
    /// There is no connection of any kind.
    Unreachable,
    /// This machine does not send it.
    ThisMachine,
    Inconclusive,
}

/// Why it is so. Where there are several, the evidence does not tell them apart, and the likeliest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Cause {
    ClientBitOff,
    KernelLacksIt,
    BlackholeTimer,
    SendsWithoutCookie,
    RefusedHere,
    NoLocalAddress,
    ZoneMissing,
    BlackholeRoute,
    FailedHere,
    DataKeptBack,
    Refused,
    PortUnreachable,
    Prohibited,
    IcmpUnreachable,
    Unanswered,
    NoRoute,
    ServerBitOff,
    ListenerOff,
    ProxyEndsIt,
    SynCookies,
    NeedsNoCookie,
    OptionStripped,
    DataStripped,
    AnsweredInItsPlace,
    QueueFull,
    CookieAltered,
    KeysDiffer,
    AddressChanges,
    FastSynDropped,
    RequestDropped,
    LargePacketsDropped,
    LargeSynDropped,
    FastSynRefused,
    RequestRefused,
    FastSynRejected,
    ServerResets,
    ResetOnTheWay,
    ApplicationSilent,
    AnswerDropped,
    DroppedAfterwards,
    SometimesSilent,
    SometimesReset,
    SometimesRejected,
    SometimesIgnored,
    SometimesLost,
    NothingTried,
    Mixed,
    NoAnswerEither,
    KernelDoesNotTell,
}

/// A verdict with its causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) causes: Vec<Cause>,
    /// Whether more connections may change it.
    pub(super) unfinished: bool,
}

impl Judgement {
    pub(super) fn certain(verdict: Verdict, causes: impl IntoIterator<Item = Cause>) -> Self {
        Self {
            verdict,
            causes: causes.into_iter().collect(),
            unfinished: false,
        }
    }

    /// Inconclusive, and more of the same won't help.
    pub(super) fn unsettled(cause: Cause) -> Self {
        Self::certain(Verdict::Inconclusive, [cause])
    }

    /// Inconclusive as yet.
    pub(super) fn unfinished(cause: Cause) -> Self {
        Self {
            unfinished: true,
            ..Self::unsettled(cause)
        }
    }
}

impl Verdict {
    /// The verdict's name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Intermittent => "intermittent",
            Self::NoCookie => "no-cookie",
            Self::CookieRefused => "cookie-refused",
            Self::DataIgnored => "data-ignored",
            Self::SynLost => "syn-lost",
            Self::Reset => "reset",
            Self::Rejected => "rejected",
            Self::Blackholed => "blackholed",
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
            Self::ThisMachine => "this-machine",
            Self::Inconclusive => "inconclusive",
        }
    }

    pub(super) fn status(self) -> Status {
        match self {
            Self::Works => Status::Works,
            Self::Inconclusive => Status::Inconclusive,
            Self::ThisMachine => Status::Unusable,
            _ => Status::Fails,
        }
    }
}
