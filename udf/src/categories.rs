//! What encoders of categories share: their options and categories in a state, and the place of each row's category in
//! a table of encodings.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray, UInt32Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err, plan_err};
use std::sync::{Arc, Mutex, PoisonError};

use crate::category::{CategoryIndex, MISSING, UNSEEN, category_argument, category_type};
use crate::spec::Spec;
use crate::state::StateReader;

/// The field of a state that lists its categories: ascending, the null category last if a row was null.
pub(crate) const VALUES: &str = "values";

/// The options that a fit keeps in its state, in the order of the state's fields.
pub(crate) type Options = Vec<(&'static str, ScalarValue)>;

/// The columns of a state that hold the options.
pub(crate) fn option_columns(options: &Options) -> Result<Vec<(&'static str, ArrayRef)>> {
    options.iter().map(|(name, value)| Ok((*name, value.to_array()?))).collect()
}

/// The options of row 0 of a state.
pub(crate) fn read_options(state: &StructArray, names: &[&'static str]) -> Result<Options> {
    let read = |name: &&'static str| match state.column_by_name(name) {
        Some(column) => Ok((*name, ScalarValue::try_from_array(column, 0)?)),
        None => exec_err!("the state has no field {name}"),
    };
    names.iter().map(read).collect()
}

/// Refuses to merge a state that was fitted with other options.
pub(crate) fn check_options(options: &Options, state: &StructArray, row: usize) -> Result<()> {
    for (name, own) in options {
        let Some(column) = state.column_by_name(name) else { return exec_err!("the state has no field {name}") };
        let other = ScalarValue::try_from_array(column, row)?;
        if &other != own {
            return exec_err!("states cannot be merged: {name} is {own} in one and {other} in another");
        }
    }
    Ok(())
}

/// The type of the categories of a state, from the state's type.
pub(crate) fn categories_of(state: &DataType) -> Option<&DataType> {
    let DataType::Struct(fields) = state else { return None };
    match fields.iter().find(|field| field.name() == VALUES)?.data_type() {
        DataType::List(element) => Some(element.data_type()),
        _ => None,
    }
}

/// The type that a categorical argument is cast to, so that its values can be found among those of a state.
pub(crate) fn coerce_category(spec: &Spec, parameter: &str, state: &DataType, argument: &DataType) -> Result<DataType> {
    let Some(known) = categories_of(state) else { return Ok(category_argument(argument)) };
    coerce_to(spec, parameter, known, argument)
}

/// As [`coerce_category`], with the type of the known categories.
pub(crate) fn coerce_to(spec: &Spec, parameter: &str, known: &DataType, argument: &DataType) -> Result<DataType> {
    match (known, category_type(argument)) {
        (known, _) if argument == &DataType::Null => Ok(known.clone()),
        (known, given) if known == &given => Ok(category_argument(argument)),
        (DataType::Float64, DataType::Int64) => Ok(DataType::Float64),
        (known, _) => plan_err!(
            "{parameter} of {} is of type {argument}, and the fit saw categories of type {known}: cast it",
            spec.name
        ),
    }
}

/// The categories in ascending order, those with `keep` false left out, and a null at the end if `missing`.
pub(crate) fn sorted_values(
    index: &CategoryIndex,
    keep: impl Fn(usize) -> bool,
    missing: bool,
) -> Result<(ArrayRef, Vec<u32>)> {
    if index.text_bytes() > i32::MAX as usize {
        return exec_err!("the distinct categories are over 2 GiB of text: hash them first");
    }
    let order: Vec<u32> = index.sorted().into_iter().filter(|number| keep(*number as usize)).collect();
    let values = take(&index.values(), &UInt32Array::from(order.clone()), None)?;
    if !missing {
        return Ok((values, order));
    }
    let null = new_null_array(values.data_type(), 1);
    Ok((concat(&[values.as_ref(), null.as_ref()])?, order))
}

/// How many dictionaries a table of categories remembers: about one for each partition that runs at once.
const DICTIONARIES: usize = 16;

/// The categories of a state.
#[derive(Debug)]
pub(crate) struct Categories {
    index: CategoryIndex,
    missing: bool,
    dense: Option<Dense>,
    /// The numbers of the values of the last dictionaries: the batches of a file share one.
    dictionaries: Mutex<Vec<(ArrayRef, Arc<Vec<u32>>)>>,
}

/// The numbers of whole numbers that lie close together, by their distance from the least.
#[derive(Debug)]
struct Dense {
    least: i64,
    numbers: Vec<u32>,
}

impl Dense {
    /// The table of ascending values, if it has at most eight places for each.
    fn of(values: &ArrayRef) -> Option<Self> {
        let values = values.as_primitive_opt::<Int64Type>()?.values();
        let (least, most) = (*values.first()?, *values.last()?);
        let range = usize::try_from(most.checked_sub(least)?).ok()?;
        if range / 8 > values.len() {
            return None;
        }
        let mut numbers = vec![UNSEEN; range + 1];
        for (number, value) in values.iter().enumerate() {
            *numbers.get_mut(usize::try_from(value.checked_sub(least)?).ok()?)? = number as u32;
        }
        Some(Self { least, numbers })
    }

    fn lookup(&self, values: &Int64Array) -> Vec<u32> {
        let number = |value: i64| {
            let distance = value.wrapping_sub(self.least) as u64;
            if distance < self.numbers.len() as u64 { self.numbers[distance as usize] } else { UNSEEN }
        };
        if values.null_count() == 0 {
            return values.values().iter().map(|value| number(*value)).collect();
        }
        values.iter().map(|value| value.map_or(MISSING, number)).collect()
    }
}

/// What stands for a row whose category has no place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// The place of this number.
    Place(u32),
    /// A null.
    Null,
    /// An error that names the value.
    Error,
}

