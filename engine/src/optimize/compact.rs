//! Columns that stay as their file has them for as long as nobody needs more.
//!
//! Parquet has a text that repeats as the number of a word in a dictionary, and a decimal of at most 18 digits in 32 or 64
//! bits. A scan that gives texts and decimals of 128 bits makes them of these for all rows, also for those that the next
//! condition drops. Here the scan gives the columns as they are stored: conditions look at the few words of a dictionary
//! instead of each row's text, groups are made of what is cheap to compare, and a column becomes what its table says where a
//! node needs it so, which is mostly after a filter.
//!
//! Which columns these are is decided from above: a column gains if a condition looks at it, if it is grouped by, if it is
//! added or multiplied, or if rows are dropped before its own type is needed. Nothing of this leaves the process: a plan is changed where it runs.

mod expressions;
mod reader;
mod stored;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{JoinSide, JoinType, Result};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};

use self::expressions::{Use, over_stored, uses_of};
use self::reader::{Columns, StoredReaders};
use self::stored::{AsStored, Stored, Words};
use super::estimate::{Estimate, estimate};
use super::selectivity::selectivity;

/// A filter that leaves more than this share of the rows does not make it worth while to read other columns as stored.
const MOST_KEPT: f64 = 0.7;
/// A column with more words is not read as their numbers.
const MOST_WORDS: f64 = 1024.0;

/// Has scans give columns as they are stored where that saves work.
#[derive(Debug, Default)]
pub(crate) struct CompactColumns;

impl PhysicalOptimizerRule for CompactColumns {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        restored(plan)
    }

    fn name(&self) -> &str {
        "compact_columns"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A plan some of whose columns come as they are stored.
struct Compact {
    plan: Arc<dyn ExecutionPlan>,
    /// For each column that does, what it is without that.
    own: Vec<Option<FieldRef>>,
}

impl Compact {
    fn nothing(plan: Arc<dyn ExecutionPlan>) -> Self {
        let own = vec![None; plan.schema().fields().len()];
        Self { plan, own }
    }

    fn is_nothing(&self) -> bool {
        self.own.iter().all(Option::is_none)
    }

    /// The plan with all columns in their own types.
    fn restored(self) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.restored_but(|_, _| false)?.plan)
    }

    /// The same with the columns that may stay as they are stored.
    fn restored_but(mut self, may_stay: impl Fn(usize, &FieldRef) -> bool) -> Result<Self> {
        let schema = self.plan.schema();
        let mut columns = Vec::with_capacity(schema.fields().len());
        let mut changed = false;
        for (at, (field, own)) in schema.fields().iter().zip(&mut self.own).enumerate() {
            let column = Arc::new(Column::new(field.name(), at)) as Arc<dyn PhysicalExpr>;
            let expr = match own.take_if(|own| !may_stay(at, own)) {
                Some(own) => {
                    changed = true;
                    Arc::new(CastExpr::new_with_target_field(column, own, None))
                }
                None => column,
            };
            columns.push(ProjectionExpr { expr, alias: field.name().clone() });
        }
        if changed {
            self.plan = Arc::new(ProjectionExec::try_new(columns, self.plan)?);
        }
        Ok(self)
    }
}

/// The plan, its columns in their own types, with whatever is compact below.
fn restored(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let nothing = vec![Use::default(); plan.schema().fields().len()];
    below(plan, &nothing)?.restored()
}

