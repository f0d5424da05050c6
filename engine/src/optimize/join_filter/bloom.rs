//! A set of hashes that takes little space and may say yes of a hash that it does not have.
//!
//! A blocked Bloom filter (Putze, Sanders, Singler, *Cache-, Hash- and Space-Efficient Bloom Filters*, 2007) with blocks of
//! one word: a hash's high half chooses a word of 64 bits, and its low half sets five bits there. With 16 bits for each hash
//! it is wrong about one of a hundred others.

use datafusion::arrow::buffer::BooleanBuffer;

const BITS_PER_HASH: usize = 16;
const WORD_BYTES: usize = 8;
/// Less would not be faster, and would be wrong more often.
const FEWEST_WORDS: usize = 4096;

/// A set of hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bloom {
    words: Vec<u64>,
}

impl Bloom {
    /// The set of the given hashes.
    pub(crate) fn of(hashes: &[u64]) -> Self {
        let words = (hashes.len() * BITS_PER_HASH).div_ceil(WORD_BYTES * 8).max(FEWEST_WORDS);
        let mut words = vec![0; words];
        for hash in hashes {
            let word = place(*hash, words.len());
            words[word] |= bits(*hash);
        }
        Self { words }
    }

    /// Which of the hashes the set has, or seems to have.
    pub(crate) fn contained(&self, hashes: &[u64]) -> BooleanBuffer {
        let words = self.words.as_slice();
        BooleanBuffer::collect_bool(hashes.len(), |at| {
            let (hash, bits) = (hashes[at], bits(hashes[at]));
            words[place(hash, words.len())] & bits == bits
        })
    }

    /// The set as bytes, words in little-endian order.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The set of which [`Bloom::to_bytes`] made bytes; `None` of other bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        (!words.is_empty() && rest.is_empty()).then_some(Self { words })
    }
}

fn place(hash: u64, words: usize) -> usize {
    (((hash >> 32) * words as u64) >> 32) as usize
}

/// Five bits of a word.
fn bits(hash: u64) -> u64 {
    let bit = |from: u32| 1_u64 << ((hash >> from) & 63);
    bit(0) | bit(6) | bit(12) | bit(18) | bit(24)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(range: std::ops::Range<u64>) -> Vec<u64> {
        let hash = |number: u64| {
            let turned = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
            turned.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ (turned >> 29)
        };
        range.map(hash).collect()
    }

    #[test]
    fn what_is_in_it_is_found_and_little_else() {
        for count in [1, 2, 100, 100_000] {
            let bloom = Bloom::of(&hashes(0..count));
            assert_eq!(bloom.contained(&hashes(0..count)).count_set_bits(), count as usize);
            let others = bloom.contained(&hashes(1_000_000..1_100_000)).count_set_bits();
            assert!(others < 2_000, "{others} of 100,000 others");
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
