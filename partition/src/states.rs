//! Any aggregate in two steps: [`state_of`] an aggregate gives its state as a struct, and [`merge_of`] it takes such
//! structs and gives its value. Between the two, rows of one group can be aggregated in any number of places.

mod merge;
mod state;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;
use datafusion_expr::function::StateFieldsArgs;

pub use merge::MergeOf;
pub use state::StateOf;

/// The state of an aggregate, as a struct of its parts.
pub fn state_of(aggregate: Arc<AggregateUDF>) -> AggregateUDF {
    AggregateUDF::new_from_impl(StateOf::new(aggregate))
}

/// The value of an aggregate. Its arguments are a state, and for each argument of the aggregate a value of the same type:
/// the constants that it was called with, and a null in the place of each column.
pub fn merge_of(aggregate: Arc<AggregateUDF>) -> AggregateUDF {
    AggregateUDF::new_from_impl(MergeOf::new(aggregate))
}

/// The parts of an aggregate's state, for arguments of these types.
fn state_parts(aggregate: &AggregateUDF, arguments: &[FieldRef]) -> Result<Fields> {
    let parts = aggregate.state_fields(StateFieldsArgs {
        name: "state",
        input_fields: arguments,
        return_field: aggregate.return_field(arguments)?,
        ordering_fields: &[],
        is_distinct: false,
    })?;
    // The names that an aggregate gives depend on how its call is written.
    let parts = parts.iter().enumerate();
    Ok(parts.map(|(index, part)| Field::new(format!("{index}"), part.data_type().clone(), true)).collect())
}

fn state_type(aggregate: &AggregateUDF, arguments: &[FieldRef]) -> Result<DataType> {
    Ok(DataType::Struct(state_parts(aggregate, arguments)?))
}
