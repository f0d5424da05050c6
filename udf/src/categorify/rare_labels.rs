//! `fit_rare_labels` and `rare_label_apply`: rare categories under one label.

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_common::ScalarValue;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::categories::{Categories, Fallback, NO_PLACE, coerce_category, rows_of};
use crate::constants::Constants;
use crate::counting::{CountingFit, option_names, read_counting};
use crate::scalar::Kernel;
use crate::spec::{Spec, optional, required};
use crate::state::{StateCache, StateReader, check_state_type};

const KIND: &str = "rare_labels/1";

static FIT: Spec = Spec {
    name: "fit_rare_labels",
    section: "Categories",
    summary: "The categories of a column and their counts, for rare_label_apply. As feature-engine's \
              RareLabelEncoder: a category is frequent if its share of the rows that are not null is at least the \
              tolerance; with few distinct values all are.",
    parameters: &[
        required("x", "The category."),
        optional("tolerance", "0.05", "The least share of a frequent category, from 0 to 1."),
        optional(
            "min_categories",
            "10",
            "With at most this many distinct values, a null being one, every category of the fit is frequent.",
        ),
    ],
    example: "select rare_label_apply((select fit_rare_labels(city) from t), city) from t;",
};

static APPLY: Spec = Spec {
    name: "rare_label_apply",
    section: "Categories",
    summary: "The text of a frequent category, and the label for a rare one or one that the fit did not see. Null \
              stays null.",
    parameters: &[
        required("state", "The result of fit_rare_labels."),
        required("x", "The category."),
        optional("label", "'Rare'", "The label: a constant text."),
    ],
    example: "select rare_label_apply((select fit_rare_labels(city) from t), city, label => 'other') from t;",
};

/// The fit of rare labels.
#[derive(Debug)]
pub(super) struct FitRareLabels;

impl CountingFit for FitRareLabels {
    const KIND: &'static str = KIND;
    const OPTIONS: &'static [(&'static str, DataType)] =
        &[("tolerance", DataType::Float64), ("min_categories", DataType::Int64)];

    fn face(&self) -> &'static Spec {
        &FIT
    }

    fn options(&self, constants: &Constants) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::from(constants.float_within("tolerance", 0.0, 1.0)?.unwrap_or(0.05)),
            ScalarValue::from(constants.integer_within("min_categories", 0, i64::MAX)?.unwrap_or(10)),
        ])
    }
}

/// Which categories keep their text.
#[derive(Debug)]
struct Frequent {
    categories: Categories,
    texts: StringArray,
    keep: Vec<bool>,
}

impl Frequent {
    fn decode(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(reader) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        let (categories, counts) = read_counting(&reader)?;
        let tolerance = reader.given("tolerance", reader.float("tolerance")?)?;
        let few = reader.given("min_categories", reader.integer("min_categories")?)?;
        let known = &counts.values()[..categories.known()];
        let rows = known.iter().map(|count| i128::from(*count)).sum::<i128>() as f64;
        let all = categories.len() as i64 <= few;
        let keep = known.iter().map(|count| all || *count as f64 / rows >= tolerance).collect();
        let texts = cast(&categories.values()?, &DataType::Utf8)?;
        Ok(Some(Self { texts: texts.as_string::<i32>().clone(), categories, keep }))
    }

    fn labels(&self, values: &ArrayRef, label: &str) -> Result<ArrayRef> {
        let unseen = Fallback::Place(self.keep.len() as u32);
        let places = self.categories.places(APPLY.name, values, Fallback::Null, unseen)?;
        let mut labels = StringBuilder::with_capacity(places.len(), places.len() * 8);
        for place in places {
            match place {
                NO_PLACE => labels.append_null(),
                place if self.keep.get(place as usize) == Some(&true) => {
                    labels.append_value(self.texts.value(place as usize));
                }
                _ => labels.append_value(label),
            }
        }
        Ok(Arc::new(labels.finish()))
    }
}

fn label(constants: &Constants) -> Result<String> {
    Ok(constants.text("label")?.unwrap_or_else(|| "Rare".to_string()))
}

/// `rare_label_apply(state, x[, label])`.
#[derive(Debug, Default)]
pub(super) struct RareLabelApply {
    cache: StateCache<Frequent>,
}

impl Kernel for RareLabelApply {
    fn spec(&self) -> &'static Spec {
        &APPLY
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[1] = coerce_category(&APPLY, "x", &types[0], &types[1])?;
        Ok(coerced)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        label(constants)?;
        check_state_type(APPLY.name, fields[0].data_type(), &option_names::<FitRareLabels>())?;
        Ok(Arc::new(Field::new(APPLY.name, DataType::Utf8, true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (x, label) = (rows_of(&arguments[1], rows)?, label(constants)?);
        self.cache.apply(&arguments[0], rows, &DataType::Utf8, Frequent::decode, |frequent, range| {
            frequent.labels(&x.slice(range.start, range.len()), &label)
        })
    }
}
