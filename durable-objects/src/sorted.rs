//! A map for few entries, or for some thousands that seldom change.

use std::borrow::Borrow;

/// A map that is a sorted list: a small part of the code of a `BTreeMap`, which is compiled for each type of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> SortedMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// How many entries there are.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Removes all of them.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entries, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Removes all entries but those that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }

    /// Removes the entry with the greatest key.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        self.entries.pop()
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// Where the entry of `key` is, or else where it would be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries.binary_search_by(|(each, _)| each.borrow().cmp(key))
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(self.find(key).ok()?).map(|(_, value)| value)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Sets the value of `key`.
    pub fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(place) => {
                if let Some((_, old)) = self.entries.get_mut(place) {
                    *old = value;
                }
            }
            Err(place) => self.entries.insert(place, (key, value)),
        }
    }

    /// The value of `key`, to be changed; one by default is put there if there is none.
    #[expect(clippy::indexing_slicing, reason = "the entry was found, or put there")]
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let place = match self.find(&key) {
            Ok(place) => place,
            Err(place) => {
                self.entries.insert(place, (key, V::default()));
                place
            }
        };
        &mut self.entries[place].1
    }

    /// Sets the value of `key`. When there are `limit` entries, all of them are forgotten before.
    pub fn remember(&mut self, limit: usize, key: K, value: V) {
        if self.entries.len() >= limit {
            self.entries.clear();
        }
        self.insert(key, value);
    }

    /// Removes the entry of `key`.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        Some(self.entries.remove(place).1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_holds_what_a_btree_map_holds() {
        let (mut map, mut model) = (SortedMap::default(), BTreeMap::default());
        for step in 0_u32..1_000 {
            let key = step.wrapping_mul(2_654_435_761) >> 26;
            match step % 5 {
                0 => assert_eq!(map.remove(&key), model.remove(&key)),
                1 => *map.or_default(key) = *model.entry(key).and_modify(|value| *value += 1).or_default(),
                2 if step % 3 == 0 => assert_eq!(map.pop_last(), model.pop_last()),
                _ => {
                    map.insert(key, step);
                    model.insert(key, step);
                }
            }
            assert_eq!(map.get(&key), model.get(&key));
            assert_eq!(map.get_mut(&key), model.get_mut(&key));
            assert!(map.iter().eq(model.iter()));
        }
        map.retain(|key, _| key % 2 == 0);
        model.retain(|key, _| key % 2 == 0);
        assert!(map.iter().eq(model.iter()));
        map.remember(map.len(), 7, 7);
        assert!(map.iter().eq([(&7, &7)]));
    }
}
