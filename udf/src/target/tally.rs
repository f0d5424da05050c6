//! Counts and exact sums of the target for every category and fold.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, new_null_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use super::statistics::{Summary, add_product};
use crate::class_counts::ClassCounts;
use crate::exact_sum::ExactSum;
use crate::state::{StateReader, list_of, one_list};

/// What the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// 0 or 1.
    Binary,
    /// Any finite number.
    Continuous,
    /// One of several classes, each encoded as "is it this one".
    Multiclass,
}

impl Target {
    /// The names in SQL.
    pub(super) const NAMES: [(&'static str, Self); 3] =
        [("binary", Self::Binary), ("continuous", Self::Continuous), ("multiclass", Self::Multiclass)];

    /// The name in SQL.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Continuous => "continuous",
            Self::Multiclass => "multiclass",
        }
    }
}

/// The sums of the target; the place of a cell is `slot * folds + fold`.
#[derive(Debug)]
pub(super) enum Sums {
    /// Of a binary target: the ones.
    Events(Vec<i64>),
    /// Of a continuous target: the values and their squares.
    Exact(Vec<ExactSum>, Vec<ExactSum>),
    /// Of classes: the rows of each.
    Classes(Vec<Vec<i64>>),
}

/// Statistics for each slot (a category, or all rows) and fold.
#[derive(Debug)]
pub(super) struct Tally {
    folds: usize,
    counts: Vec<i64>,
    sums: Sums,
}

fn sum_of(cells: impl Iterator<Item = usize>, values: &[i64]) -> i64 {
    cells.fold(0, |sum, cell| sum.saturating_add(values[cell]))
}

impl Tally {
    pub(super) fn new(target: Target, folds: usize) -> Self {
        let sums = match target {
            Target::Binary => Sums::Events(Vec::new()),
            Target::Continuous => Sums::Exact(Vec::new(), Vec::new()),
            Target::Multiclass => Sums::Classes(Vec::new()),
        };
        Self { folds, counts: Vec::new(), sums }
    }

    /// How many folds are kept apart: at least 1.
    pub(super) fn folds(&self) -> usize {
        self.folds
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.counts.len() / self.folds
    }

    /// Numbers in an encoding: one, or one for each class.
    pub(super) fn width(&self) -> usize {
        match &self.sums {
            Sums::Classes(classes) => classes.len(),
            _ => 1,
        }
    }

    /// Makes room for slots and classes.
    pub(super) fn grow(&mut self, slots: usize, classes: usize) {
        let cells = (slots * self.folds).max(self.counts.len());
        self.counts.resize(cells, 0);
        match &mut self.sums {
            Sums::Events(events) => events.resize(cells, 0),
            Sums::Exact(sums, squares) => {
                sums.resize(cells, ExactSum::default());
                squares.resize(cells, ExactSum::default());
            }
            Sums::Classes(all) => {
                all.resize(classes.max(all.len()), Vec::new());
                all.iter_mut().for_each(|class| class.resize(cells, 0));
            }
        }
    }

    /// Counts a row of a binary target.
    pub(super) fn add_event(&mut self, cell: usize, event: bool) {
        self.counts[cell] += 1;
        if let Sums::Events(events) = &mut self.sums {
            events[cell] += i64::from(event);
        }
    }

    /// Counts a row of a continuous target.
    pub(super) fn add_number(&mut self, cell: usize, number: f64) {
        self.counts[cell] += 1;
        if let Sums::Exact(sums, squares) = &mut self.sums {
            sums[cell].add(number);
            add_product(&mut squares[cell], number, number);
        }
    }

    /// How many rows of a binary target are events, and how many are not.
    pub(super) fn total_classes(&self) -> ClassCounts {
        let total = |counts: &[i64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add_signed(*count));
        let events = match &self.sums {
            Sums::Events(events) => total(events),
            Sums::Exact(..) | Sums::Classes(_) => 0,
        };
        ClassCounts { events, non_events: total(&self.counts).saturating_sub(events) }
    }

    /// Counts a row of a class.
    pub(super) fn add_class(&mut self, cell: usize, class: usize) {
        self.counts[cell] += 1;
        if let Sums::Classes(classes) = &mut self.sums {
            classes[class][cell] += 1;
        }
    }

