//! From a sample to the salts of a join: which keys are frequent, and what placing them brings.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, UInt32Array};
use datafusion::arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, partition, take};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use sluice_partition::chunks::{self, HOT_PART, HotKey};
use sluice_partition::kinds::HotKeyPartitioner;
use sluice_partition::placement::exchange_partitions;
use sluice_partition::ranges::{Cuts, RangeTable};
use sluice_partition::salts::{SaltTable, Split};

use super::sample::{Frequent, KeySample};
use crate::error::Result;

/// The fullest partition over the mean one from which on frequent keys are placed by hand.
const WORTHWHILE: f64 = 1.5;
/// How much longer than the work the plain node has to take before another is worth its cost.
const GAIN: f64 = 1.25;
/// Rows of a sample that have to have a key before it counts as frequent.
const LEAST_ROWS: f64 = 8.0;
/// Rows of a sample for each partition, below which what the hash does to the other keys cannot be told from chance.
const ROWS_TO_MEASURE: u64 = 1000;
/// Keys that are placed by hand at most.
const MOST_KEYS: usize = 4096;
/// Frequent keys that a note names.
const NAMED_KEYS: usize = 5;

/// When a node is rewritten.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trigger {
    /// Of the exchange.
    pub(super) partitions: usize,
    /// Cores that work side by side; `None` to rewrite whatever it costs.
    pub(super) cores: Option<usize>,
    /// The work of the rewritten node over that of the plain one.
    pub(super) cost: f64,
    /// Rows of one key that one task can hold, whatever the cost.
    pub(super) rows_held: f64,
}

impl Trigger {
    fn fires(&self, sample: &KeySample, forecast: &Forecast) -> bool {
        let Some(cores) = self.cores else { return forecast.hashed >= WORTHWHILE };
        let largest = forecast.hot.first().map_or(0.0, |key| key.count as f64 * sample.scale);
        let waiting = chunks::makespan_to_mean(&forecast.loads, cores.min(self.partitions));
        forecast.hashed >= WORTHWHILE && (waiting >= self.cost * GAIN || largest > self.rows_held)
    }

    /// Whether the forecast is worth rewriting the node.
    pub(super) fn is_worthwhile(&self, sample: &KeySample) -> Result<Option<Forecast>> {
        let forecast = Forecast::of(sample, self.partitions, false)?;
        Ok(self.fires(sample, &forecast).then_some(forecast))
    }
}

/// What a sample says of an exchange over its key.
#[derive(Debug)]
pub(super) struct Forecast {
    pub(super) hot: Vec<Frequent>,
    values: Vec<ArrayRef>,
    /// Rows by partition.
    loads: Vec<f64>,
    /// The fullest partition over the mean one, if the exchange hashes the key alone.
    pub(super) hashed: f64,
}

impl Forecast {
    /// What an exchange of `partitions` would do to the keys of the sample. `scatters_nulls` says that rows without a key
    /// could lie anywhere.
    pub(super) fn of(sample: &KeySample, partitions: usize, scatters_nulls: bool) -> Result<Self> {
        let fair = sample.rows as f64 / partitions.max(1) as f64;
        let mut hot = sample.frequent((fair * HOT_PART).max(LEAST_ROWS));
        hot.truncate(MOST_KEYS);
        let values = sample.values(&hot)?;
        let placed: u64 = hot.iter().map(|key| key.count).sum();
        let cold = (sample.rows - placed - sample.nulls) as f64 / partitions.max(1) as f64;
        let mut loads = vec![cold; partitions];
        if !hot.is_empty() {
            for (at, key) in exchange_partitions(&values, partitions)?.into_iter().zip(&hot) {
                loads[at as usize] += key.count as f64;
            }
        }
        // Whatever partition the nulls of a key of one column go to, they go there together.
        if scatters_nulls && let Some(load) = loads.first_mut() {
            *load += sample.nulls as f64;
        }
        let hashed = chunks::max_to_mean(&loads);
        Ok(Self { hot, values, loads, hashed })
    }

    /// The most frequent keys with their shares of the rows.
    pub(super) fn names(&self, sample: &KeySample) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (row, key) in self.hot.iter().take(NAMED_KEYS).enumerate() {
            let values = self.values.iter().map(|column| Ok(ScalarValue::try_from_array(column, row)?.to_string()));
            let values = values.collect::<Result<Vec<_>>>()?.join(", ");
            names.push(format!("{values} ({:.1} %)", 100.0 * key.count as f64 / sample.rows.max(1) as f64));
        }
        if sample.nulls as f64 > sample.rows as f64 * 0.01 {
            names.push(format!("NULL ({:.1} %)", 100.0 * sample.nulls as f64 / sample.rows as f64));
        }
        Ok(names)
    }
}

