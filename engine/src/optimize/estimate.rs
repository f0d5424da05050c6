//! How many rows a plan gives, how wide they are, and how many values its columns have.
//!
//! From the statistics of files where there are any, and by the textbook's rules above them (Selinger et al., *Access Path
//! Selection in a Relational Database Management System*, 1979; independence of predicates, containment of join keys).
//! An estimate only ever changes how fast a plan is.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, JoinType, Result, ScalarValue};
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::{PhysicalExpr, PhysicalExprRef};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::statistics::ChildStats;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, StatisticsArgs, StatisticsContext};

use super::estimated::EstimatedExec;
use super::selectivity::selectivity;

/// Rows of a source that has no statistics.
const UNKNOWN_ROWS: f64 = 100_000.0;
/// Bytes of a text or another value without a fixed width.
const UNKNOWN_WIDTH: f64 = 24.0;
/// Where a text begins, besides its bytes.
const OFFSET_WIDTH: f64 = 4.0;
/// A column of files that takes more for each value holds the values themselves.
const MOST_BITS_OF_A_CODE: f64 = 16.0;
/// The share of rows that a join's further conditions leave.
const FILTER_OF_JOIN: f64 = 0.3;

/// What a plan is expected to give.
#[derive(Debug, Clone)]
pub(super) struct Estimate {
    pub(super) rows: f64,
    pub(super) columns: Vec<ColumnEstimate>,
}

/// What a column is expected to hold.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnEstimate {
    /// How many values it has, where anything is known of that.
    pub(super) distinct: Option<f64>,
    /// How many its table has, before anything was dropped.
    pub(super) domain: Option<f64>,
    /// The least and the greatest as numbers, where they are numbers or dates.
    pub(super) range: Option<(f64, f64)>,
    /// Bytes of a value.
    pub(super) width: f64,
}

impl Estimate {
    /// Bytes of a row in memory.
    pub(super) fn row_bytes(&self) -> f64 {
        self.columns.iter().map(|column| column.width).sum::<f64>().max(1.0)
    }

    /// Bytes of all rows in memory.
    pub(super) fn bytes(&self) -> f64 {
        self.rows * self.row_bytes()
    }

    /// What is known of the column that an expression is.
    fn column(&self, expression: &Arc<dyn PhysicalExpr>) -> Option<&ColumnEstimate> {
        self.columns.get(plain_column(expression)?)
    }

    /// How many values an expression has: at most as many as there are rows.
    pub(super) fn distinct(&self, expression: &Arc<dyn PhysicalExpr>) -> Option<f64> {
        let distinct = self.column(expression)?.distinct?;
        Some(distinct.min(self.rows).max(1.0))
    }

    /// How far the least value of an expression is from its greatest, where both are known.
    pub(super) fn span(&self, expression: &Arc<dyn PhysicalExpr>) -> Option<f64> {
        let (least, greatest) = self.column(expression)?.range?;
        Some(greatest - least + 1.0)
    }

    /// The share of its table's values that an expression still has; all of them where nothing is known.
    pub(super) fn share_of_domain(&self, expression: &Arc<dyn PhysicalExpr>) -> f64 {
        let domain = self.column(expression).and_then(|column| column.domain);
        match (self.distinct(expression), domain) {
            (Some(distinct), Some(domain)) => (distinct / domain.max(1.0)).min(1.0),
            _ => 1.0,
        }
    }

    /// How many combinations of values several expressions have. One of which nothing is known may be a key.
    pub(super) fn distinct_together<'a>(
        &self,
        expressions: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>,
    ) -> f64 {
        let mut product = 1.0_f64;
        for expression in expressions {
            product *= self.distinct(expression).unwrap_or(self.rows);
        }
        product.min(self.rows).max(1.0)
    }

    /// The same with fewer rows.
    pub(super) fn scaled(self, share: f64) -> Self {
        let rows = self.rows * share.clamp(0.0, 1.0);
        self.with_rows(rows)
    }

    /// The same with another number of rows.
    fn with_rows(mut self, rows: f64) -> Self {
        self.rows = rows;
        for column in &mut self.columns {
            column.distinct = column.distinct.map(|distinct| distinct.min(self.rows.max(1.0)));
        }
        self
    }
}

/// The column that an expression is, behind casts.
pub(super) fn plain_column(expression: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    if let Some(column) = expression.downcast_ref::<Column>() {
        return Some(column.index());
    }
    plain_column(expression.downcast_ref::<CastExpr>()?.expr())
}

