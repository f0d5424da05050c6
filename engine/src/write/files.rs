//! What a write reports: the files that its successful tasks wrote.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::error::{DataFusionError, Result};

/// The columns of a report, a row for each file.
pub(super) static REPORT_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("attempt", DataType::Utf8, false),
        Field::new("path", DataType::Utf8, false),
        Field::new("bytes", DataType::UInt64, false),
        Field::new("rows", DataType::UInt64, false),
    ]))
});

/// One file of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// The folder of the task's try, below the staging folder.
    pub attempt: String,
    /// The file below that folder; `/` between folders, spelled as the store spells it.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
}

/// The report of one task.
pub(super) fn report(files: &[WrittenFile]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(files.iter().map(|file| file.attempt.as_str()))),
        Arc::new(StringArray::from_iter_values(files.iter().map(|file| file.path.as_str()))),
        Arc::new(UInt64Array::from_iter_values(files.iter().map(|file| file.bytes))),
        Arc::new(UInt64Array::from_iter_values(files.iter().map(|file| file.rows))),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&REPORT_SCHEMA), columns)?)
}

/// The files of a report.
pub fn read_report(batch: &RecordBatch) -> Result<Vec<WrittenFile>> {
    let malformed = || DataFusionError::Internal("a write's report has the wrong columns".to_string());
    if batch.num_columns() != REPORT_SCHEMA.fields().len() {
        return Err(malformed());
    }
    let text = |index: usize| batch.column(index).as_string_opt::<i32>().ok_or_else(malformed);
    let number = |index: usize| batch.column(index).as_primitive_opt::<UInt64Type>().ok_or_else(malformed);
    let (attempts, paths, bytes, rows) = (text(0)?, text(1)?, number(2)?, number(3)?);
    Ok((0..batch.num_rows())
        .map(|row| WrittenFile {
            attempt: attempts.value(row).to_string(),
            path: paths.value(row).to_string(),
            bytes: bytes.value(row),
            rows: rows.value(row),
        })
        .collect())
}

/// The rows of all files.
pub fn total_rows(files: &[WrittenFile]) -> u64 {
    files.iter().map(|file| file.rows).sum()
}

/// The files that are worth keeping. One without rows only says what the columns are: it stays where there is no other
/// file of the write, and where `keep_one` says that nothing else holds the columns.
pub fn without_empty(files: Vec<WrittenFile>, keep_one: bool) -> Vec<WrittenFile> {
    if keep_one && files.iter().all(|file| file.rows == 0) {
        return files.into_iter().take(1).collect();
    }
    files.into_iter().filter(|file| file.rows > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, rows: u64) -> WrittenFile {
        WrittenFile { attempt: "attempt-1".into(), path: path.into(), bytes: 10, rows }
    }

    #[test]
    fn a_report_reads_back() {
        let files = vec![file("a=1/x.parquet", 3), file("y.parquet", 0)];
        assert_eq!(read_report(&report(&files).unwrap()).unwrap(), files);
        assert_eq!(total_rows(&files), 3);
    }

    #[test]
    fn an_empty_file_stays_only_where_it_is_the_only_one() {
        let empty = || vec![file("x", 0), file("y", 0)];
        assert_eq!(without_empty(empty(), true), vec![file("x", 0)]);
        assert_eq!(without_empty(empty(), false), vec![]);
        assert_eq!(without_empty(vec![file("x", 0), file("y", 2)], true), vec![file("y", 2)]);
    }
}
