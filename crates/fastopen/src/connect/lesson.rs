//! What a connection that came about says of the path to its destination.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::attempt::{Attempt, AttemptEnd, Syn};
use crate::outcome::{Outcome, Reason};
use crate::tcp_info::TcpInfo;

/// What a connection taught of the path to its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lesson {
    pub(crate) destination: IpAddr,
    pub(crate) fast_syn: FastSyn,
    /// How long the handshake took, as the kernel measured it.
    pub(crate) rtt: Option<Duration>,
}

/// What became of the fast SYN, as far as that says something of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FastSyn {
    /// Its data was taken.
    Taken { sent: Instant },
    /// It got no answer, and a plain one did that was sent then.
    Lost { sent: Instant, plain_sent: Instant },
    /// It was turned away, and a plain one was not.
    Reset { sent: Instant },
    /// There was none, it risked nothing, or plain ones fared no better.
    NoLesson,
}

impl Lesson {
    /// For a race that began then, and that the attempt with that number has won.
    pub(crate) fn new(
        began: Instant,
        attempts: &[Attempt],
        winner: usize,
        outcome: Outcome,
        info: &TcpInfo,
    ) -> Option<Self> {
        if matches!(outcome, Outcome::NotAttempted(reason) if reason != Reason::PathMemory) {
            return None;
        }
        let sent_again = info.total_retrans().unwrap_or(0);
        let winner = &attempts[winner];
        Some(Self {
            destination: winner.address.ip(),
            fast_syn: FastSyn::of(began, attempts, winner, outcome, sent_again),
            // An answer to one of several says nothing of how long it took (RFC 6298, section 3).
            rtt: info.rtt().filter(|rtt| !rtt.is_zero() && sent_again == 0),
        })
    }
}

