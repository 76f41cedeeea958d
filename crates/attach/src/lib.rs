//! TCP Fast Open on other programs' sockets.
//!
//! [`listeners`] finds the sockets on which running servers listen, and switches Fast Open on and off there: with a duplicate of the
//! socket (`pidfd_getfd`), which is all that `setsockopt(TCP_FASTOPEN)` needs. The server itself does not notice.
//!
//! [`supervise`](mod@supervise) starts a program, unchanged, with Fast Open on what it connects to. Where Yama's scope is 1 and
//! CAP_SYS_PTRACE is missing it does so as the program's parent ([`supervise::Placement`]).
//!
//! # Platform notes
//!
//! Linux 5.6 or later; 5.9 to supervise programs, on x86-64 and aarch64 (elsewhere it is refused). It takes permission to trace the process whose
//! socket it is: the same user, or CAP_SYS_PTRACE; see ptrace(2), "Ptrace access mode checking".

#![deny(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("fastopen-attach is for Linux: other systems have no pidfd_getfd");

mod error;
mod keys;
pub mod listeners;
mod process;
pub mod supervise;
#[allow(unsafe_code, reason = "all of it is in there")]
mod sys;

pub use error::Error;
