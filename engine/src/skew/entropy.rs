//! Columns that tell rows of one key apart, so that they can be dealt out by their values.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SubqueryAlias, TableScan, TableScanBuilder};

use super::lineage;

/// Columns that are looked at, at most.
const COLUMNS: usize = 6;

/// The plan, and those of its columns whose values tell rows of one key apart. Where it has none but its key, columns
/// that its scan could read are read too.
pub(super) fn distinguishing(plan: &LogicalPlan, keys: &[Expr]) -> Result<(LogicalPlan, Vec<Column>)> {
    let key_columns: Vec<Column> = keys.iter().flat_map(Expr::column_refs).cloned().collect();
    let mut columns: Vec<(u8, Column)> = plan
        .schema()
        .iter()
        .map(|(qualifier, field)| (worth(field.data_type()), Column::new(qualifier.cloned(), field.name())))
        .filter(|(worth, column)| *worth > 0 && !key_columns.contains(column))
        .collect();
    // A stable sort: the same columns wherever the plan is made.
    columns.sort_by_key(|(worth, _)| std::cmp::Reverse(*worth));
    columns.truncate(COLUMNS);
    if columns.iter().any(|(worth, _)| *worth >= TELLING) || !lineage::is_chain(plan)? {
        return Ok((plan.clone(), columns.into_iter().map(|(_, column)| column).collect()));
    }
    let (plan, more) = widened(plan)?;
    Ok((plan, columns.into_iter().map(|(_, column)| column).chain(more).collect()))
}

/// From here on a column's values are taken to differ from row to row.
const TELLING: u8 = 3;

/// How well a column of this type may tell rows apart, and how cheaply.
fn worth(kind: &DataType) -> u8 {
    use DataType::{
        Binary, Date32, Date64, Decimal128, Duration, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary,
        LargeUtf8, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    match kind {
        Int64 | UInt64 | Float64 | Timestamp(_, _) | Decimal128(_, _) | Duration(_) => 5,
        Int32 | UInt32 | Float32 | Date64 | Time64(_) => 4,
        Utf8 | Utf8View | LargeUtf8 | Binary | LargeBinary => 3,
        Date32 | Int16 | UInt16 => 2,
        Int8 | UInt8 | DataType::Boolean | DataType::Dictionary(_, _) => 1,
        _ => 0,
    }
}

/// The chain with some columns more of its scan, and these as the chain gives them.
fn widened(plan: &LogicalPlan) -> Result<(LogicalPlan, Vec<Column>)> {
    match plan {
        LogicalPlan::TableScan(scan) => widen_scan(scan),
        LogicalPlan::Filter(filter) => {
            let (input, columns) = widened(&filter.input)?;
            Ok((plan.with_new_exprs(vec![filter.predicate.clone()], vec![input])?, columns))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let (input, columns) = widened(&alias.input)?;
            let qualified = columns.iter().map(|column| Column::new(Some(alias.alias.clone()), &column.name)).collect();
            let aliased = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
            Ok((LogicalPlan::SubqueryAlias(aliased), qualified))
        }
        LogicalPlan::Projection(projection) => {
            let (input, columns) = widened(&projection.input)?;
            let taken: Vec<Column> = plan.schema().columns();
            let (mut exprs, mut given) = (projection.expr.clone(), Vec::new());
            for column in columns {
                // What the projection has already, or what would clash, stays below.
                if !taken.iter().any(|known| known.name == column.name) {
                    exprs.push(Expr::Column(column.clone()));
                    given.push(column);
                }
            }
            Ok((LogicalPlanBuilder::from(input).project(exprs)?.build()?, given))
        }
        other => Ok((other.clone(), Vec::new())),
    }
}

fn widen_scan(scan: &TableScan) -> Result<(LogicalPlan, Vec<Column>)> {
    let schema = scan.source.schema();
    let Some(projection) = &scan.projection else { return Ok((LogicalPlan::TableScan(scan.clone()), Vec::new())) };
    let mut unread: Vec<(u8, usize)> = schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(index, _)| !projection.contains(index))
        .map(|(index, field)| (worth(field.data_type()), index))
        .filter(|(worth, _)| *worth > 0)
        .collect();
    unread.sort_by_key(|(worth, _)| std::cmp::Reverse(*worth));
    // Two of them: one may be the same in all rows of a key.
    unread.truncate(2);
    let mut indexes = projection.clone();
    indexes.extend(unread.iter().map(|(_, index)| index));
    let columns =
        unread.iter().map(|(_, index)| Column::new(Some(scan.table_name.clone()), schema.field(*index).name()));
    let columns = columns.collect();
    let widened = TableScanBuilder::new(scan.table_name.clone(), Arc::clone(&scan.source))
        .with_projection(Some(indexes))
        .with_filters(scan.filters.clone())
        .with_fetch(scan.fetch)
        .build()?;
    Ok((LogicalPlan::TableScan(widened), columns))
}
