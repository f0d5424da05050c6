//! `category_counts(x, y[, weight])`.

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

use crate::aggregate::{Accumulate, Fit};
use crate::category::category_argument;
use crate::category_counts::CategoryCounts;
use crate::class_counts::{Labels, target_argument};
use crate::constants::Constants;
use crate::numbers::number_argument;
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, state_row, state_type};

/// The kind of its states.
pub(crate) const KIND: &str = "category_counts/1";

static SPEC: Spec = Spec {
    name: "category_counts",
    section: "Binning",
    summary: "Counts of events and non-events of each category. The state has them in `categories`, in ascending order \
              of the categories, with null (which NaN is, too) last if there is any. Rows whose y or weight is null do \
              not count. States merge.",
    parameters: &[
        required("x", "A category: a text, a number, or anything that has a text."),
        required("y", "The target: a boolean, or 0 or 1."),
        optional("weight", "NULL", "The weight of a row, at least 0; its sums are exact."),
    ],
    example: "select category_counts(x, y) from (values ('a', 1), ('a', 0), ('b', 1)) as t(x, y);",
};

/// The fit.
#[derive(Debug)]
pub(crate) struct CategoryCountsFit;

fn is_weighted(types: &[DataType]) -> bool {
    types.get(2).is_some_and(|weight| !weight.is_null())
}

impl Fit for CategoryCountsFit {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = category_argument(&types[0]);
        types[1] = target_argument(&SPEC, "y", &types[1])?;
        if let Some(weight) = types.get_mut(2).filter(|weight| !weight.is_null()) {
            *weight = number_argument(&SPEC, "weight", weight)?;
        }
        Ok(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(state_type(&[CategoryCounts::field(&types[0], is_weighted(types))]))
    }

    fn check(&self, _constants: &Constants) -> Result<()> {
        Ok(())
    }

    fn accumulate(&self, types: &[DataType], _constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Counting { counts: CategoryCounts::new(&types[0]), weighted: is_weighted(types) }))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        let Some(reader) = StateReader::open(state, 0, KIND)? else { return exec_err!("the state is null") };
        let rows = reader.given("categories", reader.structs("categories")?)?;
        let Some(values) = rows.column_by_name("value") else {
            return exec_err!("the categories of the state have no field value");
        };
        let weighted = rows.column_by_name("event_weight").is_some();
        let mut counting = Counting { counts: CategoryCounts::new(values.data_type()), weighted };
        counting.merge(state)?;
        Ok(Box::new(counting))
    }
}

#[derive(Debug)]
struct Counting {
    counts: CategoryCounts,
    weighted: bool,
}

impl Accumulate for Counting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let labels = Labels::read(&SPEC, &columns[1], columns.get(2).filter(|_| self.weighted))?;
        self.counts.update(&columns[0], &labels)
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            if let Some(state) = StateReader::open(states, row, KIND)? {
                self.counts.merge(&state)?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        state_row(KIND, vec![("categories", self.counts.column(self.weighted)?)])
    }

    fn size(&self) -> usize {
        self.counts.size()
    }
}
