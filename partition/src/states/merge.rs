//! The second step: states to values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray, UInt64Array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{filter, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

/// `merge_of(aggregate)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MergeOf {
    aggregate: Arc<AggregateUDF>,
    name: String,
    signature: Signature,
}

impl MergeOf {
    pub(super) fn new(aggregate: Arc<AggregateUDF>) -> Self {
        let name = format!("merge_of_{}", aggregate.name());
        Self { aggregate, name, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// The aggregate whose states are merged.
    pub fn aggregate(&self) -> &Arc<AggregateUDF> {
        &self.aggregate
    }
}

fn arguments<T>(all: &[T]) -> Result<&[T]> {
    match all.split_first() {
        Some((_, arguments)) => Ok(arguments),
        None => plan_err!("a merge needs a state"),
    }
}

fn inner<'a>(aggregate: &AggregateUDF, args: &AccumulatorArgs<'a>) -> Result<AccumulatorArgs<'a>> {
    let expr_fields = arguments(args.expr_fields)?;
    Ok(AccumulatorArgs {
        return_field: aggregate.return_field(expr_fields)?,
        schema: args.schema,
        ignore_nulls: args.ignore_nulls,
        order_bys: args.order_bys,
        is_reversed: args.is_reversed,
        name: args.name,
        is_distinct: false,
        exprs: arguments(args.exprs)?,
        expr_fields,
    })
}

impl AggregateUDFImpl for MergeOf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let fields: Vec<FieldRef> =
            arguments(types)?.iter().map(|kind| Arc::new(Field::new("argument", kind.clone(), true))).collect();
        Ok(self.aggregate.return_field(&fields)?.data_type().clone())
    }

    fn is_nullable(&self) -> bool {
        self.aggregate.is_nullable()
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let input_fields = arguments(args.input_fields)?;
        self.aggregate.state_fields(StateFieldsArgs {
            input_fields,
            return_field: self.aggregate.return_field(input_fields)?,
            ..args
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneMerge { state: self.aggregate.accumulator(inner(&self.aggregate, &args)?)? }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        inner(&self.aggregate, &args).is_ok_and(|args| self.aggregate.groups_accumulator_supported(args))
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let states = self.aggregate.create_groups_accumulator(inner(&self.aggregate, &args)?)?;
        Ok(Box::new(Merges { states }))
    }

    fn default_value(&self, kind: &DataType) -> Result<ScalarValue> {
        self.aggregate.default_value(kind)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The parts of the states in the first argument, without the rows that have none.
fn parts(values: &[ArrayRef]) -> Result<&StructArray> {
    let states = values.first().and_then(|states| states.as_struct_opt());
    states.ok_or_else(|| exec_datafusion_err!("a state must be a struct"))
}

#[derive(Debug)]
struct OneMerge {
    state: Box<dyn Accumulator>,
}

impl Accumulator for OneMerge {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let states = parts(values)?;
        let columns = match states.nulls() {
            Some(nulls) if nulls.null_count() > 0 => {
                let kept = BooleanArray::new(nulls.inner().clone(), None);
                states.columns().iter().map(|column| filter(column, &kept)).collect::<Result<Vec<_>, _>>()?
            }
            _ => states.columns().to_vec(),
        };
        self.state.merge_batch(&columns)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.state.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.state.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.state.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.state.size()
    }
}

struct Merges {
    states: Box<dyn GroupsAccumulator>,
}

/// The rows that have a state and pass the filter, or `None` where all do.
fn kept(states: &StructArray, filter: Option<&BooleanArray>) -> Option<BooleanArray> {
    let nulls = states.nulls().filter(|nulls| nulls.null_count() > 0);
    if nulls.is_none() && filter.is_none() {
        return None;
    }
    let passes = |row| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
    Some((0..states.len()).map(|row| Some(passes(row) && nulls.is_none_or(|nulls| nulls.is_valid(row)))).collect())
}

impl GroupsAccumulator for Merges {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let states = parts(values)?;
        let Some(kept) = kept(states, filter) else {
            return self.states.merge_batch(states.columns(), groups, total);
        };
        let rows: UInt64Array = kept.values().set_indices().map(|row| row as u64).collect::<Vec<_>>().into();
        let columns = states.columns().iter().map(|column| take(column, &rows, None)).collect::<Result<Vec<_>, _>>()?;
        let groups: Vec<usize> = rows.values().iter().map(|row| groups[*row as usize]).collect();
        self.states.merge_batch(&columns, &groups, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.states.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.states.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.states.merge_batch(values, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let states = parts(values)?;
        let Some(kept) = kept(states, filter) else {
            return Ok(states.columns().to_vec());
        };
        // Rows without a state have that of no row at all.
        let none = BooleanArray::from(vec![false; states.len()]);
        let empty = self.states.convert_to_state(arguments(values)?, Some(&none))?;
        let columns = states.columns().iter().zip(&empty);
        Ok(columns.map(|(column, empty)| zip(&kept, column, empty)).collect::<Result<_, _>>()?)
    }

    fn size(&self) -> usize {
        self.states.size()
    }
}
