//! Where the rows of a statement go: `DISTRIBUTE BY`, hints, and [`PartitionBy`] on a `DataFrame`.
//!
//! A [`PartitionByNode`] becomes two physical nodes with an exchange between them. [`RouteExec`] asks the partitioner for
//! each row's partition and adds, as a column, the value that an ordinary exchange puts there; [`PartitionByExec`]
//! requires the exchange, so that no rule takes it away, and drops the column. The exchange has as many partitions as the
//! job, at least as many as are asked for; those beyond are empty.

mod frame;
mod logical;
mod marker;
mod partition_exec;
mod planner;
mod ranges;
mod route_exec;
mod scheme;

pub use frame::PartitionBy;
pub use logical::PartitionByNode;
pub use ranges::sketch_ranges;
pub use scheme::Scheme;
pub use sluice_partition::{Clustering, Decoder, Partitioner, PartitionerRegistry, Rows, kinds};

pub(crate) use marker::{MARK, MarkedSort, Marker};
pub(crate) use partition_exec::PartitionByExec;
pub(crate) use planner::PartitionExtensionPlanner;
pub(crate) use ranges::{key_sketch, sketch_ranges_here};
pub(crate) use route_exec::RouteExec;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, Partitioning};

/// Puts a [`PartitionByNode`] in the place of each `DISTRIBUTE BY` that DataFusion has planned.
pub fn adopt(plan: LogicalPlan) -> Result<LogicalPlan> {
    let adopted = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Repartition(repartition)
            if matches!(repartition.partitioning_scheme, Partitioning::DistributeBy(_)) =>
        {
            let Partitioning::DistributeBy(exprs) = repartition.partitioning_scheme else {
                return datafusion::common::internal_err!("a partitioning that changes while it is looked at");
            };
            let input = std::sync::Arc::unwrap_or_clone(repartition.input);
            Ok(Transformed::yes(marker::node(input, exprs)?))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(adopted.data)
}

/// The most partitions that a node of the plan asks for, 1 where they leave it to the job; `None` where the plan places no
/// rows. A job needs exchanges of so many.
pub fn partitions_asked(plan: &LogicalPlan) -> Result<Option<usize>> {
    let mut most = None;
    plan.apply_with_subqueries(|node| {
        if let Some(partition) = PartitionByNode::of(node) {
            most = most.max(Some(partition.partitions().unwrap_or(1)));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(most)
}