/// What a plan is expected to give.
pub(super) fn estimate(plan: &Arc<dyn ExecutionPlan>) -> Result<Estimate> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return of_filter(filter);
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return of_projection(projection);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return of_aggregate(aggregate);
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let (left, right) = (estimate(join.left())?, estimate(join.right())?);
        let joined = of_join(&left, &right, join.on(), *join.join_type(), join.filter().is_some());
        return Ok(match join.projection.as_ref() {
            Some(kept) => pick(joined, kept.iter().copied()),
            None => joined,
        });
    }
    if let Some(join) = plan.downcast_ref::<SortMergeJoinExec>() {
        let (left, right) = (estimate(join.left())?, estimate(join.right())?);
        return Ok(of_join(&left, &right, join.on(), join.join_type(), join.filter().is_some()));
    }
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        let (left, right) = (estimate(join.left())?, estimate(join.right())?);
        let joined = of_join(&left, &right, &[], *join.join_type(), join.filter().is_some());
        return Ok(match join.projection().as_ref() {
            Some(kept) => pick(joined, kept.iter().copied()),
            None => joined,
        });
    }
    if let Some(join) = plan.downcast_ref::<CrossJoinExec>() {
        let (left, right) = (estimate(join.left())?, estimate(join.right())?);
        return Ok(of_join(&left, &right, &[], JoinType::Inner, false));
    }
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        return Ok(limited(estimate(sort.input())?, sort.fetch()));
    }
    if plan.is::<UnionExec>() {
        return of_union(plan);
    }
    if let Some(estimated) = plan.downcast_ref::<EstimatedExec>() {
        return estimate(estimated.input());
    }
    let children = plan.children();
    match children.as_slice() {
        // Nodes that pass rows on: exchanges, limits, whatever has the columns of its input.
        [child] if child.schema().fields().len() == plan.schema().fields().len() => {
            let passed = estimate(child)?;
            Ok(match measured_rows(plan)? {
                Some(rows) => passed.with_rows(rows),
                None => limited(passed, plan.fetch()),
            })
        }
        _ => of_statistics(plan),
    }
}

