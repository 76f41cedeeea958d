//! The guardian: a second process that holds the descriptor to which the calls are reported.
//!
//! When nobody holds it any more, the calls fail with ENOSYS; while somebody holds it and does not answer, they wait. So a program must
//! not depend on one process. The guardian sleeps until its supervisor ends. Then it answers the calls that wait, releases the sockets
//! that do, and lets every further call through; and it starts a guardian of its own.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::SendFlags;

use super::shared::Shared;
use crate::process::Process;
use crate::sys::fork::{self, Side};
use crate::sys::process::process_of;
use crate::sys::seccomp::{Answer, Listener};
use crate::sys::socket::set_integer;

/// Identifiers of calls count up. So many before the last one that was received may still wait, and so many behind it may have been
/// received without being noted.
const BEFORE: u64 = 1 << 16;
const BEHIND: u64 = 1 << 10;

/// Waits for the supervisor's end, which closes the other end of the pipe, and takes its place. Returns when there is nobody left to
/// guard.
pub(crate) fn guard(listener: &Listener, supervisor: OwnedFd, shared: &Rc<Shared>) {
    fork::set_name(c"tfo-guardian");
    loop {
        // Of the listener only its end is waited for: that no task uses the filter any more.
        let mut waited = [
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::empty()),
            PollFd::new(&supervisor, PollFlags::IN),
        ];
        if poll(&mut waited, None).is_err() {
            continue;
        }
        if waited[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
            return;
        }
        if !waited[1].revents().is_empty() {
            break;
        }
    }
    drop(supervisor);
    take_over(listener, shared);
}

fn take_over(listener: &Listener, shared: &Rc<Shared>) {
    let last = shared.last_received();
    for id in last.wrapping_sub(BEFORE)..=last.wrapping_add(BEHIND) {
        listener.answer(id, Answer::Continue);
    }
    for (tid, inode) in shared.noted() {
        release(tid, inode);
    }
    let Ok((ours, theirs)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) else {
        return let_through(listener);
    };
    match fork::fork() {
        Ok(Side::Child) => {
            fork::close_all_but(&[listener.as_fd().as_raw_fd(), ours.as_raw_fd()]);
            guard(listener, ours, shared);
        }
        _ => {
            drop(ours);
            let_through(listener);
            drop(theirs);
        }
    }
}

/// Answers every call at once, until no task uses the filter any more.
pub(crate) fn let_through(listener: &Listener) {
    loop {
        let mut waited = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
        if poll(&mut waited, None).is_err() {
            continue;
        }
        if waited[0].revents().contains(PollFlags::IN) {
            if let Ok(Some(call)) = listener.receive() {
                listener.answer(call.id, Answer::Continue);
            }
        } else if !waited[0].revents().is_empty() {
            return;
        }
    }
}

/// Sends the SYN of a socket that may be deferred, or keeps it from being so.
fn release(tid: u32, inode: u64) {
    let Ok(process) = process_of(tid).map(|pid| Process::open(pid, "")) else {
        return;
    };
    if let Ok(Some(socket)) = process.and_then(|process| process.duplicate_socket(inode)) {
        // It works only as long as connect() has not begun, which is an ordinary one then.
        let _ = set_integer(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 0);
        let _ = rustix::net::send(&socket, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}
