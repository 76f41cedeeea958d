//! The system calls that neither the standard library nor a crate wraps, and all of this crate's `unsafe`.
//!
//! - [`namespace`]: make a namespace, move the calling thread into one.
//! - [`packet_socket`]: frames of one interface, with the time at which the kernel saw them.
//! - [`offload`]: make an interface send what would be on a wire.
//! - [`wait`]: sleep until a socket is readable, another thread wakes it, or a time comes, to the microsecond.
//! - [`child`]: start a program inside a namespace that dies with its parent.

pub(crate) mod child;
pub(crate) mod namespace;
pub(crate) mod offload;
pub(crate) mod packet_socket;
pub(crate) mod wait;

use std::io;

/// Turns a system call's return value into a result.
fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(returned)
}
