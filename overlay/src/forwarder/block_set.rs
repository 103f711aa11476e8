//! Which blocks of a chunk, as bits.

/// A set of block indices. A chunk of a usual stream has fewer than 64 blocks,
/// and costs no allocation.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockSet {
    low: u64,
    high: Vec<u64>,
}

impl BlockSet {
    /// Adds an index; false if it was there.
    pub(super) fn insert(&mut self, index: u16) -> bool {
        let (word, bit) = self.word(index);
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    pub(super) fn remove(&mut self, index: u16) {
        let (word, bit) = self.word(index);
        *word &= !bit;
    }

    fn word(&mut self, index: u16) -> (&mut u64, u64) {
        let bit = 1 << (index % 64);
        let Some(at) = usize::from(index / 64).checked_sub(1) else {
            return (&mut self.low, bit);
        };
        if self.high.len() <= at {
            self.high.resize(at + 1, 0);
        }
        match self.high.get_mut(at) {
            Some(word) => (word, bit),
            None => (&mut self.low, bit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_in_it_once() {
        let mut set = BlockSet::default();
        for index in [0, 63, 64, 511, 1023, u16::MAX] {
            assert!(set.insert(index));
            assert!(!set.insert(index));
            set.remove(index);
            assert!(set.insert(index));
        }
        assert!(set.insert(62) && set.insert(65));
    }
}
