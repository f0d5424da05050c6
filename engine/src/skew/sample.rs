//! How often keys occur, by a sample of their rows.
//!
//! The sample is read by the process that plans: the key columns alone, in short runs that are spread evenly over the
//! row groups of evenly chosen files. What is not Parquet is read whole where it is small, and not at all where it is not.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{interleave, take};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use sluice_partition::placement::{exchange_partitions, hashes};

use super::parquet_runs;
use crate::error::Result;

/// Rows of a sample for each partition, where there are so many: enough to place keys within a few percent.
const ROWS_PER_PARTITION: u64 = 6_000;
/// Rows of a sample, at least and at most.
const SAMPLE_ROWS: std::ops::RangeInclusive<u64> = 50_000..=400_000;
/// Bytes of files, other than Parquet, that are read whole.
const WHOLE_BYTES: u64 = 256 << 20;

/// A sample of the rows of some keys.
#[derive(Debug, Default)]
pub(super) struct KeySample {
    what: What,
    /// The key columns, batch by batch.
    batches: Vec<Vec<ArrayRef>>,
    hashes: Vec<Vec<u64>>,
    counts: HashMap<u64, Seen>,
    /// Rows that were read, nulls included.
    pub(super) rows: u64,
    /// Of those, rows with a null in their key.
    pub(super) nulls: u64,
    /// Rows of the table for one of the sample.
    pub(super) scale: f64,
}

/// What of the columns of a sample is the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct What {
    /// How many columns; the rest is read along.
    pub(super) keys: usize,
    /// Whether nulls are equal, so that a null is a value like others.
    pub(super) null_is_key: bool,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    count: u64,
    /// Where the key was first seen.
    place: (u32, u32),
}

/// A key that occurs often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frequent {
    pub(super) hash: u64,
    pub(super) count: u64,
    place: (u32, u32),
}