    /// Adds another tally: its slot `i` to the slot `slots[i]`, its class `i` to the class `classes[i]`.
    pub(super) fn add(&mut self, other: &Tally, slots: &[usize], classes: &[usize]) {
        for (from, to) in slots.iter().enumerate() {
            for fold in 0..self.folds {
                let (from, to) = (from * self.folds + fold, to * self.folds + fold);
                self.counts[to] = self.counts[to].saturating_add(other.counts[from]);
                match (&mut self.sums, &other.sums) {
                    (Sums::Events(own), Sums::Events(more)) => own[to] = own[to].saturating_add(more[from]),
                    (Sums::Exact(own, own_squares), Sums::Exact(more, more_squares)) => {
                        own[to].merge(&more[from]);
                        own_squares[to].merge(&more_squares[from]);
                    }
                    (Sums::Classes(own), Sums::Classes(more)) => {
                        for (more, class) in more.iter().zip(classes) {
                            own[*class][to] = own[*class][to].saturating_add(more[from]);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// All rows as one slot.
    pub(super) fn total(&self) -> Self {
        let target = match &self.sums {
            Sums::Events(_) => Target::Binary,
            Sums::Exact(..) => Target::Continuous,
            Sums::Classes(_) => Target::Multiclass,
        };
        let mut total = Self::new(target, self.folds);
        let width = self.width();
        total.grow(1, width);
        total.add(self, &vec![0; self.slots()], &(0..width).collect::<Vec<_>>());
        total
    }

    /// The rows of a slot, those of one fold left out.
    pub(super) fn count(&self, slot: usize, without: Option<usize>) -> i64 {
        sum_of(self.cells(slot, without), &self.counts)
    }

    fn cells(&self, slot: usize, without: Option<usize>) -> impl Iterator<Item = usize> {
        let start = slot * self.folds;
        (0..self.folds).filter(move |fold| Some(*fold) != without).map(move |fold| start + fold)
    }

    /// The statistics of a slot for one output, those of one fold left out.
    pub(super) fn summary(&self, slot: usize, output: usize, without: Option<usize>) -> Summary {
        let count = self.count(slot, without);
        match &self.sums {
            Sums::Events(events) => Summary::of_events(count, sum_of(self.cells(slot, without), events)),
            Sums::Classes(classes) => Summary::of_events(count, sum_of(self.cells(slot, without), &classes[output])),
            Sums::Exact(sums, squares) => {
                let (mut sum, mut square) = (ExactSum::default(), ExactSum::default());
                for cell in self.cells(slot, without) {
                    sum.merge(&sums[cell]);
                    square.merge(&squares[cell]);
                }
                Summary::of_sums(count, &sum, &square)
            }
        }
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        let numbers = |values: &Vec<i64>| values.capacity() * size_of::<i64>();
        let exact = |sums: &Vec<ExactSum>| {
            sums.capacity() * size_of::<ExactSum>() + sums.iter().map(ExactSum::heap_size).sum::<usize>()
        };
        let sums = match &self.sums {
            Sums::Events(events) => numbers(events),
            Sums::Exact(sums, squares) => exact(sums) + exact(squares),
            Sums::Classes(classes) => classes.iter().map(numbers).sum(),
        };
        numbers(&self.counts) + sums
    }

    /// The columns of a state of a number target: counts, events, sums and squares of the given slots, in their order.
    pub(super) fn number_columns(&self, slots: &[usize]) -> Result<Vec<(&'static str, ArrayRef)>> {
        let null = |element: DataType| new_null_array(&list_of(element), 1);
        let (events, sums, squares) = match &self.sums {
            Sums::Events(events) => (self.integers(events, slots), null(exact_type()), null(exact_type())),
            Sums::Exact(sums, squares) => {
                (null(DataType::Int64), self.expansions(sums, slots)?, self.expansions(squares, slots)?)
            }
            Sums::Classes(_) => return exec_err!("a target of classes has no sums"),
        };
        let counts = self.integers(&self.counts, slots);
        Ok(vec![("counts", counts), ("events", events), ("sums", sums), ("squares", squares)])
    }

    /// The columns of a state of classes: counts, and events class by class.
    pub(super) fn class_columns(&self, slots: &[usize], classes: &[usize]) -> Vec<(&'static str, ArrayRef)> {
        let mut events: Vec<i64> = Vec::new();
        if let Sums::Classes(all) = &self.sums {
            for class in classes {
                events.extend(slots.iter().flat_map(|slot| self.cells(*slot, None)).map(|cell| all[*class][cell]));
            }
        }
        let counts = self.integers(&self.counts, slots);
        vec![("counts", counts), ("events", one_list(Arc::new(Int64Array::from(events))))]
    }

    fn integers(&self, values: &[i64], slots: &[usize]) -> ArrayRef {
        let cells = slots.iter().flat_map(|slot| self.cells(*slot, None));
        one_list(Arc::new(Int64Array::from_iter_values(cells.map(|cell| values[cell]))))
    }

    fn expansions(&self, sums: &[ExactSum], slots: &[usize]) -> Result<ArrayRef> {
        let mut parts: Vec<f64> = Vec::new();
        let mut lengths: Vec<usize> = Vec::with_capacity(slots.len() * self.folds);
        for cell in slots.iter().flat_map(|slot| self.cells(*slot, None)) {
            let before = parts.len();
            parts.extend(sums[cell].canonical());
            lengths.push(parts.len() - before);
        }
        let field = Arc::new(Field::new_list_field(DataType::Float64, true));
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let lists = ListArray::try_new(field, offsets, Arc::new(Float64Array::from(parts)), None)?;
        Ok(one_list(Arc::new(lists)))
    }

    /// Reads the statistics of a state.
    pub(super) fn read(
        reader: &StateReader,
        target: Target,
        folds: usize,
        slots: usize,
        classes: usize,
    ) -> Result<Self> {
        let cells = slots * folds;
        let counts = integers(reader, "counts", cells)?;
        let sums = match target {
            Target::Binary => Sums::Events(integers(reader, "events", cells)?),
            Target::Continuous => {
                Sums::Exact(expansions(reader, "sums", cells)?, expansions(reader, "squares", cells)?)
            }
            Target::Multiclass => {
                let events = integers(reader, "events", cells * classes)?;
                Sums::Classes((0..classes).map(|class| events[class * cells..(class + 1) * cells].to_vec()).collect())
            }
        };
        let tally = Self { folds, counts, sums };
        let whole = match &tally.sums {
            Sums::Events(events) => events.iter().zip(&tally.counts).all(|(event, count)| event <= count),
            _ => true,
        };
        if whole { Ok(tally) } else { exec_err!("the state has more events than rows in a category") }
    }
}

/// The type of an exact sum in a state: the parts of its canonical form.
pub(super) fn exact_type() -> DataType {
    list_of(DataType::Float64)
}

fn integers(reader: &StateReader, field: &str, length: usize) -> Result<Vec<i64>> {
    let values = cast(&reader.given(field, reader.list(field)?)?, &DataType::Int64)?;
    let values = values.as_primitive::<Int64Type>();
    if values.len() != length || values.null_count() > 0 || values.values().iter().any(|value| *value < 0) {
        return exec_err!("the field {field} of the state must have {length} numbers that are not below 0");
    }
    Ok(values.values().to_vec())
}

fn expansions(reader: &StateReader, field: &str, length: usize) -> Result<Vec<ExactSum>> {
    let wrong = || exec_err!("the field {field} of the state must have {length} lists of numbers");
    let values = cast(&reader.given(field, reader.list(field)?)?, &exact_type())?;
    let Some(lists) = values.as_list_opt::<i32>() else { return wrong() };
    if lists.len() != length || lists.null_count() > 0 || lists.values().data_type() != &DataType::Float64 {
        return wrong();
    }
    let parts = lists.values().as_primitive::<Float64Type>();
    if parts.null_count() > 0 {
        return wrong();
    }
    let ranges = lists.value_offsets().windows(2);
    let sum = |range: &[i32]| ExactSum::from_canonical(&parts.values()[range[0] as usize..range[1] as usize]);
    Ok(ranges.map(sum).collect())
}
