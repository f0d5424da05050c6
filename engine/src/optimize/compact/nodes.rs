//! Nodes above a scan: what they do with columns, and what they are over columns that come as they are stored.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{JoinSide, JoinType, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::aggregates::{AggregateExec, PhysicalGroupBy};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};

use super::expressions::{Use, over_stored, uses_of};
use super::stored::Words;
use super::{Compact, below, with_restored_children};
use crate::optimize::estimate::estimate;
use crate::optimize::selectivity::selectivity;

/// A filter that leaves more than this share of the rows does not make it worth while to read other columns as stored.
const MOST_KEPT: f64 = 0.7;

pub(super) fn of_filter(plan: &Arc<dyn ExecutionPlan>, filter: &FilterExec, uses: &[Use]) -> Result<Compact> {
    let width = filter.input().schema().fields().len();
    let kept: Vec<usize> = match filter.projection().as_ref() {
        Some(kept) => kept.to_vec(),
        None => (0..width).collect(),
    };
    let mut inner = vec![Use::default(); width];
    for (at, used) in kept.iter().zip(uses) {
        inner[*at].add(*used);
    }
    if selectivity(filter.predicate(), &estimate(filter.input())?) <= MOST_KEPT {
        inner.iter_mut().for_each(|used| used.dropped = true);
    }
    uses_of(filter.predicate(), &mut inner);
    let input = below(Arc::clone(filter.input()), &inner)?;
    if input.is_nothing() {
        let plan = replace_children_if_necessary(Arc::clone(plan), vec![input.plan])?;
        return Ok(Compact::nothing(plan));
    }
    let predicate = over_stored(filter.predicate(), &input.own, &input.plan.schema())?;
    let own = kept.iter().map(|at| input.own[*at].clone()).collect();
    let filter = FilterExecBuilder::from(filter).with_input(input.plan).with_predicate(predicate).build()?;
    Ok(Compact { plan: Arc::new(filter), own })
}

pub(super) fn of_projection(
    plan: &Arc<dyn ExecutionPlan>,
    projection: &ProjectionExec,
    uses: &[Use],
) -> Result<Compact> {
    let mut inner = vec![Use::default(); projection.input().schema().fields().len()];
    for (shown, used) in projection.expr().iter().zip(uses) {
        match shown.expr.downcast_ref::<Column>() {
            Some(column) => inner[column.index()].add(*used),
            None => uses_of(&shown.expr, &mut inner),
        }
    }
    let input = below(Arc::clone(projection.input()), &inner)?;
    if input.is_nothing() {
        let plan = replace_children_if_necessary(Arc::clone(plan), vec![input.plan])?;
        return Ok(Compact::nothing(plan));
    }
    let (mut shown, mut own) = (Vec::new(), Vec::new());
    for (at, given) in projection.expr().iter().enumerate() {
        let passed = given.expr.downcast_ref::<Column>().and_then(|column| input.own[column.index()].clone());
        // Under its own name and nullability here.
        own.push(passed.map(|_| Arc::clone(&projection.schema().fields()[at])));
        let expr = match own.last() {
            Some(Some(_)) => Arc::clone(&given.expr),
            _ => over_stored(&given.expr, &input.own, &input.plan.schema())?,
        };
        shown.push(ProjectionExpr { expr, alias: given.alias.clone() });
    }
    Ok(Compact { plan: Arc::new(ProjectionExec::try_new(shown, input.plan)?), own })
}

/// Numbers pass where rows are held or sorted out. Texts do not: dictionaries would have to be copied.
fn passes(own: &FieldRef) -> bool {
    own.data_type().is_decimal()
}

pub(super) fn of_exchange(plan: &Arc<dyn ExecutionPlan>, exchange: &RepartitionExec, uses: &[Use]) -> Result<Compact> {
    let schema = plan.schema();
    let keys = match exchange.partitioning() {
        Partitioning::Hash(keys, _) => keys.as_slice(),
        Partitioning::RoundRobinBatch(_) => &[],
        _ => return Ok(Compact::nothing(with_restored_children(Arc::clone(plan))?)),
    };
    let is_key = |at: usize| keys.iter().any(|key| collect_columns(key).iter().any(|column| column.index() == at));
    // Whole batches go round as they are.
    let may_stay = |at: usize, own: &FieldRef| keys.is_empty() || passes(own) && !is_key(at);
    let inner = schema.fields().iter().zip(uses).enumerate();
    let inner: Vec<Use> =
        inner.map(|(at, (own, used))| if may_stay(at, own) { *used } else { Use::default() }).collect();
    let input = below(Arc::clone(exchange.input()), &inner)?.restored_but(may_stay)?;
    Ok(Compact { plan: replace_children_if_necessary(Arc::clone(plan), vec![input.plan])?, own: input.own })
}

