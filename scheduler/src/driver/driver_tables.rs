//! Tables that only the driver can read, such as `information_schema`: their rows are collected before the plan goes to
//! the executors. A plan that reads no other table runs on the driver as a whole.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::{MemTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use datafusion::prelude::SessionContext;
use sluice::Result;

/// Whether the plan reads files, or rows that a client registered.
pub(crate) fn reads_tables(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found |= travels(scan)?;
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Whether the driver has to run the plan by itself, because Ballista 55 loses a part of it between processes: the FILTER
/// or DISTINCT of a window function, the work table of a recursive query, or an input of a UNION that reads no table.
pub(crate) fn runs_only_here(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= match node {
            LogicalPlan::RecursiveQuery(_) => true,
            LogicalPlan::Window(window) => {
                window.window_expr.iter().any(|expr| expr.exists(|expr| Ok(loses_part(expr))).unwrap_or(true))
            }
            LogicalPlan::Union(union) => {
                let mut without_tables = false;
                for input in &union.inputs {
                    without_tables |= !reads_tables(input).unwrap_or(false);
                }
                without_tables
            }
            _ => false,
        };
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn loses_part(expr: &Expr) -> bool {
    matches!(expr, Expr::WindowFunction(window) if window.params.filter.is_some() || window.params.distinct)
}

/// The plan with the rows of every table that only the driver can read.
pub(crate) async fn collect(context: &SessionContext, plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut scans: Vec<TableScan> = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && !travels(scan)?
        {
            scans.push(scan.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if scans.is_empty() || !reads_tables(&plan)? {
        return Ok(plan);
    }
    let mut collected = Vec::with_capacity(scans.len());
    for scan in scans {
        let provider = source_as_provider(&scan.source)?;
        let batches = context.read_table(Arc::clone(&provider))?.collect().await?;
        let memory = MemTable::try_new(provider.schema(), vec![batches])?;
        collected.push((scan.table_name.clone(), provider_as_source(Arc::new(memory))));
    }
    let replaced = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(scan) if !travels(&scan)? => {
            let memory = collected.iter().find(|(name, _)| *name == scan.table_name).map(|(_, source)| source);
            let source = memory.map_or_else(|| Arc::clone(&scan.source), Arc::clone);
            Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { source, ..scan })))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(replaced.data)
}

/// Whether executors can read the table by themselves from what the plan says.
fn travels(scan: &TableScan) -> datafusion::error::Result<bool> {
    let provider = source_as_provider(&scan.source)?;
    Ok(provider.is::<ListingTable>() || provider.is::<MemTable>())
}