/// The place of a row that has none.
pub(crate) const NO_PLACE: u32 = u32::MAX;

impl Categories {
    /// Reads the categories of a state.
    pub(crate) fn read(reader: &StateReader) -> Result<Self> {
        let values = reader.given(VALUES, reader.list(VALUES)?)?;
        let known = values.len().saturating_sub(1);
        let missing = !values.is_empty() && values.is_null(known);
        let values = if missing { values.slice(0, known) } else { values };
        let (index, dense) = (CategoryIndex::of(&values)?, Dense::of(&values));
        Ok(Self { index, missing, dense, dictionaries: Mutex::new(Vec::new()) })
    }

    /// How many there are without the null category.
    pub(crate) fn known(&self) -> usize {
        self.index.len()
    }

    /// How many there are with the null category, which has the last place.
    pub(crate) fn len(&self) -> usize {
        self.known() + usize::from(self.missing)
    }

    /// The place of the null category, if the fit saw one.
    pub(crate) fn missing(&self) -> Option<u32> {
        self.missing.then_some(self.known() as u32)
    }

    /// The known categories, in the order of their places.
    pub(crate) fn values(&self) -> ArrayRef {
        self.index.values()
    }

    /// The place of each row's category, [`NO_PLACE`] where the fallback is a null.
    pub(crate) fn places(
        &self,
        function: &str,
        values: &ArrayRef,
        missing: Fallback,
        unseen: Fallback,
    ) -> Result<Vec<u32>> {
        let mut places = self.lookup(values)?;
        let place = |fallback| match fallback {
            Fallback::Place(place) => place,
            Fallback::Null | Fallback::Error => NO_PLACE,
        };
        let (missing_place, unseen_place) = (place(missing), place(unseen));
        let (mut any_missing, mut any_unseen) = (false, false);
        for place in &mut places {
            if *place >= UNSEEN {
                any_missing |= *place == MISSING;
                any_unseen |= *place == UNSEEN;
                *place = if *place == MISSING { missing_place } else { unseen_place };
            }
        }
        if any_missing && missing == Fallback::Error {
            return exec_err!("{function} found a null, which the fit did not see");
        }
        if any_unseen && unseen == Fallback::Error {
            let row = self.lookup(values)?.iter().position(|place| *place == UNSEEN).unwrap_or(0);
            return exec_err!("{function} found '{}', which the fit did not see", text_of(values, row)?);
        }
        Ok(places)
    }

