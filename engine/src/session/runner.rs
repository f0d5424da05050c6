//! Who runs a plan: this process, or a cluster.

use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::in_process;
use crate::error::Result;

/// Runs plans that give rows.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Starts the plan; its rows come through the stream, and dropping the stream stops it.
    async fn run(&self, context: &SessionContext, plan: LogicalPlan) -> Result<SendableRecordBatchStream>;
}

/// Runs plans in this process.
#[derive(Debug, Clone, Copy)]
pub struct LocalRunner;

#[async_trait]
impl Runner for LocalRunner {
    async fn run(&self, context: &SessionContext, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        let config = context.copied_config();
        // What one task builds a join's table of by itself is not exchanged.
        let collected = config.options().optimizer.hash_join_single_partition_threshold as u64;
        in_process::run(context, plan, config.target_partitions(), collected).await
    }
}
