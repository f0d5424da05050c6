//! Windows over a frequent `PARTITION BY` key.
//!
//! Where rows are ordered, those of a frequent key are cut into ranges of that order, as the sample has it. Ranks, counts
//! and sums from the first row on are computed within each range, and the totals of the ranges before it, a few rows for
//! each key, are added. Rows that are equal in that order lie in one range.
//!
//! Where they are not, so that all rows of a key have the same value, that value is aggregated by itself and joined to
//! the rows of the key, which may then lie anywhere.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::{Column, JoinType, NullEquality, Result, ScalarValue};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_nested::expr_fn::array_length;
use datafusion::logical_expr::expr::{AggregateFunction, Sort, WindowFunction};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, ExprSchemable, Join, JoinConstraint, LogicalPlan, LogicalPlanBuilder, Window, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition, cast, ident, lit, when,
};
use sluice_partition::ranges::{RangeOf, RangePart, RangeTable};
use sluice_partition::salts::{Salt, SaltTable, Side};

use super::entropy;

/// The windows of a node, which are all over the same rows in the same order.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) keys: Vec<Expr>,
    /// Empty where all rows of a key have the same value.
    pub(super) order: Vec<Sort>,
    calls: Vec<Call>,
}

#[derive(Debug, Clone)]
enum Call {
    /// A row's number or rank.
    Rank,
    /// The count or the sum from the first row on.
    Running(AggregateFunction),
    /// The aggregate of all rows of the key.
    Whole(AggregateFunction),
}

impl Shape {
    /// The shape of a node, or `None` where it cannot be computed in parts.
    pub(super) fn of(window: &Window) -> Result<Option<Self>> {
        let mut shape: Option<Self> = None;
        for expr in &window.window_expr {
            let Expr::WindowFunction(function) = expr.clone().unalias() else { return Ok(None) };
            let params = &function.params;
            let Some(call) = call_of(&function) else { return Ok(None) };
            match &mut shape {
                None => {
                    shape = Some(Self {
                        keys: params.partition_by.clone(),
                        order: params.order_by.clone(),
                        calls: vec![call],
                    });
                }
                Some(shape) if shape.keys == params.partition_by && shape.order == params.order_by => {
                    shape.calls.push(call);
                }
                Some(_) => return Ok(None),
            }
        }
        Ok(shape.filter(|shape| !shape.keys.is_empty()))
    }

    pub(super) fn sort_options(&self) -> Vec<SortOptions> {
        self.order.iter().map(|sort| SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first }).collect()
    }

    fn key_name(number: usize, index: usize) -> String {
        format!("{}key_{index}", mark(number))
    }
}

/// What the names of the columns begin with that are added for the node of this number.
pub(super) fn mark(number: usize) -> String {
    format!("__skew_window_{number}_")
}

fn call_of(function: &WindowFunction) -> Option<Call> {
    let params = &function.params;
    if params.distinct || params.filter.is_some() || params.null_treatment.is_some() {
        return None;
    }
    let frame = &params.window_frame;
    let unbounded = |bound: &WindowFrameBound, preceding: bool| match bound {
        WindowFrameBound::Preceding(value) => preceding && value.is_null(),
        WindowFrameBound::Following(value) => !preceding && value.is_null(),
        WindowFrameBound::CurrentRow => false,
    };
    let to_the_end = unbounded(&frame.start_bound, true) && unbounded(&frame.end_bound, false);
    let to_this_row = unbounded(&frame.start_bound, true) && frame.end_bound == WindowFrameBound::CurrentRow;
    match &function.fun {
        WindowFunctionDefinition::WindowUDF(udf) if !params.order_by.is_empty() => {
            matches!(udf.name(), "row_number" | "rank").then_some(Call::Rank)
        }
        WindowFunctionDefinition::AggregateUDF(udf) => {
            let whole = AggregateFunction::new_udf(Arc::clone(udf), params.args.clone(), false, None, vec![], None);
            // Without an order, all rows are peers of the current one.
            let all_peers = params.order_by.is_empty() && frame.units != WindowFrameUnits::Rows && to_this_row;
            match params.order_by.is_empty() {
                true if to_the_end || all_peers => Some(Call::Whole(whole)),
                false if to_this_row && matches!(udf.name(), "count" | "sum") => Some(Call::Running(whole)),
                _ => None,
            }
        }
        WindowFunctionDefinition::WindowUDF(_) => None,
    }
}

