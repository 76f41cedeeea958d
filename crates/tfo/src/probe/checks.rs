//! What is looked at after the connections of the schedule, where they leave several causes possible: which check is needed, and what
//! it comes to.

use std::net::SocketAddr;
use std::time::Duration;

use fastopen_host::counters::Counters;

use super::causes::size_may_matter;
use super::evidence::{AtOnce, Evidence, OwnServer, Trial};
use super::verdict::{Judgement, Verdict};
use crate::timed::variation::{self, Ended, Variation};

/// How long the answer to such a connection may take, where that is not what it is made for.
const SILENCE: Duration = Duration::from_millis(200);

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
pub(super) fn next(evidence: &Evidence, judgement: &Judgement, made: &[Check]) -> Option<Check> {
    let verdict = judgement.verdict;
    let undecided = matches!(
        verdict,
        Verdict::NoCookie | Verdict::DataIgnored | Verdict::Intermittent
    );
    let wanted = [
        (Check::OwnServer, evidence.local && undecided),
        (Check::PlainFailure, evidence.plain().any(Trial::failed_at_once)),
        (Check::FastFailure, evidence.fast().any(Trial::failed_at_once)),
        (Check::WithoutCookie, verdict == Verdict::NoCookie),
        (Check::SmallSegments, size_may_matter(evidence)),
    ];
    let next = wanted
        .into_iter()
        .find(|(check, wanted)| *wanted && !made.contains(check));
    next.map(|(check, _)| check)
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
            checks.plain_failure = at_once(connect(Variation::Plain, SILENCE).await);
        }
        Check::FastFailure => {
            checks.fast_failure = at_once(connect(Variation::Fast, SILENCE).await);
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
            let variation = if silent {
                Variation::PlainSmall
            } else {
                Variation::FastSmall
            };
            let ended = connect(variation, patience.min(Duration::from_secs(2))).await;
            evidence.checks.small_segments_help = match ended {
                Ended::Connected { answered, .. } if silent => Some(answered),
                Ended::Connected { accepted, .. } => Some(accepted),
                Ended::NotPossible => None,
                _ => Some(false),
            };
        }
    }
}

fn at_once(ended: Ended) -> Option<AtOnce> {
    match ended {
        Ended::Icmp(icmp) => Some(AtOnce::Icmp(icmp)),
        Ended::Refused => Some(AtOnce::Reset),
        Ended::NotPossible => Some(AtOnce::Here),
        // It fails in another way than before: inconclusive.
        Ended::Unanswered | Ended::Connected { .. } => None,
    }
}
