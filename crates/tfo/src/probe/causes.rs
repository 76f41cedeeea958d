//! Why Fast Open does not come about: every cause that the evidence leaves, the likeliest first. One that stands alone is certain.

use super::evidence::{Evidence, Grant, Reply, Seen, SynAckLook, Trial};
use super::verdict::Cause;
use crate::local_error::LocalError;
use crate::own_server::OwnServer;

/// A SYN with more data than this is longer than what every path carries.
const LARGE_SYN: usize = 450;

/// The programs that forward connections to a container's network.
const FORWARDERS: &[&str] = &["docker-proxy", "rootlessport", "slirp4netns", "pasta"];

/// Why handshakes succeed and no cookie comes.
pub(super) fn of_no_cookie(evidence: &Evidence) -> Vec<Cause> {
    if let Some(own) = &evidence.checks.own_server {
        // Where the queue is full, data without a cookie is not taken by a server that needs none, either.
        let may_need_none =
            own.needs_no_cookie() || own.overflowed || evidence.checks.taken_without_cookie != Some(false);
        return of_own_server(own, may_need_none);
    }
    if evidence.checks.taken_without_cookie == Some(true) {
        return vec![Cause::NeedsNoCookie];
    }
    let proxied = proxied(evidence);
    if proxied == Proxied::Certainly {
        return vec![Cause::AnsweredInItsPlace];
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
    // A stable sort: the order of the others stays.
    causes.sort_by_key(|cause| proxied == Proxied::Likely && *cause != Cause::AnsweredInItsPlace);
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
        // A server that needs no cookie takes the data whatever the cookie.
        return of_own_server(own, false);
    }
    let proxied = proxied(evidence);
    if proxied == Proxied::Certainly {
        return vec![Cause::AnsweredInItsPlace];
    }
    let granted_now = evidence.trials.iter().any(|trial| trial.granted().is_some());
    // A server that granted a cookie on one of these connections has Fast Open on.
    let mut causes = match granted_now {
        true => Vec::new(),
        false => vec![Cause::ServerBitOff, Cause::ListenerOff, Cause::ProxyEndsIt],
    };
    causes.extend([
        Cause::OptionStripped,
        Cause::DataStripped,
        Cause::AnsweredInItsPlace,
        Cause::SynCookies,
        Cause::QueueFull,
    ]);
    if !all(Grant::None) {
        causes.push(Cause::CookieAltered);
    }
    causes.retain(|cause| is_possible(*cause, evidence));
    // A stable sort: the order of the others stays.
    causes.sort_by_key(|cause| proxied == Proxied::Likely && *cause != Cause::AnsweredInItsPlace);
    causes
}

/// A server's settings on this machine, read rather than inferred. Where they are in order, what remains is what can't be read.
fn of_own_server(own: &OwnServer, may_need_no_cookie: bool) -> Vec<Cause> {
    if own
        .program
        .as_deref()
        .is_some_and(|program| FORWARDERS.contains(&program))
    {
        // Behind it, or beside it by address translation, is another network with settings of its own.
        return vec![Cause::ProxyEndsIt, Cause::ServerBitOff, Cause::ListenerOff];
    }
    if !own.server_bit() {
        return vec![Cause::ServerBitOff];
    }
    if own.listener_asks == Some(false) {
        return vec![Cause::ListenerOff];
    }
    if may_need_no_cookie && own.needs_no_cookie() {
        return vec![Cause::NeedsNoCookie];
    }
    if own.syn_cookies {
        return vec![Cause::SynCookies];
    }
    // The counters are those of all listeners.
    let mut causes = match (own.syn_cookies_sent, own.overflowed, own.listener_asks) {
        (true, ..) => vec![Cause::SynCookies, Cause::QueueFull],
        (false, true, _) | (.., Some(_)) => vec![Cause::QueueFull],
        (.., None) => vec![Cause::ListenerOff, Cause::QueueFull],
    };
    if may_need_no_cookie {
        causes.push(Cause::NeedsNoCookie);
    }
    causes
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

/// Why fast connections are reset after their handshake. Where the RST came over another number of hops than the SYN-ACK it is likelier
/// not the server's, but a system may give its RSTs another hop limit.
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
        true => vec![Cause::ResetOnTheWay, Cause::ServerResets],
        false => vec![Cause::ServerResets, Cause::ResetOnTheWay],
    }
}

