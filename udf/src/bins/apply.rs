//! `bins_apply(state, x)`: the number of the bin that a value falls in.

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::bin_numbers::BinNumbers;
use crate::bins::KINDS;
use crate::bins::edges::resume_closed;
use crate::constants::Constants;
use crate::numbers::{float_values, number_argument};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::state::{StateCache, StateReader, check_state_type};
use crate::summary::kind_of;

static SPEC: Spec = Spec {
    name: "bins_apply",
    section: "Binning",
    summary: "The number of the bin that a value falls in, from 0, as scikit-learn's KBinsDiscretizer with the encoding \
              'ordinal'.",
    parameters: &[
        required("state", "The result of fit_quantile_bins, fit_width_bins or fit_kmeans_bins."),
        required("x", "A number."),
        optional(
            "missing",
            "'null'",
            "What null and NaN give: 'null', 'bin' (a bin of their own after the last, as Spark's 'keep') or 'error'.",
        ),
        optional(
            "out_of_range",
            "'clip'",
            "What a value beyond the outermost edges gives: 'clip' (the first or the last bin), 'null' or 'error'.",
        ),
    ],
    example: "select bins_apply(fit_width_bins(x, 2), 4.0) from (values (1.0), (5.0)) t(x); -- 1",
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Missing {
    Null,
    Bin,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outside {
    Clip,
    Null,
    Error,
}

fn options(constants: &Constants) -> Result<(Missing, Outside)> {
    let missing = [("null", Missing::Null), ("bin", Missing::Bin), ("error", Missing::Error)];
    let outside = [("clip", Outside::Clip), ("null", Outside::Null), ("error", Outside::Error)];
    Ok((
        constants.choice("missing", &missing)?.unwrap_or(Missing::Null),
        constants.choice("out_of_range", &outside)?.unwrap_or(Outside::Clip),
    ))
}

/// The bins of a state.
#[derive(Debug)]
struct Bins {
    first: f64,
    last: f64,
    inner: BinNumbers,
    /// The number of each bin, and of that for missing values.
    numbers: Vec<i64>,
    /// Whether the fit had no values, and so has no bins.
    empty: bool,
}

impl Bins {
    fn read(state: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(kind) = kind_of(state, row, &KINDS)? else { return Ok(None) };
        let Some(reader) = StateReader::open(state, row, kind)? else { return Ok(None) };
        let closed = resume_closed(&reader)?;
        let edges = reader.floats("edges")?.unwrap_or_default();
        let ascending = edges.windows(2).all(|pair| pair[0] <= pair[1]);
        if edges.len() == 1 || !ascending || edges.iter().any(|edge| edge.is_nan()) {
            return exec_err!("the edges of the state must be at least two numbers that ascend");
        }
        let (first, last) = (edges.first().copied().unwrap_or(f64::NAN), edges.last().copied().unwrap_or(f64::NAN));
        let inner = BinNumbers::new(edges.get(1..edges.len().saturating_sub(1)).unwrap_or_default(), closed, &[]);
        let numbers = (0..inner.len() as i64).collect();
        Ok(Some(Self { first, last, inner, numbers, empty: edges.is_empty() }))
    }

    fn apply(&self, values: &Float64Array, missing: Missing, outside: Outside) -> Result<Int64Array> {
        if self.empty {
            return Ok(Int64Array::new_null(values.len()));
        }
        let bins = self.inner.map(values, &self.numbers);
        let mut known = values.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        if values.values().iter().any(|value| value.is_nan()) {
            let numbers = BooleanBuffer::collect_bool(values.len(), |row| !values.values()[row].is_nan());
            known = NullBuffer::union(known.as_ref(), Some(&NullBuffer::new(numbers)));
        }
        if known.is_some() && missing == Missing::Error {
            return exec_err!("x of {} is null or NaN, and missing is 'error'", SPEC.name);
        }
        let mut valid = known.clone().filter(|_| missing == Missing::Null);
        if outside != Outside::Clip {
            // What is missing is not outside.
            let is_known = |row: usize| known.as_ref().is_none_or(|known| known.is_valid(row));
            let is_outside = |value: f64| value < self.first || value > self.last;
            let inside = NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |row| {
                !is_known(row) || !is_outside(values.values()[row])
            }));
            if let (Outside::Error, Some(row)) = (outside, (0..values.len()).find(|row| inside.is_null(*row))) {
                return exec_err!(
                    "x of {} is {}, outside the edges {} to {}, and out_of_range is 'error'",
                    SPEC.name,
                    values.value(row),
                    self.first,
                    self.last
                );
            }
            valid = NullBuffer::union(valid.as_ref(), Some(&inside));
        }
        Ok(Int64Array::new(bins.into(), valid))
    }
}

/// `bins_apply`.
#[derive(Debug, Default)]
pub(crate) struct BinsApply {
    cache: StateCache<Bins>,
}

impl Kernel for BinsApply {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        check_state_type(SPEC.name, &types[0], &["edges", "closed"])?;
        types[1] = number_argument(&SPEC, "x", &types[1])?;
        Ok(types)
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        options(constants)?;
        Ok(Arc::new(Field::new(SPEC.name, DataType::Int64, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (missing, outside) = options(constants)?;
        let values = float_values(&arguments[1].to_array(rows)?)?;
        self.cache.apply(&arguments[0], rows, &DataType::Int64, Bins::read, |bins, range| {
            Ok(Arc::new(bins.apply(&values.slice(range.start, range.len()), missing, outside)?))
        })
    }
}
