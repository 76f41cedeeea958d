//! The connections that are being made, each with a duplicate of its socket for as long as that is needed.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use fastopen::{Outcome, Reason, TcpInfo, TcpState};
use fastopen_host::sockets;
use rustix::net::SendFlags;

use super::observe::{Connection, Note};
use super::shared::{Directions, Slot};
use super::sockaddr;
use super::step::{End, Step, View, patience};
use super::traffic::Traffic;
use crate::sys::{process, socket};

/// A connection that is being made.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) tid: u32,
    pub(crate) program: String,
    /// As the program gave it.
    pub(crate) given: SocketAddr,
    pub(crate) inode: u64,
    /// TCP_FASTOPEN_CONNECT was set here.
    pub(crate) asked: bool,
    /// It had a local port before its connect().
    pub(crate) is_bound: bool,
    /// Its destination answered recently, so that the kernel may defer it.
    pub(crate) expected: bool,
    pub(crate) note: Option<Note>,
    /// What the guardian would have to release.
    pub(crate) slot: Option<Slot>,
    pub(crate) socket: Option<OwnedFd>,
    /// By which it is found when it is not held any more.
    pub(crate) local: Option<Local>,
    /// The round-trip time of its destination, as far as it is known beforehand.
    pub(crate) rtt: Option<Duration>,
    pub(crate) started: Instant,
    pub(crate) begun: bool,
    pub(crate) seen_deferred: bool,
    pub(crate) released: bool,
    pub(crate) handshake_ended: Option<Instant>,
    pub(crate) failed: bool,
    /// Its SYN was seen to be sent again.
    pub(crate) repeated: bool,
    /// After its release the client was seen to have written, and the server not.
    pub(crate) wrote_first: bool,
    /// The kernel said that it has been closed while its program still had it.
    pub(crate) refused: bool,
    /// What its program has shut down, which is done when the handshake has ended.
    pub(crate) shutdown: Directions,
}

/// A connection's own end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    address: SocketAddr,
    /// The interface that it is bound to, or 0.
    interface: u32,
}

/// What one look at a connection showed.
pub(crate) struct Look {
    pub(crate) step: Step,
    pub(crate) next: Duration,
    pub(crate) is_deferred: bool,
    pub(crate) is_connecting: bool,
    /// It is deferred, and nobody has written yet.
    pub(crate) is_unsent: bool,
    /// The SYN had to be sent again.
    pub(crate) repeats_syn: bool,
    pub(crate) info: Option<TcpInfo>,
}

impl Tracked {
    pub(crate) fn destination(&self) -> SocketAddr {
        sockaddr::canonical(self.given)
    }

    /// Asks the kernel for its state.
    pub(crate) fn look(&mut self, now: Instant) -> Look {
        let bytes = self.info();
        let info = bytes.as_deref().map(TcpInfo::from_bytes);
        let state = info.and_then(|info| info.state());
        let traffic = Traffic::from_info(bytes.as_deref());
        // One that was refused at once is closed again, and has sent its SYN.
        self.begun |= state.is_some_and(|state| state != TcpState::Close) || traffic.segments_out > 0;
        if !matches!(state, None | Some(TcpState::Close | TcpState::SynSent)) {
            self.handshake_ended.get_or_insert(now);
        }
        let since_handshake = self
            .handshake_ended
            .map_or(Duration::ZERO, |ended| now.saturating_duration_since(ended));
        let age = now.saturating_duration_since(self.started);
        let mut view = View {
            since_handshake,
            info: info.as_ref(),
            traffic,
            asked: self.asked,
            begun: self.begun,
            seen_deferred: self.seen_deferred,
            released: self.released,
            held: self.socket.is_some(),
            was_established: self.handshake_ended.is_some(),
            wrote_first: self.wrote_first,
            refused: self.refused,
            patience: patience(self.rtt, false),
            age,
        };
        let is_unsent = view.is_deferred() && traffic.segments_out == 0;
        // Asked only when it matters.
        if is_unsent && age >= view.patience {
            view.patience = patience(self.rtt, process::is_busy(self.tid));
        }
        let step = view.step();
        let look = Look {
            step,
            next: view.next_look(step),
            is_deferred: view.is_deferred(),
            is_unsent,
            is_connecting: matches!(view.state(), Some(TcpState::SynSent | TcpState::Close)),
            repeats_syn: view.state() == Some(TcpState::SynSent)
                && info.and_then(|info| info.total_retrans()) > Some(0),
            info,
        };
        self.seen_deferred |= is_unsent;
        self.repeated |= look.repeats_syn;
        let only_sent = traffic.bytes_sent > 0 && traffic.data_segments_in == 0;
        self.wrote_first |= self.released && !look.is_connecting && only_sent;
        look
    }

