//! What is to be done about a connection that is being made, from what the kernel tells of it: pure.

use std::time::Duration;

use fastopen::{TcpInfo, TcpState};

use super::traffic::Traffic;

/// A deferred socket that nobody has written to for so long is released: its program reads or polls first, and would wait for ever.
/// Programs that speak first do so within a fraction of this, as far as they have a processor.
const RELEASE_AFTER: Duration = Duration::from_millis(5);
/// For how long one is not released while its program computes, or waits for a processor or the disk: on a busy machine that is what
/// keeps it from writing.
const RELEASE_BUSY_AFTER: Duration = Duration::from_millis(250);
/// The supervisor's clock is no finer.
const SHORTEST: Duration = Duration::from_millis(1);
/// For how long a thread may take from the answer to its connect() until the kernel has begun with it.
const BEGINS_WITHIN: Duration = Duration::from_millis(250);
/// For how long a released connection is watched for who speaks first.
const SPEAKS_WITHIN: Duration = Duration::from_secs(30);
/// Longer than the kernel sends SYNs.
const LONGEST: Duration = Duration::from_secs(150);

/// For how long a deferred socket waits for its first bytes before it is released, on a path with this round-trip time.
///
/// Never for longer than a round trip, after which nothing is left to be saved: a small request that is written by then is answered
/// sooner than without, and one that is written later as soon. What waits for the server, or writes more at once than the SYN takes, loses
/// as long as this at most; a port where the server speaks first is remembered, and two late writers in a row make their destination plain.
pub(crate) fn patience(rtt: Option<Duration>, is_busy: bool) -> Duration {
    let limit = match is_busy {
        true => RELEASE_BUSY_AFTER,
        false => RELEASE_AFTER,
    };
    rtt.map_or(RELEASE_AFTER, |rtt| rtt.clamp(SHORTEST, limit))
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// None: the socket is gone.
    pub(crate) info: Option<&'a TcpInfo>,
    pub(crate) traffic: Traffic,
    /// TCP_FASTOPEN_CONNECT was set on it here.
    pub(crate) asked: bool,
    /// Its connect() was seen to have begun.
    pub(crate) begun: bool,
    /// It was seen with connect() done and no SYN sent.
    pub(crate) seen_deferred: bool,
    /// Its SYN was sent from here, without data.
    pub(crate) released: bool,
    /// Since its handshake was seen to have ended.
    pub(crate) since_handshake: Duration,
    /// A duplicate of it is held.
    pub(crate) held: bool,
    /// Its handshake was seen to have ended.
    pub(crate) was_established: bool,
    /// The client was seen to have written before the server.
    pub(crate) wrote_first: bool,
    /// The kernel said that it has been closed while its program still had it.
    pub(crate) refused: bool,
    /// For how long it may wait for its first bytes.
    pub(crate) patience: Duration,
    /// Since its connect() was let through.
    pub(crate) age: Duration,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look again later.
    Wait,
    /// Send the SYN without data.
    Release,
    /// Close the duplicate, and look on without.
    LetGo,
    /// Take the option back, and forget the socket: its connect() has failed at once, or does not begin.
    Withdraw,
    /// It is over.
    Done(End),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Established,
    Failed,
    /// The server spoke first on a released connection.
    ServerFirst,
    /// The client wrote on a released connection.
    WroteLate,
    /// connect() failed before anything was sent.
    NotBegun,
    /// The socket was closed before there was anything to see.
    Gone,
}