/// The salts of a join, and what they bring.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) table: Arc<SaltTable>,
    pub(super) forecast: Balance,
    pub(super) names: Vec<String>,
}

/// The fullest partition over the mean one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Balance {
    pub(super) hashed: f64,
    pub(super) placed: f64,
    /// Copies of the other side's rows, for each row of the split side.
    pub(super) copies: f64,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "fullest partition over the mean {:.2} hashed, {:.2} placed, copies of the other side {:.2} % of the rows",
            self.hashed,
            self.placed,
            100.0 * self.copies
        )
    }
}

/// Salts for a join that splits `split` and repeats `other`; `None` where the hash does well enough.
///
/// `both` allows keys that are frequent on both sides to be split on both. `copies` is the budget of copies, for each row
/// of the split side.
pub(super) fn plan_salts(
    split: &KeySample,
    other: Option<&KeySample>,
    trigger: Trigger,
    scatters_nulls: bool,
    both: bool,
    copies: f64,
) -> Result<Option<Plan>> {
    let partitions = trigger.partitions;
    let forecast = Forecast::of(split, partitions, scatters_nulls)?;
    if !trigger.fires(split, &forecast) {
        return Ok(None);
    }
    let hot = &forecast.hot;
    let measured = split.rows >= ROWS_TO_MEASURE * partitions as u64;
    let mut cold = match measured {
        true => split.cold_loads(hot, partitions)?,
        false => {
            let placed: u64 = hot.iter().map(|key| key.count).sum();
            vec![(split.rows - placed - split.nulls) as f64 / partitions as f64; partitions]
        }
    };
    if scatters_nulls {
        cold.iter_mut().for_each(|load| *load += split.nulls as f64 / partitions as f64);
    }
    // The other side's rows of a key, in rows of this side's sample.
    let theirs = |key: &Frequent| match other {
        Some(other) => other.count(key.hash) as f64 * other.scale / split.scale.max(f64::MIN_POSITIVE),
        None => 1.0 / split.scale.max(f64::MIN_POSITIVE),
    };
    let fair = split.rows as f64 / partitions as f64;
    let their_fair =
        other.map_or(f64::INFINITY, |other| other.rows as f64 * other.scale / split.scale / partitions as f64);
    let is_grid = |key: &Frequent| both && key.count as f64 > fair / 4.0 && theirs(key) > their_fair / 4.0;
    let keys: Vec<HotKey> = hot
        .iter()
        .map(|key| match is_grid(key) {
            // Its rows are everywhere, as is what they are joined with.
            true => HotKey { rows: 0.0, replicated: 0.0 },
            false => HotKey { rows: key.count as f64, replicated: theirs(key) },
        })
        .collect();
    let everywhere: f64 = hot.iter().filter(|key| is_grid(key)).map(|key| key.count as f64).sum();
    cold.iter_mut().for_each(|load| *load += everywhere / partitions as f64);
    let placed = chunks::place(&keys, &cold, copies * split.rows as f64);
    let splits: Vec<Split> = hot
        .iter()
        .zip(placed.partitions)
        .map(|(key, chunks)| match is_grid(key) {
            true => grid(key.count as f64, theirs(key), partitions),
            false => Split { partitions: chunks, columns: 1 },
        })
        .collect();
    let table = SaltTable::solve(&forecast.values, &splits, partitions, scatters_nulls)?;
    let names = forecast.names(split)?;
    let forecast = Balance {
        hashed: forecast.hashed,
        placed: placed.max_to_mean,
        copies: placed.copies / split.rows.max(1) as f64,
    };
    Ok(Some(Plan { table: Arc::new(table), forecast, names }))
}

