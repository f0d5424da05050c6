//! How far down a side of a join its filter goes: to the scans, where all keys are columns of theirs.

use std::sync::Arc;

use datafusion::common::{JoinSide, JoinType, Result};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;

use super::super::ForgetConstantsExec;
use super::super::estimate::estimate;
use super::super::estimated::is_sent_whole;
use super::filter::{JoinFilterExec, OtherKeys};
use super::keys::JoinKeysExec;
use super::own_stage::OwnStageExec;
use super::place;

/// A plan with a filter in it.
pub(super) struct Sunk {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    /// Rows that would be exchanged, or grouped, without it.
    pub(super) rows: f64,
}

/// A filter on its way down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sinking {
    pub(super) filter: u64,
    /// How many rows are exchanged, or grouped, on their way from here to the join, where they are for the first time. Where
    /// none are, the join itself drops them.
    pub(super) exchanged: Option<f64>,
    /// Sides of joins are sent whole up to so many bytes.
    pub(super) whole_bytes: f64,
}

impl Sinking {
    /// The plan with the filter of the given columns as far below as it may be.
    pub(super) fn into(self, plan: &Arc<dyn ExecutionPlan>, columns: &[usize]) -> Result<Sunk> {
        let below = inputs_below(plan, columns);
        // What is left of a table's own filter is less to look at.
        let is_table = plan.children().iter().all(|input| input.children().is_empty());
        if below.is_empty() || (plan.is::<FilterExec>() && is_table) {
            let Some(rows) = self.exchanged else { return Ok(Sunk { plan: Arc::clone(plan), rows: 0.0 }) };
            let here = Arc::clone(plan);
            let plan = Arc::new(JoinFilterExec::new(here, self.filter, columns.to_vec(), OtherKeys::Awaited));
            return Ok(Sunk { plan, rows });
        }
        let mut inputs: Vec<_> = plan.children().into_iter().cloned().collect();
        let mut rows = 0.0;
        for (input, columns) in below {
            let sunk = self.below(plan, input)?.into(&inputs[input], &columns)?;
            inputs[input] = sunk.plan;
            rows += sunk.rows;
        }
        Ok(Sunk { plan: replace_children_if_necessary(Arc::clone(plan), inputs)?, rows })
    }

    /// On the way into an input.
    fn below(self, plan: &Arc<dyn ExecutionPlan>, input: usize) -> Result<Self> {
        let apart = if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            let other = estimate(if input == 0 { join.right() } else { join.left() })?;
            !(may_be_sent_whole(*join.join_type(), 1 - input) && is_sent_whole(&other, self.whole_bytes))
        } else {
            plan.is::<AggregateExec>() || plan.is::<RepartitionExec>() || plan.is::<OwnStageExec>()
        };
        match apart {
            true => Ok(Self { exchanged: Some(estimate(plan.children()[input])?.rows), ..self }),
            false => Ok(self),
        }
    }
}

/// Whether a join can do with each of its tasks having all of an input: none of that input's rows is wanted for itself.
pub(super) fn may_be_sent_whole(join_type: JoinType, input: usize) -> bool {
    match join_type {
        JoinType::Inner => true,
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => input == 1,
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => input == 0,
        JoinType::Full => false,
    }
}

/// The filters below of which these columns are the keys.
pub(super) fn filters_of(plan: &Arc<dyn ExecutionPlan>, columns: &[usize]) -> Vec<u64> {
    let here = plan.downcast_ref::<JoinFilterExec>().filter(|filter| filter.columns() == columns);
    let mut filters: Vec<u64> = here.map(JoinFilterExec::filter).into_iter().collect();
    for (input, columns) in inputs_below(plan, columns) {
        filters.extend(filters_of(plan.children()[input], &columns));
    }
    filters
}

/// The inputs of which rows can be dropped instead of the plan's own, with the columns there. Empty where there is none.
pub(crate) fn inputs_below(plan: &Arc<dyn ExecutionPlan>, columns: &[usize]) -> Vec<(usize, Vec<usize>)> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return only(columns.iter().map(|at| place(&projection.expr().get(*at)?.expr)));
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        if filter.fetch().is_some() {
            return Vec::new();
        }
        return only(columns.iter().map(|at| match filter.projection().as_ref() {
            Some(kept) => kept.get(*at).copied(),
            None => Some(*at),
        }));
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let keys = aggregate.group_expr();
        if keys.has_grouping_set() || aggregate.limit_options().is_some() {
            return Vec::new();
        }
        return only(columns.iter().map(|at| place(&keys.expr().get(*at)?.0)));
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return below_join(join, columns);
    }
    if plan.is::<UnionExec>() {
        return (0..plan.children().len()).map(|input| (input, columns.to_vec())).collect();
    }
    let passes = plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<SortExec>()
        || plan.is::<ForgetConstantsExec>()
        || plan.is::<JoinKeysExec>()
        || plan.is::<OwnStageExec>()
        || plan.is::<JoinFilterExec>();
    if passes && plan.fetch().is_none() { vec![(0, columns.to_vec())] } else { Vec::new() }
}

/// The only input, where all columns are there.
fn only(columns: impl Iterator<Item = Option<usize>>) -> Vec<(usize, Vec<usize>)> {
    columns.collect::<Option<Vec<_>>>().map(|columns| (0, columns)).into_iter().collect()
}

/// The inputs of a join: that of the columns, and by the join's own keys the other.
fn below_join(join: &HashJoinExec, columns: &[usize]) -> Vec<(usize, Vec<usize>)> {
    let (left_kept, right_kept) = match join.join_type() {
        JoinType::Inner => (true, true),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (true, false),
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (false, true),
        JoinType::Full => (false, false),
    };
    let Some(sides) = columns.iter().map(|at| side_of(join, *at)).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    // A row of the other side that no such row matches is dropped by the join itself.
    let both_match = matches!(join.join_type(), JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi);
    let on: Option<Vec<_>> = join.on().iter().map(|(left, right)| Some((place(left)?, place(right)?))).collect();
    let on = on.filter(|_| both_match).unwrap_or_default();
    let here = |wanted: JoinSide| -> Option<Vec<usize>> {
        let column = |(side, at): &(JoinSide, usize)| match *side == wanted {
            true => Some(*at),
            false => match wanted {
                JoinSide::Left => on.iter().find(|(_, right)| right == at).map(|(left, _)| *left),
                _ => on.iter().find(|(left, _)| left == at).map(|(_, right)| *right),
            },
        };
        sides.iter().map(column).collect()
    };
    let left = here(JoinSide::Left).filter(|_| left_kept || both_match).map(|columns| (0, columns));
    let right = here(JoinSide::Right).filter(|_| right_kept || both_match).map(|columns| (1, columns));
    left.into_iter().chain(right).collect()
}

/// The side of a join that a column of its output comes from, and the column there.
fn side_of(join: &HashJoinExec, at: usize) -> Option<(JoinSide, usize)> {
    let at = match join.projection.as_ref() {
        Some(kept) => *kept.get(at)?,
        None => at,
    };
    let (left, right) = (join.left().schema().fields().len(), join.right().schema().fields().len());
    match join.join_type() {
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark if at < right => Some((JoinSide::Right, at)),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => None,
        _ if at < left => Some((JoinSide::Left, at)),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full if at - left < right => {
            Some((JoinSide::Right, at - left))
        }
        _ => None,
    }
}
