//! Filters that a join's one side makes for the other, across the stages of a job.
//!
//! Within a process a join tells the scans below its other side which keys it holds. Where the sides are stages that other
//! processes run, nothing is told, and rows are exchanged that no key matches. So a node on the smaller side gathers its
//! keys' hashes ([`JoinKeysExec`]), and another one, as far down the larger side as the keys are columns, drops the rows that
//! match none ([`JoinFilterExec`]). Who runs the stages carries the keys from one to the other, and lets the larger side wait
//! for them. A filter that never comes costs nothing but the wait.
//!
//! The idea is old (Mackert, Lohman, *R\* Optimizer Validation and Performance Evaluation for Distributed Queries*, 1986).

mod bloom;
mod filter;
mod keys;
mod own_stage;
mod sink;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{NullEquality, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::HashJoinExec;

pub(crate) use self::bloom::Bloom;
pub(crate) use self::filter::OtherKeys;
pub use self::filter::{JoinFilterExec, OtherSide};
pub use self::keys::{GatheredKeys, Gatherer, JoinKeysExec};
pub(crate) use self::own_stage::OwnStageExec;
use self::sink::Sinking;
pub(crate) use self::sink::inputs_below;
use super::estimate::{Estimate, estimate};
use super::estimated::is_sent_whole;
use crate::config::SluiceConfig;

/// A filter has to drop at least as many rows for each row whose key it gathers.
const DROPPED_FOR_ONE: f64 = 1.0;
/// And a filter that is expected to leave more than this share of the rows is not made.
const MOST_LEFT: f64 = 0.5;

/// Puts the nodes of filters into plans that run in stages.
#[derive(Debug)]
pub(crate) struct JoinFilters;

impl PhysicalOptimizerRule for JoinFilters {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let sluice = config.extensions.get::<SluiceConfig>().cloned().unwrap_or_default();
        let limits = Limits {
            fewest_rows: match sluice.cluster_join_filter_rows() {
                0 => return Ok(plan),
                rows => rows as f64,
            },
            whole_bytes: sluice.cluster_broadcast_limit_bytes() as f64,
        };
        plan.transform_up(|node| {
            let filtered = match node.downcast_ref::<HashJoinExec>() {
                Some(join) => filtered(join, &node, limits)?,
                None => None,
            };
            Ok(match filtered {
                Some(join) => Transformed::yes(join),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "join_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Where filters are made.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// A side that gives fewer rows is not filtered: waiting costs more.
    fewest_rows: f64,
    /// Sides of joins are sent whole up to so many bytes.
    whole_bytes: f64,
}

/// The join with a filter of one side, where that is worth it.
fn filtered(
    join: &HashJoinExec,
    node: &Arc<dyn ExecutionPlan>,
    limits: Limits,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if join.null_aware || join.null_equality() != NullEquality::NullEqualsNothing {
        return Ok(None);
    }
    // Hashes can be compared of values of one type.
    let (left_schema, right_schema) = (join.left().schema(), join.right().schema());
    let pair = |left: &Arc<dyn PhysicalExpr>, right: &Arc<dyn PhysicalExpr>| {
        let (left, right) = (place(left)?, place(right)?);
        let same = left_schema.field(left).data_type() == right_schema.field(right).data_type();
        same.then_some((left, right))
    };
    let Some(pairs) = join.on().iter().map(|(left, right)| pair(left, right)).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let (may_filter_left, may_filter_right) = join.join_type().on_lr_is_preserved();
    let mut inputs: Vec<_> = node.children().into_iter().cloned().collect();
    let (lefts, rights): (Vec<usize>, Vec<usize>) = pairs.iter().copied().unzip();
    let right = may_filter_right.then_some((0, lefts.clone(), 1, rights.clone()));
    let left = may_filter_left.then_some((1, rights, 0, lefts));
    for (gathering, gathered, filtering, columns) in right.into_iter().chain(left) {
        let keys: Vec<_> = join.on().iter().map(|(left, right)| if gathering == 0 { left } else { right }).collect();
        let side = estimate(&inputs[gathering])?;
        // Of several columns that which tells most: of their combinations nothing is known.
        let share = keys.iter().map(|key| side.share_of_domain(key)).fold(1.0_f64, f64::min);
        if share > MOST_LEFT {
            continue;
        }
        let filter = next_filter();
        let sinking = limits.sinking(join, gathering, &side, filter)?;
        let sunk = sinking.into(&inputs[filtering], &columns)?;
        if sunk.rows < limits.fewest_rows || sunk.rows * (1.0 - share) < side.rows * DROPPED_FOR_ONE {
            continue;
        }
        let late = own_stage::is_decided_late(&inputs[gathering], &inputs[filtering]);
        inputs[filtering] = sunk.plan;
        inputs[gathering] = Arc::new(JoinKeysExec::new(Arc::clone(&inputs[gathering]), filter, gathered));
        if late {
            let keys = keys.into_iter().cloned().collect();
            inputs[gathering] = Arc::new(OwnStageExec::new(Arc::clone(&inputs[gathering]), keys));
        }
        return Ok(Some(replace_children_if_necessary(Arc::clone(node), inputs)?));
    }
    let mut passed_on = false;
    for (left, right) in &pairs {
        if may_filter_right {
            passed_on |= limits.pass_on(join, &mut inputs, (0, *left), (1, *right))?;
        }
        if may_filter_left {
            passed_on |= limits.pass_on(join, &mut inputs, (1, *right), (0, *left))?;
        }
    }
    if !passed_on {
        return Ok(None);
    }
    Ok(Some(replace_children_if_necessary(Arc::clone(node), inputs)?))
}

impl Limits {
    /// A filter of the keys of one input on its way into the other.
    fn sinking(self, join: &HashJoinExec, gathering: usize, side: &Estimate, filter: u64) -> Result<Sinking> {
        let whole = sink::may_be_sent_whole(*join.join_type(), gathering) && is_sent_whole(side, self.whole_bytes);
        let filtered = estimate(if gathering == 0 { join.right() } else { join.left() })?.rows;
        Ok(Sinking { filter, exchanged: (!whole).then_some(filtered), whole_bytes: self.whole_bytes })
    }

    /// Lets the filters of one input's key drop rows of the other input as well. Each input is given with its key.
    fn pass_on(
        self,
        join: &HashJoinExec,
        inputs: &mut [Arc<dyn ExecutionPlan>],
        (from, from_key): (usize, usize),
        (to, to_key): (usize, usize),
    ) -> Result<bool> {
        let there = sink::filters_of(&inputs[to], &[to_key]);
        let side = estimate(&inputs[from])?;
        let mut any = false;
        for filter in sink::filters_of(&inputs[from], &[from_key]) {
            if there.contains(&filter) {
                continue;
            }
            let sunk = self.sinking(join, from, &side, filter)?.into(&inputs[to], &[to_key])?;
            if sunk.rows >= self.fewest_rows {
                inputs[to] = sunk.plan;
                any = true;
            }
        }
        Ok(any)
    }
}

/// A number that no other filter of this process has.
fn next_filter() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn place(key: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    key.downcast_ref::<Column>().map(Column::index)
}
