//! From the logical to the physical write.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::{WriteExec, WriteNode};

/// Plans [`WriteNode`].
#[derive(Debug)]
pub struct WriteExtensionPlanner;

#[async_trait]
impl ExtensionPlanner for WriteExtensionPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        match (node.as_any().downcast_ref::<WriteNode>(), physical_inputs) {
            (Some(write), [input]) => {
                let exec = WriteExec::try_new(Arc::clone(input), Arc::clone(write.spec()))?;
                Ok(Some(Arc::new(exec.with_order_of_input())))
            }
            _ => Ok(None),
        }
    }
}
