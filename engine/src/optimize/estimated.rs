//! What a join's input is expected to give, where a planner asks that does not estimate as we do.
//!
//! Ballista's adaptive planner decides by the statistics of a join's inputs which one is sent whole to every task, and
//! which one runs first to be measured. DataFusion's statistics know no bytes of what a join gives, and of what a filter
//! leaves they say a fifth. So a node stands above each input that is more than a table, passes rows on, and answers with
//! our estimate, which is made anew each time: stages that have run by then count with the rows that they gave. A row counts
//! with more bytes than it has, because what is held is held in a hash table. And what is only expected counts as several
//! times as much as what has been measured: a side that turns out to be larger than expected would be held by each task,
//! while to run it first costs little.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, replace_children_if_necessary};
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::{ProjectionExec, make_with_child};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs};

use super::estimate::{Estimate, estimate};
use super::join_filter::OwnStageExec;
use super::join_sides::cost_of_holding;

/// How many times its expected bytes a side counts with.
const UNCERTAINTY: f64 = 4.0;

/// Rows of a table that costs less to read again than to send.
const SMALL_TABLE: f64 = 200_000.0;

/// Puts [`EstimatedExec`] above the inputs of joins.
#[derive(Debug)]
pub(crate) struct Estimates;

impl PhysicalOptimizerRule for Estimates {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if !node.is::<HashJoinExec>() && !node.is::<SortMergeJoinExec>() {
                return Ok(Transformed::no(node));
            }
            let mut inputs = Vec::new();
            for input in node.children() {
                inputs.push(match is_small_table(input)? || input.is::<OwnStageExec>() {
                    true => Arc::clone(input),
                    false => Arc::new(EstimatedExec::new(Arc::clone(input))) as Arc<dyn ExecutionPlan>,
                });
            }
            Ok(Transformed::yes(replace_children_if_necessary(node, inputs)?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "estimates"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A small table as it is, which the planner lets each task read for itself.
fn is_small_table(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    match plan.downcast_ref::<ProjectionExec>() {
        Some(projection) => is_small_table(projection.input()),
        None => Ok(plan.is::<DataSourceExec>() && estimate(plan)?.rows <= SMALL_TABLE),
    }
}

/// Whether a side of a join is expected to be sent whole to every task that reads the other, of those that may take so many
/// bytes.
pub(super) fn is_sent_whole(side: &Estimate, most_bytes: f64) -> bool {
    cost_of_holding(side) * UNCERTAINTY < most_bytes
}

/// Passes rows on, and says how many are expected.
#[derive(Debug)]
pub(crate) struct EstimatedExec {
    input: Arc<dyn ExecutionPlan>,
}

impl EstimatedExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input }
    }

    pub(super) fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }
}

impl DisplayAs for EstimatedExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("EstimatedExec")
    }
}

impl ExecutionPlan for EstimatedExec {
    fn name(&self) -> &str {
        "EstimatedExec"
    }

    /// An empty set: the driver tells the sets of a task's nodes by their order, and counts this node's.
    fn metrics(&self) -> Option<MetricsSet> {
        Some(MetricsSet::new())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    /// Above nothing there is nothing to estimate, and a planner that looks for empty inputs finds them.
    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) if input.is::<EmptyExec>() => Ok(input),
            (Some(input), true) => Ok(Arc::new(Self { input })),
            _ => internal_err!("EstimatedExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if args.partition().is_none() {
            let expected = estimate(&self.input)?;
            // What is expected to be nothing counts as unknown.
            statistics.num_rows = Precision::Inexact(expected.rows.max(1.0) as usize);
            let bytes = cost_of_holding(&expected) * UNCERTAINTY;
            statistics.total_byte_size = Precision::Inexact(bytes.max(1.0) as usize);
        }
        Ok(Arc::new(statistics))
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        Ok(Some(Arc::new(Self::new(make_with_child(projection, &self.input)?))))
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }
}
