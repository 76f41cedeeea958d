//! The guardian: a second process that holds the descriptor to which the calls are reported.
//!
//! When nobody holds it any more, the calls fail with ENOSYS; while somebody holds it and does not answer, they wait. So a program must
//! not depend on one process. The guardian sleeps until its supervisor ends. Then it answers the call that waits, releases the sockets
//! that do, shuts down what was to be when their handshakes end, and lets every further call through; and it starts a guardian of its own.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::SendFlags;

use super::children::Children;
use super::shared::{Directions, Noted, Shared};
use crate::process::Process;
use crate::sys::fork::{self, Side};
use crate::sys::process::process_of;
use crate::sys::seccomp::{Answer, Listener};
use crate::sys::socket::set_integer;

/// Identifiers of calls count up, and each is answered before the next is received. So the last may still wait, or one behind it that was
/// received without being noted; those of threads that were killed leave gaps.
const BEFORE: u64 = 16;
const BEHIND: u64 = 1 << 10;

/// A socket, and what is to be shut down of it when its handshake has ended.
type Unfinished = (OwnedFd, Directions);

/// Waits for the supervisor's end, which closes the other end of the pipe, and takes its place. Returns when there is nobody left to
/// guard.
///
/// One that is the supervisor's parent gets its children.
pub(crate) fn guard(
    listener: &Listener,
    supervisor: OwnedFd,
    shared: &Rc<Shared>,
    children: Option<Children>,
) {
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
    take_over(listener, shared, children);
}

fn take_over(listener: &Listener, shared: &Rc<Shared>, children: Option<Children>) {
    let last = shared.last_received();
    for id in last.wrapping_sub(BEFORE)..=last.wrapping_add(BEHIND) {
        listener.answer(id, Answer::Continue);
    }
    if let Some(last_words) = &shared.last_words {
        last_words.say();
    }
    let unfinished: Vec<_> = shared.noted().into_iter().filter_map(release).collect();
    let Ok((ours, theirs)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) else {
        return let_through(listener, unfinished, children);
    };
    match fork::fork() {
        Ok(Side::Child) => {
            fork::close_all_but(&[listener.as_fd().as_raw_fd(), ours.as_raw_fd()]);
            guard(listener, ours, shared, None);
        }
        _ => {
            drop(ours);
            let_through(listener, unfinished, children);
            drop(theirs);
        }
    }
}

/// Answers every call at once, until no task uses the filter any more.
pub(crate) fn let_through(
    listener: &Listener,
    mut unfinished: Vec<Unfinished>,
    mut children: Option<Children>,
) {
    loop {
        let in_from = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut waited = vec![in_from(listener.as_fd())];
        waited.extend(
            unfinished
                .iter()
                .map(|(socket, _)| PollFd::new(socket, PollFlags::OUT)),
        );
        waited.extend(children.iter().flat_map(Children::readable).map(in_from));
        if poll(&mut waited, None).is_err() {
            continue;
        }
        let events: Vec<_> = waited.iter().map(PollFd::revents).collect();
        let mut has_ended = events[1..].iter().map(|events| !events.is_empty());
        unfinished.retain(|(socket, directions)| {
            let is_over = has_ended.next() == Some(true);
            if is_over {
                directions.shut_down(socket);
            }
            !is_over
        });
        if let Some(children) = &mut children {
            children.look(|| ());
            if !children.hear() {
                children.lose_front();
            }
        }
        if events[0].contains(PollFlags::IN) {
            if let Ok(Some(call)) = listener.receive() {
                listener.answer(call.id, Answer::Continue);
            }
        } else if !events[0].is_empty() {
            // They have ended, or are about to.
            return children.iter_mut().for_each(Children::wait_for_all);
        }
    }
}

/// Sends the SYN of a socket that may be deferred, or keeps it from being so; gives the socket if it is to be shut down later.
fn release(noted: Noted) -> Option<Unfinished> {
    let process = Process::open(process_of(noted.tid).ok()?, "").ok()?;
    let socket = process.duplicate_socket(noted.inode).ok()??;
    // It works only as long as connect() has not begun, which is an ordinary one then.
    let _ = set_integer(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 0);
    let _ = rustix::net::send(&socket, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    (!noted.shutdown.is_none()).then_some((socket, noted.shutdown))
}
