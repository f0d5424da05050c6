//! A node above every join that is not inner, which passes rows through and keeps projections out of the join.
//!
//! When one side of a join turns out empty, Ballista's adaptive planner replaces the join by its other side, unless a
//! projection has been pushed into the join. Then it keeps the join over an empty input, finds that this input is not
//! partitioned, adds a stage that partitions it, which is empty too, and so on for ever. DataFusion pushes a projection
//! into a join only where it stands right above it; with this node between them it stays where it is. Adaptive planning
//! itself puts one there when it swaps the sides of a join, so the node then moves down between the two.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, displayable};

/// Passes the rows of a join through.
#[derive(Debug)]
pub(crate) struct JoinBoundaryExec {
    join: Arc<dyn ExecutionPlan>,
}

impl JoinBoundaryExec {
    pub(crate) fn new(join: Arc<dyn ExecutionPlan>) -> Self {
        Self { join }
    }
}

impl DisplayAs for JoinBoundaryExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JoinBoundaryExec")
    }
}

impl ExecutionPlan for JoinBoundaryExec {
    fn name(&self) -> &str {
        "JoinBoundaryExec"
    }

    /// An empty set: the driver tells the sets of a task's nodes by their order, and counts this node's.
    fn metrics(&self) -> Option<MetricsSet> {
        Some(MetricsSet::new())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.join]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(join), true) => match join.downcast_ref::<ProjectionExec>() {
                Some(projection) if is_join(projection.input()) => {
                    let bounded = Arc::new(Self { join: Arc::clone(projection.input()) });
                    Ok(Arc::new(ProjectionExec::try_new(projection.expr().to_vec(), bounded)?))
                }
                _ => Ok(Arc::new(Self { join })),
            },
            _ => datafusion::common::internal_err!("JoinBoundaryExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.join.execute(partition, context)
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
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

/// Plans as another planner does, and puts the boundaries in.
#[derive(Debug)]
pub(crate) struct BoundaryPlanner {
    planner: Arc<dyn QueryPlanner + Send + Sync>,
}

impl BoundaryPlanner {
    pub(crate) fn new(planner: Arc<dyn QueryPlanner + Send + Sync>) -> Self {
        Self { planner }
    }
}

#[async_trait]
impl QueryPlanner for BoundaryPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.planner.create_physical_plan(plan, session).await?;
        let bounded = plan.transform_up(|node| match is_outer_join(&node) {
            true => Ok(Transformed::yes(Arc::new(JoinBoundaryExec::new(node)) as Arc<dyn ExecutionPlan>)),
            false => Ok(Transformed::no(node)),
        })?;
        Ok(bounded.data)
    }
}

/// Whether the node is a join that is not inner. Adaptive planning's own join node is private to Ballista and is told by
/// its name and what it displays.
fn is_outer_join(node: &Arc<dyn ExecutionPlan>) -> bool {
    is_join(node) && !displayable(node.as_ref()).one_line().to_string().contains("join_type=Inner")
}

fn is_join(node: &Arc<dyn ExecutionPlan>) -> bool {
    matches!(node.name(), "DynamicJoinSelectionExec" | "HashJoinExec" | "SortMergeJoinExec")
}
