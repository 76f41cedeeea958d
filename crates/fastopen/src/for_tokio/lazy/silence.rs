//! Whether anything is received on a connection whose SYN carried data; where nothing is, the path memory gets to know.

use std::io::{Error, ErrorKind};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use fastopen_host::TcpState;
use tokio::net::TcpStream;

use crate::connect::{Connected, PathMemory, Syn};
use crate::outcome::Outcome;
use crate::tcp_info::TcpInfo;

/// How long the caller has waited for an answer, besides three round-trip times. A server that answers at once has sent its answer
/// again by then if it was lost (the least time-out of Linux, `TCP_RTO_MIN`).
const PATIENCE: Duration = Duration::from_millis(200);
/// The same where answers have come over this path before, so that a slow server is likelier. The time-out that TCP begins with (RFC 6298,
/// section 2).
const PATIENCE_WHERE_ANSWERED: Duration = Duration::from_secs(1);
/// After so many retransmissions without an answer the connection counts as dead.
const UNANSWERED: u32 = 2;

/// Watches a connection until something is received, or it ends.
#[derive(Debug)]
pub(super) struct Silence {
    memory: PathMemory,
    /// `None` when there is nothing to watch for, any more or at all.
    watched: Option<Watched>,
}

#[derive(Debug)]
struct Watched {
    destination: IpAddr,
    syn_bytes: usize,
    waiting_since: Option<Instant>,
}

impl Silence {
    pub(super) fn new(memory: PathMemory) -> Self {
        Self {
            memory,
            watched: None,
        }
    }

    /// Begins, if the SYN carried data that was taken.
    pub(super) fn begin<S>(&mut self, connected: &Connected<S>) {
        if connected.outcome != Outcome::Accepted {
            return;
        }
        let winner = connected.attempts.iter().find(|attempt| attempt.is_connected());
        self.watched = winner.and_then(|winner| match winner.syn {
            Syn::Fast { bytes } if bytes > 0 => Some(Watched {
                destination: winner.address.ip(),
                syn_bytes: bytes,
                waiting_since: None,
            }),
            _ => None,
        });
    }

    /// Somebody waits for the answer.
    pub(super) fn waiting(&mut self) {
        if let Some(watched) = &mut self.watched {
            watched.waiting_since.get_or_insert_with(now);
        }
    }

    /// Something was received, if only the end of the stream.
    pub(super) fn received(&mut self) {
        if let Some(watched) = self.watched.take() {
            self.memory.answered(watched.destination);
        }
    }

    /// The connection has failed.
    pub(super) fn failed(&mut self, error: &Error) {
        let Some(watched) = self.watched.take() else {
            return;
        };
        if matches!(
            error.kind(),
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
        ) {
            self.memory.report_dead(watched.destination);
        }
    }

    /// The connection is given up by whoever had it.
    pub(super) fn given_up(&mut self, stream: &TcpStream) {
        let Some(watched) = self.watched.take() else {
            return;
        };
        // Asks the kernel only here, where nothing was read from a connection that began fast.
        let Ok(info) = TcpInfo::of(stream) else { return };
        let patience = match self.memory.has_answered(watched.destination) {
            true => PATIENCE_WHERE_ANSWERED,
            false => PATIENCE,
        };
        if watched.is_dead(&info, patience, now()) {
            self.memory.report_dead(watched.destination);
        }
    }
}

impl Watched {
    fn is_dead(&self, info: &TcpInfo, patience: Duration, now: Instant) -> bool {
        // The SYN takes one sequence number, and the SYN-ACK has acknowledged it with its data.
        let acked_by_syn_ack = self.syn_bytes as u64 + 1;
        let silent = info.bytes_received() == Some(0)
            && info.bytes_acked().is_some_and(|acked| acked <= acked_by_syn_ack)
            && info.state().is_some_and(no_end_was_received);
        let unanswered =
            info.unacked() > Some(0) && info.total_retrans().is_some_and(|count| count >= UNANSWERED);
        let waited = self.waiting_since.is_some_and(|since| {
            now.saturating_duration_since(since) >= patience + 3 * info.rtt().unwrap_or_default()
        });
        silent && (unanswered || waited)
    }
}

/// Whether the connection goes on and no FIN has come, which would be an answer of a kind.
fn no_end_was_received(state: TcpState) -> bool {
    matches!(state, TcpState::Established | TcpState::FinWait1)
}

/// The runtime's clock, as for connecting.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What the kernel tells of a connection with ten bytes in the SYN and a round-trip time of 20 ms.
    struct Kernel {
        state: u8,
        acked: u64,
        received: u64,
        unacked: u32,
        sent_again: u32,
    }

    const SILENT: Kernel = Kernel {
        state: 1,
        acked: 11,
        received: 0,
        unacked: 0,
        sent_again: 0,
    };

    impl Kernel {
        fn is_dead_after(&self, waited: Option<Duration>) -> bool {
            let mut info = [0; 280];
            info[0] = self.state;
            info[24..28].copy_from_slice(&self.unacked.to_ne_bytes());
            info[68..72].copy_from_slice(&20_000_u32.to_ne_bytes());
            info[100..104].copy_from_slice(&self.sent_again.to_ne_bytes());
            info[120..128].copy_from_slice(&self.acked.to_ne_bytes());
            info[128..136].copy_from_slice(&self.received.to_ne_bytes());
            let now = Instant::now();
            let watched = Watched {
                destination: [192, 0, 2, 1].into(),
                syn_bytes: 10,
                waiting_since: waited.map(|_| now),
            };
            let now = now + waited.unwrap_or_default();
            watched.is_dead(&TcpInfo::from_bytes(&info), PATIENCE, now)
        }
    }

    #[test]
    fn who_waits_in_vain_for_long_enough_has_shown_it() {
        assert!(!SILENT.is_dead_after(None), "nobody waited");
        assert!(!SILENT.is_dead_after(Some(259 * MS)));
        assert!(SILENT.is_dead_after(Some(260 * MS)));
    }

    #[test]
    fn retransmissions_without_an_answer_show_it_at_once() {
        let sending = |unacked, sent_again| Kernel {
            unacked,
            sent_again,
            ..SILENT
        };
        assert!(sending(1, 2).is_dead_after(None));
        assert!(!sending(1, 1).is_dead_after(None), "one packet may be lost");
        assert!(!sending(0, 2).is_dead_after(None), "they were acknowledged");
    }

    #[test]
    fn whatever_came_shows_that_it_lives() {
        let long = Some(10_000 * MS);
        let lives = [
            Kernel {
                received: 1,
                ..SILENT
            },
            Kernel { acked: 12, ..SILENT },
            // CLOSE_WAIT: a FIN.
            Kernel { state: 8, ..SILENT },
            // CLOSE: a RST.
            Kernel { state: 7, ..SILENT },
        ];
        assert!(lives.iter().all(|kernel| !kernel.is_dead_after(long)));
        // FIN_WAIT1: the client's own.
        assert!(Kernel { state: 4, ..SILENT }.is_dead_after(long));
    }
}
