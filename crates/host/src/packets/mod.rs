//! TCP packets as they pass this machine's interfaces (packet(7)).
//!
//! ```no_run
//! use fastopen_host::packets::{Filter, Packets};
//!
//! let mut packets = Packets::open(Some("eth0"), &Filter::default().with_port(443))?;
//! loop {
//!     while let Some(packet) = packets.next_packet() {
//!         println!("{} bytes at {:?}", packet.original_len, packet.time);
//!     }
//!     // … until `packets`, as a descriptor, is readable
//! #   break;
//! }
//! # Ok::<(), fastopen_host::Error>(())
//! ```
//!
//! The kernel leaves out what the [`Filter`] does not take, and copies the first [`SNAP_LEN`] bytes of the rest into a ring that it
//! shares with this process: there is no system call for a packet, and a large packet takes no more room than a small one.

mod assembler;
mod block;
mod filter;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::error::Error;
use crate::sys::ring::Ring;

use block::Position;
pub use filter::Filter;

/// How many bytes of a packet are kept: the longest headers of IP and TCP, some extension headers of IPv6, and a look at the data.
pub const SNAP_LEN: usize = 256;

/// The TCP packets that pass an interface, or all of them, in both directions.
#[derive(Debug)]
pub struct Packets {
    ring: Ring,
    position: Option<Position>,
    dropped: u64,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When the kernel saw it, from the Unix epoch.
    pub time: Duration,
    /// The interface that it came from or left through, by index.
    pub interface: u32,
    /// As many of its bytes as were kept, from the IP header on.
    pub bytes: &'a [u8],
    /// How many bytes it had.
    pub original_len: usize,
}

impl Packets {
    /// Begins to watch an interface of the calling thread's network namespace, by name, or all of them.
    ///
    /// The loopback interface shows each packet twice, as it leaves and as it arrives; it is watched where they arrive. A packet that
    /// goes through several interfaces, such as a bridge and what is behind it, is seen at each.
    ///
    /// # Errors
    /// [`Error::Request`]: without CAP_NET_RAW the system says that it is not permitted.
    pub fn open(interface: Option<&str>, filter: &Filter) -> Result<Self, Error> {
        Ok(Self {
            ring: Ring::open(interface, &filter.program())?,
            position: None,
            dropped: 0,
        })
    }

    /// The next packet; `None` when there is none for now. When there are more the socket becomes [readable](AsFd), at most a
    /// twentieth of a second later.
    pub fn next_packet(&mut self) -> Option<Packet<'_>> {
        let found = loop {
            let block = self.ring.filled()?;
            let position = self.position.unwrap_or_else(|| Position::first(block));
            match position.find(block) {
                Some((found, next)) => {
                    self.position = Some(next);
                    break found;
                }
                None => {
                    self.position = None;
                    self.ring.release();
                }
            }
        };
        let block = self.ring.filled()?;
        Some(Packet {
            time: found.time,
            interface: found.interface,
            bytes: &block[found.bytes],
            original_len: found.original_len,
        })
    }

    /// How many packets the kernel had no room for, since the beginning.
    ///
    /// # Errors
    /// [`Error::Request`] with what the system said.
    pub fn dropped(&mut self) -> Result<u64, Error> {
        self.dropped += self.ring.take_dropped()?;
        Ok(self.dropped)
    }

    /// What has become of the interface: an error when it went down or away.
    ///
    /// # Errors
    /// [`Error::Request`] with what the system said.
    pub fn check(&self) -> Result<(), Error> {
        self.ring.check()
    }
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}
