//! What becomes of children, as their parent learns it (waitid(2)).

use std::io;
use std::mem::MaybeUninit;

/// What a child did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// By this signal.
    Stopped(i32),
    Continued,
    Ended(End),
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited(i32),
    Killed(i32),
}

/// A child with news, which stay until they are [taken](take); `None` if there are no news yet. It is an error (ECHILD) that there are no
/// children.
pub(crate) fn peek(waits: bool) -> io::Result<Option<(u32, Change)>> {
    let how = libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED | libc::WNOWAIT;
    wait(libc::P_ALL, 0, if waits { how } else { how | libc::WNOHANG })
}

/// Takes a child's news; of a child that ended nothing is left then.
pub(crate) fn take(pid: u32, change: Change) {
    let how = match change {
        Change::Ended(_) => libc::WEXITED,
        _ => libc::WSTOPPED | libc::WCONTINUED,
    };
    let _ = wait(libc::P_PID, pid, how | libc::WNOHANG);
}

fn wait(which: libc::idtype_t, pid: u32, how: libc::c_int) -> io::Result<Option<(u32, Change)>> {
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the call writes the information, which outlives it.
        let waited = unsafe { libc::waitid(which, pid, info.as_mut_ptr(), how) };
        if waited == 0 {
            // SAFETY: zeros are valid, and so is what the kernel writes.
            return Ok(read(&unsafe { info.assume_init() }));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn read(info: &libc::siginfo_t) -> Option<(u32, Change)> {
    // SAFETY: waitid(2) sets it, to 0 where there are no news.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    let change = match info.si_code {
        libc::CLD_EXITED => Change::Ended(End::Exited(status)),
        libc::CLD_KILLED | libc::CLD_DUMPED => Change::Ended(End::Killed(status)),
        libc::CLD_CONTINUED => Change::Continued,
        _ => Change::Stopped(status),
    };
    let pid = u32::try_from(pid).ok().filter(|pid| *pid != 0)?;
    Some((pid, change))
}
