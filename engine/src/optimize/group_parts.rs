//! Many groups in tables that caches hold.
//!
//! The last step of an aggregation looks each of its rows up in a table of all groups. With millions of groups no cache holds
//! that table, and a row costs as much as a read of main memory takes. Here the rows are first set apart into [`PARTS`] parts
//! by the hash of their key, and then the groups of one part after another are made, each in a small table (radix
//! partitioning: Manegold, Boncz and Kersten, *Optimizing Main-Memory Join on Modern Hardware*, TKDE 2002).
//!
//! An input of few rows goes to one table as it would otherwise, and so does one that takes more memory than may be held: one
//! table can spill.

mod parts;

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties};

use self::parts::{FromParts, Parts};

/// In how many parts groups are made.
const PARTS: usize = 128;

/// Sets the rows of last steps of aggregations apart.
#[derive(Debug, Default)]
pub(crate) struct GroupParts;

impl PhysicalOptimizerRule for GroupParts {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match node.downcast_ref::<AggregateExec>() {
            Some(aggregate) if can_be_apart(aggregate) => {
                let apart = GroupPartsExec::over(&node)?;
                Ok(Transformed::yes(Arc::new(apart) as Arc<dyn ExecutionPlan>))
            }
            _ => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "group_parts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn can_be_apart(aggregate: &AggregateExec) -> bool {
    matches!(aggregate.mode(), AggregateMode::Final | AggregateMode::FinalPartitioned)
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && !aggregate.group_expr().is_true_no_grouping()
        && aggregate.group_expr().is_single()
        && aggregate.limit_options().is_none()
        && aggregate.cache().output_ordering().is_none()
        && aggregate.aggr_expr().iter().all(|function| function.order_bys().is_empty())
}

/// The last step of an aggregation, its rows set apart by their keys.
#[derive(Debug)]
struct GroupPartsExec {
    /// The step, over [`FromParts`].
    node: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
}

impl GroupPartsExec {
    fn over(node: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        let children = node.children();
        let ([input], Some(aggregate)) = (children.as_slice(), node.downcast_ref::<AggregateExec>()) else {
            return internal_err!("groups are made by an aggregation");
        };
        let input = Arc::clone(input);
        let keys = aggregate.group_expr().expr().iter().map(|(key, _)| Arc::clone(key)).collect();
        let from_parts = Arc::new(FromParts::of(&input));
        Ok(Self { node: replace_children_if_necessary(Arc::clone(node), vec![from_parts])?, input, keys })
    }
}

impl DisplayAs for GroupPartsExec {
    fn fmt_as(&self, format: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.node.fmt_as(format, formatter)
    }
}

impl ExecutionPlan for GroupPartsExec {
    fn name(&self) -> &str {
        "GroupPartsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.node.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.node.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => {
                let from_parts = Arc::new(FromParts::of(&input));
                let node = replace_children_if_necessary(Arc::clone(&self.node), vec![from_parts])?;
                Ok(Arc::new(Self { node, input, keys: self.keys.clone() }))
            }
            _ => internal_err!("GroupPartsExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        Ok(Parts::new(Arc::clone(&self.node), self.keys.clone(), partition, context).run(input))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.node.metrics()
    }
}

#[cfg(test)]
mod tests;
