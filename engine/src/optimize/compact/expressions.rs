//! Expressions over columns that come as they are stored.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal,
    in_list,
};
use datafusion::physical_expr::simplifier::PhysicalExprSimplifier;
use datafusion::physical_expr::utils::collect_columns;

/// What is done with a column before its own type is needed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Use {
    /// A condition looks at it.
    pub(super) compared: bool,
    /// It is added or multiplied.
    pub(super) computed: bool,
    /// Rows are grouped by it.
    pub(super) grouped: bool,
    /// Rows are dropped.
    pub(super) dropped: bool,
    /// It must be read in its own type.
    pub(super) must_be_own: bool,
}

impl Use {
    pub(super) fn add(&mut self, other: Self) {
        self.compared |= other.compared;
        self.computed |= other.computed;
        self.grouped |= other.grouped;
        self.dropped |= other.dropped;
        self.must_be_own |= other.must_be_own;
    }

    pub(super) fn gains(self) -> bool {
        !self.must_be_own && (self.compared || self.computed || self.grouped || self.dropped)
    }
}

/// Notes what an expression does with the columns of its input.
pub(super) fn uses_of(expression: &Arc<dyn PhysicalExpr>, uses: &mut [Use]) {
    if expression.is::<DynamicFilterPhysicalExpr>() {
        // Its values are compared in the type that it was planned with.
        collect_columns(expression).iter().for_each(|column| uses[column.index()].must_be_own = true);
        return;
    }
    if let Some(column) = compared_column(expression) {
        uses[column.index()].compared = true;
    }
    if let Some(binary) = expression.downcast_ref::<BinaryExpr>()
        && matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply)
    {
        let operands = [binary.left(), binary.right()].into_iter().filter_map(|side| side.downcast_ref::<Column>());
        operands.for_each(|column| uses[column.index()].computed = true);
    }
    expression.children().into_iter().for_each(|child| uses_of(child, uses));
}

/// The column that a condition compares with given values.
fn compared_column(condition: &Arc<dyn PhysicalExpr>) -> Option<&Column> {
    let column = |expression: &'_ Arc<dyn PhysicalExpr>| expression.is::<Column>();
    let (looked_at, values) = match condition.downcast_ref::<BinaryExpr>() {
        Some(binary) if is_comparison(*binary.op()) && column(binary.left()) => {
            (condition.children()[0], vec![condition.children()[1]])
        }
        Some(binary) if is_comparison(*binary.op()) => (condition.children()[1], vec![condition.children()[0]]),
        Some(_) => return None,
        None if condition.is::<InListExpr>() || condition.is::<LikeExpr>() => {
            let mut children = condition.children();
            (children.remove(0), children)
        }
        None if condition.is::<IsNullExpr>() || condition.is::<IsNotNullExpr>() => (condition.children()[0], vec![]),
        None => return None,
    };
    let looked_at = looked_at.downcast_ref::<Column>()?;
    values.into_iter().all(|value| value.is::<Literal>()).then_some(looked_at)
}

fn is_comparison(operator: Operator) -> bool {
    matches!(operator, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
}

/// The same expression where some columns of its input come as they are stored; `own` has what these are without that.
pub(super) fn over_stored(
    expression: &Arc<dyn PhysicalExpr>,
    own: &[Option<FieldRef>],
    schema: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    let is_stored = |column: &Column| own.get(column.index()).is_some_and(Option::is_some);
    if !collect_columns(expression).iter().any(is_stored) {
        return Ok(Arc::clone(expression));
    }
    // A comparison's cast goes from the column to the value that it is compared with.
    PhysicalExprSimplifier::new(schema).simplify(with_casts(expression, own, schema)?)
}

fn with_casts(
    expression: &Arc<dyn PhysicalExpr>,
    own: &[Option<FieldRef>],
    schema: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    if let Some(column) = expression.downcast_ref::<Column>() {
        return Ok(match own.get(column.index()) {
            Some(Some(own)) => Arc::new(CastExpr::new_with_target_field(Arc::clone(expression), Arc::clone(own), None)),
            _ => Arc::clone(expression),
        });
    }
    if let Some(column) = compared_column(expression)
        && own.get(column.index()).is_some_and(Option::is_some)
        && let Some(compared) = as_stored(expression, schema.field(column.index()).data_type(), schema)?
    {
        return Ok(compared);
    }
    let children = expression.children().into_iter().map(|child| with_casts(child, own, schema));
    Arc::clone(expression).with_new_children(children.collect::<Result<Vec<_>>>()?)
}

/// A condition on a column of the given type without a cast, if there is one.
fn as_stored(
    condition: &Arc<dyn PhysicalExpr>,
    stored: &DataType,
    schema: &Schema,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    if condition.is::<IsNullExpr>() || condition.is::<IsNotNullExpr>() {
        return Ok(Some(Arc::clone(condition)));
    }
    // A list and a pattern are looked up among the words of a dictionary.
    let has_words = matches!(stored, DataType::Dictionary(..));
    if let Some(list) = condition.downcast_ref::<InListExpr>() {
        if has_words {
            return Ok(Some(Arc::clone(condition)));
        }
        let values: Option<Vec<_>> = list.list().iter().map(|value| exactly(value, stored)).collect();
        return values.map(|values| in_list(Arc::clone(list.expr()), values, &list.negated(), schema)).transpose();
    }
    if let Some(like) = condition.downcast_ref::<LikeExpr>() {
        if has_words {
            return Ok(Some(Arc::clone(condition)));
        }
        let pattern = exactly(like.pattern(), stored);
        return Ok(pattern.map(|pattern| {
            let text = Arc::clone(like.expr());
            Arc::new(LikeExpr::new(like.negated(), like.case_insensitive(), text, pattern)) as Arc<dyn PhysicalExpr>
        }));
    }
    Ok(None)
}

/// A literal in another type, if it has just that value there.
fn exactly(literal: &Arc<dyn PhysicalExpr>, kind: &DataType) -> Option<Arc<dyn PhysicalExpr>> {
    let value = literal.downcast_ref::<Literal>()?.value();
    let cast: ScalarValue = value.cast_to(kind).ok()?;
    let same = cast.cast_to(&value.data_type()).ok()? == *value;
    same.then(|| Arc::new(Literal::new(cast)) as Arc<dyn PhysicalExpr>)
}
