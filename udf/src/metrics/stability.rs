//! `population_stability(bin, is_actual[, epsilon])`: the population stability index over rows of two samples.

use arrow::array::{Array, ArrayRef, Float64Array, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::category::category_argument;
use crate::category_counts::CategoryCounts;
use crate::class_counts::Labels;
use crate::class_counts::{ClassCounts, read_target, target_argument};
use crate::constants::Constants;
use crate::metrics::psi::{EPSILON, epsilon, stability_index};
use crate::spec::{Spec, required};
use crate::state::{StateReader, state_row, state_type};
use crate::woe::categories;

const KIND: &str = "population_stability/1";

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

/// The aggregate.
#[derive(Debug)]
pub(crate) struct PopulationStability;

impl Fit for PopulationStability {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = category_argument(&types[0]);
        types[1] = target_argument(&SPEC, "is_actual", &types[1])?;
        Ok(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(state_type(&[CategoryCounts::field(&types[0], false)]))
    }

    fn result_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        epsilon(constants).map(|_| ())
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Counting { epsilon: epsilon(constants)?, counts: CategoryCounts::new(&types[0]) }))
    }
}

#[derive(Debug)]
struct Counting {
    epsilon: f64,
    /// The actual rows as events, the expected ones as non-events.
    counts: CategoryCounts,
}

impl Accumulate for Counting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let is_actual: ArrayRef = Arc::new(read_target(&SPEC, "is_actual", &columns[1])?);
        self.counts.update(&columns[0], &Labels::read(&SPEC, &is_actual, None)?)
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
        let total = self.counts.total();
        if total.total() == 0 {
            return Ok(Arc::new(Float64Array::new_null(1)));
        }
        if !total.is_mixed() {
            let value = u8::from(total.events > 0);
            return exec_err!("is_actual of {} must be both 1 and 0: it is {value} in every row", SPEC.name);
        }
        let (_, counts) = categories(&self.counts)?;
        let floats = |of: fn(&ClassCounts) -> u64| counts.iter().map(|counts| of(counts) as f64).collect::<Vec<_>>();
        let index = stability_index(&floats(|counts| counts.non_events), &floats(|counts| counts.events), self.epsilon);
        Ok(Arc::new(Float64Array::from(vec![index])))
    }

    fn size(&self) -> usize {
        self.counts.size()
    }
}