/// The rows of a node that knows them without asking its input: an exchange that has been run.
fn measured_rows(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<f64>> {
    if plan.child_stats_requests(None).iter().any(|asked| !matches!(asked, ChildStats::Skip)) {
        return Ok(None);
    }
    let known = plan.statistics_from_inputs(&[], &StatisticsArgs::new())?;
    Ok(match known.num_rows {
        Precision::Exact(rows) => Some(rows as f64),
        _ => None,
    })
}

fn limited(mut input: Estimate, fetch: Option<usize>) -> Estimate {
    if let Some(fetch) = fetch {
        input.rows = input.rows.min(fetch as f64);
    }
    input
}

fn pick(input: Estimate, kept: impl Iterator<Item = usize>) -> Estimate {
    let columns = kept.map(|at| input.columns.get(at).cloned().unwrap_or_default()).collect();
    Estimate { rows: input.rows, columns }
}

fn of_filter(filter: &FilterExec) -> Result<Estimate> {
    let input = estimate(filter.input())?;
    let share = selectivity(filter.predicate(), &input);
    let filtered = input.scaled(share);
    Ok(match filter.projection().as_ref() {
        Some(kept) => pick(filtered, kept.iter().copied()),
        None => filtered,
    })
}

fn of_projection(projection: &ProjectionExec) -> Result<Estimate> {
    let input = estimate(projection.input())?;
    let schema = projection.schema();
    let columns = projection.expr().iter().enumerate().map(|(at, shown)| {
        let known = plain_column(&shown.expr).and_then(|column| input.columns.get(column)).cloned();
        known.unwrap_or_else(|| ColumnEstimate { width: width(schema.field(at).data_type()), ..Default::default() })
    });
    Ok(Estimate { rows: input.rows, columns: columns.collect() })
}

fn of_aggregate(aggregate: &AggregateExec) -> Result<Estimate> {
    let input = estimate(aggregate.input())?;
    let schema = aggregate.schema();
    let keys: Vec<_> = aggregate.group_expr().expr().iter().map(|(expression, _)| Arc::clone(expression)).collect();
    let rows = match (keys.is_empty(), aggregate.mode()) {
        (true, _) => 1.0,
        // A final step sees the groups of the step before.
        (false, AggregateMode::Final | AggregateMode::FinalPartitioned) => input.rows,
        (false, _) if keys.iter().all(|key| input.distinct(key).is_none()) => input.rows.powf(0.75).max(1.0),
        (false, _) => input.distinct_together(&keys),
    };
    let columns = schema.fields().iter().enumerate().map(|(at, field)| {
        let key = keys.get(at).and_then(plain_column).and_then(|column| input.columns.get(column)).cloned();
        let mut column =
            key.unwrap_or_else(|| ColumnEstimate { width: width(field.data_type()), ..Default::default() });
        if keys.len() == 1 && at == 0 {
            column.distinct = Some(rows);
        }
        column
    });
    let columns = columns.collect();
    Ok(limited(Estimate { rows, columns }, aggregate.limit_options().map(|limit| limit.limit())))
}

fn of_union(plan: &Arc<dyn ExecutionPlan>) -> Result<Estimate> {
    let mut sum: Option<Estimate> = None;
    for child in plan.children() {
        let child = estimate(child)?;
        sum = Some(match sum {
            None => child,
            Some(mut sum) => {
                sum.rows += child.rows;
                for (column, other) in sum.columns.iter_mut().zip(child.columns) {
                    column.distinct = Some(column.distinct.unwrap_or(0.0) + other.distinct.unwrap_or(0.0))
                        .filter(|distinct| *distinct > 0.0);
                    column.domain = column.domain.zip(other.domain).map(|(one, other)| one + other);
                    column.range = match (column.range, other.range) {
                        (Some(left), Some(right)) => Some((left.0.min(right.0), left.1.max(right.1))),
                        _ => None,
                    };
                }
                sum
            }
        });
    }
    Ok(sum.unwrap_or(Estimate { rows: 0.0, columns: Vec::new() }))
}

/// What a join of two inputs gives.
pub(super) fn of_join(
    left: &Estimate,
    right: &Estimate,
    on: &[(PhysicalExprRef, PhysicalExprRef)],
    join_type: JoinType,
    has_filter: bool,
) -> Estimate {
    let (keys_left, keys_right) = keys_of_join(left, right, on);
    let further = if has_filter { FILTER_OF_JOIN } else { 1.0 };
    let matches = left.rows * right.rows / keys_left.max(keys_right) * further;
    let (of_left, of_right) = match on.is_empty() {
        true => (further, further),
        false => ((keys_right / keys_left).min(1.0) * further, (keys_left / keys_right).min(1.0) * further),
    };
    let (left_kept, right_kept) = with_common_keys(left, right, on);
    let both = |left: &Estimate, right: &Estimate, rows: f64| {
        let columns = left.columns.iter().chain(&right.columns).cloned().collect();
        let mut joined = Estimate { rows, columns };
        for column in &mut joined.columns {
            column.distinct = column.distinct.map(|distinct| distinct.min(rows.max(1.0)));
        }
        joined
    };
    let with_mark = |side: &Estimate| {
        let mut marked = side.clone();
        marked.columns.push(ColumnEstimate { distinct: Some(2.0), width: 1.0, ..Default::default() });
        marked
    };
    match join_type {
        JoinType::Inner => both(&left_kept, &right_kept, matches),
        JoinType::Left => both(left, right, matches.max(left.rows)),
        JoinType::Right => both(left, right, matches.max(right.rows)),
        JoinType::Full => both(left, right, matches.max(left.rows).max(right.rows)),
        JoinType::LeftSemi => left_kept.scaled(of_left),
        JoinType::RightSemi => right_kept.scaled(of_right),
        // At least a little stays, or whatever comes after would look free.
        JoinType::LeftAnti => left.clone().scaled((1.0 - of_left).max(0.1)),
        JoinType::RightAnti => right.clone().scaled((1.0 - of_right).max(0.1)),
        JoinType::LeftMark => with_mark(left),
        JoinType::RightMark => with_mark(right),
    }
}

/// How many values each input of a join has of one of the join's keys.
///
/// How many values a column of whole numbers has is guessed from its ends, which is too many where the numbers have gaps. Of
/// two columns with the same ends one mostly refers to the other: then both have the values of that with fewer.
pub(super) fn values_of_key(left: &Estimate, right: &Estimate, on: &(PhysicalExprRef, PhysicalExprRef)) -> (f64, f64) {
    let (left_key, right_key) = on;
    let mut left_values = left.distinct(left_key).unwrap_or(left.rows);
    let mut right_values = right.distinct(right_key).unwrap_or(right.rows);
    if let (Some(one), Some(other)) = (left.column(left_key), right.column(right_key))
        && one.range.is_some()
        && one.range == other.range
        && let (Some(one), Some(other)) = (one.domain, other.domain)
    {
        left_values = left_values.min(one.min(other));
        right_values = right_values.min(one.min(other));
    }
    (left_values, right_values)
}

/// How many combinations of keys each input of a join has.
fn keys_of_join(left: &Estimate, right: &Estimate, on: &[(PhysicalExprRef, PhysicalExprRef)]) -> (f64, f64) {
    let (mut keys_left, mut keys_right) = (1.0_f64, 1.0_f64);
    for pair in on {
        let (left_values, right_values) = values_of_key(left, right, pair);
        keys_left *= left_values;
        keys_right *= right_values;
    }
    (keys_left.min(left.rows).max(1.0), keys_right.min(right.rows).max(1.0))
}

/// The inputs of a join with the values of its keys that both have.
fn with_common_keys(
    left: &Estimate,
    right: &Estimate,
    on: &[(PhysicalExprRef, PhysicalExprRef)],
) -> (Estimate, Estimate) {
    let (mut left_kept, mut right_kept) = (left.clone(), right.clone());
    for pair in on {
        let (left_values, right_values) = values_of_key(left, right, pair);
        let common = left_values.min(right_values);
        for (side, key) in [(&mut left_kept, &pair.0), (&mut right_kept, &pair.1)] {
            let column = plain_column(key).and_then(|at| side.columns.get_mut(at));
            if let Some(distinct) = column.and_then(|column| column.distinct.as_mut()) {
                *distinct = distinct.min(common);
            }
        }
    }
    (left_kept, right_kept)
}

fn of_statistics(plan: &Arc<dyn ExecutionPlan>) -> Result<Estimate> {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new())?;
    let rows = statistics.num_rows.get_value().map_or(UNKNOWN_ROWS, |rows| *rows as f64);
    let schema = plan.schema();
    let columns = schema.fields().iter().enumerate().map(|(at, field)| {
        let kind = field.data_type();
        match statistics.column_statistics.get(at) {
            Some(known) => of_column(known, kind, rows),
            None => ColumnEstimate { width: width(kind), ..Default::default() },
        }
    });
    Ok(Estimate { rows, columns: columns.collect() })
}

