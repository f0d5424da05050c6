//! What a fitted state has for the categories of a column.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, plan_err};

use crate::category::{KnownCategories, MISSING, category_argument, category_type};
use crate::category_counts::without_nan;

/// The categories of a state, numbered by their place.
#[derive(Debug)]
pub(crate) struct CategoryTable {
    known: KnownCategories,
}

/// The type that the `x` of an apply is cast to, so that it meets the categories of the state.
pub(crate) fn applied_type(function: &str, state: &DataType, list: &str, x: &DataType) -> Result<DataType> {
    let fitted = match category_field(state, list) {
        Some(fitted) => fitted,
        None => return Ok(category_argument(x)),
    };
    match (&fitted, category_type(x)) {
        (_, _) if x.is_null() => Ok(fitted),
        (known, found) if *known == found => Ok(category_argument(x)),
        (DataType::Float64, DataType::Int64) => Ok(DataType::Float64),
        _ => plan_err!("x of {function} must be of the type that the state was fitted on, {fitted}: it is {x}"),
    }
}

fn category_field(state: &DataType, list: &str) -> Option<DataType> {
    let DataType::Struct(fields) = state else { return None };
    let (_, field) = fields.find(list)?;
    let DataType::List(element) = field.data_type() else { return None };
    let DataType::Struct(fields) = element.data_type() else { return None };
    fields.find("value").map(|(_, value)| value.data_type().clone())
}

impl CategoryTable {
    /// A table of distinct categories without a null.
    pub(crate) fn new(values: &ArrayRef) -> Result<Self> {
        Ok(Self { known: KnownCategories::new(values)? })
    }

    /// What `table`, which has a value for each category, has for each row; `unseen` for what is not known, and
    /// `missing` for null and NaN.
    pub(crate) fn map<T: Copy>(&self, values: &ArrayRef, table: &[T], unseen: T, missing: T) -> Result<Vec<T>> {
        if table.len() != self.known.len() {
            return exec_err!("the state must have {} values: it has {}", self.known.len(), table.len());
        }
        let numbers = self.known.lookup(&without_nan(values)?)?;
        let value = |number: u32| match table.get(number as usize) {
            Some(value) => *value,
            None if number == MISSING => missing,
            None => unseen,
        };
        Ok(numbers.into_iter().map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, DictionaryArray, Float64Array, Int64Array, StringArray};
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    const TABLE: [i32; 3] = [10, 20, 30];

    fn map(table: &CategoryTable, values: &ArrayRef) -> Vec<i32> {
        table.map(values, &TABLE, -1, -2).unwrap()
    }

    #[test]
    fn whole_numbers_are_found_by_index_and_by_hash() {
        for third in [4, i64::MAX] {
            let table = CategoryTable::new(&(Arc::new(Int64Array::from(vec![-3, 2, third])) as ArrayRef)).unwrap();
            let values: ArrayRef =
                Arc::new(Int64Array::from(vec![Some(third), Some(-3), Some(3), None, Some(i64::MIN), Some(2)]));
            assert_eq!(map(&table, &values), [30, 10, -1, -2, -1, 20]);
            assert_eq!(map(&table, &values.slice(1, 2)), [10, -1]);
        }
    }

    #[test]
    fn texts_of_dictionaries_and_of_arrays_are_found_alike() {
        let table = CategoryTable::new(&(Arc::new(StringArray::from(vec!["a", "b", "c"])) as ArrayRef)).unwrap();
        let texts = StringArray::from(vec![Some("c"), None, Some("x"), Some("a")]);
        let keyed: DictionaryArray<Int32Type> = texts.iter().collect();
        let expected = [30, -2, -1, 10];
        assert_eq!(map(&table, &(Arc::new(texts) as ArrayRef)), expected);
        let keyed: ArrayRef = Arc::new(keyed);
        assert_eq!(map(&table, &keyed), expected);
        assert_eq!(map(&table, &keyed.slice(2, 2)), expected[2..]);
        let other: DictionaryArray<Int32Type> = ["b", "c"].into_iter().collect();
        assert_eq!(map(&table, &(Arc::new(other) as ArrayRef)), [20, 30]);
    }

    #[test]
    fn nan_is_missing_and_zeros_are_equal() {
        let table = CategoryTable::new(&(Arc::new(Float64Array::from(vec![-1.0, 0.0, 2.5])) as ArrayRef)).unwrap();
        let values: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, f64::NAN, 2.5, 3.0]));
        assert_eq!(map(&table, &values), [20, -2, 30, -1]);
    }

    #[test]
    fn what_cannot_meet_the_categories_is_refused_when_planned() {
        use crate::state::{list_of, state_type, struct_of};
        let state = |value: DataType| state_type(&[("categories", list_of(struct_of(&[("value", value)])))]);
        let applied = |value, x: &DataType| applied_type("f", &state(value), "categories", x);
        assert_eq!(applied(DataType::Int64, &DataType::Int8).unwrap(), DataType::Int64);
        assert_eq!(applied(DataType::Float64, &DataType::Int32).unwrap(), DataType::Float64);
        assert!(applied(DataType::Int64, &DataType::Float64).is_err());
        assert!(applied(DataType::Utf8, &DataType::Int64).unwrap_err().to_string().contains("x of f must be"));
    }
}
