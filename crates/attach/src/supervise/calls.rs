//! What is done about each call that is reported.
//!
//! A call that is let through is carried out by the kernel unchanged. What was read of the program's memory may be changed
//! by another of its threads afterwards; only what is reported of the connection depends on it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Instant;

use fastopen::{Outcome, Reason, TcpState};
use rustix::fs::OFlags;

use super::memory::{Decision, Why};
use super::observe::{Connection, Note};
use super::shared::{Directions, Noted, Slot};
use super::signals;
use super::sockaddr::{self, Address};
use super::step::End;
use super::supervisor::{Supervisor, seconds};
use super::tracked::{Tracked, is_bound, reason};
use super::traffic::Traffic;
use crate::process::inode_of;
use crate::sys::seccomp::{Answer, Notification};
use crate::sys::thread::Thread;
use crate::sys::{process, socket};

/// A socket of the program's, by a duplicate.
struct Duplicate {
    socket: OwnedFd,
    inode: u64,
}

/// How a connection is to be made.
struct Plan {
    asks: bool,
    expected: bool,
    note: Option<Note>,
    slot: Option<Slot>,
}

impl Supervisor {
    pub(super) fn handle(&mut self, call: &Notification) {
        match i64::from(call.number) {
            libc::SYS_connect => self.connect(call),
            libc::SYS_getpeername => self.getpeername(call),
            libc::SYS_shutdown => self.shutdown(call),
            libc::SYS_listen => self.listen(call),
            _ => self.let_through(call),
        }
    }

    pub(super) fn let_through(&self, call: &Notification) {
        self.listener.answer(call.id, Answer::Continue);
    }

    fn connect(&mut self, call: &Notification) {
        let mut bytes = [0; sockaddr::MAX_LEN];
        let len = usize::try_from(call.arguments[2] & 0xffff_ffff).unwrap_or(usize::MAX);
        let read = |into: &mut [u8]| process::read_memory(call.tid, call.arguments[1], into).unwrap_or(0);
        // The kernel refuses what is longer, or can't be read to its end.
        let Some(whole) = bytes.get_mut(..len).filter(|whole| !whole.is_empty()) else {
            return self.let_through(call);
        };
        if read(whole) != len {
            return self.let_through(call);
        }
        let given = match sockaddr::parse(whole) {
            Address::Internet(address) => address,
            Address::None => return self.disconnect(call),
            Address::Other => return self.let_through(call),
        };
        let destination = sockaddr::canonical(given);
        let allowed = self.rules.allow(destination);
        if !allowed && self.table.is_empty() && self.marked.is_empty() && self.observer.is_none() {
            return self.let_through(call);
        }
        let duplicate = match self.duplicate(call) {
            Ok(duplicate) => duplicate,
            Err(error) => {
                return match error.raw_os_error() {
                    // No such descriptor, or nobody waits for the answer: the kernel says so, and there is no connection.
                    Some(libc::EBADF | libc::ESRCH) => self.let_through(call),
                    Some(libc::EMFILE | libc::ENFILE) => {
                        self.leave_plain(call, destination, Note::DescriptorLimit);
                    }
                    _ => self.leave_plain(call, destination, Note::NotPermitted),
                };
            }
        };
        if socket::integer(duplicate.socket.as_fd(), libc::SOL_SOCKET, libc::SO_PROTOCOL).ok()
            != Some(libc::IPPROTO_TCP)
        {
            return self.let_through(call);
        }
        if let Some(number) = self.table.number_of(duplicate.inode)
            && let Some(answer) = self.connect_again(call, number)
        {
            self.listener.answer(call.id, answer);
            return;
        }
        // Of an earlier connection of the same socket, which is over: it works on closed sockets only.
        if self.marked.contains(duplicate.inode) {
            clear(&duplicate.socket);
        }
        if !allowed {
            return match is_new(&duplicate.socket) {
                true => self.leave_plain(call, destination, Note::LeftOut),
                false => self.let_through(call),
            };
        }
        if socket::namespace(duplicate.socket.as_fd()) != self.namespace {
            return self.leave_plain(call, destination, Note::OtherNamespace);
        }
        self.connect_allowed(call, given, duplicate);
    }

