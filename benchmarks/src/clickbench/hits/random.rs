//! Draws that depend on nothing but a seed and a number.

/// One value of the sequence that a seed stands for: the mixer of SplitMix64, a bijection for a fixed seed.
pub(super) fn draw(seed: u64, at: u64) -> u64 {
    let mut bits = seed.wrapping_add(at.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A number below a limit, evenly distributed for evenly distributed bits.
pub(super) fn below(bits: u64, limit: u64) -> u64 {
    ((u128::from(bits) * u128::from(limit)) >> 64) as u64
}

/// A number below a limit, with a frequency that falls as the root of the number: Zipf's law with the exponent 1/2.
pub(super) fn skewed_below(bits: u64, limit: u64) -> u64 {
    let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    ((unit * unit * limit as f64) as u64).min(limit.saturating_sub(1))
}

/// One of the values, each with its weight in thousandths. The last one has what the others leave.
pub(super) fn pick<T: Copy>(bits: u64, weighted: &[(T, u32)]) -> Option<T> {
    let mut left = below(bits, 1000) as u32;
    let found = weighted.iter().find(|(_, weight)| {
        let found = left < *weight;
        left = left.saturating_sub(*weight);
        found
    });
    found.or(weighted.last()).map(|(value, _)| *value)
}
