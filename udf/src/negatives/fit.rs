//! `fit_negatives(item[, alpha])`: how often each item was chosen.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::ScalarValue;

use crate::constants::Constants;
use crate::counting::CountingFit;
use crate::spec::{Spec, optional, required};

/// The kind of the state.
pub(super) const KIND: &str = "negatives/1";

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

impl CountingFit for FitNegatives {
    const KIND: &'static str = KIND;
    const OPTIONS: &'static [(&'static str, DataType)] = &[("alpha", DataType::Float64)];
    const LISTS: bool = true;
    const KEEP_MISSING: bool = false;

    fn face(&self) -> &'static Spec {
        &SPEC
    }

    fn options(&self, constants: &Constants) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::from(constants.float_within("alpha", -10.0, 10.0)?.unwrap_or(0.75))])
    }
}
