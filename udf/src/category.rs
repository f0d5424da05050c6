//! Categories: one canonical form for the values of a categorical column, and an index from values to small numbers.
//!
//! Texts stay texts, whole numbers become `Int64`, other numbers `Float64` (-0.0 is 0.0 and all NaN are one category),
//! and everything else (booleans, dates, times, decimals) its text. A dictionary of texts stays a dictionary, so that a
//! value is looked up once a batch.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The type that a categorical argument is cast to.
pub(crate) fn category_argument(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) if category_type(value) == DataType::Utf8 => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        }
        other => category_type(other),
    }
}

/// The type of a category in a state: `Utf8`, `Int64` or `Float64`.
pub(crate) fn category_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => category_type(value),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        _ => DataType::Utf8,
    }
}

/// The index of a null.
pub(crate) const MISSING: u32 = u32::MAX;
/// The index of a value that is not known.
pub(crate) const UNSEEN: u32 = u32::MAX - 1;

const HASHER: FixedState = FixedState::with_seed(0x51_75_69_63_65);

/// Numbers the values of a categorical column in the order in which they are first seen.
#[derive(Debug)]
pub(crate) struct CategoryIndex {
    table: HashTable<u32>,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Text {
        bytes: String,
        ends: Vec<usize>,
    },
    Integer(Vec<i64>),
    /// The bits of canonical numbers.
    Float(Vec<u64>),
}

/// The bits of a number in its canonical form.
fn canonical_bits(number: f64) -> u64 {
    if number.is_nan() {
        f64::NAN.to_bits()
    } else if number == 0.0 {
        0
    } else {
        number.to_bits()
    }
}

fn text_at<'a>(bytes: &'a str, ends: &[usize], index: usize) -> &'a str {
    let start = if index == 0 { 0 } else { ends[index - 1] };
    &bytes[start..ends[index]]
}

impl CategoryIndex {
    /// An empty index for values of a [`category_type`].
    pub(crate) fn new(data_type: &DataType) -> Self {
        let keys = match category_type(data_type) {
            DataType::Int64 => Keys::Integer(Vec::new()),
            DataType::Float64 => Keys::Float(Vec::new()),
            _ => Keys::Text { bytes: String::new(), ends: Vec::new() },
        };
        Self { table: HashTable::new(), keys }
    }

    /// An index of the values of an array, numbered by their place; a null or a repeated value is an error.
    pub(crate) fn of(values: &ArrayRef) -> Result<Self> {
        let mut index = Self::new(values.data_type());
        let numbers = index.insert(values)?;
        if numbers.iter().enumerate().any(|(place, number)| place as u32 != *number) {
            return exec_err!("the categories of the state are not distinct");
        }
        Ok(index)
    }

    /// How many categories there are.
    pub(crate) fn len(&self) -> usize {
        match &self.keys {
            Keys::Text { ends, .. } => ends.len(),
            Keys::Integer(keys) => keys.len(),
            Keys::Float(keys) => keys.len(),
        }
    }

    /// The bytes of all texts together.
    pub(crate) fn text_bytes(&self) -> usize {
        match &self.keys {
            Keys::Text { bytes, .. } => bytes.len(),
            Keys::Integer(_) | Keys::Float(_) => 0,
        }
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        let keys = match &self.keys {
            Keys::Text { bytes, ends } => bytes.capacity() + ends.capacity() * size_of::<usize>(),
            Keys::Integer(keys) => keys.capacity() * size_of::<i64>(),
            Keys::Float(keys) => keys.capacity() * size_of::<u64>(),
        };
        keys + self.table.capacity() * (size_of::<u32>() + 1)
    }

    /// The categories, in the order of their numbers.
    pub(crate) fn values(&self) -> ArrayRef {
        match &self.keys {
            Keys::Text { bytes, ends } => {
                let texts = (0..ends.len()).map(|index| text_at(bytes, ends, index));
                Arc::new(StringArray::from_iter_values(texts))
            }
            Keys::Integer(keys) => Arc::new(Int64Array::from(keys.clone())),
            Keys::Float(keys) => {
                Arc::new(Float64Array::from_iter_values(keys.iter().map(|bits| f64::from_bits(*bits))))
            }
        }
    }

    /// The numbers of the values, new ones being added; [`MISSING`] for nulls.
    pub(crate) fn insert(&mut self, values: &ArrayRef) -> Result<Vec<u32>> {
        self.numbers(values, Self::insert_text, Self::insert_integer, Self::insert_float)
    }

    /// The numbers of the values: [`UNSEEN`] for those that are not known, [`MISSING`] for nulls.
    pub(crate) fn lookup(&self, values: &ArrayRef) -> Result<Vec<u32>> {
        let known = |number: Option<u32>| number.unwrap_or(UNSEEN);
        let mut this = self;
        Self::numbers_of(
            &mut this,
            values,
            |this, text| known(this.find_text(text)),
            |this, number| known(this.find_integer(number)),
            |this, number| known(this.find_float(number)),
        )
    }

    fn numbers(
        &mut self,
        values: &ArrayRef,
        text: impl FnMut(&mut Self, &str) -> u32,
        integer: impl FnMut(&mut Self, i64) -> u32,
        float: impl FnMut(&mut Self, f64) -> u32,
    ) -> Result<Vec<u32>> {
        Self::numbers_of(self, values, text, integer, float)
    }

