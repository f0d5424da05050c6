//! How much a plan reads.

use std::collections::HashMap;

use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::{MemTable, source_as_provider};
use datafusion::logical_expr::{LogicalPlan, TableScan};

use crate::error::Result;

/// Bytes of tables, each of which is looked at once.
#[derive(Debug, Default)]
pub(super) struct TableSizes {
    known: HashMap<String, u64>,
}

impl TableSizes {
    /// Bytes of the files and rows that the plan's scans would read.
    pub(super) async fn of(&mut self, plan: &LogicalPlan, session: &dyn Session) -> Result<u64> {
        let mut tables = Vec::new();
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(TableScan { source, table_name, .. }) = node {
                tables.push((table_name.to_string(), source_as_provider(source)?));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let mut total = 0;
        for (name, table) in tables {
            if let Some(bytes) = self.known.get(&name) {
                total += bytes;
                continue;
            }
            let mut bytes = 0;
            if let Some(listing) = table.downcast_ref::<ListingTable>() {
                let files = listing.list_files_for_scan(session, &[], None).await?;
                let files = files.file_groups.iter().flat_map(|group| group.files());
                bytes = files.map(|file| file.object_meta.size).sum::<u64>();
            } else if let Some(memory) = table.downcast_ref::<MemTable>() {
                for partition in &memory.batches {
                    let batches = partition.read().await;
                    bytes += batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum::<u64>();
                }
            }
            self.known.insert(name, bytes);
            total += bytes;
        }
        Ok(total)
    }
}
