//! Which share of the rows a condition leaves.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};

use super::estimate::{Estimate, as_number, plain_column};

/// `column = value` where nothing is known of the column's values.
const EQUAL: f64 = 0.02;
/// `column < value` where the column's ends are not known.
const BELOW: f64 = 0.3;
/// `column LIKE pattern`.
const LIKE: f64 = 0.1;
const IS_NULL: f64 = 0.05;
/// Anything else.
const UNKNOWN: f64 = 0.3;
/// No condition is taken to leave less.
const LEAST: f64 = 1e-6;

/// The share of the input's rows for which the condition is true.
pub(super) fn selectivity(condition: &Arc<dyn PhysicalExpr>, input: &Estimate) -> f64 {
    share(condition, input).clamp(LEAST, 1.0)
}

fn share(condition: &Arc<dyn PhysicalExpr>, input: &Estimate) -> f64 {
    if let Some(binary) = condition.downcast_ref::<BinaryExpr>() {
        return of_binary(condition, binary, input);
    }
    if let Some(not) = condition.downcast_ref::<NotExpr>() {
        return 1.0 - share(not.arg(), input);
    }
    if let Some(list) = condition.downcast_ref::<InListExpr>() {
        let inside = (equal(list.expr(), input) * list.list().len() as f64).min(1.0);
        return if list.negated() { 1.0 - inside } else { inside };
    }
    if let Some(like) = condition.downcast_ref::<LikeExpr>() {
        return if like.negated() { 1.0 - LIKE } else { LIKE };
    }
    if condition.is::<IsNullExpr>() {
        return IS_NULL;
    }
    if condition.is::<IsNotNullExpr>() {
        return 1.0 - IS_NULL;
    }
    match condition.downcast_ref::<Literal>().map(Literal::value) {
        Some(ScalarValue::Boolean(Some(true))) => 1.0,
        Some(ScalarValue::Boolean(_) | ScalarValue::Null) => 0.0,
        _ => UNKNOWN,
    }
}

fn of_binary(condition: &Arc<dyn PhysicalExpr>, binary: &BinaryExpr, input: &Estimate) -> f64 {
    let (left, right) = (binary.left(), binary.right());
    match binary.op() {
        Operator::And => of_conjunction(condition, input),
        Operator::Or => {
            let (left, right) = (share(left, input), share(right, input));
            left + right - left * right
        }
        Operator::Eq | Operator::IsNotDistinctFrom => equal_to(left, right, input),
        Operator::NotEq | Operator::IsDistinctFrom => 1.0 - equal_to(left, right, input),
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => match bound(binary) {
            Some((column, end)) => within(input, column, end),
            None => BELOW,
        },
        Operator::RegexMatch | Operator::RegexIMatch | Operator::LikeMatch | Operator::ILikeMatch => LIKE,
        Operator::RegexNotMatch | Operator::RegexNotIMatch | Operator::NotLikeMatch | Operator::NotILikeMatch => {
            1.0 - LIKE
        }
        _ => UNKNOWN,
    }
}

/// Conditions on the two ends of one column are one condition: `a >= 1 AND a < 2` is not a third of a third.
fn of_conjunction(condition: &Arc<dyn PhysicalExpr>, input: &Estimate) -> f64 {
    let parts = datafusion::physical_expr::split_conjunction(condition);
    let mut product = 1.0;
    let mut ends: Vec<(usize, f64, f64)> = Vec::new();
    for part in parts {
        let known =
            part.downcast_ref::<BinaryExpr>().and_then(bound).filter(|(column, _)| range(input, *column).is_some());
        match known {
            Some((column, end)) => {
                let (mut least, mut greatest) = (f64::NEG_INFINITY, f64::INFINITY);
                match end {
                    End::Below(value) => greatest = value,
                    End::Above(value) => least = value,
                }
                match ends.iter_mut().find(|(other, _, _)| *other == column) {
                    Some(found) => (found.1, found.2) = (found.1.max(least), found.2.min(greatest)),
                    None => ends.push((column, least, greatest)),
                }
            }
            None => product *= share(part, input),
        }
    }
    for (column, least, greatest) in ends {
        product *= between(input, column, least, greatest);
    }
    product
}

/// `left = right`, of which one is mostly a value.
fn equal_to(left: &Arc<dyn PhysicalExpr>, right: &Arc<dyn PhysicalExpr>, input: &Estimate) -> f64 {
    match (plain_column(left).is_some(), plain_column(right).is_some()) {
        (true, _) if !right.is::<Literal>() && plain_column(right).is_some() => {
            equal(left, input).min(equal(right, input))
        }
        (true, _) => equal(left, input),
        (false, true) => equal(right, input),
        (false, false) => EQUAL,
    }
}

fn equal(expression: &Arc<dyn PhysicalExpr>, input: &Estimate) -> f64 {
    input.distinct(expression).map_or(EQUAL, |distinct| 1.0 / distinct)
}

/// Where a column has to end.
#[derive(Debug, Clone, Copy)]
enum End {
    Below(f64),
    Above(f64),
}

/// The column that a comparison with a value bounds, and where.
fn bound(binary: &BinaryExpr) -> Option<(usize, End)> {
    let below = matches!(binary.op(), Operator::Lt | Operator::LtEq);
    if !below && !matches!(binary.op(), Operator::Gt | Operator::GtEq) {
        return None;
    }
    let value = |expression: &Arc<dyn PhysicalExpr>| as_number(expression.downcast_ref::<Literal>()?.value());
    let (column, value, below) = match (plain_column(binary.left()), plain_column(binary.right())) {
        (Some(column), None) => (column, value(binary.right())?, below),
        (None, Some(column)) => (column, value(binary.left())?, !below),
        _ => return None,
    };
    Some((column, if below { End::Below(value) } else { End::Above(value) }))
}

fn range(input: &Estimate, column: usize) -> Option<(f64, f64)> {
    input.columns.get(column)?.range
}

fn within(input: &Estimate, column: usize, end: End) -> f64 {
    match end {
        End::Below(value) => between(input, column, f64::NEG_INFINITY, value),
        End::Above(value) => between(input, column, value, f64::INFINITY),
    }
}

/// The share of values between two ends, as if they were evenly spread.
fn between(input: &Estimate, column: usize, least: f64, greatest: f64) -> f64 {
    let Some((first, last)) = range(input, column) else { return BELOW };
    let (from, to) = (least.max(first), greatest.min(last));
    if from > to {
        return 0.0;
    }
    // One of many values where the ends meet.
    let one = input.columns.get(column).and_then(|column| column.distinct).map_or(0.0, |distinct| 1.0 / distinct);
    if last > first { ((to - from) / (last - first)).max(one) } else { 1.0 }
}
