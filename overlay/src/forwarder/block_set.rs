//! Which blocks of a chunk, as bits.

/// Indices beyond the first word, in words: [`wire::limits::CHUNK_BLOCKS_MAX`]
/// in all.
const HIGH_WORDS: usize = wire::limits::CHUNK_BLOCKS_MAX / 64 - 1;

/// A set of block indices. A chunk of a usual stream has fewer than 64 blocks,
/// and costs no allocation: each child has one for each chunk that is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockSet {
    low: u64,
    high: Option<Box<[u64; HIGH_WORDS]>>,
}

impl BlockSet {
    /// Adds an index; false if it was there, or is none of a chunk's.
    pub(super) fn insert(&mut self, index: u16) -> bool {
        let Some((word, bit)) = self.word(index) else {
            return false;
        };
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    pub(super) fn remove(&mut self, index: u16) {
        if let Some((word, bit)) = self.word(index) {
            *word &= !bit;
        }
    }

    fn word(&mut self, index: u16) -> Option<(&mut u64, u64)> {
        let bit = 1 << (index % 64);
        let Some(at) = usize::from(index / 64).checked_sub(1) else {
            return Some((&mut self.low, bit));
        };
        let high = self.high.get_or_insert_with(|| Box::new([0; HIGH_WORDS]));
        Some((high.get_mut(at)?, bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_in_it_once() {
        let mut set = BlockSet::default();
        for index in [0, 63, 64, 511, 1023] {
            assert!(set.insert(index));
            assert!(!set.insert(index));
            set.remove(index);
            assert!(set.insert(index));
        }
        assert!(set.insert(62) && set.insert(65));
        assert!(!set.insert(1024) && !set.insert(u16::MAX), "of no chunk");
    }
}
