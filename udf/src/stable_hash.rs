//! Hashes that never change: what a fold, an out-of-vocabulary bucket or a random draw depends on must be the same in
//! every process, version and architecture, so these are published functions with published vectors.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err};

use crate::hash::murmur3_x86_32;

const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SHIFT: u32 = 47;

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// MurmurHash64A (Austin Appleby, MurmurHash2.cpp).
pub(crate) fn murmur_64a(bytes: &[u8], seed: u64) -> u64 {
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in chunks.by_ref() {
        let mut mixed = word(chunk).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> SHIFT;
        hash = (hash ^ mixed.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        hash = (hash ^ word(rest)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> SHIFT;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}

/// Which hash puts an unknown value in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BucketHash {
    /// [`murmur_64a`] with seed 0; the bucket is by the high bits.
    Murmur64,
    /// [`murmur3_x86_32`] with seed 42; the bucket is the remainder that is not negative, as in Spark.
    SparkV3,
}

impl BucketHash {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 2] = [("murmur64", Self::Murmur64), ("spark_v3", Self::SparkV3)];

    fn bucket(self, bytes: &[u8], buckets: i64) -> i64 {
        match self {
            Self::Murmur64 => scaled(murmur_64a(bytes, 0), buckets),
            Self::SparkV3 => i64::from(murmur3_x86_32(bytes, 42)).rem_euclid(buckets),
        }
    }

    /// The buckets of the values of a canonical categorical column; those of nulls mean nothing.
    pub(crate) fn buckets(self, values: &ArrayRef, buckets: i64) -> Result<Vec<i64>> {
        each(values, |bytes| self.bucket(bytes, buckets))
    }
}

/// Spreads a hash evenly over `0..parts` by its high bits (Lemire, "Fast random integer generation", 2019).
pub(crate) fn scaled(hash: u64, parts: i64) -> i64 {
    ((u128::from(hash) * parts as u128) >> 64) as i64
}

/// The hashes of the values of a canonical categorical column, and which rows have one. Texts are hashed as UTF-8,
/// numbers as the eight bytes of their canonical form, the lowest first.
pub(crate) fn hash_keys(values: &ArrayRef, seed: u64) -> Result<(Vec<u64>, Option<NullBuffer>)> {
    Ok((each(values, |bytes| murmur_64a(bytes, seed))?, values.logical_nulls()))
}

/// Applies a function of bytes to every value; a dictionary's values once each.
fn each<T: Copy + Default>(values: &ArrayRef, hash: impl Fn(&[u8]) -> T) -> Result<Vec<T>> {
    match values.data_type() {
        DataType::Utf8 => {
            let texts = values.as_string::<i32>();
            Ok((0..texts.len()).map(|row| hash(texts.value(row).as_bytes())).collect())
        }
        DataType::Int64 => {
            let numbers = values.as_primitive::<Int64Type>().values();
            Ok(numbers.iter().map(|number| hash(&number.to_le_bytes())).collect())
        }
        DataType::Float64 => {
            let numbers = values.as_primitive::<Float64Type>().values();
            Ok(numbers.iter().map(|number| hash(&canonical(*number).to_le_bytes())).collect())
        }
        DataType::Dictionary(key, _) if key.as_ref() == &DataType::Int32 => {
            let dictionary = values.as_dictionary::<Int32Type>();
            let hashes = each(dictionary.values(), hash)?;
            let keys = dictionary.keys().values();
            Ok(keys.iter().map(|key| hashes.get(*key as usize).copied().unwrap_or_default()).collect())
        }
        other => exec_err!("a key must be a text or a number: it is of type {other}"),
    }
}

/// One form for each number: -0.0 is 0.0, and all NaN are one.
fn canonical(number: f64) -> f64 {
    if number.is_nan() { f64::NAN } else { number + 0.0 }
}

/// A random number that is a function of a key and a counter alone: the finaliser of SplitMix64 (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014) at the counter's place in the sequence.
pub(crate) fn draw(key: u64, counter: u64) -> u64 {
    let mut mixed = key.wrapping_add(counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// A number in `[0, 1)` of 53 random bits.
pub(crate) fn unit(random: u64) -> f64 {
    (random >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringArray};
    use arrow::compute::cast;
    use std::sync::Arc;

    #[test]
    fn murmur_64a_is_that_of_spacy() {
        // spaCy documents the hash of "coffee" as 3197928453018144401: MurmurHash64A with seed 1. The others are an
        // independent implementation in Python.
        assert_eq!(murmur_64a(b"coffee", 1), 3_197_928_453_018_144_401);
        assert_eq!(murmur_64a(b"", 42), 10_881_679_856_671_751_284);
        assert_eq!(murmur_64a(b"abcdefgh", 42), 6_017_840_126_650_231_081);
        assert_eq!(murmur_64a(b"longer than eight", 0), 9_164_900_119_391_098_023);
    }

    #[test]
    fn draws_are_those_of_splitmix64() {
        // rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64, the seed 1234567.
        assert_eq!(
            [0, 1, 2].map(|counter| draw(1_234_567, counter)),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn a_key_has_one_hash_whatever_its_array() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("longer than eight")]));
        let keyed = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let (plain, nulls) = hash_keys(&texts, 7).unwrap();
        let (by_dictionary, dictionary_nulls) = hash_keys(&cast(&texts, &keyed).unwrap(), 7).unwrap();
        assert_eq!((plain[0], plain[2]), (by_dictionary[0], by_dictionary[2]));
        assert_eq!(nulls, dictionary_nulls);
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0]));
        let (zeros, _) = hash_keys(&zeros, 7).unwrap();
        assert_eq!(zeros[0], zeros[1]);
    }

    #[test]
    fn buckets_are_even() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        for hash in [BucketHash::Murmur64, BucketHash::SparkV3] {
            let mut counts = [0.0; 10];
            hash.buckets(&numbers, 10).unwrap().iter().for_each(|bucket| counts[*bucket as usize] += 1.0);
            let statistic: f64 = counts.iter().map(|count| (count - 10_000.0f64).powi(2) / 10_000.0).sum();
            // The 99.9th percentile of chi-square with 9 degrees of freedom is 27.9.
            assert!(statistic < 27.9, "{hash:?}: {statistic}");
        }
    }
}
