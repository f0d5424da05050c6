//! What a write reports: the files that its successful tasks wrote.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::error::{DataFusionError, Result};

/// The columns of a report. `rows` is the sum over the files of one task.
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
    /// The file below that folder; `/` between folders.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The rows that the task wrote, told with its first file; 0 with the others.
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
