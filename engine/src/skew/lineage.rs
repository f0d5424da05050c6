//! Where a node's columns come from: the scan, with what filters and computes right above it, that decides how often
//! their values occur.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

/// A query for the values of `keys`, which are expressions over `plan`, in the rows of the one scan that they come from.
///
/// Joins on the way are left out: they are taken to keep how often values occur in proportion. `None` where the keys come
/// from more than one scan, or through a node that changes how often they occur.
pub(super) fn source_of(plan: &LogicalPlan, keys: &[Expr]) -> Result<Option<LogicalPlan>> {
    if is_chain(plan)? {
        let named = keys.iter().enumerate().map(|(index, key)| key.clone().alias(format!("key{index}")));
        return Ok(Some(LogicalPlanBuilder::from(plan.clone()).project(named)?.build()?));
    }
    match plan {
        LogicalPlan::Filter(filter) => source_of(&filter.input, keys),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => source_of(&sort.input, keys),
        LogicalPlan::Projection(projection) => {
            let below: HashMap<Column, Expr> = plan
                .schema()
                .columns()
                .into_iter()
                .zip(projection.expr.iter().map(|expr| expr.clone().unalias()))
                .collect();
            let keys = keys.iter().map(|key| replace(key, &below)).collect::<Result<Vec<_>>>()?;
            source_of(&projection.input, &keys)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let inner = alias.input.schema().columns().into_iter().map(Expr::Column);
            let below: HashMap<Column, Expr> = plan.schema().columns().into_iter().zip(inner).collect();
            let keys = keys.iter().map(|key| replace(key, &below)).collect::<Result<Vec<_>>>()?;
            source_of(&alias.input, &keys)
        }
        LogicalPlan::Join(join) => {
            let has = |side: &LogicalPlan| {
                keys.iter().flat_map(Expr::column_refs).all(|column| side.schema().has_column(column))
            };
            match (has(&join.left), has(&join.right)) {
                (true, _) => source_of(&join.left, keys),
                (false, true) => source_of(&join.right, keys),
                (false, false) => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// Whether a plan only reads, filters and computes, so that reading it twice costs no more than two reads and gives the
/// same rows.
pub(super) fn is_chain(plan: &LogicalPlan) -> Result<bool> {
    let mut simple = true;
    plan.apply(|node| {
        let known = matches!(
            node,
            LogicalPlan::TableScan(_)
                | LogicalPlan::Projection(_)
                | LogicalPlan::Filter(_)
                | LogicalPlan::SubqueryAlias(_)
        );
        let limited = matches!(node, LogicalPlan::TableScan(scan) if scan.fetch.is_some());
        let volatile = node.expressions().iter().any(Expr::is_volatile);
        if !known || limited || volatile || holds_subquery(node)? {
            simple = false;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(simple)
}

fn holds_subquery(node: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        expr.apply(|expr| {
            found |= matches!(expr, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_));
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

fn replace(expr: &Expr, below: &HashMap<Column, Expr>) -> Result<Expr> {
    let replaced = expr.clone().transform_up(|expr| {
        Ok(match expr {
            Expr::Column(column) => match below.get(&column) {
                Some(inner) => Transformed::yes(inner.clone()),
                None => Transformed::no(Expr::Column(column)),
            },
            other => Transformed::no(other),
        })
    })?;
    Ok(replaced.data)
}
