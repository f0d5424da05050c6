//! Fitted states: one typed struct with a `kind` in front, built, read and applied alike by every fit.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, new_null_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};
use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The first field of every state: which fit made it, and the version of its form.
pub(crate) const KIND: &str = "kind";

/// The type of a state: `kind` and the given fields, all nullable.
pub(crate) fn state_type(fields: &[(&str, DataType)]) -> DataType {
    let kind = std::iter::once((KIND, DataType::Utf8));
    let fields = kind.chain(fields.iter().map(|(name, data_type)| (*name, data_type.clone())));
    DataType::Struct(fields.map(|(name, data_type)| Field::new(name, data_type, true)).collect())
}

/// A list whose elements may be null, as every list in a state.
pub(crate) fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// A struct of nullable fields, as every struct in a state.
pub(crate) fn struct_of(fields: &[(&str, DataType)]) -> DataType {
    DataType::Struct(fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect())
}

/// The struct array of [`struct_of`] with these columns.
pub(crate) fn struct_array(columns: Vec<(&str, ArrayRef)>) -> Result<StructArray> {
    let fields: Fields =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    Ok(StructArray::try_new(fields, columns.into_iter().map(|(_, column)| column).collect(), None)?)
}

/// One list of all of `values`, as an array of one row.
pub(crate) fn one_list(values: ArrayRef) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    Arc::new(ListArray::new(field, offsets, values, None))
}

/// A state of one row: `kind`, and the columns in the order of the state's type.
pub(crate) fn state_row(kind: &str, columns: Vec<(&str, ArrayRef)>) -> Result<StructArray> {
    let kind: ArrayRef = Arc::new(arrow::array::StringArray::from(vec![kind]));
    struct_array(std::iter::once((KIND, kind)).chain(columns).collect())
}

/// Checks, when a call is planned, that an argument has the type of a state with these fields.
pub(crate) fn check_state_type(function: &str, data_type: &DataType, fields: &[&str]) -> Result<()> {
    let wrong = || plan_err!("the state of {function} must be the result of its fit: it is of type {data_type}");
    match data_type {
        DataType::Struct(known) => {
            let has = |name: &str| known.iter().any(|field| field.name() == name);
            if has(KIND) && fields.iter().all(|name| has(name)) { Ok(()) } else { wrong() }
        }
        DataType::Null => Ok(()),
        _ => wrong(),
    }
}

/// Reads one state, with errors that name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateReader<'a> {
    state: &'a StructArray,
    row: usize,
}

impl<'a> StateReader<'a> {
    /// Opens a row of states; `None` if it is null, an error if another fit or version made it.
    pub(crate) fn open(state: &'a StructArray, row: usize, kind: &str) -> Result<Option<Self>> {
        if state.is_null(row) {
            return Ok(None);
        }
        let reader = Self { state, row };
        match reader.text(KIND)? {
            None => Ok(None),
            Some(found) if found == kind => Ok(Some(reader)),
            Some(found) => exec_err!("the state is of the kind '{found}', and '{kind}' is needed"),
        }
    }

    /// The column of a field, all rows.
    fn column(&self, field: &str) -> Result<&'a ArrayRef> {
        match self.state.column_by_name(field) {
            Some(column) => Ok(column),
            None => exec_err!("the state has no field {field}"),
        }
    }

    fn one(&self, field: &str, data_type: &DataType) -> Result<Option<ArrayRef>> {
        let column = self.column(field)?;
        if column.is_null(self.row) {
            return Ok(None);
        }
        Ok(Some(cast(&column.slice(self.row, 1), data_type)?))
    }

    /// A text.
    pub(crate) fn text(&self, field: &str) -> Result<Option<String>> {
        let value = self.one(field, &DataType::Utf8)?;
        Ok(value.map(|value| value.as_string::<i32>().value(0).to_string()))
    }

    /// A number.
    pub(crate) fn float(&self, field: &str) -> Result<Option<f64>> {
        let value = self.one(field, &DataType::Float64)?;
        Ok(value.map(|value| value.as_primitive::<Float64Type>().value(0)))
    }

    /// A whole number.
    pub(crate) fn integer(&self, field: &str) -> Result<Option<i64>> {
        let value = self.one(field, &DataType::Int64)?;
        Ok(value.map(|value| value.as_primitive::<Int64Type>().value(0)))
    }

    /// The elements of a list, in the list's own type.
    pub(crate) fn list(&self, field: &str) -> Result<Option<ArrayRef>> {
        let column = self.column(field)?;
        if column.is_null(self.row) {
            return Ok(None);
        }
        match column.as_list_opt::<i32>() {
            Some(lists) => Ok(Some(lists.value(self.row))),
            None => exec_err!("the field {field} of the state must be a list"),
        }
    }

    /// The elements of a list of structs.
    pub(crate) fn structs(&self, field: &str) -> Result<Option<StructArray>> {
        let Some(values) = self.list(field)? else { return Ok(None) };
        match values.as_struct_opt() {
            Some(values) => Ok(Some(values.clone())),
            None => exec_err!("the field {field} of the state must be a list of structs"),
        }
    }

    /// The numbers of a list; nulls are an error.
    pub(crate) fn floats(&self, field: &str) -> Result<Option<Vec<f64>>> {
        let Some(values) = self.list(field)? else { return Ok(None) };
        if values.null_count() > 0 {
            return exec_err!("the field {field} of the state has a null in it");
        }
        let values = cast(&values, &DataType::Float64)?;
        Ok(Some(values.as_primitive::<Float64Type>().values().to_vec()))
    }

    /// True or false.
    pub(crate) fn boolean(&self, field: &str) -> Result<Option<bool>> {
        let value = self.one(field, &DataType::Boolean)?;
        Ok(value.map(|value| value.as_boolean().value(0)))
    }

    /// The whole numbers of a list; nulls are an error.
    pub(crate) fn integers(&self, field: &str) -> Result<Option<Vec<i64>>> {
        let Some(values) = self.list(field)? else { return Ok(None) };
        if values.null_count() > 0 {
            return exec_err!("the field {field} of the state has a null in it");
        }
        let values = cast(&values, &DataType::Int64)?;
        Ok(Some(values.as_primitive::<Int64Type>().values().to_vec()))
    }

    /// A value that must be there.
    pub(crate) fn given<T>(&self, field: &str, value: Option<T>) -> Result<T> {
        match value {
            Some(value) => Ok(value),
            None => exec_err!("the field {field} of the state is null"),
        }
    }
}

