//! How many bytes each partition of a stage will read, from what the stages before it have written, and the stage as a whole.

use std::sync::Arc;

use ballista_core::execution_plans::{RangeShuffleReaderExec, ShuffleReaderExec};
use ballista_core::serde::scheduler::PartitionLocation;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

/// Bytes by partition of the node's output; 0 where nobody knows, as for scans, whose files are cut evenly anyway.
///
/// A node's partition `p` reads partition `p` of each input that has as many. An input with another number is read whole by
/// each task (the build side of a broadcast join) and makes no difference between partitions. Only a union has its inputs'
/// partitions one after the other.
pub(super) fn of_partitions(node: &Arc<dyn ExecutionPlan>) -> Vec<u64> {
    if let Some(reader) = node.downcast_ref::<ShuffleReaderExec>() {
        return if reader.broadcast { vec![0; count(node)] } else { of_locations(&reader.partition) };
    }
    if let Some(reader) = node.downcast_ref::<RangeShuffleReaderExec>() {
        return of_locations(&reader.partition);
    }
    if node.is::<UnionExec>() {
        return node.children().into_iter().flat_map(of_partitions).collect();
    }
    let mut sizes = vec![0; count(node)];
    for child in node.children() {
        let read = of_partitions(child);
        if read.len() == sizes.len() {
            sizes.iter_mut().zip(read).for_each(|(size, bytes)| *size += bytes);
        }
    }
    sizes
}

/// Bytes of files and of other stages' rows that the plan reads, tables that each task reads whole left out.
pub(super) fn of_input(node: &Arc<dyn ExecutionPlan>) -> u64 {
    if let Some(scan) = node.downcast_ref::<DataSourceExec>() {
        let Some(files) = scan.data_source().downcast_ref::<FileScanConfig>() else { return 0 };
        return files.file_groups.iter().flat_map(|group| group.files()).map(bytes_of).sum();
    }
    if node.children().is_empty() {
        return of_partitions(node).iter().sum();
    }
    node.children().into_iter().map(of_input).sum()
}

/// The part of a file that is read.
fn bytes_of(file: &PartitionedFile) -> u64 {
    match &file.range {
        Some(range) => u64::try_from(range.end - range.start).unwrap_or(0),
        None => file.object_meta.size,
    }
}

fn of_locations(partitions: &[Vec<PartitionLocation>]) -> Vec<u64> {
    let bytes = |location: &PartitionLocation| location.partition_stats.num_bytes().unwrap_or(0);
    partitions.iter().map(|locations| locations.iter().map(bytes).sum()).collect()
}

fn count(node: &Arc<dyn ExecutionPlan>) -> usize {
    node.properties().output_partitioning().partition_count()
}
