//! Why Fast Open does not come about: every cause that the evidence leaves, the likeliest first. One that stands alone is certain.

use super::evidence::{AtOnce, Evidence, Grant, OwnServer, Seen, SynAckLook, Trial};
use super::verdict::Cause;
use crate::timed::Way;

/// A SYN with more data than this is longer than what every path carries.
const LARGE_SYN: usize = 450;

/// The programs that forward connections to a container's network.
const FORWARDERS: [&str; 4] = ["docker-proxy", "rootlessport", "slirp4netns", "pasta"];

/// Why handshakes succeed and no cookie comes.
pub(super) fn of_no_cookie(evidence: &Evidence) -> Vec<Cause> {
    if let Some(own) = &evidence.checks.own_server {
        return of_own_server(own);
    }
    if evidence.checks.taken_without_cookie == Some(true) {
        return vec![Cause::NeedsNoCookie];
    }
    if let Some(causes) = who_answers(evidence) {
        return causes;
    }
    let mut causes = vec![
        Cause::ServerBitOff,
        Cause::ListenerOff,
        Cause::ProxyEndsIt,
        Cause::OptionStripped,
        Cause::AnsweredInItsPlace,
        Cause::SynCookies,
        Cause::QueueFull,
    ];
    if evidence.checks.taken_without_cookie.is_none() {
        causes.push(Cause::NeedsNoCookie);
    }
    causes.retain(|cause| is_possible(*cause, evidence));
    causes
}

/// Why data with a cookie is not taken, and no other cookie granted.
pub(super) fn of_ignored_data(evidence: &Evidence) -> Vec<Cause> {
    let ignored = evidence.trials.iter().filter(|trial| trial.was_ignored());
    let grants: Vec<_> = ignored.map(Trial::grant).collect();
    let all = |grant| !grants.is_empty() && grants.iter().all(|seen| *seen == grant);
    if all(Grant::TheSame) && !evidence.local {
        return vec![Cause::CookieAltered];
    }
    if let Some(own) = &evidence.checks.own_server {
        return of_own_server(own);
    }
    if let Some(causes) = who_answers(evidence) {
        return causes;
    }
    let granted_now = evidence.trials.iter().any(|trial| trial.granted().is_some());
    // A server that granted a cookie on one of these connections has Fast Open on.
    let mut causes = match granted_now {
        true => Vec::new(),
        false => vec![Cause::ServerBitOff, Cause::ListenerOff, Cause::ProxyEndsIt],
    };
    causes.extend([
        Cause::OptionStripped,
        Cause::AnsweredInItsPlace,
        Cause::SynCookies,
        Cause::QueueFull,
    ]);
    if !all(Grant::None) {
        causes.push(Cause::CookieAltered);
    }
    causes.retain(|cause| is_possible(*cause, evidence));
    causes
}

/// A server's settings on this machine, read rather than inferred. Where they are in order, what remains is what can't be read.
fn of_own_server(own: &OwnServer) -> Vec<Cause> {
    if own
        .program
        .as_deref()
        .is_some_and(|program| FORWARDERS.contains(&program))
    {
        // Behind it, or beside it by address translation, is another network with settings of its own.
        return vec![Cause::ProxyEndsIt, Cause::ServerBitOff, Cause::ListenerOff];
    }
    if !own.server_bit {
        return vec![Cause::ServerBitOff];
    }
    if own.listener_asks == Some(false) {
        return vec![Cause::ListenerOff];
    }
    if own.needs_no_cookie {
        return vec![Cause::NeedsNoCookie];
    }
    if own.syn_cookies {
        return vec![Cause::SynCookies];
    }
    if own.overflowed {
        return vec![Cause::QueueFull];
    }
    match own.listener_asks {
        None => vec![Cause::ListenerOff, Cause::QueueFull, Cause::NeedsNoCookie],
        Some(_) => vec![Cause::QueueFull, Cause::NeedsNoCookie],
    }
}

/// Why connections whose SYN's data was taken, or that asked for a cookie, are silent afterwards where plain ones are answered.
pub(super) fn of_silence(evidence: &Evidence) -> Vec<Cause> {
    match ends_acknowledged(evidence) {
        Some(true) => vec![Cause::ApplicationSilent, Cause::AnswerDropped],
        Some(false) => vec![Cause::DroppedAfterwards],
        None => vec![Cause::ApplicationSilent, Cause::DroppedAfterwards],
    }
}

/// Whether the server acknowledged the end of every silent fast connection, or of none; nothing where they differ.
pub(super) fn ends_acknowledged(evidence: &Evidence) -> Option<bool> {
    let silent = evidence.fast().filter(|trial| trial.was_silent());
    let mut ends = silent.map(|trial| trial.made().and_then(|made| made.end_acknowledged));
    let first = ends.next()??;
    ends.all(|end| end == Some(first)).then_some(first)
}

