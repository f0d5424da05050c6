//! Arrow IPC: a stream with its schema, which every Arrow library reads.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

use super::columns::relabel;
use super::{Encoder, Sink, Summary};

pub(super) struct ArrowEncoder<'a> {
    writer: StreamWriter<&'a mut Sink>,
    schema: SchemaRef,
    summary: Summary,
}

impl<'a> ArrowEncoder<'a> {
    /// Writes the schema.
    pub(super) fn start(sink: &'a mut Sink, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let writer = StreamWriter::try_new(sink, schema)?;
        Ok(Self { writer, schema: schema.clone(), summary: Summary::default() })
    }
}

impl Encoder for ArrowEncoder<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.summary.rows += batch.num_rows() as u64;
        self.writer.write(&relabel(batch, &self.schema)?)?;
        self.writer.flush()
    }

    fn finish(mut self: Box<Self>) -> Result<Summary, ArrowError> {
        self.writer.finish()?;
        Ok(self.summary)
    }
}
