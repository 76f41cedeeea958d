//! How this process was started, as the program that takes its place is to find it.
//!
//! Before `main` Rust's runtime ignores SIGPIPE, and opens /dev/null for standard streams that are closed. A program that was started so,
//! as systemd starts services with SIGPIPE ignored, would find it otherwise.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

const STREAMS: [RawFd; 3] = [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];

/// A bit for each stream that was closed, and one for SIGPIPE.
static FOUND: AtomicU8 = AtomicU8::new(0);
const PIPE_IGNORED: u8 = 1 << 7;

/// The C library calls what is in this section before the runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let mut found = 0;
    for stream in STREAMS {
        // SAFETY: it asks for flags, and fails where there is no such descriptor.
        if unsafe { libc::fcntl(stream, libc::F_GETFD) } < 0 {
            found |= 1 << stream;
        }
    }
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no action is set, and the pointer is to one that outlives the call.
    unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeros are an action, too.
    if unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN {
        found |= PIPE_IGNORED;
    }
    FOUND.store(found, Ordering::Relaxed);
}

/// Makes it so for what this process becomes.
pub(super) fn give_on() {
    let found = FOUND.load(Ordering::Relaxed);
    for stream in STREAMS {
        if found & 1 << stream != 0 {
            // SAFETY: the call takes integers; what was opened in place of a closed stream closes when this process becomes another.
            unsafe { libc::fcntl(stream, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    let disposition = match found & PIPE_IGNORED {
        0 => libc::SIG_DFL,
        _ => libc::SIG_IGN,
    };
    // SAFETY: neither runs a handler.
    unsafe { libc::signal(libc::SIGPIPE, disposition) };
}
