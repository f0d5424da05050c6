//! `fit_one_hot` and `one_hot_apply`: a category as a vector with a single one.

use arrow::array::{Array, ArrayRef, Float64Array, Int32Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use crate::categories::{Categories, Fallback, coerce_category, rows_of};
use crate::constants::Constants;
use crate::counting::{CountingFit, option_names, read_counting};
use crate::scalar::Kernel;
use crate::sparse::{sparse_type, vector_field};
use crate::spec::{Spec, optional, required};
use crate::state::{StateCache, StateReader, check_state_type, struct_array};

const KIND: &str = "one_hot/1";

static FIT: Spec = Spec {
    name: "fit_one_hot",
    section: "Categories",
    summary: "The categories of a column and their counts, for one_hot_apply. As scikit-learn's OneHotEncoder: one \
              column for each category in ascending order, null last, and then one for all infrequent categories if \
              there are any.",
    parameters: &[
        required("x", "The category."),
        optional(
            "min_frequency",
            "1",
            "A category of fewer rows is infrequent: a whole number, or a share of all rows below 1.",
        ),
        optional(
            "max_categories",
            "none",
            "The most columns, that for infrequent categories included: at least 1. Of equally frequent categories \
             the greater value is kept, as in scikit-learn.",
        ),
        optional(
            "drop",
            "'none'",
            "Which column to leave out, so that columns are independent: 'none', 'first' or 'last'.",
        ),
        optional(
            "unknown",
            "'ignore'",
            "A category that the fit did not see becomes a vector of zeros ('ignore'), an infrequent one if there are \
             any ('infrequent') or an error ('error').",
        ),
    ],
    example: "select one_hot_apply((select fit_one_hot(city) from t), city) from t;",
};

static APPLY: Spec = Spec {
    name: "one_hot_apply",
    section: "Categories",
    summary: "The category as a sparse vector with a 1 in its column, or without any if the column was dropped. Its \
              dimension is in the metadata of the field if the state is a constant.",
    parameters: &[required("state", "The result of fit_one_hot."), required("x", "The category.")],
    example: "select one_hot_apply((select fit_one_hot(city, drop => 'first') from t), city) from t;",
};

const DROPS: [(&str, &str); 3] = [("none", "none"), ("first", "first"), ("last", "last")];
const UNKNOWNS: [(&str, &str); 3] = [("ignore", "ignore"), ("infrequent", "infrequent"), ("error", "error")];

/// The fit of one-hot vectors.
#[derive(Debug)]
pub(super) struct FitOneHot;

impl CountingFit for FitOneHot {
    const KIND: &'static str = KIND;
    const OPTIONS: &'static [(&'static str, DataType)] = &[
        ("min_frequency", DataType::Float64),
        ("max_categories", DataType::Int64),
        ("drop", DataType::Utf8),
        ("unknown", DataType::Utf8),
    ];

    fn face(&self) -> &'static Spec {
        &FIT
    }

    fn options(&self, constants: &Constants) -> Result<Vec<ScalarValue>> {
        let least = constants.float_within("min_frequency", f64::MIN_POSITIVE, 9e15).map_err(|error| {
            let text = "must be a whole number of at least 1, or a share above 0 and below 1";
            if constants.is_varying("min_frequency") { error } else { constants.error("min_frequency", text) }
        })?;
        let least = least.unwrap_or(1.0);
        if least > 1.0 && least.fract() != 0.0 {
            return Err(constants.error("min_frequency", format!("must be a whole number or below 1: it is {least}")));
        }
        let most = constants.integer_within("max_categories", 1, i64::from(i32::MAX))?;
        Ok(vec![
            ScalarValue::from(least),
            ScalarValue::Int64(most),
            ScalarValue::from(constants.choice("drop", &DROPS)?.unwrap_or("none")),
            ScalarValue::from(constants.choice("unknown", &UNKNOWNS)?.unwrap_or("ignore")),
        ])
    }
}

/// The column of each category.
#[derive(Debug)]
struct Columns {
    categories: Categories,
    /// By place; below 0 for a vector of zeros. What the fit did not see comes last.
    columns: Vec<i32>,
    /// Whether what the fit did not see is an error.
    refuse: bool,
    dimension: i32,
}

