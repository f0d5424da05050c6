//! A set of hashes that takes little space and may say yes of a hash that it does not have.
//!
//! A split block Bloom filter (Putze, Sanders, Singler, *Cache-, Hash- and Space-Efficient Bloom Filters*, 2007) with the
//! block and the constants of the Parquet format: a hash's high half chooses a block of 32 bytes, and its low half sets one
//! bit in each of the block's eight words. With 16 bits for each hash it is wrong for about one of 500 others.

use datafusion::arrow::buffer::BooleanBuffer;

/// Of the Parquet format.
const SALT: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

const BITS_PER_HASH: usize = 16;
const BLOCK_BYTES: usize = 32;

/// A set of hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bloom {
    blocks: Vec<[u32; 8]>,
}

impl Bloom {
    /// The set of the given hashes.
    pub(crate) fn of(hashes: &[u64]) -> Self {
        let blocks = (hashes.len() * BITS_PER_HASH).div_ceil(BLOCK_BYTES * 8).max(1);
        let mut bloom = Self { blocks: vec![[0; 8]; blocks] };
        for hash in hashes {
            let block = bloom.block(*hash);
            for (word, bit) in bloom.blocks[block].iter_mut().zip(bits(*hash)) {
                *word |= bit;
            }
        }
        bloom
    }

    fn block(&self, hash: u64) -> usize {
        (((hash >> 32) * self.blocks.len() as u64) >> 32) as usize
    }

    /// Whether the set has the hash, or looks as if it had.
    fn contains(&self, hash: u64) -> bool {
        let block = &self.blocks[self.block(hash)];
        let missing = block.iter().zip(bits(hash)).fold(0, |missing, (word, bit)| missing | (!word & bit));
        missing == 0
    }

    /// Which of the hashes the set has.
    pub(crate) fn contained(&self, hashes: &[u64]) -> BooleanBuffer {
        BooleanBuffer::collect_bool(hashes.len(), |at| self.contains(hashes[at]))
    }

    /// The set as bytes, words in little-endian order.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.blocks.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The set of which [`Bloom::to_bytes`] made bytes; `None` of other bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        if blocks.is_empty() || !rest.is_empty() {
            return None;
        }
        let block = |bytes: &[u8; BLOCK_BYTES]| {
            let (words, _) = bytes.as_chunks::<4>();
            std::array::from_fn(|at| u32::from_le_bytes(words[at]))
        };
        Some(Self { blocks: blocks.iter().map(block).collect() })
    }
}

/// One bit for each word of a block.
fn bits(hash: u64) -> [u32; 8] {
    let low = hash as u32;
    std::array::from_fn(|at| 1 << (low.wrapping_mul(SALT[at]) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(range: std::ops::Range<u64>) -> Vec<u64> {
        range
            .map(|number| {
                number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xff51_afd7_ed55_8ccd)
            })
            .collect()
    }

    #[test]
    fn what_is_in_it_is_found_and_little_else() {
        for count in [1, 2, 100, 100_000] {
            let bloom = Bloom::of(&hashes(0..count));
            assert_eq!(bloom.contained(&hashes(0..count)).count_set_bits(), count as usize);
            let others = bloom.contained(&hashes(1_000_000..1_100_000)).count_set_bits();
            assert!(others < 600, "{others} of 100,000 others");
        }
        assert_eq!(Bloom::of(&[]).contained(&hashes(0..1000)).count_set_bits(), 0);
    }

    #[test]
    fn bytes_and_back() {
        let bloom = Bloom::of(&hashes(0..1000));
        assert_eq!(Bloom::from_bytes(&bloom.to_bytes()), Some(bloom));
        assert_eq!(Bloom::from_bytes(&[]), None);
        assert_eq!(Bloom::from_bytes(&[0; 33]), None);
    }
}
