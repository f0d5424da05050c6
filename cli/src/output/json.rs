//! JSON: one array of objects, or one object a line. Nulls are written, so that every object has every column.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, Writer, WriterBuilder};

use super::columns::{relabel, with_unique_names};
use super::{Encoder, Sink, Summary};

pub(super) type JsonEncoder<'a> = ObjectEncoder<'a, JsonArray>;
pub(super) type NdjsonEncoder<'a> = ObjectEncoder<'a, LineDelimited>;

pub(super) struct ObjectEncoder<'a, F: JsonFormat> {
    writer: Writer<&'a mut Sink, F>,
    schema: SchemaRef,
    summary: Summary,
}

impl<'a, F: JsonFormat> ObjectEncoder<'a, F> {
    pub(super) fn new(sink: &'a mut Sink, schema: &SchemaRef) -> Self {
        let writer = WriterBuilder::new().with_explicit_nulls(true).build(sink);
        Self { writer, schema: with_unique_names(schema), summary: Summary::default() }
    }

    fn write_rows(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.summary.rows += batch.num_rows() as u64;
        self.writer.write(&relabel(batch, &self.schema)?)?;
        Ok(self.writer.get_mut().flush()?)
    }
}

impl Encoder for JsonEncoder<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.write_rows(batch)
    }

    fn finish(mut self: Box<Self>) -> Result<Summary, ArrowError> {
        self.writer.finish()?;
        self.writer.get_mut().write_all(b"\n")?;
        Ok(self.summary)
    }
}

impl Encoder for NdjsonEncoder<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.write_rows(batch)
    }

    fn finish(mut self: Box<Self>) -> Result<Summary, ArrowError> {
        self.writer.finish()?;
        Ok(self.summary)
    }
}
