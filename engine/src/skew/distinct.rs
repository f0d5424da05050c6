//! Aggregates of distinct values in two levels: first by (group, value), which spreads a frequent group over all
//! partitions, then by group.
//!
//! DataFusion does this where all distinct aggregates have one argument and the others are sums and extremes; else the
//! state of a group is the list of its values, and one partition gets all of a frequent group's. Here aggregates without
//! DISTINCT travel through the first level as states. Several arguments are told apart by a tag: each row stands once for
//! every argument (Spark's and Flink's "expand"), and the aggregates without DISTINCT go with the first.

use std::sync::Arc;

use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::utils::{enumerate_grouping_sets, grouping_set_to_exprlist};
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, ident, lit, when,
};
use sluice_partition::states::{merge_of, state_of};

/// Aggregates that are the same with a null more or less, so that a filter can become one.
const IGNORE_NULLS: [&str; 11] =
    ["count", "sum", "avg", "median", "var", "var_pop", "stddev", "stddev_pop", "bit_xor", "bit_and", "bit_or"];
/// Aggregates whose value shows the order of their input, be it any: it would be another one.
const TAKES_ORDER: [&str; 5] = ["array_agg", "string_agg", "first_value", "last_value", "nth_value"];
/// Aggregates that are the same with or without DISTINCT.
const SAME_WITHOUT: [&str; 6] = ["min", "max", "bit_and", "bit_or", "bool_and", "bool_or"];

/// The aggregate in two levels, or `None` where it cannot be or need not be.
pub(super) fn in_two_levels(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let Some(calls) = Calls::of(aggregate)? else { return Ok(None) };
    let groups = Groups::of(aggregate)?;
    let tagged = calls.distinct.len() > 1;
    let input = calls.expanded(aggregate, &groups, tagged)?;
    let first = calls.first_level(input, &groups, tagged)?;
    calls.second_level(first, aggregate, &groups, tagged).map(Some)
}

/// The keys whose groups are largest: of a query with grouping sets, those of its smallest set.
pub(super) fn coarsest_keys(aggregate: &Aggregate) -> Result<Vec<Expr>> {
    let groups = Groups::of(aggregate)?;
    Ok(match groups.sets.and_then(|sets| sets.into_iter().min_by_key(Vec::len)) {
        Some(smallest) => smallest.into_iter().map(|index| groups.exprs[index].clone()).collect(),
        None => groups.exprs,
    })
}

/// What the groups are by.
struct Groups {
    /// Each expression once.
    exprs: Vec<Expr>,
    /// Of a query with grouping sets, the expressions of each set, as indexes.
    sets: Option<Vec<Vec<usize>>>,
}

impl Groups {
    fn of(aggregate: &Aggregate) -> Result<Self> {
        let grouping = aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)));
        if !grouping {
            return Ok(Self { exprs: aggregate.group_expr.clone(), sets: None });
        }
        let exprs: Vec<Expr> = grouping_set_to_exprlist(&aggregate.group_expr)?.into_iter().cloned().collect();
        let all = enumerate_grouping_sets(aggregate.group_expr.clone())?;
        let sets = match all.as_slice() {
            [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.clone(),
            _ => return datafusion::common::internal_err!("grouping sets of another form"),
        };
        let index = |expr: &Expr| exprs.iter().position(|known| known == expr);
        let sets = sets.iter().map(|set| set.iter().filter_map(index).collect()).collect();
        Ok(Self { exprs, sets: Some(sets) })
    }
}

fn group_name(index: usize) -> String {
    format!("__skew_group_{index}")
}

/// What the names of the columns with distinct values begin with.
pub(super) const MARK: &str = "__skew_value_";

fn value_name(index: usize) -> String {
    format!("{MARK}{index}")
}

fn state_name(index: usize) -> String {
    format!("__skew_state_{index}")
}

const TAG: &str = "__skew_tag";

/// The aggregate calls by what becomes of them.
struct Calls {
    /// The different arguments of DISTINCT.
    distinct: Vec<Expr>,
    calls: Vec<Call>,
}

