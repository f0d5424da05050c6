//! A hash of a whole row, for what spreads rows and for the pieces of one hot key.

use arrow::array::ArrayRef;
use datafusion_common::Result;
use datafusion_common::hash_utils::create_hashes;
use datafusion_physical_plan::repartition::REPARTITION_RANDOM_STATE;

/// A hash of each of `len` rows, over all their columns. It depends on the row's values alone.
pub fn row_hashes(columns: &[ArrayRef], len: usize) -> Result<Vec<u64>> {
    let mut hashes = vec![0; len];
    if !columns.is_empty() {
        create_hashes(columns, REPARTITION_RANDOM_STATE.random_state(), &mut hashes)?;
    }
    // The exchange uses the same hash: mixed, a hash of the keys says nothing about where the exchange puts them.
    hashes.iter_mut().for_each(|hash| *hash = mix(*hash));
    Ok(hashes)
}

/// The finalizer of MurmurHash3 (Austin Appleby, `fmix64`).
pub(crate) fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Spreads a hash evenly over `0..parts` by its high bits (Lemire, "Fast random integer generation", 2019).
pub(crate) fn scaled(hash: u64, parts: usize) -> u32 {
    ((u128::from(hash) * parts as u128) >> 64) as u32
}
