//! `auc(score, y[, weight])`, `gini` and `ks`: functions of the events and non-events at each distinct score.

use arrow::array::{Array, ArrayRef, Float64Array, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::class_counts::{ClassCounts, Labels, Tally, target_argument};
use crate::constants::Constants;
use crate::grid::{CELLS, Grid, MOST_CELLS};
use crate::numbers::float_values;
use crate::numbers::number_argument;
use crate::spec::{Parameter, Spec, optional, required};
use crate::state::{StateReader, state_row, state_type};

const SCORE: Parameter =
    required("score", "A number, higher where an event is likelier. Rows with a null do not count.");
const TARGET: Parameter = required("y", "The target: a boolean, or 0 or 1; both must occur.");
const WEIGHT: Parameter = optional("weight", "NULL", "The weight of a row, at least 0.");
const MAX_DISTINCT: Parameter = optional(
    "max_distinct",
    "65536",
    "How many distinct scores are kept apart at most, 2 to 4194304. Up to it the result is exact; beyond it, scores \
     that agree in the leading bits of their Float64 form are ties, with as many bits as the limit allows.",
);

static AUC_SPEC: Spec = Spec {
    name: "auc",
    section: "Metrics",
    summary: "The area under the ROC curve: the chance that an event has a higher score than a non-event, a tie counting \
              half, as scikit-learn's roc_auc_score.",
    parameters: &[SCORE, TARGET, WEIGHT, MAX_DISTINCT],
    example: "select auc(score, y) from (values (0.1, 0), (0.4, 0), (0.35, 1), (0.8, 1)) as t(score, y); -- 0.75",
};

static GINI_SPEC: Spec = Spec {
    name: "gini",
    section: "Metrics",
    summary: "The Gini coefficient of a score about a binary target: 2 auc - 1, between -1 and 1.",
    parameters: &[SCORE, TARGET, WEIGHT, MAX_DISTINCT],
    example: "select gini(score, y) from (values (0.1, 0), (0.4, 0), (0.35, 1), (0.8, 1)) as t(score, y); -- 0.5",
};

static KS_SPEC: Spec = Spec {
    name: "ks",
    section: "Metrics",
    summary: "The Kolmogorov-Smirnov statistic of a score about a binary target: the largest distance between the \
              distribution functions of events and non-events, as the statistic of scipy's ks_2samp.",
    parameters: &[SCORE, TARGET, WEIGHT, MAX_DISTINCT],
    example: "select ks(score, y) from (values (0.1, 0), (0.4, 0), (0.35, 1), (0.8, 1)) as t(score, y); -- 0.5",
};

/// A measure of a score.
#[derive(Debug)]
pub(crate) struct Ranking {
    spec: &'static Spec,
    kind: &'static str,
    measure: fn(&[Tally], bool) -> f64,
}

/// The area under the ROC curve.
pub(crate) const AUC: Ranking = Ranking { spec: &AUC_SPEC, kind: "auc/1", measure: auc };
/// The Gini coefficient.
pub(crate) const GINI: Ranking =
    Ranking { spec: &GINI_SPEC, kind: "gini/1", measure: |tallies, weighted| 2.0 * auc(tallies, weighted) - 1.0 };
/// The Kolmogorov-Smirnov statistic.
pub(crate) const KS: Ranking = Ranking { spec: &KS_SPEC, kind: "ks/1", measure: ks };

/// Twice the area in pairs of rows is a whole number, so without weights there is one rounding.
fn auc(tallies: &[Tally], weighted: bool) -> f64 {
    if weighted {
        let (mut below, mut area, mut total) = (0.0, 0.0, 0.0);
        for tally in tallies {
            let [events, non_events] = tally.weights();
            area += events * (below + 0.5 * non_events);
            below += non_events;
            total += events;
        }
        return area / (below * total);
    }
    let (mut below, mut twice) = (0u128, 0u128);
    for ClassCounts { events, non_events } in tallies.iter().map(|tally| tally.counts) {
        let pairs = u128::from(events).saturating_mul(2 * below + u128::from(non_events));
        twice = twice.saturating_add(pairs);
        below += u128::from(non_events);
    }
    let total = ClassCounts::sum(tallies.iter().map(|tally| &tally.counts));
    twice as f64 / (2.0 * total.events as f64 * total.non_events as f64)
}

fn ks(tallies: &[Tally], weighted: bool) -> f64 {
    if weighted {
        let sum = |class: usize| tallies.iter().map(|tally| tally.weights()[class]).sum::<f64>();
        let totals = [sum(0), sum(1)];
        let (mut so_far, mut largest) = ([0.0, 0.0], 0.0f64);
        for tally in tallies {
            let weights = tally.weights();
            so_far = [so_far[0] + weights[0], so_far[1] + weights[1]];
            largest = largest.max((so_far[0] / totals[0] - so_far[1] / totals[1]).abs());
        }
        return largest;
    }
    let total = ClassCounts::sum(tallies.iter().map(|tally| &tally.counts));
    let (mut so_far, mut largest) = (ClassCounts::default(), 0u128);
    for tally in tallies {
        so_far.merge(&tally.counts);
        let events = u128::from(so_far.events) * u128::from(total.non_events);
        let non_events = u128::from(so_far.non_events) * u128::from(total.events);
        largest = largest.max(events.abs_diff(non_events));
    }
    largest as f64 / (total.events as f64 * total.non_events as f64)
}

fn is_weighted(types: &[DataType]) -> bool {
    types.get(2).is_some_and(|weight| !weight.is_null())
}

fn limit(constants: &Constants) -> Result<usize> {
    Ok(constants.integer_within("max_distinct", 2, MOST_CELLS)?.unwrap_or(CELLS) as usize)
}

impl Fit for Ranking {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = number_argument(self.spec, "score", &types[0])?;
        types[1] = target_argument(self.spec, "y", &types[1])?;
        if let Some(weight) = types.get_mut(2).filter(|weight| !weight.is_null()) {
            *weight = number_argument(self.spec, "weight", weight)?;
        }
        Ok(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(state_type(&Grid::fields(is_weighted(types))))
    }

    fn result_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        limit(constants).map(|_| ())
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Ranked {
            spec: self.spec,
            kind: self.kind,
            measure: self.measure,
            weighted: is_weighted(types),
            grid: Grid::new(limit(constants)?),
        }))
    }
}