/// Why SYNs with a cookie or data are lost, and plain ones are not.
pub(super) fn of_lost_syns(evidence: &Evidence) -> Vec<Cause> {
    let syn_bytes = evidence
        .fast()
        .filter_map(|trial| Some(trial.made()?.syn_bytes))
        .max();
    // Plain connections carry the same data in one segment, as long as the SYN: where it arrives, length alone is not what is dropped.
    let by_length = match evidence.plain().any(Trial::was_heard) {
        true => Cause::LargeSynDropped,
        false => Cause::LargePacketsDropped,
    };
    match evidence.checks.small_segments_help {
        Some(true) => vec![by_length],
        None if syn_bytes.is_some_and(|bytes| bytes > LARGE_SYN) => {
            let mut causes = dropped_or_rejected(Cause::FastSynDropped, evidence);
            causes.push(by_length);
            causes
        }
        _ => dropped_or_rejected(Cause::FastSynDropped, evidence),
    }
}

/// Why SYNs that ask for a cookie are lost, and plain ones are not.
pub(super) fn of_lost_requests(evidence: &Evidence) -> Vec<Cause> {
    dropped_or_rejected(Cause::RequestDropped, evidence)
}

/// Where nobody saw that no ICMP error came, there may have been one: after it the kernel sends a plain SYN as after a lost one.
fn dropped_or_rejected(dropped: Cause, evidence: &Evidence) -> Vec<Cause> {
    match evidence.checks.fast_failure {
        Some(Reply::Nothing) => vec![dropped],
        _ => vec![dropped, Cause::FastSynRejected],
    }
}

/// Why this system makes no attempt.
pub(super) fn of_local_error(why: LocalError) -> Cause {
    match why {
        LocalError::NoAddress | LocalError::NoFamily => Cause::NoLocalAddress,
        LocalError::NoZone => Cause::ZoneMissing,
        LocalError::BlackholeRoute => Cause::BlackholeRoute,
        LocalError::Prohibited | LocalError::Forbidden => Cause::RefusedHere,
        LocalError::Exhausted | LocalError::Other => Cause::FailedHere,
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
        Some(Reply::Icmp(rejection)) if rejection.icmp.is_prohibition() => vec![Cause::Prohibited],
        Some(Reply::Icmp(rejection)) if rejection.icmp.meaning() == "port unreachable" => {
            vec![Cause::PortUnreachable]
        }
        Some(Reply::Icmp(_)) => vec![Cause::IcmpUnreachable],
        Some(Reply::Reset) => vec![Cause::Refused],
        Some(Reply::Here) => vec![Cause::NoRoute],
        Some(Reply::Nothing) | None if refused => vec![Cause::Refused, Cause::PortUnreachable],
        Some(Reply::Nothing) | None => vec![Cause::NoRoute, Cause::IcmpUnreachable],
    }
}

/// Whether a host other than the server makes the SYN-ACKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proxied {
    /// Nothing says so.
    Unseen,
    /// They look like it, but some servers look alike.
    Likely,
    Certainly,
}

/// What the packets say of who makes the SYN-ACKs. That they come over another number of hops than what follows them may be a program that
/// sets its connections' hop limit, and that they open no window may be a server that is short of memory: both together are a SYN proxy.
/// So is a SYN-ACK that is unlike others exactly where the SYN carried data, so often that a farm of unlike servers does not produce it by
/// chance.
fn proxied(evidence: &Evidence) -> Proxied {
    let looks = evidence.trials.iter().filter_map(|trial| {
        let seen = trial.wire.as_ref()?;
        Some((trial.carried_data(), seen.syn_ack.as_ref()?, seen.later_hop_limit))
    });
    proxied_by(&looks.collect::<Vec<_>>())
}

