//! Sums, differences and products of decimals in 64 bits, where the values of a batch allow it.
//!
//! A decimal of 128 bits is mostly small. Arrow multiplies 128 bits by 128 all the same, and checks each result; a difference
//! of two scales takes two more such products. Here the ends of each column of a batch are looked at first: if no step of the
//! expression can leave 64 bits, all of it is made in 64 bits without a check. Otherwise the expression is evaluated as it
//! was, with its errors.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, FieldRef, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Literal};
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::projection::ProjectionExec;

/// Puts [`Narrow`] into projections and the arguments of aggregates.
#[derive(Debug, Default)]
pub(crate) struct NarrowDecimals;

impl PhysicalOptimizerRule for NarrowDecimals {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
                return of_projection(&node, projection);
            }
            if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
                return of_aggregate(&node, aggregate);
            }
            Ok(Transformed::no(node))
        })
        .data()
    }

    fn name(&self) -> &str {
        "narrow_decimals"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn of_projection(
    node: &Arc<dyn ExecutionPlan>,
    projection: &ProjectionExec,
) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let schema = projection.input().schema();
    let mut changed = false;
    let mut shown = Vec::with_capacity(projection.expr().len());
    for given in projection.expr() {
        let narrow = narrowed(&given.expr, &schema)?;
        changed |= narrow.transformed;
        shown.push(ProjectionExpr { expr: narrow.data, alias: given.alias.clone() });
    }
    if !changed {
        return Ok(Transformed::no(Arc::clone(node)));
    }
    Ok(Transformed::yes(Arc::new(ProjectionExec::try_new(shown, Arc::clone(projection.input()))?)))
}

fn of_aggregate(
    node: &Arc<dyn ExecutionPlan>,
    aggregate: &AggregateExec,
) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    if matches!(aggregate.mode(), AggregateMode::Final | AggregateMode::FinalPartitioned) {
        return Ok(Transformed::no(Arc::clone(node)));
    }
    let schema = aggregate.input().schema();
    let mut changed = false;
    let mut functions = Vec::with_capacity(aggregate.aggr_expr().len());
    for function in aggregate.aggr_expr() {
        let mut all = function.all_expressions();
        let mut own = false;
        for argument in &mut all.args {
            let narrow = narrowed(argument, &schema)?;
            own |= narrow.transformed;
            *argument = narrow.data;
        }
        let new = if own { function.with_new_expressions(all.args, all.order_by_exprs) } else { None };
        changed |= new.is_some();
        functions.push(new.map_or_else(|| Arc::clone(function), Arc::new));
    }
    if !changed {
        return Ok(Transformed::no(Arc::clone(node)));
    }
    Ok(Transformed::yes(Arc::new(aggregate.with_new_aggr_exprs(functions))))
}

/// An expression whose arithmetic on decimals is [`Narrow`].
fn narrowed(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(expression).transform_down(|part| {
        Ok(match Narrow::of(&part, schema)? {
            Some(narrow) => Transformed::new(Arc::new(narrow) as Arc<dyn PhysicalExpr>, true, TreeNodeRecursion::Jump),
            None => Transformed::no(part),
        })
    })
}

/// Arithmetic on decimals, in 64 bits where a batch's values allow it.
#[derive(Debug)]
struct Narrow {
    /// The expression as it was.
    whole: Arc<dyn PhysicalExpr>,
    /// What it is in this form. Its leaves are given by their place in `leaves`.
    tree: Tree,
    leaves: Vec<Arc<dyn PhysicalExpr>>,
    field: FieldRef,
    precision: u8,
    scale: i8,
}

fn is_made_here(operator: Operator) -> bool {
    matches!(operator, Operator::Plus | Operator::Minus | Operator::Multiply)
}

/// Whole numbers, each the unscaled value of a decimal.
#[derive(Debug)]
enum Tree {
    Leaf(usize),
    Constant(i64),
    /// Of two operands, each multiplied by a power of ten before that brings both to one scale.
    Sum(Box<Tree>, i64, Box<Tree>, i64),
    Difference(Box<Tree>, i64, Box<Tree>, i64),
    Product(Box<Tree>, Box<Tree>),
}

