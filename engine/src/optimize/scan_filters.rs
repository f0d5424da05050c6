//! Filters that are known only when the plan runs, where they save work.
//!
//! A join passes what it knows of its held side's keys on to the scans below its other side, and a sort with a limit does
//! so with what a row must have to be among the first. DataFusion's scans use such a filter to skip whole row groups, and
//! for rows only where Parquet's reader is told to filter while it decodes. That costs more than it saves unless hardly any
//! rows are left, and where the scan's rows go straight to the join, the join drops the others anyway. It is another thing
//! where they would be grouped first, or put into another join's hash table: there the filter saves that work. So it is
//! applied to the rows of such scans, while decoding if very few are expected to be left, and on decoded rows otherwise.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use super::estimate::{Estimate, estimate};

/// A filter that leaves more than this share of the rows is not applied to them.
const MOST: f64 = 0.5;
/// One that leaves at most this share is applied while decoding.
const VERY_FEW: f64 = 0.01;

/// Applies filters of joins and sorts to the rows of scans where that saves work.
#[derive(Debug, Default)]
pub(crate) struct ScanFilters;

impl PhysicalOptimizerRule for ScanFilters {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        below(plan, &[])
    }

    fn name(&self) -> &str {
        "scan_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A filter that nodes above make when they run.
#[derive(Debug, Clone, Copy)]
struct Made {
    id: u64,
    /// The share of rows that it is expected to leave.
    share: f64,
    /// Whether rows that it would drop cost more than being dropped by its maker.
    saves_work: bool,
}

fn below(plan: Arc<dyn ExecutionPlan>, above: &[Made]) -> Result<Arc<dyn ExecutionPlan>> {
    if plan.is::<DataSourceExec>() {
        return scan(plan, above);
    }
    let children: Vec<Arc<dyn ExecutionPlan>> = plan.children().into_iter().cloned().collect();
    if children.is_empty() {
        return Ok(plan);
    }
    let mut filtered = Vec::with_capacity(children.len());
    for (at, child) in children.into_iter().enumerate() {
        filtered.push(below(child, &made_for(&plan, at, above)?)?);
    }
    merge(replace_children_if_necessary(plan, filtered)?)
}

/// The filters that concern the given input of a node: those from above, and its own.
fn made_for(plan: &Arc<dyn ExecutionPlan>, input: usize, above: &[Made]) -> Result<Vec<Made>> {
    let mut made = above.to_vec();
    let held = plan.is::<HashJoinExec>() && input == 0;
    if plan.is::<AggregateExec>() || held {
        made.iter_mut().for_each(|made| made.saves_work = true);
    }
    let own = |share: f64, saves_work: bool| {
        let ids = plan.dynamic_expressions_produced().into_iter().filter_map(|filter| filter.expression_id());
        ids.map(move |id| Made { id, share, saves_work }).collect::<Vec<_>>()
    };
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        made.extend(own(share_of_join(join)?, false));
    } else if plan.downcast_ref::<SortExec>().is_some_and(|sort| sort.fetch().is_some()) {
        made.extend(own(0.0, true));
    }
    Ok(made)
}

/// The share of the other side's rows whose keys the held side has.
fn share_of_join(join: &HashJoinExec) -> Result<f64> {
    let keys = |side: &Estimate, keys: Vec<&Arc<dyn PhysicalExpr>>| side.distinct_together(keys);
    let held = keys(&estimate(join.left())?, join.on().iter().map(|(key, _)| key).collect());
    let other = keys(&estimate(join.right())?, join.on().iter().map(|(_, key)| key).collect());
    Ok((held / other).min(1.0))
}

/// A scan with the filters that save work applied to its rows.
fn scan(plan: Arc<dyn ExecutionPlan>, above: &[Made]) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(files) =
        plan.downcast_ref::<DataSourceExec>().and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>())
    else {
        return Ok(plan);
    };
    let Some(source) = files.file_source().downcast_ref::<ParquetSource>() else { return Ok(plan) };
    let Some(predicate) = source.filter() else { return Ok(plan) };
    let (mut saving, mut others, mut share) = (Vec::new(), Vec::new(), 1.0_f64);
    for part in split_conjunction(&predicate) {
        let made = made_by(part, above)?;
        match made.filter(|made| made.saves_work && made.share <= MOST) {
            Some(made) => {
                share = share.min(made.share);
                saving.push(Arc::clone(part));
            }
            None => others.push(Arc::clone(part)),
        }
    }
    let and = |left: Arc<dyn PhysicalExpr>, right: Arc<dyn PhysicalExpr>| {
        Arc::new(BinaryExpr::new(left, Operator::And, right)) as Arc<dyn PhysicalExpr>
    };
    if share > VERY_FEW {
        return match own_columns(saving, source, &plan)?.into_iter().reduce(and) {
            Some(condition) => Ok(Arc::new(FilterExec::try_new(condition, plan)?)),
            None => Ok(plan),
        };
    }
    // The reader evaluates the conditions one after another, each on the rows that are left.
    let Some(predicate) = saving.into_iter().chain(others).reduce(and) else { return Ok(plan) };
    let source = source.with_predicate(predicate).with_pushdown_filters(true);
    let files = FileScanConfigBuilder::from(files.clone()).with_source(Arc::new(source)).build();
    Ok(DataSourceExec::from_data_source(files))
}

/// The one of the filters that a condition is.
fn made_by(condition: &Arc<dyn PhysicalExpr>, above: &[Made]) -> Result<Option<Made>> {
    let mut found = None;
    condition.apply(|part| {
        if part.is::<DynamicFilterPhysicalExpr>()
            && let Some(id) = part.expression_id()
        {
            found = above.iter().find(|made| made.id == id).copied();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Conditions of the file's columns over those that the scan gives. One about a column that it does not give, or not under
/// its own name, is left out.
fn own_columns(
    conditions: Vec<Arc<dyn PhysicalExpr>>,
    source: &ParquetSource,
    scan: &Arc<dyn ExecutionPlan>,
) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
    let schema = scan.schema();
    let is_own = |name: &str| match source.projection() {
        Some(given) => given
            .as_ref()
            .iter()
            .filter(|given| given.alias == name)
            .all(|given| given.expr.downcast_ref::<Column>().is_some_and(|column| column.name() == name)),
        None => true,
    };
    let given = |condition: &Arc<dyn PhysicalExpr>| {
        let columns = collect_columns(condition);
        columns.iter().all(|column| schema.index_of(column.name()).is_ok() && is_own(column.name()))
    };
    conditions.into_iter().filter(given).map(|condition| reassign_expr_columns(condition, &schema)).collect()
}

/// Two filters, one right above the other, as one.
fn merge(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(upper) = plan.downcast_ref::<FilterExec>() else { return Ok(plan) };
    let Some(lower) = upper.input().downcast_ref::<FilterExec>() else { return Ok(plan) };
    if lower.projection().is_some() || lower.fetch().is_some() {
        return Ok(plan);
    }
    let (one, other) = (Arc::clone(upper.predicate()), Arc::clone(lower.predicate()));
    let both = FilterExecBuilder::from(upper)
        .with_input(Arc::clone(lower.input()))
        .with_predicate(Arc::new(BinaryExpr::new(one, Operator::And, other)));
    Ok(Arc::new(both.build()?))
}
