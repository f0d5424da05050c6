//! How many partitions a job gets: from the bytes that it reads and the cores that there are, never from a constant.

use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use sluice::Result;

/// A partition is worth its own task from about this many bytes of input.
const SMALLEST_PARTITION_BYTES: u64 = 4 << 20;

/// Partitions for a plan that reads `input_bytes` on `cores` cores, about `partition_bytes` each.
///
/// Little input keeps to few partitions, because each costs a task in every stage; from there every core gets one; and
/// more input gets a multiple of the cores, so that no round of tasks leaves some idle.
pub(crate) fn choose(input_bytes: u64, cores: usize, partition_bytes: u64) -> usize {
    let cores = cores.max(1) as u64;
    let wanted = input_bytes.div_ceil(partition_bytes.max(1)).max(1);
    let rounds = wanted.div_ceil(cores);
    let chosen =
        if rounds > 1 { rounds * cores } else { input_bytes.div_ceil(SMALLEST_PARTITION_BYTES).clamp(1, cores) };
    usize::try_from(chosen).unwrap_or(usize::MAX)
}

/// Bytes of the files of the plan's largest table: what a stage has to share out at most, or about so much.
pub(crate) async fn input_bytes(plan: &LogicalPlan, session: &dyn Session) -> Result<u64> {
    let mut tables = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(TableScan { source, .. }) = node {
            tables.push(source_as_provider(source)?);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut largest = 0;
    for table in tables {
        if let Some(listing) = table.downcast_ref::<ListingTable>() {
            let files = listing.list_files_for_scan(session, &[], None).await?;
            let files = files.file_groups.iter().flat_map(|group| group.files());
            largest = largest.max(files.map(|file| file.object_meta.size).sum::<u64>());
        }
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::choose;

    const MIB: u64 = 1 << 20;

    #[test]
    fn little_input_keeps_to_one_task() {
        assert_eq!(choose(0, 8, 64 * MIB), 1);
        assert_eq!(choose(3 * MIB, 8, 64 * MIB), 1);
    }

    #[test]
    fn some_input_uses_some_cores_and_more_input_all_of_them() {
        assert_eq!(choose(9 * MIB, 8, 64 * MIB), 3);
        assert_eq!(choose(400 * MIB, 8, 64 * MIB), 8);
    }

    #[test]
    fn much_input_gets_whole_rounds_of_the_cores() {
        // 1000 MiB at 64 MiB are 16 partitions: 6 rounds of 3 cores.
        assert_eq!(choose(1000 * MIB, 3, 64 * MIB), 18);
    }
}
