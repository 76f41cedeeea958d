//! Another process: a descriptor for it, and duplicates of its descriptors.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::check;

/// `pidfd_open(2)`: a descriptor that stands for this process, whoever gets its number later.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    pidfd_open(pid, 0)
}

pub(super) fn pidfd_open(pid: u32, flags: libc::c_uint) -> io::Result<OwnedFd> {
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

/// `/proc/TID/status`.
fn status(tid: u32) -> io::Result<String> {
    read_proc(Path::new(&format!("/proc/{tid}/status")))
}

/// The thread's name, with the line's end.
pub(crate) fn name(tid: u32) -> String {
    read_proc(Path::new(&format!("/proc/{tid}/comm"))).unwrap_or_default()
}

fn read_proc(path: &Path) -> io::Result<String> {
    read_whole(&File::open(path)?)
}

/// A file of /proc in as few calls as may be: calls of programs wait for some of them. What fits comes at once, and most do.
pub(super) fn read_whole(file: &File) -> io::Result<String> {
    let (mut bytes, mut len) = (Vec::new(), 0);
    while len == 0 || len == bytes.len() {
        bytes.resize(len + 4096, 0);
        match file.read_at(&mut bytes[len..], len as u64)? {
            0 => break,
            read => len += read,
        }
    }
    bytes.truncate(len);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The process that a thread belongs to.
pub(crate) fn process_of(tid: u32) -> io::Result<u32> {
    let status = status(tid)?;
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    process
        .and_then(|number| number.trim().parse().ok())
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// Whether a thread computes, or waits for a processor or the disk; or waits for another of its process that does, since one may connect and
/// another write. One that waits for input is not busy, whatever the others do.
///
/// By `/proc/TID/task/*/stat` and `/proc/TID/syscall` (proc_pid_stat(5), proc_pid_syscall(5)), of the first few threads; false where those
/// can't be read.
pub(crate) fn is_busy(tid: u32) -> bool {
    const THREADS: usize = 64;
    let itself = format!("/proc/{tid}/task/{tid}");
    if lacks_processor(Path::new(&itself)) {
        return true;
    }
    let others = || {
        std::fs::read_dir(format!("/proc/{tid}/task"))
            .into_iter()
            .flatten()
            .flatten()
    };
    !waits_for_input(Path::new(&itself))
        && others()
            .take(THREADS)
            .any(|thread| lacks_processor(&thread.path()))
}

/// Whether it sleeps in a call that reads, or that waits until something can be read.
fn waits_for_input(thread: &Path) -> bool {
    #[cfg(target_arch = "x86_64")]
    const POLLS: &[libc::c_long] = &[libc::SYS_poll, libc::SYS_select, libc::SYS_epoll_wait];
    #[cfg(not(target_arch = "x86_64"))]
    const POLLS: &[libc::c_long] = &[];
    const READS: &[libc::c_long] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        libc::SYS_ppoll,
        libc::SYS_pselect6,
        libc::SYS_epoll_pwait,
        libc::SYS_epoll_pwait2,
        libc::SYS_io_uring_enter,
    ];
    let call = read_proc(&thread.join("syscall")).unwrap_or_default();
    let number = call.split(' ').next().and_then(|number| number.parse().ok());
    number.is_some_and(|number| READS.contains(&number) || POLLS.contains(&number))
}

/// Whether it is stopped, as by SIGSTOP.
pub(crate) fn is_stopped(pid: u32) -> bool {
    state(Path::new(&format!("/proc/{pid}"))) == Some('T')
}

fn lacks_processor(thread: &Path) -> bool {
    matches!(state(thread), Some('R' | 'D'))
}

/// As proc_pid_stat(5) has it.
fn state(thread: &Path) -> Option<char> {
    let stat = read_proc(&thread.join("stat")).ok()?;
    // The name before the state may contain anything, parentheses too.
    stat.rsplit(") ").next()?.chars().next()
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
        becomes("read line", |pid| {
            !is_busy(pid) && waits_for_input(Path::new(&format!("/proc/{pid}")))
        });
        assert!(
            is_busy(std::process::id()),
            "this thread runs, though it may not be the first"
        );
    }
}
