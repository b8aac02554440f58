//! How many of something each has at once: one alone must not take all the places that there are.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

type Counts<K> = Arc<Mutex<HashMap<K, usize>>>;

/// Connections by address, or requests by caller.
pub struct Crowd<K> {
    most: usize,
    counts: Counts<K>,
}

/// The place of one of them, until dropped.
pub struct PlaceInCrowd<K: Eq + Hash> {
    key: K,
    counts: Counts<K>,
}

impl<K: Eq + Hash + Clone> Crowd<K> {
    pub fn new(most: usize) -> Crowd<K> {
        Crowd { most, counts: Counts::default() }
    }

    /// A place for one more; None where there are as many as there may be. Who comes for many, as
    /// a trusted proxy, always gets one.
    pub fn enter(&self, key: K, is_for_many: bool) -> Option<PlaceInCrowd<K>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= self.most && !is_for_many {
            return None;
        }
        *count += 1;
        Some(PlaceInCrowd { key, counts: self.counts.clone() })
    }
}

impl<K: Eq + Hash> Drop for PlaceInCrowd<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_so_many_places_and_no_more() {
        let crowd = Crowd::new(2);
        let first = crowd.enter("one", false).unwrap();
        let _second = crowd.enter("one", false).unwrap();
        assert!(crowd.enter("one", false).is_none());
        assert!(crowd.enter("one", true).is_some(), "who comes for many");
        assert!(crowd.enter("other", false).is_some());
        drop(first);
        assert!(crowd.enter("one", false).is_some());
    }
}