/// Where the rows of a write partitioned by the sample's key go, and what that brings.
pub(super) fn plan_write(sample: &KeySample, partitions: usize) -> Result<(HotKeyPartitioner, Balance, Vec<String>)> {
    let forecast = Forecast::of(sample, partitions, false)?;
    let placed: u64 = forecast.hot.iter().map(|key| key.count).sum();
    let cold = vec![(sample.rows - placed) as f64 / partitions as f64; partitions];
    // Each chunk is a file: a key has no more of them than its rows are worth partitions.
    let fair = sample.rows as f64 / partitions as f64;
    let keys = forecast.hot.iter().map(|key| HotKey { rows: key.count as f64, replicated: fair / 2.0 });
    let keys: Vec<HotKey> = keys.collect();
    let chunks = chunks::place(&keys, &cold, sample.rows as f64);
    let hot = forecast.hot.iter().zip(chunks.partitions).map(|(key, mut partitions)| {
        partitions.sort_unstable();
        partitions.dedup();
        (key.hash, partitions)
    });
    let names = forecast.names(sample)?;
    let balance = Balance { hashed: forecast.hashed, placed: chunks.max_to_mean, copies: 0.0 };
    Ok((HotKeyPartitioner::try_new(partitions, hot.collect())?, balance, names))
}

/// The ranges of frequent keys, and what they bring.
#[derive(Debug, Clone)]
pub(super) struct RangePlan {
    pub(super) table: Arc<RangeTable>,
    pub(super) balance: Balance,
    pub(super) names: Vec<String>,
}

/// The ranges of a window's frequent keys, and what they bring; `None` where the hash does well enough.
pub(super) fn plan_ranges(sample: &KeySample, order: &[SortOptions], trigger: Trigger) -> Result<Option<RangePlan>> {
    let partitions = trigger.partitions;
    let Some(forecast) = trigger.is_worthwhile(sample)? else { return Ok(None) };
    let placed: u64 = forecast.hot.iter().map(|key| key.count).sum();
    let cold = match sample.rows >= ROWS_TO_MEASURE * partitions as u64 {
        true => sample.cold_loads(&forecast.hot, partitions)?,
        false => vec![(sample.rows - placed) as f64 / partitions as f64; partitions],
    };
    let keys: Vec<HotKey> = forecast.hot.iter().map(|key| HotKey { rows: key.count as f64, replicated: 0.0 }).collect();
    let chunks = chunks::place(&keys, &cold, f64::INFINITY);
    let mut cuts = Vec::with_capacity(forecast.hot.len());
    for (key, partitions) in forecast.hot.iter().zip(chunks.partitions) {
        cuts.push(Cuts { cuts: cut(&sample.read_along(key)?, order, partitions.len())?, partitions });
    }
    let table = RangeTable::solve(&forecast.values, &cuts, order, partitions)?;
    let balance = Balance { hashed: forecast.hashed, placed: chunks.max_to_mean, copies: 0.0 };
    let names = forecast.names(sample)?;
    Ok(Some(RangePlan { table: Arc::new(table), balance, names }))
}

/// Rows that cut others, in their order, into `parts` of about the same size; fewer where many are equal.
fn cut(rows: &[ArrayRef], order: &[SortOptions], parts: usize) -> Result<Vec<ArrayRef>> {
    let columns: Vec<SortColumn> = rows
        .iter()
        .zip(order)
        .map(|(values, options)| SortColumn { values: Arc::clone(values), options: Some(*options) })
        .collect();
    let sorted = lexsort_to_indices(&columns, None).map_err(DataFusionError::from)?;
    let count = sorted.len();
    let at: UInt32Array = (1..parts).map(|part| sorted.value(part * count / parts)).collect::<Vec<_>>().into();
    let at: Vec<ArrayRef> = rows
        .iter()
        .map(|column| take(column, &at, None))
        .collect::<std::result::Result<_, _>>()
        .map_err(DataFusionError::from)?;
    if at.first().is_none_or(|column| column.is_empty()) {
        return Ok(at);
    }
    // Each value once.
    let different = partition(&at).map_err(DataFusionError::from)?;
    let first: UInt32Array = different.ranges().iter().map(|range| range.start as u32).collect::<Vec<_>>().into();
    let at = at.iter().map(|column| take(column, &first, None)).collect::<std::result::Result<_, _>>();
    Ok(at.map_err(DataFusionError::from)?)
}

/// A cell for each partition: as square as the sides' rows ask for, so that the copies of both together are fewest.
fn grid(rows: f64, theirs: f64, partitions: usize) -> Split {
    let across = (partitions as f64 * theirs / rows.max(1.0)).sqrt().round().clamp(1.0, partitions as f64) as usize;
    let down = (partitions / across).max(1);
    Split { partitions: (0..(down * across) as u32).collect(), columns: across as u32 }
}
