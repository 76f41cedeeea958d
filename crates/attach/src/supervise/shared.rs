//! What a guardian must know when its supervisor is killed: which calls may wait for an answer, and which sockets for a release.
//!
//! The supervisor writes it, in memory that both share; the guardian reads it after the supervisor's end.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::page::Page;

/// How many sockets may wait for a release at once; further connections are ordinary ones. Each waits for milliseconds.
const SLOTS: usize = 2048;

#[derive(Debug)]
pub(crate) struct Shared(Page);

/// A socket's place in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slot(usize);

impl Shared {
    pub(crate) fn new() -> io::Result<Self> {
        Page::new(1 + 2 * SLOTS).map(Self)
    }

    /// A call was received.
    pub(crate) fn received(&self, id: u64) {
        self.0.words()[0].store(id, Ordering::Release);
    }

    /// The call that was received last; 0 if there was none.
    pub(crate) fn last_received(&self) -> u64 {
        self.0.words()[0].load(Ordering::Acquire)
    }

    /// Notes that the socket may have to be released, if there is room.
    pub(crate) fn note(&self, process: u32, inode: u64) -> Option<Slot> {
        let free = (0..SLOTS).find(|slot| self.word(slot * 2).load(Ordering::Relaxed) == 0)?;
        self.word(free * 2 + 1).store(inode, Ordering::Relaxed);
        self.word(free * 2).store(process.into(), Ordering::Release);
        Some(Slot(free))
    }

    /// The socket's SYN has left.
    pub(crate) fn free(&self, slot: &Slot) {
        self.word(slot.0 * 2).store(0, Ordering::Release);
    }

    /// The threads and inode numbers of the sockets that may have to be released.
    pub(crate) fn noted(&self) -> Vec<(u32, u64)> {
        let slot = |slot: usize| {
            let process = self.word(slot * 2).load(Ordering::Acquire);
            let inode = self.word(slot * 2 + 1).load(Ordering::Relaxed);
            (process != 0).then(|| Some((u32::try_from(process).ok()?, inode)))?
        };
        (0..SLOTS).filter_map(slot).collect()
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        &self.0.words()[1 + at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again() {
        let shared = Shared::new().unwrap();
        let slots: Vec<_> = (0..SLOTS).map(|i| shared.note(7, i as u64).unwrap()).collect();
        assert_eq!(shared.note(7, 9), None);
        shared.free(&slots[3]);
        assert_eq!(shared.noted().len(), SLOTS - 1);
        assert_eq!(shared.note(8, 1), Some(Slot(3)));
        assert!(shared.noted().contains(&(8, 1)));
    }
}