impl Columns {
    fn decode(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(reader) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        let (categories, counts) = read_counting(&reader)?;
        if categories.len() >= i32::MAX as usize {
            return exec_err!("{} categories are too many for a vector", categories.len());
        }
        let least = reader.given("min_frequency", reader.float("min_frequency")?)?;
        let rows = counts.values().iter().map(|count| *count as f64).sum::<f64>();
        let least = if least < 1.0 { least * rows } else { least };
        // Null is a category like the others, and comes behind them.
        let known = categories.len();
        let mut frequent: Vec<usize> = (0..known).filter(|place| counts.value(*place) as f64 >= least).collect();
        if let Some(most) = reader.integer("max_categories")?.and_then(|most| usize::try_from(most).ok())
            && frequent.len() + usize::from(frequent.len() < known) > most
        {
            frequent.sort_unstable_by_key(|place| Reverse((counts.value(*place), *place)));
            frequent.truncate(most.saturating_sub(1));
            frequent.sort_unstable();
        }
        let mut columns = vec![-1; known + 1];
        let mut next = 0;
        for place in &frequent {
            columns[*place] = next;
            next += 1;
        }
        if frequent.len() < known {
            let to_infrequent = reader.text("unknown")?.as_deref() == Some("infrequent");
            let last = if to_infrequent { known + 1 } else { known };
            columns[..last].iter_mut().filter(|column| **column < 0).for_each(|column| *column = next);
            next += 1;
        }
        let dropped = match reader.text("drop")?.as_deref() {
            Some("first") => 0,
            Some("last") => next - 1,
            _ => i32::MAX,
        };
        let after = |column: i32| match column.cmp(&dropped) {
            Ordering::Less => column,
            Ordering::Equal => -1,
            Ordering::Greater => column - 1,
        };
        columns.iter_mut().for_each(|column| *column = after(*column));
        let dimension = if dropped == i32::MAX { next } else { (next - 1).max(0) };
        let refuse = reader.text("unknown")?.as_deref() == Some("error");
        Ok(Some(Self { categories, columns, refuse, dimension }))
    }

    fn vectors(&self, values: &ArrayRef) -> Result<ArrayRef> {
        let last = self.columns.len() as u32 - 1;
        let unknown = if self.refuse { Fallback::Error } else { Fallback::Place(last) };
        let missing = self.categories.missing().map_or(unknown, Fallback::Place);
        let places = self.categories.places(APPLY.name, values, missing, unknown)?;
        let column = |place: &u32| self.columns.get(*place as usize).copied().unwrap_or(-1);
        let columns: Vec<i32> = places.iter().map(column).collect();
        let lengths = columns.iter().map(|column| usize::from(*column >= 0));
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let indices: Vec<i32> = columns.into_iter().filter(|column| *column >= 0).collect();
        let ones = Float64Array::from_value(1.0, indices.len());
        let list = |values: ArrayRef| -> Result<ArrayRef> {
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(field, offsets.clone(), values, None)?))
        };
        let (indices, values) = (list(Arc::new(Int32Array::from(indices)))?, list(Arc::new(ones))?);
        Ok(Arc::new(struct_array(vec![("indices", indices), ("values", values)])?))
    }
}

/// `one_hot_apply(state, x)`.
#[derive(Debug, Default)]
pub(super) struct OneHotApply {
    cache: StateCache<Columns>,
}

impl Kernel for OneHotApply {
    fn spec(&self) -> &'static Spec {
        &APPLY
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[1] = coerce_category(&APPLY, "x", &types[0], &types[1])?;
        Ok(coerced)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        check_state_type(APPLY.name, fields[0].data_type(), &option_names::<FitOneHot>())?;
        let dimension = match constants.is_varying("state") {
            true => None,
            false => match constants.value("state")? {
                Some(ScalarValue::Struct(state)) => Columns::decode(&state, 0)?.map(|columns| columns.dimension),
                _ => None,
            },
        };
        Ok(vector_field(APPLY.name, sparse_type(), dimension.map(i64::from)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        let x = rows_of(&arguments[1], rows)?;
        self.cache.apply(&arguments[0], rows, &sparse_type(), Columns::decode, |columns, range| {
            columns.vectors(&x.slice(range.start, range.len()))
        })
    }
}
