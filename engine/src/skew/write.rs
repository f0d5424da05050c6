//! Writes partitioned by a skewed column: a value's rows go to one task, which makes one file of them, and those of a
//! frequent value to several.

use datafusion::common::{Column, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan};
use sluice_partition::kinds::HotKeyPartitioner;

use crate::partition::{PartitionByNode, Scheme};
use crate::write::WriteNode;

/// What the keys of the exchange are called.
pub(super) const MARK: &str = "__partition";

/// The rows of a write that is partitioned by columns, and these; `None` where it is not, and where the statement says
/// itself where its rows go or in which order they come.
pub(super) fn partitioned(node: &LogicalPlan) -> Option<(&LogicalPlan, Vec<Expr>)> {
    let LogicalPlan::Extension(extension) = node else { return None };
    let write = extension.node.as_any().downcast_ref::<WriteNode>()?;
    let input = extension.node.inputs().into_iter().next()?;
    let says_itself = matches!(input, LogicalPlan::Sort(_)) || PartitionByNode::of(input).is_some();
    let columns = &write.spec().partition_by;
    if says_itself || columns.is_empty() {
        return None;
    }
    let keys = columns.iter().map(|name| {
        let (qualifier, field) = input.schema().qualified_field_with_unqualified_name(name).ok()?;
        Some(Expr::Column(Column::new(qualifier.cloned(), field.name())))
    });
    Some((input, keys.collect::<Option<_>>()?))
}

/// The write with its rows placed.
pub(super) fn placed(node: &LogicalPlan, partitioner: &HotKeyPartitioner) -> Result<LogicalPlan> {
    let Some((input, keys)) = partitioned(node) else { return internal_err!("a write that is not partitioned") };
    let partitions = sluice_partition::Partitioner::partitions(partitioner);
    let input = PartitionByNode::plan(input.clone(), Scheme::made(partitioner)?, Some(partitions), keys, Vec::new())?;
    node.with_new_exprs(node.expressions(), vec![input])
}
