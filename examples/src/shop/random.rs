//! Independent random streams named by what they are for, and the distributions that the shop needs.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

/// What a stream is for: two purposes never share numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Events = 1,
    Category = 2,
    Item = 3,
    User = 4,
}

/// The stream of one purpose and part (a file, an item, a user), the same for a seed on every machine.
pub(crate) fn stream(seed: u64, purpose: Purpose, part: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(mix(mix(seed ^ mix(purpose as u64)) ^ part))
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Exponential with the given mean.
pub(crate) fn exponential<R: Rng>(random: &mut R, mean: f64) -> f64 {
    -mean * (1.0 - random.random::<f64>()).ln()
}

/// Standard normal (Box and Muller, 1958).
pub(crate) fn normal<R: Rng>(random: &mut R) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// One of `values`, each as likely as the others.
pub(crate) fn pick<'a, R: Rng, T>(random: &mut R, values: &'a [T]) -> &'a T {
    &values[random.random_range(0..values.len())]
}

/// A bijection of the ranks `1..=count` onto the ids `1..=count`: the popular ids are not the small ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scatter {
    count: u64,
    step: u64,
}

impl Scatter {
    pub(crate) fn new(count: u64) -> Self {
        // Near the golden section neighbouring ranks fall far apart; a step without a common factor hits every id once.
        let mut step = (count as f64 * 0.618_033_988_749_895) as u64 | 1;
        while common_divisor(step, count) != 1 {
            step += 2;
        }
        Self { count, step }
    }

    pub(crate) fn id(self, rank: u64) -> i64 {
        let id = (u128::from(rank) * u128::from(self.step) % u128::from(self.count)) as i64;
        id + 1
    }
}

fn common_divisor(first: u64, second: u64) -> u64 {
    if second == 0 { first } else { common_divisor(second, first % second) }
}
