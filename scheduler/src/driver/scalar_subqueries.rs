//! Scalar subqueries that do not look outside are run first, each as a plan of its own, and stand in the plan as
//! constants.
//!
//! Ballista would make each a cross join, which repeats the value on every row (a fitted state may be megabytes) and gives
//! more rows where the subquery does, instead of an error.

use std::collections::HashMap;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use sluice::Result;
use sluice::session::Runner;

/// The plan with the values of its scalar subqueries, which `runner` runs.
pub(crate) async fn inline(runner: &dyn Runner, context: &SessionContext, plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut subqueries: Vec<Subquery> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some(subquery) = standalone(expr)
                    && !subqueries.contains(subquery)
                {
                    subqueries.push(subquery.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    if subqueries.is_empty() {
        return Ok(plan);
    }
    let mut values: HashMap<Subquery, ScalarValue> = HashMap::with_capacity(subqueries.len());
    for subquery in subqueries {
        // One that stands inside another goes with it.
        let value = value_of(runner, context, &subquery).await?;
        values.insert(subquery, value);
    }
    let replaced = plan.transform_down_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_down(|expr| {
                let value = standalone(&expr).and_then(|subquery| values.get(subquery));
                match value {
                    Some(value) => Ok(Transformed::yes(Expr::Literal(value.clone(), None))),
                    None => Ok(Transformed::no(expr)),
                }
            })?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        match node.transformed {
            true => node.map_data(LogicalPlan::recompute_schema),
            false => Ok(node),
        }
    })?;
    Ok(replaced.data)
}

/// The scalar subquery that an expression is, if it can run by itself.
fn standalone(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) if subquery.outer_ref_columns.is_empty() => Some(subquery),
        _ => None,
    }
}

async fn value_of(runner: &dyn Runner, context: &SessionContext, subquery: &Subquery) -> Result<ScalarValue> {
    let plan = subquery.subquery.as_ref().clone();
    let data_type = plan.schema().fields().first().map_or(DataType::Null, |field| field.data_type().clone());
    let mut rows = runner.run(context, plan).await?;
    let mut value = None;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        if batch.num_rows() > 1 || value.is_some() {
            let error = DataFusionError::Execution("scalar subquery returned more than one row".to_string());
            return Err(error.into());
        }
        value = Some(ScalarValue::try_from_array(batch.column(0), 0)?);
    }
    match value {
        Some(value) => Ok(value),
        None => Ok(ScalarValue::try_new_null(&data_type)?),
    }
}