impl Narrow {
    /// The expression in this form, if it is arithmetic on decimals.
    fn of(whole: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Option<Self>> {
        let Some(binary) = whole.downcast_ref::<BinaryExpr>() else { return Ok(None) };
        if !is_made_here(*binary.op()) {
            return Ok(None);
        }
        let field = whole.return_field(schema)?;
        let DataType::Decimal128(precision, scale) = *field.data_type() else { return Ok(None) };
        let mut leaves = Vec::new();
        let Some((tree, made)) = Tree::of(whole, schema, &mut leaves)? else { return Ok(None) };
        if made != scale || leaves.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { whole: Arc::clone(whole), tree, leaves, field, precision, scale }))
    }

    /// The result for a batch, if no step of it can leave 64 bits.
    fn in_64_bits(&self, batch: &RecordBatch) -> Result<Option<ArrayRef>> {
        let rows = batch.num_rows();
        let mut nulls = None;
        let mut leaves = Vec::with_capacity(self.leaves.len());
        for leaf in &self.leaves {
            let array = leaf.evaluate(batch)?.into_array(rows)?;
            nulls = NullBuffer::union(nulls.as_ref(), array.nulls());
            match Leaf::of(array) {
                Some(leaf) => leaves.push(leaf),
                None => return Ok(None),
            }
        }
        let Some(_) = self.tree.ends(&leaves) else { return Ok(None) };
        let values: Vec<i128> = match self.tree.values(&leaves) {
            Values::Same(value) => vec![i128::from(value); rows],
            values => values.as_slice(&leaves).iter().map(|value| i128::from(*value)).collect(),
        };
        let array = Decimal128Array::new(values.into(), nulls).with_precision_and_scale(self.precision, self.scale)?;
        Ok(Some(Arc::new(array)))
    }
}