impl KeySample {
    /// Reads a sample of what `plan` gives. `None` where it cannot be sampled.
    pub(super) async fn read(
        state: &SessionState,
        plan: &LogicalPlan,
        what: What,
        partitions: usize,
    ) -> Result<Option<Self>> {
        let whole = state.create_physical_plan(plan).await?;
        let Some((plan, scale)) = restrict(state, whole, partitions).await? else { return Ok(None) };
        let mut sample = Self { what, scale, ..Self::default() };
        let mut rows = execute_stream(plan, state.task_ctx())?;
        while let Some(batch) = rows.next().await {
            sample.add(&batch?)?;
        }
        Ok(Some(sample))
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().to_vec();
        let keys = &columns[..self.what.keys];
        let nulls = match self.what.null_is_key {
            true => None,
            false => {
                let nulls = keys.iter().map(|column| column.logical_nulls());
                nulls.fold(None, |all: Option<NullBuffer>, nulls| NullBuffer::union(all.as_ref(), nulls.as_ref()))
            }
        };
        let hashes = hashes(keys)?;
        let batch_index = self.batches.len() as u32;
        for (row, hash) in hashes.iter().enumerate() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                self.nulls += 1;
                continue;
            }
            let seen = self.counts.entry(*hash).or_insert(Seen { count: 0, place: (batch_index, row as u32) });
            seen.count += 1;
        }
        self.rows += batch.num_rows() as u64;
        self.batches.push(columns);
        self.hashes.push(hashes);
        Ok(())
    }

    /// Rows of the sample that have the key with this hash.
    pub(super) fn count(&self, hash: u64) -> u64 {
        self.counts.get(&hash).map_or(0, |seen| seen.count)
    }

    /// Keys that more than `least` rows have, the most frequent first.
    pub(super) fn frequent(&self, least: f64) -> Vec<Frequent> {
        let frequent = self.counts.iter().filter(|(_, seen)| seen.count as f64 > least);
        let mut frequent: Vec<Frequent> =
            frequent.map(|(&hash, seen)| Frequent { hash, count: seen.count, place: seen.place }).collect();
        frequent.sort_by(|left, right| right.count.cmp(&left.count).then(left.hash.cmp(&right.hash)));
        frequent
    }

    /// The values of some keys, column by column.
    pub(super) fn values(&self, keys: &[Frequent]) -> Result<Vec<ArrayRef>> {
        let places: Vec<(usize, usize)> = keys.iter().map(|key| (key.place.0 as usize, key.place.1 as usize)).collect();
        let column = |index: usize| {
            let parts: Vec<&dyn Array> = self.batches.iter().map(|batch| batch[index].as_ref()).collect();
            interleave(&parts, &places)
        };
        let columns = if self.batches.is_empty() { 0 } else { self.what.keys };
        Ok((0..columns)
            .map(column)
            .collect::<std::result::Result<_, _>>()
            .map_err(datafusion::error::DataFusionError::from)?)
    }

    /// What was read along, of the rows that have a key.
    pub(super) fn read_along(&self, key: &Frequent) -> Result<Vec<ArrayRef>> {
        let columns = self.batches.first().map_or(0, Vec::len);
        let mut places = Vec::with_capacity(key.count as usize);
        for (batch, hashes) in self.hashes.iter().enumerate() {
            places
                .extend(hashes.iter().enumerate().filter(|(_, hash)| **hash == key.hash).map(|(row, _)| (batch, row)));
        }
        let column = |index: usize| {
            let parts: Vec<&dyn Array> = self.batches.iter().map(|batch| batch[index].as_ref()).collect();
            interleave(&parts, &places)
        };
        let columns = (self.what.keys..columns).map(column).collect::<std::result::Result<_, _>>();
        Ok(columns.map_err(datafusion::error::DataFusionError::from)?)
    }

    /// Rows of the sample on each of `partitions` partitions of an exchange over (key, 0), without those of `apart` and
    /// those with a null.
    pub(super) fn cold_loads(&self, apart: &[Frequent], partitions: usize) -> Result<Vec<f64>> {
        let apart: std::collections::HashSet<u64> = apart.iter().map(|key| key.hash).collect();
        let mut loads = vec![0.0; partitions];
        for (columns, hashes) in self.batches.iter().zip(&self.hashes) {
            let rows =
                hashes.iter().enumerate().filter(|(_, hash)| !apart.contains(hash) && self.counts.contains_key(hash));
            let rows: UInt32Array = rows.map(|(row, _)| row as u32).collect::<Vec<_>>().into();
            let mut columns = columns[..self.what.keys]
                .iter()
                .map(|column| take(column, &rows, None))
                .collect::<std::result::Result<Vec<ArrayRef>, _>>()
                .map_err(datafusion::error::DataFusionError::from)?;
            columns.push(Arc::new(datafusion::arrow::array::Int32Array::from(vec![0; rows.len()])));
            exchange_partitions(&columns, partitions)?.into_iter().for_each(|at| loads[at as usize] += 1.0);
        }
        Ok(loads)
    }
}

/// The plan over a sample of its one scan, and the rows of the whole for each row of the sample.
async fn restrict(
    state: &SessionState,
    plan: Arc<dyn ExecutionPlan>,
    partitions: usize,
) -> Result<Option<(Arc<dyn ExecutionPlan>, f64)>> {
    let mut scans = Vec::new();
    plan.apply(|node| {
        if let Some(scan) = node.downcast_ref::<DataSourceExec>() {
            scans.push(scan.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    // None: no rows, or rows of a kind that is not known here. Several: not a chain down to one table.
    let [scan] = scans.as_slice() else { return Ok(None) };
    let Some(files) = scan.data_source().downcast_ref::<FileScanConfig>() else {
        // Rows in memory.
        return Ok(Some((plan, 1.0)));
    };
    let rows = (partitions as u64).saturating_mul(ROWS_PER_PARTITION);
    let rows = rows.clamp(*SAMPLE_ROWS.start(), *SAMPLE_ROWS.end());
    let Some((sampled, scale)) = parquet_runs::choose(state, files, rows).await? else {
        let bytes: u64 =
            files.file_groups.iter().flat_map(|group| group.files()).map(|file| file.effective_size()).sum();
        return Ok((bytes <= WHOLE_BYTES).then_some((plan, 1.0)));
    };
    let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(sampled);
    let restricted = plan.transform_up(|node| {
        Ok(match node.is::<DataSourceExec>() {
            true => Transformed::yes(Arc::clone(&scan)),
            false => Transformed::no(node),
        })
    })?;
    Ok(Some((restricted.data, scale)))
}
