//! Fits that count categories: the state is the options, the categories and how many rows have each.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray};
use arrow::compute::{cast, filter, is_not_null};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_err};
use std::fmt::Debug;
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::categories::{
    Categories, Options, VALUES, categories_of, check_options, option_columns, read_options, sorted_values,
};
use crate::category::{CategoryIndex, MISSING, category_argument, category_type};
use crate::constants::Constants;
use crate::spec::Spec;
use crate::state::{StateReader, list_of, one_list, state_row, state_type};

/// The field with the counts, beside the categories.
pub(crate) const COUNTS: &str = "counts";

/// The type of the values: that of the elements, if the argument is a list.
pub(crate) fn element_of(x: &DataType) -> &DataType {
    match x {
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::FixedSizeList(element, _) => element.data_type(),
        other => other,
    }
}

/// The type that an argument is cast to that may be a list: of its elements or of itself.
fn category_or_list(x: &DataType) -> DataType {
    let element = element_of(x);
    if element == x { category_argument(x) } else { list_of(category_type(element)) }
}

/// The elements of lists one after another, nulls among the lists passed over; another array as it is.
pub(crate) fn elements(values: &ArrayRef) -> Result<ArrayRef> {
    let Some(lists) = values.as_list_opt::<i32>() else { return Ok(Arc::clone(values)) };
    if lists.null_count() > 0 {
        return elements(&filter(lists, &is_not_null(lists)?)?);
    }
    let offsets = lists.value_offsets();
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    Ok(lists.values().slice(first as usize, (last - first) as usize))
}

/// What differs between the fits whose state is the options, the categories and their counts.
pub(crate) trait CountingFit: Debug + Send + Sync + 'static {
    /// The word in the `kind` field of the state.
    const KIND: &'static str;
    /// The fields of the state that hold the options.
    const OPTIONS: &'static [(&'static str, DataType)];
    /// Whether a list counts its elements.
    const LISTS: bool = false;
    /// Whether nulls are a category.
    const KEEP_MISSING: bool = true;

    /// The public face.
    fn face(&self) -> &'static Spec;

    /// The values of the options, in their order.
    fn options(&self, constants: &Constants) -> Result<Vec<ScalarValue>>;
}

/// The names of the options of a fit.
pub(crate) fn option_names<F: CountingFit>() -> Vec<&'static str> {
    F::OPTIONS.iter().map(|(name, _)| *name).collect()
}

impl<F: CountingFit> Fit for F {
    fn spec(&self) -> &'static Spec {
        self.face()
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[0] = if F::LISTS { category_or_list(&types[0]) } else { category_argument(&types[0]) };
        Ok(coerced)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        let mut fields = F::OPTIONS.to_vec();
        fields.push((VALUES, list_of(category_type(element_of(&types[0])))));
        fields.push((COUNTS, list_of(DataType::Int64)));
        Ok(state_type(&fields))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        self.options(constants).map(drop)
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        let options = option_names::<F>().into_iter().zip(self.options(constants)?).collect();
        Ok(Box::new(Counting::new(F::KIND, options, &types[0], F::KEEP_MISSING)))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(F::KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Counting::resume(F::KIND, &option_names::<F>(), state, F::KEEP_MISSING)?))
    }
}

/// Counts under way.
#[derive(Debug)]
struct Counting {
    kind: &'static str,
    options: Options,
    index: CategoryIndex,
    counts: Vec<i64>,
    missing: i64,
    /// Whether nulls are a category.
    keep_missing: bool,
}

impl Counting {
    /// No rows yet, of values of a type; a list counts its elements.
    fn new(kind: &'static str, options: Options, x: &DataType, keep_missing: bool) -> Self {
        let index = CategoryIndex::new(element_of(x));
        Self { kind, options, index, counts: Vec::new(), missing: 0, keep_missing }
    }

    /// The rows of row 0 of a state.
    fn resume(kind: &'static str, options: &[&'static str], state: &StructArray, keep_missing: bool) -> Result<Self> {
        let Some(categories) = categories_of(state.data_type()) else {
            return exec_err!("the state has no field {VALUES}");
        };
        let mut counting = Self::new(kind, read_options(state, options)?, categories, keep_missing);
        counting.merge(&state.slice(0, 1))?;
        Ok(counting)
    }

    fn add(&mut self, values: &ArrayRef, amount: impl Fn(usize) -> i64) -> Result<()> {
        let numbers = self.index.insert(values)?;
        self.counts.resize(self.index.len(), 0);
        for (row, number) in numbers.into_iter().enumerate() {
            match number {
                MISSING => self.missing = self.missing.saturating_add(amount(row)),
                number => {
                    let count = &mut self.counts[number as usize];
                    *count = count.saturating_add(amount(row));
                }
            }
        }
        Ok(())
    }
}

impl Accumulate for Counting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.add(&elements(&columns[0])?, |_| 1)
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            let Some(reader) = StateReader::open(states, row, self.kind)? else { continue };
            check_options(&self.options, states, row)?;
            let (values, counts) = read_counts(&reader)?;
            self.add(&values, |row| counts.value(row))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        let missing = self.keep_missing && self.missing > 0;
        let (values, order) = sorted_values(&self.index, |_| true, missing)?;
        let counts = order.iter().map(|number| self.counts[*number as usize]);
        let counts = Int64Array::from_iter_values(counts.chain(missing.then_some(self.missing)));
        let mut columns = option_columns(&self.options)?;
        columns.push((VALUES, one_list(values)));
        columns.push((COUNTS, one_list(Arc::new(counts))));
        state_row(self.kind, columns)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.index.size() + self.counts.capacity() * size_of::<i64>()
    }
}

fn read_counts(reader: &StateReader) -> Result<(ArrayRef, Int64Array)> {
    let values = reader.given(VALUES, reader.list(VALUES)?)?;
    let counts = cast(&reader.given(COUNTS, reader.list(COUNTS)?)?, &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    if counts.len() != values.len() || counts.null_count() > 0 || counts.values().iter().any(|count| *count < 0) {
        return exec_err!("the state has {} categories and {} counts, or a count below 0", values.len(), counts.len());
    }
    Ok((values, counts.clone()))
}

/// The categories and counts of a state, the count of nulls last if there were any.
pub(crate) fn read_counting(reader: &StateReader) -> Result<(Categories, Int64Array)> {
    let (_, counts) = read_counts(reader)?;
    Ok((Categories::read(reader)?, counts))
}
