//! Namespaces, by file descriptor: they have no names, and vanish when the last descriptor, thread and socket in them is gone.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;

use super::check;

/// A network namespace.
#[derive(Debug)]
pub(crate) struct Namespace(File);

impl Namespace {
    /// Makes a new one, with nothing in it but a loopback interface that is down.
    pub(crate) fn new() -> io::Result<Self> {
        // A thread of its own, because making a namespace moves the caller into it.
        on_a_thread(|| {
            unshare(libc::CLONE_NEWNET)?;
            Self::current()
        })
    }

    /// The calling thread's.
    fn current() -> io::Result<Self> {
        File::open("/proc/thread-self/ns/net").map(Self)
    }

    /// Moves the calling thread into it. Async-signal-safe.
    pub(crate) fn join(&self) -> io::Result<()> {
        // SAFETY: takes two integers; the descriptor is open as long as `self` lives.
        check(unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
    }

    /// Runs a closure on a thread inside it; a panic is propagated to the caller.
    pub(crate) fn run<T: Send>(&self, closure: impl FnOnce() -> T + Send) -> io::Result<T> {
        on_a_thread(|| self.join().map(|()| closure()))
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsRawFd for Namespace {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn on_a_thread<T: Send>(closure: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().spawn_scoped(scope, closure)?;
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Puts the calling thread, or for CLONE_NEWUSER the single-threaded process, into new namespaces.
pub(crate) fn unshare(kinds: libc::c_int) -> io::Result<()> {
    // SAFETY: takes an integer, and touches none of the process's memory or descriptors.
    check(unsafe { libc::unshare(kinds) }).map(drop)
}

/// The effective user and group of the process.
pub(crate) fn user_and_group() -> (u32, u32) {
    // SAFETY: takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    // SAFETY: takes nothing and cannot fail.
    let group = unsafe { libc::getegid() };
    (user, group)
}
