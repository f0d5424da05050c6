//! Scalar subqueries with nested values, which do not print their value.
//!
//! When a projection starts it prints its expressions, for the labels of its metrics, and DataFusion's expression of a
//! scalar subquery prints the value that the subquery gave. A fitted state with a million categories takes longer to
//! print than to apply, and nobody wants to see it in `EXPLAIN ANALYZE`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::sort_properties::ExprProperties;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

/// Wraps the scalar subqueries of projections.
#[derive(Debug)]
pub(crate) struct QuietSubqueries;

impl PhysicalOptimizerRule for QuietSubqueries {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(projection) = plan.downcast_ref::<ProjectionExec>() else { return Ok(Transformed::no(plan)) };
            let input = projection.input();
            let mut changed = false;
            let mut expressions = Vec::with_capacity(projection.expr().len());
            for ProjectionExpr { expr, alias } in projection.expr() {
                let quiet = Arc::clone(expr).transform_up(|expr| wrap(expr, &input.schema()))?;
                changed |= quiet.transformed;
                expressions.push(ProjectionExpr { expr: quiet.data, alias: alias.clone() });
            }
            match changed {
                true => Ok(Transformed::yes(Arc::new(ProjectionExec::try_new(expressions, Arc::clone(input))?))),
                false => Ok(Transformed::no(plan)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "quiet_subqueries"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn wrap(expr: Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    let nested = expr.is::<ScalarSubqueryExpr>() && expr.return_field(schema)?.data_type().is_nested();
    Ok(if nested { Transformed::yes(Arc::new(QuietSubquery { inner: expr })) } else { Transformed::no(expr) })
}

/// A scalar subquery that prints as one whatever its value.
#[derive(Debug)]
struct QuietSubquery {
    inner: Arc<dyn PhysicalExpr>,
}

impl fmt::Display for QuietSubquery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scalar_subquery(…)")
    }
}

impl PartialEq for QuietSubquery {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for QuietSubquery {}

impl Hash for QuietSubquery {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for QuietSubquery {
    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        self.inner.return_field(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn get_properties(&self, _children: &[ExprProperties]) -> Result<ExprProperties> {
        self.inner.get_properties(&[])
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
