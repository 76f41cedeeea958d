//! What to do about a verdict and its causes, in words.

use super::evidence::Evidence;
use super::verdict::{Cause, Judgement, Verdict};
use crate::local_error::LocalError;
use crate::own_server::OwnServer;

const LET_PACKETS_BE_SMALLER: &str = "let ICMP \"fragmentation needed\" and \"packet too big\" through, or set a smaller MTU on this machine's route";

/// What to do next; nothing where all is well. A server on this machine can be switched on right here.
pub(super) fn next_step(
    judgement: &Judgement,
    evidence: &Evidence,
    packets_would_tell: bool,
) -> Option<String> {
    let own_server = evidence.checks.own_server.as_ref();
    let rejected = match judgement.verdict {
        Verdict::Rejected => evidence.fast_rejection().map(|icmp| icmp.advice_for_fast()),
        Verdict::Unreachable => evidence.plain_rejection().map(|icmp| icmp.advice()),
        _ => None,
    };
    if rejected.is_some() {
        return rejected;
    }
    let has = |cause| judgement.causes.contains(&cause);
    let only = |cause| judgement.causes == [cause];
    let advice = match judgement.verdict {
        Verdict::Works => return None,
        Verdict::NoCookie | Verdict::DataIgnored if only(Cause::ServerBitOff) || only(Cause::ListenerOff) => {
            let here = own_server.and_then(OwnServer::switch_on);
            return Some(here.map_or_else(
                || what_helps(judgement.causes[0]).to_owned(),
                |commands| format!("to switch it on now: {commands}; to keep it on: tfo doctor"),
            ));
        }
        Verdict::NoCookie | Verdict::DataIgnored if own_server.is_some() && has(Cause::QueueFull) => {
            "make the listener's Fast Open queue longer; tfo doctor says how long it is, and shows this machine's other settings"
        }
        Verdict::NoCookie | Verdict::DataIgnored if judgement.causes.len() == 1 => {
            return Some(what_helps(judgement.causes[0]).to_owned());
        }
        Verdict::NoCookie | Verdict::DataIgnored if own_server.is_some() && !has(Cause::ProxyEndsIt) => {
            "run tfo doctor, which shows the listeners and the settings of this machine"
        }
        Verdict::NoCookie | Verdict::DataIgnored if packets_would_tell => {
            "run tfo doctor on the server, which shows its settings; run this as root (CAP_NET_RAW), since packets exclude some of these"
        }
        Verdict::NoCookie | Verdict::DataIgnored => {
            "run tfo doctor on the server, which shows its settings; if they are in order, capture there whether SYNs arrive with the option"
        }
        Verdict::CookieRefused => {
            "give all servers behind the address one key (net.ipv4.tcp_fastopen_key); if they have one, see whether an address translator changes this machine's address"
        }
        Verdict::SynLost if only(Cause::LargePacketsDropped) => LET_PACKETS_BE_SMALLER,
        Verdict::Reset if has(Cause::ServerResets) => {
            "see in the server's log why it ends these connections, and capture there whether it sends the RST"
        }
        Verdict::SynLost | Verdict::Reset | Verdict::Rejected | Verdict::Blackholed
            if !has(Cause::ApplicationSilent) =>
        {
            "probe from another network: if it works there, a firewall on this path is at fault; until then leave Fast Open off here"
        }
        Verdict::SynLost | Verdict::Reset | Verdict::Rejected | Verdict::Blackholed | Verdict::Silent => {
            "see whether the server's application gets and answers the request of fast connections; capture there whether an answer leaves"
        }
        Verdict::Intermittent => "probe more often, as with -n 20, and each server on its own",
        Verdict::Unreachable if has(Cause::Refused) => {
            "check the port: nothing listens there, or a firewall refuses"
        }
        Verdict::Unreachable if has(Cause::NoRoute) => "check this machine's routes: ip route get ADDRESS",
        Verdict::Unreachable => "check the address; for a slow path: --timeout 30s",
        Verdict::ThisMachine => machine_advice(judgement, evidence.local_error()),
        Verdict::Inconclusive => inconclusive_advice(judgement),
    };
    Some(advice.to_owned())
}

/// What to do about the one cause that is left of why no data is taken.
fn what_helps(cause: Cause) -> &'static str {
    match cause {
        Cause::ServerBitOff => {
            "switch it on there: sysctl -w net.ipv4.tcp_fastopen=3; the listener must ask for Fast Open, too (tfo doctor)"
        }
        Cause::ListenerOff => "let the server's listener ask for Fast Open; tfo doctor there says how",
        Cause::NeedsNoCookie => {
            "let it grant cookies (take 0x200 out of net.ipv4.tcp_fastopen, TCP_FASTOPEN_NO_COOKIE off), or let the client send without one (bit 0x4), on networks where addresses can't be forged"
        }
        Cause::AnsweredInItsPlace => {
            "except this server from the SYN proxy, or let the proxy answer only under attack"
        }
        Cause::SynCookies => "set net.ipv4.tcp_syncookies=1 there: SYN cookies only under attack",
        Cause::QueueFull => {
            "make the listener's Fast Open queue longer; tfo doctor there says how long it is"
        }
        Cause::CookieAltered => "probe from another network, to find where the cookie is altered",
        _ => "run tfo doctor on the server, and capture there whether SYNs arrive with the option",
    }
}

fn machine_advice(judgement: &Judgement, error: Option<LocalError>) -> &'static str {
    match judgement.causes.first() {
        Some(Cause::ClientBitOff) => "switch it on; for the command: tfo doctor",
        Some(Cause::BlackholeTimer) => {
            "wait until it tries again (net.ipv4.tcp_fastopen_blackhole_timeout_sec), and find the path that caused it: tfo watch"
        }
        Some(Cause::SendsWithoutCookie) => {
            "take bit 0x4 out of net.ipv4.tcp_fastopen: only servers that need no cookie take such data"
        }
        Some(Cause::DataKeptBack) => {
            "see whether this machine's own firewall stops SYNs with data or with the option: nft list ruleset"
        }
        Some(Cause::KernelLacksIt) => "use Linux 3.7 or newer",
        _ => error
            .and_then(LocalError::hint)
            .unwrap_or("see the system's log for why it makes no connection"),
    }
}

fn inconclusive_advice(judgement: &Judgement) -> &'static str {
    match judgement.causes.first() {
        Some(Cause::NoAnswerEither) => "send something that the server answers: --data",
        Some(Cause::LargePacketsDropped) => LET_PACKETS_BE_SMALLER,
        Some(Cause::KernelDoesNotTell) => "use Linux 5.5 or newer, which reports what became of the data",
        Some(Cause::NothingTried) => "let it run to its end",
        _ => "probe more often, as with -n 20, or when the path loses fewer packets",
    }
}