    fn connect_allowed(&mut self, call: &Notification, given: SocketAddr, duplicate: Duplicate) {
        let Duplicate { socket: held, inode } = duplicate;
        let destination = sockaddr::canonical(given);
        if !is_new(&held) {
            return self.let_through(call);
        }
        let option = socket::integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT);
        if option.is_ok_and(|set| set != 0) {
            return self.leave_plain(call, destination, Note::OwnFastOpen);
        }
        let mut plan = self.plan(call, destination, &held, inode);
        if plan.asks {
            let set = socket::set_integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1);
            if set.is_ok() {
                self.marked.insert(inode);
                // What an earlier connection of this socket has left is taken away by an ordinary connect(), and not by one that is deferred.
                let _ = socket::integer(held.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR);
            }
            let still_waits = self.listener.is_waiting(call.id);
            if set.is_err() || !still_waits {
                if set.is_ok() {
                    clear(&held);
                }
                if let Some(slot) = plan.slot.take() {
                    self.shared.free(&slot);
                }
                self.let_through(call);
                // EOPNOTSUPP: the client bit is off. EINVAL: it is connected or connecting already.
                if set.is_err_and(|error| error.raw_os_error() == Some(libc::EOPNOTSUPP)) {
                    let outcome = Outcome::NotAttempted(Reason::Sysctl);
                    self.say(call, destination, outcome, None);
                }
                return;
            }
        }
        // Asked only where it may be refused at once, which takes an ordinary connection.
        let is_bound = plan.expected || is_bound(&held);
        let started = Instant::now();
        self.let_through(call);
        if !plan.asks && !matches!(plan.note, Some(Note::FirstContact)) {
            let outcome = Outcome::NotAttempted(reason(plan.note));
            return self.say(call, destination, outcome, plan.note);
        }
        let tracked = Tracked {
            tid: call.tid,
            program: self.program_name(call.tid),
            given,
            inode,
            asked: plan.asks,
            is_bound,
            expected: plan.expected,
            note: plan.note,
            slot: plan.slot,
            socket: Some(held),
            local: None,
            rtt: self.memory.rtt(destination),
            started,
            begun: false,
            seen_deferred: false,
            released: false,
            handshake_ended: None,
            failed: false,
            repeated: false,
            wrote_first: false,
            refused: false,
            shutdown: Directions::default(),
        };
        self.track(tracked);
    }

    /// Whether TCP_FASTOPEN_CONNECT is to be set. With a cookie the kernel then defers the SYN to the first write, without one it makes
    /// an ordinary connection that asks for one.
    fn plan(&mut self, call: &Notification, destination: SocketAddr, held: &OwnedFd, inode: u64) -> Plan {
        let plain = |note| Plan {
            asks: false,
            expected: false,
            note: Some(note),
            slot: None,
        };
        if self.is_unguarded {
            return plain(Note::Unguarded);
        }
        if self.table.len() >= self.capacity {
            return plain(Note::DescriptorLimit);
        }
        match self.memory.decide(destination, seconds()) {
            Decision::Plain(Why::Failed) => plain(Note::FailedLately),
            Decision::Plain(Why::ServerFirst) => plain(Note::ServerFirst),
            Decision::Plain(Why::SavesNothing) => plain(Note::SavesNothing),
            Decision::Learn if has_cookie(destination) => plain(Note::FirstContact),
            decision => {
                let is_known = decision == Decision::Defer;
                if is_known
                    && is_blocking(held)
                    && self.caller(call.tid).map_or(true, signals::may_repeat_a_write)
                {
                    return plain(Note::Signals);
                }
                // A cookie may come between the look and the call, so that the guardian must know of a first contact too.
                let noted = Noted {
                    tid: call.tid,
                    inode,
                    shutdown: Directions::default(),
                };
                let Some(slot) = self.shared.note(noted) else {
                    return plain(Note::Busy);
                };
                Plan {
                    asks: true,
                    expected: is_known,
                    note: (!is_known).then_some(Note::FirstContact),
                    slot: Some(slot),
                }
            }
        }
    }

    /// connect() on a socket whose connection is being made. For its program a deferred one is connected. None: that connection is over, and
    /// this is another.
    fn connect_again(&mut self, call: &Notification, number: u64) -> Option<Answer> {
        self.look_at(number);
        let tracked = self.table.get_mut(number)?;
        let look = tracked.look(Instant::now());
        if look.is_deferred {
            return Some(Answer::Error(libc::EISCONN));
        }
        if !tracked.begun && tracked.tid == call.tid {
            self.conclude(number, End::NotBegun, &look);
            return None;
        }
        Some(Answer::Continue)
    }

    /// connect() with AF_UNSPEC: the kernel ends the connection, and the socket may be used again.
    fn disconnect(&mut self, call: &Notification) {
        if !self.table.is_empty()
            && let Some(number) = self.tracked(call)
        {
            self.look_at(number);
            if let Some(tracked) = self.table.get_mut(number) {
                let look = tracked.look(Instant::now());
                self.conclude(number, End::Gone, &look);
            }
        }
        self.let_through(call);
    }

    fn listen(&mut self, call: &Notification) {
        let switched = self.switch_on(call);
        self.let_through(call);
        if let Some((address, queue)) = switched {
            let program = self.program_name(call.tid);
            if let Some(observer) = &mut self.observer {
                observer.listening(&program, address, queue);
            }
        }
    }

    fn switch_on(&mut self, call: &Notification) -> Option<(Option<SocketAddr>, u32)> {
        let queue = self.queue?;
        let held = self.duplicate(call).ok()?.socket;
        let get = || socket::integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN).ok();
        if get()? != 0 {
            return None;
        }
        let wanted = i32::try_from(queue).unwrap_or(i32::MAX);
        socket::set_integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN, wanted).ok()?;
        let address = socket2::SockRef::from(&held).local_addr().ok()?.as_socket();
        Some((address, u32::try_from(get()?).ok()?))
    }

    /// The socket that the call is about, if it is one: of the thread that made the call, which was there all the time if it still waits.
    fn duplicate(&mut self, call: &Notification) -> io::Result<Duplicate> {
        let none = |code| io::Error::from_raw_os_error(code);
        let number = RawFd::try_from(call.arguments[0] & 0xffff_ffff).map_err(|_| none(libc::EBADF))?;
        let socket = match self.caller(call.tid)?.duplicate(number) {
            // The one that is known had this number earlier.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                self.caller = None;
                self.caller(call.tid)?.duplicate(number)?
            }
            duplicate => duplicate?,
        };
        if !self.listener.is_waiting(call.id) {
            return Err(none(libc::ESRCH));
        }
        let inode = inode_of(&socket).ok_or_else(|| none(libc::EBADF))?;
        Ok(Duplicate { socket, inode })
    }

    /// The thread that makes a call: mostly the one that made the last.
    fn caller(&mut self, tid: u32) -> io::Result<&mut Thread> {
        let caller = match self.caller.take() {
            Some(known) if known.tid() == tid => known,
            _ => Thread::open(tid)?,
        };
        Ok(self.caller.insert(caller))
    }

    pub(super) fn tracked(&mut self, call: &Notification) -> Option<u64> {
        let inode = self.duplicate(call).ok()?.inode;
        self.table.number_of(inode)
    }

    fn program_name(&self, tid: u32) -> String {
        if self.observer.is_none() {
            return String::new();
        }
        process::name(tid)
            .trim_end()
            .replace(char::is_control, "\u{fffd}")
    }

    /// Lets an ordinary connection be made, and says why.
    fn leave_plain(&mut self, call: &Notification, destination: SocketAddr, note: Note) {
        self.let_through(call);
        self.say(
            call,
            destination,
            Outcome::NotAttempted(Reason::Policy),
            Some(note),
        );
    }

    fn say(&mut self, call: &Notification, destination: SocketAddr, outcome: Outcome, note: Option<Note>) {
        let program = self.program_name(call.tid);
        if let Some(observer) = &mut self.observer {
            observer.connection(&Connection {
                tid: call.tid,
                program,
                destination,
                outcome,
                note,
                rtt: None,
            });
        }
    }
}