/// The same of what was seen of each connection: whether its SYN carried data, the SYN-ACK, and the hop limit of what followed.
fn proxied_by(looks: &[(bool, &SynAckLook, Option<u8>)]) -> Proxied {
    const WITH_DATA: usize = 3;
    const WITHOUT: usize = 5;
    let (data, plain): (Vec<_>, Vec<_>) = looks.iter().partition(|(carried_data, ..)| *carried_data);
    let alike = |those: &[&(bool, &SynAckLook, _)]| those.windows(2).all(|pair| pair[0].1.is_like(pair[1].1));
    let differ = match (data.first(), plain.first()) {
        (Some(with), Some(without)) => alike(&data) && alike(&plain) && !with.1.is_like(without.1),
        _ => false,
    };
    let enough = looks.len() >= 3;
    let from_elsewhere = enough
        && looks
            .iter()
            .all(|(_, look, later)| later.is_some_and(|hops| hops != look.hop_limit));
    let no_window = enough && looks.iter().all(|(_, look, _)| look.window == 0);
    if (differ && data.len() >= WITH_DATA && plain.len() >= WITHOUT) || (from_elsewhere && no_window) {
        Proxied::Certainly
    } else if (differ && data.len() >= 2 && plain.len() >= 2) || from_elsewhere || no_window {
        Proxied::Likely
    } else {
        Proxied::Unseen
    }
}

/// Whether a cause is possible where there may be no path, or packets were seen.
fn is_possible(cause: Cause, evidence: &Evidence) -> bool {
    match cause {
        Cause::OptionStripped | Cause::DataStripped | Cause::AnsweredInItsPlace | Cause::CookieAltered => {
            !evidence.local
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections of a kind: whether their SYN carries data, the SYN-ACK's hop limit and window, and the hop limit of what follows.
    fn judged(kinds: &[(usize, bool, (u8, u16), u8)]) -> Proxied {
        let look = |hop_limit, window| SynAckLook {
            hop_limit,
            window,
            options: vec![2, 4, 5, 0xa0],
            timestamp: None,
        };
        let kinds: Vec<_> = kinds
            .iter()
            .map(|(count, data, (hops, window), later)| (*count, *data, look(*hops, *window), *later))
            .collect();
        let all = kinds
            .iter()
            .flat_map(|(count, data, look, later)| std::iter::repeat_n((*data, look, Some(*later)), *count));
        proxied_by(&all.collect::<Vec<_>>())
    }

    #[test]
    fn one_sign_of_a_proxy_is_no_proof() {
        let server = (64, 65_535);
        for (kinds, proxied) in [
            (
                vec![(3, true, server, 64), (8, false, server, 64)],
                Proxied::Unseen,
            ),
            // A program that sets its connections' hop limit.
            (
                vec![(3, true, server, 255), (8, false, server, 255)],
                Proxied::Likely,
            ),
            // A server that opens no window at once.
            (
                vec![(3, true, (64, 0), 64), (8, false, (64, 0), 64)],
                Proxied::Likely,
            ),
            (
                vec![(3, true, (60, 0), 64), (8, false, (60, 0), 64)],
                Proxied::Certainly,
            ),
            (
                vec![(3, true, (60, 9), 60), (8, false, server, 64)],
                Proxied::Certainly,
            ),
            // With so few connections, a farm of two unlike servers may look so by chance.
            (
                vec![(2, true, (60, 9), 60), (2, false, server, 64)],
                Proxied::Likely,
            ),
            (
                vec![
                    (2, true, (60, 9), 60),
                    (1, true, server, 64),
                    (8, false, server, 64),
                ],
                Proxied::Unseen,
            ),
            (
                vec![(1, true, (60, 9), 60), (8, false, server, 64)],
                Proxied::Unseen,
            ),
            (vec![(2, false, (60, 0), 64)], Proxied::Unseen),
        ] {
            assert_eq!(judged(&kinds), proxied, "{kinds:?}");
        }
    }
}
