//! Placing the rows of a `DataFrame`.

use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, SortExpr};

use super::logical::PartitionByNode;
use super::scheme::Scheme;

/// Says where the rows of a `DataFrame` go, embedded or on a cluster.
///
/// ```no_run
/// # async fn example() -> sluice::Result<()> {
/// use datafusion::prelude::col;
/// use sluice::partition::{PartitionBy, Scheme};
/// let session = sluice::Session::local().await?;
/// let orders = session.table("orders").await?;
/// let placed = orders.partition_by(Scheme::Range, Some(16), vec![col("ts")])?;
/// # Ok(())
/// # }
/// ```
pub trait PartitionBy: Sized {
    /// Places rows by the scheme over the keys, on so many partitions; on as many as the job has where absent.
    fn partition_by(self, scheme: Scheme, partitions: Option<usize>, keys: Vec<Expr>) -> Result<Self>;

    /// Sorts the rows of each partition.
    fn sort_within_partitions(self, sort: Vec<SortExpr>) -> Result<Self>;
}

impl PartitionBy for DataFrame {
    fn partition_by(self, scheme: Scheme, partitions: Option<usize>, keys: Vec<Expr>) -> Result<Self> {
        let (state, plan) = self.into_parts();
        Ok(Self::new(state, PartitionByNode::plan(plan, scheme, partitions, keys, Vec::new())?))
    }

    fn sort_within_partitions(self, sort: Vec<SortExpr>) -> Result<Self> {
        let (state, plan) = self.into_parts();
        Ok(Self::new(state, PartitionByNode::plan(plan, Scheme::Stay, None, Vec::new(), sort)?))
    }
}
