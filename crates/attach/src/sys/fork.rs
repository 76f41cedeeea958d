//! New processes, what they keep of their parent, and how one becomes a program.

use std::ffi::CString;
use std::io;
use std::os::fd::RawFd;

use super::{check, start};

/// Which side of a fork this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Parent { child: i32 },
    Child,
}

/// fork(2), for a process that has one thread, or whose others hold no lock that the child takes: no thread releases it there. The C library
/// sees to its allocator's.
pub(crate) fn fork() -> io::Result<Side> {
    // SAFETY: the callers have checked that this process has one thread, or have started the others, which share nothing with what the child
    // does; so its memory is whole in the child too.
    match check(unsafe { libc::fork() }.into())? {
        0 => Ok(Side::Child),
        child => Ok(Side::Parent {
            child: i32::try_from(child).unwrap_or(i32::MAX),
        }),
    }
}

/// As [`fork`], with a child of whose end its parent is not told: wait(2) neither finds it nor waits for it, unless asked for such
/// (`__WCLONE`).
pub(crate) fn fork_untold() -> io::Result<Side> {
    // SAFETY: as for fork(2), which is this call with a signal for the end. What the C library knows of the thread's number is the
    // parent's in the child; it is used for signals that a thread sends to itself and for some kinds of locks, of which there are none here.
    match check(unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) })? {
        0 => Ok(Side::Child),
        child => Ok(Side::Parent {
            child: i32::try_from(child).unwrap_or(i32::MAX),
        }),
    }
}

/// Waits for a child's end.
pub(crate) fn wait(child: i32) {
    // SAFETY: no status is asked for, so the call writes no memory.
    while unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

/// Ends this process at once, without anything that its parent registered for the end.
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: the call takes an integer, and does not return.
    unsafe { libc::_exit(status) }
}

/// A session of its own, away from the terminal.
pub(crate) fn leave_session() {
    // SAFETY: the call takes nothing. It fails for the leader of a group, which has no need of it.
    unsafe { libc::setsid() };
}

/// The name by which process lists show this one.
pub(crate) fn set_name(name: &std::ffi::CStr) {
    // SAFETY: the option reads a string that ends with a zero, and outlives the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Lets this process, and those that it starts, trace the caller, where Yama restricts that (kernel.yama.ptrace_scope = 1).
pub(crate) fn allow_tracer(pid: u32) {
    /// `PR_SET_PTRACER`.
    const SET_TRACER: libc::c_int = 0x5961_6d61;
    // SAFETY: the option takes an integer. Without Yama the kernel does not know it, and does not need it.
    unsafe { libc::prctl(SET_TRACER, libc::c_ulong::from(pid), 0_u64, 0_u64, 0_u64) };
}

/// Ignores what asks a process to end, or tells of a terminal, a child or a limit. It ends by itself, when its work is done; and what is
/// too large for a file (`ulimit -f`) is an error like others.
pub(crate) fn ignore_signals() {
    for signal in [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGTERM,
        libc::SIGPIPE,
        libc::SIGXFSZ,
        libc::SIGCHLD,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ] {
        // SAFETY: ignoring runs no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Closes every descriptor but these.
pub(crate) fn close_all_but(kept: &[RawFd]) {
    let mut kept: Vec<libc::c_uint> = kept
        .iter()
        .filter_map(|fd| libc::c_uint::try_from(*fd).ok())
        .collect();
    kept.sort_unstable();
    let mut first = 0;
    for fd in kept {
        if fd > first {
            close_range(first, fd - 1);
        }
        first = fd + 1;
    }
    close_range(first, libc::c_uint::MAX);
}

fn close_range(first: libc::c_uint, last: libc::c_uint) {
    // SAFETY: what is closed belongs to values of the parent's that this process never uses: its callers keep what they use.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if closed < 0 {
        // Linux 5.8 and older.
        for fd in first..=last.min(65_535) {
            // SAFETY: as above.
            unsafe { libc::close(fd as RawFd) };
        }
    }
}

/// Puts the program in this process's place, found as the shell finds it; returns the error that prevented it.
///
/// The mask of blocked signals stays as it was inherited; what Rust's runtime has changed is given back.
pub(crate) fn exec(program: &CString, arguments: &[CString]) -> io::Error {
    let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());
    start::give_on();
    // SAFETY: the strings end with a zero, their list with a null pointer, and all outlive the call.
    unsafe { libc::execvp(program.as_ptr(), pointers.as_ptr()) };
    let error = io::Error::last_os_error();
    // SAFETY: ignoring runs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    error
}
