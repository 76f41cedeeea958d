//! Verdicts, causes, and what would tell them apart, in words.

use super::evidence::Evidence;
use super::verdict::{Cause, Judgement, Verdict};
use crate::local_error::LocalError;

/// The verdict and its causes in a sentence.
pub(super) fn says(judgement: &Judgement, evidence: &Evidence) -> String {
    let verdict = judgement.verdict.in_words();
    let causes = because(judgement, evidence);
    match causes.as_slice() {
        [] => verdict.to_owned(),
        [only] => format!("{verdict}: {only}"),
        [others @ .., last] => format!("{verdict}: either {}, or {last}", others.join(", or ")),
    }
}

/// The causes in words, with what the evidence names: who sent an ICMP error, and why this system makes no attempt.
pub(super) fn because(judgement: &Judgement, evidence: &Evidence) -> Vec<String> {
    let in_words = |cause: &Cause| match cause {
        Cause::FastSynRejected | Cause::SometimesRejected => {
            let rejection = evidence.fast_rejection()?;
            Some(format!("{}: {rejection}", cause.in_words()))
        }
        Cause::PortUnreachable | Cause::Prohibited | Cause::IcmpUnreachable => Some(format!(
            "the answer to SYNs is an ICMP error: {}",
            evidence.plain_rejection()?
        )),
        Cause::NoLocalAddress
        | Cause::ZoneMissing
        | Cause::BlackholeRoute
        | Cause::RefusedHere
        | Cause::FailedHere => Some(evidence.local_error()?.in_words().to_owned()),
        Cause::NeedsNoCookie => {
            let own = evidence.checks.own_server.as_ref()?;
            (!own.needs_no_cookie()).then(|| {
                "the server needs no cookie and grants none (TCP_FASTOPEN_NO_COOKIE; 0x200 in net.ipv4.tcp_fastopen is off)".to_owned()
            })
        }
        _ => None,
    };
    let causes = judgement.causes.iter();
    causes
        .map(|cause| in_words(cause).unwrap_or_else(|| cause.in_words().to_owned()))
        .collect()
}

/// What would tell, for each of several causes.
pub(super) fn decided_by(judgement: &Judgement, evidence: &Evidence) -> Vec<Option<&'static str>> {
    let sysctl_is_known = evidence.checks.own_server.is_some();
    let by = |cause: &Cause| match cause {
        Cause::NeedsNoCookie if sysctl_is_known => {
            Some("the listener's calls: strace -e setsockopt, TCP_FASTOPEN_NO_COOKIE")
        }
        cause => cause.decided_by(),
    };
    match judgement.causes.as_slice() {
        causes @ [_, _, ..] => causes.iter().map(by).collect(),
        _ => Vec::new(),
    }
}

impl Verdict {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Works => "the server takes data in the SYN",
            Self::Intermittent => "the server takes data in the SYN on some connections and not on others",
            Self::NoCookie => "no cookie is granted, so that no data can be sent in a SYN",
            Self::CookieRefused => "cookies that are granted here are refused on a later connection",
            Self::DataIgnored => "the handshake succeeds, but the data in the SYN is not taken",
            Self::SynLost => "fast SYNs get no SYN-ACK, where plain ones do",
            Self::Reset => "fast connections are reset, where plain ones are not",
            Self::Rejected => "fast SYNs are answered with an ICMP error, where plain ones connect",
            Self::Blackholed => {
                "nothing is received on fast connections after the handshake, where plain ones are answered"
            }
            Self::Silent => {
                "fast connections are acknowledged and not answered, where plain ones are answered"
            }
            Self::Unreachable => "there is no connection, fast or plain",
            Self::ThisMachine => "this machine does not attempt it",
            Self::Inconclusive => "the evidence does not decide",
        }
    }
}

