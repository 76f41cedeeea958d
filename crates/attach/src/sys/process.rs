//! Another process: a descriptor for it, and duplicates of its descriptors.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use super::check;

/// `pidfd_open(2)`: a descriptor that stands for this process, whoever gets its number later.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    pidfd_open(pid, 0)
}

fn pidfd_open(pid: u32, flags: libc::c_uint) -> io::Result<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    // SAFETY: the call takes two integers.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })?;
    owned(fd)
}

/// `pidfd_getfd(2)`: a duplicate of the descriptor that has this number there. It is close-on-exec.
pub(crate) fn duplicate(process: BorrowedFd<'_>, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes three integers, and the first is a descriptor that is borrowed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })?;
    owned(fd)
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// As [`open`], for the process or, where the number is that of another thread than the first, for that thread (Linux 6.9; before
/// that, for the process that has it).
pub(crate) fn open_thread(tid: u32) -> io::Result<OwnedFd> {
    /// `PIDFD_THREAD`.
    const THREAD: libc::c_uint = libc::O_EXCL as libc::c_uint;
    match pidfd_open(tid, 0) {
        // Before 6.18 or so EINVAL, later ENOENT: it is not the first thread of its process.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => {
            pidfd_open(tid, THREAD).or_else(|_| pidfd_open(process_of(tid)?, 0))
        }
        opened => opened,
    }
}

/// The process that a thread belongs to.
pub(crate) fn process_of(tid: u32) -> io::Result<u32> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status"))?;
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    process
        .and_then(|number| number.trim().parse().ok())
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// Whether a thread, or another one of its process, runs or waits for a processor or the disk: one thread may connect and another
/// write. By `/proc/TID/task/*/stat` (proc_pid_stat(5)), of the first few threads; false where that can't be read.
pub(crate) fn is_busy(tid: u32) -> bool {
    const THREADS: usize = 64;
    let others = || {
        std::fs::read_dir(format!("/proc/{tid}/task"))
            .into_iter()
            .flatten()
            .flatten()
    };
    lacks_processor(Path::new(&format!("/proc/{tid}/task/{tid}")))
        || others()
            .take(THREADS)
            .any(|thread| lacks_processor(&thread.path()))
}

fn lacks_processor(thread: &Path) -> bool {
    let stat = std::fs::read(thread.join("stat")).unwrap_or_default();
    // The name before the state may contain anything, parentheses too.
    let after_name = stat.rsplit(|byte| *byte == b')').next().unwrap_or_default();
    matches!(after_name, [b' ', b'R' | b'D', ..])
}

/// Reads another process's memory, as much as there is up to the end of its mapping; gives the number of bytes.
pub(crate) fn read_memory(tid: u32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = remote(address, into.len())?;
    // SAFETY: the local vector is that of a slice that is borrowed for the call; the remote one is the other process's, and the kernel
    // checks it.
    let read = unsafe { libc::process_vm_readv(tid_of(tid)?, &raw const local, 1, &raw const remote, 1, 0) };
    check(read as libc::c_long).map(|read| usize::try_from(read).unwrap_or(0))
}

/// Writes to another process's memory; all of it or an error.
pub(crate) fn write_memory(tid: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
    let local = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let remote = remote(address, bytes.len())?;
    // SAFETY: the call only reads from the local vector, which is that of a slice; the kernel checks the remote one.
    let written =
        unsafe { libc::process_vm_writev(tid_of(tid)?, &raw const local, 1, &raw const remote, 1, 0) };
    match check(written as libc::c_long)? {
        written if usize::try_from(written) == Ok(bytes.len()) => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
}

fn tid_of(tid: u32) -> io::Result<libc::pid_t> {
    libc::pid_t::try_from(tid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))
}

fn remote(address: u64, len: usize) -> io::Result<libc::iovec> {
    let address = usize::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
    Ok(libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address),
        iov_len: len,
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// `sh` that computes, or waits for input.
    fn becomes(script: &str, is_expected: impl Fn(u32) -> bool) {
        let mut sh = Command::new("sh");
        let mut child = sh.args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_expected(child.id()) {
            assert!(Instant::now() < deadline, "{script}");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_busy(child.id()), "it is gone");
    }

    #[test]
    fn who_waits_is_not_busy() {
        becomes("while :; do :; done", is_busy);
        becomes("read line", |pid| !is_busy(pid));
        assert!(
            is_busy(std::process::id()),
            "this thread runs, though it may not be the first"
        );
    }
}
