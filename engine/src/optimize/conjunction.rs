//! Filters of several conditions: all cheap ones on all rows, the others on the rows that are left.
//!
//! DataFusion's `AND` copies the rows that its left side leaves before it looks at the right side, where they are few, and
//! puts the bits back one run at a time. For two comparisons of numbers that takes longer than the comparisons. Here a
//! comparison of numbers is made on whole columns, and its bits are joined with those before; then texts are compared, and
//! whatever costs more or may fail runs last, on copies of the rows that are left by then.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{FilterBuilder, prep_null_mask_filter};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};

/// Rows are copied for a condition where at most this share of them is left.
const WORTH_A_COPY: f64 = 0.5;

/// Puts [`AllOf`] into filters.
#[derive(Debug, Default)]
pub(crate) struct Conjunctions;

impl PhysicalOptimizerRule for Conjunctions {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(filter) = node.downcast_ref::<FilterExec>() else { return Ok(Transformed::no(node)) };
            match AllOf::of(filter.predicate(), &filter.input().schema())? {
                Some(all) => {
                    let filter = FilterExecBuilder::from(filter).with_predicate(Arc::new(all)).build()?;
                    Ok(Transformed::yes(Arc::new(filter) as Arc<dyn ExecutionPlan>))
                }
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &str {
        "conjunctions"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What a condition costs, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// Comparisons of numbers, dates and truth values: less than copying the rows.
    Numbers,
    /// Comparisons of texts.
    Texts,
    /// Patterns in texts.
    Patterns,
    /// Anything else, which may fail as well: only rows that all others leave are looked at.
    Other,
}

/// Whether all conditions are true. Never null: where one is null, no row is wanted.
#[derive(Debug)]
struct AllOf {
    /// The conjunction as it was, for those who look at it.
    whole: Arc<dyn PhysicalExpr>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    condition: Arc<dyn PhysicalExpr>,
    cost: Cost,
    /// The condition over its own columns alone, and which of the batch these are.
    alone: Arc<dyn PhysicalExpr>,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl AllOf {
    /// The conditions of a conjunction in the order of their costs, if there are several.
    fn of(whole: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Result<Option<Self>> {
        let conditions = split_conjunction(whole);
        if conditions.len() < 2 {
            return Ok(None);
        }
        let parts = conditions.into_iter().map(|condition| Part::new(condition, schema));
        let mut parts = parts.collect::<Result<Vec<Part>>>()?;
        // Stable: conditions of one cost stay in their order.
        parts.sort_by_key(|part| part.cost);
        Ok(Some(Self { whole: Arc::clone(whole), parts }))
    }
}

impl Part {
    fn new(condition: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Result<Self> {
        let mut columns: Vec<usize> = collect_columns(condition).iter().map(Column::index).collect();
        columns.sort_unstable();
        columns.dedup();
        let own = Arc::new(schema.project(&columns)?);
        let names_repeat = own
            .fields()
            .iter()
            .enumerate()
            .any(|(at, field)| own.fields()[..at].iter().any(|other| other.name() == field.name()));
        let alone = match names_repeat {
            // Columns are found by name here; these keep to the whole batch.
            true => Arc::clone(condition),
            false => reassign_expr_columns(Arc::clone(condition), &own)?,
        };
        let (columns, own) =
            if names_repeat { ((0..schema.fields().len()).collect(), Arc::clone(schema)) } else { (columns, own) };
        Ok(Self { cost: cost(condition, schema), condition: Arc::clone(condition), alone, columns, schema: own })
    }

    /// Which rows the condition is true for.
    fn on_all(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        truths(self.condition.evaluate(batch)?, batch.num_rows())
    }

    /// The same for the chosen rows, of which there are `count`; other rows stay out.
    fn on_some(&self, batch: &RecordBatch, chosen: &BooleanBuffer, count: usize) -> Result<BooleanBuffer> {
        let filter = FilterBuilder::new(&BooleanArray::new(chosen.clone(), None)).build();
        let columns: Result<Vec<_>, _> =
            self.columns.iter().map(|column| filter.filter(batch.column(*column))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let copied = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns?, &options)?;
        let kept = truths(self.alone.evaluate(&copied)?, count)?;
        let mut all = BooleanBufferBuilder::new(batch.num_rows());
        all.append_n(batch.num_rows(), false);
        for (at, row) in chosen.set_indices().enumerate() {
            if kept.value(at) {
                all.set_bit(row, true);
            }
        }
        Ok(all.finish())
    }
}

/// The bits of a condition's result, nulls as false.
fn truths(result: ColumnarValue, rows: usize) -> Result<BooleanBuffer> {
    match result {
        ColumnarValue::Scalar(ScalarValue::Boolean(truth)) => {
            let truth = truth.unwrap_or(false);
            Ok(if truth { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) })
        }
        ColumnarValue::Array(array) if array.data_type() == &DataType::Boolean => {
            let bits = array.as_boolean();
            Ok(if bits.null_count() > 0 { prep_null_mask_filter(bits).values().clone() } else { bits.values().clone() })
        }
        ColumnarValue::Scalar(ScalarValue::Null) => Ok(BooleanBuffer::new_unset(rows)),
        other => internal_err!("a condition gave {}, not true or false", other.data_type()),
    }
}

fn cost(condition: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Cost {
    let below = || condition.children().into_iter().map(|child| cost(child, schema)).max().unwrap_or(Cost::Numbers);
    if condition.is::<Column>() || condition.is::<Literal>() {
        return match condition.data_type(schema) {
            Ok(DataType::Boolean | DataType::Null) => Cost::Numbers,
            Ok(kind) if kind.is_primitive() => Cost::Numbers,
            // It is compared by its words.
            Ok(DataType::Dictionary(..)) => Cost::Numbers,
            Ok(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Cost::Texts,
            _ => Cost::Other,
        };
    }
    if let Some(binary) = condition.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::And | Operator::Or => below(),
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => below(),
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => below(),
            _ => Cost::Other,
        };
    }
    let has_words = |looked_at: &Arc<dyn PhysicalExpr>| {
        looked_at.is::<Column>() && matches!(looked_at.data_type(schema), Ok(DataType::Dictionary(..)))
    };
    if (condition.is::<LikeExpr>() || condition.is::<InListExpr>())
        && condition.children().first().is_some_and(|looked_at| has_words(looked_at))
    {
        return Cost::Numbers;
    }
    if condition.is::<LikeExpr>() {
        return below().max(Cost::Patterns);
    }
    // A list of texts is hashed for every row.
    if condition.is::<InListExpr>() || condition.is::<IsNullExpr>() || condition.is::<IsNotNullExpr>() {
        return below();
    }
    if condition.is::<NotExpr>() { below() } else { Cost::Other }
}

impl fmt::Display for AllOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt(f)
    }
}

impl PartialEq for AllOf {
    fn eq(&self, other: &Self) -> bool {
        self.whole.eq(&other.whole)
    }
}

impl Eq for AllOf {}

impl Hash for AllOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.whole.hash(state);
    }
}

