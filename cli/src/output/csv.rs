//! CSV: a header, RFC 4180 quoting, nulls as empty fields, nested values as text.

use arrow::array::RecordBatch;
use arrow::csv::{Writer, WriterBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::columns::{flat_schema, flatten};
use super::{Encoder, Sink, Summary};

pub(super) struct CsvEncoder<'a> {
    writer: Writer<&'a mut Sink>,
    schema: SchemaRef,
    summary: Summary,
}

impl<'a> CsvEncoder<'a> {
    /// Writes the header.
    pub(super) fn start(sink: &'a mut Sink, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let schema = flat_schema(schema);
        let mut writer = WriterBuilder::new().with_header(true).build(sink);
        // The header comes with the first batch, and there may be none.
        writer.write(&RecordBatch::new_empty(schema.clone()))?;
        Ok(Self { writer, schema, summary: Summary::default() })
    }
}

impl Encoder for CsvEncoder<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.summary.rows += batch.num_rows() as u64;
        self.writer.write(&flatten(batch, &self.schema)?)
    }

    fn finish(self: Box<Self>) -> Result<Summary, ArrowError> {
        Ok(self.summary)
    }
}