    fn numbers_of<S>(
        this: &mut S,
        values: &ArrayRef,
        mut text: impl FnMut(&mut S, &str) -> u32,
        mut integer: impl FnMut(&mut S, i64) -> u32,
        mut float: impl FnMut(&mut S, f64) -> u32,
    ) -> Result<Vec<u32>> {
        match values.data_type() {
            DataType::Utf8 => {
                let values = values.as_string::<i32>();
                Ok(values.iter().map(|value| value.map_or(MISSING, |value| text(this, value))).collect())
            }
            DataType::Int64 => {
                let values = values.as_primitive::<Int64Type>();
                Ok(values.iter().map(|value| value.map_or(MISSING, |value| integer(this, value))).collect())
            }
            DataType::Float64 => {
                let values = values.as_primitive::<Float64Type>();
                Ok(values.iter().map(|value| value.map_or(MISSING, |value| float(this, value))).collect())
            }
            DataType::Dictionary(_, _) => {
                let keyed = cast(values, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))?;
                let dictionary = keyed.as_dictionary::<Int32Type>();
                let texts = dictionary.values().as_string::<i32>();
                // Only values that a row has are numbered, each at its first row.
                let mut numbers: Vec<Option<u32>> = vec![None; texts.len()];
                let mut number_of = |key: i32| -> u32 {
                    let key = key as usize;
                    if texts.is_null(key) {
                        return MISSING;
                    }
                    *numbers[key].get_or_insert_with(|| text(this, texts.value(key)))
                };
                Ok(dictionary.keys().iter().map(|key| key.map_or(MISSING, &mut number_of)).collect())
            }
            other => {
                let values = cast(values, &category_type(other))?;
                Self::numbers_of(this, &values, text, integer, float)
            }
        }
    }

    fn find_text(&self, text: &str) -> Option<u32> {
        let Keys::Text { bytes, ends } = &self.keys else { return None };
        let found = self.table.find(HASHER.hash_one(text), |number| text_at(bytes, ends, *number as usize) == text);
        found.copied()
    }

    fn find_integer(&self, number: i64) -> Option<u32> {
        let Keys::Integer(keys) = &self.keys else { return None };
        self.table.find(HASHER.hash_one(number), |index| keys[*index as usize] == number).copied()
    }

    fn find_float(&self, number: f64) -> Option<u32> {
        let Keys::Float(keys) = &self.keys else { return None };
        let bits = canonical_bits(number);
        self.table.find(HASHER.hash_one(bits), |index| keys[*index as usize] == bits).copied()
    }

    fn insert_text(&mut self, text: &str) -> u32 {
        if let Some(number) = self.find_text(text) {
            return number;
        }
        let Keys::Text { bytes, ends } = &mut self.keys else { return UNSEEN };
        let number = ends.len() as u32;
        bytes.push_str(text);
        ends.push(bytes.len());
        let rehash = |number: &u32| HASHER.hash_one(text_at(bytes, ends, *number as usize));
        self.table.insert_unique(HASHER.hash_one(text), number, rehash);
        number
    }

    fn insert_integer(&mut self, value: i64) -> u32 {
        if let Some(number) = self.find_integer(value) {
            return number;
        }
        let Keys::Integer(keys) = &mut self.keys else { return UNSEEN };
        let number = keys.len() as u32;
        keys.push(value);
        self.table.insert_unique(HASHER.hash_one(value), number, |index| HASHER.hash_one(keys[*index as usize]));
        number
    }

    fn insert_float(&mut self, value: f64) -> u32 {
        if let Some(number) = self.find_float(value) {
            return number;
        }
        let Keys::Float(keys) = &mut self.keys else { return UNSEEN };
        let (number, bits) = (keys.len() as u32, canonical_bits(value));
        keys.push(bits);
        self.table.insert_unique(HASHER.hash_one(bits), number, |index| HASHER.hash_one(keys[*index as usize]));
        number
    }

    /// The numbers in ascending order of their values (texts by bytes, NaN last): the canonical order of a state.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        match &self.keys {
            Keys::Text { bytes, ends } => {
                order.sort_unstable_by_key(|number| text_at(bytes, ends, *number as usize));
            }
            Keys::Integer(keys) => order.sort_unstable_by_key(|number| keys[*number as usize]),
            Keys::Float(keys) => order.sort_unstable_by(|left, right| {
                let (left, right) = (keys[*left as usize], keys[*right as usize]);
                f64::from_bits(left).total_cmp(&f64::from_bits(right))
            }),
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_as_they_are_first_seen() {
        let values: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("b")]));
        let mut index = CategoryIndex::new(&DataType::Utf8);
        assert_eq!(index.insert(&values).unwrap(), [0, MISSING, 1, 0]);
        let other: ArrayRef = Arc::new(StringArray::from(vec!["a", "c"]));
        assert_eq!(index.lookup(&other).unwrap(), [1, UNSEEN]);
        assert_eq!(index.sorted(), [1, 0]);
        let keyed = cast(
            &values,
            &category_argument(&DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))),
        );
        assert_eq!(index.lookup(&keyed.unwrap()).unwrap(), [0, MISSING, 1, 0]);
    }

    #[test]
    fn zeros_are_one_category_and_so_are_all_nan() {
        let odd = f64::from_bits(f64::NAN.to_bits() | 1);
        let values: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, odd, 1.5]));
        let mut index = CategoryIndex::new(&DataType::Float32);
        assert_eq!(index.insert(&values).unwrap(), [0, 0, 1, 1, 2]);
        assert_eq!(index.sorted(), [0, 2, 1]);
    }
}
