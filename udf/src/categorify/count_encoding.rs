//! `fit_counts` and `count_encoding_apply`: a category as the number of its rows.

use arrow::array::{ArrayRef, Float64Array, Int64Array, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::categories::{Categories, Fallback, coerce_category, rows_of};
use crate::constants::Constants;
use crate::counting::{COUNTS, CountingFit, read_counting};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::state::{StateCache, StateReader, check_state_type};

const KIND: &str = "counts/1";

static FIT: Spec = Spec {
    name: "fit_counts",
    section: "Categories",
    summary: "The categories of a column and their counts, for count_encoding_apply; null is one, too.",
    parameters: &[required("x", "The category.")],
    example: "select count_encoding_apply((select fit_counts(city) from t), city) from t;",
};

static APPLY: Spec = Spec {
    name: "count_encoding_apply",
    section: "Categories",
    summary: "How many rows of the fit have the category, 0 for one that it did not see. As category_encoders' \
              CountEncoder.",
    parameters: &[
        required("state", "The result of fit_counts."),
        required("x", "The category."),
        optional("normalize", "false", "Whether to give the share of all rows, as a DOUBLE: a constant."),
    ],
    example: "select count_encoding_apply((select fit_counts(city) from t), city, normalize => true) from t;",
};

/// The fit of counts.
#[derive(Debug)]
pub(super) struct FitCounts;

impl CountingFit for FitCounts {
    const KIND: &'static str = KIND;
    const OPTIONS: &'static [(&'static str, DataType)] = &[];

    fn face(&self) -> &'static Spec {
        &FIT
    }

    fn options(&self, _constants: &Constants) -> Result<Vec<ScalarValue>> {
        Ok(Vec::new())
    }
}

/// Counts by place; what the fit did not see comes last.
#[derive(Debug)]
struct Counts {
    categories: Categories,
    counts: Vec<i64>,
    shares: Vec<f64>,
}

impl Counts {
    fn decode(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(reader) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        let (categories, counts) = read_counting(&reader)?;
        let rows = counts.values().iter().map(|count| i128::from(*count)).sum::<i128>().max(1) as f64;
        let counts: Vec<i64> = counts.values().iter().copied().chain([0]).collect();
        let shares = counts.iter().map(|count| *count as f64 / rows).collect();
        Ok(Some(Self { categories, counts, shares }))
    }

    fn encode(&self, values: &ArrayRef, normalize: bool) -> Result<ArrayRef> {
        let unseen = Fallback::Place(self.counts.len() as u32 - 1);
        let missing = self.categories.missing().map_or(unseen, Fallback::Place);
        let places = self.categories.places(APPLY.name, values, missing, unseen)?;
        let places = places.iter().map(|place| *place as usize);
        Ok(match normalize {
            true => Arc::new(Float64Array::from_iter_values(places.map(|place| self.shares[place]))),
            false => Arc::new(Int64Array::from_iter_values(places.map(|place| self.counts[place]))),
        })
    }
}

fn normalize(constants: &Constants) -> Result<bool> {
    Ok(constants.boolean("normalize")?.unwrap_or(false))
}

fn count_type(normalize: bool) -> DataType {
    if normalize { DataType::Float64 } else { DataType::Int64 }
}

/// `count_encoding_apply(state, x[, normalize])`.
#[derive(Debug, Default)]
pub(super) struct CountEncodingApply {
    cache: StateCache<Counts>,
}

impl Kernel for CountEncodingApply {
    fn spec(&self) -> &'static Spec {
        &APPLY
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[1] = coerce_category(&APPLY, "x", &types[0], &types[1])?;
        Ok(coerced)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        check_state_type(APPLY.name, fields[0].data_type(), &[COUNTS])?;
        Ok(Arc::new(Field::new(APPLY.name, count_type(normalize(constants)?), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (x, normalize) = (rows_of(&arguments[1], rows)?, normalize(constants)?);
        self.cache.apply(&arguments[0], rows, &count_type(normalize), Counts::decode, |counts, range| {
            counts.encode(&x.slice(range.start, range.len()), normalize)
        })
    }
}