/// How many decoded states a function keeps, and how many bytes of states, the last one aside.
const CACHED: usize = 32;
const CACHED_BYTES: usize = 256 << 20;

/// Decoded states by the literals that they come from, so that a state is decoded once and not once a batch or once a
/// statement: a literal that is not the same object is compared by its contents.
#[derive(Debug)]
pub(crate) struct StateCache<T> {
    /// The last one used is last.
    entries: Mutex<Vec<(Arc<StructArray>, Arc<T>)>>,
}

impl<T> Default for StateCache<T> {
    fn default() -> Self {
        Self { entries: Mutex::new(Vec::new()) }
    }
}

impl<T: Debug> StateCache<T> {
    /// The decoded form of a literal.
    pub(crate) fn get(&self, literal: &Arc<StructArray>, decode: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, decoded)) = entries.iter().find(|(known, _)| Arc::ptr_eq(known, literal)) {
            return Ok(Arc::clone(decoded));
        }
        let decoded = match entries.iter().position(|(known, _)| known == literal) {
            // The new object stands for the state from now on: the batches of the statement share it.
            Some(index) => entries.remove(index).1,
            None => Arc::new(decode()?),
        };
        let mut bytes: usize = entries.iter().map(|(known, _)| known.get_array_memory_size()).sum();
        while entries.len() == CACHED || (bytes > CACHED_BYTES && !entries.is_empty()) {
            bytes -= entries.remove(0).0.get_array_memory_size();
        }
        entries.push((Arc::clone(literal), Arc::clone(&decoded)));
        Ok(decoded)
    }

    /// Applies a state to `rows` rows. A constant state is decoded once; a column of states once for each run of equal
    /// ones. `apply` gives the values of its range of rows, all of the same type; rows without a state are null.
    pub(crate) fn apply(
        &self,
        state: &ColumnarValue,
        rows: usize,
        result: &DataType,
        decode: impl Fn(&StructArray, usize) -> Result<Option<T>>,
        apply: impl Fn(&T, Range<usize>) -> Result<ArrayRef>,
    ) -> Result<ArrayRef>
    where
        T: Debug,
    {
        match state {
            ColumnarValue::Scalar(ScalarValue::Struct(literal)) => {
                if StateReader::is_empty(literal, 0)? {
                    return Ok(new_null_array(result, rows));
                }
                let decoded = self.get(literal, || match decode(literal, 0)? {
                    Some(decoded) => Ok(decoded),
                    None => exec_err!("the state is null"),
                })?;
                apply(&decoded, 0..rows)
            }
            ColumnarValue::Scalar(_) => Ok(new_null_array(result, rows)),
            ColumnarValue::Array(states) => {
                let Some(states) = states.as_struct_opt() else {
                    return Ok(new_null_array(result, rows));
                };
                let mut parts: Vec<ArrayRef> = Vec::new();
                for run in equal_runs(states) {
                    parts.push(match decode(states, run.start)? {
                        Some(decoded) => apply(&decoded, run)?,
                        None => new_null_array(result, run.len()),
                    });
                }
                if parts.is_empty() {
                    return Ok(new_null_array(result, 0));
                }
                Ok(concat(&parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>())?)
            }
        }
    }
}

impl StateReader<'_> {
    /// Whether a row holds no state.
    fn is_empty(state: &StructArray, row: usize) -> Result<bool> {
        let kind = StateReader { state, row }.column(KIND)?;
        Ok(state.is_null(row) || kind.is_null(row))
    }
}

/// The ranges of neighbouring rows with equal states.
fn equal_runs(states: &StructArray) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for row in 0..states.len() {
        match runs.last_mut() {
            Some(run) if states.slice(run.start, 1) == states.slice(row, 1) => run.end = row + 1,
            _ => runs.push(row..row + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn state(number: i64) -> Arc<StructArray> {
        let numbers: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![number]));
        Arc::new(state_row("test/1", vec![("number", numbers)]).unwrap())
    }

    #[test]
    fn equal_states_are_decoded_once() {
        let (cache, decoded) = (StateCache::default(), Cell::new(0));
        let get = |literal: &Arc<StructArray>| {
            let decode = || {
                decoded.set(decoded.get() + 1);
                StateReader::open(literal, 0, "test/1")?.map(|state| state.integer("number")).transpose()
            };
            cache.get(literal, decode).unwrap()
        };
        let first = state(1);
        for (literal, number) in [(&first, 1), (&first, 1), (&state(1), 1), (&state(2), 2), (&state(1), 1)] {
            assert_eq!(get(literal).flatten(), Some(number));
        }
        assert_eq!(decoded.get(), 2);
        // The least recently new are forgotten.
        (3..3 + CACHED as i64).for_each(|number| _ = get(&state(number)));
        get(&first);
        assert_eq!(decoded.get(), 3 + CACHED);
    }
}
