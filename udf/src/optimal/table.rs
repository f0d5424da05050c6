//! `binning_table(state)` and `binning_summary(state)`: what optbinning's binning table shows.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

use crate::class_counts::{ClassCounts, count_columns};
use crate::constants::Constants;
use crate::optimal::bins::{FittedBins, check_type};
use crate::optimal::dynamic::compare_rates;
use crate::scalar::Kernel;
use crate::sign::Sign;
use crate::spec::{Spec, optional, required};
use crate::state::{list_of, one_list, struct_array, struct_of};

static TABLE: Spec = Spec {
    name: "binning_table",
    section: "Binning",
    summary: "The table of optimal bins, one struct a bin in the order of optimal_bin_apply and one of the totals: bin, \
              count, count_share, non_event, event, event_rate, woe, iv and js (Jensen-Shannon divergence), as in \
              optbinning's binning table. Bins without events or without non-events have a woe, iv and js of 0. The \
              woe of the totals is null.",
    parameters: &[
        required("state", "The result of fit_optimal_bins or fit_optimal_categories."),
        optional(
            "sign",
            "'nonevent_over_event'",
            "The sign of woe: 'nonevent_over_event', as in optbinning, or 'event_over_nonevent'.",
        ),
        optional("digits", "2", "Digits after the point in the names of bins, 0 to 17."),
        optional("totals", "true", "Whether the totals are there."),
    ],
    example: "select unnest(binning_table(fit_optimal_bins(x, y))) from t;",
};

static SUMMARY: Spec = Spec {
    name: "binning_summary",
    section: "Binning",
    summary: "What optbinning's binning table says of all bins together: iv, js, hellinger and triangular divergence, \
              gini, ks, hhi (concentration of the counts) and hhi_normalized. Bins without events or without \
              non-events count only for gini.",
    parameters: &[required("state", "The result of fit_optimal_bins or fit_optimal_categories.")],
    example: "select binning_summary(fit_optimal_bins(x, y)) from t;",
};

/// The table.
#[derive(Debug)]
pub(crate) struct BinningTable;

/// The totals.
#[derive(Debug)]
pub(crate) struct BinningSummary;

fn row_type() -> DataType {
    struct_of(&[
        ("bin", DataType::Utf8),
        ("count", DataType::Int64),
        ("count_share", DataType::Float64),
        ("non_event", DataType::Int64),
        ("event", DataType::Int64),
        ("event_rate", DataType::Float64),
        ("woe", DataType::Float64),
        ("iv", DataType::Float64),
        ("js", DataType::Float64),
    ])
}

const SUMMARY_FIELDS: [&str; 8] = ["iv", "js", "hellinger", "triangular", "gini", "ks", "hhi", "hhi_normalized"];

fn summary_type() -> DataType {
    struct_of(&SUMMARY_FIELDS.map(|name| (name, DataType::Float64)))
}

/// The shares of the events and non-events of a bin, if neither is 0.
fn shares(counts: &ClassCounts, total: &ClassCounts) -> Option<(f64, f64)> {
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    counts.is_mixed().then(|| (share(counts.events, total.events), share(counts.non_events, total.non_events)))
}

fn jeffrey((p, q): (f64, f64)) -> f64 {
    (p - q) * (p / q).ln()
}

fn jensen_shannon((p, q): (f64, f64)) -> f64 {
    let middle = 0.5 * (p + q);
    0.5 * (p * (p / middle).ln() + q * (q / middle).ln())
}

fn table(bins: &FittedBins, sign: Sign, digits: usize, totals: bool) -> Result<ArrayRef> {
    let total = bins.total();
    let of_bins = |of: fn((f64, f64)) -> f64| -> Vec<f64> {
        bins.counts.iter().map(|counts| shares(counts, &total).map_or(0.0, of)).collect()
    };
    let (mut labels, mut counts) = (bins.labels(digits)?, bins.counts.clone());
    let (mut iv, mut js) = (of_bins(jeffrey), of_bins(jensen_shannon));
    let mut weights: Vec<Option<f64>> = bins.weights(sign).into_iter().map(Some).collect();
    if totals {
        labels.push("Totals".to_string());
        counts.push(total);
        iv.push(iv.iter().sum());
        js.push(js.iter().sum());
        weights.push(None);
    }
    let rows = total.total().max(1) as f64;
    let floats = |numbers: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(numbers)) };
    let whole = counts.iter().map(|counts| ClassCounts { events: counts.total(), non_events: 0 });
    let mut of_classes = count_columns(counts.iter().copied());
    let (_, non_events) = of_classes.remove(1);
    let (_, events) = of_classes.remove(0);
    let columns = vec![
        ("bin", Arc::new(StringArray::from(labels)) as ArrayRef),
        ("count", count_columns(whole).remove(0).1),
        ("count_share", floats(counts.iter().map(|counts| counts.total() as f64 / rows).collect())),
        ("non_event", non_events),
        ("event", events),
        ("event_rate", floats(counts.iter().map(ClassCounts::rate).collect())),
        ("woe", Arc::new(Float64Array::from(weights))),
        ("iv", floats(iv)),
        ("js", floats(js)),
    ];
    Ok(one_list(Arc::new(struct_array(columns)?)))
}

