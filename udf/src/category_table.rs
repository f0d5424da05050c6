//! Looks categories up in a fitted state: whole numbers that lie close by index, texts of a dictionary once for all the
//! batches that share it.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err, plan_err};
use std::sync::{Arc, Mutex, PoisonError};

use crate::category::{CategoryIndex, MISSING, UNSEEN, category_argument, category_type};
use crate::category_counts::without_nan;

/// The categories of a state, numbered by their place.
#[derive(Debug)]
pub(crate) struct CategoryTable {
    index: CategoryIndex,
    /// The smallest of the whole numbers, and the place of each from there on.
    dense: Option<(i64, Vec<u32>)>,
    dictionary: Mutex<Option<Dictionary>>,
}

/// The values of a dictionary, and the place of each.
type Dictionary = (ArrayRef, Arc<Vec<u32>>);

/// How much larger than the number of categories a table by index may be.
const SPREAD: u64 = 16;

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
        let values = cast(values, &category_type(values.data_type()))?;
        let index = CategoryIndex::of(&values)?;
        Ok(Self { dense: dense(&values), index, dictionary: Mutex::new(None) })
    }

    /// What `table` has at the place of each value. The last but one of `table` is for what is not known, the last for
    /// null and NaN; the others are as many as there are categories.
    pub(crate) fn map<T: Copy>(&self, values: &ArrayRef, table: &[T]) -> Result<Vec<T>> {
        if table.len() != self.index.len() + 2 {
            return exec_err!("the state must have {} values: it has {}", self.index.len() + 2, table.len());
        }
        let (unseen, missing) = (table[table.len() - 2], table[table.len() - 1]);
        match values.data_type() {
            DataType::Dictionary(key, _) if **key == DataType::Int32 => {
                let places = self.places_of(values.as_dictionary::<Int32Type>().values())?;
                let keys = values.as_dictionary::<Int32Type>().keys();
                let of = |key: &i32| table[places[*key as usize] as usize];
                Ok(match keys.nulls().filter(|nulls| nulls.null_count() > 0) {
                    None => keys.values().iter().map(of).collect(),
                    Some(nulls) => {
                        let keys = keys.values().iter().zip(nulls.iter());
                        keys.map(|(key, valid)| if valid { of(key) } else { missing }).collect()
                    }
                })
            }
            DataType::Int64 if self.dense.is_some() => {
                let numbers = values.as_primitive::<Int64Type>();
                let (low, places) = self.dense.as_ref().map_or((0, &[][..]), |(low, places)| (*low, &places[..]));
                let of = |number: &i64| {
                    let offset = number.wrapping_sub(low) as u64 as usize;
                    places.get(offset).map_or(unseen, |place| table[*place as usize])
                };
                Ok(match numbers.nulls().filter(|nulls| nulls.null_count() > 0) {
                    None => numbers.values().iter().map(of).collect(),
                    Some(nulls) => {
                        let numbers = numbers.values().iter().zip(nulls.iter());
                        numbers.map(|(number, valid)| if valid { of(number) } else { missing }).collect()
                    }
                })
            }
            _ => {
                let places = self.index.lookup(&without_nan(values)?)?;
                Ok(places.into_iter().map(|place| table[self.place(place) as usize]).collect())
            }
        }
    }

    /// The place in a table of a number of the index.
    fn place(&self, number: u32) -> u32 {
        match number {
            UNSEEN => self.index.len() as u32,
            MISSING => self.index.len() as u32 + 1,
            number => number,
        }
    }

    /// The places of the values of a dictionary, which one batch after another usually shares.
    fn places_of(&self, values: &ArrayRef) -> Result<Arc<Vec<u32>>> {
        let mut known = self.dictionary.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((dictionary, places)) = known.as_ref()
            && Arc::ptr_eq(dictionary, values)
        {
            return Ok(Arc::clone(places));
        }
        let texts = cast(values, &DataType::Utf8)?;
        let places = self.index.lookup(&texts)?.into_iter().map(|number| self.place(number)).collect();
        let places: Arc<Vec<u32>> = Arc::new(places);
        *known = Some((Arc::clone(values), Arc::clone(&places)));
        Ok(places)
    }
}

/// The places by whole number, if the numbers lie close enough together.
fn dense(values: &ArrayRef) -> Option<(i64, Vec<u32>)> {
    let numbers = values.as_primitive_opt::<Int64Type>()?.values();
    let (low, high) = (*numbers.iter().min()?, *numbers.iter().max()?);
    let width = high.checked_sub(low)? as u64;
    if width > SPREAD * numbers.len() as u64 + 1024 {
        return None;
    }
    let mut places = vec![numbers.len() as u32; width as usize + 1];
    for (place, number) in numbers.iter().enumerate() {
        places[(number - low) as usize] = place as u32;
    }
    Some((low, places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Float64Array, Int64Array, StringArray};

    const TABLE: [i32; 5] = [10, 20, 30, -1, -2];

    #[test]
    fn whole_numbers_are_found_by_index_and_by_hash() {
        for third in [4, i64::MAX] {
            let table = CategoryTable::new(&(Arc::new(Int64Array::from(vec![-3, 2, third])) as ArrayRef)).unwrap();
            let values: ArrayRef =
                Arc::new(Int64Array::from(vec![Some(third), Some(-3), Some(3), None, Some(i64::MIN), Some(2)]));
            assert_eq!(table.map(&values, &TABLE).unwrap(), [30, 10, -1, -2, -1, 20]);
            assert_eq!(table.map(&values.slice(1, 2), &TABLE).unwrap(), [10, -1]);
        }
    }

    #[test]
    fn texts_of_dictionaries_and_of_arrays_are_found_alike() {
        let table = CategoryTable::new(&(Arc::new(StringArray::from(vec!["a", "b", "c"])) as ArrayRef)).unwrap();
        let texts = StringArray::from(vec![Some("c"), None, Some("x"), Some("a")]);
        let keyed: DictionaryArray<Int32Type> = texts.iter().collect();
        let expected = [30, -2, -1, 10];
        assert_eq!(table.map(&(Arc::new(texts) as ArrayRef), &TABLE).unwrap(), expected);
        let keyed: ArrayRef = Arc::new(keyed);
        assert_eq!(table.map(&keyed, &TABLE).unwrap(), expected);
        assert_eq!(table.map(&keyed.slice(2, 2), &TABLE).unwrap(), expected[2..]);
        let other: DictionaryArray<Int32Type> = ["b", "c"].into_iter().collect();
        assert_eq!(table.map(&(Arc::new(other) as ArrayRef), &TABLE).unwrap(), [20, 30]);
    }

    #[test]
    fn nan_is_missing_and_zeros_are_equal() {
        let table = CategoryTable::new(&(Arc::new(Float64Array::from(vec![-1.0, 0.0, 2.5])) as ArrayRef)).unwrap();
        let values: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, f64::NAN, 2.5, 3.0]));
        assert_eq!(table.map(&values, &TABLE).unwrap(), [20, -2, 30, -1]);
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
