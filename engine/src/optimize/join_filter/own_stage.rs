//! Where a stage has to end although nobody has decided yet how its rows are joined.
//!
//! Ballista's adaptive planner makes the exchanges of a join's inputs when it decides how to join, and it decides when all
//! exchanges below both inputs have been run. Where one input gathers keys for a filter in an exchange below the other, each
//! would wait for the other. So the input that gathers asks for its exchange itself, with a node that is gone once it is
//! there.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, PhysicalExpr};
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
};

use super::filter::JoinFilterExec;

/// Ballista's exchange, which is private to it.
const EXCHANGE: &str = "ExchangeExec";

/// Wants its input exchanged by key.
#[derive(Debug)]
pub(crate) struct OwnStageExec {
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
}

impl OwnStageExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, keys: Vec<Arc<dyn PhysicalExpr>>) -> Self {
        Self { input, keys }
    }
}

/// Whether a join of these inputs is decided only after exchanges below the side that is filtered have been run.
pub(super) fn is_decided_late(gathering: &Arc<dyn ExecutionPlan>, filtered: &Arc<dyn ExecutionPlan>) -> bool {
    has(filtered, is_join) || (has(gathering, is_join) && has(filtered, |node| !reads_on(node)))
}

fn is_join(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<HashJoinExec>()
        || node.is::<SortMergeJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<CrossJoinExec>()
}

/// Nodes that stay in the stage of their input.
fn reads_on(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<DataSourceExec>() || node.is::<FilterExec>() || node.is::<ProjectionExec>() || node.is::<JoinFilterExec>()
}

fn has(plan: &Arc<dyn ExecutionPlan>, wanted: impl Fn(&Arc<dyn ExecutionPlan>) -> bool) -> bool {
    plan.exists(|node| Ok(wanted(node))).unwrap_or(false)
}

impl DisplayAs for OwnStageExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("OwnStageExec")
    }
}

impl ExecutionPlan for OwnStageExec {
    fn name(&self) -> &str {
        "OwnStageExec"
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

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::KeyPartitioned(self.keys.clone())])
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut recursion = TreeNodeRecursion::Continue;
        for key in &self.keys {
            recursion = recursion.visit_sibling(|| f(key))?;
        }
        Ok(recursion)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) if input.name() == EXCHANGE => Ok(input),
            (Some(input), true) => Ok(Arc::new(Self { input, keys: self.keys.clone() })),
            _ => internal_err!("OwnStageExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
