//! Events and non-events of each category, with null and NaN apart: what every fit over a categorical column keeps.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::compute::{cast, concat, nullif};
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

use crate::category::{CategoryIndex, MISSING, category_type};
use crate::class_counts::{ClassCounts, Labels, Tally, read_tallies, tally_columns, tally_fields};
use crate::state::{StateReader, list_of, one_list, struct_array, struct_of};

/// The tallies of the categories of a column.
#[derive(Debug)]
pub(crate) struct CategoryCounts {
    data_type: DataType,
    index: CategoryIndex,
    tallies: Vec<Tally>,
    missing: Tally,
}

/// The categories of a column with NaN as null.
pub(crate) fn without_nan(values: &ArrayRef) -> Result<ArrayRef> {
    if !values.data_type().is_floating() {
        return Ok(Arc::clone(values));
    }
    let values = cast(values, &DataType::Float64)?;
    let numbers = values.as_primitive::<Float64Type>();
    let nan = BooleanArray::from_unary(numbers, f64::is_nan);
    if nan.true_count() == 0 {
        return Ok(values);
    }
    Ok(nullif(&values, &nan)?)
}

impl CategoryCounts {
    /// No rows of a column of a [`category_type`].
    pub(crate) fn new(data_type: &DataType) -> Self {
        let data_type = category_type(data_type);
        let index = CategoryIndex::new(&data_type);
        Self { data_type, index, tallies: Vec::new(), missing: Tally::default() }
    }

    /// Counts the rows of a batch.
    pub(crate) fn update(&mut self, values: &ArrayRef, labels: &Labels) -> Result<()> {
        let numbers = self.index.insert(&without_nan(values)?)?;
        self.tallies.resize_with(self.index.len(), Tally::default);
        for (row, number) in numbers.into_iter().enumerate() {
            let Some((event, weight)) = labels.row(row) else { continue };
            let tally = if number == MISSING { &mut self.missing } else { &mut self.tallies[number as usize] };
            tally.add(event, weight);
        }
        Ok(())
    }

    /// The type of the field `categories` of a state: ascending, null last.
    pub(crate) fn field(data_type: &DataType, weighted: bool) -> (&'static str, DataType) {
        let mut fields = vec![("value", category_type(data_type))];
        fields.extend(tally_fields(weighted));
        ("categories", list_of(struct_of(&fields)))
    }

    /// The column of [`CategoryCounts::field`].
    pub(crate) fn column(&self, weighted: bool) -> Result<ArrayRef> {
        let order = self.order();
        let mut tallies: Vec<&Tally> = order.iter().map(|number| &self.tallies[*number as usize]).collect();
        let mut values = self.values(&order)?;
        if self.missing.counts.total() > 0 {
            tallies.push(&self.missing);
            values = concat(&[values.as_ref(), new_null_array(&self.data_type, 1).as_ref()])?;
        }
        let mut columns = vec![("value", values)];
        columns.extend(tally_columns(&tallies, weighted));
        Ok(one_list(Arc::new(struct_array(columns)?)))
    }

    /// Adds the categories of a state.
    pub(crate) fn merge(&mut self, state: &StateReader<'_>) -> Result<()> {
        let rows = state.given("categories", state.structs("categories")?)?;
        let Some(values) = rows.column_by_name("value") else {
            return exec_err!("the categories of the state have no field value");
        };
        if values.data_type() != &self.data_type {
            return exec_err!(
                "a state with categories of type {} cannot be merged with one of {}",
                values.data_type(),
                self.data_type
            );
        }
        let numbers = self.index.insert(values)?;
        self.tallies.resize_with(self.index.len(), Tally::default);
        for (number, tally) in numbers.into_iter().zip(read_tallies(&rows)?) {
            match number {
                MISSING => self.missing.merge(&tally),
                number => self.tallies[number as usize].merge(&tally),
            }
        }
        Ok(())
    }

    /// The categories that have rows, ascending.
    fn order(&self) -> Vec<u32> {
        let mut order = self.index.sorted();
        order.retain(|number| self.tallies[*number as usize].counts.total() > 0);
        order
    }

    fn values(&self, order: &[u32]) -> Result<ArrayRef> {
        self.index.values_of(order.iter().copied())
    }

    /// The categories in ascending order with their counts.
    pub(crate) fn sorted(&self) -> Result<(ArrayRef, Vec<ClassCounts>)> {
        let order = self.order();
        let counts = order.iter().map(|number| self.tallies[*number as usize].counts).collect();
        Ok((self.values(&order)?, counts))
    }

    /// The counts of null and NaN.
    pub(crate) fn missing(&self) -> ClassCounts {
        self.missing.counts
    }

    /// The counts of all rows.
    pub(crate) fn total(&self) -> ClassCounts {
        let all = self.tallies.iter().chain([&self.missing]);
        ClassCounts::sum(all.map(|tally| &tally.counts))
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        let heap: usize = self.tallies.iter().map(Tally::heap_size).sum();
        self.index.size() + self.tallies.capacity() * size_of::<Tally>() + heap
    }
}

/// The categories of a state and their counts, null last if there is one.
pub(crate) fn read_categories(state: &StateReader<'_>) -> Result<(ArrayRef, Vec<Tally>)> {
    let rows = state.given("categories", state.structs("categories")?)?;
    match rows.column_by_name("value") {
        Some(values) => Ok((Arc::clone(values), read_tallies(&rows)?)),
        None => exec_err!("the categories of the state have no field value"),
    }
}