/// The node with the rows of frequent keys cut into ranges.
pub(super) fn in_ranges(window: &Window, shape: &Shape, table: &Arc<RangeTable>, number: usize) -> Result<LogicalPlan> {
    let mark = mark(number);
    let (salt, index) = (format!("{mark}salt"), format!("{mark}number"));
    let range = |part| {
        let order = shape.order.iter().map(|sort| sort.expr.clone());
        RangeOf::new(Arc::clone(table), part).into_udf().call(shape.keys.iter().cloned().chain(order).collect())
    };
    let windows = windows_by(window, window.input.as_ref().clone(), range(RangePart::Salt), &salt)?;

    // The ranges of frequent keys, with what went before each.
    let mut columns: Vec<Expr> = named_keys(shape, number);
    columns.push(range(RangePart::Salt).alias(&salt));
    columns.push(range(RangePart::Number).alias(&index));
    let mut totals = vec![count(lit(1_i64)).alias(format!("{mark}rows"))];
    let mut before = vec![("rows".to_string(), sum_before(ident(format!("{mark}rows")), shape, number)?)];
    for (call, name) in shape.calls.iter().zip(0..) {
        if let Call::Running(aggregate) = call {
            let arguments = aggregate.params.args.iter().enumerate().map(|(at, argument)| {
                let column = format!("{mark}argument_{name}_{at}");
                (argument.clone().alias(&column), ident(column))
            });
            let (exprs, arguments): (Vec<Expr>, Vec<Expr>) = arguments.unzip();
            columns.extend(exprs);
            let total = AggregateFunction::new_udf(Arc::clone(&aggregate.func), arguments, false, None, vec![], None);
            totals.push(Expr::AggregateFunction(total).alias(format!("{mark}total_{name}")));
            before.push((name.to_string(), sum_before(ident(format!("{mark}total_{name}")), shape, number)?));
        }
    }
    let mut by: Vec<Expr> = (0..shape.keys.len()).map(|at| ident(Shape::key_name(number, at))).collect();
    let keys = by.clone();
    by.extend([ident(&salt), ident(&index)]);
    let ranges = LogicalPlanBuilder::from(Arc::clone(&window.input))
        .project(columns)?
        .filter(ident(&index).gt_eq(lit(0)))?
        .aggregate(by, totals)?;
    let first = ranges.schema().fields().len();
    let ranges = ranges.window(before.iter().map(|(_, expr)| expr.clone()))?;
    let found = ranges.schema().columns().into_iter().skip(first);
    let found =
        found.zip(&before).map(|(column, (name, _))| Expr::Column(column).alias(format!("{mark}before_{name}")));
    let found: Vec<Expr> = found.collect();
    let before_salt = format!("{mark}salt_before");
    let ranges = ranges.project(keys.into_iter().chain([ident(&salt).alias(&before_salt)]).chain(found))?.build()?;

    let joined = joined(ranges, windows, shape, number, &before_salt, &salt)?;
    let rows = coalesce(vec![ident(format!("{mark}before_rows")), lit(0_i64)]);
    finished(window, joined, |at, value, kind| {
        let before = ident(format!("{mark}before_{at}"));
        match &shape.calls[at] {
            Call::Rank => Ok(value + cast(rows.clone(), kind.clone())),
            Call::Running(aggregate) if aggregate.func.name() == "count" => {
                Ok(value + coalesce(vec![cast(before, kind.clone()), cast(lit(0_i64), kind.clone())]))
            }
            Call::Running(_) => {
                let before = cast(before, kind.clone());
                when(before.clone().is_null(), value.clone())
                    .when(value.clone().is_null(), before.clone())
                    .otherwise(cast(value + before, kind.clone()))
            }
            Call::Whole(_) => datafusion::common::internal_err!("a whole window in ranges"),
        }
    })
}

/// The node with the rows of frequent keys anywhere.
pub(super) fn scattered(window: &Window, shape: &Shape, table: &Arc<SaltTable>, number: usize) -> Result<LogicalPlan> {
    let mark = mark(number);
    let salt = format!("{mark}salt");
    let (input, others) = entropy::distinguishing(&window.input, &shape.keys)?;
    let arguments = shape.keys.iter().cloned().chain(others.into_iter().map(Expr::Column)).collect();
    let own = Salt::new(Arc::clone(table), Side::Split).into_udf().call(arguments);
    let windows = windows_by(window, input, own, &salt)?;

    let salts = Salt::new(Arc::clone(table), Side::Repeated).into_udf().call(shape.keys.clone());
    let mut columns: Vec<Expr> = named_keys(shape, number);
    let before_salt = format!("{mark}salt_before");
    columns.push(salts.alias(&before_salt));
    let mut totals = Vec::new();
    for (call, name) in shape.calls.iter().zip(0..) {
        let Call::Whole(aggregate) = call else {
            return datafusion::common::internal_err!("a window in an order without ranges");
        };
        let arguments = aggregate.params.args.iter().enumerate().map(|(at, argument)| {
            let column = format!("{mark}argument_{name}_{at}");
            (argument.clone().alias(&column), ident(column))
        });
        let (exprs, arguments): (Vec<Expr>, Vec<Expr>) = arguments.unzip();
        columns.extend(exprs);
        let total = AggregateFunction::new_udf(Arc::clone(&aggregate.func), arguments, false, None, vec![], None);
        totals.push(Expr::AggregateFunction(total).alias(format!("{mark}total_{name}")));
    }
    let mut by: Vec<Expr> = (0..shape.keys.len()).map(|at| ident(Shape::key_name(number, at))).collect();
    by.push(ident(&before_salt));
    let hot = format!("{mark}hot");
    // A key of one chunk lies together, so that its window is right as it is.
    let whole = LogicalPlanBuilder::from(Arc::clone(&window.input))
        .project(columns)?
        .filter(array_length(ident(&before_salt)).gt(lit(1_u64)))?
        .aggregate(by, totals)?;
    let all = whole.schema().columns().into_iter().map(Expr::Column).chain([lit(true).alias(&hot)]);
    let all: Vec<Expr> = all.collect();
    let whole = whole.project(all)?.unnest_column(Column::from_name(&before_salt))?.build()?;

    let joined = joined(whole, windows, shape, number, &before_salt, &salt)?;
    finished(window, joined, |at, value, _| {
        when(ident(&hot).is_not_null(), ident(format!("{mark}total_{at}"))).otherwise(value)
    })
}

