//! The system calls that neither the standard library nor a crate wraps, and all of this crate's `unsafe`.
//!
//! - [`ring`]: packets of an interface, in memory shared with the kernel. What a platform must provide: [`Ring::open`](ring::Ring::open)
//!   for an interface and a program; [`filled`](ring::Ring::filled), the block to read from, which nobody else writes to until
//!   [`release`](ring::Ring::release); [`take_dropped`](ring::Ring::take_dropped); [`check`](ring::Ring::check); and a descriptor
//!   that is readable when there is a block. On other systems than Linux opening fails.
//! - [`privileges`]: giving up what root may do. What a platform must provide: [`become_user`](privileges::become_user) and
//!   [`drop_capabilities`](privileges::drop_capabilities). On other systems than Linux both do nothing.
//! - `error_queue`: a socket's error queue, and options that are switched on. Linux only.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod error_queue;
#[cfg(unix)]
pub(crate) mod instruction;
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    path = "no_privileges.rs"
)]
pub(crate) mod privileges;
#[cfg(unix)]
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "ring.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "no_ring.rs")]
pub(crate) mod ring;
