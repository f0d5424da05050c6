//! Who runs a plan: this process, or a cluster.

use async_trait::async_trait;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::analyze;
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
        match plan {
            LogicalPlan::Analyze(analyze) => analyze::run(context, analyze).await,
            plan => Ok(DataFrame::new(context.state(), plan).execute_stream().await?),
        }
    }
}
