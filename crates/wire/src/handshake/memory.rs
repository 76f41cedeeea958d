//! A map of bounded size.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

/// A map of at most `limit` entries; the oldest entries are dropped first.
///
/// It keeps two generations: when the young one has half of the entries it becomes the old one, and the old one is dropped.
#[derive(Clone, Debug)]
pub(super) struct Memory<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
    half: usize,
}

impl<K: Eq + Hash, V> Memory<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
            half: (limit / 2).max(1),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Puts an entry in. An older entry under the same key may take up room until it is dropped, but is not found again.
    pub(super) fn put(&mut self, key: K, value: V) {
        self.make_room(&key);
        self.young.insert(key, value);
    }

    fn make_room(&mut self, key: &K) {
        if self.young.len() >= self.half && !self.young.contains_key(key) {
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
    }

    /// Puts an entry in, and returns the one it replaces, unless that was dropped.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.old.remove(&key);
        self.make_room(&key);
        self.young.insert(key, value).or(old)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_youngest_half_is_always_remembered() {
        let mut memory = Memory::new(10);
        for number in 0..1000 {
            assert_eq!(memory.insert(number, number), None);
            assert!(memory.len() <= 10);
            for recent in (0..=number).rev().take(5) {
                assert_eq!(memory.get(&recent), Some(&recent));
            }
        }
    }

    #[test]
    fn the_newest_value_counts() {
        let mut memory = Memory::new(4);
        memory.insert('a', 1);
        memory.insert('b', 2);
        memory.insert('c', 3);
        assert_eq!(memory.insert('a', 4), Some(1));
        assert_eq!(memory.get(&'a'), Some(&4));
        assert_eq!(memory.len(), 3);
    }
}
