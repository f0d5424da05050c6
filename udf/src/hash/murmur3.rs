//! MurmurHash3 for 32 bits (x86_32, Austin Appleby, public domain), in the two forms that Spark has of it.

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

fn mix_key(key: u32) -> u32 {
    key.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

fn mix_hash(hash: u32, key: u32) -> u32 {
    (hash ^ mix_key(key)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

fn finish(hash: u32, length: u32) -> i32 {
    let mut hash = hash ^ length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    (hash ^ (hash >> 16)) as i32
}

/// The hash of the whole words of `bytes`, and the up to three bytes after them.
fn words(bytes: &[u8], seed: u32) -> (u32, &[u8]) {
    let (words, tail) = bytes.as_chunks::<4>();
    (words.iter().fold(seed, |hash, word| mix_hash(hash, u32::from_le_bytes(*word))), tail)
}

/// The canonical murmur3_x86_32: what Spark calls `hashUnsafeBytes2` (its `FeatureHasher`, and its `HashingTF` since
/// 3.0), and what scikit-learn, Hivemall and Guava compute.
#[inline]
pub fn murmur3_x86_32(bytes: &[u8], seed: u32) -> i32 {
    let (hash, tail) = words(bytes, seed);
    let key = tail.iter().rev().fold(0u32, |key, byte| (key << 8) | u32::from(*byte));
    // An empty tail is the key 0, which mixes to 0.
    finish(hash ^ mix_key(key), bytes.len() as u32)
}

/// Spark's older form, `hashUnsafeBytes`, in which every byte after the last whole word is mixed as a word of its own,
/// with its sign: Spark SQL's `hash()`, `mllib.HashingTF`, and `ml.HashingTF` before 3.0.
#[inline]
pub fn murmur3_spark_legacy(bytes: &[u8], seed: u32) -> i32 {
    let (hash, tail) = words(bytes, seed);
    let hash = tail.iter().fold(hash, |hash, byte| mix_hash(hash, i32::from(*byte as i8) as u32));
    finish(hash, bytes.len() as u32)
}

/// Spark's `Murmur3_x86_32.hashInt`.
#[inline]
pub(crate) fn hash_integer(value: i32, seed: u32) -> i32 {
    finish(mix_hash(seed, value as u32), 4)
}

/// Spark's `Murmur3_x86_32.hashLong`.
#[inline]
pub(crate) fn hash_long(value: i64, seed: u32) -> i32 {
    finish(mix_hash(mix_hash(seed, value as u32), (value >> 32) as u32), 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden;

    #[test]
    fn texts_hash_as_in_the_golden_file() {
        let golden = golden();
        let texts = golden["hash"].as_object().unwrap();
        assert_eq!(texts.len(), 9);
        for (text, hashes) in texts {
            let hash = |name: &str| hashes[name].as_i64().unwrap() as i32;
            assert_eq!(murmur3_x86_32(text.as_bytes(), 42), hash("std_seed42"), "{text}");
            assert_eq!(murmur3_x86_32(text.as_bytes(), 0), hash("std_seed0"), "{text}");
            assert_eq!(murmur3_spark_legacy(text.as_bytes(), 42), hash("spark_legacy_seed42"), "{text}");
        }
    }

    #[test]
    fn an_empty_text_hashes_as_in_mmh3() {
        // mmh3 5.3.1: mmh3.hash('', 0), mmh3.hash('', 42).
        assert_eq!((murmur3_x86_32(b"", 0), murmur3_x86_32(b"", 42)), (0, 142_593_372));
    }

    #[test]
    fn numbers_hash_as_their_little_endian_bytes() {
        // The words of a number are those of its bytes, so the canonical hash of the bytes is an independent way there.
        for value in [0, 1, -1, 42, i64::MIN, i64::MAX, 1 << 40] {
            assert_eq!(hash_long(value, 42), murmur3_x86_32(&value.to_le_bytes(), 42));
            assert_eq!(hash_integer(value as i32, 42), murmur3_x86_32(&(value as i32).to_le_bytes(), 42));
        }
    }
}
