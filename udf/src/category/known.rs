//! The categories of a state, looked up as fast as their type allows.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion_common::Result;
use std::sync::{Arc, Mutex, PoisonError};

use super::{CategoryIndex, MISSING, UNSEEN, category_type};

/// How many dictionaries are remembered: about one for each partition that runs at once.
const DICTIONARIES: usize = 16;
/// A table by whole number has at most so many places for each category, and some more.
const SPREAD: usize = 16;
const SPARE: usize = 1024;

/// Distinct categories, numbered by their place: whole numbers that lie close together are found by their distance from
/// the least, the texts of a dictionary once for all the batches that share it, everything else by hash.
#[derive(Debug)]
pub(crate) struct KnownCategories {
    index: CategoryIndex,
    dense: Option<Dense>,
    dictionaries: Mutex<Vec<Dictionary>>,
}

/// The values of a dictionary, and the number of each.
type Dictionary = (ArrayRef, Arc<Vec<u32>>);

impl KnownCategories {
    /// The values of an array; a null or a repeated value is an error.
    pub(crate) fn new(values: &ArrayRef) -> Result<Self> {
        let values = cast(values, &category_type(values.data_type()))?;
        let index = CategoryIndex::of(&values)?;
        let dense = values.as_primitive_opt::<Int64Type>().and_then(Dense::of);
        Ok(Self { index, dense, dictionaries: Mutex::new(Vec::new()) })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The categories, in the order of their numbers.
    pub(crate) fn values(&self) -> Result<ArrayRef> {
        self.index.values()
    }

    /// The numbers of the values: [`UNSEEN`] for those that are not known, [`MISSING`] for nulls.
    pub(crate) fn lookup(&self, values: &ArrayRef) -> Result<Vec<u32>> {
        if let (Some(dense), Some(values)) = (&self.dense, values.as_primitive_opt::<Int64Type>()) {
            return Ok(dense.lookup(values));
        }
        let DataType::Dictionary(key, value) = values.data_type() else { return self.index.lookup(values) };
        if (key.as_ref(), value.as_ref()) != (&DataType::Int32, &DataType::Utf8) {
            return self.index.lookup(values);
        }
        let dictionary = values.as_dictionary::<Int32Type>();
        let Some(numbers) = self.numbers_of(dictionary.values(), values.len())? else {
            return self.index.lookup(values);
        };
        let keys = dictionary.keys();
        if keys.null_count() == 0 {
            return Ok(keys.values().iter().map(|key| numbers[*key as usize]).collect());
        }
        Ok(keys.iter().map(|key| key.map_or(MISSING, |key| numbers[key as usize])).collect())
    }

    /// The numbers of the values of a dictionary; `None` if it is new and has far more values than there are rows.
    fn numbers_of(&self, values: &ArrayRef, rows: usize) -> Result<Option<Arc<Vec<u32>>>> {
        let known = {
            let dictionaries = self.dictionaries.lock().unwrap_or_else(PoisonError::into_inner);
            let found = dictionaries.iter().find(|(known, _)| Arc::ptr_eq(known, values));
            found.map(|(_, numbers)| Arc::clone(numbers))
        };
        if known.is_some() || values.len() / 4 > rows {
            return Ok(known);
        }
        let numbers = Arc::new(self.index.lookup(values)?);
        let mut dictionaries = self.dictionaries.lock().unwrap_or_else(PoisonError::into_inner);
        if dictionaries.len() == DICTIONARIES {
            dictionaries.remove(0);
        }
        dictionaries.push((Arc::clone(values), Arc::clone(&numbers)));
        Ok(Some(numbers))
    }
}

/// The numbers of whole numbers that lie close together, by their distance from the least.
#[derive(Debug)]
struct Dense {
    least: i64,
    numbers: Vec<u32>,
}

impl Dense {
    /// The table of some values, if it has not too many places.
    fn of(values: &Int64Array) -> Option<Self> {
        let values = values.values();
        let (least, most) = (*values.iter().min()?, *values.iter().max()?);
        let range = usize::try_from(most.checked_sub(least)?).ok()?;
        if range > SPREAD * values.len() + SPARE {
            return None;
        }
        let mut numbers = vec![UNSEEN; range + 1];
        for (number, value) in values.iter().enumerate() {
            numbers[(value - least) as usize] = number as u32;
        }
        Some(Self { least, numbers })
    }

    fn lookup(&self, values: &Int64Array) -> Vec<u32> {
        let number = |value: i64| {
            let distance = value.wrapping_sub(self.least) as u64 as usize;
            self.numbers.get(distance).copied().unwrap_or(UNSEEN)
        };
        if values.null_count() == 0 {
            return values.values().iter().map(|value| number(*value)).collect();
        }
        values.iter().map(|value| value.map_or(MISSING, number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;

    #[test]
    fn whole_numbers_are_found_close_together_or_far_apart() {
        let asked: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(4), None, Some(i64::MIN), Some(i64::MAX)]));
        for (known, expected) in [
            (vec![-2, 3, 5], [1, UNSEEN, MISSING, UNSEEN, UNSEEN]),
            (vec![i64::MIN, 3, i64::MAX], [1, UNSEEN, MISSING, 0, 2]),
            (vec![], [UNSEEN, UNSEEN, MISSING, UNSEEN, UNSEEN]),
        ] {
            let known = KnownCategories::new(&(Arc::new(Int64Array::from(known)) as ArrayRef)).unwrap();
            assert_eq!(known.lookup(&asked).unwrap(), expected);
            assert_eq!(known.lookup(&asked.slice(1, 2)).unwrap(), expected[1..3]);
        }
    }

    #[test]
    fn a_dictionary_that_changes_is_looked_up_again() {
        let known = KnownCategories::new(&(Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef)).unwrap();
        let keyed = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        for (texts, expected) in [
            ([Some("b"), None, Some("a")], [1, MISSING, 0]),
            ([Some("a"), Some("b"), Some("b")], [0, 1, 1]),
            ([Some("c"), Some("c"), Some("a")], [UNSEEN, UNSEEN, 0]),
        ] {
            let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
            assert_eq!(known.lookup(&texts).unwrap(), expected);
            let texts = cast(&texts, &keyed).unwrap();
            assert_eq!(known.lookup(&texts).unwrap(), expected);
            assert_eq!(known.lookup(&texts.slice(1, 2)).unwrap(), expected[1..]);
        }
    }
}
