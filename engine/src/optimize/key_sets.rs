//! Drops rows of a join's other side by a set of the keys that it holds, before they are looked up.
//!
//! A hash join looks up each row of its other side: a hash, a wait for memory, and for a match more of both. Where most rows
//! match nothing, a set of the held keys tells so for a fraction of that. For whole numbers that are not too far apart it is
//! one bit for each number between the least and the greatest, small enough to stay in the caches, and it tells of one key
//! of several. So a node on the held side remembers its keys ([`HeldKeysExec`]), and a condition above the scan that
//! they refer to asks for them ([`HasKey`]). Until the keys are known, the condition is true.
//!
//! The idea is that of the bit-vector filter (Babb, *Implementing a Relational Database by Means of Specialized Hardware*, 1979).

mod held;
mod set;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{NullEquality, Result};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use self::held::HeldKeysExec;
use self::set::{HasKey, Keys};
use super::estimate::{Estimate, estimate};
use super::join_filter::inputs_below;

/// A set that is expected to leave more than this share of the rows is not made.
const MOST_LEFT: f64 = 0.3;
/// Nor is one for fewer rows.
const FEWEST_ROWS: f64 = 200_000.0;
/// Nor one for less than so many rows for each that is held.
const ROWS_FOR_ONE: f64 = 4.0;

/// Puts sets of keys into joins within a process.
#[derive(Debug, Default)]
pub(crate) struct KeySets;

impl PhysicalOptimizerRule for KeySets {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let with_set = match node.downcast_ref::<HashJoinExec>() {
                Some(join) => with_set(join, &node)?,
                None => None,
            };
            Ok(with_set.map_or_else(|| Transformed::no(node), Transformed::yes))
        })
        .data()
    }

    fn name(&self) -> &str {
        "key_sets"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether the rule has put the node into the plan.
pub fn is_of_key_set(node: &Arc<dyn ExecutionPlan>) -> bool {
    let filter = node.downcast_ref::<FilterExec>();
    node.is::<HeldKeysExec>() || filter.is_some_and(|filter| filter.predicate().is::<HasKey>())
}

/// The join with a set of one of its keys, where that is worth it.
fn with_set(join: &HashJoinExec, node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let (_, may_drop) = join.join_type().on_lr_is_preserved();
    let holds_once = *join.partition_mode() == PartitionMode::CollectLeft
        && join.left().output_partitioning().partition_count() == 1;
    if !may_drop || !holds_once || join.null_aware || join.null_equality() != NullEquality::NullEqualsNothing {
        return Ok(None);
    }
    let (held, other) = (estimate(join.left())?, estimate(join.right())?);
    if other.rows < FEWEST_ROWS || other.rows < held.rows * ROWS_FOR_ONE {
        return Ok(None);
    }
    let least = join
        .on()
        .iter()
        .filter_map(|(left, right)| key_of(join, left, right, &held, &other))
        .min_by(|one, another| one.share.total_cmp(&another.share));
    let Some(key) = least.filter(|key| key.share <= MOST_LEFT) else { return Ok(None) };
    let keys = Arc::new(Keys::default());
    let Some(filtered) = filtered(join.right(), key.right, &keys)? else { return Ok(None) };
    let held: Arc<dyn ExecutionPlan> = Arc::new(HeldKeysExec::new(Arc::clone(join.left()), key.left, keys));
    Ok(Some(replace_children_if_necessary(Arc::clone(node), vec![held, filtered])?))
}

/// A key of a join, by its places on both sides.
struct Key {
    left: usize,
    right: usize,
    /// The share of the other side's keys that the held side has.
    share: f64,
}

fn key_of(
    join: &HashJoinExec,
    left: &Arc<dyn PhysicalExpr>,
    right: &Arc<dyn PhysicalExpr>,
    held: &Estimate,
    other: &Estimate,
) -> Option<Key> {
    let place = |key: &Arc<dyn PhysicalExpr>| key.downcast_ref::<Column>().map(Column::index);
    let (left_at, right_at) = (place(left)?, place(right)?);
    let (left_schema, right_schema) = (join.left().schema(), join.right().schema());
    let kind = left_schema.field(left_at).data_type();
    if !has_sets(kind) || kind != right_schema.field(right_at).data_type() {
        return None;
    }
    let (held, other) = (held.distinct(left)?, other.distinct(right)?);
    Some(Key { left: left_at, right: right_at, share: held / other })
}

/// Types whose values have places on a line of bits.
fn has_sets(kind: &DataType) -> bool {
    kind.is_integer() || *kind == DataType::Date32
}

/// The plan with the condition above the scans that the column comes from. None where there is no such scan.
fn filtered(plan: &Arc<dyn ExecutionPlan>, column: usize, keys: &Arc<Keys>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let is_scan = |plan: &Arc<dyn ExecutionPlan>| plan.is::<DataSourceExec>();
    if is_scan(plan) || plan.downcast_ref::<FilterExec>().is_some_and(|filter| is_scan(filter.input())) {
        let schema = plan.schema();
        let has_key = HasKey::new(Arc::new(Column::new(schema.field(column).name(), column)), Arc::clone(keys));
        return Ok(Some(Arc::new(FilterExec::try_new(Arc::new(has_key), Arc::clone(plan))?)));
    }
    let mut inputs: Vec<_> = plan.children().into_iter().cloned().collect();
    let mut any = false;
    for (input, columns) in inputs_below(plan, &[column]) {
        if let [column] = columns[..]
            && let Some(below) = filtered(&inputs[input], column, keys)?
        {
            inputs[input] = below;
            any = true;
        }
    }
    any.then(|| replace_children_if_necessary(Arc::clone(plan), inputs)).transpose()
}
