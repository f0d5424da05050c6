//! Categories: one canonical form for the values of a categorical column, and an index from values to small numbers.
//!
//! Texts stay texts, whole numbers become `Int64`, other numbers `Float64` (-0.0 is 0.0 and all NaN are one category),
//! and everything else (booleans, dates, times, decimals) its text. A dictionary of texts stays a dictionary, so that a
//! value is looked up once a batch.

mod known;
mod numbers;
mod slots;
mod texts;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Float64Array, Int64Array, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err};
use foldhash::fast::FixedState;
use std::hint::select_unpredictable;
use std::sync::Arc;

use self::numbers::Numbers;
use self::texts::{Text, Texts};

pub(crate) use self::known::KnownCategories;

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
/// The most categories that an index numbers.
const MOST: usize = UNSEEN as usize - 1;

/// How many values are looked up side by side.
const BLOCK: usize = 128;

const HASHER: FixedState = FixedState::with_seed(0x51_75_69_63_65);

/// Mixes 128 bits to 32: both halves of the product of the two, as in wyhash and foldhash.
#[inline]
fn fold(low: u64, high: u64) -> u32 {
    // The first digits of pi and of e behind the point.
    let product = u128::from(low ^ 0x243F_6A88_85A3_08D3) * u128::from(high ^ 0xB7E1_5162_8AED_2A6B);
    ((product as u64 ^ (product >> 64) as u64) >> 32) as u32
}

/// Writes [`MISSING`] where a row is null; `start` is the row of the first number.
#[inline(always)]
fn mark_missing(numbers: &mut [u32], nulls: Option<&NullBuffer>, start: usize) {
    let Some(nulls) = nulls else { return };
    for (place, number) in numbers.iter_mut().enumerate() {
        *number = select_unpredictable(nulls.is_null(start + place), MISSING, *number);
    }
}

/// The places of [`UNSEEN`] in a block, and how many there are; gathered without a branch.
#[inline(always)]
fn places_unseen(numbers: &[u32]) -> ([u8; BLOCK], usize) {
    let (mut places, mut count) = ([0; BLOCK], 0);
    for (place, number) in numbers.iter().enumerate() {
        places[count] = place as u8;
        count += usize::from(*number == UNSEEN);
    }
    (places, count)
}

/// The bits of a number in its canonical form.
#[inline]
fn canonical_bits(number: f64) -> u64 {
    if number.is_nan() {
        f64::NAN.to_bits()
    } else if number == 0.0 {
        0
    } else {
        number.to_bits()
    }
}

/// Numbers the values of a categorical column in the order in which they are first seen.
#[derive(Debug)]
pub(crate) struct CategoryIndex {
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Text(Texts),
    Integer(Numbers),
    /// By the bits of canonical numbers.
    Float(Numbers),
}

