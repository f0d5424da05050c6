//! Parquet: one file with Snappy pages. Its rows are written a row group at a time; the rest waits in memory.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::columns::{relabel, with_unique_names};
use super::{Encoder, Sink, Summary};

pub(super) struct ParquetEncoder<'a> {
    writer: ArrowWriter<&'a mut Sink>,
    schema: SchemaRef,
    summary: Summary,
}

impl<'a> ParquetEncoder<'a> {
    pub(super) fn start(sink: &'a mut Sink, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let schema = with_unique_names(schema);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(sink, schema.clone(), Some(properties)).map_err(as_arrow)?;
        Ok(Self { writer, schema, summary: Summary::default() })
    }
}

impl Encoder for ParquetEncoder<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.summary.rows += batch.num_rows() as u64;
        self.writer.write(&relabel(batch, &self.schema)?).map_err(as_arrow)
    }

    fn finish(self: Box<Self>) -> Result<Summary, ArrowError> {
        self.writer.close().map_err(as_arrow)?;
        Ok(self.summary)
    }
}

fn as_arrow(error: ParquetError) -> ArrowError {
    match error {
        ParquetError::NYI(what) => ArrowError::NotYetImplemented(what),
        other => ArrowError::ParquetError(other.to_string()),
    }
}
