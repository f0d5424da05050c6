//! `population_stability(bin, is_actual[, epsilon])`: the population stability index over rows of two samples.

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use super::counted::Metric;
use crate::category_counts::CategoryCounts;
use crate::class_counts::{ClassCounts, Labels, read_target};
use crate::constants::Constants;
use crate::metrics::psi::{EPSILON, epsilon, stability_index};
use crate::spec::{Spec, required};
use crate::woe::categories;

static SPEC: Spec = Spec {
    name: "population_stability",
    section: "Metrics",
    summary: "The population stability index of two samples in one table: the sum over bins of (actual share - expected \
              share) * ln(actual share / expected share). Null and NaN are a bin. Rows whose is_actual is null do not \
              count. See psi for two lists of counts.",
    parameters: &[
        required("bin", "A bin number or any category."),
        required("is_actual", "True or 1 in the rows of the actual sample, false or 0 in those of the expected one."),
        EPSILON,
    ],
    example: "select population_stability(bin, day >= 8) from t;",
};

/// What a call asks for. The actual rows count as events, the expected ones as non-events.
#[derive(Debug)]
pub(crate) struct PopulationStability {
    epsilon: f64,
}

impl Metric for PopulationStability {
    const KIND: &'static str = "population_stability/1";
    const SPEC: &'static Spec = &SPEC;

    fn read(constants: &Constants) -> Result<Self> {
        Ok(Self { epsilon: epsilon(constants)? })
    }

    fn rows(&self, columns: &[ArrayRef]) -> Result<(ArrayRef, Labels)> {
        let is_actual: ArrayRef = Arc::new(read_target(&SPEC, "is_actual", &columns[1])?);
        Ok((Arc::clone(&columns[0]), Labels::read(&SPEC, &is_actual, None)?))
    }

    fn value(&self, counts: &CategoryCounts) -> Result<Option<f64>> {
        let total = counts.total();
        if total.total() == 0 {
            return Ok(None);
        }
        if !total.is_mixed() {
            let value = u8::from(total.events > 0);
            return exec_err!("is_actual of {} must be both 1 and 0: it is {value} in every row", SPEC.name);
        }
        let (_, counts) = categories(counts)?;
        let floats = |of: fn(&ClassCounts) -> u64| counts.iter().map(|counts| of(counts) as f64).collect::<Vec<_>>();
        Ok(stability_index(&floats(|counts| counts.non_events), &floats(|counts| counts.events), self.epsilon))
    }
}