fn of_column(known: &ColumnStatistics, kind: &DataType, rows: f64) -> ColumnEstimate {
    let number = |value: &Precision<ScalarValue>| value.get_value().and_then(as_number);
    let range = number(&known.min_value).zip(number(&known.max_value)).filter(|(least, greatest)| least <= greatest);
    let counted = known.distinct_count.get_value().map(|count| *count as f64);
    // A column of whole numbers has no more values than there are between its ends.
    let between = range.filter(|_| is_whole(kind)).map(|(least, greatest)| greatest - least + 1.0);
    let bits = known.byte_size.get_value().map(|bytes| *bytes as f64 * 8.0 / rows.max(1.0));
    let distinct = counted.or(between).or_else(|| coded(kind, bits?)).map(|distinct| distinct.min(rows).max(1.0));
    ColumnEstimate { distinct, domain: distinct, range, width: width_of(known, kind, bits) }
}

/// How many values a column of texts has whose files take so few bits for each: they hold numbers of words of a
/// dictionary then, and such a number has as many bits as there are words, at least in the logarithm.
fn coded(kind: &DataType, bits: f64) -> Option<f64> {
    (is_text(kind) && bits > 0.0 && bits <= MOST_BITS_OF_A_CODE).then(|| bits.ceil().exp2())
}

/// Bytes of a value in memory. Of a text, those in the file, or as many as the least and the greatest have.
fn width_of(known: &ColumnStatistics, kind: &DataType, bits: Option<f64>) -> f64 {
    if !is_text(kind) {
        return width(kind);
    }
    let length = |value: &Precision<ScalarValue>| match value.get_value()? {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => {
            text.as_ref().map(|text| text.len() as f64)
        }
        _ => None,
    };
    let ends = length(&known.min_value).zip(length(&known.max_value)).map(|(least, greatest)| (least + greatest) / 2.0);
    let stored = bits.filter(|bits| *bits > MOST_BITS_OF_A_CODE).map(|bits| bits / 8.0);
    stored.or(ends).map_or(UNKNOWN_WIDTH, |bytes| bytes + OFFSET_WIDTH)
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_whole(kind: &DataType) -> bool {
    kind.is_integer() || matches!(kind, DataType::Date32) || matches!(kind, DataType::Decimal128(_, 0))
}

/// A number or a date as a number.
pub(super) fn as_number(value: &ScalarValue) -> Option<f64> {
    match value {
        ScalarValue::Date32(Some(days)) => Some(f64::from(*days)),
        ScalarValue::Decimal128(Some(unscaled), _, scale) => Some(*unscaled as f64 / 10f64.powi(i32::from(*scale))),
        ScalarValue::Utf8(_) | ScalarValue::Utf8View(_) | ScalarValue::LargeUtf8(_) => None,
        other if other.data_type().is_numeric() || other.data_type().is_temporal() => {
            match other.cast_to(&DataType::Float64).ok()? {
                ScalarValue::Float64(number) => number.filter(|number| number.is_finite()),
                _ => None,
            }
        }
        _ => None,
    }
}

fn width(kind: &DataType) -> f64 {
    kind.primitive_width().map_or(UNKNOWN_WIDTH, |bytes| bytes as f64)
}