enum Call {
    /// Over the distinct values of an argument.
    Distinct { function: Arc<AggregateUDF>, value: usize },
    /// Through states.
    Plain { function: Arc<AggregateUDF>, args: Vec<Expr>, filter: Option<Expr> },
}

impl Calls {
    fn of(aggregate: &Aggregate) -> Result<Option<Self>> {
        let mut this = Self { distinct: Vec::new(), calls: Vec::new() };
        for expr in &aggregate.aggr_expr {
            let Expr::AggregateFunction(AggregateFunction { func, params }) = expr.clone().unalias() else {
                return Ok(None);
            };
            let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
            if !order_by.is_empty() || null_treatment.is_some() {
                return Ok(None);
            }
            if !distinct || SAME_WITHOUT.contains(&func.name()) {
                if TAKES_ORDER.contains(&func.name()) {
                    return Ok(None);
                }
                this.calls.push(Call::Plain { function: func, args, filter: filter.map(|filter| *filter) });
                continue;
            }
            let [arg] = args.as_slice() else { return Ok(None) };
            if TAKES_ORDER.contains(&func.name()) {
                return Ok(None);
            }
            let value = match filter {
                None => arg.clone(),
                Some(filter) if IGNORE_NULLS.contains(&func.name()) => when(*filter, arg.clone()).end()?,
                Some(_) => return Ok(None),
            };
            let value = match this.distinct.iter().position(|known| *known == value) {
                Some(known) => known,
                None => {
                    this.distinct.push(value);
                    this.distinct.len() - 1
                }
            };
            this.calls.push(Call::Distinct { function: func, value });
        }
        Ok(if this.distinct.is_empty() { None } else { Some(this) })
    }

    /// The input with named groups, values and arguments, and where there are several values a row for each.
    fn expanded(&self, aggregate: &Aggregate, groups: &Groups, tagged: bool) -> Result<LogicalPlan> {
        let mut exprs: Vec<Expr> = Vec::new();
        exprs.extend(groups.exprs.iter().enumerate().map(|(index, expr)| expr.clone().alias(group_name(index))));
        exprs.extend(self.distinct.iter().enumerate().map(|(index, expr)| expr.clone().alias(value_name(index))));
        for (number, call) in self.calls.iter().enumerate() {
            if let Call::Plain { args, filter, .. } = call {
                let columns = args.iter().enumerate().filter(|(_, arg)| !matches!(arg, Expr::Literal(..)));
                exprs.extend(columns.map(|(index, arg)| arg.clone().alias(argument_name(number, index))));
                exprs.extend(filter.clone().map(|filter| filter.alias(filter_name(number))));
            }
        }
        let plan = LogicalPlanBuilder::from(Arc::clone(&aggregate.input)).project({
            if tagged {
                let tags: Vec<ScalarValue> =
                    (0..self.distinct.len()).map(|tag| ScalarValue::Int32(Some(tag as i32))).collect();
                let list = ScalarValue::new_list_nullable(&tags, &datafusion::arrow::datatypes::DataType::Int32);
                exprs.push(lit(ScalarValue::List(list)).alias(TAG));
            }
            exprs
        })?;
        if !tagged {
            return plan.build();
        }
        let plan = plan.unnest_column(Column::from_name(TAG))?;
        // A row has the value of its tag alone.
        let exprs = plan.schema().columns().into_iter().map(|column| {
            let value = (0..self.distinct.len()).find(|index| column.name == value_name(*index));
            match value {
                Some(index) => {
                    let name = column.name.clone();
                    Ok(when(ident(TAG).eq(lit(index as i32)), Expr::Column(column)).end()?.alias(name))
                }
                None => Ok(Expr::Column(column)),
            }
        });
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        plan.project(exprs)?.build()
    }