impl View<'_> {
    pub(crate) fn state(&self) -> Option<TcpState> {
        self.info.and_then(TcpInfo::state)
    }

    /// Whether connect() returned success although the handshake has not finished.
    pub(crate) fn is_deferred(&self) -> bool {
        let was_deferred = self.seen_deferred
            || self.traffic.segments_out == 0
            || self.traffic.bytes_sent > 0
            || self.released;
        self.state() == Some(TcpState::SynSent) && self.asked && was_deferred
    }

    pub(crate) fn step(&self) -> Step {
        let Some(state) = self.state() else {
            return Step::Done(match (self.was_established, self.refused) {
                (true, _) if self.wrote_first => End::WroteLate,
                (true, _) => End::Established,
                (false, true) => End::Failed,
                (false, false) => End::Gone,
            });
        };
        match state {
            // It may be over before it is looked at for the first time.
            TcpState::Close if self.begun && self.has_been_established() => self.after_the_end(),
            // It was reset before its program's call woke up, which has cleared the counters (tcp_disconnect) but not this: what became of its
            // data is not known.
            TcpState::Close if self.begun && self.traffic.min_rtt.is_some() => Step::Done(End::Gone),
            TcpState::Close if self.begun => Step::Done(End::Failed),
            TcpState::Close if self.age < BEGINS_WITHIN => Step::Wait,
            TcpState::Close => Step::Withdraw,
            TcpState::SynSent => self.while_connecting(),
            _ if self.released => self.after_release(),
            _ => Step::Done(End::Established),
        }
    }

    fn while_connecting(&self) -> Step {
        if self.is_deferred() && self.traffic.segments_out == 0 {
            return match self.age >= self.patience {
                true => Step::Release,
                false => Step::Wait,
            };
        }
        if self.age >= LONGEST {
            return Step::Done(End::Failed);
        }
        // The program of a deferred one believes it to be connected: closing it must not break off the handshake.
        match self.held && !self.is_deferred() && self.age >= RELEASE_AFTER && self.traffic.segments_out > 0 {
            true => Step::LetGo,
            false => Step::Wait,
        }
    }

    /// Whether the server has acknowledged the SYN or sent something, now or earlier. A reset that answers the SYN does neither.
    fn has_been_established(&self) -> bool {
        let acked = self.info.and_then(TcpInfo::bytes_acked).unwrap_or(0);
        let delivered = self.info.and_then(TcpInfo::delivered).unwrap_or(0);
        self.was_established || acked > 0 || delivered > 0 || self.traffic.data_segments_in > 0
    }

    fn after_the_end(&self) -> Step {
        Step::Done(match self.released {
            true if self.traffic.proves_server_first() => End::ServerFirst,
            true if self.traffic.bytes_sent > 0 => End::WroteLate,
            _ => End::Established,
        })
    }

    /// A client that has written may have done so before a server that speaks first was heard. So nothing is decided until a round trip has
    /// passed since the handshake, or something has come.
    fn after_release(&self) -> Step {
        let rtt = self.info.and_then(TcpInfo::rtt).unwrap_or_default();
        let is_early = self.since_handshake < rtt * 3 / 4;
        match (self.traffic.data_segments_in > 0, self.traffic.bytes_sent > 0) {
            _ if self.traffic.proves_server_first() => Step::Done(End::ServerFirst),
            (true, true) => Step::Done(End::WroteLate),
            (_, true) if !is_early => Step::Done(End::WroteLate),
            _ if self.age >= SPEAKS_WITHIN => Step::Done(End::Established),
            _ if self.held => Step::LetGo,
            _ => Step::Wait,
        }
    }

    /// When to look again, after this step. Of a socket that is held the kernel tells when its handshake ends.
    pub(crate) fn next_look(&self, step: Step) -> Duration {
        let finest = Duration::from_millis(5);
        match self.held && step != Step::LetGo {
            true if self.age < self.patience.min(RELEASE_AFTER) => {
                self.patience.min(RELEASE_AFTER) - self.age
            }
            true if !self.begun => (self.age / 4).max(finest),
            true if self.traffic.segments_out == 0 => self.patience.clamp(SHORTEST, finest),
            // The first SYN is sent again after a second.
            true => Duration::from_millis(1050),
            false => (self.age / 4).clamp(finest, Duration::from_secs(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(60);

    fn info(state: u8, fail: u8, acked: u8) -> TcpInfo {
        let mut bytes = [0; 280];
        bytes[0] = state;
        bytes[7] = fail << if cfg!(target_endian = "big") { 5 } else { 1 };
        bytes[120..128].copy_from_slice(&u64::from(acked).to_ne_bytes());
        bytes[68..72].copy_from_slice(&(RTT.as_micros() as u32).to_ne_bytes());
        TcpInfo::from_bytes(&bytes)
    }

    fn view(info: Option<&TcpInfo>, ms: u64) -> View<'_> {
        View {
            info,
            traffic: Traffic::default(),
            asked: true,
            begun: true,
            seen_deferred: false,
            released: false,
            since_handshake: Duration::ZERO,
            held: true,
            was_established: false,
            wrote_first: false,
            refused: false,
            patience: patience(Some(RTT), false),
            age: Duration::from_millis(ms),
        }
    }

    fn sent(segments_out: u32, bytes_sent: u64) -> Traffic {
        Traffic {
            segments_out,
            bytes_sent,
            ..Traffic::default()
        }
    }

    const ESTABLISHED: u8 = 1;
    const SYN_SENT: u8 = 2;
    const CLOSE: u8 = 7;

    #[test]
    fn a_deferred_socket_is_released_after_a_moment() {
        let info = info(SYN_SENT, 0, 0);
        assert_eq!(view(Some(&info), 4).step(), Step::Wait);
        assert_eq!(view(Some(&info), 5).step(), Step::Release);
        for (ms, step) in [(5, Step::Wait), (59, Step::Wait), (60, Step::Release)] {
            let busy = View {
                patience: patience(Some(RTT), true),
                ..view(Some(&info), ms)
            };
            assert_eq!(busy.step(), step, "{ms} ms");
        }
        let written = View {
            traffic: sent(1, 9),
            ..view(Some(&info), 5)
        };
        assert_eq!(
            (written.step(), written.is_deferred()),
            (Step::Wait, true),
            "held until the handshake ends"
        );
    }

    #[test]
    fn nobody_waits_longer_than_a_round_trip() {
        let (us, ms) = (Duration::from_micros, Duration::from_millis);
        for (rtt, idle, busy) in [
            (Some(us(80)), ms(1), ms(1)),
            (Some(us(3500)), us(3500), us(3500)),
            (Some(ms(60)), ms(5), ms(60)),
            (Some(ms(600)), ms(5), ms(250)),
            (None, ms(5), ms(5)),
        ] {
            assert_eq!(
                (patience(rtt, false), patience(rtt, true)),
                (idle, busy),
                "{rtt:?}"
            );
        }
    }

    #[test]
    fn an_ordinary_connection_is_let_go() {
        let asking = info(SYN_SENT, 1, 0);
        let ordinary = View {
            traffic: sent(1, 0),
            ..view(Some(&asking), 5)
        };
        assert_eq!((ordinary.step(), ordinary.is_deferred()), (Step::LetGo, false));
        let plain = info(SYN_SENT, 0, 0);
        let plain = View {
            asked: false,
            traffic: sent(1, 0),
            ..view(Some(&plain), 5)
        };
        assert_eq!(plain.step(), Step::LetGo);
        assert_eq!(View { held: false, ..plain }.step(), Step::Wait);
    }

    #[test]
    fn a_connect_that_does_not_begin_loses_the_option() {
        let info = info(CLOSE, 0, 0);
        let idle = View {
            begun: false,
            ..view(Some(&info), 249)
        };
        assert_eq!(idle.step(), Step::Wait);
        assert_eq!(
            View {
                age: BEGINS_WITHIN,
                ..idle
            }
            .step(),
            Step::Withdraw
        );
        assert_eq!(view(Some(&info), 5).step(), Step::Done(End::Failed));
    }

    #[test]
    fn who_spoke_first_after_a_release() {
        let silent = info(ESTABLISHED, 0, 0);
        let released = View {
            released: true,
            traffic: sent(2, 0),
            ..view(Some(&silent), 60)
        };
        assert_eq!(released.step(), Step::LetGo);
        let loose = View {
            held: false,
            ..released
        };
        assert_eq!(loose.step(), Step::Wait);
        let soon = Duration::from_millis(15);
        assert_eq!(loose.next_look(Step::Wait), soon, "not when a SYN is sent again");
        assert_eq!(released.next_look(Step::LetGo), soon);
        assert_eq!(
            View {
                traffic: sent(3, 9),
                since_handshake: Duration::from_millis(60),
                ..loose
            }
            .step(),
            Step::Done(End::WroteLate)
        );
        assert_eq!(
            View {
                age: SPEAKS_WITHIN,
                ..loose
            }
            .step(),
            Step::Done(End::Established)
        );
        let banner = Traffic {
            data_segments_in: 1,
            ..sent(2, 0)
        };
        assert_eq!(
            View {
                traffic: banner,
                ..loose
            }
            .step(),
            Step::Done(End::ServerFirst)
        );
    }

    /// `since_handshake` is zero where the supervisor looks late for the first time.
    #[test]
    fn the_kernels_times_tell_who_spoke_first() {
        let info = info(ESTABLISHED, 0, 1);
        let ms = Duration::from_millis;
        for (data_segments_out, since_out, since_in, min_rtt, expected) in [
            // The server's answer, however late it is looked at.
            (1, 61, 0, Some(RTT), End::WroteLate),
            (1, 900, 830, Some(RTT), End::WroteLate),
            (1, 1, 1, Some(Duration::from_micros(80)), End::WroteLate),
            (1, 4, 4, None, End::WroteLate),
            // A banner, then the client's greeting; at once, and later.
            (1, 40, 40, Some(RTT), End::ServerFirst),
            (1, 4, 20, None, End::ServerFirst),
            // The client wrote while the banner was on its way.
            (1, 50, 40, Some(RTT), End::ServerFirst),
            // They have said more since.
            (2, 0, 40, Some(RTT), End::WroteLate),
        ] {
            let seen = View {
                released: true,
                traffic: Traffic {
                    data_segments_in: 1,
                    data_segments_out,
                    since_out: ms(since_out),
                    since_in: ms(since_in),
                    min_rtt,
                    ..sent(3, 9)
                },
                ..view(Some(&info), 300)
            };
            assert_eq!(seen.step(), Step::Done(expected), "{:?}", seen.traffic);
        }
    }

    #[test]
    fn what_is_over_at_the_first_look_has_not_failed() {
        for (acked, data_segments_in, expected) in [
            (0, 0, End::Failed),
            (1, 0, End::Established),
            (9, 3, End::Established),
        ] {
            let info = info(CLOSE, 0, acked);
            let traffic = Traffic {
                data_segments_in,
                ..sent(4, 0)
            };
            let over = View {
                traffic,
                ..view(Some(&info), 60)
            };
            assert_eq!(over.step(), Step::Done(expected), "{acked}");
        }
        let info = info(CLOSE, 0, 9);
        let cleared = self::info(CLOSE, 0, 0);
        let traffic = Traffic {
            min_rtt: Some(RTT),
            ..Traffic::default()
        };
        let reset = View {
            traffic,
            ..view(Some(&cleared), 60)
        };
        assert_eq!(reset.step(), Step::Done(End::Gone));
        let late = View {
            released: true,
            traffic: sent(4, 8),
            ..view(Some(&info), 60)
        };
        assert_eq!(late.step(), Step::Done(End::WroteLate));
    }

    #[test]
    fn what_is_over_is_over() {
        let established = info(ESTABLISHED, 0, 0);
        assert_eq!(view(Some(&established), 60).step(), Step::Done(End::Established));
        assert_eq!(view(None, 60).step(), Step::Done(End::Gone));
        let refused = View {
            refused: true,
            ..view(None, 60)
        };
        assert_eq!(refused.step(), Step::Done(End::Failed));
        let closed = View {
            was_established: true,
            ..view(None, 60)
        };
        assert_eq!(closed.step(), Step::Done(End::Established));
        let wrote = View {
            wrote_first: true,
            ..closed
        };
        assert_eq!(wrote.step(), Step::Done(End::WroteLate));
    }
}