/// The input with a salt, and the windows by key and salt.
fn windows_by(window: &Window, input: LogicalPlan, salt: Expr, name: &str) -> Result<LogicalPlan> {
    let columns = window.input.schema().columns().into_iter().map(Expr::Column).chain([salt.alias(name)]);
    let plan = LogicalPlanBuilder::from(input).project(columns)?;
    let windows = window.window_expr.iter().map(|expr| {
        let Expr::WindowFunction(mut function) = expr.clone().unalias() else { return expr.clone() };
        function.params.partition_by.push(ident(name));
        Expr::WindowFunction(function)
    });
    let windows: Vec<Expr> = windows.collect();
    plan.window(windows)?.build()
}

fn named_keys(shape: &Shape, number: usize) -> Vec<Expr> {
    let keys = shape.keys.iter().enumerate();
    keys.map(|(at, key)| key.clone().alias(Shape::key_name(number, at))).collect()
}

/// The sum of a column over the ranges of a key before this one.
fn sum_before(column: Expr, shape: &Shape, number: usize) -> Result<Expr> {
    let frame = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::Preceding(ScalarValue::UInt64(Some(1))),
    );
    let keys: Vec<Expr> = (0..shape.keys.len()).map(|at| ident(Shape::key_name(number, at))).collect();
    Expr::from(WindowFunction::new(WindowFunctionDefinition::AggregateUDF(sum_udaf()), vec![column]))
        .partition_by(keys)
        .order_by(vec![ident(format!("{}number", mark(number))).sort(true, false)])
        .window_frame(frame)
        .build()
}

/// Every row of the windows, with the row of its key and salt where there is one.
fn joined(
    few: LogicalPlan,
    windows: LogicalPlan,
    shape: &Shape,
    number: usize,
    few_salt: &str,
    salt: &str,
) -> Result<LogicalPlan> {
    let mut on: Vec<(Expr, Expr)> =
        (0..shape.keys.len()).map(|at| (ident(Shape::key_name(number, at)), shape.keys[at].clone())).collect();
    on.push((ident(few_salt), ident(salt)));
    // Rows without a key are rows of one window.
    Ok(LogicalPlan::Join(Join::try_new(
        Arc::new(few),
        Arc::new(windows),
        on,
        None,
        JoinType::Right,
        JoinConstraint::On,
        NullEquality::NullEqualsNull,
        false,
    )?))
}

/// The columns that the node has, its windows as `value` makes them of their parts.
fn finished(
    window: &Window,
    joined: LogicalPlan,
    value: impl Fn(usize, Expr, &datafusion::arrow::datatypes::DataType) -> Result<Expr>,
) -> Result<LogicalPlan> {
    let inputs = window.input.schema().fields().len();
    let parts: Vec<Column> = joined.schema().columns();
    // The windows come last.
    let first = parts.len() - window.window_expr.len();
    let mut exprs: Vec<Expr> = window.input.schema().columns().into_iter().map(Expr::Column).collect();
    for (at, (qualifier, field)) in window.schema.iter().skip(inputs).enumerate() {
        let part = Expr::Column(parts[first + at].clone());
        let made = value(at, part, field.data_type())?;
        let made = match made.get_type(joined.schema().as_ref())? == *field.data_type() {
            true => made,
            false => cast(made, field.data_type().clone()),
        };
        exprs.push(made.alias_qualified(qualifier.cloned(), field.name()));
    }
    LogicalPlanBuilder::from(joined).project(exprs)?.build()
}
