//! A filter of system calls that reports some of them to a descriptor, and that descriptor.
//!
//! Source: seccomp(2), seccomp_unotify(2); `include/uapi/linux/seccomp.h`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::check;

/// One instruction of a filter (`struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) value: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: libc::c_ushort,
    filter: *const Instruction,
}

/// A system call that waits for an answer (`struct seccomp_notif`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Notification {
    pub(crate) id: u64,
    /// The calling thread.
    pub(crate) tid: u32,
    flags: u32,
    pub(crate) number: i32,
    pub(crate) architecture: u32,
    instruction_pointer: u64,
    pub(crate) arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// What becomes of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel carries it out.
    Continue,
    /// It returns 0 without being carried out.
    Success,
    /// It fails with this error without being carried out.
    Error(i32),
}

const MAGIC: u64 = b'!' as u64;
const WRITE: u64 = 1;
const READ: u64 = 2;

const fn request(direction: u64, number: u64, size: usize) -> u64 {
    direction << 30 | (size as u64) << 16 | MAGIC << 8 | number
}

const RECEIVE: u64 = request(READ | WRITE, 0, size_of::<Notification>());
const SEND: u64 = request(READ | WRITE, 1, size_of::<Response>());
const ID_VALID: u64 = request(WRITE, 2, size_of::<u64>());
const SET_FLAGS: u64 = request(WRITE, 4, size_of::<u64>());

/// `PR_SET_NO_NEW_PRIVS` on this process, without which only CAP_SYS_ADMIN may install a filter.
pub(crate) fn set_no_new_privileges() -> io::Result<()> {
    // SAFETY: the option takes integers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64) }.into()).map(drop)
}

/// Whether this kernel knows filters that report, and lets this process ask. It changes nothing.
pub(crate) fn can_report() -> io::Result<()> {
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: the operation reads an integer, which outlives the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    })
    .map(drop)
}

/// Installs the filter on this thread, for itself and for what it starts, and gives the descriptor that it reports to.
///
/// Once a call has been received, only deadly signals interrupt it (Linux 5.19; before that every signal restarts it).
pub(crate) fn install(filter: &[Instruction]) -> io::Result<OwnedFd> {
    const WAIT_KILLABLE: libc::c_ulong = 1 << 5;
    let killable = install_with(filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE);
    match killable {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            install_with(filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)
        }
        installed => installed,
    }
}

fn install_with(filter: &[Instruction], flags: libc::c_ulong) -> io::Result<OwnedFd> {
    let program = Program {
        len: libc::c_ushort::try_from(filter.len())
            .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?,
        filter: filter.as_ptr(),
    };
    // SAFETY: the program points to as many instructions as it says; `Program` and `Instruction` are laid out as the kernel's.
    let fd = check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    })?;
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just made this descriptor (close-on-exec), and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The descriptor to which a filter reports.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

impl Listener {
    /// Takes it, and asks the kernel to wake both sides on one processor (Linux 6.6), which halves what a call costs.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        const SYNC_WAKE_UP: u64 = 1;
        // SAFETY: the request takes its argument by value, and changes no memory. An older kernel refuses it, which does no harm.
        unsafe { libc::ioctl(fd.as_raw_fd(), SET_FLAGS as _, SYNC_WAKE_UP) };
        Self(fd)
    }

    /// Whether a call waits to be received.
    pub(crate) fn has_calls(&self) -> bool {
        let mut calls = [PollFd::new(self, PollFlags::IN)];
        poll(&mut calls, Some(&Timespec::default())).is_ok() && calls[0].revents().contains(PollFlags::IN)
    }

    /// The next call that waits; `None` if it was withdrawn meanwhile.
    pub(crate) fn receive(&self) -> io::Result<Option<Notification>> {
        let mut notification = Notification::default();
        // SAFETY: the request writes a `struct seccomp_notif`, as which `Notification` is laid out, zeroed as it must be.
        let returned = unsafe { libc::ioctl(self.0.as_raw_fd(), RECEIVE as _, &raw mut notification) };
        match check(returned.into()) {
            Ok(_) => Ok(Some(notification)),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the call still waits. As long as it does its thread is the one that made it, and its number has no other owner.
    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        // SAFETY: the request reads an integer, which outlives the call.
        unsafe { libc::ioctl(self.0.as_raw_fd(), ID_VALID as _, &raw const id) == 0 }
    }

    /// Answers; false if nobody waits for that any more.
    pub(crate) fn answer(&self, id: u64, answer: Answer) -> bool {
        const CONTINUE: u32 = 1;
        let (error, flags) = match answer {
            Answer::Continue => (0, CONTINUE),
            Answer::Success => (0, 0),
            Answer::Error(error) => (-error, 0),
        };
        let mut response = Response {
            id,
            value: 0,
            error,
            flags,
        };
        // SAFETY: the request reads a `struct seccomp_notif_resp`, as which `Response` is laid out.
        unsafe { libc::ioctl(self.0.as_raw_fd(), SEND as _, &raw mut response) == 0 }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        listener.0
    }
}
