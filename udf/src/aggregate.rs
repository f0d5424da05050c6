//! The thin DataFusion wrapper around a fit: a mergeable aggregate whose partial state and result are one typed struct.

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, Signature};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::constants::Constants;
use crate::scalar::check_count;
use crate::spec::Spec;

/// An aggregate that distributes: every partition updates its own, their states are merged in any order and any tree,
/// and the result is the same byte by byte.
pub(crate) trait Fit: Debug + Send + Sync + 'static {
    /// The public face.
    fn spec(&self) -> &'static Spec;

    /// The types that the fit wants its arguments cast to; the number of arguments has been checked.
    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>>;

    /// The type of the partial state, a struct, by the (coerced) types of the arguments.
    fn state_type(&self, types: &[DataType]) -> Result<DataType>;

    /// The type of the result. Most fits give their state, so that it can be merged with that of another day.
    fn result_type(&self, types: &[DataType]) -> Result<DataType> {
        self.state_type(types)
    }

    /// Checks the constants when the call is planned: those that are not known yet are `Varying` and are checked again
    /// by `accumulate`.
    fn check(&self, constants: &Constants) -> Result<()>;

    /// A fit of no rows.
    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>>;

    /// The word in the `kind` field of its states, with the version of their form, as "quantile_bins/1"; `None` if the
    /// result is no state that `merge_state` takes.
    fn kind(&self) -> Option<&'static str> {
        None
    }

    /// A fit that goes on from a state (row 0 of `state`), its options taken from the state.
    fn resume(&self, _state: &StructArray) -> Result<Box<dyn Accumulate>> {
        exec_err!("the result of {} is no state that can be merged", self.spec().name)
    }
}

/// A fit under way.
pub(crate) trait Accumulate: Debug + Send + Sync {
    /// Takes the rows of the arguments.
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()>;

    /// Takes states, one a row. A null row is a fit of no rows.
    fn merge(&mut self, states: &StructArray) -> Result<()>;

    /// The state, one row: a function of the multiset of rows alone, never of their order or of how they were split.
    fn state(&mut self) -> Result<StructArray>;

    /// The result, one row.
    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.state()?))
    }

    /// Bytes held.
    fn size(&self) -> usize;
}

/// Makes a fit a function of DataFusion.
pub(crate) fn aggregate_function(fit: impl Fit) -> Arc<AggregateUDF> {
    let spec = fit.spec();
    let documentation = spec.documentation();
    let signature = spec.signature();
    Arc::new(AggregateUDF::from(Wrapper { fit: Arc::new(fit), spec, documentation, signature }))
}

#[derive(Debug)]
struct Wrapper {
    fit: Arc<dyn Fit>,
    spec: &'static Spec,
    documentation: Documentation,
    signature: Signature,
}

impl PartialEq for Wrapper {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name
    }
}

impl Eq for Wrapper {}

impl Hash for Wrapper {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
    }
}

impl AggregateUDFImpl for Wrapper {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        check_count(self.spec, types.len())?;
        self.fit.coerce(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.fit.result_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types: Vec<DataType> = args.input_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(vec![Arc::new(Field::new(format!("{}[state]", args.name), self.fit.state_type(&types)?, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return exec_err!("{} takes no DISTINCT", self.spec.name);
        }
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let constants = Constants::physical(self.spec, args.exprs);
        self.fit.check(&constants)?;
        Ok(Box::new(Running { fit: self.fit.accumulate(&types, &constants)? }))
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let (fit, spec) = (Arc::clone(&self.fit), self.spec);
        Some(Box::new(move |call: AggregateFunction, _: &SimplifyContext| {
            fit.check(&Constants::logical(spec, &call.params.args))?;
            Ok(Expr::AggregateFunction(call))
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) fit: Box<dyn Accumulate>,
}

impl Accumulator for Running {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.fit.update(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        match states.first().and_then(|states| states.as_struct_opt()) {
            Some(states) => self.fit.merge(states),
            None => exec_err!("a partial state must be a struct"),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Struct(Arc::new(self.fit.state()?))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = self.fit.finish()?;
        if result.len() != 1 {
            return exec_err!("a fit must give one row: it gave {}", result.len());
        }
        ScalarValue::try_from_array(&result, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.fit.size()
    }
}
