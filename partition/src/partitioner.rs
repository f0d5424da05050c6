//! The trait of everything that places rows.

use std::fmt::Debug;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{DataFusionError, Result, exec_err};

use crate::row_hash::row_hashes;

/// What a partitioner promises of the rows of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clustering {
    /// Rows with equal keys are in one partition.
    KeyClustered,
    /// The keys of a partition are all at most those of the next. One key may be in several neighbouring partitions.
    RangeOrdered,
    /// Rows are spread evenly, whatever their keys.
    Spread,
}

/// Rows that are to be placed.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The key columns, in the order of the statement.
    pub keys: &'a [ArrayRef],
    /// A hash of each whole row; empty unless the partitioner [uses it](Partitioner::uses_row_hash).
    pub hashes: &'a [u64],
    /// How many rows there are.
    pub len: usize,
}

/// Says which partition a row goes to.
///
/// The answer is a function of the row's keys, or of the whole row through its hash, and of nothing else: no arrival
/// order, no random number, no state. A task that runs a second time then writes the same partitions, and batches may be
/// cut anywhere.
pub trait Partitioner: Debug + Send + Sync {
    /// The name that executors find the decoder by; also in error messages.
    fn name(&self) -> &str;

    /// How many partitions there are, at least 1. All ids are below.
    fn partitions(&self) -> usize;

    /// What holds of the rows of one partition.
    fn clustering(&self) -> Clustering;

    /// Whether [`Rows::hashes`] is needed.
    fn uses_row_hash(&self) -> bool {
        false
    }

    /// Fails where keys of these types cannot be placed. Called when a statement is planned.
    fn check(&self, _types: &[DataType]) -> Result<()> {
        Ok(())
    }

    /// Writes each row's partition into `ids`, which has [`Rows::len`] elements.
    fn partition(&self, rows: &Rows<'_>, ids: &mut [u32]) -> Result<()>;

    /// Whether equal keys are in partitions of one number under both, so that they could be joined side by side.
    fn compatible_with(&self, other: &dyn Partitioner) -> bool {
        self.clustering() == Clustering::KeyClustered
            && self.name() == other.name()
            && matches!((self.encode(), other.encode()), (Ok(ours), Ok(theirs)) if ours == theirs)
    }

    /// The partitioner as bytes, which the decoder of its name takes.
    fn encode(&self) -> Result<Vec<u8>>;
}

/// The partition of each of `len` rows. `columns` are all columns of the rows, of which `keys` are some. Fails, with the
/// partitioner's name, where it does or where an id is out of range.
pub fn route(partitioner: &dyn Partitioner, keys: &[ArrayRef], columns: &[ArrayRef], len: usize) -> Result<Vec<u32>> {
    let hashes = if partitioner.uses_row_hash() { row_hashes(columns, len)? } else { Vec::new() };
    let mut ids = vec![0; len];
    partitioner.partition(&Rows { keys, hashes: &hashes, len }, &mut ids).map_err(|error| named(partitioner, error))?;
    let partitions = partitioner.partitions();
    if let Some(id) = ids.iter().find(|id| **id as usize >= partitions) {
        let name = partitioner.name();
        return exec_err!("the partitioner \"{name}\" put a row on partition {id}, but there are {partitions}");
    }
    Ok(ids)
}

fn named(partitioner: &dyn Partitioner, error: DataFusionError) -> DataFusionError {
    match error.strip_backtrace() {
        text if text.contains(partitioner.name()) => error,
        text => DataFusionError::Execution(format!("the partitioner \"{}\" failed: {text}", partitioner.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts every row on one partition, whether there is such a one or not.
    #[derive(Debug)]
    struct Constant(u32);

    impl Partitioner for Constant {
        fn name(&self) -> &str {
            "constant"
        }

        fn partitions(&self) -> usize {
            2
        }

        fn clustering(&self) -> Clustering {
            Clustering::KeyClustered
        }

        fn partition(&self, _rows: &Rows<'_>, ids: &mut [u32]) -> Result<()> {
            if self.0 == 9 {
                return exec_err!("no luck");
            }
            ids.fill(self.0);
            Ok(())
        }

        fn encode(&self) -> Result<Vec<u8>> {
            Ok(self.0.to_le_bytes().to_vec())
        }
    }

    #[test]
    fn an_id_out_of_range_is_an_error_with_the_name() {
        assert_eq!(route(&Constant(1), &[], &[], 3).unwrap(), [1, 1, 1]);
        let error = route(&Constant(2), &[], &[], 1).unwrap_err().strip_backtrace();
        assert!(error.contains("the partitioner \"constant\" put a row on partition 2, but there are 2"), "{error}");
    }

    #[test]
    fn a_failure_has_the_name() {
        let error = route(&Constant(9), &[], &[], 1).unwrap_err().strip_backtrace();
        assert!(error.contains("the partitioner \"constant\" failed") && error.contains("no luck"), "{error}");
    }

    #[test]
    fn only_equal_partitioners_are_compatible() {
        assert!(Constant(1).compatible_with(&Constant(1)));
        assert!(!Constant(1).compatible_with(&Constant(0)));
    }
}
