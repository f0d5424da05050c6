//! Partial aggregation whose groups stay in the processor's caches.
//!
//! The first step of an aggregation makes the exchange after it smaller. Where a key's rows are near each other, as they are
//! in files that were written in the order of the key, few groups are open at a time; but DataFusion keeps all that it has
//! seen until its input ends, and every row looks its group up in a table that no cache holds. Here the first step hands its
//! groups on and begins anew when they take [`TABLE_BYTES`]. A group that comes again later is merged by the last step,
//! which merges groups of all partitions anyway. (Input that repeats no keys at all does not come so far: DataFusion passes
//! it on without grouping it once it has seen a hundred thousand rows of it.)
//!
//! DataFusion's operator does so itself when memory is short, so all that it needs is a memory pool of that size.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode};

use super::confined::ConfinedExec;

/// What the groups of a partition may take: a good part of a core's share of today's caches.
const TABLE_BYTES: usize = 8 << 20;

/// What the texts of a key take at once where they come as views, however few there are.
const VIEW_BLOCK_BYTES: usize = 2 << 20;

/// Aggregates whose state is a few numbers. Of others, a few groups could fill the table.
const SMALL_STATES: [&str; 12] =
    ["sum", "count", "avg", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor", "stddev", "var"];

/// Bounds the tables of partial aggregations.
#[derive(Debug, Default)]
pub(crate) struct PartialGroups {
    /// Whether batches of groups are to share no memory: DataFusion makes one of all groups and cuts it, and Ballista's
    /// exchange takes each piece for as large as all.
    pub(crate) apart: bool,
}

impl PhysicalOptimizerRule for PartialGroups {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match node.downcast_ref::<AggregateExec>() {
            Some(aggregate) if is_bounded(aggregate) => {
                let kinds =
                    aggregate.group_expr().expr().iter().map(|(key, _)| key.data_type(&aggregate.input().schema()));
                let views = kinds.filter(|kind| matches!(kind, Ok(DataType::Utf8View))).count();
                let confined = ConfinedExec::over(&node, TABLE_BYTES + views * VIEW_BLOCK_BYTES)?;
                let confined = if self.apart { confined.with_batches_apart() } else { confined };
                Ok(Transformed::yes(Arc::new(confined) as Arc<dyn ExecutionPlan>))
            }
            _ => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "partial_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn is_bounded(aggregate: &AggregateExec) -> bool {
    *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && !aggregate.group_expr().is_true_no_grouping()
        && aggregate.group_expr().is_single()
        && aggregate.limit_options().is_none()
        && aggregate.aggr_expr().iter().all(|function| {
            !function.is_distinct()
                && function.order_bys().is_empty()
                && SMALL_STATES.contains(&function.fun().name())
                && function.field().data_type().is_primitive()
        })
}
