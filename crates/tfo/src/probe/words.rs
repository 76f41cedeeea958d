//! Verdicts, causes and what to do about them, in words.

use super::verdict::{Cause, Judgement, Verdict};

/// The verdict and its causes in a sentence.
pub(super) fn says(judgement: &Judgement) -> String {
    let verdict = judgement.verdict.in_words();
    let causes: Vec<_> = judgement.causes.iter().map(|cause| cause.in_words()).collect();
    match causes.as_slice() {
        [] => verdict.to_owned(),
        [only] => format!("{verdict}: {only}"),
        [others @ .., last] => format!("{verdict}: either {}, or {last}", others.join(", or ")),
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
            Self::SynLost => "fast SYNs get no answer, where plain ones do",
            Self::Reset => "fast connections are reset, where plain ones are not",
            Self::Blackholed => "after the handshake fast connections hear nothing, where plain ones do",
            Self::Unreachable => "there is no connection, fast or plain",
            Self::ThisMachine => "this machine does not attempt it",
            Self::Inconclusive => "there is no telling",
        }
    }
}

/// What to do next; nothing where all is well.
pub(super) fn advice(judgement: &Judgement, packets_would_tell: bool) -> Option<String> {
    let has = |cause| judgement.causes.contains(&cause);
    let advice = match judgement.verdict {
        Verdict::Works => return None,
        Verdict::NoCookie if !has(Cause::OptionStripped) => {
            "let the server's listener ask for Fast Open; on it, tfo doctor says what is missing"
        }
        Verdict::NoCookie => {
            "run tfo doctor on the server; if it is ready, look there whether SYNs arrive with the option"
        }
        Verdict::CookieRefused => {
            "give all servers behind the address one key (net.ipv4.tcp_fastopen_key); if they have one, see whether an address translator changes this machine's address"
        }
        Verdict::DataIgnored if packets_would_tell => {
            "run it as root (CAP_NET_RAW): packets show whether the SYN-ACK brings a cookie"
        }
        Verdict::DataIgnored if judgement.causes == [Cause::CookieAltered] => {
            "probe from another network, to find where the cookie is altered"
        }
        Verdict::DataIgnored => {
            "look on the server whether SYNs arrive with their cookie, and at its counters: tfo doctor"
        }
        Verdict::SynLost | Verdict::Reset | Verdict::Blackholed => {
            "probe from another network: if it works there, a firewall on this path is at fault; until then leave Fast Open off here"
        }
        Verdict::Intermittent => "probe more often, as with -n 20, and each server on its own",
        Verdict::Unreachable if has(Cause::Refused) => {
            "check the port: nothing listens there, or a firewall refuses"
        }
        Verdict::Unreachable if has(Cause::NoRoute) => "check this machine's routes: ip route get ADDRESS",
        Verdict::Unreachable => "check the address; for a slow path: --timeout 30s",
        Verdict::ThisMachine => machine_advice(judgement),
        Verdict::Inconclusive => inconclusive_advice(judgement),
    };
    Some(advice.to_owned())
}

fn machine_advice(judgement: &Judgement) -> &'static str {
    match judgement.causes.first() {
        Some(Cause::ClientBitOff) => "switch it on; the command is told by: tfo doctor",
        Some(Cause::BlackholeTimer) => {
            "wait, or: sudo sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=0"
        }
        Some(Cause::SendsWithoutCookie) => {
            "take bit 0x4 out of net.ipv4.tcp_fastopen: only servers that need no cookie take such data"
        }
        Some(Cause::KernelLacksIt) => "use Linux 3.7 or newer",
        _ => "see whether a firewall on this machine forbids it",
    }
}

fn inconclusive_advice(judgement: &Judgement) -> &'static str {
    match judgement.causes.first() {
        Some(Cause::NoAnswerEither) => "send something that the server answers: --data",
        Some(Cause::KernelDoesNotTell) => "use Linux 5.5 or newer, which tells what became of the data",
        Some(Cause::NothingTried) => "let it run to its end",
        _ => "probe more often, as with -n 20, or when the path is calmer",
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
            Self::Refused => "the connection is refused",
            Self::Unanswered => "no SYN is answered",
            Self::NoRoute => "there is no way to the network or the host",
            Self::ServerOff => "the server's listener does not use Fast Open",
            Self::OptionStripped => "the option is stripped on the way",
            Self::AnsweredInItsPlace => {
                "a SYN proxy answers in the server's place (or the server itself, with SYN cookies)"
            }
            Self::QueueFull => "the server's queue of unconfirmed fast connections is full",
            Self::CookieAltered => "the cookie is altered on the way",
            Self::KeysDiffer => "several servers share the address and not their key",
            Self::AddressChanges => {
                "this machine's address changes between connections (address translation)"
            }
            Self::FastSynDropped => "SYNs that present a cookie or carry data are dropped",
            Self::RequestDropped => "SYNs with the option are dropped, even without data",
            Self::FastSynRefused => "what carries data in its SYN is answered with a RST",
            Self::RequestRefused => "SYNs with the option are answered with a RST, even without data",
            Self::DroppedAfterwards => "what follows the handshake is dropped",
            Self::SometimesSilent => "some hear nothing after the handshake",
            Self::SometimesReset => "some are reset",
            Self::SometimesIgnored => {
                "some are ignored, as by one of several servers that has it off, or whose queue is full"
            }
            Self::SometimesLost => "some fast SYNs get no answer, where plain ones do",
            Self::NothingTried => "no connection has carried data yet",
            Self::Mixed => "the connections contradict each other",
            Self::NoAnswerEither => {
                "data in the SYN is accepted, but the server answers neither fast nor plain connections"
            }
            Self::KernelDoesNotTell => "this kernel does not tell what became of the data",
        }
    }
}
