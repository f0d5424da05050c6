//! `fit_kmeans_bins(x, n)`: edges half-way between the centres of k-means, as `KBinsDiscretizer(strategy = 'kmeans')` of
//! scikit-learn.

use arrow::datatypes::DataType;
use datafusion_common::Result;

use crate::bins::BINS;
use crate::bins::edges::{
    CLOSED, closed_column, distinct, edges_column, even, read_bins, read_closed, resume_bins, resume_closed,
};
use crate::bins::kmeans::centres;
use crate::constants::Constants;
use crate::numbers::Closed;
use crate::quantile::{Distribution, EPSILON, MERGEABLE, METHOD, Sketch};
use crate::spec::{Spec, required};
use crate::state::{StateReader, list_of};
use crate::summary::{Columns, Summary, count};

static SPEC: Spec = Spec {
    name: "fit_kmeans_bins",
    section: "Binning",
    summary: "Edges of n bins, half-way between the centres of one-dimensional k-means, for bins_apply; as \
              KBinsDiscretizer with the strategy 'kmeans' in scikit-learn. Null, NaN and infinities are passed over.",
    parameters: &[required("x", "A number."), BINS, METHOD, EPSILON, CLOSED, MERGEABLE],
    example: "select fit_kmeans_bins(x, 2) from (values (1.0), (2.0), (9.0)) t(x); -- edges: [1.0, 5.25, 9.0]",
};

/// The options of the fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KmeansBins {
    bins: i64,
    closed: Closed,
}

impl KmeansBins {
    fn edges(&self, distribution: &Distribution) -> Option<Vec<f64>> {
        let (least, most) = distribution.bounds()?;
        let (values, counts): (Vec<f64>, Vec<f64>) =
            distribution.values().map(|(value, count)| (value, count as f64)).unzip();
        let start: Vec<f64> =
            even(least, most, self.bins).windows(2).map(|pair| pair[0] * 0.5 + pair[1] * 0.5).collect();
        let mut edges = vec![least];
        let centres = centres(&values, &counts, start);
        let halves = centres.windows(2).map(|pair| pair[0] * 0.5 + pair[1] * 0.5);
        edges.extend(halves.filter(|edge| *edge > least && *edge < most));
        edges.push(most);
        Some(distinct(edges))
    }
}

impl Summary for KmeansBins {
    type Statistic = Sketch;

    const KIND: &'static str = "kmeans_bins/1";
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

    fn columns(&self, distribution: Option<&Distribution>) -> Result<Columns> {
        Ok(vec![
            ("n", count(self.bins as u64)),
            ("closed", closed_column(self.closed)),
            ("edges", edges_column(distribution.and_then(|distribution| self.edges(distribution)))),
        ])
    }
}
