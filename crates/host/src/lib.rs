//! What this machine's kernel knows of TCP Fast Open, as values.
//!
//! Everything is read from the calling thread's network namespace. What the kernel lacks is a value (`None`, or a variant that says
//! so); an [`Error`] means that something which should be readable was not.
//!
//! ```
//! use fastopen_host::sysctl::{self, FastOpenBits};
//!
//! # if cfg!(target_os = "linux") {
//! match sysctl::fast_open()? {
//!     Some(bits) if bits.contains(FastOpenBits::SERVER) => println!("listeners may use Fast Open"),
//!     Some(bits) => println!("the server bit is off: net.ipv4.tcp_fastopen is {bits}"),
//!     None => println!("this kernel has no Fast Open"),
//! }
//! # }
//! # Ok::<(), fastopen_host::Error>(())
//! ```
//!
//! # What there is
//!
//! | module | tells | from |
//! |---|---|---|
//! | [`sysctl`] | who may use Fast Open, whether a key is set, what limits the queues; and changes it | `/proc/sys/net` |
//! | [`counters`] | what became of connections so far, and what each number means | `/proc/net/netstat` |
//! | [`listeners`] | which listeners use Fast Open, and how long their queues are | `/proc/net/tcp`, `tcp6` |
//! | [`owners`] | which processes hold a socket | `/proc/*/fd` |
//! | `sockets` | every TCP socket with its `tcp_info` | netlink: sock_diag |
//! | `packets` | the TCP packets that pass this machine's interfaces | packet sockets |
//! | `connecting` | who answered a connection attempt with an ICMP error | a socket's error queue |
//! | `cookies` | the cookies that other hosts granted; and forgets them | netlink: tcp_metrics |
//!
//! [`KernelVersion`] and [`Feature`] say which kernel each part of Fast Open dates from.
//!
//! # Features
//!
//! - `netlink` (on by default): `sockets` and `cookies`. Without it the crate reads `/proc` and needs next to nothing.
//! - `packets`: `packets` and `connecting`. It alone needs `unsafe`: for the memory that it shares with the kernel, and for calls that no
//!   crate wraps.
//!
//! # Platform notes
//!
//! Linux. On other systems the crate compiles, and everything that asks the kernel gives [`Error::NotLinux`]; the parsers work
//! anywhere. `packets` hands out descriptors, so it is there on Unix alone.

#![cfg_attr(not(feature = "packets"), forbid(unsafe_code))]
#![deny(unsafe_code)]
#![cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "elsewhere only tests call the parsers")
)]

#[cfg(all(feature = "packets", any(target_os = "linux", target_os = "android")))]
pub mod connecting;
#[cfg(feature = "netlink")]
pub mod cookies;
pub mod counters;
mod error;
mod features;
mod kernel;
pub mod listeners;
#[cfg(feature = "netlink")]
mod netlink;
pub mod owners;
#[cfg(all(feature = "packets", unix))]
pub mod packets;
pub mod printable;
#[cfg(feature = "packets")]
pub mod privileges;
mod proc;
#[cfg(feature = "netlink")]
pub mod sockets;
#[cfg(feature = "packets")]
#[allow(unsafe_code, reason = "all of it is in there")]
mod sys;
pub mod sysctl;
mod tcp_state;

pub use error::Error;
pub use features::Feature;
pub use kernel::{KernelVersion, ParseKernelVersionError};
pub use tcp_state::TcpState;
