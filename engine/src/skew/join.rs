//! Joins whose keys are skewed.
//!
//! A join is split on the side whose frequent keys it may split: each of its output rows must come of one row of that side
//! and all its matches. A frequent key on the other side of a semi or anti join needs one row only. A frequent key on the
//! side of an outer join that must not be split is joined as if the other side's unmatched rows did not count, and these
//! are found by a second join, against the distinct keys.

use std::sync::Arc;

use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, ident, lit};
use datafusion::scalar::ScalarValue;
use sluice_partition::salts::{Salt, SaltTable, Side};

use super::entropy;
use super::judge::Plan;

/// The name of the column with the salts of a side.
const SALT: &str = "__skew_salt";

/// Which side of a join is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Left,
    Right,
}

/// Whether the side may be split as it is.
pub(super) fn may_split(join_type: JoinType, side: Which) -> bool {
    use JoinType::{Inner, Left, LeftAnti, LeftSemi, Right, RightAnti, RightSemi};
    match side {
        Which::Left => matches!(join_type, Inner | Left | LeftSemi | LeftAnti),
        Which::Right => matches!(join_type, Inner | Right | RightSemi | RightAnti),
    }
}

/// What the names of the columns begin with that the join of this number hashes besides its keys.
pub(super) fn mark(number: usize) -> String {
    format!("{SALT}_{number}_")
}

/// The join with one side split by the plan's salts.
pub(super) fn split(join: &Join, side: Which, plan: &Plan, number: usize) -> Result<LogicalPlan> {
    let (left_keys, right_keys): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
    let (split, split_keys, other, other_keys) = match side {
        Which::Left => (&join.left, left_keys, &join.right, right_keys),
        Which::Right => (&join.right, right_keys, &join.left, left_keys),
    };
    let mut on: Vec<(Expr, Expr)> = other_keys.iter().cloned().zip(split_keys.iter().cloned()).collect();
    let (split_salt, other_salt) = (format!("{}split", mark(number)), format!("{}repeated", mark(number)));
    let split = salted(split, split_keys, &plan.table, Side::Split, &split_salt)?;
    let other = salted(other, other_keys, &plan.table, Side::Repeated, &other_salt)?;
    on.push((ident(other_salt), ident(split_salt)));
    // The repeated side stands on the left: it is the one that is built.
    let join_type = match side {
        Which::Left => join.join_type.swap(),
        Which::Right => join.join_type,
    };
    let salted = Join::try_new(
        Arc::new(other),
        Arc::new(split),
        on,
        join.filter.clone(),
        join_type,
        datafusion::logical_expr::JoinConstraint::On,
        join.null_equality,
        join.null_aware,
    )?;
    let columns = join.schema.columns().into_iter().map(Expr::Column);
    LogicalPlanBuilder::from(LogicalPlan::Join(salted)).project(columns)?.build()
}

/// A side of a join with its salts, a row for each.
fn salted(side: &LogicalPlan, keys: Vec<Expr>, table: &Arc<SaltTable>, role: Side, name: &str) -> Result<LogicalPlan> {
    let columns: Vec<Column> = side.schema().columns();
    let salt = Salt::new(Arc::clone(table), role);
    let lists = salt.gives_lists();
    // Only a row that can have one of several salts has to be told from others of its key.
    let (side, others) = match role == Side::Split || table.is_grid() || table.scatters_nulls() {
        true => entropy::distinguishing(side, &keys)?,
        false => (side.clone(), Vec::new()),
    };
    let arguments = keys.into_iter().chain(others.into_iter().map(Expr::Column)).collect();
    let salt = salt.into_udf().call(arguments).alias(name);
    let exprs = columns.into_iter().map(Expr::Column).chain([salt]);
    let plan = LogicalPlanBuilder::from(side).project(exprs)?;
    match lists {
        true => plan.unnest_column(Column::from_name(name))?.build(),
        false => plan.build(),
    }
}

/// A semi or anti join whose inner side gives each key once.
pub(super) fn with_distinct_keys(join: &Join, inner: Which) -> Result<Join> {
    let distinct = |plan: &Arc<LogicalPlan>, keys: Vec<Expr>, name: &str| -> Result<(Arc<LogicalPlan>, Vec<Expr>)> {
        let named: Vec<String> = (0..keys.len()).map(|index| format!("{SALT}_{name}_{index}")).collect();
        let projected = keys.into_iter().zip(&named).map(|(key, name)| key.alias(name));
        let plan = LogicalPlanBuilder::from(Arc::clone(plan)).project(projected)?.distinct()?.build()?;
        Ok((Arc::new(plan), named.into_iter().map(ident).collect()))
    };
    let (left_keys, right_keys): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
    let (left, left_keys, right, right_keys) = match inner {
        Which::Right => {
            let (right, right_keys) = distinct(&join.right, right_keys, "right")?;
            (Arc::clone(&join.left), left_keys, right, right_keys)
        }
        Which::Left => {
            let (left, left_keys) = distinct(&join.left, left_keys, "left")?;
            (left, left_keys, Arc::clone(&join.right), right_keys)
        }
    };
    Join::try_new(
        left,
        right,
        left_keys.into_iter().zip(right_keys).collect(),
        None,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )
}

/// The join as one of another type.
pub(super) fn retyped(join: &Join, join_type: JoinType) -> Result<Join> {
    Join::try_new(
        Arc::clone(&join.left),
        Arc::clone(&join.right),
        join.on.clone(),
        join.filter.clone(),
        join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )
}

/// The rows of `matched`, which is the join as one that leaves out unmatched rows of `kept`, with those rows: `unmatched`,
/// which has the columns of `kept` only.
pub(super) fn with_unmatched(
    join: &Join,
    kept: Which,
    matched: LogicalPlan,
    unmatched: LogicalPlan,
) -> Result<LogicalPlan> {
    let null = |field: &datafusion::arrow::datatypes::Field| -> Result<Expr> {
        Ok(lit(ScalarValue::try_from(field.data_type())?))
    };
    let left = join.left.schema().fields().len();
    let mut padded = Vec::with_capacity(join.schema.fields().len());
    for (index, (qualifier, field)) in join.schema.iter().enumerate() {
        let column = Column::new(qualifier.cloned(), field.name());
        let is_kept = (index < left) == (kept == Which::Left);
        padded.push(match is_kept {
            true => Expr::Column(column),
            false => null(field)?.alias_qualified(qualifier.cloned(), field.name()),
        });
    }
    let unmatched = LogicalPlanBuilder::from(unmatched).project(padded)?.build()?;
    let union = LogicalPlanBuilder::from(matched).union(unmatched)?.build()?;
    // A union forgets whose its columns were.
    let named: Vec<Expr> = union
        .schema()
        .columns()
        .into_iter()
        .zip(join.schema.iter())
        .map(|(column, (qualifier, field))| Expr::Column(column).alias_qualified(qualifier.cloned(), field.name()))
        .collect();
    LogicalPlanBuilder::from(union).project(named)?.build()
}
