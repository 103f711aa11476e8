//! Which blocks of a chunk, as bits.

use crate::codec::{Decode, DecodeError, Encode, Reader, put_varint};
use crate::limits::CHUNK_BLOCKS_MAX;

/// Bytes of a map of every block that a chunk may have.
const MAP_BYTES_MAX: usize = CHUNK_BLOCKS_MAX / 8;

/// A set of block indices below [`CHUNK_BLOCKS_MAX`]. On the wire bit i % 8 of
/// byte i / 8 stands for block i, and the last byte is not 0: a whole chunk of
/// ten blocks takes three bytes, and nothing at all takes one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockMap(Vec<u8>);

impl BlockMap {
    /// Adds a block; false if it was in it, or cannot be of any chunk.
    pub fn insert(&mut self, index: u16) -> bool {
        let (at, bit) = place(index);
        if at >= MAP_BYTES_MAX {
            return false;
        }
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        let Some(byte) = self.0.get_mut(at) else {
            return false;
        };
        let fresh = *byte & bit == 0;
        *byte |= bit;
        fresh
    }

    /// Takes a block out.
    pub fn remove(&mut self, index: u16) {
        let (at, bit) = place(index);
        if let Some(byte) = self.0.get_mut(at) {
            *byte &= !bit;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Whether a block is in it.
    #[must_use]
    pub fn has(&self, index: u16) -> bool {
        let (at, bit) = place(index);
        self.0.get(at).is_some_and(|byte| byte & bit != 0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The indices in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        let bytes = self.0.iter().zip((0u16..).step_by(8));
        bytes.flat_map(|(byte, first)| {
            let bits = (0u16..8).filter(move |bit| byte >> bit & 1 == 1);
            bits.map(move |bit| first.saturating_add(bit))
        })
    }
}

fn place(index: u16) -> (usize, u8) {
    (usize::from(index / 8), 1 << (index % 8))
}

impl FromIterator<u16> for BlockMap {
    fn from_iter<I: IntoIterator<Item = u16>>(indices: I) -> Self {
        let mut map = Self::default();
        for index in indices {
            map.insert(index);
        }
        map
    }
}

impl Encode for BlockMap {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        out.extend_from_slice(&self.0);
    }
}

impl Decode for BlockMap {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.length(MAP_BYTES_MAX, "a map of blocks")?;
        let bytes = r.take(len, "a map of blocks")?;
        if bytes.last() == Some(&0) {
            return Err(DecodeError::Invalid("a map of blocks"));
        }
        Ok(Self(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_in_it_and_has_one_encoding() {
        let mut map = BlockMap::default();
        for index in [9, 0, 1023, 8] {
            assert!(map.insert(index) && !map.insert(index));
        }
        assert!(!map.insert(1024), "no chunk has it");
        assert_eq!(map.iter().collect::<Vec<_>>(), [0, 8, 9, 1023]);
        assert!(map.has(1023) && !map.has(1022));
        assert_eq!(BlockMap::from_bytes(&map.to_bytes()), Ok(map.clone()));
        map.remove(1023);
        assert_eq!(map.to_bytes(), [2, 1, 3], "no longer than it must be");
        assert!(BlockMap::from_bytes(&[3, 1, 3, 0]).is_err());
        assert!(map.iter().eq(map.iter().collect::<BlockMap>().iter()));
    }
}
