//! What encoders of categories share: their options and categories in a state, and the place of each row's category in
//! a table of encodings.

use arrow::array::{Array, ArrayRef, StructArray, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err, plan_err};
use std::sync::Arc;

use crate::category::{CategoryIndex, KnownCategories, MISSING, UNSEEN, category_argument, category_type};
use crate::spec::Spec;
use crate::state::StateReader;

/// The field of a state that lists its categories: ascending, the null category last if a row was null.
pub(crate) const VALUES: &str = "values";

/// The options that a fit keeps in its state, in the order of the state's fields.
pub(crate) type Options = Vec<(&'static str, ScalarValue)>;

/// The columns of a state that hold the options.
pub(crate) fn option_columns(options: &Options) -> Result<Vec<(&'static str, ArrayRef)>> {
    options.iter().map(|(name, value)| Ok((*name, value.to_array()?))).collect()
}

/// The options of row 0 of a state.
pub(crate) fn read_options(state: &StructArray, names: &[&'static str]) -> Result<Options> {
    let read = |name: &&'static str| match state.column_by_name(name) {
        Some(column) => Ok((*name, ScalarValue::try_from_array(column, 0)?)),
        None => exec_err!("the state has no field {name}"),
    };
    names.iter().map(read).collect()
}

/// Refuses to merge a state that was fitted with other options.
pub(crate) fn check_options(options: &Options, state: &StructArray, row: usize) -> Result<()> {
    for (name, own) in options {
        let Some(column) = state.column_by_name(name) else { return exec_err!("the state has no field {name}") };
        let other = ScalarValue::try_from_array(column, row)?;
        if &other != own {
            return exec_err!("states cannot be merged: {name} is {own} in one and {other} in another");
        }
    }
    Ok(())
}

/// The type of the categories of a state, from the state's type.
pub(crate) fn categories_of(state: &DataType) -> Option<&DataType> {
    let DataType::Struct(fields) = state else { return None };
    match fields.iter().find(|field| field.name() == VALUES)?.data_type() {
        DataType::List(element) => Some(element.data_type()),
        _ => None,
    }
}

/// The type that a categorical argument is cast to, so that its values can be found among those of a state.
pub(crate) fn coerce_category(spec: &Spec, parameter: &str, state: &DataType, argument: &DataType) -> Result<DataType> {
    let Some(known) = categories_of(state) else { return Ok(category_argument(argument)) };
    coerce_to(spec, parameter, known, argument)
}

/// As [`coerce_category`], with the type of the known categories.
pub(crate) fn coerce_to(spec: &Spec, parameter: &str, known: &DataType, argument: &DataType) -> Result<DataType> {
    match (known, category_type(argument)) {
        (known, _) if argument == &DataType::Null => Ok(known.clone()),
        (known, given) if known == &given => Ok(category_argument(argument)),
        (DataType::Float64, DataType::Int64) => Ok(DataType::Float64),
        (known, _) => plan_err!(
            "{parameter} of {} is of type {argument}, and the fit saw categories of type {known}: cast it",
            spec.name
        ),
    }
}

/// The categories in ascending order, those with `keep` false left out, and a null at the end if `missing`.
pub(crate) fn sorted_values(
    index: &CategoryIndex,
    keep: impl Fn(usize) -> bool,
    missing: bool,
) -> Result<(ArrayRef, Vec<u32>)> {
    let order: Vec<u32> = index.sorted().into_iter().filter(|number| keep(*number as usize)).collect();
    let values = index.values_of(order.iter().copied())?;
    if !missing {
        return Ok((values, order));
    }
    let null = new_null_array(values.data_type(), 1);
    Ok((concat(&[values.as_ref(), null.as_ref()])?, order))
}

/// The categories of a state.
#[derive(Debug)]
pub(crate) struct Categories {
    known: KnownCategories,
    missing: bool,
}

/// What stands for a row whose category has no place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// The place of this number.
    Place(u32),
    /// A null.
    Null,
    /// An error that names the value.
    Error,
}

/// The place of a row that has none.
pub(crate) const NO_PLACE: u32 = u32::MAX;

impl Categories {
    /// Reads the categories of a state.
    pub(crate) fn read(reader: &StateReader) -> Result<Self> {
        let values = reader.given(VALUES, reader.list(VALUES)?)?;
        let known = values.len().saturating_sub(1);
        let missing = !values.is_empty() && values.is_null(known);
        let values = if missing { values.slice(0, known) } else { values };
        Ok(Self { known: KnownCategories::new(&values)?, missing })
    }

    /// How many there are without the null category.
    pub(crate) fn known(&self) -> usize {
        self.known.len()
    }

    /// How many there are with the null category, which has the last place.
    pub(crate) fn len(&self) -> usize {
        self.known() + usize::from(self.missing)
    }

    /// The place of the null category, if the fit saw one.
    pub(crate) fn missing(&self) -> Option<u32> {
        self.missing.then_some(self.known() as u32)
    }

    /// The known categories, in the order of their places.
    pub(crate) fn values(&self) -> Result<ArrayRef> {
        self.known.values()
    }

    /// The place of each row's category, [`NO_PLACE`] where the fallback is a null.
    pub(crate) fn places(
        &self,
        function: &str,
        values: &ArrayRef,
        missing: Fallback,
        unseen: Fallback,
    ) -> Result<Vec<u32>> {
        let mut places = self.known.lookup(values)?;
        let place = |fallback| match fallback {
            Fallback::Place(place) => place,
            Fallback::Null | Fallback::Error => NO_PLACE,
        };
        let (missing_place, unseen_place) = (place(missing), place(unseen));
        let (mut any_missing, mut any_unseen) = (false, false);
        for place in &mut places {
            if *place >= UNSEEN {
                any_missing |= *place == MISSING;
                any_unseen |= *place == UNSEEN;
                *place = if *place == MISSING { missing_place } else { unseen_place };
            }
        }
        if any_missing && missing == Fallback::Error {
            return exec_err!("{function} found a null, which the fit did not see");
        }
        if any_unseen && unseen == Fallback::Error {
            let row = self.known.lookup(values)?.iter().position(|place| *place == UNSEEN).unwrap_or(0);
            return exec_err!("{function} found '{}', which the fit did not see", text_of(values, row)?);
        }
        Ok(places)
    }
}

/// A value as a text, for an error.
pub(crate) fn text_of(values: &ArrayRef, row: usize) -> Result<String> {
    Ok(ArrayFormatter::try_new(values.as_ref(), &FormatOptions::default())?.value(row).to_string())
}

/// The rows of an argument that has been cast to what [`coerce_category`] gave.
pub(crate) fn rows_of(argument: &datafusion_expr::ColumnarValue, rows: usize) -> Result<ArrayRef> {
    match argument {
        datafusion_expr::ColumnarValue::Array(values) => Ok(Arc::clone(values)),
        datafusion_expr::ColumnarValue::Scalar(value) => value.to_array_of_size(rows),
    }
}