    /// The numbers of [`CategoryIndex::lookup`]; each value of a dictionary is looked up once.
    fn lookup(&self, values: &ArrayRef) -> Result<Vec<u32>> {
        if let (Some(dense), Some(values)) = (&self.dense, values.as_primitive_opt::<Int64Type>()) {
            return Ok(dense.lookup(values));
        }
        let DataType::Dictionary(key, value) = values.data_type() else { return self.index.lookup(values) };
        if (key.as_ref(), value.as_ref()) != (&DataType::Int32, &DataType::Utf8) {
            return self.index.lookup(values);
        }
        let dictionary = values.as_dictionary::<Int32Type>();
        let Some(numbers) = self.dictionary_numbers(dictionary.values(), values.len())? else {
            return self.index.lookup(values);
        };
        let keys = dictionary.keys();
        if keys.null_count() == 0 {
            return Ok(keys.values().iter().map(|key| numbers[*key as usize]).collect());
        }
        Ok(keys.iter().map(|key| key.map_or(MISSING, |key| numbers[key as usize])).collect())
    }

    /// The numbers of the values of a dictionary; `None` if it is new and has far more values than there are rows.
    fn dictionary_numbers(&self, values: &ArrayRef, rows: usize) -> Result<Option<Arc<Vec<u32>>>> {
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

/// A value as a text, for an error.
pub(crate) fn text_of(values: &ArrayRef, row: usize) -> Result<String> {
    Ok(ArrayFormatter::try_new(values.as_ref(), &FormatOptions::default())?.value(row).to_string())
}

/// The rows of an argument that has been cast to what [`coerce_category`] gave.
pub(crate) fn rows_of(argument: &datafusion_expr::ColumnarValue, rows: usize) -> Result<ArrayRef> {
    match argument {
        datafusion_expr::ColumnarValue::Array(values) => Ok(Arc::clone(values)),
        datafusion_expr::ColumnarValue::Scalar(value) => value.to_array_of_size(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{one_list, state_row};
    use arrow::array::StringArray;
    use arrow::compute::cast;

    fn categories(values: ArrayRef) -> Categories {
        let state = state_row("test/1", vec![(VALUES, one_list(values))]).unwrap();
        Categories::read(&StateReader::open(&state, 0, "test/1").unwrap().unwrap()).unwrap()
    }

    fn places(categories: &Categories, values: &ArrayRef) -> Vec<u32> {
        categories.places("f", values, Fallback::Null, Fallback::Place(99)).unwrap()
    }

    #[test]
    fn whole_numbers_are_found_close_together_or_far_apart() {
        let asked: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(4), None, Some(i64::MIN), Some(i64::MAX)]));
        let close: ArrayRef = Arc::new(Int64Array::from(vec![-2, 3, 5]));
        assert_eq!(places(&categories(close), &asked), [1, 99, NO_PLACE, 99, 99]);
        let far: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, 3, i64::MAX]));
        assert_eq!(places(&categories(far), &asked), [1, 99, NO_PLACE, 0, 2]);
        assert_eq!(places(&categories(Arc::new(Int64Array::from(Vec::<i64>::new()))), &asked)[..2], [99, 99]);
    }

    #[test]
    fn a_dictionary_that_changes_is_looked_up_again() {
        let categories = categories(Arc::new(StringArray::from(vec!["a", "b"])));
        let keyed = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        for (texts, expected) in
            [(["b", "c", "a"], [1, 99, 0]), (["a", "b", "b"], [0, 1, 1]), (["c", "c", "a"], [99, 99, 0])]
        {
            let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
            let texts = cast(&texts, &keyed).unwrap();
            assert_eq!(places(&categories, &texts), expected);
            assert_eq!(places(&categories, &texts.slice(1, 2)), expected[1..]);
        }
    }
}
