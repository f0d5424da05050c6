//! The canonical murmur3_x86_32.

/// The 32-bit hash of `bytes`, as Spark's `HashingTF` since 3.0 (seed 42), scikit-learn and Guava.
pub(crate) fn murmur3(bytes: &[u8], seed: u32) -> u32 {
    let mut hash = seed;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        hash = (hash ^ mixed(u32::from_le_bytes(*word))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let rest = tail.iter().rev().fold(0, |rest, byte| rest << 8 | u32::from(*byte));
    hash ^= mixed(rest);
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

fn mixed(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden;

    #[test]
    fn hashes_are_those_of_the_reference() {
        let golden = golden();
        for (text, hashes) in golden["hash"].as_object().unwrap() {
            assert_eq!(i64::from(murmur3(text.as_bytes(), 42) as i32), hashes["std_seed42"].as_i64().unwrap(), "{text}");
            assert_eq!(i64::from(murmur3(text.as_bytes(), 0) as i32), hashes["std_seed0"].as_i64().unwrap(), "{text}");
        }
    }
}
