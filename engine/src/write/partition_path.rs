//! Rows cut into runs of equal partition values, each with its `name=value/…` folder.

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::{cast, partition};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use object_store::path::{Path, PathPart};

use crate::error::{Error, ErrorCode};

/// The runs of a batch in their order. A batch that is sorted by the columns has one run for each value.
pub(super) fn runs(batch: &RecordBatch, columns: &[String]) -> Result<Vec<(Path, Range<usize>)>> {
    let arrays = columns.iter().map(|name| column(batch, name)).collect::<Result<Vec<ArrayRef>>>()?;
    let ranges = partition(&arrays)?.ranges();
    ranges
        .into_iter()
        .map(|range| {
            let parts = columns.iter().zip(&arrays).map(|(name, array)| {
                let value = text(name, array, range.start)?;
                Ok(PathPart::from(format!("{name}={value}")))
            });
            Ok((Path::from_iter(parts.collect::<Result<Vec<_>>>()?), range))
        })
        .collect()
}

fn column(batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
    let column = batch.column_by_name(name).ok_or_else(|| {
        own(Error::new(ErrorCode::ColumnNotFound, format!("partition column \"{name}\" not found in the rows")))
    })?;
    // DataFusion reads a folder's name back as it stands, so no name would come back as a null.
    if column.logical_null_count() > 0 {
        let message = format!("partition column \"{name}\" holds a null, which no folder name can stand for");
        return Err(own(Error::new(ErrorCode::Unsupported, message)
            .hint(format!("replace it, as in coalesce({name}, …), or leave those rows out"))));
    }
    match column.data_type() {
        // These have a text too, but nobody could read it back.
        kind if kind.is_nested() || kind.is_binary() => Err(unusable(name, kind)),
        // Runs are found by comparing values, and those of a dictionary are the keys' values.
        DataType::Dictionary(_, values) => Ok(cast(column, values)?),
        _ => Ok(ArrayRef::clone(column)),
    }
}

fn text(name: &str, array: &ArrayRef, row: usize) -> Result<String> {
    let unusable = || unusable(name, array.data_type());
    let value = cast(&array.slice(row, 1), &DataType::Utf8).map_err(|_| unusable())?;
    let value = value.as_string::<i32>();
    if value.is_null(0) { Err(unusable()) } else { Ok(value.value(0).to_string()) }
}

fn unusable(name: &str, kind: &DataType) -> DataFusionError {
    let message = format!("column \"{name}\" of type {kind} cannot be a partition column");
    own(Error::new(ErrorCode::Unsupported, message).hint("cast it to a text, a number or a date"))
}

fn own(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use datafusion::arrow::array::{Date32Array, DictionaryArray, Int32Array, ListArray, StringArray};
    use datafusion::arrow::datatypes::Int32Type;

    fn folders(columns: Vec<(&str, ArrayRef)>) -> Result<Vec<(String, Range<usize>)>> {
        let names: Vec<String> = columns.iter().map(|(name, _)| name.to_string()).collect();
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Ok(runs(&batch, &names)?.into_iter().map(|(path, rows)| (path.to_string(), rows)).collect())
    }

    #[test]
    fn each_run_has_its_folder() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![0, 0, 19_723]));
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![-1, 2, 2]));
        let expected = vec![
            ("day=1970-01-01/n=-1".to_string(), 0..1),
            ("day=1970-01-01/n=2".to_string(), 1..2),
            ("day=2024-01-01/n=2".to_string(), 2..3),
        ];
        assert_eq!(folders(vec![("day", days), ("n", numbers)]).unwrap(), expected);
    }

    #[test]
    fn characters_that_would_make_another_folder_are_encoded() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a/b", "50%", "", ".."]));
        let found: Vec<String> = folders(vec![("k", texts)]).unwrap().into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, ["k=a%2Fb", "k=50%25", "k=", "k=.."]);
    }

    #[test]
    fn a_dictionary_is_its_values() {
        let keys: DictionaryArray<Int32Type> = vec!["x", "x", "y"].into_iter().collect();
        let found = folders(vec![("k", Arc::new(keys))]).unwrap();
        assert_eq!(found, vec![("k=x".to_string(), 0..2), ("k=y".to_string(), 2..3)]);
    }

    #[test]
    fn a_null_and_a_list_are_refused() {
        let nulls: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        assert_eq!(Error::from(folders(vec![("k", nulls)]).unwrap_err()).code(), ErrorCode::Unsupported);
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
        let lists: ArrayRef = Arc::new(lists);
        let found = folders(vec![("k", lists)]);
        assert!(found.is_err(), "{found:?}");
    }
}
