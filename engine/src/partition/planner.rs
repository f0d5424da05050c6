//! From the logical to the physical placing of rows.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use sluice_partition::PartitionerRegistry;

use super::logical::PartitionByNode;
use super::partition_exec::{PartitionByExec, SortKey};
use super::route_exec::{RouteExec, Router, Routing};
use super::scheme::Scheme;

/// Plans [`PartitionByNode`].
#[derive(Debug)]
pub(crate) struct PartitionExtensionPlanner {
    partitioners: Arc<PartitionerRegistry>,
}

impl PartitionExtensionPlanner {
    pub(crate) fn new(partitioners: Arc<PartitionerRegistry>) -> Self {
        Self { partitioners }
    }
}

/// The input's columns, and after them those that are computed.
struct Columns {
    exprs: Vec<(Arc<dyn PhysicalExpr>, String)>,
    of_input: usize,
}

impl Columns {
    fn of(input: &Arc<dyn ExecutionPlan>) -> Self {
        let schema = input.schema();
        let column = |(index, name): (usize, &str)| (Arc::new(Column::new(name, index)) as _, name.to_string());
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let exprs: Vec<_> = names.enumerate().map(column).collect();
        let of_input = exprs.len();
        Self { exprs, of_input }
    }

    /// The place of an expression's value.
    fn place(&mut self, expr: Arc<dyn PhysicalExpr>) -> usize {
        if let Some(column) = expr.downcast_ref::<Column>() {
            return column.index();
        }
        if let Some(at) = self.exprs[self.of_input..].iter().position(|(known, _)| known == &expr) {
            return self.of_input + at;
        }
        self.exprs.push((expr, format!("__key_{}", self.exprs.len())));
        self.exprs.len() - 1
    }

    fn over(self, input: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        match self.exprs.len() == self.of_input {
            true => Ok(input),
            false => Ok(Arc::new(ProjectionExec::try_new(self.exprs, input)?)),
        }
    }
}

#[async_trait]
impl ExtensionPlanner for PartitionExtensionPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(node), [input]) = (node.as_any().downcast_ref::<PartitionByNode>(), physical_inputs) else {
            return Ok(None);
        };
        let physical = |expr: &Expr| planner.create_physical_expr(expr, node.input().schema(), session, context);
        let mut columns = Columns::of(input);
        let of_input = columns.of_input;
        let mut order: Vec<SortKey> = Vec::new();
        for sort in node.sort() {
            order.push((columns.place(physical(&sort.expr)?), SortOptions::new(!sort.asc, sort.nulls_first)));
        }
        let target = session.config_options().execution.target_partitions;
        let own = match node.scheme() {
            Scheme::Bucket(buckets) => target.min(*buckets),
            _ => target,
        };
        let asked = node.partitions().unwrap_or(own);
        let stays = *node.scheme() == Scheme::Stay || (*node.scheme() == Scheme::Coalesce && asked >= target);
        if stays {
            let input = columns.over(Arc::clone(input))?;
            return Ok(Some(Arc::new(PartitionByExec::try_new(input, of_input, order, false)?)));
        }
        let kept = columns.exprs.len();
        let mut keys = Vec::new();
        let mut types: Vec<DataType> = Vec::new();
        for key in node.keys() {
            let key = physical(key)?;
            types.push(key.data_type(&input.schema())?);
            keys.push(columns.place(key));
        }
        let partitioner = node.scheme().bind(&self.partitioners, asked, &types)?;
        let router = partitioner.map(|partitioner| Router::try_new(partitioner, target)).transpose()?;
        let routing = router.map_or(Routing::Shown, |router| Routing::Ready(Arc::new(router)));
        let routed = RouteExec::try_new(columns.over(Arc::clone(input))?, keys, kept, routing)?;
        Ok(Some(Arc::new(PartitionByExec::try_new(Arc::new(routed), of_input, order, true)?)))
    }
}