fn clear(held: &OwnedFd) {
    // Refused where the connection has begun, and then not needed.
    let _ = socket::set_integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 0);
}

/// Whether a connection is to be made: a program may also ask by another connect() how its connection goes, and the kernel says so.
///
/// One that was reset is closed as well, and the kernel answers the next connect() with its error, makes no other, and clears its counters:
/// `__inet_stream_connect` in `net/ipv4/af_inet.c`, `tcp_disconnect` in `net/ipv4/tcp.c`.
fn is_new(held: &OwnedFd) -> bool {
    let mut bytes = [0; Traffic::COUNTERS_END];
    let Ok(len) = socket::tcp_info(held.as_fd(), &mut bytes) else {
        return false;
    };
    let traffic = Traffic::from_info(bytes.get(..len));
    TcpState::from_number(bytes[0]) == TcpState::Close && traffic.segments_out == 0
}

/// Whether the kernel has a cookie for the host; where it can't tell it is taken to have one, so that a deferred connection is never missed.
fn has_cookie(destination: SocketAddr) -> bool {
    fastopen_host::cookies::get(destination.ip())
        .map_or(true, |entry| entry.is_some_and(|entry| entry.cookie.is_some()))
}

fn is_blocking(held: &OwnedFd) -> bool {
    rustix::fs::fcntl_getfl(held).is_ok_and(|flags| !flags.contains(OFlags::NONBLOCK))
}