impl PhysicalExpr for AllOf {
    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(Arc::new(Field::new("all", DataType::Boolean, false)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let mut chosen: Option<(BooleanBuffer, usize)> = None;
        for part in &self.parts {
            let bits = match &chosen {
                None => part.on_all(batch)?,
                Some((_, 0)) => break,
                Some((before, count)) => {
                    let few = *count as f64 <= rows as f64 * WORTH_A_COPY;
                    let copy = match part.cost {
                        Cost::Numbers => false,
                        Cost::Texts | Cost::Patterns => few,
                        Cost::Other => *count < rows,
                    };
                    if copy { part.on_some(batch, before, *count)? } else { before & &part.on_all(batch)? }
                }
            };
            let count = bits.count_set_bits();
            chosen = Some((bits, count));
        }
        let bits = chosen.map_or_else(|| BooleanBuffer::new_set(rows), |(bits, _)| bits);
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(bits, None))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.whole]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        // Over other columns it is another conjunction, and is not looked at again.
        match children.into_iter().next() {
            Some(whole) if whole.eq(&self.whole) => Ok(self),
            Some(whole) => Ok(whole),
            None => internal_err!("a conjunction has conditions"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int32Array, StringArray};
    use datafusion::physical_expr::expressions::{binary, col, lit};

    use super::*;

    fn batch(rows: i32) -> RecordBatch {
        let a = Int32Array::from_iter((0..rows).map(|row| (row % 7 != 0).then_some(row % 100)));
        let b = StringArray::from_iter((0..rows).map(|row| (row % 5 != 0).then(|| format!("t{}", row % 11))));
        let c = Int32Array::from_iter_values((0..rows).map(|row| row % 3));
        RecordBatch::try_from_iter_with_nullable([
            ("a", Arc::new(a) as ArrayRef, true),
            ("b", Arc::new(b) as ArrayRef, true),
            ("c", Arc::new(c) as ArrayRef, true),
        ])
        .unwrap()
    }

    fn all(parts: Vec<Arc<dyn PhysicalExpr>>, schema: &SchemaRef) -> (Arc<dyn PhysicalExpr>, AllOf) {
        let whole =
            parts.into_iter().reduce(|left, right| binary(left, Operator::And, right, schema).unwrap()).unwrap();
        let all = AllOf::of(&whole, schema).unwrap().unwrap();
        (whole, all)
    }

    fn kept(expression: &dyn PhysicalExpr, batch: &RecordBatch) -> Vec<usize> {
        let bits = truths(expression.evaluate(batch).unwrap(), batch.num_rows()).unwrap();
        bits.set_indices().collect()
    }

    #[test]
    fn the_same_rows_as_the_conjunction() {
        let batch = batch(3_000);
        let schema = batch.schema();
        let column = |name: &str| col(name, &schema).unwrap();
        let compare = |left, op, right| binary(left, op, right, &schema).unwrap();
        for least in [-1, 20, 50, 90, 98, 200] {
            let (whole, all) = all(
                vec![
                    compare(column("b"), Operator::Eq, lit("t3")),
                    compare(column("a"), Operator::GtEq, lit(least)),
                    compare(column("c"), Operator::NotEq, lit(1)),
                ],
                &schema,
            );
            assert_eq!(
                all.parts.iter().map(|part| part.cost).collect::<Vec<_>>(),
                [Cost::Numbers, Cost::Numbers, Cost::Texts]
            );
            assert_eq!(kept(&all, &batch), kept(whole.as_ref(), &batch), "{least}");
            assert_eq!(all.to_string(), whole.to_string());
        }
    }

    #[test]
    fn what_may_fail_sees_only_rows_that_the_others_leave() {
        let batch = batch(300);
        let schema = batch.schema();
        let column = |name: &str| col(name, &schema).unwrap();
        let compare = |left, op, right| binary(left, op, right, &schema).unwrap();
        let divided = compare(lit(12), Operator::Divide, column("c"));
        // Two thirds are left, so that without care all rows would be divided.
        let (_, all) =
            all(vec![compare(divided, Operator::Gt, lit(6)), compare(column("c"), Operator::Gt, lit(0))], &schema);
        assert_eq!(kept(&all, &batch).len(), 100);
    }

    #[test]
    fn one_condition_stays_as_it_is() {
        let batch = batch(3);
        let schema = batch.schema();
        let one = binary(col("a", &schema).unwrap(), Operator::Gt, lit(1), &schema).unwrap();
        assert!(AllOf::of(&one, &schema).unwrap().is_none());
    }
}
