//! What a `DISTRIBUTE BY` says, on its way through DataFusion's planner, which knows expressions only: the first of them is
//! a text that tells what the others are.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Projection, SortExpr};
use datafusion::physical_expr::create_physical_expr;
use serde::{Deserialize, Serialize};
use sluice_partition::kinds::ListPartitioner;

use super::logical::PartitionByNode;
use super::scheme::Scheme;
use crate::error::{Error, ErrorCode};

/// What a marker's text begins with.
pub(crate) const MARK: &str = "sluice:";

/// The text of the first expression. The others are the keys, the values of the lists, and what the rows are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) scheme: Scheme,
    pub(crate) partitions: Option<usize>,
    pub(crate) keys: usize,
    /// How many values each partition of a list has; empty for other schemes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lists: Vec<usize>,
    /// The partition of values that no list has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sort: Vec<MarkedSort>,
}

/// The direction of one sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MarkedSort {
    pub(crate) asc: bool,
    pub(crate) nulls_first: bool,
}

impl Marker {
    /// The text.
    pub(crate) fn text(&self) -> Result<String> {
        let json = serde_json::to_string(self).map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(format!("{MARK}{json}"))
    }

    fn parse(expr: &Expr) -> Option<Self> {
        match expr {
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) => serde_json::from_str(text.strip_prefix(MARK)?).ok(),
            _ => None,
        }
    }
}

/// The node of a `DISTRIBUTE BY`; one that comes without a marker is by hash.
pub(super) fn node(input: LogicalPlan, mut exprs: Vec<Expr>) -> Result<LogicalPlan> {
    let marker = match exprs.first().and_then(Marker::parse) {
        Some(marker) => {
            exprs.remove(0);
            marker
        }
        None => Marker {
            scheme: Scheme::Hash,
            partitions: None,
            keys: exprs.len(),
            lists: Vec::new(),
            default: None,
            sort: Vec::new(),
        },
    };
    let mut exprs = exprs.into_iter();
    let keys: Vec<Expr> = exprs.by_ref().take(marker.keys).collect();
    let values: Vec<Expr> = exprs.by_ref().take(marker.lists.iter().sum()).collect();
    let sort: Vec<SortExpr> =
        exprs.zip(&marker.sort).map(|(expr, sort)| SortExpr::new(expr, sort.asc, sort.nulls_first)).collect();
    let (widened, output) = widen(input, keys.iter().chain(sort.iter().map(|sort| &sort.expr)))?;
    let (scheme, partitions) = match marker.lists.is_empty() {
        true => (marker.scheme, marker.partitions),
        false => list(&marker, &keys, values, widened.schema())?,
    };
    let node = PartitionByNode::plan(widened, scheme, partitions, keys, sort)?;
    match output {
        Some(columns) => Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(node))?)),
        None => Ok(node),
    }
}

/// A SELECT may be distributed by columns that it does not give: then they are added to it, and the columns that it gives are
/// what is to be left in the end.
fn widen<'a>(input: LogicalPlan, exprs: impl Iterator<Item = &'a Expr>) -> Result<(LogicalPlan, Option<Vec<Expr>>)> {
    let mut missing = Vec::new();
    for column in exprs.flat_map(Expr::column_refs) {
        if !input.schema().has_column(column) && !missing.contains(column) {
            missing.push(column.clone());
        }
    }
    match input {
        LogicalPlan::Projection(projection) if !missing.is_empty() => {
            let output = projection.schema.columns().into_iter().map(Expr::Column).collect();
            let mut exprs = projection.expr;
            exprs.extend(missing.into_iter().map(Expr::Column));
            Ok((LogicalPlan::Projection(Projection::try_new(exprs, projection.input)?), Some(output)))
        }
        other => Ok((other, None)),
    }
}

/// The partitioner of a list: list `i` has the values of partition `i`.
fn list(marker: &Marker, keys: &[Expr], values: Vec<Expr>, schema: &DFSchema) -> Result<(Scheme, Option<usize>)> {
    let invalid = |message: String| DataFusionError::External(Box::new(Error::new(ErrorCode::InvalidPlan, message)));
    let [key] = keys else { return Err(invalid("\"list\" takes one key".to_string())) };
    let data_type = key.get_type(schema)?;
    let mut targets = Vec::with_capacity(values.len());
    for (partition, length) in marker.lists.iter().enumerate() {
        targets.extend(std::iter::repeat_n(partition as u32, *length));
    }
    let constant = |expr: &Expr| {
        let value = evaluate(expr).map_err(|_| invalid(format!("the list's value {expr} is not a constant")))?;
        value
            .cast_to(&data_type)
            .map_err(|_| invalid(format!("the list's value \"{value}\" is not of the key's type {data_type}")))
    };
    let values: Vec<ScalarValue> = values.iter().map(constant).collect::<Result<_>>()?;
    let default = marker.default.unwrap_or(0);
    let partitions = marker.partitions.unwrap_or_else(|| marker.lists.len().max(default + 1));
    let column = match values.is_empty() {
        true => datafusion::arrow::array::new_empty_array(&data_type),
        false => ScalarValue::iter_to_array(values)?,
    };
    let made = ListPartitioner::try_new(vec![column], targets, default as u32, partitions)?;
    Ok((Scheme::made(&made)?, Some(partitions)))
}

fn evaluate(expr: &Expr) -> Result<ScalarValue> {
    let props = ExecutionProps::new();
    let physical = create_physical_expr(expr, &DFSchema::empty(), &props, &PhysicalPlanningContext::default())?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?;
    ScalarValue::try_from_array(&physical.evaluate(&row)?.into_array(1)?, 0)
}