    fn info(&self) -> Option<Vec<u8>> {
        if let Some(held) = &self.socket {
            let mut bytes = vec![0; TcpInfo::MAX_LEN];
            let len = socket::tcp_info(held.as_fd(), &mut bytes).ok()?;
            bytes.truncate(len);
            return Some(bytes);
        }
        let Local { address, interface } = self.local?;
        let found = sockets::get_on(address, self.given, interface).ok()??;
        found.tcp_info
    }

    /// Sends the SYN of a deferred socket, with the cookie and without data. Readers and pollers wake up when the server speaks, and the
    /// program's first write works as usual.
    pub(crate) fn release(&mut self) {
        if let Some(held) = &self.socket {
            // Without waiting: that would hold back the client's ACK. The error is EINPROGRESS or none.
            let _ = rustix::net::send(held, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            self.released = true;
        }
    }

    /// Does what its program asked shutdown() for while that could not be done.
    pub(crate) fn shut_down(&mut self) {
        let directions = std::mem::take(&mut self.shutdown);
        if let Some(held) = &self.socket {
            directions.shut_down(held);
        }
    }

    /// Takes the option back; false if it can't be: its connection is being made, or stands.
    pub(crate) fn withdraw(&self) -> bool {
        let Some(held) = &self.socket else { return true };
        !self.asked
            || socket::set_integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 0).is_ok()
    }

    /// Closes the duplicate; from now on the connection is looked up by its addresses.
    pub(crate) fn let_go(&mut self) {
        if let Some(held) = self.socket.take() {
            self.local = local(&held);
        }
    }

    /// How it is to be told of if nobody looks again.
    pub(crate) fn end_so_far(&self) -> End {
        match self.handshake_ended {
            Some(_) => End::Established,
            None => End::Gone,
        }
    }

    /// Whether the connection went where connect() was asked to go when its address was read.
    pub(crate) fn went_there(&self) -> bool {
        let Some(held) = &self.socket else { return true };
        let peer = socket2::SockRef::from(held)
            .peer_addr()
            .ok()
            .and_then(|address| address.as_socket());
        peer.is_none_or(|peer| sockaddr::canonical(peer) == self.destination())
    }

    /// How it failed. A SYN is sent again after a second and later.
    fn failure(&self, info: Option<&TcpInfo>) -> Note {
        let was_repeated = match info.and_then(TcpInfo::total_retrans) {
            Some(repeats) => repeats > 0,
            None => self.repeated || self.started.elapsed() > Duration::from_millis(900),
        };
        match was_repeated {
            true => Note::Unanswered,
            false => Note::Refused,
        }
    }

    /// What the observer is told at the end.
    pub(crate) fn report(&self, end: End, info: Option<&TcpInfo>) -> Connection {
        let told = info.map_or(Outcome::Unknown, Outcome::from_info);
        let outcome = match (end, told) {
            (End::Failed | End::NotBegun | End::Gone, _) => Outcome::Unknown,
            (_, Outcome::Unknown) if self.released => Outcome::NotAttempted(Reason::Dataless),
            // What the kernel tells then may be of an earlier attempt of the same socket.
            _ if !self.asked => Outcome::NotAttempted(reason(self.note)),
            (_, told) => told,
        };
        let note = match end {
            End::Failed => Some(self.failure(info)),
            // A blocking connect() that is refused within this machine leaves the port that was chosen for it, and nothing else.
            End::NotBegun if !self.is_bound && self.socket.as_ref().is_some_and(is_bound) => {
                Some(Note::Refused)
            }
            End::NotBegun => Some(Note::Failed),
            End::Gone if self.repeated => Some(Note::Unanswered),
            End::Gone if outcome == Outcome::Unknown => Some(Note::ClosedEarly),
            _ if self.released => Some(Note::Released),
            _ if outcome == Outcome::Accepted && info.is_some_and(fills_the_syn) => Some(Note::Oversized),
            _ => self.note,
        };
        Connection {
            tid: self.tid,
            program: self.program.clone(),
            destination: self.destination(),
            outcome,
            note,
            rtt: info.and_then(TcpInfo::rtt).filter(|rtt| !rtt.is_zero()),
        }
    }
}

