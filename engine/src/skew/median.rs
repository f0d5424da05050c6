//! Exact medians of frequent groups.
//!
//! The rows of a frequent group are cut into ranges of the values, as for a window in that order. The number of a row among
//! its group is its number in its range and the rows of the ranges before it, so that the one or two rows in the middle are
//! known without bringing the group together; the aggregate is then over these.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, NullEquality, Result, ScalarValue};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprFunctionExt, Join, JoinConstraint, LogicalPlan, LogicalPlanBuilder, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition, cast, ident, lit,
};
use sluice_partition::ranges::{RangeOf, RangePart, RangeTable};

/// What the names of the columns begin with that are added for the node of this number.
pub(super) fn mark(number: usize) -> String {
    format!("__skew_median_{number}_")
}

/// The medians of a node.
#[derive(Debug, Clone)]
pub(super) struct Medians {
    pub(super) keys: Vec<Expr>,
    /// What each is of, once.
    pub(super) values: Vec<Expr>,
    /// For each aggregate of the node, in order, which value it is the median of; `None` for other aggregates.
    calls: Vec<Option<usize>>,
}

impl Medians {
    /// Those of a node by groups, or `None` where it has none.
    pub(super) fn of(aggregate: &Aggregate) -> Option<Self> {
        let grouping = aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)));
        if grouping || aggregate.group_expr.is_empty() {
            return None;
        }
        let mut medians = Self { keys: aggregate.group_expr.clone(), values: Vec::new(), calls: Vec::new() };
        for expr in &aggregate.aggr_expr {
            let Expr::AggregateFunction(call) = expr.clone().unalias() else { return None };
            let params = &call.params;
            let plain = !params.distinct && params.filter.is_none() && params.order_by.is_empty();
            medians.calls.push(match (call.func.name(), params.args.as_slice()) {
                ("median", [value]) if plain => {
                    let known = medians.values.iter().position(|known| known == value);
                    Some(known.unwrap_or_else(|| {
                        medians.values.push(value.clone());
                        medians.values.len() - 1
                    }))
                }
                _ => None,
            });
        }
        (!medians.values.is_empty()).then_some(medians)
    }

    /// The node with its medians computed apart, over ranges of each value.
    pub(super) fn apart(
        &self,
        aggregate: &Aggregate,
        tables: &[Arc<RangeTable>],
        number: usize,
    ) -> Result<LogicalPlan> {
        let mark = mark(number);
        let group = |at: usize| format!("{mark}group_{at}");
        let others = aggregate.aggr_expr.iter().zip(&self.calls).enumerate();
        let others = others.filter(|(_, (_, median))| median.is_none());
        let others: Vec<Expr> =
            others.map(|(at, (expr, _))| expr.clone().unalias().alias(format!("{mark}other_{at}"))).collect();
        let named = self.keys.iter().enumerate().map(|(at, key)| key.clone().alias(group(at)));
        let named: Vec<Expr> = named.collect();
        let mut plan = LogicalPlanBuilder::from(Arc::clone(&aggregate.input)).aggregate(named, others)?.build()?;
        for (at, (value, table)) in self.values.iter().zip(tables).enumerate() {
            let medians = self.medians(aggregate, value, table, &format!("{mark}{at}_"))?;
            let on = (0..self.keys.len()).map(|key| (ident(group(key)), ident(format!("{mark}{at}_key_{key}"))));
            plan = LogicalPlan::Join(Join::try_new(
                Arc::new(plan),
                Arc::new(medians),
                on.collect(),
                None,
                JoinType::Left,
                JoinConstraint::On,
                NullEquality::NullEqualsNull,
                false,
            )?);
        }
        let keys = (0..self.keys.len()).map(group);
        let values = self.calls.iter().enumerate().map(|(at, median)| match median {
            Some(value) => format!("{mark}{value}_median"),
            None => format!("{mark}other_{at}"),
        });
        let columns = keys.chain(values).zip(aggregate.schema.iter());
        let columns =
            columns.map(|(name, (qualifier, field))| ident(name).alias_qualified(qualifier.cloned(), field.name()));
        let columns: Vec<Expr> = columns.collect();
        LogicalPlanBuilder::from(plan).project(columns)?.build()
    }

    /// The median of one value by group; no row for a group without values.
    fn medians(&self, aggregate: &Aggregate, value: &Expr, table: &Arc<RangeTable>, mark: &str) -> Result<LogicalPlan> {
        let name = |what: &str| format!("{mark}{what}");
        let keys: Vec<String> = (0..self.keys.len()).map(|at| name(&format!("key_{at}"))).collect();
        let range = |part| {
            let arguments = self.keys.iter().chain([value]).cloned().collect();
            RangeOf::new(Arc::clone(table), part).into_udf().call(arguments)
        };
        let mut columns: Vec<Expr> = self.keys.iter().zip(&keys).map(|(key, name)| key.clone().alias(name)).collect();
        columns.push(value.clone().alias(name("value")));
        columns.push(range(RangePart::Salt).alias(name("salt")));
        let input = |more: Vec<Expr>| {
            LogicalPlanBuilder::from(Arc::clone(&aggregate.input)).project(columns.iter().cloned().chain(more))
        };
        let idents = |names: &[String]| -> Vec<Expr> { names.iter().map(ident).collect() };

        // Rows with their number in their range, and how many that has.
        let mut by = idents(&keys);
        by.push(ident(name("salt")));
        let row = Expr::from(WindowFunction::new(WindowFunctionDefinition::WindowUDF(row_number_udwf()), vec![]))
            .partition_by(by.clone())
            .order_by(vec![ident(name("value")).sort(true, false)])
            .window_frame(WindowFrame::new(Some(true)))
            .build()?;
        let all = window_of(count_udaf(), ident(name("value")), by, Vec::new(), whole())?;
        let rows = input(Vec::new())?.window(vec![row])?.window(vec![all])?;
        let found: Vec<Column> = rows.schema().columns();
        let (row, all) = (found[found.len() - 2].clone(), found[found.len() - 1].clone());
        let kept = found[..found.len() - 2].iter().cloned().map(Expr::Column);
        let kept: Vec<Expr> = kept
            .chain([cast(Expr::Column(row), DataType::Int64).alias(name("row")), Expr::Column(all).alias(name("all"))])
            .collect();
        let rows = rows.project(kept)?.build()?;

        // The ranges of frequent groups: how many values are in those before, and in all.
        let number = name("number");
        let mut by = idents(&keys);
        by.extend([ident(name("salt")), ident(&number)]);
        let ranges = input(vec![range(RangePart::Number).alias(&number)])?
            .filter(ident(&number).gt_eq(lit(0)))?
            .aggregate(by, vec![count(ident(name("value"))).alias(name("values"))])?;
        let order = vec![ident(&number).sort(true, false)];
        let before = WindowFrame::new_bounds(
            WindowFrameUnits::Rows,
            WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
            WindowFrameBound::Preceding(ScalarValue::UInt64(Some(1))),
        );
        let before = window_of(sum_udaf(), ident(name("values")), idents(&keys), order, before)?;
        let total = window_of(sum_udaf(), ident(name("values")), idents(&keys), Vec::new(), whole())?;
        let ranges = ranges.window(vec![before])?.window(vec![total])?;
        let found: Vec<Column> = ranges.schema().columns();
        let (before, total) = (found[found.len() - 2].clone(), found[found.len() - 1].clone());
        let few_keys: Vec<String> = keys.iter().map(|key| format!("{key}_range")).collect();
        let mut few: Vec<Expr> = keys.iter().zip(&few_keys).map(|(key, name)| ident(key).alias(name)).collect();
        few.push(ident(name("salt")).alias(name("salt_range")));
        few.push(Expr::Column(before).alias(name("before")));
        few.push(Expr::Column(total).alias(name("total")));
        let ranges = ranges.project(few)?.build()?;

        let mut on: Vec<(Expr, Expr)> = few_keys.iter().zip(&keys).map(|(few, key)| (ident(few), ident(key))).collect();
        on.push((ident(name("salt_range")), ident(name("salt"))));
        let joined = LogicalPlan::Join(Join::try_new(
            Arc::new(ranges),
            Arc::new(rows),
            on,
            None,
            JoinType::Right,
            JoinConstraint::On,
            NullEquality::NullEqualsNull,
            false,
        )?);
        // Numbers begin with 1; nulls come last, after the values that are counted.
        let row = ident(name("row")) + coalesce(vec![ident(name("before")), lit(0_i64)]);
        let all = coalesce(vec![ident(name("total")), ident(name("all"))]);
        let lower = (all.clone() + lit(1_i64)) / lit(2_i64);
        let upper = (all.clone() + lit(2_i64)) / lit(2_i64);
        let middle = row.clone().eq(lower).or(row.clone().eq(upper)).and(row.lt_eq(all));
        let median = datafusion::functions_aggregate::median::median_udaf();
        let median = AggregateFunction::new_udf(median, vec![ident(name("value"))], false, None, vec![], None);
        LogicalPlanBuilder::from(joined)
            .filter(middle)?
            .aggregate(idents(&keys), vec![Expr::AggregateFunction(median).alias(name("median"))])?
            .build()
    }
}

fn whole() -> WindowFrame {
    WindowFrame::new(None)
}

fn window_of(
    function: Arc<datafusion::logical_expr::AggregateUDF>,
    argument: Expr,
    by: Vec<Expr>,
    order: Vec<datafusion::logical_expr::SortExpr>,
    frame: WindowFrame,
) -> Result<Expr> {
    Expr::from(WindowFunction::new(WindowFunctionDefinition::AggregateUDF(function), vec![argument]))
        .partition_by(by)
        .order_by(order)
        .window_frame(frame)
        .build()
}
