//! Signals that a process takes one by one, and passes on.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::check;

/// A set of signals that are blocked, and taken from here.
#[derive(Debug)]
pub(crate) struct Signals {
    set: libc::sigset_t,
    readable: OwnedFd,
}

/// The signals that were blocked before.
pub(crate) struct Mask(libc::sigset_t);

/// A signal that has come.
pub(crate) struct Received(libc::siginfo_t);

/// Blocks every signal, and says which were blocked before.
pub(crate) fn block_all() -> Mask {
    let (every, mut before) = (all(), MaybeUninit::uninit());
    // SAFETY: both sets outlive the call. It can't fail with these arguments, and then writes the second.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const every, before.as_mut_ptr()) };
    // SAFETY: as above.
    Mask(unsafe { before.assume_init() })
}

impl Mask {
    /// Blocks these and no others. Signals that have come meanwhile are delivered.
    pub(crate) fn restore(&self) {
        // SAFETY: the set outlives the call.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

fn all() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the call writes the whole set.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: as above.
    unsafe { set.assume_init() }
}

fn only(signal: i32) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the call writes the whole set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set is written. A number that is no signal leaves it empty.
    unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    // SAFETY: as above.
    unsafe { set.assume_init() }
}

impl Signals {
    /// Every signal that can be blocked.
    pub(crate) fn every() -> io::Result<Self> {
        block_all();
        Self::of(all())
    }

    /// What tells of children. It must not be ignored, or there would be no status of them.
    pub(crate) fn of_children() -> io::Result<Self> {
        let set = only(libc::SIGCHLD);
        // SAFETY: the default runs no handler.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        // SAFETY: the set outlives the call.
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        Self::of(set)
    }

    fn of(set: libc::sigset_t) -> io::Result<Self> {
        // SAFETY: the set outlives the call.
        let fd = check(unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) }.into())?;
        let fd = RawFd::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
        // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
        let readable = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { set, readable })
    }

    /// Takes the next one, if there is any.
    pub(crate) fn take(&self) -> Option<Received> {
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut info = MaybeUninit::uninit();
        // SAFETY: the set and the time outlive the call, which writes the information if it returns a signal.
        let taken = unsafe { libc::sigtimedwait(&raw const self.set, info.as_mut_ptr(), &raw const at_once) };
        if taken <= 0 {
            return None;
        }
        // SAFETY: a signal was returned.
        Some(Received(unsafe { info.assume_init() }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.readable.as_fd()
    }
}

impl Received {
    pub(crate) fn number(&self) -> i32 {
        self.0.si_signo
    }

    /// Whether the kernel itself sent it, a terminal for instance, and not a process.
    pub(crate) fn is_the_kernels(&self) -> bool {
        self.0.si_code == libc::SI_KERNEL
    }

    /// The process that sent it, if one did.
    pub(crate) fn sender(&self) -> Option<u32> {
        if self.0.si_code > 0 {
            return None;
        }
        // SAFETY: what processes send has the sender's number.
        u32::try_from(unsafe { self.0.si_pid() }).ok()
    }

    /// The process that sent it to this one (kill(2), sigqueue(3)), and not to a thread.
    pub(crate) fn sender_to_process(&self) -> Option<u32> {
        let is_one = matches!(self.0.si_code, libc::SI_USER | libc::SI_QUEUE);
        is_one.then(|| self.sender()).flatten()
    }

    /// Sends the same to another process, with the value if there is one (sigqueue(3)).
    pub(crate) fn pass_on(&self, process: BorrowedFd<'_>) -> io::Result<()> {
        let information = match self.0.si_code == libc::SI_QUEUE {
            true => &raw const self.0,
            false => std::ptr::null(),
        };
        send_with(process, self.number(), information)
    }
}

/// Sends a signal to a process that is held by descriptor.
pub(crate) fn send(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    send_with(process, signal, std::ptr::null())
}

fn send_with(process: BorrowedFd<'_>, signal: i32, information: *const libc::siginfo_t) -> io::Result<()> {
    // SAFETY: the call reads the information, which is that of a value that outlives the call, or null.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            signal,
            information,
            0,
        )
    };
    check(sent).map(drop)
}

/// Lets a signal have its default effect on this process from now on.
pub(crate) fn allow(signal: i32) {
    let set = only(signal);
    // SAFETY: the default runs no handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: the set outlives the call.
    unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Blocks a signal (again).
pub(crate) fn block(signal: i32) {
    let set = only(signal);
    // SAFETY: the set outlives the call.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Sends a signal to this process.
pub(crate) fn raise(signal: i32) {
    let this_one = std::process::id().cast_signed();
    // SAFETY: the call takes integers.
    unsafe { libc::kill(this_one, signal) };
}
