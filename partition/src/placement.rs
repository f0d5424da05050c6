//! Values that an exchange puts on a chosen partition.
//!
//! The exchange puts a row on `create_hashes(keys, REPARTITION_RANDOM_STATE) % n` (`datafusion_physical_plan::repartition`,
//! which Ballista's shuffle writer repeats). The hash has no inverse, but it can be tried: of `n·ln n` values or so, each
//! partition gets one.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use datafusion_common::hash_utils::create_hashes;
use datafusion_common::{Result, plan_err};
use datafusion_physical_plan::repartition::REPARTITION_RANDOM_STATE;

/// The most partitions that an exchange can be asked for.
pub const MOST_PARTITIONS: usize = 65_536;

/// Values that are tried at once.
const TRIED_AT_ONCE: i64 = 4096;

/// The exchange's hash of each row's keys.
pub fn hashes(keys: &[ArrayRef]) -> Result<Vec<u64>> {
    let mut hashes = vec![0; keys.first().map_or(0, |key| key.len())];
    create_hashes(keys, REPARTITION_RANDOM_STATE.random_state(), &mut hashes)?;
    Ok(hashes)
}

/// The partition, of `partitions`, on which an exchange over `keys` puts each row.
pub fn exchange_partitions(keys: &[ArrayRef], partitions: usize) -> Result<Vec<u32>> {
    let partitions = partitions.max(1) as u64;
    Ok(hashes(keys)?.into_iter().map(|hash| (hash % partitions) as u32).collect())
}

/// For each of `partitions` partitions the smallest number that, alone as an exchange's `Int64` key, leads there.
///
/// Fails where there is no partition, or more than [`MOST_PARTITIONS`].
pub fn witnesses(partitions: usize) -> Result<Vec<i64>> {
    if partitions == 0 || partitions > MOST_PARTITIONS {
        return plan_err!("a number of partitions must be from 1 to {MOST_PARTITIONS}, not {partitions}");
    }
    let mut found = vec![None; partitions];
    let mut missing = partitions;
    let mut first = 0;
    while missing > 0 {
        let tried: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + TRIED_AT_ONCE));
        for (value, partition) in (first..).zip(exchange_partitions(&[tried], partitions)?) {
            let slot = &mut found[partition as usize];
            if slot.is_none() {
                *slot = Some(value);
                missing -= 1;
            }
        }
        first += TRIED_AT_ONCE;
    }
    Ok(found.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_witness_leads_to_its_partition() {
        for partitions in [1, 2, 3, 7, 16, 64, 200, 1024] {
            let witnesses = witnesses(partitions).unwrap();
            let keys: ArrayRef = Arc::new(Int64Array::from(witnesses));
            let reached = exchange_partitions(&[keys], partitions).unwrap();
            assert_eq!(reached, (0..partitions as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_partition_and_too_many_are_refused() {
        assert!(witnesses(0).is_err());
        assert!(witnesses(MOST_PARTITIONS + 1).is_err());
    }
}