impl FastSyn {
    fn of(began: Instant, attempts: &[Attempt], winner: &Attempt, outcome: Outcome, sent_again: u32) -> Self {
        let was_joined = |fast: &Attempt| {
            let mut attempts = attempts.iter();
            attempts.any(|attempt| attempt.address == fast.address && attempt.syn == Syn::Plain)
        };
        match (outcome, winner.syn) {
            (Outcome::Accepted, _) => Self::Taken {
                sent: began + winner.started,
            },
            // The kernel's own: it sends a fast SYN again as a plain one. If it had to do so twice, or after a plain attempt, that one was
            // lost too.
            (Outcome::SynLost, Syn::Fast { .. }) if sent_again <= 1 && !was_joined(winner) => Self::Lost {
                sent: began + winner.started,
                plain_sent: began + winner.started + winner.elapsed,
            },
            (Outcome::SynLost, Syn::Plain) => {
                let fast = attempts.iter().find(|attempt| {
                    attempt.address == winner.address && matches!(attempt.syn, Syn::Fast { .. })
                });
                match fast.map(|fast| (fast.end, began + fast.started)) {
                    Some((AttemptEnd::Failed(error), sent)) if error.kind() != ErrorKind::TimedOut => {
                        Self::Reset { sent }
                    }
                    // Where plain SYNs are lost as well, as they are when a server has no room for more connections, it was not the data.
                    Some((_, sent)) if sent_again == 0 => Self::Lost {
                        sent,
                        plain_sent: began + winner.started,
                    },
                    _ => Self::NoLesson,
                }
            }
            // Without a cookie nothing was risked, and data that was ignored cost no time.
            _ => Self::NoLesson,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CallError;

    const MS: Duration = Duration::from_millis(1);
    const REFUSED: AttemptEnd = AttemptEnd::Failed(CallError::from_code("connect", 111));

    fn attempt(host: u8, syn: Syn, started: u32, end: AttemptEnd) -> Attempt {
        Attempt {
            address: ([192, 0, 2, host], 80).into(),
            syn,
            started: MS * started,
            elapsed: MS * 20,
            end,
        }
    }

    fn fast(host: u8, end: AttemptEnd) -> Attempt {
        attempt(host, Syn::Fast { bytes: 5 }, 0, end)
    }

    fn plain(host: u8) -> Attempt {
        attempt(host, Syn::Plain, 50, AttemptEnd::Connected)
    }

    fn info(sent_again: u32) -> TcpInfo {
        let mut bytes = [0; 232];
        bytes[68..72].copy_from_slice(&20_000_u32.to_ne_bytes());
        bytes[100..104].copy_from_slice(&sent_again.to_ne_bytes());
        TcpInfo::from_bytes(&bytes)
    }

    fn taught(attempts: &[Attempt], outcome: Outcome, sent_again: u32, began: Instant) -> FastSyn {
        let lesson = Lesson::new(began, attempts, attempts.len() - 1, outcome, &info(sent_again));
        lesson.unwrap().fast_syn
    }

    #[test]
    fn a_loss_counts_where_a_plain_syn_was_answered() {
        let began = Instant::now();
        let attempts = [fast(1, AttemptEnd::Unanswered), plain(1)];
        let lost = FastSyn::Lost {
            sent: began,
            plain_sent: began + MS * 50,
        };
        assert_eq!(taught(&attempts, Outcome::SynLost, 0, began), lost);
        assert_eq!(
            taught(&attempts, Outcome::SynLost, 1, began),
            FastSyn::NoLesson,
            "the plain one was lost as well"
        );
    }

    #[test]
    fn the_kernels_own_plain_syn_counts_alike() {
        let began = Instant::now();
        let attempts = [fast(1, AttemptEnd::Connected)];
        let taught = |sent_again| taught(&attempts, Outcome::SynLost, sent_again, began);
        assert!(matches!(taught(1), FastSyn::Lost { sent, .. } if sent == began));
        assert_eq!(taught(2), FastSyn::NoLesson);
        let mut joined = [plain(1), fast(1, AttemptEnd::Connected)];
        joined[0].end = AttemptEnd::Unanswered;
        let lesson = Lesson::new(began, &joined, 1, Outcome::SynLost, &info(1)).unwrap();
        assert_eq!(
            lesson.fast_syn,
            FastSyn::NoLesson,
            "the plain attempt was lost as well"
        );
    }

    #[test]
    fn a_reset_counts_and_a_time_out_does_not() {
        let began = Instant::now();
        let attempts = [fast(1, REFUSED), plain(1)];
        assert_eq!(
            taught(&attempts, Outcome::SynLost, 0, began),
            FastSyn::Reset { sent: began }
        );
        let timed_out = AttemptEnd::Failed(CallError::from_code("connect", 110));
        let attempts = [fast(1, timed_out), plain(1)];
        assert_eq!(taught(&attempts, Outcome::SynLost, 1, began), FastSyn::NoLesson);
    }

    #[test]
    fn another_address_teaches_nothing_of_this_one() {
        let began = Instant::now();
        let attempts = [fast(1, AttemptEnd::Unanswered), fast(2, AttemptEnd::Connected)];
        let lesson = Lesson::new(began, &attempts, 1, Outcome::Accepted, &info(0)).unwrap();
        assert_eq!(lesson.destination, attempts[1].address.ip());
        assert_eq!(lesson.fast_syn, FastSyn::Taken { sent: began });
    }

    #[test]
    fn what_was_not_tried_teaches_nothing_and_the_rest_the_round_trip_time() {
        let began = Instant::now();
        let lesson = |outcome, sent_again| Lesson::new(began, &[plain(1)], 0, outcome, &info(sent_again));
        assert_eq!(lesson(Outcome::NotAttempted(Reason::Policy), 0), None);
        let told = lesson(Outcome::NotAttempted(Reason::PathMemory), 0).unwrap();
        assert_eq!((told.fast_syn, told.rtt), (FastSyn::NoLesson, Some(MS * 20)));
        assert_eq!(lesson(Outcome::NoCookie, 1).unwrap().rtt, None);
    }
}
