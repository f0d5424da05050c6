//! The first step: rows to states.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

use super::{state_parts, state_type};

/// `state_of(aggregate)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct StateOf {
    aggregate: Arc<AggregateUDF>,
    name: String,
    signature: Signature,
}

impl StateOf {
    pub(super) fn new(aggregate: Arc<AggregateUDF>) -> Self {
        let name = format!("state_of_{}", aggregate.name());
        Self { aggregate, name, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// The aggregate whose state it is.
    pub fn aggregate(&self) -> &Arc<AggregateUDF> {
        &self.aggregate
    }
}

/// The arguments of an aggregate's accumulator, as it would get them itself.
fn inner<'a>(aggregate: &AggregateUDF, args: &AccumulatorArgs<'a>) -> Result<AccumulatorArgs<'a>> {
    Ok(AccumulatorArgs {
        return_field: aggregate.return_field(args.expr_fields)?,
        schema: args.schema,
        ignore_nulls: args.ignore_nulls,
        order_bys: args.order_bys,
        is_reversed: args.is_reversed,
        name: args.name,
        is_distinct: false,
        exprs: args.exprs,
        expr_fields: args.expr_fields,
    })
}

impl AggregateUDFImpl for StateOf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        // The call is made of one that has been coerced.
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let fields: Vec<FieldRef> =
            types.iter().map(|kind| Arc::new(arrow::datatypes::Field::new("argument", kind.clone(), true))).collect();
        state_type(&self.aggregate, &fields)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.aggregate
            .state_fields(StateFieldsArgs { return_field: self.aggregate.return_field(args.input_fields)?, ..args })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let parts = state_parts(&self.aggregate, args.expr_fields)?;
        Ok(Box::new(OneState { state: self.aggregate.accumulator(inner(&self.aggregate, &args)?)?, parts }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        inner(&self.aggregate, &args).is_ok_and(|args| self.aggregate.groups_accumulator_supported(args))
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let parts = state_parts(&self.aggregate, args.expr_fields)?;
        let states = self.aggregate.create_groups_accumulator(inner(&self.aggregate, &args)?)?;
        Ok(Box::new(States { states, parts }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct OneState {
    state: Box<dyn Accumulator>,
    parts: Fields,
}

impl Accumulator for OneState {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.state.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.state.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.state.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let parts = self.state.state()?;
        let parts = parts.iter().map(ScalarValue::to_array).collect::<Result<Vec<_>>>()?;
        Ok(ScalarValue::Struct(Arc::new(pack(&self.parts, parts)?)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.state.size()
    }
}

struct States {
    states: Box<dyn GroupsAccumulator>,
    parts: Fields,
}

impl GroupsAccumulator for States {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.states.update_batch(values, groups, filter, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(pack(&self.parts, self.states.state(emit_to)?)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.states.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.states.merge_batch(values, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.states.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.states.size()
    }
}

/// Parts of states as one column, with the types that were announced.
fn pack(parts: &Fields, columns: Vec<ArrayRef>) -> Result<StructArray> {
    if parts.len() != columns.len() {
        return internal_err!("a state of {} parts has {}", parts.len(), columns.len());
    }
    let columns = parts.iter().zip(columns).map(|(part, column)| match part.data_type() == column.data_type() {
        true => Ok(column),
        // The names inside of nested types differ.
        false => cast(&column, part.data_type()),
    });
    Ok(StructArray::try_new(parts.clone(), columns.collect::<Result<_, _>>()?, None)?)
}
