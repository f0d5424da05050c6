//! Key values inside an encoded partitioner: columns as an Arrow IPC stream, and rows that compare as bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::row::{RowConverter, SortField};
use datafusion_common::{DataFusionError, Result, exec_err, plan_err};

/// Columns of one length, as bytes.
pub(crate) fn encode(columns: &[ArrayRef], len: usize) -> Result<Vec<u8>> {
    let fields = columns
        .iter()
        .enumerate()
        .map(|(index, column)| Field::new(index.to_string(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(len));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns.to_vec(), &options)?;
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&batch)?;
    writer.finish()?;
    Ok(writer.into_inner()?)
}

/// The columns that [`encode`] made the bytes of.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<ArrayRef>> {
    let mut reader = StreamReader::try_new(bytes, None)?;
    match reader.next() {
        Some(batch) => Ok(batch?.columns().to_vec()),
        None => exec_err!("the values of a partitioner are missing"),
    }
}

/// Makes rows whose bytes compare as the keys do: ascending, nulls first.
pub(crate) fn converter(types: &[DataType]) -> Result<RowConverter> {
    Ok(RowConverter::new(types.iter().cloned().map(SortField::new).collect())?)
}

/// Fails where keys are not of the types that the partitioner's own values have.
pub(crate) fn check_types(name: &str, values: &[DataType], keys: &[DataType]) -> Result<()> {
    if values == keys {
        return Ok(());
    }
    let list = |types: &[DataType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    plan_err!("the partitioner \"{name}\" places keys of type ({}), not ({})", list(values), list(keys))
}

/// A JSON form as the crate's error.
pub(crate) fn json_error(error: serde_json::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
