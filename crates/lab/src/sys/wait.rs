//! Sleeping until something happens.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::check;

/// Lets the calling thread's sleeps end when they should, not up to 50 µs later, and schedules it sooner when others wait for
/// the processor.
pub(crate) fn be_punctual() -> io::Result<()> {
    // SAFETY: this option takes one integer.
    check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) })?;
    // A higher priority takes privilege; asking for short time slices, which are scheduled sooner, does not (Linux 6.12).
    schedule(NICE).or_else(|_| schedule(0))
}

const NICE: i32 = -10;
/// The shortest slice of processor time that the kernel grants, in nanoseconds.
const SLICE: u64 = 100_000;

fn schedule(nice: i32) -> io::Result<()> {
    let attributes = libc::sched_attr {
        size: mem::size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime: SLICE,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the structure says its own size, the thread is the calling one, and there are no flags.
    let returned = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sleeps until one of the descriptors is readable or the time is over; says which are readable.
pub(crate) fn readable(descriptors: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> = descriptors
        .iter()
        .map(|descriptor| libc::pollfd {
            fd: descriptor.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX).into(),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the array and its length belong together, the timeout is null or lives until the end of the function, and a null
    // signal mask changes no mask.
    let polled_count =
        check(unsafe { libc::ppoll(polled.as_mut_ptr(), polled.len() as _, timeout, std::ptr::null()) });
    match polled_count {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(vec![false; polled.len()]),
        Err(error) => Err(error),
        Ok(_) => Ok(polled.iter().map(|polled| polled.revents != 0).collect()),
    }
}

/// An eventfd with which one thread wakes another from [`readable`].
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes two integers.
        let descriptor = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the call has just made this descriptor, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    pub(crate) fn ring(&self) {
        let one = 1_u64.to_ne_bytes();
        // A full counter means that a wake-up is pending already, so the result doesn't matter.
        // SAFETY: the bytes are readable for the length given.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    pub(crate) fn silence(&self) {
        let mut count = [0; 8];
        // SAFETY: the buffer is writable for the length given.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
