//! Which library's hash, its seed, and its way from a hash to a bucket.

use datafusion_common::Result;
use twox_hash::XxHash64;

use crate::constants::Constants;
use crate::hash::farmhash::{fingerprint64, fingerprint64_with_seed};
use crate::hash::murmur3::{hash_integer, hash_long, murmur3_spark_legacy, murmur3_x86_32};

/// The library whose hash is computed, bit by bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashLibrary {
    /// Spark's `FeatureHasher` and its `HashingTF` since 3.0: canonical murmur3_x86_32, seed 42.
    SparkV3,
    /// Spark SQL's `hash()` and `HashingTF` before 3.0: Spark's older murmur3, seed 42.
    SparkV2,
    /// scikit-learn's `FeatureHasher`: murmur3_x86_32, seed 0, `abs(hash) % n`.
    Sklearn,
    /// Hivemall's `mhash`: murmur3_x86_32, seed 0x9747b28c, buckets from 1 to n.
    Hivemall,
    /// BigQuery's `ML.HASH_BUCKETIZE`: FarmHash's Fingerprint64, unsigned.
    Farmhash,
    /// XXH64, seed 0, unsigned.
    Xxh64,
}

impl HashLibrary {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 6] = [
        ("spark_v3", Self::SparkV3),
        ("spark_v2", Self::SparkV2),
        ("sklearn", Self::Sklearn),
        ("hivemall", Self::Hivemall),
        ("farmhash_u64", Self::Farmhash),
        ("xxh64", Self::Xxh64),
    ];

    fn is_64_bit(self) -> bool {
        matches!(self, Self::Farmhash | Self::Xxh64)
    }

    fn seed(self) -> u64 {
        match self {
            Self::SparkV3 | Self::SparkV2 => 42,
            Self::Hivemall => 0x9747_b28c,
            Self::Sklearn | Self::Farmhash | Self::Xxh64 => 0,
        }
    }
}

/// A library's hash with its seed, and the number of buckets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashing {
    pub(crate) library: HashLibrary,
    /// `None` where the library takes none and none is given.
    seed: Option<u64>,
    pub(crate) buckets: Divisor,
}

impl Hashing {
    /// A library's hash with a seed, for hashes that need no buckets.
    pub(crate) fn seeded(library: HashLibrary, seed: u64) -> Self {
        Self { library, seed: Some(seed), buckets: Divisor::new(1) }
    }

    /// Reads `hash`, `seed`, and the number of buckets, which is at least 1 and at most `most`.
    pub(crate) fn of(constants: &Constants, buckets: &str, most: i64) -> Result<Self> {
        let library = constants.choice("hash", &HashLibrary::NAMES)?.unwrap_or(HashLibrary::SparkV3);
        let seed = match library.is_64_bit() {
            true => constants.integer("seed")?.map(|seed| seed as u64),
            false => {
                let seed = constants.integer_within("seed", i64::from(i32::MIN), i64::from(u32::MAX))?;
                seed.map(|seed| u64::from(seed as u32))
            }
        };
        // A hash of 32 bits leaves buckets beyond these empty.
        let most = if library.is_64_bit() { most } else { most.min(i64::from(i32::MAX)) };
        let count = constants.given(buckets, constants.integer_within(buckets, 1, most)?)?;
        Ok(Self { library, seed, buckets: Divisor::new(count as u64) })
    }

    /// Runs `task` with the hash, compiled for it.
    pub(crate) fn run<T: HashTask>(&self, task: T) -> T::Output {
        let seed = self.seed.unwrap_or(self.library.seed());
        match self.library {
            HashLibrary::SparkV3 => task.run(SparkV3(seed as u32)),
            HashLibrary::SparkV2 => task.run(SparkV2(seed as u32)),
            HashLibrary::Sklearn => task.run(Sklearn(seed as u32)),
            HashLibrary::Hivemall => task.run(Hivemall(seed as u32)),
            HashLibrary::Farmhash => task.run(Farmhash(self.seed)),
            HashLibrary::Xxh64 => task.run(Xxh64(seed)),
        }
    }

    /// How long a vector is that has a place for every bucket.
    pub(crate) fn dimension(&self) -> i64 {
        let reserved = i64::from(self.library == HashLibrary::Hivemall);
        (self.buckets.number as i64).saturating_add(reserved)
    }
}

/// A division by a number that is known early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divisor {
    number: u64,
    /// 2^64 / `number`, rounded up.
    inverse: u64,
    /// `number - 1` if `number` is a power of two.
    mask: Option<u64>,
}

impl Divisor {
    /// `number` is at least 1.
    pub(crate) fn new(number: u64) -> Self {
        let number = number.max(1);
        let mask = number.is_power_of_two().then(|| number - 1);
        Self { number, inverse: (u64::MAX / number).wrapping_add(1), mask }
    }

    /// The number that is divided by.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The remainder of a number of 32 bits, by multiplication (Lemire, Kaser and Kurz 2019, "Faster remainder by direct
    /// computation"), which is exact for divisors of up to 32 bits.
    #[inline]
    fn remainder_32(&self, value: u32) -> u64 {
        match self.mask {
            Some(mask) => u64::from(value) & mask,
            None => ((u128::from(self.inverse.wrapping_mul(u64::from(value))) * u128::from(self.number)) >> 64) as u64,
        }
    }

    /// The remainder of a number of 64 bits.
    #[inline]
    pub(crate) fn remainder(&self, value: u64) -> u64 {
        match self.mask {
            Some(mask) => value & mask,
            None => value % self.number,
        }
    }
}

