//! `fit_quantile_bins(x, n)`: edges that part the rows into bins of equal size, as `KBinsDiscretizer(strategy =
//! 'quantile')` of scikit-learn 1.9.

use arrow::datatypes::DataType;
use datafusion_common::{DataFusionError, Result, exec_datafusion_err};

use crate::bins::BINS;
use crate::bins::edges::{
    CLOSED, closed_column, distinct, edges_column, read_bins, read_closed, resume_bins, resume_closed,
};
use crate::constants::Constants;
use crate::numbers::Closed;
use crate::quantile::{Distribution, EPSILON, Interpolation, MERGEABLE, METHOD, Sketch, interpolation_parameter};
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, list_of};
use crate::summary::{Columns, Summary, count, text};

static SPEC: Spec = Spec {
    name: "fit_quantile_bins",
    section: "Binning",
    summary: "Edges of n bins with about equally many rows each, for bins_apply; as KBinsDiscretizer with the strategy \
              'quantile' in scikit-learn 1.9. Null and NaN are passed over; infinities are values.",
    parameters: &[
        required("x", "A number."),
        BINS,
        METHOD,
        EPSILON,
        interpolation_parameter("'averaged_inverted_cdf'"),
        CLOSED,
        optional(
            "on_duplicates",
            "'drop'",
            "What is done about edges that are equal, since one value fills several bins: 'drop' gives fewer bins, \
             'keep' leaves bins empty so that bin numbers stay shares of n, 'error' fails.",
        ),
        MERGEABLE,
    ],
    example: "select fit_quantile_bins(x, 2) from (values (1.0), (2.0), (4.0)) t(x); -- edges: [1.0, 2.0, 4.0]",
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Duplicates {
    Drop,
    Keep,
    Error,
}

const DUPLICATES: [(&str, Duplicates); 3] =
    [("drop", Duplicates::Drop), ("keep", Duplicates::Keep), ("error", Duplicates::Error)];

/// The options of the fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuantileBins {
    bins: i64,
    closed: Closed,
    interpolation: Interpolation,
    duplicates: Duplicates,
}

impl QuantileBins {
    fn edges(&self, distribution: &Distribution) -> Result<Option<Vec<f64>>> {
        // The shares are computed as scikit-learn and NumPy do: linspace(0, 100, n + 1) / 100.
        let step = 100.0 / self.bins as f64;
        let share = |index: i64| if index == self.bins { 1.0 } else { index as f64 * step / 100.0 };
        let quantiles = (0..=self.bins).map(|index| distribution.quantile(share(index), self.interpolation));
        let Some(edges) = quantiles.collect::<Option<Vec<f64>>>() else { return Ok(None) };
        match self.duplicates {
            Duplicates::Drop => Ok(Some(distinct(edges))),
            Duplicates::Keep => Ok(Some(edges)),
            Duplicates::Error => match edges.windows(2).find(|pair| pair[0] == pair[1]) {
                None => Ok(Some(edges)),
                Some(pair) => Err(repeated(pair[0])),
            },
        }
    }
}

fn repeated(edge: f64) -> DataFusionError {
    exec_datafusion_err!(
        "on_duplicates of {} is 'error', and the edge {edge} repeats: choose fewer bins, or 'drop' or 'keep'",
        SPEC.name
    )
}

impl Summary for QuantileBins {
    type Statistic = Sketch;

    const KIND: &'static str = "quantile_bins/1";
    const FINITE: bool = false;

    fn spec() -> &'static Spec {
        &SPEC
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        vec![
            ("n", DataType::Int64),
            ("closed", DataType::Utf8),
            ("interpolation", DataType::Utf8),
            ("on_duplicates", DataType::Utf8),
            ("edges", list_of(DataType::Float64)),
        ]
    }

    fn read(constants: &Constants) -> Result<Self> {
        Ok(Self {
            bins: read_bins(constants)?,
            closed: read_closed(constants)?,
            interpolation: Interpolation::read(constants)?.unwrap_or(Interpolation::AveragedInvertedCdf),
            duplicates: constants.choice("on_duplicates", &DUPLICATES)?.unwrap_or(Duplicates::Drop),
        })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let unknown = |field: &str| exec_datafusion_err!("the field {field} of the state has an unknown name");
        let interpolation = state.given("interpolation", state.text("interpolation")?)?;
        let duplicates = state.given("on_duplicates", state.text("on_duplicates")?)?;
        let duplicates = DUPLICATES.iter().find(|(known, _)| *known == duplicates);
        Ok(Self {
            bins: resume_bins(state)?,
            closed: resume_closed(state)?,
            interpolation: Interpolation::named(&interpolation).ok_or_else(|| unknown("interpolation"))?,
            duplicates: duplicates.ok_or_else(|| unknown("on_duplicates"))?.1,
        })
    }

    fn columns(&self, distribution: Option<&Distribution>) -> Result<Columns> {
        let edges = distribution.map(|distribution| self.edges(distribution)).transpose()?.flatten();
        let duplicates = DUPLICATES.iter().find(|(_, known)| *known == self.duplicates);
        Ok(vec![
            ("n", count(self.bins as u64)),
            ("closed", closed_column(self.closed)),
            ("interpolation", text(self.interpolation.name())),
            ("on_duplicates", text(duplicates.map_or("", |(name, _)| name))),
            ("edges", edges_column(edges)),
        ])
    }
}
