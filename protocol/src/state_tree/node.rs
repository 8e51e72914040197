//! One node of the tree and its bytes.

use std::rc::Rc;

use super::NodeId;

/// Bytes of the header: level, width of a value, presence bitmap.
const HEADER: usize = 2 + BITMAP;
const BITMAP: usize = 32;

/// Keys have 32 bits, so that a root is at most at this level.
const MAX_LEVEL: u8 = 3;

/// A stored tree that contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorruptTree {
    /// Bytes that are no node.
    #[error("the bytes are no state tree node")]
    Bytes,
    /// A node is not on the level where its parent says it is.
    #[error("state tree node {0:?} is on the wrong level")]
    Level(NodeId),
}

/// The value of each of a node's slots.
pub(super) type Table = [Option<u32>; 256];

/// An immutable node: up to 256 slots, each empty or holding a number (an event's in a leaf, a child's above).
///
/// Encoded as the level (0 for a leaf), the width `w` of a value in bytes (1 to 4), a bitmap of the slots in use, and
/// the values in order of their slots, little-endian in `w` bytes each. A slot is read by counting bits: no other slot
/// is decoded. Cloning copies a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node(Rc<[u8]>);

impl Node {
    /// Takes bytes for a node if they are one.
    pub fn parse(bytes: impl Into<Rc<[u8]>>) -> Result<Self, CorruptTree> {
        let node = Self(bytes.into());
        let header = node.0.get(..HEADER).ok_or(CorruptTree::Bytes)?;
        let (level, width) = match header {
            [level, width, ..] => (*level, usize::from(*width)),
            _ => return Err(CorruptTree::Bytes),
        };
        let length = node.len().saturating_mul(width).saturating_add(HEADER);
        let sound =
            level <= MAX_LEVEL && (1..=4).contains(&width) && node.0.len() == length && !node.is_empty();
        if sound { Ok(node) } else { Err(CorruptTree::Bytes) }
    }

    /// Makes a node of slots and values, ascending by slot. `None` for no slots: there are no empty nodes.
    pub(super) fn new(level: u8, slots: &[(u8, u32)]) -> Option<Self> {
        let largest = slots.iter().map(|(_, value)| *value).max()?;
        let width = largest
            .to_le_bytes()
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(1, |last| last.saturating_add(1));
        let mut bitmap = [0_u8; BITMAP];
        for (slot, _) in slots {
            if let Some(byte) = bitmap.get_mut(usize::from(slot / 8)) {
                *byte |= 1 << (slot % 8);
            }
        }
        let mut bytes = Vec::with_capacity(HEADER.saturating_add(slots.len().saturating_mul(width)));
        bytes.push(level);
        // A width is at most 4.
        bytes.push(u8::try_from(width).unwrap_or(4));
        bytes.extend_from_slice(&bitmap);
        for (_, value) in slots {
            bytes.extend(value.to_le_bytes().iter().take(width));
        }
        Some(Self(bytes.into()))
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How far above the leaves the node is.
    pub fn level(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    /// How many slots are in use: 1 to 256.
    pub fn len(&self) -> usize {
        self.words().iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Always false in a node that was parsed: an empty one is not stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value in a slot.
    pub(super) fn get(&self, slot: u8) -> Option<u32> {
        let words = self.words();
        let (word_index, bit) = (usize::from(slot / 64), slot % 64);
        let word = *words.get(word_index)?;
        if word & (1 << bit) == 0 {
            return None;
        }
        let before = words.iter().take(word_index).map(|word| word.count_ones() as usize).sum::<usize>();
        let within = (word & ((1_u64 << bit).wrapping_sub(1))).count_ones() as usize;
        self.value(before.saturating_add(within))
    }

    /// The slots in use with their values, ascending.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u8, u32)> + '_ {
        self.used().zip(self.values())
    }

    /// All slots' values.
    pub(super) fn to_table(&self) -> Table {
        let mut table = [None; 256];
        for (slot, value) in self.slots() {
            if let Some(entry) = table.get_mut(usize::from(slot)) {
                *entry = Some(value);
            }
        }
        table
    }

    /// The first slot in use from `from` on.
    pub(super) fn next_slot(&self, from: u8) -> Option<(u8, u32)> {
        let words = self.words();
        let slot = (from..=u8::MAX).find(|slot| {
            words.get(usize::from(slot / 64)).is_some_and(|word| word & (1 << (slot % 64)) != 0)
        })?;
        Some((slot, self.get(slot)?))
    }

    /// The `index`th value.
    fn value(&self, index: usize) -> Option<u32> {
        let width = usize::from(*self.0.get(1)?);
        let start = index.checked_mul(width)?.checked_add(HEADER)?;
        let bytes = self.0.get(start..start.checked_add(width)?)?;
        Some(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
    }

    /// The slots in use, ascending.
    fn used(&self) -> impl Iterator<Item = u8> {
        [0_u8, 64, 128, 192].into_iter().zip(self.words()).flat_map(|(first, mut word)| {
            std::iter::from_fn(move || {
                let bit = u8::try_from(word.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                word &= word.wrapping_sub(1);
                first.checked_add(bit)
            })
        })
    }

    /// The values, in order of their slots.
    fn values(&self) -> impl Iterator<Item = u32> + '_ {
        let width = usize::from(self.0.get(1).copied().unwrap_or(1)).max(1);
        let bytes = self.0.get(HEADER..).unwrap_or_default();
        bytes
            .chunks_exact(width)
            .map(|bytes| bytes.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
    }

    /// The presence bitmap, bit `s % 64` of word `s / 64` for slot `s`.
    fn words(&self) -> [u64; 4] {
        let mut words = [0; 4];
        let bitmap = self.0.get(2..HEADER).unwrap_or_default();
        for (word, bytes) in words.iter_mut().zip(bitmap.chunks_exact(8)) {
            *word = bytes.try_into().map_or(0, u64::from_le_bytes);
        }
        words
    }
}
