//! `fit_quantile_sketch(x)`, the distribution of a column as a state, and `fit_quantiles(x, probabilities)`.

use arrow::array::{ArrayRef, AsArray, Float64Array, StructArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::aggregate::{Accumulate, Fit};
use crate::constants::Constants;
use crate::quantile::distribution::{Distribution, Interpolation, interpolation_parameter};
use crate::quantile::sketch::{EPSILON, METHOD, Sketch};
use crate::spec::{Spec, required};
use crate::state::{StateReader, list_of, one_list};
use crate::summary::{Columns, Summary, SummaryFit, outcome};

static SKETCH: Spec = Spec {
    name: "fit_quantile_sketch",
    section: "Quantiles",
    summary: "The distribution of a column, for quantile and quantile_rank; its field rank_error says how far a rank can \
              be off, as a share of all rows. Null and NaN are passed over; infinities are values.",
    parameters: &[required("x", "A number."), METHOD, EPSILON],
    example: "select quantile(fit_quantile_sketch(x), 0.5) from (values (1.0), (2.0), (4.0)) t(x); -- 2.0",
};

/// The distribution alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuantileSketch;

impl Summary for QuantileSketch {
    type Statistic = Sketch;

    const KIND: &'static str = "quantile_sketch/1";
    const FINITE: bool = false;

    fn spec() -> &'static Spec {
        &SKETCH
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        vec![]
    }

    fn read(_constants: &Constants) -> Result<Self> {
        Ok(Self)
    }

    fn resume(_state: &StateReader<'_>) -> Result<Self> {
        Ok(Self)
    }

    fn columns(&self, _distribution: Option<&Distribution>) -> Result<Columns> {
        Ok(vec![])
    }
}

static QUANTILES: Spec = Spec {
    name: "fit_quantiles",
    section: "Quantiles",
    summary: "The quantiles of a column, as a list in the order of the probabilities; null if there are no values. Null \
              and NaN are passed over; infinities are values.",
    parameters: &[
        required("x", "A number."),
        required("probabilities", "A constant list of numbers between 0 and 1."),
        METHOD,
        EPSILON,
        interpolation_parameter("'linear'"),
    ],
    example: "select fit_quantiles(x, [0.25, 0.5]) from (values (1.0), (2.0), (4.0)) t(x); -- [1.5, 2.0]",
};

/// Quantiles at once.
#[derive(Debug)]
pub(crate) struct FitQuantiles;

fn options(constants: &Constants) -> Result<(Vec<f64>, Interpolation)> {
    let interpolation = Interpolation::read(constants)?.unwrap_or(Interpolation::Linear);
    let shares = constants.given("probabilities", constants.floats("probabilities")?)?;
    if let Some(share) = shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        return Err(constants.error("probabilities", format!("must be between 0 and 1: it has {share}")));
    }
    Ok((shares, interpolation))
}

impl Fit for FitQuantiles {
    fn spec(&self) -> &'static Spec {
        &QUANTILES
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        SummaryFit::<QuantileSketch>::new().coerce(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        SummaryFit::<QuantileSketch>::new().state_type(types)
    }

    fn result_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(list_of(DataType::Float64))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        // A list of literals is folded to a constant after this first look.
        if !constants.is_varying("probabilities") {
            options(constants)?;
        }
        SummaryFit::<QuantileSketch>::new().check(constants)
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        let (shares, interpolation) = options(constants)?;
        let inner = SummaryFit::<QuantileSketch>::new().accumulate(types, constants)?;
        Ok(Box::new(Quantiles { inner, shares, interpolation }))
    }
}

#[derive(Debug)]
struct Quantiles {
    inner: Box<dyn Accumulate>,
    shares: Vec<f64>,
    interpolation: Interpolation,
}

impl Accumulate for Quantiles {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.inner.update(columns)
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        self.inner.merge(states)
    }

    fn state(&mut self) -> Result<StructArray> {
        self.inner.state()
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let state = self.inner.finish()?;
        let found = outcome::<QuantileSketch>(state.as_struct(), 0)?.unwrap_or_default();
        let quantiles = self.shares.iter().map(|share| found.quantile(*share, self.interpolation));
        match quantiles.collect::<Option<Vec<f64>>>() {
            Some(quantiles) => Ok(one_list(std::sync::Arc::new(Float64Array::from(quantiles)))),
            None => Ok(new_null_array(&list_of(DataType::Float64), 1)),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }
}
