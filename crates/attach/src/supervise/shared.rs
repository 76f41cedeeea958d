//! What a guardian must know when its supervisor is killed: which call may wait for an answer, and which sockets for a release or for
//! their end.
//!
//! The supervisor writes it, in memory that both share; the guardian reads it after the supervisor's end.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::last_words::LastWords;
use crate::sys::page::Page;

/// How many sockets may wait for a release at once; further connections are ordinary ones. Each waits for milliseconds.
const SLOTS: usize = 2048;

#[derive(Debug)]
pub(crate) struct Shared {
    page: Page,
    /// What the guardian is to say then.
    pub(crate) last_words: Option<LastWords>,
}

/// A socket of which the supervisor had to do something more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) tid: u32,
    pub(crate) inode: u64,
    /// What is to be shut down when its handshake has ended.
    pub(crate) shutdown: Directions,
}

/// The directions in which a socket is to be shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directions {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Directions {
    /// As shutdown(2) takes them; None for what it refuses.
    pub(crate) fn parse(how: u64) -> Option<Self> {
        let (read, write) = match i32::try_from(how & 0xffff_ffff).ok()? {
            libc::SHUT_RD => (true, false),
            libc::SHUT_WR => (false, true),
            libc::SHUT_RDWR => (true, true),
            _ => return None,
        };
        Some(Self { read, write })
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            write: self.write || other.write,
        }
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    fn bits(self) -> u64 {
        u64::from(self.read) | u64::from(self.write) << 1
    }

    /// Does it. That the connection has failed meanwhile is for its program to see.
    pub(crate) fn shut_down(self, socket: &OwnedFd) {
        use rustix::net::{Shutdown, shutdown};
        let how = match (self.read, self.write) {
            (true, true) => Shutdown::Both,
            (true, false) => Shutdown::Read,
            (false, true) => Shutdown::Write,
            (false, false) => return,
        };
        let _ = shutdown(socket, how);
    }
}

/// A socket's place in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slot(usize);

impl Shared {
    pub(crate) fn new(last_words: Option<LastWords>) -> io::Result<Self> {
        let page = Page::new(1 + 2 * SLOTS)?;
        Ok(Self { page, last_words })
    }

    /// The program is another process than the one that made it.
    pub(crate) fn is_of(&mut self, program: u32) {
        if let Some(last_words) = &mut self.last_words {
            last_words.program = program;
        }
    }

    /// A call was received.
    pub(crate) fn received(&self, id: u64) {
        self.page.words()[0].store(id, Ordering::Release);
    }

    /// The call that was received last; 0 if there was none.
    pub(crate) fn last_received(&self) -> u64 {
        self.page.words()[0].load(Ordering::Acquire)
    }

    /// Notes that the socket may have to be released, or is to be shut down, if there is room.
    pub(crate) fn note(&self, noted: Noted) -> Option<Slot> {
        let free = (0..SLOTS).find(|slot| self.word(slot * 2).load(Ordering::Relaxed) == 0)?;
        self.word(free * 2 + 1).store(noted.inode, Ordering::Relaxed);
        let first = u64::from(noted.tid) | noted.shutdown.bits() << 32;
        self.word(free * 2).store(first, Ordering::Release);
        Some(Slot(free))
    }

    /// Nothing is left to be done.
    pub(crate) fn free(&self, slot: &Slot) {
        self.word(slot.0 * 2).store(0, Ordering::Release);
    }

    /// The sockets of which something more must be done.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        let slot = |slot: usize| {
            let first = self.word(slot * 2).load(Ordering::Acquire);
            let noted = Noted {
                tid: u32::try_from(first & 0xffff_ffff).ok()?,
                inode: self.word(slot * 2 + 1).load(Ordering::Relaxed),
                shutdown: Directions {
                    read: first >> 32 & 1 != 0,
                    write: first >> 33 & 1 != 0,
                },
            };
            (first != 0).then_some(noted)
        };
        (0..SLOTS).filter_map(slot).collect()
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        &self.page.words()[1 + at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_those_of_shutdown() {
        let both = Directions {
            read: true,
            write: true,
        };
        let of = |how: i32| Directions::parse(u64::from(how.cast_unsigned()));
        assert_eq!(of(2), Some(both));
        assert_eq!(of(0).zip(of(1)).map(|(read, write)| read.and(write)), Some(both));
        assert!(of(3).is_none() && of(-1).is_none());
        assert!(Directions::default().is_none() && !both.is_none());
    }

    #[test]
    fn slots_are_used_again() {
        let shared = Shared::new(None).unwrap();
        let noted = |tid, inode| Noted {
            tid,
            inode,
            shutdown: Directions::parse(libc::SHUT_WR as u64).unwrap(),
        };
        let slots: Vec<_> = (0..SLOTS)
            .map(|i| shared.note(noted(7, i as u64)).unwrap())
            .collect();
        assert_eq!(shared.note(noted(7, 9)), None);
        shared.free(&slots[3]);
        assert_eq!(shared.noted().len(), SLOTS - 1);
        assert_eq!(shared.note(noted(u32::MAX, 1)), Some(Slot(3)));
        assert!(shared.noted().contains(&noted(u32::MAX, 1)));
    }
}