impl Cause {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::ClientBitOff => "the client bit (0x1) of net.ipv4.tcp_fastopen is off",
            Self::KernelLacksIt => "its kernel has no Fast Open",
            Self::BlackholeTimer => {
                "its kernel has switched Fast Open off for a while after a suspected blackhole"
            }
            Self::SendsWithoutCookie => {
                "bit 0x4 of net.ipv4.tcp_fastopen makes it send data without a cookie, which the server doesn't take"
            }
            Self::RefusedHere => "this system does not permit the connection",
            Self::NoLocalAddress => LocalError::NoAddress.in_words(),
            Self::ZoneMissing => LocalError::NoZone.in_words(),
            Self::BlackholeRoute => LocalError::BlackholeRoute.in_words(),
            Self::FailedHere => LocalError::Other.in_words(),
            Self::DataKeptBack => {
                "no SYN with data leaves this machine, as where its own firewall drops or rejects those"
            }
            Self::Refused => "a RST refuses the connection",
            Self::PortUnreachable => {
                "an ICMP error says that the port is unreachable, as a firewall's reject rule does"
            }
            Self::Prohibited => "an ICMP error says that the connection is prohibited",
            Self::IcmpUnreachable => "an ICMP error says that the host is unreachable",
            Self::Unanswered => "no SYN is answered",
            Self::NoRoute => "this machine has no route there",
            Self::ServerBitOff => {
                "Fast Open is off on the server's system (on Linux the default: bit 0x2 of net.ipv4.tcp_fastopen)"
            }
            Self::ListenerOff => "the server's listener does not ask for Fast Open",
            Self::ProxyEndsIt => {
                "a proxy, load balancer or port forwarder in front of the server takes the connection, and does not use Fast Open"
            }
            Self::OptionStripped => "the option is stripped on the path",
            Self::DataStripped => "the data, and not the cookie, is removed from the SYN on the path",
            Self::AnsweredInItsPlace => "a SYN proxy answers in the server's place",
            Self::SynCookies => "the server answers with SYN cookies, which have no room for Fast Open",
            Self::NeedsNoCookie => {
                "the server needs no cookie and grants none (0x200 in net.ipv4.tcp_fastopen, or TCP_FASTOPEN_NO_COOKIE): only clients that send without one are fast"
            }
            Self::QueueFull => "the server's queue of unconfirmed fast connections is full",
            Self::CookieAltered => "the cookie is altered on the path",
            Self::KeysDiffer => "several servers share the address and not their key",
            Self::AddressChanges => {
                "this machine's address changes between connections (address translation)"
            }
            Self::FastSynDropped => "SYNs that present a cookie or carry data are dropped",
            Self::RequestDropped => "SYNs with the option are dropped, even without data",
            Self::LargePacketsDropped => {
                "packets larger than the path carries are dropped, and no ICMP error that would say so arrives"
            }
            Self::LargeSynDropped => {
                "SYNs that carry much data are dropped: those with little pass, and so do as long packets after the handshake"
            }
            Self::FastSynRefused => "what carries data in its SYN is answered with a RST",
            Self::RequestRefused => "SYNs with the option are answered with a RST, even without data",
            Self::FastSynRejected => "a router or firewall rejects SYNs with the option or with data",
            Self::ServerResets => "the server takes the data in the SYN and then resets the connection",
            Self::ResetOnTheWay => "something on the path resets fast connections after their handshake",
            Self::ApplicationSilent => "the server's application does not answer what came in a SYN",
            Self::AnswerDropped => "the answer is dropped on the path, and acknowledgments are not",
            Self::DroppedAfterwards => "what follows the handshake is dropped on the path",
            Self::SometimesSilent => "some are silent after the handshake",
            Self::SometimesReset => "some are reset",
            Self::SometimesRejected => "some are rejected with an ICMP error",
            Self::SometimesIgnored => {
                "some are ignored, as by one of several servers that has it off, or whose queue is full"
            }
            Self::SometimesLost => "some fast SYNs get no SYN-ACK, where plain ones do",
            Self::NothingTried => "no connection has carried data yet",
            Self::Mixed => "connections of one kind differ, and are too few to tell a rule from chance",
            Self::NoAnswerEither => {
                "data in the SYN is accepted, but the server answers neither fast nor plain connections"
            }
            Self::KernelDoesNotTell => "this kernel does not report what became of the data",
        }
    }

    /// What would show whether it is this one among several; nothing where nobody but time tells.
    fn decided_by(self) -> Option<&'static str> {
        match self {
            Self::ServerBitOff => Some("sysctl net.ipv4.tcp_fastopen on the server"),
            Self::ListenerOff => Some("tfo doctor on the server"),
            Self::ProxyEndsIt => Some("a probe of the server itself, behind the proxy"),
            Self::OptionStripped => Some("a capture on the server: SYNs arrive without option 34 and 254"),
            Self::DataStripped => Some("a capture on the server: SYNs arrive with a cookie and without data"),
            Self::AnsweredInItsPlace => Some("a capture on the server: these SYNs do not arrive"),
            Self::SynCookies => {
                Some("the counter SyncookiesSent on the server: nstat -az TcpExtSyncookiesSent")
            }
            Self::QueueFull => Some("the counter TCPFastOpenListenOverflow on the server"),
            Self::NeedsNoCookie => Some("sysctl net.ipv4.tcp_fastopen on the server: 0x200"),
            Self::CookieAltered => Some("the counter TCPFastOpenPassiveFail on the server"),
            Self::KeysDiffer => Some("a probe of each server on its own"),
            Self::AddressChanges => Some("a capture on the server: the client's address"),
            Self::ServerResets | Self::ResetOnTheWay => {
                Some("a capture on the server: whether the RST leaves it")
            }
            Self::ApplicationSilent | Self::AnswerDropped | Self::DroppedAfterwards => {
                Some("a capture on the server: whether an answer leaves it")
            }
            Self::FastSynDropped | Self::LargePacketsDropped | Self::LargeSynDropped => {
                Some("a probe with little data: --data x")
            }
            Self::RequestDropped | Self::FastSynRejected => Some(
                "a capture on this machine: whether an ICMP error answers the SYN (tcpdump \"icmp or icmp6\")",
            ),
            Self::Refused | Self::PortUnreachable | Self::NoRoute | Self::IcmpUnreachable => {
                Some("a capture on this machine: what answers the SYN")
            }
            _ => None,
        }
    }
}
