//! A small cache bounded by weight.

use std::{collections::HashMap, hash::Hash};

/// Remembers what was used lately, up to a weight. All rooms of an isolate share its memory, so a
/// room's caches are small; everything in them can be read again.
pub(super) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    weight: usize,
    limit: usize,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache that holds values of at most `limit` in weight.
    pub fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), weight: 0, limit: limit / 2 }
    }

    /// The value, if it is still here.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.young.get(key).or_else(|| self.old.get(key)).cloned()
    }

    /// Adds a value, forgetting the older half when there is no room.
    pub fn put(&mut self, key: K, value: V, weight: usize) {
        if self.weight.saturating_add(weight) > self.limit {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight = self.weight.saturating_add(weight);
        self.young.insert(key, value);
    }

    /// Forgets a value.
    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.weight = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_holds_no_more_than_its_limit() {
        let mut cache = Cache::new(100);
        for key in 0..1000_u32 {
            cache.put(key, key, 10);
        }
        assert_eq!(cache.get(&999), Some(999));
        assert_eq!(cache.get(&900), None);
        assert!(cache.young.len() + cache.old.len() <= 10);
    }
}