impl Tree {
    /// An expression of a decimal as a tree, and its scale.
    fn of(
        expression: &Arc<dyn PhysicalExpr>,
        schema: &Schema,
        leaves: &mut Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Option<(Self, i8)>> {
        if let Some(literal) = expression.downcast_ref::<Literal>() {
            return Ok(match literal.value() {
                ScalarValue::Decimal128(Some(value), _, scale) => {
                    i64::try_from(*value).ok().map(|value| (Self::Constant(value), *scale))
                }
                _ => None,
            });
        }
        let kind = expression.data_type(schema)?;
        let DataType::Decimal128(_, scale) = kind else { return Ok(None) };
        if let Some(binary) = expression.downcast_ref::<BinaryExpr>().filter(|binary| is_made_here(*binary.op())) {
            let left = Self::of(binary.left(), schema, leaves)?;
            let right = Self::of(binary.right(), schema, leaves)?;
            let (Some((left, left_scale)), Some((right, right_scale))) = (left, right) else { return Ok(None) };
            let (left, right) = (Box::new(left), Box::new(right));
            let common = left_scale.max(right_scale);
            let to_common = |own: i8| 10_i64.checked_pow(u32::try_from(i16::from(common) - i16::from(own)).ok()?);
            let (Some(left_by), Some(right_by)) = (to_common(left_scale), to_common(right_scale)) else {
                return Ok(None);
            };
            let (made, tree) = match binary.op() {
                Operator::Plus => (common, Self::Sum(left, left_by, right, right_by)),
                Operator::Minus => (common, Self::Difference(left, left_by, right, right_by)),
                _ => (left_scale.saturating_add(right_scale), Self::Product(left, right)),
            };
            return Ok((made == scale).then_some((tree, made)));
        }
        // What a cast from 64 to 128 bits is made of is what is wanted here.
        if let Some(cast) = expression.downcast_ref::<CastExpr>()
            && let DataType::Decimal64(_, stored) = cast.expr().data_type(schema)?
            && stored == scale
        {
            return Self::leaf(cast.expr(), scale, leaves);
        }
        Self::leaf(expression, scale, leaves)
    }

    fn leaf(
        expression: &Arc<dyn PhysicalExpr>,
        scale: i8,
        leaves: &mut Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Option<(Self, i8)>> {
        let known = leaves.iter().position(|leaf| leaf.eq(expression));
        let at = known.unwrap_or_else(|| {
            leaves.push(Arc::clone(expression));
            leaves.len() - 1
        });
        Ok(Some((Self::Leaf(at), scale)))
    }

    /// The least and the greatest that it can be, if no step leaves 64 bits.
    fn ends(&self, leaves: &[Leaf]) -> Option<(i64, i64)> {
        let narrow = |least: i128, greatest: i128| Some((i64::try_from(least).ok()?, i64::try_from(greatest).ok()?));
        let times = |(least, greatest): (i64, i64), by: i64| {
            narrow(i128::from(least) * i128::from(by), i128::from(greatest) * i128::from(by))
        };
        match self {
            Self::Leaf(at) => Some(leaves.get(*at)?.ends),
            Self::Constant(value) => Some((*value, *value)),
            Self::Sum(left, left_by, right, right_by) => {
                let (left, right) = (times(left.ends(leaves)?, *left_by)?, times(right.ends(leaves)?, *right_by)?);
                Some((left.0.checked_add(right.0)?, left.1.checked_add(right.1)?))
            }
            Self::Difference(left, left_by, right, right_by) => {
                let (left, right) = (times(left.ends(leaves)?, *left_by)?, times(right.ends(leaves)?, *right_by)?);
                Some((left.0.checked_sub(right.1)?, left.1.checked_sub(right.0)?))
            }
            Self::Product(left, right) => {
                let (left, right) = (left.ends(leaves)?, right.ends(leaves)?);
                let corners = [(left.0, right.0), (left.0, right.1), (left.1, right.0), (left.1, right.1)]
                    .map(|(one, other)| i128::from(one) * i128::from(other));
                narrow(*corners.iter().min()?, *corners.iter().max()?)
            }
        }
    }

    /// The values of all rows. [`Self::ends`] has told that no step leaves 64 bits.
    fn values(&self, leaves: &[Leaf]) -> Values {
        match self {
            Self::Leaf(at) => Values::Leaf(*at),
            Self::Constant(value) => Values::Same(*value),
            Self::Sum(left, left_by, right, right_by) => {
                let (left, right) = (left.values(leaves), right.values(leaves));
                combined(&left, &right, leaves, |one, other| {
                    one.wrapping_mul(*left_by).wrapping_add(other.wrapping_mul(*right_by))
                })
            }
            Self::Difference(left, left_by, right, right_by) => {
                let (left, right) = (left.values(leaves), right.values(leaves));
                combined(&left, &right, leaves, |one, other| {
                    one.wrapping_mul(*left_by).wrapping_sub(other.wrapping_mul(*right_by))
                })
            }
            Self::Product(left, right) => {
                let (left, right) = (left.values(leaves), right.values(leaves));
                combined(&left, &right, leaves, i64::wrapping_mul)
            }
        }
    }
}

/// What a part of a tree gives.
enum Values {
    Leaf(usize),
    Same(i64),
    Made(Vec<i64>),
}

impl Values {
    fn as_slice<'a>(&'a self, leaves: &'a [Leaf]) -> &'a [i64] {
        match self {
            Self::Leaf(at) => leaves.get(*at).map_or(&[], Leaf::values),
            Self::Same(_) => &[],
            Self::Made(values) => values,
        }
    }
}

fn combined(left: &Values, right: &Values, leaves: &[Leaf], combine: impl Fn(i64, i64) -> i64) -> Values {
    match (left, right) {
        (Values::Same(one), Values::Same(other)) => Values::Same(combine(*one, *other)),
        (Values::Same(one), other) => {
            Values::Made(other.as_slice(leaves).iter().map(|other| combine(*one, *other)).collect())
        }
        (one, Values::Same(other)) => {
            Values::Made(one.as_slice(leaves).iter().map(|one| combine(*one, *other)).collect())
        }
        (one, other) => {
            let both = one.as_slice(leaves).iter().zip(other.as_slice(leaves));
            Values::Made(both.map(|(one, other)| combine(*one, *other)).collect())
        }
    }
}

/// The values of a column in 64 bits.
struct Leaf {
    array: ArrayRef,
    /// Those of an array of 128 bits.
    narrow: Option<Vec<i64>>,
    ends: (i64, i64),
}

impl Leaf {
    /// An array's values, also those that are null, if all of them fit.
    fn of(array: ArrayRef) -> Option<Self> {
        let narrow = match array.data_type() {
            DataType::Decimal64(..) => None,
            DataType::Decimal128(..) => Some(in_64_bits(array.as_primitive::<Decimal128Type>().values())?),
            _ => return None,
        };
        let mut leaf = Self { array, narrow, ends: (0, 0) };
        leaf.ends = ends(leaf.values());
        Some(leaf)
    }

    fn values(&self) -> &[i64] {
        match &self.narrow {
            Some(values) => values,
            None => self.array.as_primitive::<Decimal64Type>().values(),
        }
    }
}

fn in_64_bits(values: &[i128]) -> Option<Vec<i64>> {
    // Without a branch for each: what is lost of any value shows in the end.
    let mut lost = 0_i64;
    let narrow = values.iter().map(|value| {
        let low = *value as i64;
        lost |= (value >> 64) as i64 ^ (low >> 63);
        low
    });
    let narrow = narrow.collect();
    (lost == 0).then_some(narrow)
}

/// The least and the greatest value.
fn ends(values: &[i64]) -> (i64, i64) {
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    for value in values {
        least = least.min(*value);
        greatest = greatest.max(*value);
    }
    if least > greatest { (0, 0) } else { (least, greatest) }
}

impl fmt::Display for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt(f)
    }
}

impl PartialEq for Narrow {
    fn eq(&self, other: &Self) -> bool {
        self.whole.eq(&other.whole)
    }
}

