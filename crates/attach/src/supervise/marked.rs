//! The sockets on which TCP_FASTOPEN_CONNECT was set here: pure.
//!
//! The kernel lets it be taken back only while a socket is closed. One whose connection has failed or was given up (`AF_UNSPEC`) may be
//! connected again by its program, and what is still set on it then is not the program's own doing.

use std::collections::{HashSet, VecDeque};

/// How many are remembered: the latest.
const MOST: usize = 1 << 16;

#[derive(Debug, Default)]
pub(crate) struct Marked {
    inodes: HashSet<u64>,
    in_order: VecDeque<u64>,
}

impl Marked {
    pub(crate) fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }

    pub(crate) fn contains(&self, inode: u64) -> bool {
        self.inodes.contains(&inode)
    }

    pub(crate) fn insert(&mut self, inode: u64) {
        if !self.inodes.insert(inode) {
            return;
        }
        self.in_order.push_back(inode);
        if self.in_order.len() > MOST
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.inodes.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let mut marked = Marked::default();
        assert!(marked.is_empty());
        for inode in (0..=MOST as u64).chain([7]) {
            marked.insert(inode);
        }
        assert!(!marked.contains(0) && marked.contains(1) && marked.contains(MOST as u64));
        assert_eq!(marked.inodes.len(), marked.in_order.len());
    }
}