/// A plan whose columns are used above as given.
fn below(plan: Arc<dyn ExecutionPlan>, uses: &[Use]) -> Result<Compact> {
    if plan.is::<DataSourceExec>() {
        return scan(plan, uses);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return of_filter(&plan, filter, uses);
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return of_projection(&plan, projection, uses);
    }
    if plan.is::<CoalescePartitionsExec>() {
        let [input] = plan.children()[..] else { return Ok(Compact::nothing(plan)) };
        let input = below(Arc::clone(input), uses)?;
        return Ok(Compact { plan: replace_children_if_necessary(plan, vec![input.plan])?, own: input.own });
    }
    if let Some(exchange) = plan.downcast_ref::<RepartitionExec>() {
        return of_exchange(&plan, exchange, uses);
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return of_join(&plan, join, uses);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>()
        && *aggregate.mode() == AggregateMode::Partial
        && aggregate.group_expr().is_single()
        && plan.dynamic_expressions_produced().is_empty()
    {
        return of_aggregate(&plan, aggregate);
    }
    Ok(Compact::nothing(with_restored_children(plan)?))
}

fn with_restored_children(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children = plan.children().into_iter().map(|child| restored(Arc::clone(child)));
    let children = children.collect::<Result<Vec<_>>>()?;
    if children.is_empty() { Ok(plan) } else { replace_children_if_necessary(plan, children) }
}

fn of_filter(plan: &Arc<dyn ExecutionPlan>, filter: &FilterExec, uses: &[Use]) -> Result<Compact> {
    let width = filter.input().schema().fields().len();
    let kept: Vec<usize> = match filter.projection().as_ref() {
        Some(kept) => kept.to_vec(),
        None => (0..width).collect(),
    };
    let mut inner = vec![Use::default(); width];
    for (at, used) in kept.iter().zip(uses) {
        inner[*at].add(*used);
    }
    if selectivity(filter.predicate(), &estimate(filter.input())?) <= MOST_KEPT {
        inner.iter_mut().for_each(|used| used.dropped = true);
    }
    uses_of(filter.predicate(), &mut inner);
    let input = below(Arc::clone(filter.input()), &inner)?;
    if input.is_nothing() {
        let plan = replace_children_if_necessary(Arc::clone(plan), vec![input.plan])?;
        return Ok(Compact::nothing(plan));
    }
    let predicate = over_stored(filter.predicate(), &input.own, &input.plan.schema())?;
    let own = kept.iter().map(|at| input.own[*at].clone()).collect();
    let filter = FilterExecBuilder::from(filter).with_input(input.plan).with_predicate(predicate).build()?;
    Ok(Compact { plan: Arc::new(filter), own })
}

fn of_projection(plan: &Arc<dyn ExecutionPlan>, projection: &ProjectionExec, uses: &[Use]) -> Result<Compact> {
    let mut inner = vec![Use::default(); projection.input().schema().fields().len()];
    for (shown, used) in projection.expr().iter().zip(uses) {
        match shown.expr.downcast_ref::<Column>() {
            Some(column) => inner[column.index()].add(*used),
            None => uses_of(&shown.expr, &mut inner),
        }
    }
    let input = below(Arc::clone(projection.input()), &inner)?;
    if input.is_nothing() {
        let plan = replace_children_if_necessary(Arc::clone(plan), vec![input.plan])?;
        return Ok(Compact::nothing(plan));
    }
    let (mut shown, mut own) = (Vec::new(), Vec::new());
    for (at, given) in projection.expr().iter().enumerate() {
        let passed = given.expr.downcast_ref::<Column>().and_then(|column| input.own[column.index()].clone());
        // Under its own name and nullability here.
        own.push(passed.map(|_| Arc::clone(&projection.schema().fields()[at])));
        let expr = match own.last() {
            Some(Some(_)) => Arc::clone(&given.expr),
            _ => over_stored(&given.expr, &input.own, &input.plan.schema())?,
        };
        shown.push(ProjectionExpr { expr, alias: given.alias.clone() });
    }
    Ok(Compact { plan: Arc::new(ProjectionExec::try_new(shown, input.plan)?), own })
}

/// Numbers pass where rows are held or sorted out. Texts do not: dictionaries would have to be copied.
fn passes(own: &FieldRef) -> bool {
    own.data_type().is_decimal()
}

fn of_exchange(plan: &Arc<dyn ExecutionPlan>, exchange: &RepartitionExec, uses: &[Use]) -> Result<Compact> {
    let schema = plan.schema();
    let keys = match exchange.partitioning() {
        Partitioning::Hash(keys, _) => keys.as_slice(),
        Partitioning::RoundRobinBatch(_) => &[],
        _ => return Ok(Compact::nothing(with_restored_children(Arc::clone(plan))?)),
    };
    let is_key = |at: usize| keys.iter().any(|key| collect_columns(key).iter().any(|column| column.index() == at));
    // Whole batches go round as they are.
    let may_stay = |at: usize, own: &FieldRef| keys.is_empty() || passes(own) && !is_key(at);
    let inner = schema.fields().iter().zip(uses).enumerate();
    let inner: Vec<Use> =
        inner.map(|(at, (own, used))| if may_stay(at, own) { *used } else { Use::default() }).collect();
    let input = below(Arc::clone(exchange.input()), &inner)?.restored_but(may_stay)?;
    Ok(Compact { plan: replace_children_if_necessary(Arc::clone(plan), vec![input.plan])?, own: input.own })
}

/// A join: columns that it does not look at pass through, and many rows may be dropped by it.
fn of_join(plan: &Arc<dyn ExecutionPlan>, join: &HashJoinExec, uses: &[Use]) -> Result<Compact> {
    let (left, right) = (join.left().schema().fields().len(), join.right().schema().fields().len());
    let all: Vec<(JoinSide, usize)> = match join.join_type() {
        JoinType::LeftSemi | JoinType::LeftAnti => (0..left).map(|at| (JoinSide::Left, at)).collect(),
        JoinType::RightSemi | JoinType::RightAnti => (0..right).map(|at| (JoinSide::Right, at)).collect(),
        JoinType::LeftMark | JoinType::RightMark => {
            return Ok(Compact::nothing(with_restored_children(Arc::clone(plan))?));
        }
        _ => {
            let left = (0..left).map(|at| (JoinSide::Left, at));
            left.chain((0..right).map(|at| (JoinSide::Right, at))).collect()
        }
    };
    let given: Vec<(JoinSide, usize)> = match join.projection.as_ref() {
        Some(kept) => kept.iter().map(|at| all[*at]).collect(),
        None => all,
    };
    let joined = estimate(plan)?.rows;
    let input = |side: JoinSide, input: &Arc<dyn ExecutionPlan>| -> Result<Compact> {
        let looked_at = looked_at(join, side);
        let may_stay = |at: usize, own: &FieldRef| passes(own) && !looked_at.contains(&at);
        let schema = input.schema();
        let is_dropped = joined <= estimate(input)?.rows * MOST_KEPT;
        let mut inner = vec![Use::default(); schema.fields().len()];
        for ((_, at), used) in given.iter().zip(uses).filter(|((own, _), _)| *own == side) {
            if may_stay(*at, &schema.fields()[*at]) {
                inner[*at].add(*used);
                inner[*at].dropped |= is_dropped;
            }
        }
        below(Arc::clone(input), &inner)?.restored_but(may_stay)
    };
    let (left, right) = (input(JoinSide::Left, join.left())?, input(JoinSide::Right, join.right())?);
    let own = given.iter().map(|(side, at)| match side {
        JoinSide::Left => left.own[*at].clone(),
        _ => right.own[*at].clone(),
    });
    let own = own.collect();
    Ok(Compact { plan: replace_children_if_necessary(Arc::clone(plan), vec![left.plan, right.plan])?, own })
}

/// The columns of a side that the join itself looks at.
fn looked_at(join: &HashJoinExec, side: JoinSide) -> Vec<usize> {
    let keys = join.on().iter().map(|(left, right)| if side == JoinSide::Left { left } else { right });
    let mut columns: Vec<usize> =
        keys.flat_map(|key| collect_columns(key).into_iter().map(|column| column.index())).collect();
    let filter = join.filter().into_iter().flat_map(|filter| filter.column_indices());
    columns.extend(filter.filter(|column| column.side == side).map(|column| column.index));
    columns
}

/// The first step of an aggregation: groups are made of the columns as they come.
fn of_aggregate(plan: &Arc<dyn ExecutionPlan>, aggregate: &AggregateExec) -> Result<Compact> {
    let mut inner = vec![Use::default(); aggregate.input().schema().fields().len()];
    let keys = aggregate.group_expr().expr();
    for (key, _) in keys {
        match key.downcast_ref::<Column>() {
            Some(column) => inner[column.index()].grouped = true,
            None => uses_of(key, &mut inner),
        }
    }
    for function in aggregate.aggr_expr() {
        function.expressions().iter().for_each(|argument| uses_of(argument, &mut inner));
    }
    aggregate.filter_expr().iter().flatten().for_each(|condition| uses_of(condition, &mut inner));
    let input = below(Arc::clone(aggregate.input()), &inner)?;
    if input.is_nothing() {
        let plan = replace_children_if_necessary(Arc::clone(plan), vec![input.plan])?;
        return Ok(Compact::nothing(plan));
    }
    let schema = input.plan.schema();
    let mut own = vec![None; plan.schema().fields().len()];
    let mut compact_keys = Vec::with_capacity(keys.len());
    for (at, (key, name)) in keys.iter().enumerate() {
        let stored = key.downcast_ref::<Column>().filter(|column| input.own[column.index()].is_some());
        let compact = match stored.map(|column| schema.field(column.index()).data_type()) {
            // Groups of codes cannot be made; a view of a short text is compared as a number.
            Some(DataType::Dictionary(..)) => {
                own[at] = Some(Arc::clone(&plan.schema().fields()[at]));
                Arc::new(Words(Arc::clone(key))) as Arc<dyn PhysicalExpr>
            }
            // Nor fast ones of decimals of 64 bits.
            _ => over_stored(key, &input.own, &schema)?,
        };
        compact_keys.push((compact, name.clone()));
    }
    let mut functions = Vec::with_capacity(aggregate.aggr_expr().len());
    for function in aggregate.aggr_expr() {
        let all = function.all_expressions();
        let over = |expressions: Vec<Arc<dyn PhysicalExpr>>| {
            expressions.iter().map(|one| over_stored(one, &input.own, &schema)).collect::<Result<Vec<_>>>()
        };
        match function.with_new_expressions(over(all.args)?, over(all.order_by_exprs)?) {
            Some(function) => functions.push(Arc::new(function)),
            None => {
                return Ok(Compact::nothing(replace_children_if_necessary(Arc::clone(plan), vec![input.restored()?])?));
            }
        }
    }
    let filters = aggregate
        .filter_expr()
        .iter()
        .map(|condition| condition.as_ref().map(|condition| over_stored(condition, &input.own, &schema)).transpose());
    let compact = AggregateExec::try_new(
        *aggregate.mode(),
        PhysicalGroupBy::new_single(compact_keys),
        functions,
        filters.collect::<Result<Vec<_>>>()?,
        input.plan,
        schema,
    )?;
    Ok(Compact { plan: Arc::new(compact.with_limit_options(aggregate.limit_options())), own })
}

/// A scan that gives the columns which gain from it as they are stored.
fn scan(plan: Arc<dyn ExecutionPlan>, uses: &[Use]) -> Result<Compact> {
    let Some(files) =
        plan.downcast_ref::<DataSourceExec>().and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>())
    else {
        return Ok(Compact::nothing(plan));
    };
    let Some(source) = files.file_source().downcast_ref::<ParquetSource>() else { return Ok(Compact::nothing(plan)) };
    let (Some(readers), Some(given)) = (source.parquet_file_reader_factory(), source.projection()) else {
        return Ok(Compact::nothing(plan));
    };
    if plan.output_ordering().is_some() || !uses.iter().any(|used| used.gains()) {
        return Ok(Compact::nothing(plan));
    }
    let expected = estimate(&plan)?;
    let in_file = source.table_schema().file_schema();
    let schema = plan.schema();
    let mut columns = Columns::new();
    let (mut shown, mut own) = (Vec::new(), Vec::new());
    for (at, field) in schema.fields().iter().enumerate() {
        let column = Arc::new(Column::new(field.name(), at)) as Arc<dyn PhysicalExpr>;
        let read = given.as_ref().get(at).and_then(|given| given.expr.downcast_ref::<Column>());
        let read = read.filter(|read| in_file.fields().get(read.index()).is_some_and(|own| own.name() == read.name()));
        let stored = read.and_then(|_| stored_as(uses[at], field.data_type(), &expected, at));
        let compact = stored.and_then(|stored| AsStored::of(Arc::clone(&column), stored, field));
        own.push(compact.as_ref().map(|_| Arc::clone(field)));
        if let (Some(read), Some(stored), true) = (read, stored, compact.is_some()) {
            columns.insert(read.name().to_owned(), stored);
        }
        let expr = compact.map_or(column, |compact| Arc::new(compact));
        shown.push(ProjectionExpr { expr, alias: field.name().clone() });
    }
    if columns.is_empty() {
        return Ok(Compact::nothing(plan));
    }
    let source =
        source.clone().with_parquet_file_reader_factory(Arc::new(StoredReaders::new(Arc::clone(readers), columns)));
    let Some(source) = source.try_pushdown_projection(&ProjectionExprs::from(shown))? else {
        return Ok(Compact::nothing(plan));
    };
    let files = FileScanConfigBuilder::from(files.clone()).with_source(source).build();
    Ok(Compact { plan: DataSourceExec::from_data_source(files), own })
}

/// How a column is best read, if not in its own type.
fn stored_as(used: Use, kind: &DataType, expected: &Estimate, at: usize) -> Option<Stored> {
    if used.must_be_own || !used.gains() {
        return None;
    }
    match kind {
        DataType::Utf8 => {
            let words = expected.columns.get(at).and_then(|column| column.distinct);
            let coded = words.is_some_and(|words| words <= MOST_WORDS);
            // Groups of many texts hold the texts themselves.
            let viewed = used.compared || used.dropped;
            if coded { Some(Stored::Codes) } else { viewed.then_some(Stored::Views) }
        }
        DataType::Decimal128(..) => Some(Stored::Narrow),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
