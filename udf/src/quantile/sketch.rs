//! The engine of every fit that needs quantiles: counts of values, exact or on a grid, or a sketch; taken in, merged,
//! and held in a state.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::constants::Constants;
use crate::quantile::compactors::{Compactors, Family, Level};
use crate::quantile::counts::{Bucket, Counts, key, number};
use crate::quantile::distribution::Distribution;
use crate::spec::{Parameter, optional};
use crate::state::{StateReader, list_of, one_list, struct_array, struct_of};
use crate::summary::{Columns, Statistic, count, one, text};

/// How the distribution is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Each distinct value with its count.
    Exact,
    /// Counts on the finest grid with `16 / epsilon` buckets.
    Grid,
    /// A sketch of compactors.
    Sketch(Family),
}

impl Method {
    const NAMES: [(&'static str, Self); 4] = [
        ("exact", Self::Exact),
        ("grid", Self::Grid),
        ("kll", Self::Sketch(Family::Kll)),
        ("req", Self::Sketch(Family::Req)),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// The parameters of a call that [`Options`] reads.
pub(crate) const METHOD: Parameter = optional(
    "method",
    "'exact'",
    "'exact' keeps each distinct value with its count, so that the state grows with the distinct values. The others \
     are exact as long as there are few distinct values, and then bounded: 'grid' counts values on the finest \
     floating-point grid with 16 / epsilon occupied cells, and its state tells how far a rank can be off; 'kll' and \
     'req' are sketches whose ranks are off by at most epsilon (of all rows, and for 'req' of the rows above) with a \
     probability of 99 %, and whose result depends on how the rows lie in partitions. 'exact' and 'grid' give the same \
     state whatever the partitions.",
);
pub(crate) const EPSILON: Parameter =
    optional("epsilon", "0.001", "The error of a rank for 'grid', 'kll' and 'req', between 0.00001 and 0.5.");

pub(crate) const MERGEABLE: Parameter = optional(
    "mergeable",
    "true",
    "Whether the result keeps the distribution, which merge_state needs and an apply does not: without it the result \
     is small.",
);

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Options {
    method: Method,
    epsilon: f64,
    mergeable: bool,
}

impl Options {
    /// From the constants `method`, `epsilon` and `mergeable`.
    fn read(constants: &Constants) -> Result<Self> {
        let method = constants.choice("method", &Method::NAMES)?.unwrap_or(Method::Exact);
        let epsilon = constants.float_within("epsilon", 1e-5, 0.5)?;
        let mergeable = constants.boolean("mergeable")?.unwrap_or(true);
        if method == Method::Exact {
            if epsilon.is_some() {
                return Err(constants.error("epsilon", "must be left out if the method is 'exact'"));
            }
            return Ok(Self { method, epsilon: 0.0, mergeable });
        }
        Ok(Self { method, epsilon: epsilon.unwrap_or(0.001), mergeable })
    }

    /// Buckets of the grid; `None` if all counts are exact.
    fn limit(&self) -> Option<usize> {
        (self.method == Method::Grid).then(|| (16.0 / self.epsilon).ceil() as usize)
    }
}

/// The distribution of the rows so far.
#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    options: Options,
    /// Rows without a value.
    missing: u64,
    /// Values with their counts; for a sketch, those not yet in compactors.
    counts: Counts,
    /// The compactors that take values in.
    current: Option<Compactors>,
    /// Those of other partitions, which are put together in the end.
    others: Vec<Compactors>,
    /// Whether there are rows of other partitions.
    merged: bool,
}

impl Sketch {
    fn of(options: Options, counts: Counts) -> Self {
        Self { options, missing: 0, counts, current: None, others: Vec::new(), merged: false }
    }

    /// Whether each distinct value is counted.
    pub(crate) fn is_exact(&self) -> bool {
        self.options.method == Method::Exact
    }

    /// Moves the counts to the compactors if there are too many of them.
    fn fill(&mut self) {
        let Method::Sketch(family) = self.options.method else { return };
        let size = family.size(self.options.epsilon);
        if self.counts.buckets().len() > 2 * size {
            let buckets = self.counts.take();
            self.current.get_or_insert_with(|| Compactors::new(family, size)).insert(&buckets);
        }
    }

    /// How far a rank can be off, as a share of all rows.
    fn error(&self, distribution: &Distribution) -> f64 {
        match self.options.method {
            Method::Sketch(_) if self.others.is_empty() => 0.0,
            Method::Sketch(_) => self.options.epsilon,
            _ => distribution.uncertainty(),
        }
    }
}

impl Statistic for Sketch {
    type Outcome = Distribution;

    fn fields() -> Vec<(&'static str, DataType)> {
        vec![
            ("method", DataType::Utf8),
            ("epsilon", DataType::Float64),
            ("mergeable", DataType::Boolean),
            ("rank_error", DataType::Float64),
            ("rows", DataType::Int64),
            ("missing", DataType::Int64),
            ("shift", DataType::Int64),
            ("lows", list_of(DataType::Float64)),
            ("highs", list_of(DataType::Float64)),
            ("counts", list_of(DataType::Int64)),
            ("sketches", list_of(compactors_type())),
        ]
    }

    fn new(constants: &Constants) -> Result<Self> {
        let options = Options::read(constants)?;
        Ok(Self::of(options, Counts::new(options.limit())))
    }

    fn update(&mut self, values: &Float64Array, finite: bool) {
        let mut missing = 0;
        let mut add = |value: f64| {
            if value.is_nan() || (finite && value.is_infinite()) {
                missing += 1;
            } else {
                self.counts.add(value);
            }
        };
        if values.null_count() == 0 {
            values.values().iter().for_each(|value| add(*value));
        } else {
            values.iter().for_each(|value| add(value.unwrap_or(f64::NAN)));
        }
        self.missing += missing;
        if self.counts.is_full() {
            self.fill();
        }
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if self.options != other.options {
            return exec_err!("states of different methods or epsilons cannot be merged");
        }
        self.merged = true;
        self.missing = self.missing.saturating_add(other.missing);
        self.counts.merge(&other.counts);
        self.others.extend(other.current.into_iter().chain(other.others));
        Ok(())
    }

    /// What comes from several partitions stays apart until [`Self::finish`], so that the order of merging does not
    /// matter.
    fn settle(&mut self) {
        if !self.merged {
            self.fill();
        }
        self.counts.buckets();
        self.others.extend(self.current.take());
        self.others.sort_unstable_by(|left, right| left.content().cmp(&right.content()));
    }

    fn finish(&mut self) -> Distribution {
        self.fill();
        self.settle();
        if let Some((first, rest)) = self.others.split_first() {
            let mut whole = first.clone();
            rest.iter().for_each(|other| whole.merge(other));
            whole.insert(&self.counts.take());
            self.others = vec![whole];
            return Distribution::new(self.others[0].ranges().into_iter());
        }
        let ranges = self.counts.settled().iter();
        Distribution::new(ranges.map(|bucket| (number(bucket.low), number(bucket.high), bucket.count)))
    }

    fn columns(&self, distribution: Option<&Distribution>) -> Result<Columns> {
        let buckets = self.counts.settled();
        let counted = buckets.iter().fold(0u64, |sum, bucket| sum.saturating_add(bucket.count));
        let rows = self.others.iter().fold(counted, |sum, sketch| sum.saturating_add(sketch.rows));
        let kept = self.options.mergeable || distribution.is_none();
        let list = |values: ArrayRef| if kept { one_list(values) } else { null_list(values.data_type()) };
        let lows = Float64Array::from_iter_values(buckets.iter().map(|bucket| number(bucket.low)));
        let highs = Float64Array::from_iter_values(buckets.iter().map(|bucket| number(bucket.high)));
        let counts = Int64Array::from_iter_values(buckets.iter().map(|bucket| bucket.count as i64));
        // Exact counts have one value a bucket.
        let highs = if self.counts.shift() == 0 { null_list(&DataType::Float64) } else { list(Arc::new(highs)) };
        Ok(vec![
            ("method", text(self.options.method.name())),
            ("epsilon", one(Some(self.options.epsilon))),
            ("mergeable", Arc::new(BooleanArray::from(vec![self.options.mergeable]))),
            ("rank_error", one(distribution.map(|distribution| self.error(distribution)))),
            ("rows", count(rows)),
            ("missing", count(self.missing)),
            ("shift", count(u64::from(self.counts.shift()))),
            ("lows", list(Arc::new(lows))),
            ("highs", highs),
            ("counts", list(Arc::new(counts))),
            ("sketches", list(Arc::new(compactors_array(&self.others)?))),
        ])
    }

    fn read(state: &StateReader<'_>) -> Result<Self> {
        let options = read_options(state)?;
        let shift = state.given("shift", state.integer("shift")?)?;
        let mut sketch = Self::of(options, Counts::restore(options.limit(), shift, read_buckets(state)?)?);
        if let (Method::Sketch(family), Some(sketches)) = (options.method, state.structs("sketches")?) {
            let size = family.size(options.epsilon);
            let read = (0..sketches.len()).map(|row| read_compactors(&sketches, row, family, size));
            sketch.others = read.collect::<Result<_>>()?;
        }
        sketch.missing = state.given("missing", state.integer("missing")?)?.max(0) as u64;
        sketch.merged = true;
        Ok(sketch)
    }

    fn heap_size(&self) -> usize {
        let sketches = self.current.iter().chain(&self.others);
        self.counts.heap_size() + sketches.map(|sketch| size_of::<Compactors>() + sketch.heap_size()).sum::<usize>()
    }
}

fn read_options(state: &StateReader<'_>) -> Result<Options> {
    let name = state.given("method", state.text("method")?)?;
    let Some((_, method)) = Method::NAMES.iter().find(|(known, _)| *known == name) else {
        return exec_err!("the state has an unknown method '{name}'");
    };
    let epsilon = state.given("epsilon", state.float("epsilon")?)?;
    if *method != Method::Exact && !(1e-5..=0.5).contains(&epsilon) {
        return exec_err!("the field epsilon of the state must be between 0.00001 and 0.5");
    }
    let mergeable = state.given("mergeable", state.boolean("mergeable")?)?;
    Ok(Options { method: *method, epsilon, mergeable })
}

fn read_buckets(state: &StateReader<'_>) -> Result<Vec<Bucket>> {
    let Some(lows) = state.floats("lows")? else {
        return exec_err!("the state was fitted with mergeable => false and cannot be merged");
    };
    let highs = state.floats("highs")?.unwrap_or_else(|| lows.clone());
    let counts = state.integers("counts")?.unwrap_or_default();
    let sound = lows.len() == highs.len()
        && lows.len() == counts.len()
        && counts.iter().all(|count| *count > 0)
        && lows.iter().chain(&highs).all(|value| !value.is_nan());
    if !sound {
        return exec_err!("the values and counts of the state do not fit together");
    }
    let ranges = lows.iter().zip(&highs).zip(&counts);
    Ok(ranges.map(|((low, high), count)| Bucket { low: key(*low), high: key(*high), count: *count as u64 }).collect())
}

fn null_list(element: &DataType) -> ArrayRef {
    arrow::array::new_null_array(&list_of(element.clone()), 1)
}

fn compactors_type() -> DataType {
    struct_of(&[
        ("rows", DataType::Int64),
        ("least", DataType::Float64),
        ("most", DataType::Float64),
        ("items", list_of(DataType::Float64)),
        ("lengths", list_of(DataType::Int64)),
        ("compactions", list_of(DataType::Int64)),
    ])
}

fn compactors_array(sketches: &[Compactors]) -> Result<StructArray> {
    let lists = |lengths: Vec<usize>, values: ArrayRef| -> Result<ArrayRef> {
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Ok(Arc::new(arrow::array::ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, None)?))
    };
    let levels = || sketches.iter().flat_map(|sketch| &sketch.levels);
    let held = |sketch: &Compactors| sketch.levels.iter().map(|level| level.items.len()).sum::<usize>();
    let height = || sketches.iter().map(|sketch| sketch.levels.len()).collect::<Vec<_>>();
    let items = Float64Array::from_iter_values(levels().flat_map(|level| &level.items).map(|item| number(*item)));
    let lengths = Int64Array::from_iter_values(levels().map(|level| level.items.len() as i64));
    let compactions =
        Int64Array::from_iter_values(levels().map(|level| (level.compactions << 1 | u64::from(level.upper)) as i64));
    struct_array(vec![
        ("rows", Arc::new(Int64Array::from_iter_values(sketches.iter().map(|sketch| sketch.rows as i64)))),
        ("least", Arc::new(Float64Array::from_iter_values(sketches.iter().map(|sketch| number(sketch.least))))),
        ("most", Arc::new(Float64Array::from_iter_values(sketches.iter().map(|sketch| number(sketch.most))))),
        ("items", lists(sketches.iter().map(held).collect(), Arc::new(items))?),
        ("lengths", lists(height(), Arc::new(lengths))?),
        ("compactions", lists(height(), Arc::new(compactions))?),
    ])
}

fn read_compactors(sketches: &StructArray, row: usize, family: Family, size: usize) -> Result<Compactors> {
    let wrong = || exec_err!("the field sketches of the state does not hold sketches");
    let list = |name: &str| {
        let lists = sketches.column_by_name(name)?.as_list_opt::<i32>()?;
        (!lists.is_null(row)).then(|| lists.value(row))
    };
    let numbers = |name: &str| Some(list(name)?.as_primitive_opt::<Float64Type>()?.values().to_vec());
    let integers = |name: &str| Some(list(name)?.as_primitive_opt::<Int64Type>()?.values().to_vec());
    let end = |name: &str| Some(sketches.column_by_name(name)?.as_primitive_opt::<Float64Type>()?.value(row));
    let rows = sketches.column_by_name("rows").and_then(|rows| rows.as_primitive_opt::<Int64Type>());
    let (Some(items), Some(lengths), Some(compactions)) =
        (numbers("items"), integers("lengths"), integers("compactions"))
    else {
        return wrong();
    };
    let (Some(least), Some(most), Some(rows)) = (end("least"), end("most"), rows) else { return wrong() };
    let mut sketch = Compactors::new(family, size);
    (sketch.least, sketch.most, sketch.rows) = (key(least), key(most), rows.value(row).max(0) as u64);
    sketch.levels.clear();
    let mut rest = items.as_slice();
    for (length, compactions) in lengths.iter().zip(&compactions) {
        let Some((level, after)) = rest.split_at_checked((*length).max(0) as usize) else { return wrong() };
        let compactions = (*compactions).max(0) as u64;
        sketch.levels.push(Level {
            items: level.iter().map(|item| key(*item)).collect(),
            compactions: compactions >> 1,
            upper: compactions & 1 == 1,
        });
        rest = after;
    }
    let ordered = items.iter().all(|item| (least..=most).contains(item));
    if !rest.is_empty() || lengths.len() != compactions.len() || !ordered || !sketch.is_sound() {
        return wrong();
    }
    Ok(sketch)
}
