//! The system calls that neither the standard library nor a crate wraps, and all of this crate's `unsafe`.
//!
//! - [`process`]: another process by descriptor, a duplicate of one of its descriptors, its memory.
//! - [`thread`]: one of its threads, whose descriptors may be others.
//! - [`socket`]: the socket options that the duplicates are for.
//! - [`seccomp`]: a filter of system calls, and the descriptor on which it reports them.
//! - [`children`]: what becomes of a process's children.
//! - [`signals`]: signals that a process takes one by one, and passes on.
//! - [`fork`]: new processes, what they keep of their parent, and how one becomes a program.
//! - [`start`]: what Rust's runtime changes before `main`.
//! - [`page`]: memory that a process and its children share.

pub(crate) mod children;
pub(crate) mod fork;
pub(crate) mod page;
pub(crate) mod process;
pub(crate) mod seccomp;
pub(crate) mod signals;
pub(crate) mod socket;
mod start;
pub(crate) mod thread;

use std::io;

/// Turns a system call's return value into a result.
fn check(returned: libc::c_long) -> io::Result<libc::c_long> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(returned)
}
