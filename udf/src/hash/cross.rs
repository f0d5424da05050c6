//! The text of a cross: what `cross_hash` hashes and `feature_cross` gives.
//!
//! A cross is written `4:city=4:Oslo,7:channel=3:web`: each name and each value with its length in bytes before it, in
//! the order of the columns. So no two different crosses have one text, columns do not change places unnoticed, and
//! equal values of two columns do not cancel as they do where hashes are joined by XOR. A null value is written `~`.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use std::fmt::Write;

use crate::constants::Constants;
use crate::hash::text::{TextColumn, has_text, used_elements};
use crate::state::list_of;

/// What the parameter `features` of both functions means.
pub(crate) const FEATURES_DOC: &str =
    "A list, whose elements are named 0, 1, …, or a struct: the values to cross. Numbers count as their text.";
/// What the parameter `on_null` of both functions means.
pub(crate) const ON_NULL_DOC: &str = "What a null value among those to cross does: 'skip' (there is no such cross) or 'value' (null is a value of its own).";

/// What becomes of a cross with a null in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnNull {
    /// There is no such cross.
    Skip,
    /// Null is a value of its own.
    Value,
}

impl OnNull {
    pub(crate) fn of(constants: &Constants) -> Result<Self> {
        let choices = [("skip", Self::Skip), ("value", Self::Value)];
        Ok(constants.choice("on_null", &choices)?.unwrap_or(Self::Skip))
    }
}

/// The type that a list or a struct to cross is cast to.
pub(crate) fn cross_argument(function: &str, data_type: &DataType) -> Result<DataType> {
    let wrong = || {
        plan_err!(
            "features of {function} must be a list or a struct of texts, numbers, booleans, dates or times: it is \
                   of type {data_type}"
        )
    };
    match data_type {
        DataType::Null => Ok(list_of(DataType::Utf8)),
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            match field.data_type() {
                DataType::Null => Ok(list_of(DataType::Utf8)),
                element if has_text(element) => Ok(list_of(element.clone())),
                _ => wrong(),
            }
        }
        DataType::Struct(fields) if fields.iter().all(|field| has_text(field.data_type())) => Ok(data_type.clone()),
        _ => wrong(),
    }
}

/// The values to cross, row by row.
#[derive(Debug)]
pub(crate) struct Crosses {
    rows: Rows,
    nulls: Option<NullBuffer>,
    /// `4:city=` for each item, as far as it has been needed.
    names: Vec<String>,
}

#[derive(Debug)]
enum Rows {
    Columns(Vec<TextColumn>),
    Lists { lists: Box<ListArray>, elements: Box<TextColumn> },
}

fn named(name: &str) -> String {
    format!("{}:{name}=", name.len())
}

impl Crosses {
    /// The values of a column of structs or lists.
    pub(crate) fn of(features: &ArrayRef) -> Result<Self> {
        let nulls = features.logical_nulls();
        if let Some(structs) = features.as_struct_opt() {
            let columns = structs.columns().iter().map(TextColumn::of).collect::<Result<_>>()?;
            let names = structs.fields().iter().map(|field| named(field.name())).collect();
            return Ok(Self { rows: Rows::Columns(columns), nulls, names });
        }
        let lists = features.as_list::<i32>().clone();
        let elements = TextColumn::of(&used_elements(&lists))?;
        let offsets = lists.value_offsets();
        let longest = offsets.windows(2).map(|bounds| bounds[1] - bounds[0]).max().unwrap_or(0);
        let names = (0..longest).map(|place| named(&place.to_string())).collect();
        Ok(Self { rows: Rows::Lists { lists: Box::new(lists), elements: Box::new(elements) }, nulls, names })
    }

    /// Whether there is nothing to cross in a row.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// How many values a row has.
    pub(crate) fn width(&self, row: usize) -> usize {
        match &self.rows {
            Rows::Columns(columns) => columns.len(),
            Rows::Lists { lists, .. } => lists.value_length(row) as usize,
        }
    }

    fn item(&self, row: usize, place: usize) -> Option<&str> {
        let (column, row) = match &self.rows {
            Rows::Columns(columns) => (&columns[place], row),
            Rows::Lists { lists, elements } => {
                let offsets = lists.value_offsets();
                (elements.as_ref(), (offsets[row] - offsets[0]) as usize + place)
            }
        };
        (!column.is_null(row)).then(|| column.value(row))
    }

    /// Writes the cross of some values of a row to `text`, which is cleared before; false if there is none, because one
    /// of the values is null.
    pub(crate) fn write(
        &self,
        row: usize,
        places: impl Iterator<Item = usize>,
        on_null: OnNull,
        text: &mut String,
    ) -> bool {
        text.clear();
        for place in places {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&self.names[place]);
            match self.item(row, place) {
                // Writing to a String cannot fail.
                Some(value) => drop(write!(text, "{}:{value}", value.len())),
                None if on_null == OnNull::Value => text.push('~'),
                None => return false,
            }
        }
        true
    }
}