/// A join: columns that it does not look at pass through, and many rows may be dropped by it.
pub(super) fn of_join(plan: &Arc<dyn ExecutionPlan>, join: &HashJoinExec, uses: &[Use]) -> Result<Compact> {
    let (left, right) = (join.left().schema().fields().len(), join.right().schema().fields().len());
    let all: Vec<(JoinSide, usize)> = match join.join_type() {
        JoinType::LeftSemi | JoinType::LeftAnti => (0..left).map(|at| (JoinSide::Left, at)).collect(),
        JoinType::RightSemi | JoinType::RightAnti => (0..right).map(|at| (JoinSide::Right, at)).collect(),
        JoinType::LeftMark | JoinType::RightMark => {
            return Ok(Compact::nothing(with_restored_children(Arc::clone(plan))?));
        }
        _ => {
            let left = (0..left).map(|at| (JoinSide::Left, at));
            left.chain((0..right).map(|at| (JoinSide::Right, at))).collect()
        }
    };
    let given: Vec<(JoinSide, usize)> = match join.projection.as_ref() {
        Some(kept) => kept.iter().map(|at| all[*at]).collect(),
        None => all,
    };
    let joined = estimate(plan)?.rows;
    let input = |side: JoinSide, input: &Arc<dyn ExecutionPlan>| -> Result<Compact> {
        let looked_at = looked_at(join, side);
        let may_stay = |at: usize, own: &FieldRef| passes(own) && !looked_at.contains(&at);
        let schema = input.schema();
        let is_dropped = joined <= estimate(input)?.rows * MOST_KEPT;
        let mut inner = vec![Use::default(); schema.fields().len()];
        for ((_, at), used) in given.iter().zip(uses).filter(|((own, _), _)| *own == side) {
            if may_stay(*at, &schema.fields()[*at]) {
                inner[*at].add(*used);
                inner[*at].dropped |= is_dropped;
            }
        }
        below(Arc::clone(input), &inner)?.restored_but(may_stay)
    };
    let (left, right) = (input(JoinSide::Left, join.left())?, input(JoinSide::Right, join.right())?);
    let own = given.iter().map(|(side, at)| match side {
        JoinSide::Left => left.own[*at].clone(),
        _ => right.own[*at].clone(),
    });
    let own = own.collect();
    Ok(Compact { plan: replace_children_if_necessary(Arc::clone(plan), vec![left.plan, right.plan])?, own })
}

/// The columns of a side that the join itself looks at.
fn looked_at(join: &HashJoinExec, side: JoinSide) -> Vec<usize> {
    let keys = join.on().iter().map(|(left, right)| if side == JoinSide::Left { left } else { right });
    let mut columns: Vec<usize> =
        keys.flat_map(|key| collect_columns(key).into_iter().map(|column| column.index())).collect();
    let filter = join.filter().into_iter().flat_map(|filter| filter.column_indices());
    columns.extend(filter.filter(|column| column.side == side).map(|column| column.index));
    columns
}

/// The first step of an aggregation: groups are made of the columns as they come.
pub(super) fn of_aggregate(plan: &Arc<dyn ExecutionPlan>, aggregate: &AggregateExec) -> Result<Compact> {
    let mut inner = vec![Use::default(); aggregate.input().schema().fields().len()];
    let keys = aggregate.group_expr().expr();
    for (key, _) in keys {
        match key.downcast_ref::<Column>() {
            Some(column) => inner[column.index()].grouped = true,
            None => uses_of(key, &mut inner),
        }
    }
    for function in aggregate.aggr_expr() {
        function.expressions().iter().for_each(|argument| uses_of(argument, &mut inner));
    }
    aggregate.filter_expr().iter().flatten().for_each(|condition| uses_of(condition, &mut inner));
    let input = below(Arc::clone(aggregate.input()), &inner)?;
    if input.is_nothing() {
        let plan = replace_children_if_necessary(Arc::clone(plan), vec![input.plan])?;
        return Ok(Compact::nothing(plan));
    }
    let schema = input.plan.schema();
    let mut own = vec![None; plan.schema().fields().len()];
    let mut compact_keys = Vec::with_capacity(keys.len());
    for (at, (key, name)) in keys.iter().enumerate() {
        let stored = key.downcast_ref::<Column>().filter(|column| input.own[column.index()].is_some());
        let compact = match stored.map(|column| schema.field(column.index()).data_type()) {
            // Groups of codes cannot be made; a view of a short text is compared as a number.
            Some(DataType::Dictionary(..)) => {
                own[at] = Some(Arc::clone(&plan.schema().fields()[at]));
                Arc::new(Words(Arc::clone(key))) as Arc<dyn PhysicalExpr>
            }
            // Nor fast ones of decimals of 64 bits.
            _ => over_stored(key, &input.own, &schema)?,
        };
        compact_keys.push((compact, name.clone()));
    }
    let mut functions = Vec::with_capacity(aggregate.aggr_expr().len());
    for function in aggregate.aggr_expr() {
        let all = function.all_expressions();
        let over = |expressions: Vec<Arc<dyn PhysicalExpr>>| {
            expressions.iter().map(|one| over_stored(one, &input.own, &schema)).collect::<Result<Vec<_>>>()
        };
        match function.with_new_expressions(over(all.args)?, over(all.order_by_exprs)?) {
            Some(function) => functions.push(Arc::new(function)),
            None => {
                return Ok(Compact::nothing(replace_children_if_necessary(Arc::clone(plan), vec![input.restored()?])?));
            }
        }
    }
    let filters = aggregate
        .filter_expr()
        .iter()
        .map(|condition| condition.as_ref().map(|condition| over_stored(condition, &input.own, &schema)).transpose());
    let compact = AggregateExec::try_new(
        *aggregate.mode(),
        PhysicalGroupBy::new_single(compact_keys),
        functions,
        filters.collect::<Result<Vec<_>>>()?,
        input.plan,
        schema,
    )?;
    Ok(Compact { plan: Arc::new(compact.with_limit_options(aggregate.limit_options())), own })
}