/// Twice the area between the diagonal and the curve of events over non-events, the bins in the order of their rates.
fn gini(bins: &[ClassCounts], total: &ClassCounts) -> f64 {
    let mut ordered: Vec<&ClassCounts> = bins.iter().filter(|counts| counts.total() > 0).collect();
    if ordered.len() <= 1 || !total.is_mixed() {
        return 0.0;
    }
    ordered.sort_by(|left, right| compare_rates(right, left));
    let (mut before, mut pairs) = (0u128, 0u128);
    for counts in ordered {
        let non_events = u128::from(counts.non_events);
        pairs = pairs.saturating_add(u128::from(counts.events).saturating_mul(non_events + 2 * before));
        before += non_events;
    }
    1.0 - pairs as f64 / (total.events as f64 * total.non_events as f64)
}

fn summary(bins: &FittedBins) -> Result<ArrayRef> {
    let total = bins.total();
    let mixed: Vec<&ClassCounts> = bins.counts.iter().filter(|counts| counts.is_mixed()).collect();
    let shares: Vec<(f64, f64)> = mixed.iter().filter_map(|counts| shares(counts, &total)).collect();
    let sum = |of: fn((f64, f64)) -> f64| -> f64 { shares.iter().map(|shares| of(*shares)).sum() };
    let (mut events, mut non_events, mut ks) = (0.0f64, 0.0f64, 0.0f64);
    for (p, q) in &shares {
        events += p;
        non_events += q;
        ks = ks.max((events - non_events).abs());
    }
    let rows = total.total().max(1) as f64;
    let hhi: f64 = mixed.iter().map(|counts| (counts.total() as f64 / rows).powi(2)).sum();
    let even = 1.0 / mixed.len().max(1) as f64;
    let normalized = match mixed.len() {
        0 => 0.0,
        1 => 1.0,
        _ => (hhi - even) / (1.0 - even),
    };
    let numbers = [
        sum(jeffrey),
        sum(jensen_shannon),
        sum(|(p, q)| 0.5 * (p.sqrt() - q.sqrt()).powi(2)),
        sum(|(p, q)| (p - q).powi(2) / (p + q)),
        gini(&bins.counts, &total),
        ks,
        hhi,
        normalized,
    ];
    let columns = SUMMARY_FIELDS.into_iter().zip(numbers);
    let column = |(name, number)| (name, Arc::new(Float64Array::from(vec![number])) as ArrayRef);
    Ok(Arc::new(struct_array(columns.map(column).collect())?))
}

/// What `of` gives for each row of states; null where there is none.
fn of_states(
    states: &ColumnarValue,
    rows: usize,
    result: &DataType,
    of: impl Fn(&FittedBins) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let states = states.to_array(rows)?;
    let Some(states) = states.as_struct_opt() else { return Ok(new_null_array(result, rows)) };
    let parts = (0..states.len()).map(|row| match FittedBins::decode(states, row)? {
        Some(bins) => of(&bins),
        None => Ok(new_null_array(result, 1)),
    });
    let parts = parts.collect::<Result<Vec<ArrayRef>>>()?;
    match parts.is_empty() {
        true => Ok(new_null_array(result, 0)),
        false => Ok(concat(&parts.iter().map(|part| part.as_ref()).collect::<Vec<&dyn Array>>())?),
    }
}

fn table_options(constants: &Constants) -> Result<(Sign, usize, bool)> {
    let sign = constants.choice("sign", &Sign::NAMES)?.unwrap_or(Sign::NonEventOverEvent);
    let digits = constants.integer_within("digits", 0, 17)?.unwrap_or(2);
    Ok((sign, digits as usize, constants.boolean("totals")?.unwrap_or(true)))
}

impl Kernel for BinningTable {
    fn spec(&self) -> &'static Spec {
        &TABLE
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        check_type(&TABLE, &types[0])?;
        Ok(types.to_vec())
    }

    fn result(&self, _fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        if !TABLE.parameters[1..].iter().any(|parameter| constants.is_varying(parameter.name)) {
            table_options(constants)?;
        }
        Ok(Arc::new(Field::new(TABLE.name, list_of(row_type()), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let (sign, digits, totals) = table_options(constants)?;
        of_states(&arguments[0], rows, &list_of(row_type()), |bins| table(bins, sign, digits, totals))
    }
}

impl Kernel for BinningSummary {
    fn spec(&self) -> &'static Spec {
        &SUMMARY
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        check_type(&SUMMARY, &types[0])?;
        Ok(types.to_vec())
    }

    fn result(&self, _fields: &[FieldRef], _constants: &Constants) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(SUMMARY.name, summary_type(), true)))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, _constants: &Constants) -> Result<ArrayRef> {
        of_states(&arguments[0], rows, &summary_type(), summary)
    }
}
