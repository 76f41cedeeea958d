//! What is looked at after the connections of the schedule, where they leave several causes possible: which check is needed, and what
//! it comes to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use fastopen_host::counters::Counters;

use super::causes::size_may_matter;
use super::evidence::{Evidence, Reply, Trial};
use super::icmp::Rejection;
use super::verdict::{Cause, Judgement, Verdict};
use crate::own_server::OwnServer;
use crate::timed::variation::{self, Ended, FirstSyn, Variation};

/// How long the answer to such a connection may take, where that is not what it is made for.
const SILENCE: Duration = Duration::from_millis(200);

/// When the kernel has sent a second SYN. What it kept from the program of an ICMP error that came while it sent the first, it reports then.
const SECOND_SYN: Duration = Duration::from_millis(1200);

/// A further look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    OwnServer,
    PlainFailure,
    FastFailure,
    WithoutCookie,
    SmallSegments,
}

/// The next check that would tell causes apart, and has not been made.
pub(super) fn next(
    evidence: &Evidence,
    judgement: &Judgement,
    patience: Duration,
    made: &[Check],
) -> Option<Check> {
    let verdict = judgement.verdict;
    let undecided = matches!(
        verdict,
        Verdict::NoCookie | Verdict::DataIgnored | Verdict::Intermittent
    );
    let wanted = [
        (Check::OwnServer, evidence.local && undecided),
        (
            Check::PlainFailure,
            evidence.plain().any(Trial::failed_at_once)
                || (patience < SECOND_SYN && judgement.causes == [Cause::Unanswered]),
        ),
        (
            Check::FastFailure,
            evidence.fast().any(Trial::failed_at_once) || loses_fast_syns(judgement),
        ),
        (Check::WithoutCookie, verdict == Verdict::NoCookie),
        (Check::SmallSegments, size_may_matter(evidence)),
    ];
    let next = wanted
        .into_iter()
        .find(|(check, wanted)| *wanted && !made.contains(check));
    next.map(|(check, _)| check)
}

fn loses_fast_syns(judgement: &Judgement) -> bool {
    judgement.verdict == Verdict::SynLost || judgement.causes.contains(&Cause::SometimesLost)
}

/// Makes a check, and enters into the evidence what it came to.
pub(super) async fn make(
    check: Check,
    evidence: &mut Evidence,
    address: SocketAddr,
    first_bytes: &[u8],
    patience: Duration,
    risen: Option<&Counters>,
) {
    let checks = &mut evidence.checks;
    let connect = |variation, silence| variation::connect(address, variation, first_bytes, patience, silence);
    match check {
        Check::OwnServer => checks.own_server = OwnServer::find(address, risen),
        Check::PlainFailure => {
            checks.plain_failure = reply(address, connect(Variation::Plain, SILENCE).await);
        }
        Check::FastFailure => {
            checks.fast_failure = reply(address, connect(Variation::Fast, SILENCE).await);
        }
        Check::WithoutCookie => {
            checks.taken_without_cookie = match connect(Variation::WithoutCookie, SILENCE).await {
                Ended::Connected { accepted, .. } => Some(accepted),
                // A SYN with data that is dropped or refused is not taken.
                Ended::Unanswered | Ended::Refused | Ended::Icmp(_) => Some(false),
                Ended::NotPossible => None,
            };
        }
        Check::SmallSegments => {
            let silent = evidence.is_silent_to_plain();
            let (small, large) = match silent {
                true => (Variation::PlainSmall, Variation::Plain),
                false => (Variation::FastSmall, Variation::Fast),
            };
            let silence = patience.min(Duration::from_secs(2));
            let mut worked = Vec::new();
            let helped = loop {
                let variation = match small_segments(&worked) {
                    Turn::Small => small,
                    Turn::Large => large,
                    Turn::Known(helped) => break helped,
                };
                worked.push(match connect(variation, silence).await {
                    Ended::Connected { answered, .. } if silent => answered,
                    Ended::Connected { accepted, .. } => accepted,
                    Ended::NotPossible => break None,
                    _ => false,
                });
            };
            evidence.checks.small_segments_help = helped;
        }
    }
}

/// Which connection is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Small,
    Large,
    /// Whether small segments help; nothing where connections differ among themselves.
    Known(Option<bool>),
}

/// Connections with small segments and with large ones take turns, since one alone may be lucky: whether each so far worked says what is
/// next.
fn small_segments(worked: &[bool]) -> Turn {
    match worked {
        [] | [true, false] => Turn::Small,
        [true] | [true, false, true] => Turn::Large,
        [false] => Turn::Known(Some(false)),
        [true, false, true, false] => Turn::Known(Some(true)),
        _ => Turn::Known(None),
    }
}

fn reply(address: SocketAddr, ended: Ended) -> Option<Reply> {
    let rejection = |icmp| Reply::Icmp(Rejection::new(icmp, address.ip(), own_address(address)));
    match ended {
        Ended::Icmp(icmp) => Some(rejection(icmp)),
        Ended::Refused => Some(Reply::Reset),
        Ended::NotPossible => Some(Reply::Here),
        Ended::Unanswered => Some(Reply::Nothing),
        Ended::Connected { first_syn, .. } => match first_syn {
            FirstSyn::Rejected(icmp) => Some(rejection(icmp)),
            FirstSyn::Lost => Some(Reply::Nothing),
            // It fares better than those before: inconclusive.
            FirstSyn::Answered => None,
        },
    }
}

/// The address that this machine connects from. To connect a datagram socket sends nothing.
fn own_address(target: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lucky_connection_proves_nothing() {
        for (worked, turn) in [
            (&[][..], Turn::Small),
            (&[false], Turn::Known(Some(false))),
            (&[true], Turn::Large),
            (&[true, true], Turn::Known(None)),
            (&[true, false], Turn::Small),
            (&[true, false, false], Turn::Known(None)),
            (&[true, false, true], Turn::Large),
            (&[true, false, true, true], Turn::Known(None)),
            (&[true, false, true, false], Turn::Known(Some(true))),
        ] {
            assert_eq!(small_segments(worked), turn, "{worked:?}");
        }
    }
}