impl Eq for Narrow {}

impl Hash for Narrow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.whole.hash(state);
    }
}

impl PhysicalExpr for Narrow {
    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        match self.in_64_bits(batch)? {
            Some(array) => Ok(ColumnarValue::Array(array)),
            None => self.whole.evaluate(batch),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.whole]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        // Over other columns it is another expression, and is not looked at again.
        match children.into_iter().next() {
            Some(whole) if whole.eq(&self.whole) => Ok(self),
            Some(whole) => Ok(whole),
            None => internal_err!("arithmetic has operands"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Decimal64Array;
    use datafusion::arrow::datatypes::Field;
    use datafusion::physical_expr::expressions::{binary, col, lit};
    use proptest::prelude::*;

    use super::*;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("price", DataType::Decimal128(15, 2), true),
            Field::new("share", DataType::Decimal64(15, 2), true),
            Field::new("rate", DataType::Decimal128(12, 4), true),
        ])
    }

    fn batch(rows: &[(Option<i128>, Option<i64>, Option<i128>)]) -> RecordBatch {
        let price = Decimal128Array::from_iter(rows.iter().map(|row| row.0));
        let share = Decimal64Array::from_iter(rows.iter().map(|row| row.1));
        let rate = Decimal128Array::from_iter(rows.iter().map(|row| row.2));
        RecordBatch::try_new(
            Arc::new(schema()),
            vec![
                Arc::new(price.with_precision_and_scale(15, 2).unwrap()),
                Arc::new(share.with_precision_and_scale(15, 2).unwrap()),
                Arc::new(rate.with_precision_and_scale(12, 4).unwrap()),
            ],
        )
        .unwrap()
    }

    /// price * (1 - share) + rate
    fn expression(schema: &Schema) -> Arc<dyn PhysicalExpr> {
        let share = CastExpr::new(col("share", schema).unwrap(), DataType::Decimal128(15, 2), None);
        let one = lit(ScalarValue::Decimal128(Some(1), 20, 0));
        let left = binary(one, Operator::Minus, Arc::new(share), schema).unwrap();
        let product = binary(col("price", schema).unwrap(), Operator::Multiply, left, schema).unwrap();
        binary(product, Operator::Plus, col("rate", schema).unwrap(), schema).unwrap()
    }

    fn decimals() -> impl Strategy<Value = Option<i64>> {
        let few = -1_000_i64..1_000;
        let many = -999_999_999_999_999_i64..999_999_999_999_999;
        prop_oneof![1 => Just(None), 8 => few.prop_map(Some), 1 => many.prop_map(Some)]
    }

    proptest! {
        #[test]
        fn the_same_as_in_128_bits(rows in prop::collection::vec((decimals(), decimals(), decimals()), 0..40)) {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(price, share, rate)| (price.map(i128::from), share, rate.map(i128::from)))
                .collect();
            let (schema, batch) = (schema(), batch(&rows));
            let whole = expression(&schema);
            let narrow = Narrow::of(&whole, &schema).unwrap().unwrap();
            let expected = whole.evaluate(&batch).unwrap().into_array(rows.len()).unwrap();
            let given = narrow.evaluate(&batch).unwrap().into_array(rows.len()).unwrap();
            prop_assert_eq!(&given, &expected);
        }
    }

    #[test]
    fn small_values_take_64_bits_and_large_ones_do_not() {
        let schema = schema();
        let narrow = Narrow::of(&expression(&schema), &schema).unwrap().unwrap();
        let small = batch(&[(Some(10_494_950), Some(10), Some(5)), (None, Some(3), Some(1))]);
        assert!(narrow.in_64_bits(&small).unwrap().is_some());
        let large = batch(&[(Some(999_999_999_999_999), Some(999_999_999_999_999), Some(5))]);
        assert!(narrow.in_64_bits(&large).unwrap().is_none());
        // A value that does not fit by itself.
        assert_eq!(in_64_bits(&[1 << 64]), None);
        assert_eq!(in_64_bits(&[i128::from(i64::MAX) + 1]), None);
        assert_eq!(in_64_bits(&[-1, i128::from(i64::MIN)]), Some(vec![-1, i64::MIN]));
    }

    #[test]
    fn other_arithmetic_stays() {
        let schema = schema();
        let rate = || col("rate", &schema).unwrap();
        let quotient = binary(rate(), Operator::Divide, rate(), &schema).unwrap();
        assert!(Narrow::of(&quotient, &schema).unwrap().is_none());
        let whole = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let n = || col("n", &whole).unwrap();
        let sum = binary(n(), Operator::Plus, n(), &whole).unwrap();
        assert!(Narrow::of(&sum, &whole).unwrap().is_none());
    }
}