    /// By group and value: the states of the aggregates without DISTINCT.
    fn first_level(&self, input: LogicalPlan, groups: &Groups, tagged: bool) -> Result<LogicalPlan> {
        let mut by: Vec<Expr> = (0..self.distinct.len()).map(|index| ident(value_name(index))).collect();
        by.extend(tagged.then(|| ident(TAG)));
        let all = |indexes: &mut dyn Iterator<Item = usize>| -> Vec<Expr> {
            indexes.map(|index| ident(group_name(index))).chain(by.iter().cloned()).collect()
        };
        let group = match &groups.sets {
            None => all(&mut (0..groups.exprs.len())),
            Some(sets) => {
                let sets = sets.iter().map(|set| all(&mut set.iter().copied())).collect();
                vec![Expr::GroupingSet(GroupingSet::GroupingSets(sets))]
            }
        };
        let mut states = Vec::new();
        for (number, call) in self.calls.iter().enumerate() {
            if let Call::Plain { function, args, filter } = call {
                let args = args.iter().enumerate().map(|(index, arg)| match arg {
                    Expr::Literal(..) => arg.clone(),
                    _ => ident(argument_name(number, index)),
                });
                let filter = filter.as_ref().map(|_| ident(filter_name(number)));
                let filter = match (tagged.then(|| ident(TAG).eq(lit(0))), filter) {
                    (Some(tag), Some(filter)) => Some(tag.and(filter)),
                    (tag, filter) => tag.or(filter),
                };
                let function = Arc::new(state_of(Arc::clone(function)));
                states.push(call_of(function, args.collect(), filter).alias(state_name(number)));
            }
        }
        LogicalPlanBuilder::from(input).aggregate(group, states)?.build()
    }

    /// By group: the values of all aggregates, under their old names.
    fn second_level(
        &self,
        first: LogicalPlan,
        aggregate: &Aggregate,
        groups: &Groups,
        tagged: bool,
    ) -> Result<LogicalPlan> {
        let mut by: Vec<Expr> = (0..groups.exprs.len()).map(|index| ident(group_name(index))).collect();
        by.extend(groups.sets.as_ref().map(|_| ident(Aggregate::INTERNAL_GROUPING_ID)));
        let keys = by.len();
        let of_tag = |tag: usize| tagged.then(|| ident(TAG).eq(lit(tag as i32)));
        let mut values = Vec::new();
        for (number, call) in self.calls.iter().enumerate() {
            let value = match call {
                Call::Distinct { function, value } => {
                    // The number of values is that of rows, which needs no look at them.
                    let function = if function.name() == "count" { count_udaf() } else { Arc::clone(function) };
                    call_of(function, vec![ident(value_name(*value))], of_tag(*value))
                }
                Call::Plain { function, args, .. } => {
                    let schema = aggregate.input.schema();
                    let kinds = args.iter().map(|arg| match arg {
                        Expr::Literal(..) => Ok(arg.clone()),
                        _ => {
                            let kind = datafusion::logical_expr::ExprSchemable::get_type(arg, schema.as_ref())?;
                            Ok(lit(ScalarValue::try_from(&kind)?))
                        }
                    });
                    let args = std::iter::once(Ok(ident(state_name(number)))).chain(kinds);
                    call_of(Arc::new(merge_of(Arc::clone(function))), args.collect::<Result<_>>()?, of_tag(0))
                }
            };
            values.push(value.alias(format!("__skew_result_{number}")));
        }
        let plan = LogicalPlanBuilder::from(first).aggregate(by, values)?;
        let columns = plan.schema().columns();
        debug_assert_eq!(columns.len(), keys + self.calls.len());
        let named = columns
            .into_iter()
            .zip(aggregate.schema.iter())
            .map(|(column, (qualifier, field))| Expr::Column(column).alias_qualified(qualifier.cloned(), field.name()));
        let named: Vec<Expr> = named.collect();
        plan.project(named)?.build()
    }
}

fn argument_name(call: usize, index: usize) -> String {
    format!("__skew_argument_{call}_{index}")
}

fn filter_name(call: usize) -> String {
    format!("__skew_filter_{call}")
}

fn call_of(function: Arc<AggregateUDF>, args: Vec<Expr>, filter: Option<Expr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(function, args, false, filter.map(Box::new), Vec::new(), None))
}