/// One library's hash. Hashes of 32 bits are extended with their sign, those of 64 bits are reinterpreted.
pub(crate) trait ByteHash: Copy {
    /// Whether numbers are hashed in their binary form, as Spark does, and not as their text.
    const BINARY: bool = false;

    fn bytes(self, bytes: &[u8]) -> i64;

    /// The bucket of a hash.
    fn bucket(self, hash: i64, buckets: &Divisor) -> i64;

    fn integer(self, value: i32) -> i64 {
        self.bytes(&value.to_le_bytes())
    }

    fn long(self, value: i64) -> i64 {
        self.bytes(&value.to_le_bytes())
    }
}

/// What is done with a hash; a function that is generic over the hash, and so compiled for each.
pub(crate) trait HashTask {
    type Output;

    fn run<H: ByteHash>(self, hash: H) -> Self::Output;
}

#[derive(Debug, Clone, Copy)]
struct SparkV3(u32);
#[derive(Debug, Clone, Copy)]
struct SparkV2(u32);
#[derive(Debug, Clone, Copy)]
struct Sklearn(u32);
#[derive(Debug, Clone, Copy)]
struct Hivemall(u32);
#[derive(Debug, Clone, Copy)]
struct Farmhash(Option<u64>);
#[derive(Debug, Clone, Copy)]
struct Xxh64(u64);

/// The remainder of a hash of 32 bits that is not negative, as Spark's `Utils.nonNegativeMod`. Half of all hashes are
/// negative, so there is no branch: -1 - k leaves what n - 1 - k does, and both negations are one `xor`.
#[inline]
fn non_negative(hash: i64, buckets: &Divisor) -> i64 {
    let hash = hash as i32;
    let sign = hash >> 31;
    let remainder = buckets.remainder_32((hash ^ sign) as u32) as i64;
    let sign = i64::from(sign);
    (remainder ^ sign) + (buckets.number as i64 & sign)
}

impl ByteHash for SparkV3 {
    const BINARY: bool = true;

    #[inline]
    fn bytes(self, bytes: &[u8]) -> i64 {
        i64::from(murmur3_x86_32(bytes, self.0))
    }

    #[inline]
    fn bucket(self, hash: i64, buckets: &Divisor) -> i64 {
        non_negative(hash, buckets)
    }

    #[inline]
    fn integer(self, value: i32) -> i64 {
        i64::from(hash_integer(value, self.0))
    }

    #[inline]
    fn long(self, value: i64) -> i64 {
        i64::from(hash_long(value, self.0))
    }
}

impl ByteHash for SparkV2 {
    const BINARY: bool = true;

    #[inline]
    fn bytes(self, bytes: &[u8]) -> i64 {
        i64::from(murmur3_spark_legacy(bytes, self.0))
    }

    #[inline]
    fn bucket(self, hash: i64, buckets: &Divisor) -> i64 {
        non_negative(hash, buckets)
    }

    #[inline]
    fn integer(self, value: i32) -> i64 {
        i64::from(hash_integer(value, self.0))
    }

    #[inline]
    fn long(self, value: i64) -> i64 {
        i64::from(hash_long(value, self.0))
    }
}

impl ByteHash for Sklearn {
    #[inline]
    fn bytes(self, bytes: &[u8]) -> i64 {
        i64::from(murmur3_x86_32(bytes, self.0))
    }

    #[inline]
    fn bucket(self, hash: i64, buckets: &Divisor) -> i64 {
        buckets.remainder_32((hash as i32).unsigned_abs()) as i64
    }
}

impl ByteHash for Hivemall {
    #[inline]
    fn bytes(self, bytes: &[u8]) -> i64 {
        i64::from(murmur3_x86_32(bytes, self.0))
    }

    #[inline]
    fn bucket(self, hash: i64, buckets: &Divisor) -> i64 {
        non_negative(hash, buckets) + 1
    }
}

impl ByteHash for Farmhash {
    #[inline]
    fn bytes(self, bytes: &[u8]) -> i64 {
        match self.0 {
            None => fingerprint64(bytes) as i64,
            Some(seed) => fingerprint64_with_seed(bytes, seed) as i64,
        }
    }

    #[inline]
    fn bucket(self, hash: i64, buckets: &Divisor) -> i64 {
        buckets.remainder(hash as u64) as i64
    }
}

impl ByteHash for Xxh64 {
    #[inline]
    fn bytes(self, bytes: &[u8]) -> i64 {
        XxHash64::oneshot(self.0, bytes) as i64
    }

    #[inline]
    fn bucket(self, hash: i64, buckets: &Divisor) -> i64 {
        buckets.remainder(hash as u64) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn remainders_are_those_of_division(value: u32, number in 1..=u32::MAX, small in 1..1000u32, wide: u64) {
            for number in [number, small] {
                let divisor = Divisor::new(u64::from(number));
                prop_assert_eq!(divisor.remainder_32(value), u64::from(value % number));
                prop_assert_eq!(divisor.remainder(wide), wide % u64::from(number));
                let signed = i64::from(value as i32).rem_euclid(i64::from(number));
                prop_assert_eq!(non_negative(i64::from(value as i32), &divisor), signed);
            }
        }
    }

    #[test]
    fn the_least_hash_has_a_bucket_in_scikit_learn() {
        // _hashing_fast.pyx of scikit-learn 1.9.1: (2147483647 - (n - 1)) % n for the hash -2^31.
        for number in [1, 2, 3, 7, 1000, 1 << 20] {
            let expected = (2_147_483_647 - (number - 1)) % number;
            assert_eq!(Sklearn(0).bucket(i64::from(i32::MIN), &Divisor::new(number as u64)), expected);
        }
    }
}
