//! `fit_negatives(item[, alpha])`: how often each item was chosen.

use arrow::array::StructArray;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::ScalarValue;

use crate::aggregate::{Accumulate, Fit};
use crate::categories::Options;
use crate::constants::Constants;
use crate::counting::{Counting, category_or_list, counting_type};
use crate::spec::{Spec, optional, required};

/// The kind of the state, and its options.
pub(super) const KIND: &str = "negatives/1";
pub(super) const OPTIONS: [&str; 1] = ["alpha"];

static SPEC: Spec = Spec {
    name: "fit_negatives",
    section: "Negative sampling",
    summary: "The items and their counts, for negative_samples; nulls are passed over. A list counts its elements.",
    parameters: &[
        required("item", "The item, or a list of items."),
        optional(
            "alpha",
            "0.75",
            "An item is drawn in proportion to count^alpha: 0.75 as in word2vec, 1 by popularity, 0 evenly; from -10 to \
             10.",
        ),
    ],
    example: "select negative_samples((select fit_negatives(item) from clicks), user_id, items, 4) from history;",
};

/// The fit of item counts.
#[derive(Debug)]
pub(super) struct FitNegatives;

fn options(constants: &Constants) -> Result<Options> {
    let alpha = constants.float_within("alpha", -10.0, 10.0)?.unwrap_or(0.75);
    Ok(vec![(OPTIONS[0], ScalarValue::from(alpha))])
}

impl Fit for FitNegatives {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[0] = category_or_list(&types[0]);
        Ok(coerced)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(counting_type(&[(OPTIONS[0], DataType::Float64)], &types[0]))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        options(constants).map(drop)
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Counting::new(KIND, options(constants)?, &types[0], false)))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Counting::resume(KIND, &OPTIONS, state, false)?))
    }
}
