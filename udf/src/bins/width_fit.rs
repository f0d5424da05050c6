//! `fit_width_bins(x, n)`: edges at equal distances, as `KBinsDiscretizer(strategy = 'uniform')` of scikit-learn.

use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::bins::BINS;
use crate::bins::edges::{
    CLOSED, closed_column, distinct, edges_column, even, read_bins, read_closed, resume_bins, resume_closed,
};
use crate::constants::Constants;
use crate::extent::Extent;
use crate::numbers::Closed;
use crate::spec::{Spec, required};
use crate::state::{StateReader, list_of};
use crate::summary::{Columns, Summary, count};

static SPEC: Spec = Spec {
    name: "fit_width_bins",
    section: "Binning",
    summary: "Edges of n bins of equal width between the least and the greatest value, for bins_apply; as \
              KBinsDiscretizer with the strategy 'uniform' in scikit-learn. Null, NaN and infinities are passed over.",
    parameters: &[required("x", "A number."), BINS, CLOSED],
    example: "select fit_width_bins(x, 2) from (values (1.0), (2.0), (5.0)) t(x); -- edges: [1.0, 3.0, 5.0]",
};

/// The options of the fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WidthBins {
    bins: i64,
    closed: Closed,
}

impl Summary for WidthBins {
    type Statistic = Extent;

    const KIND: &'static str = "width_bins/1";
    const FINITE: bool = true;

    fn spec() -> &'static Spec {
        &SPEC
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        vec![("n", DataType::Int64), ("closed", DataType::Utf8), ("edges", list_of(DataType::Float64))]
    }

    fn read(constants: &Constants) -> Result<Self> {
        Ok(Self { bins: read_bins(constants)?, closed: read_closed(constants)? })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        Ok(Self { bins: resume_bins(state)?, closed: resume_closed(state)? })
    }

    fn columns(&self, bounds: Option<&Option<(f64, f64)>>) -> Result<Columns> {
        let edges = bounds.copied().flatten().map(|(least, most)| distinct(even(least, most, self.bins)));
        Ok(vec![("n", count(self.bins as u64)), ("closed", closed_column(self.closed)), ("edges", edges_column(edges))])
    }
}
