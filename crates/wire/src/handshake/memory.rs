//! A map of bounded size.

use std::hash::{BuildHasher, Hash};
use std::mem;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// A map of at most `limit` entries; the oldest entries are dropped first.
///
/// It keeps two generations: when the young one has half of the entries it becomes the old one, and the old one is dropped.
#[derive(Clone, Debug)]
pub(super) struct Memory<K, V> {
    young: Generation<K, V>,
    old: Generation<K, V>,
    half: usize,
    hasher: RandomState,
}

/// The entries lie in the order in which they came, and only their places are hashed: an index so small stays in the processor's cache.
#[derive(Clone, Debug)]
struct Generation<K, V> {
    index: HashTable<u32>,
    entries: Vec<(K, V)>,
}

impl<K: Eq + Hash, V: Copy> Memory<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        const MOST: usize = u32::MAX as usize;
        Self {
            young: Generation::new(),
            old: Generation::new(),
            half: (limit / 2).clamp(1, MOST),
            hasher: RandomState::default(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let hash = self.hasher.hash_one(key);
        self.young.get(hash, key).or_else(|| self.old.get(hash, key))
    }

    /// Puts an entry in. An older entry under the same key may take up room until it is dropped, but is not found again.
    pub(super) fn put(&mut self, key: K, value: V) {
        let hash = self.hasher.hash_one(&key);
        self.put_young(hash, key, value);
    }

    /// Puts an entry in, and returns the one it replaces, unless that was dropped.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = self.hasher.hash_one(&key);
        let old = self.old.remove(hash, &key);
        self.put_young(hash, key, value).or(old)
    }

    fn put_young(&mut self, hash: u64, key: K, value: V) -> Option<V> {
        if let Some(present) = self.young.get_mut(hash, &key) {
            return Some(mem::replace(present, value));
        }
        if self.young.entries.len() >= self.half {
            mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        self.young.push(hash, key, value, &self.hasher);
        None
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.index.len() + self.old.index.len()
    }
}

impl<K: Eq + Hash, V: Copy> Generation<K, V> {
    fn new() -> Self {
        Self {
            index: HashTable::new(),
            entries: Vec::new(),
        }
    }

    fn get(&self, hash: u64, key: &K) -> Option<&V> {
        let is_it = |place: &u32| self.entries[*place as usize].0 == *key;
        let place = self.index.find(hash, is_it)?;
        Some(&self.entries[*place as usize].1)
    }

    fn get_mut(&mut self, hash: u64, key: &K) -> Option<&mut V> {
        let is_it = |place: &u32| self.entries[*place as usize].0 == *key;
        let place = *self.index.find(hash, is_it)?;
        Some(&mut self.entries[place as usize].1)
    }

    /// The entry is not found any more; its room is free when the generation is dropped.
    fn remove(&mut self, hash: u64, key: &K) -> Option<V> {
        let is_it = |place: &u32| self.entries[*place as usize].0 == *key;
        let (place, _) = self.index.find_entry(hash, is_it).ok()?.remove();
        Some(self.entries[place as usize].1)
    }

    fn push(&mut self, hash: u64, key: K, value: V, hasher: &RandomState) {
        let place = self.entries.len() as u32;
        self.entries.push((key, value));
        let rehash = |place: &u32| hasher.hash_one(&self.entries[*place as usize].0);
        self.index.insert_unique(hash, place, rehash);
    }

    fn clear(&mut self) {
        self.index.clear();
        self.entries.clear();
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