#[derive(Debug)]
struct Ranked {
    spec: &'static Spec,
    kind: &'static str,
    measure: fn(&[Tally], bool) -> f64,
    weighted: bool,
    grid: Grid,
}

impl Accumulate for Ranked {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let labels = Labels::read(self.spec, &columns[1], columns.get(2).filter(|_| self.weighted))?;
        let scores = float_values(&columns[0])?;
        for (row, score) in scores.iter().enumerate() {
            let (Some(score), Some((event, weight))) = (score, labels.row(row)) else { continue };
            if score.is_nan() {
                return exec_err!("score of {} must be a number: it is NaN in a row", self.spec.name);
            }
            self.grid.count(score, event, weight);
        }
        Ok(())
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            if let Some(state) = StateReader::open(states, row, self.kind)? {
                self.grid.merge(&state)?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        state_row(self.kind, self.grid.columns(self.weighted)?)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let tallies: Vec<Tally> = self.grid.sorted().into_iter().map(|cell| cell.tally.clone()).collect();
        let total = ClassCounts::sum(tallies.iter().map(|tally| &tally.counts));
        total.check_classes(self.spec.name)?;
        if self.weighted && total.total() > 0 {
            let sum = |class: usize| tallies.iter().map(|tally| tally.weights()[class]).sum::<f64>();
            if sum(0) == 0.0 || sum(1) == 0.0 {
                return exec_err!("weight of {} must be above 0 for an event and for a non-event", self.spec.name);
            }
        }
        let measure = Some(&tallies).filter(|tallies| !tallies.is_empty());
        Ok(Arc::new(Float64Array::from(vec![measure.map(|tallies| (self.measure)(tallies, self.weighted))])))
    }

    fn size(&self) -> usize {
        self.grid.size()
    }
}