impl CategoryIndex {
    /// An empty index for values of a [`category_type`].
    pub(crate) fn new(data_type: &DataType) -> Self {
        let keys = match category_type(data_type) {
            DataType::Int64 => Keys::Integer(Numbers::default()),
            DataType::Float64 => Keys::Float(Numbers::default()),
            _ => Keys::Text(Texts::default()),
        };
        Self { keys }
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
            Keys::Text(texts) => texts.len(),
            Keys::Integer(numbers) | Keys::Float(numbers) => numbers.len(),
        }
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        match &self.keys {
            Keys::Text(texts) => texts.size(),
            Keys::Integer(numbers) | Keys::Float(numbers) => numbers.size(),
        }
    }

    /// The categories of these numbers, in this order.
    ///
    /// # Errors
    /// Over 2 GiB of text.
    pub(crate) fn values_of(&self, numbers: impl ExactSizeIterator<Item = u32> + Clone) -> Result<ArrayRef> {
        Ok(match &self.keys {
            Keys::Text(texts) => texts.array(numbers)?,
            Keys::Integer(known) => {
                let keys = numbers.map(|number| known.keys()[number as usize] as i64);
                Arc::new(Int64Array::from_iter_values(keys))
            }
            Keys::Float(known) => {
                let keys = numbers.map(|number| f64::from_bits(known.keys()[number as usize]));
                Arc::new(Float64Array::from_iter_values(keys))
            }
        })
    }

    /// The categories, in the order of their numbers.
    ///
    /// # Errors
    /// Over 2 GiB of text.
    pub(crate) fn values(&self) -> Result<ArrayRef> {
        self.values_of(0..self.len() as u32)
    }

    /// The numbers of the values, new ones being added; [`MISSING`] for nulls.
    ///
    /// # Errors
    /// More than about four billion categories.
    pub(crate) fn insert(&mut self, values: &ArrayRef) -> Result<Vec<u32>> {
        if self.len() + values.len() > MOST {
            return exec_err!("there are over {MOST} distinct categories: hash them first");
        }
        match &mut self.keys {
            Keys::Text(texts) => match text_column(values)? {
                TextColumn::Plain(column) => Ok(texts.find_or_add_all(&column)),
                TextColumn::Keyed(column) => {
                    Ok(numbers_of_dictionary(&column, |text| texts.find_or_add(text, text.hash())))
                }
            },
            Keys::Integer(numbers) => {
                let (keys, nulls) = integer_keys(values)?;
                Ok(numbers.find_or_add_all(&keys, nulls.as_ref()))
            }
            Keys::Float(numbers) => {
                let (keys, nulls) = float_keys(values)?;
                Ok(numbers.find_or_add_all(&keys, nulls.as_ref()))
            }
        }
    }

    /// The numbers of the values: [`UNSEEN`] for those that are not known, [`MISSING`] for nulls.
    pub(crate) fn lookup(&self, values: &ArrayRef) -> Result<Vec<u32>> {
        match &self.keys {
            Keys::Text(texts) => match text_column(values)? {
                TextColumn::Plain(column) => Ok(texts.find_all(&column)),
                TextColumn::Keyed(column) => {
                    Ok(numbers_of_dictionary(&column, |text| texts.find(text, text.hash()).unwrap_or(UNSEEN)))
                }
            },
            Keys::Integer(numbers) => {
                let (keys, nulls) = integer_keys(values)?;
                Ok(numbers.find_all(&keys, nulls.as_ref()))
            }
            Keys::Float(numbers) => {
                let (keys, nulls) = float_keys(values)?;
                Ok(numbers.find_all(&keys, nulls.as_ref()))
            }
        }
    }

    /// The numbers in ascending order of their values (texts by bytes, NaN last): the canonical order of a state.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let order = || Vec::from_iter(0..self.len() as u32);
        match &self.keys {
            Keys::Text(texts) => texts.sorted(),
            Keys::Integer(numbers) => {
                let mut order = order();
                order.sort_unstable_by_key(|number| numbers.keys()[*number as usize] as i64);
                order
            }
            Keys::Float(numbers) => {
                let mut order = order();
                let number_of = |number: u32| f64::from_bits(numbers.keys()[number as usize]);
                order.sort_unstable_by(|left, right| number_of(*left).total_cmp(&number_of(*right)));
                order
            }
        }
    }
}

/// A column of texts.
enum TextColumn {
    Plain(StringArray),
    Keyed(DictionaryArray<Int32Type>),
}

fn text_column(values: &ArrayRef) -> Result<TextColumn> {
    Ok(match values.data_type() {
        DataType::Utf8 => TextColumn::Plain(values.as_string::<i32>().clone()),
        DataType::Dictionary(_, _) => {
            let keyed = cast(values, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))?;
            TextColumn::Keyed(keyed.as_dictionary::<Int32Type>().clone())
        }
        _ => TextColumn::Plain(cast(values, &DataType::Utf8)?.as_string::<i32>().clone()),
    })
}

/// The numbers of the values of a dictionary: only those that a row has, each at its first row.
fn numbers_of_dictionary(
    dictionary: &DictionaryArray<Int32Type>,
    mut number: impl FnMut(&Text<'_>) -> u32,
) -> Vec<u32> {
    let texts = dictionary.values().as_string::<i32>();
    let (buffer, ends) = (texts.value_data(), texts.value_offsets());
    let mut numbers: Vec<Option<u32>> = vec![None; texts.len()];
    let mut number_of = |key: i32| -> u32 {
        let key = key as usize;
        if texts.is_null(key) {
            return MISSING;
        }
        let text = || Text::new(buffer, ends[key] as usize, ends[key + 1] as usize);
        *numbers[key].get_or_insert_with(|| number(&text()))
    };
    dictionary.keys().iter().map(|key| key.map_or(MISSING, &mut number_of)).collect()
}

/// The values as keys, and the nulls among them.
fn integer_keys(values: &ArrayRef) -> Result<(Vec<u64>, Option<NullBuffer>)> {
    let values = cast(values, &DataType::Int64)?;
    let values = values.as_primitive::<Int64Type>();
    Ok((values.values().iter().map(|value| *value as u64).collect(), values.nulls().cloned()))
}

/// The bits of the values in their canonical form, and the nulls among them.
fn float_keys(values: &ArrayRef) -> Result<(Vec<u64>, Option<NullBuffer>)> {
    let values = cast(values, &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    Ok((values.values().iter().map(|value| canonical_bits(*value)).collect(), values.nulls().cloned()))
}

#[cfg(test)]
mod tests;
