//! Columns that stay as their file has them for as long as nobody needs more.
//!
//! Parquet has a text that repeats as the number of a word in a dictionary, and a decimal of at most 18 digits in 32 or 64
//! bits. A scan that gives texts and decimals of 128 bits makes them of these for all rows, also for those that the next
//! condition drops. Here the scan gives the columns as they are stored: conditions look at the few words of a dictionary
//! instead of each row's text, groups are made of what is cheap to compare, and a column becomes what its table says where a
//! node needs it so, which is mostly after a filter.
//!
//! Which columns these are is decided from above: a column gains if a condition looks at it, if it is grouped by, if it is
//! added or multiplied, or if rows are dropped before its own type is needed. Nothing of this leaves the process: a plan is changed where it runs.

mod expressions;
mod nodes;
mod reader;
mod scan;
mod stored;

use std::sync::Arc;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;

use self::expressions::Use;
use self::nodes::{of_aggregate, of_exchange, of_filter, of_join, of_projection};
use self::scan::scan;

/// Has scans give columns as they are stored where that saves work.
#[derive(Debug, Default)]
pub(crate) struct CompactColumns;

impl PhysicalOptimizerRule for CompactColumns {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        restored(plan)
    }

    fn name(&self) -> &str {
        "compact_columns"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A plan some of whose columns come as they are stored.
struct Compact {
    plan: Arc<dyn ExecutionPlan>,
    /// For each column that does, what it is without that.
    own: Vec<Option<FieldRef>>,
}

impl Compact {
    fn nothing(plan: Arc<dyn ExecutionPlan>) -> Self {
        let own = vec![None; plan.schema().fields().len()];
        Self { plan, own }
    }

    fn is_nothing(&self) -> bool {
        self.own.iter().all(Option::is_none)
    }

    /// The plan with all columns in their own types.
    fn restored(self) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.restored_but(|_, _| false)?.plan)
    }

    /// The same with the columns that may stay as they are stored.
    fn restored_but(mut self, may_stay: impl Fn(usize, &FieldRef) -> bool) -> Result<Self> {
        let schema = self.plan.schema();
        let mut columns = Vec::with_capacity(schema.fields().len());
        let mut changed = false;
        for (at, (field, own)) in schema.fields().iter().zip(&mut self.own).enumerate() {
            let column = Arc::new(Column::new(field.name(), at)) as Arc<dyn PhysicalExpr>;
            let expr = match own.take_if(|own| !may_stay(at, own)) {
                Some(own) => {
                    changed = true;
                    Arc::new(CastExpr::new_with_target_field(column, own, None))
                }
                None => column,
            };
            columns.push(ProjectionExpr { expr, alias: field.name().clone() });
        }
        if changed {
            self.plan = Arc::new(ProjectionExec::try_new(columns, self.plan)?);
        }
        Ok(self)
    }
}

/// The plan, its columns in their own types, with whatever is compact below.
fn restored(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let nothing = vec![Use::default(); plan.schema().fields().len()];
    below(plan, &nothing)?.restored()
}

/// A plan whose columns are used above as given.
fn below(plan: Arc<dyn ExecutionPlan>, uses: &[Use]) -> Result<Compact> {
    if plan.is::<DataSourceExec>() {
        return scan(plan, uses);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return of_filter(&plan, filter, uses);
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return of_projection(&plan, projection, uses);
    }
    if plan.is::<CoalescePartitionsExec>() {
        let [input] = plan.children()[..] else { return Ok(Compact::nothing(plan)) };
        let input = below(Arc::clone(input), uses)?;
        return Ok(Compact { plan: replace_children_if_necessary(plan, vec![input.plan])?, own: input.own });
    }
    if let Some(exchange) = plan.downcast_ref::<RepartitionExec>() {
        return of_exchange(&plan, exchange, uses);
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return of_join(&plan, join, uses);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>()
        && *aggregate.mode() == AggregateMode::Partial
        && aggregate.group_expr().is_single()
        && plan.dynamic_expressions_produced().is_empty()
    {
        return of_aggregate(&plan, aggregate);
    }
    Ok(Compact::nothing(with_restored_children(plan)?))
}

fn with_restored_children(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children = plan.children().into_iter().map(|child| restored(Arc::clone(child)));
    let children = children.collect::<Result<Vec<_>>>()?;
    if children.is_empty() { Ok(plan) } else { replace_children_if_necessary(plan, children) }
}

#[cfg(test)]
mod tests;