/// Whether the SYN carried as much as it takes, in which case the program had more to say: its answer comes no sooner than without. Later,
/// when the server has acknowledged more than the SYN, it can't be told.
fn fills_the_syn(info: &TcpInfo) -> bool {
    /// `tcp_send_syn_data` leaves room for all options (MAX_TCP_OPTION_SPACE); a segment has fewer.
    const OPTIONS: u64 = 40;
    let took = info.bytes_acked().unwrap_or(0).saturating_sub(1);
    let only_the_syn = info.delivered().is_none_or(|delivered| delivered <= 1);
    let largest = info.send_mss().map_or(u64::MAX, u64::from);
    only_the_syn && took + OPTIONS >= largest
}

/// The outcome's reason when an ordinary connection was what was wanted.
pub(crate) fn reason(note: Option<Note>) -> Reason {
    match note {
        Some(Note::FailedLately) => Reason::PathMemory,
        _ => Reason::Policy,
    }
}

/// Whether it has a local port.
pub(crate) fn is_bound(socket: &OwnedFd) -> bool {
    let address = socket2::SockRef::from(socket).local_addr().ok();
    address
        .and_then(|address| address.as_socket())
        .is_some_and(|address| address.port() != 0)
}

fn local(socket: &OwnedFd) -> Option<Local> {
    let address = socket2::SockRef::from(socket).local_addr().ok()?.as_socket()?;
    let interface = socket::integer(socket.as_fd(), libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX);
    Some(Local {
        address,
        interface: interface.map_or(0, i32::cast_unsigned),
    })
}

/// All of them, by a number of their own, by socket, and by when to look at them next.
#[derive(Debug, Default)]
pub(crate) struct Table {
    last: u64,
    by_number: HashMap<u64, Tracked>,
    by_inode: HashMap<u64, u64>,
    looks: BTreeSet<(Instant, u64)>,
    next_look: HashMap<u64, Instant>,
}

impl Table {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Takes one in, to be looked at then, and gives its number.
    pub(crate) fn insert(&mut self, tracked: Tracked, look_at: Instant) -> u64 {
        self.last += 1;
        self.by_inode.insert(tracked.inode, self.last);
        self.by_number.insert(self.last, tracked);
        self.look_at(self.last, look_at);
        self.last
    }

    pub(crate) fn number_of(&self, inode: u64) -> Option<u64> {
        self.by_inode.get(&inode).copied()
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Tracked> {
        self.by_number.get_mut(&number)
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Tracked> {
        let tracked = self.by_number.remove(&number)?;
        if self.by_inode.get(&tracked.inode) == Some(&number) {
            self.by_inode.remove(&tracked.inode);
        }
        if let Some(at) = self.next_look.remove(&number) {
            self.looks.remove(&(at, number));
        }
        Some(tracked)
    }

    pub(crate) fn look_at(&mut self, number: u64, at: Instant) {
        if let Some(before) = self.next_look.insert(number, at) {
            self.looks.remove(&(before, number));
        }
        self.looks.insert((at, number));
    }

    /// When the next look is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.looks.first().map(|(at, _)| *at)
    }

    /// One whose look is due.
    pub(crate) fn due(&self, now: Instant) -> Option<u64> {
        self.looks
            .first()
            .filter(|(at, _)| *at <= now)
            .map(|(_, number)| *number)
    }

    /// Whether a duplicate of any is held.
    pub(crate) fn holds_any(&self) -> bool {
        self.by_number.values().any(|tracked| tracked.socket.is_some())
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<_> = self.by_number.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }
}
