//! Ids that are at hand: a cache of facts that never change, bounded by two generations.
//!
//! What is asked for moves into the young generation; when that is full it becomes the old one
//! and the old one is forgotten. A hit costs one shared lock and one hash.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks are spread over this many parts.
const PARTS: usize = 16;

/// A bounded map from names to ids.
pub struct Known<K> {
    parts: Vec<RwLock<Generations<K>>>,
    /// Keys are chosen by clients, so they are hashed with a secret.
    hasher: RandomState,
    /// Entries of one generation of one part.
    most: usize,
}

struct Generations<K> {
    young: HashMap<K, i64, RandomState>,
    old: HashMap<K, i64, RandomState>,
}

impl<K: Hash + Eq + Clone> Known<K> {
    /// Holds between half of `entries` and all of them.
    pub fn new(entries: usize) -> Self {
        let hasher = RandomState::new();
        let map = || HashMap::with_hasher(hasher.clone());
        let part = || RwLock::new(Generations { young: map(), old: map() });
        let parts = (0..PARTS).map(|_| part()).collect();
        Known { parts, most: (entries / PARTS / 2).max(1), hasher }
    }

    pub fn get(&self, key: &K) -> Option<i64> {
        let part = self.part(key);
        let found = {
            let generations = read(part);
            match generations.young.get(key) {
                Some(id) => return Some(*id),
                None => generations.old.get(key).copied(),
            }
        };
        let id = found?;
        self.insert(key.clone(), id);
        Some(id)
    }

    pub fn insert(&self, key: K, id: i64) {
        let mut generations = write(self.part(&key));
        if generations.young.len() >= self.most {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, id);
    }

    fn part(&self, key: &K) -> &RwLock<Generations<K>> {
        &self.parts[self.hasher.hash_one(key) as usize % PARTS]
    }
}

fn read<K>(part: &RwLock<Generations<K>>) -> RwLockReadGuard<'_, Generations<K>> {
    part.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn write<K>(part: &RwLock<Generations<K>>) -> RwLockWriteGuard<'_, Generations<K>> {
    part.write().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten() {
        let known = Known::new(PARTS * 8);
        known.insert(0, 100);
        for key in 1..10_000 {
            known.insert(key, key);
            assert_eq!(known.get(&0), Some(100));
        }
        let kept = (1..10_000).filter(|key| known.get(key).is_some()).count();
        assert!(kept <= PARTS * 8, "{kept}");
        assert_eq!(known.get(&9_999), Some(9_999));
        assert_eq!(known.get(&-1), None);
    }
}