/// Why fast connections are reset after their handshake.
pub(super) fn of_resets(evidence: &Evidence) -> Vec<Cause> {
    let foreign = |seen: &Seen| {
        let syn_ack = seen.syn_ack.as_ref()?.hop_limit;
        Some(seen.reset_hop_limit? != syn_ack)
    };
    let cut_off = evidence.fast().filter(|trial| trial.was_cut_off());
    let seen: Vec<_> = cut_off
        .filter_map(|trial| foreign(trial.wire.as_ref()?))
        .collect();
    match !seen.is_empty() && seen.iter().all(|foreign| *foreign) {
        true => vec![Cause::ResetOnTheWay],
        false => vec![Cause::ServerResets, Cause::ResetOnTheWay],
    }
}

/// Why SYNs with a cookie or data are lost, and plain ones are not.
pub(super) fn of_lost_syns(evidence: &Evidence) -> Vec<Cause> {
    let syn_bytes = evidence
        .fast()
        .filter_map(|trial| Some(trial.made()?.syn_bytes))
        .max();
    match evidence.checks.small_segments_help {
        Some(true) => vec![Cause::LargePacketsDropped],
        None if syn_bytes.is_some_and(|bytes| bytes > LARGE_SYN) => {
            vec![Cause::FastSynDropped, Cause::LargePacketsDropped]
        }
        _ => vec![Cause::FastSynDropped],
    }
}

/// Whether small segments might fare better than what was lost.
pub(super) fn size_may_matter(evidence: &Evidence) -> bool {
    let silent = evidence.is_silent_to_plain();
    let large = |trial: &Trial| trial.made().is_some_and(|made| made.syn_bytes > LARGE_SYN);
    silent || evidence.fast().any(|trial| trial.lost_its_syn() && large(trial))
}

/// Why no plain connection comes about.
pub(super) fn of_unreachability(evidence: &Evidence, refused: bool) -> Vec<Cause> {
    match evidence.checks.plain_failure {
        Some(AtOnce::Icmp(icmp)) if icmp.is_prohibition() => vec![Cause::Prohibited],
        Some(AtOnce::Icmp(icmp)) if icmp.meaning() == "port unreachable" => vec![Cause::PortUnreachable],
        Some(AtOnce::Icmp(_)) => vec![Cause::IcmpUnreachable],
        Some(AtOnce::Reset) => vec![Cause::Refused],
        Some(AtOnce::Here) => vec![Cause::NoRoute],
        None if refused => vec![Cause::Refused, Cause::PortUnreachable],
        None => vec![Cause::NoRoute, Cause::IcmpUnreachable],
    }
}

/// What the packets say of who makes the SYN-ACKs; nothing where they leave it open.
fn who_answers(evidence: &Evidence) -> Option<Vec<Cause>> {
    let seen: Vec<_> = evidence
        .trials
        .iter()
        .filter_map(|trial| Some((trial, trial.wire.as_ref()?)))
        .collect();
    proxied(&seen).then(|| vec![Cause::AnsweredInItsPlace])
}

/// Whether a host other than the server makes the SYN-ACKs: they come a different number of hops from what follows them, they open no
/// window, or those for fast SYNs are unlike those for others.
fn proxied(seen: &[(&Trial, &Seen)]) -> bool {
    let of = |way| {
        let those = seen.iter().filter(move |(trial, _)| trial.way == way);
        those.filter_map(|(_, seen)| Some((*seen, seen.syn_ack.as_ref()?)))
    };
    let all = || of(Way::Plain).chain(of(Way::Fast));
    let from_elsewhere =
        |(seen, look): (&Seen, &SynAckLook)| seen.later_hop_limit.is_some_and(|hops| hops != look.hop_limit);
    let enough = all().count() >= 3;
    let carried = |trial: &Trial| trial.carried_data();
    let with_data: Vec<_> = seen
        .iter()
        .filter(|(trial, _)| carried(trial))
        .filter_map(|(_, seen)| seen.syn_ack.as_ref())
        .collect();
    let without: Vec<_> = seen
        .iter()
        .filter(|(trial, _)| !carried(trial))
        .filter_map(|(_, seen)| seen.syn_ack.as_ref())
        .collect();
    let alike = |looks: &[&SynAckLook]| looks.windows(2).all(|pair| pair[0].is_like(pair[1]));
    let unlike = with_data.len() >= 2
        && without.len() >= 2
        && alike(&with_data)
        && alike(&without)
        && !with_data[0].is_like(without[0]);
    (enough && (all().all(from_elsewhere) || all().all(|(_, look)| look.window == 0))) || unlike
}

/// Whether a cause is possible where there may be no path, or packets were seen.
fn is_possible(cause: Cause, evidence: &Evidence) -> bool {
    match cause {
        Cause::OptionStripped | Cause::AnsweredInItsPlace | Cause::CookieAltered => !evidence.local,
        _ => true,
    }
}
