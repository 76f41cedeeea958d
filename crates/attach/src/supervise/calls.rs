//! What is done about each call that is reported.
//!
//! A call that is let through is carried out by the kernel unchanged. What was read of the program's memory may be changed
//! by another of its threads afterwards; only what is reported of the connection depends on it.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Instant;

use fastopen::{Outcome, Reason, TcpState};
use rustix::fs::OFlags;

use super::memory::{Decision, Why};
use super::observe::{Connection, Note};
use super::shared::Slot;
use super::sockaddr::{self, Address};
use super::supervisor::{Supervisor, seconds};
use super::tracked::{Tracked, reason};
use crate::process::inode_of;
use crate::sys::seccomp::{Answer, Notification};
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

    fn let_through(&self, call: &Notification) {
        self.listener.answer(call.id, Answer::Continue);
    }

    fn connect(&mut self, call: &Notification) {
        let mut bytes = [0; sockaddr::MAX_LEN];
        let len = usize::try_from(call.arguments[2] & 0xffff_ffff)
            .unwrap_or(0)
            .min(bytes.len());
        let read = process::read_memory(call.tid, call.arguments[1], &mut bytes[..len]).unwrap_or(0);
        let given = match sockaddr::parse(&bytes[..read]) {
            Address::Internet(address) => address,
            Address::None => return self.disconnect(call),
            Address::Other => return self.let_through(call),
        };
        let destination = sockaddr::canonical(given);
        let allowed = self.rules.allow(destination);
        if !allowed && self.table.is_empty() {
            self.let_through(call);
            return self.say_plain(
                call,
                destination,
                Outcome::NotAttempted(Reason::Policy),
                Note::LeftOut,
            );
        }
        let Some(duplicate) = self.duplicate(call) else {
            self.let_through(call);
            return self.say_plain(
                call,
                destination,
                Outcome::NotAttempted(Reason::Policy),
                Note::NotPermitted,
            );
        };
        if socket::integer(duplicate.socket.as_fd(), libc::SOL_SOCKET, libc::SO_PROTOCOL).ok()
            != Some(libc::IPPROTO_TCP)
        {
            return self.let_through(call);
        }
        if let Some(number) = self.table.number_of(duplicate.inode) {
            return self.connect_again(call, number);
        }
        if !allowed {
            self.let_through(call);
            return self.say_plain(
                call,
                destination,
                Outcome::NotAttempted(Reason::Policy),
                Note::LeftOut,
            );
        }
        self.connect_allowed(call, given, duplicate);
    }

    fn connect_allowed(&mut self, call: &Notification, given: SocketAddr, duplicate: Duplicate) {
        let Duplicate { socket: held, inode } = duplicate;
        let destination = sockaddr::canonical(given);
        // A program may ask by another connect() how its connection goes; the kernel says so.
        let mut state = [0];
        let is_new = socket::tcp_info(held.as_fd(), &mut state).is_ok()
            && TcpState::from_number(state[0]) == TcpState::Close;
        if !is_new {
            return self.let_through(call);
        }
        let option = socket::integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT);
        if option.is_ok_and(|set| set != 0) {
            self.let_through(call);
            return self.say_plain(
                call,
                destination,
                Outcome::NotAttempted(Reason::Policy),
                Note::OwnFastOpen,
            );
        }
        let mut plan = self.plan(call, destination, &held, inode);
        if plan.asks {
            let set = socket::set_integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1);
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
            expected: plan.expected,
            note: plan.note,
            slot: plan.slot,
            socket: Some(held),
            local: None,
            started,
            begun: false,
            seen_deferred: false,
            released: false,
            handshake_ended: None,
            failed: false,
            waiting: Vec::new(),
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
        if self.table.len() >= self.capacity {
            return plain(Note::Busy);
        }
        match self.memory.decide(destination, seconds()) {
            Decision::Plain(Why::Failed) => plain(Note::FailedLately),
            Decision::Plain(Why::ServerFirst) => plain(Note::ServerFirst),
            Decision::Learn if has_cookie(destination) => plain(Note::FirstContact),
            decision => {
                let is_known = decision == Decision::Defer;
                if is_known && is_blocking(held) && has_handlers_for_unasked_signals(call.tid) {
                    return plain(Note::Signals);
                }
                // A cookie may come between the look and the call, so that the guardian must know of a first contact too.
                let Some(slot) = self.shared.note(call.tid, inode) else {
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

    /// connect() on a socket whose connection is being made. For its program a deferred one is connected.
    fn connect_again(&mut self, call: &Notification, number: u64) {
        let is_deferred = self
            .table
            .get_mut(number)
            .is_some_and(|tracked| tracked.look(Instant::now()).is_deferred);
        let answer = match is_deferred {
            true => Answer::Error(libc::EISCONN),
            false => Answer::Continue,
        };
        if !is_deferred {
            // It has failed and may be connected elsewhere: the option set for the first destination is taken back.
            if let Some(held) = self
                .table
                .get_mut(number)
                .and_then(|tracked| tracked.socket.as_ref())
            {
                clear(held);
            }
            self.look_at(number);
        }
        self.listener.answer(call.id, answer);
    }

    /// connect() with AF_UNSPEC: the kernel ends the connection, and the socket may be used again.
    fn disconnect(&mut self, call: &Notification) {
        if !self.table.is_empty()
            && let Some(number) = self.tracked(call)
            && let Some(tracked) = self.table.remove(number)
            && let Some(slot) = &tracked.slot
        {
            self.shared.free(slot);
        }
        self.let_through(call);
    }

    /// For its program a deferred socket is connected, and has a peer.
    fn getpeername(&mut self, call: &Notification) {
        let answer = self.peer_of_deferred(call).map_or(Answer::Continue, |peer| {
            let written = self.write_peer(call, &sockaddr::encode(peer));
            written.map_or_else(Answer::Error, |()| Answer::Success)
        });
        self.listener.answer(call.id, answer);
    }

    fn peer_of_deferred(&mut self, call: &Notification) -> Option<SocketAddr> {
        if self.table.is_empty() {
            return None;
        }
        let number = self.tracked(call)?;
        let tracked = self.table.get_mut(number)?;
        tracked.look(Instant::now()).is_deferred.then_some(tracked.given)
    }

    /// As getpeername(2): as much as there is room for, and the length that it has.
    fn write_peer(&self, call: &Notification, peer: &[u8]) -> Result<(), i32> {
        let [_, address, length, ..] = call.arguments;
        let mut room = [0; 4];
        let fault = |_| libc::EFAULT;
        if process::read_memory(call.tid, length, &mut room).map_err(fault)? != room.len() {
            return Err(libc::EFAULT);
        }
        let room = usize::try_from(i32::from_ne_bytes(room)).map_err(|_| libc::EINVAL)?;
        // The thread must be the one that asked: another may have its number by now.
        if !self.listener.is_waiting(call.id) {
            return Ok(());
        }
        let part = &peer[..room.min(peer.len())];
        if !part.is_empty() {
            process::write_memory(call.tid, address, part).map_err(fault)?;
        }
        let len = u32::try_from(peer.len()).unwrap_or(0).to_ne_bytes();
        process::write_memory(call.tid, length, &len).map_err(fault)
    }

    /// shutdown() would end a connection whose handshake has not finished: it waits for that.
    fn shutdown(&mut self, call: &Notification) {
        if self.table.is_empty() {
            return self.let_through(call);
        }
        let Some(number) = self.tracked(call) else {
            return self.let_through(call);
        };
        let Some(tracked) = self.table.get_mut(number) else {
            return self.let_through(call);
        };
        let look = tracked.look(Instant::now());
        if !look.is_deferred {
            return self.let_through(call);
        }
        tracked.waiting.push(call.id);
        // The kernel sends nothing where the SYN has left already.
        if look.is_unsent {
            tracked.release();
        }
        self.look_at(number);
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

    fn switch_on(&self, call: &Notification) -> Option<(Option<SocketAddr>, u32)> {
        let queue = self.queue?;
        let held = self.duplicate(call)?.socket;
        let get = || socket::integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN).ok();
        if get()? != 0 {
            return None;
        }
        let wanted = i32::try_from(queue).unwrap_or(i32::MAX);
        socket::set_integer(held.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN, wanted).ok()?;
        let address = socket2::SockRef::from(&held).local_addr().ok()?.as_socket();
        Some((address, u32::try_from(get()?).ok()?))
    }

    /// The socket that the call is about, if it is one. It is that of the thread that made the call, which waits for the answer.
    fn duplicate(&self, call: &Notification) -> Option<Duplicate> {
        let number = RawFd::try_from(call.arguments[0] & 0xffff_ffff).ok()?;
        let thread = process::open_thread(call.tid).ok()?;
        // While the call waits, its thread lives, so that what was opened is that.
        if !self.listener.is_waiting(call.id) {
            return None;
        }
        let socket = process::duplicate(thread.as_fd(), number).ok()?;
        let inode = inode_of(&socket)?;
        Some(Duplicate { socket, inode })
    }

    fn tracked(&self, call: &Notification) -> Option<u64> {
        self.table.number_of(self.duplicate(call)?.inode)
    }

    fn program_name(&self, tid: u32) -> String {
        if self.observer.is_none() {
            return String::new();
        }
        let name = fs::read(format!("/proc/{tid}/comm")).unwrap_or_default();
        String::from_utf8_lossy(&name)
            .trim_end()
            .replace(char::is_control, "\u{fffd}")
    }

    /// As [`say`](Self::say), for what may be a socket of another kind: only connections are told.
    fn say_plain(&mut self, call: &Notification, destination: SocketAddr, outcome: Outcome, note: Note) {
        self.say(call, destination, outcome, Some(note));
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

/// Whether the kernel has a cookie for the host; where it can't tell it is taken to have one, so that a deferred connection is never missed.
fn has_cookie(destination: SocketAddr) -> bool {
    fastopen_host::cookies::get(destination.ip())
        .map_or(true, |entry| entry.is_some_and(|entry| entry.cookie.is_some()))
}

fn is_blocking(held: &OwnedFd) -> bool {
    rustix::fs::fcntl_getfl(held).is_ok_and(|flags| !flags.contains(OFlags::NONBLOCK))
}

/// Whether the program handles signals that arrive by themselves: timers, children, input, and real-time signals.
///
/// A blocking first write waits for the handshake. If a signal interrupts that wait and its handler has SA_RESTART, the kernel sends the
/// data twice (`tcp_sendmsg_fastopen`).
fn has_handlers_for_unasked_signals(tid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_none_or(|caught| caught & unasked_signals() != 0)
}

fn unasked_signals() -> u64 {
    const NAMED: &[i32] = &[
        libc::SIGALRM,
        libc::SIGCHLD,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGURG,
        libc::SIGXCPU,
        libc::SIGCONT,
    ];
    /// The C library keeps the first three real-time signals for itself.
    const FIRST_REAL_TIME: i32 = 35;
    let real_time = u64::MAX << (FIRST_REAL_TIME - 1);
    NAMED
        .iter()
        .fold(real_time, |mask, signal| mask | 1 << (signal - 1))
}
