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

#![forbid(unsafe_code)]

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
mod proc;
#[cfg(feature = "netlink")]
pub mod sockets;
pub mod sysctl;

pub use error::Error;
pub use features::Feature;
pub use kernel::{KernelVersion, ParseKernelVersionError};
